using System.Net;

namespace Vivarium.Emulator.Kernel.Net.Devices;

/// <summary>A port of a switch that several worlds are joined to. Thread-safe; handed in by the node.</summary>
public interface ISwitchPort : IDisposable
{
    /// <summary>A hardware address that no other port has.</summary>
    IReadOnlyList<byte> HardwareAddress { get; }

    /// <summary>Where the world is on the switch's own subnet, when the job does not say.</summary>
    InterfaceAddress DefaultAddress { get; }

    /// <summary>Sends an Ethernet frame to whom it is for; lost when they do not take it.</summary>
    void Send(ReadOnlySpan<byte> frame);

    /// <summary>Starts to hand over what arrives, on any thread.</summary>
    void Receive(Action<byte[]> received);
}

/// <summary>A device that is plugged into a switch between worlds.</summary>
public sealed class SwitchDevice : EthernetDevice
{
    private readonly ISwitchPort _port;

    public SwitchDevice(Network network, string name, ISwitchPort port)
        : base(network, name)
    {
        _port = port;
        HardwareAddress = [.. port.HardwareAddress];
        World world = network.World;
        port.Receive(frame => world.Post(() => world.Packets.Add(this, frame)));
    }

    protected override void Transmit(byte[] frame) => _port.Send(frame);
}

/// <summary>How a world is joined to a switch.</summary>
public sealed record WorldLink(ISwitchPort Port)
{
    /// <summary>Null: the port's own.</summary>
    public InterfaceAddress? Address { get; init; }
}
