using System.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Kernel.Net.Packets;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>IP: sends packets on their way, takes those for this network to their protocol, passes others on.</summary>
public sealed class InternetLayer(Network network)
{
    private ushort _identifier;

    /// <summary>For packets that may be cut into fragments on their way.</summary>
    public ushort NextIdentifier() => ++_identifier == 0 ? ++_identifier : _identifier;

    /// <summary>Sends a packet of ours; a device other than the routes' choice may be asked for.</summary>
    public Errno Send(in IpPacket packet, NetDevice? via = null)
    {
        if (!FindHop(packet.Destination, via, out Hop hop, out Errno error))
            return error;
        NetDevice device = hop.Kind == RouteKind.Local ? network.Loopback : hop.Device;
        if (packet.Length > device.Mtu)
            return packet.Is4 && packet.Bytes[6] == 0 ? SendFragments(packet, device, hop.Next) : Errno.EMSGSIZE;
        Transmit(device, packet, hop.Next);
        return Errno.None;
    }

    private bool FindHop(IPAddress target, NetDevice? via, out Hop hop, out Errno error)
    {
        bool found = network.Routes.TryFind(target, out hop, out error);
        if (via is null || (found && (hop.Device == via || hop.Kind == RouteKind.Local)))
            return found;
        hop = new Hop(via, target, network.SourceOn(via, target) ?? IpPrefix.AnyOf(target), RouteKind.Unicast);
        error = via.IsUp ? Errno.None : Errno.ENETUNREACH;
        return via.IsUp;
    }

    /// <summary>The device and source address of what is sent to an address.</summary>
    public bool TryRoute(IPAddress target, int device, out Hop hop, out Errno error) => FindHop(target, device == 0 ? null : network.FindDevice(device), out hop, out error);

    private void Transmit(NetDevice device, in IpPacket packet, IPAddress next)
    {
        if (device is not EthernetDevice)
            network.TapPacket(device, packet, isOutgoing: true);
        device.Send(packet, next);
    }

    private Errno SendFragments(in IpPacket packet, NetDevice device, IPAddress next)
    {
        foreach (byte[] part in Fragments.Cut(packet, device.Mtu))
        {
            if (IpPacket.TryParse(part, out IpPacket fragment))
                Transmit(device, fragment, next);
        }
        return Errno.None;
    }

    private Fragments? _fragments;

    /// <summary>Takes a packet that arrived.</summary>
    internal void Receive(NetDevice device, in IpPacket packet)
    {
        bool isGroup = IpPrefix.IsMulticast(packet.Destination);
        if (!isGroup && !network.IsBroadcast(packet.Destination) && !network.IsLocal(packet.Destination))
        {
            Forward(device, packet);
            return;
        }
        IpPacket whole = packet;
        if (packet.IsFragment && !(_fragments ??= new Fragments(network.World)).TryJoin(packet, out whole))
            return;
        bool wasTaken = RawSocket.Deliver(network, device, whole);
        switch (whole.Protocol)
        {
            case IpProtocol.Udp or IpProtocol.UdpLite:
                ReceiveUdp(device, whole, isGroup);
                break;
            case IpProtocol.Tcp:
                network.Connections.Receive(device, whole);
                break;
            case IpProtocol.Icmp when whole.Is4:
            case IpProtocol.Icmp6 when !whole.Is4:
                ReceiveControl(whole, isGroup);
                break;
            case IpProtocol.Igmp or IpProtocol.NoNext:
                break;
            default:
                if (!wasTaken && !isGroup)
                    SendError(whole, Icmp.Unreachable, 2, 4, 1);
                break;
        }
    }

    private void Forward(NetDevice device, in IpPacket packet)
    {
        if (!network.Forwards)
            return;
        if (packet.Hops <= 1)
            SendError(packet, Icmp.TimeExceeded, 0, Icmp.TimeExceeded6, 0);
        else if (!network.Routes.TryFind(packet.Destination, out Hop hop, out _))
            SendError(packet, Icmp.Unreachable, 0, Icmp.Unreachable6, 0);
        else if (packet.Length > hop.Device.Mtu)
            SendError(packet, Icmp.Unreachable, 4, 2, 0, (uint)hop.Device.Mtu);
        else if (hop.Device != device || hop.Kind == RouteKind.Unicast)
            Transmit(hop.Device, packet.Forwarded(), hop.Next);
    }

