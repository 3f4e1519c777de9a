using System.Net;
using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Emulator.Kernel.Net.Devices;

/// <summary>A port of a switch that several worlds are joined to. Thread-safe; handed in by the node.</summary>
public interface ISwitchPort : IDisposable
{
    /// <summary>A hardware address that no other port has.</summary>
    IReadOnlyList<byte> HardwareAddress { get; }

    /// <summary>Where the world is on the switch's own subnet, when the job does not say.</summary>
    InterfaceAddress DefaultAddress { get; }

    /// <summary>Sends an Ethernet frame to whom it is for; lost when they do not take it.</summary>
    /// <param name="frame">What is sent.</param>
    /// <param name="origin">The call that sends it, if one does; told to the receiver beside the frame.</param>
    void Send(ReadOnlySpan<byte> frame, CallOrigin? origin);

    /// <summary>Starts to hand over what arrives and who sent it, on any thread.</summary>
    void Receive(Action<byte[], CallOrigin?> received);
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
        port.Receive((frame, origin) => world.PostPacket(this, frame, origin));
    }

    protected override void Transmit(byte[] frame) => _port.Send(frame, Network.World.Origin());
}

/// <summary>How a world is joined to a switch.</summary>
public sealed record WorldLink(ISwitchPort Port)
{
    /// <summary>Null: the port's own.</summary>
    public InterfaceAddress? Address { get; init; }
}
