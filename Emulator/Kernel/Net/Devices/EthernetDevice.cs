using System.Net;
using Vivarium.Emulator.Kernel.Net.Packets;

namespace Vivarium.Emulator.Kernel.Net.Devices;

/// <summary>A device whose link carries Ethernet frames.</summary>
public abstract class EthernetDevice : NetDevice
{
    private const int OrdinaryMtu = 1500;

    protected EthernetDevice(Network network, string name)
        : base(network, name, LinkKind.Ethernet, OrdinaryMtu)
    {
        Flags = DeviceFlags.Broadcast | DeviceFlags.Multicast;
        // Locally administered, unicast (IEEE 802).
        network.World.Random.Fill(HardwareAddress);
        HardwareAddress[0] = (byte)((HardwareAddress[0] & 0xFC) | 2);
        Neighbours = new NeighbourTable(this);
    }

    public NeighbourTable Neighbours { get; }

    /// <summary>Puts a frame on the link.</summary>
    protected abstract void Transmit(byte[] frame);

    public override void Send(in IpPacket packet, IPAddress nextHop)
    {
        ushort type = packet.Is4 ? EthernetFrame.Ip4 : EthernetFrame.Ip6;
        if (IpPrefix.IsMulticast(packet.Destination))
            SendFrame(EthernetFrame.GroupOf(packet.Destination), type, packet.Whole);
        else if (Network.IsBroadcast(packet.Destination) || (Flags & DeviceFlags.NoArp) != 0)
            SendFrame(EthernetFrame.Broadcast, type, packet.Whole);
        else
            Neighbours.Send(packet, nextHop);
    }

    public void SendFrame(ReadOnlySpan<byte> to, ushort type, ReadOnlySpan<byte> payload) => SendFrame(EthernetFrame.Make(to, HardwareAddress, type, payload));

    public void SendFrame(byte[] frame)
    {
        if (!IsUp)
            return;
        Counters.CountSent(frame.Length);
        Network.TapFrame(this, frame, isOutgoing: true);
        Transmit(frame);
    }

    /// <summary>Takes a frame off the link.</summary>
    internal void Receive(byte[] frame)
    {
        if (!IsUp || frame.Length < EthernetFrame.HeaderLength)
        {
            Counters.CountDropped();
            return;
        }
        Counters.CountReceived(frame.Length);
        Network.TapFrame(this, frame, isOutgoing: false);
        ReadOnlySpan<byte> to = frame.AsSpan(0, EthernetFrame.AddressLength);
        if (!EthernetFrame.IsGroup(to) && !to.SequenceEqual(HardwareAddress))
            return;
        ReadOnlySpan<byte> payload = frame.AsSpan(EthernetFrame.HeaderLength);
        switch (EthernetFrame.TypeOf(frame))
        {
            case EthernetFrame.Arp:
                Neighbours.ReceiveArp(payload);
                break;
            case EthernetFrame.Ip4 or EthernetFrame.Ip6 when IpPacket.TryParse(payload.ToArray(), out IpPacket packet):
                if (!Neighbours.ReceiveDiscovery(packet))
                    Network.Internet.Receive(this, packet);
                break;
        }
    }
}