    /// <summary>Tells a sender why its packet went nowhere; errors about errors are not told (RFC 1122).</summary>
    private void SendError(in IpPacket about, byte type4, byte code4, byte type6, byte code6, uint parameter = 0)
    {
        bool isControl = about.Protocol is IpProtocol.Icmp or IpProtocol.Icmp6;
        if (IpPrefix.IsMulticast(about.Destination) || IpPrefix.IsAny(about.Source) || network.IsBroadcast(about.Destination) || (isControl && Icmp.IsError(about)))
            return;
        IPAddress from = network.IsLocal(about.Destination) ? about.Destination : network.SourceFor(about.Source);
        Send(Icmp.Error(about, from, about.Is4 ? type4 : type6, about.Is4 ? code4 : code6, parameter));
    }

    /// <summary>A packet's neighbour does not answer.</summary>
    internal void TellUnreachable(in IpPacket packet) => SendError(packet, Icmp.Unreachable, 1, Icmp.Unreachable6, 3);

    internal void TellRefused(in IpPacket packet) => SendError(packet, Icmp.Unreachable, 3, Icmp.Unreachable6, 4);

    private void ReceiveUdp(NetDevice device, in IpPacket packet, bool isGroup)
    {
        if (!UdpDatagram.TryParse(packet, out InternetAddress from, out InternetAddress to, out ReadOnlySpan<byte> data))
            return;
        var info = new PacketInfo(packet.Destination, device.Index, packet.Hops, packet.Class, network.World.Clock.Realtime);
        if (isGroup || network.IsBroadcast(packet.Destination))
        {
            foreach (DatagramSocket member in network.Ports.FindGroup(packet.Protocol, to, from, device.Index))
                member.Deliver(data, from, info);
        }
        else if (network.Ports.FindDatagram(packet.Protocol, to, from, device.Index) is { } target)
        {
            target.Deliver(data, from, info);
        }
        else
        {
            TellRefused(packet);
        }
    }

    private void ReceiveControl(in IpPacket packet, bool isGroup)
    {
        if (Icmp.IsError(packet))
        {
            ReceiveError(packet);
            return;
        }
        IPAddress self = isGroup || network.IsBroadcast(packet.Destination) ? network.SourceFor(packet.Source) : packet.Destination;
        if (Icmp.Reply(packet, self, NextIdentifier()) is { } reply)
            Send(reply);
        else
            PingSocket.Deliver(network, packet);
    }

    /// <summary>Finds who sent the packet that an error is about.</summary>
    private void ReceiveError(in IpPacket packet)
    {
        const int header = 8;
        ReadOnlySpan<byte> message = packet.Payload;
        if (message.Length < header || !IpQuote.TryParse(message[header..], out IpQuote quote))
            return;
        Errno error = Icmp.ErrorOf(packet.Is4, message[0], message[1]);
        if (error == Errno.None)
            return;
        if (quote.Protocol == IpProtocol.Tcp)
            network.Connections.Fail(quote.Local, quote.Remote, error);
        else if (quote.Protocol is IpProtocol.Udp or IpProtocol.UdpLite && network.Ports.FindDatagram(quote.Protocol, quote.Local, quote.Remote, 0) is { } sender)
            sender.Refuse(new ReturnedError(error, quote.Remote, packet.Source, message[0], message[1], InformationOf(packet.Is4, message), PayloadOf(message[header..])));
    }

    /// <summary>The size that a packet may have at most, in messages that tell it.</summary>
    private static uint InformationOf(bool is4, ReadOnlySpan<byte> message)
    {
        const byte tooLong4 = 4, tooBig6 = 2;
        if (is4)
            return message[0] == Icmp.Unreachable && message[1] == tooLong4 ? System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(message[6..]) : 0u;
        return message[0] == tooBig6 ? System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(message[4..]) : 0;
    }

    /// <summary>What is behind the UDP header of a quoted packet.</summary>
    private static byte[] PayloadOf(ReadOnlySpan<byte> quoted)
    {
        const int udp = 8, header6 = 40;
        int header = quoted[0] >> 4 == 4 ? (quoted[0] & 0xF) * 4 : header6;
        return quoted.Length > header + udp ? quoted[(header + udp)..].ToArray() : [];
    }
}
