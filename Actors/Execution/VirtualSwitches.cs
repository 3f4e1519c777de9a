using System.Net;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Actors.Execution;

/// <summary>The switches between the worlds of one node, made when first asked for. Thread-safe.</summary>
public sealed class VirtualSwitches
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, VirtualSwitch> _switches = new(StringComparer.Ordinal);

    /// <summary>A new port of the switch of that name.</summary>
    public ISwitchPort Join(string name)
    {
        lock (_lock)
        {
            if (!_switches.TryGetValue(name, out VirtualSwitch? found))
                _switches[name] = found = new VirtualSwitch();
            return found.AddPort();
        }
    }
}

/// <summary>A switch in memory: a frame goes to the port that has its address, or to all others.</summary>
public sealed class VirtualSwitch
{
    private const int MostPorts = 65_000;

    private readonly Lock _lock = new();
    private readonly List<Port> _ports = [];
    private int _joined;

    public ISwitchPort AddPort()
    {
        lock (_lock)
        {
            var port = new Port(this, 1 + (_joined++ % MostPorts));
            _ports.Add(port);
            return port;
        }
    }

    private void Forward(Port from, ReadOnlySpan<byte> frame)
    {
        byte[] copy = frame.ToArray();
        foreach (Port port in Targets(from, frame))
            port.Deliver(copy);
    }

    private List<Port> Targets(Port from, ReadOnlySpan<byte> frame)
    {
        var targets = new List<Port>();
        ReadOnlySpan<byte> to = frame[..EthernetFrame.AddressLength];
        lock (_lock)
        {
            from.Learn(frame.Slice(EthernetFrame.AddressLength, EthernetFrame.AddressLength));
            foreach (Port port in _ports)
            {
                if (port == from)
                    continue;
                if (!EthernetFrame.IsGroup(to) && port.Has(to))
                    return [port];
                targets.Add(port);
            }
        }
        return targets;
    }

    private void Remove(Port port)
    {
        lock (_lock)
            _ports.Remove(port);
    }

    private sealed class Port(VirtualSwitch owner, int number) : ISwitchPort
    {
        private const int MostLearned = 64;

        private readonly List<ulong> _learned = [];
        private Action<byte[]>? _received;

        public IReadOnlyList<byte> HardwareAddress { get; } = SwitchAddresses.Hardware(number);

        public InterfaceAddress DefaultAddress { get; } = SwitchAddresses.Internet(number);

        public void Send(ReadOnlySpan<byte> frame) => owner.Forward(this, frame);

        public void Receive(Action<byte[]> received) => Volatile.Write(ref _received, received);

        public void Deliver(byte[] frame) => Volatile.Read(ref _received)?.Invoke(frame);

        /// <summary>Notes that an address is behind this port: a world may have bridges and devices of its own.</summary>
        public void Learn(ReadOnlySpan<byte> address)
        {
            ulong key = Key(address);
            if (_learned.Contains(key))
                return;
            if (_learned.Count == MostLearned)
                _learned.RemoveAt(0);
            _learned.Add(key);
        }

        public bool Has(ReadOnlySpan<byte> address) => _learned.Contains(Key(address));

        private static ulong Key(ReadOnlySpan<byte> address)
        {
            ulong key = 0;
            foreach (byte part in address)
                key = (key << 8) | part;
            return key;
        }

        public void Dispose() => owner.Remove(this);
    }
}

/// <summary>The addresses of a switch's ports by their numbers.</summary>
public static class SwitchAddresses
{
    private const int Prefix = 16;

    /// <summary>Locally administered; the number in the last two bytes.</summary>
    public static byte[] Hardware(int number) => [0x02, 0x56, 0x56, 0x00, (byte)(number >> 8), (byte)number];

    /// <summary>10.86.0.0/16.</summary>
    public static InterfaceAddress Internet(int number) => new(new IPAddress([10, 86, (byte)(number >> 8), (byte)number]), Prefix)
    {
        Broadcast = new IPAddress([10, 86, 255, 255]),
    };
}
