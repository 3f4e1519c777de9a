using System.Net;
using Vivarium.Emulator.Kernel.Net.Packets;

namespace Vivarium.Emulator.Kernel.Net.Devices;

/// <summary>lo: what is sent comes back.</summary>
public sealed class LoopbackDevice : NetDevice
{
    private const int LargestPacket = 65_536;

    public LoopbackDevice(Network network)
        : base(network, "lo", LinkKind.Loopback, LargestPacket)
    {
        Flags = DeviceFlags.Loopback;
    }

    public override void Send(in IpPacket packet, IPAddress nextHop)
    {
        Counters.CountSent(packet.Length + EthernetFrame.HeaderLength);
        Counters.CountReceived(packet.Length + EthernetFrame.HeaderLength);
        Network.World.Packets.Add(this, packet.Bytes);
    }
}

/// <summary>A device that takes everything and passes nothing on (ip-link(8), dummy).</summary>
public sealed class DummyDevice : EthernetDevice
{
    public DummyDevice(Network network, string name)
        : base(network, name)
    {
        Flags = DeviceFlags.Broadcast | DeviceFlags.NoArp;
    }

    public override string? DriverName => "dummy";

    public override bool IsRemovable => true;

    protected override void Transmit(byte[] frame)
    {
    }
}

/// <summary>One end of a virtual cable between two networks of a world (veth(4)).</summary>
public sealed class CableDevice : EthernetDevice
{
    private CableDevice(Network network, string name)
        : base(network, name)
    {
    }

    /// <summary>The other end; null when it was removed.</summary>
    public CableDevice? Peer { get; private set; }

    public override string? DriverName => "veth";

    public override bool IsRemovable => true;

    public override bool HasCarrier => Peer is { IsUp: true };

    public static (CableDevice One, CableDevice Two) MakePair(Network network, string name, Network peerNetwork, string peerName)
    {
        CableDevice one = new(network, name), two = new(peerNetwork, peerName);
        (one.Peer, two.Peer) = (two, one);
        return (one, two);
    }

    protected override void Transmit(byte[] frame)
    {
        if (Peer is { IsUp: true } peer)
            Network.World.Packets.Add(peer, frame);
        else
            Counters.CountDropped();
    }

    internal override void OnStateChange() => Peer?.Network.OnCarrierChange(Peer);

    internal override void OnRemoved()
    {
        CableDevice? peer = Peer;
        Peer = null;
        if (peer is null)
            return;
        peer.Peer = null;
        peer.Network.Remove(peer);
    }
}
