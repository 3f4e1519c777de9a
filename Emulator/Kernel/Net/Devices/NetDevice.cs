using System.Net;
using Vivarium.Emulator.Kernel.Net.Packets;

namespace Vivarium.Emulator.Kernel.Net.Devices;

/// <summary>A device's flags, in netdevice(7)'s Linux values.</summary>
[Flags]
public enum DeviceFlags : uint
{
    None = 0,
    Up = 0x1,
    Broadcast = 0x2,
    Loopback = 0x8,
    PointToPoint = 0x10,
    Running = 0x40,
    NoArp = 0x80,
    Promiscuous = 0x100,
    AllMulticast = 0x200,
    Multicast = 0x1000,
    LowerUp = 0x10000,
}

/// <summary>What a device's frames look like.</summary>
public enum LinkKind : byte
{
    Loopback,
    Ethernet,

    /// <summary>IP packets without a frame (tun).</summary>
    None,
}

/// <summary>An address of a device.</summary>
public sealed record InterfaceAddress(IPAddress Address, int Prefix)
{
    /// <summary>rtnetlink(7)'s scopes.</summary>
    public const byte ScopeGlobal = 0, ScopeLink = 253, ScopeHost = 254;

    public byte Scope { get; init; }

    public string Label { get; init; } = "";

    public IPAddress? Broadcast { get; init; }

    /// <summary>The other end of a point-to-point link, when it was named.</summary>
    public IPAddress? Peer { get; init; }

    public byte Flags { get; init; } = 0x80;

    public bool Is4 => Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork;

    public bool Covers(IPAddress other) => IpPrefix.Matches(Peer ?? Address, Prefix, other);
}

/// <summary>A network interface of a world.</summary>
public abstract class NetDevice
{
    private readonly List<InterfaceAddress> _addresses = [];

    protected NetDevice(Network network, string name, LinkKind kind, int mtu)
    {
        Network = network;
        Name = name;
        Kind = kind;
        Mtu = mtu;
        HardwareAddress = kind == LinkKind.None ? [] : new byte[6];
    }

    public Network Network { get; internal set; }

    /// <summary>From 1, unique in its network.</summary>
    public int Index { get; internal set; }

    public string Name { get; set; }

    public LinkKind Kind { get; }

    public int Mtu { get; set; }

    public byte[] HardwareAddress { get; set; }

    public DeviceFlags Flags { get; set; }

    public int QueueLength { get; set; } = 1000;

    public bool IsUp => (Flags & DeviceFlags.Up) != 0;

    /// <summary>The name of what makes such devices; null for those that are simply there (rtnetlink, IFLA_INFO_KIND).</summary>
    public virtual string? DriverName => null;

    /// <summary>False while nothing is plugged in.</summary>
    public virtual bool HasCarrier => true;

    /// <summary>True when a guest may delete it.</summary>
    public virtual bool IsRemovable => false;

    public IReadOnlyList<InterfaceAddress> Addresses => _addresses;

    public DeviceCounters Counters { get; } = new();

    /// <summary>Flags as they are told: running follows carrier.</summary>
    public DeviceFlags ToldFlags => Flags | (IsUp && HasCarrier ? DeviceFlags.Running | DeviceFlags.LowerUp : 0);

    /// <summary>Sends a packet to a neighbour on this device's link.</summary>
    public abstract void Send(in IpPacket packet, IPAddress nextHop);

    internal void Add(InterfaceAddress address) => _addresses.Add(address);

    internal bool Remove(InterfaceAddress address) => _addresses.Remove(address);

    /// <summary>Called when it went up or down.</summary>
    internal virtual void OnStateChange()
    {
    }

    /// <summary>Called when it left its network for good.</summary>
    internal virtual void OnRemoved()
    {
    }
}

/// <summary>What went through a device.</summary>
public sealed class DeviceCounters
{
    public long ReceivedBytes { get; private set; }

    public long ReceivedPackets { get; private set; }

    public long SentBytes { get; private set; }

    public long SentPackets { get; private set; }

    public long Dropped { get; private set; }

    public void CountReceived(int bytes)
    {
        ReceivedBytes += bytes;
        ReceivedPackets++;
    }

    public void CountSent(int bytes)
    {
        SentBytes += bytes;
        SentPackets++;
    }

    public void CountDropped() => Dropped++;
}
