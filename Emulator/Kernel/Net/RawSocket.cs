using System.Buffers.Binary;
using System.Net;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Kernel.Net.Packets;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>What sockets have in common that take packets beside the protocols: a queue, an address, a peer.</summary>
public abstract class PacketQueueSocket : Socket
{
    protected PacketQueueSocket(Network network, SocketFamily family, SocketKind kind, int protocol, OpenFlags flags)
        : base(network, family, kind, protocol, flags)
    {
        network.Watchers += WatchesPackets ? 1 : 0;
    }

    private bool WatchesPackets => Family is not (SocketFamily.Netlink or SocketFamily.Routing);

    public override Errno Connect(CallContext call, SocketAddress? address)
    {
        if (address is InternetAddress target && !Network.Internet.TryRoute(target.Address, BoundDevice, out _, out Errno error))
            return error;
        Remote = address is InternetAddress internet ? internet with { Port = 0 } : address;
        return Errno.None;
    }

    public override Errno Bind(CallContext call, SocketAddress address)
    {
        if (address is not InternetAddress internet)
            return Errno.EINVAL;
        if (!IpPrefix.IsAny(internet.Address) && !BindsFreely && !Network.IsLocal(internet.Address) && !IpPrefix.IsMulticast(internet.Address))
            return Errno.EADDRNOTAVAIL;
        Local = internet with { Port = 0 };
        return Errno.None;
    }

    /// <summary>Queues what arrived; what does not fit is lost.</summary>
    protected void Take(ReadOnlySpan<byte> bytes, SocketAddress? from, PacketInfo? info)
    {
        if (Queue.Room < bytes.Length || ReadShut)
            return;
        if (!Queue.HasMemory)
            return;
        Queue.Add(bytes, from, Ancillary.None with { Packet = info });
        Source.Pulse(Arrival);
    }

    public override Received Receive(Span<byte> destination, bool peek)
    {
        if (TakeError() is not Errno.None and Errno pending)
            return pending;
        if (Queue.Count == 0)
            return ReadShut ? new Received(0, 0, null, Ancillary.None, Errno.None) : Errno.EAGAIN;
        int whole = Queue.ReadMessage(destination, peek, out SocketAddress? from, out Ancillary ancillary);
        return new Received(Math.Min(whole, destination.Length), whole, from, ancillary, Errno.None);
    }

    public override int? Pending => Queue.NextLength;

    public override Errno Shutdown(bool read, bool write)
    {
        if (Remote is null)
            return Errno.ENOTCONN;
        ReadShut |= read;
        WriteShut |= write;
        Source.Pulse();
        return Errno.None;
    }

    public override Readiness Poll() =>
        Readiness.Out | (Queue.Count > 0 || ReadShut ? Readiness.In : 0) | (PendingError != Errno.None ? Readiness.Error : 0);

    protected override void OnLastClose()
    {
        Queue.Clear();
        Network.Watchers -= WatchesPackets ? 1 : 0;
        base.OnLastClose();
    }
}

/// <summary>Packets of one IP protocol (raw(7)).</summary>
public sealed class RawSocket(Network network, SocketFamily family, int protocol, OpenFlags flags) : PacketQueueSocket(network, family, SocketKind.Raw, protocol, flags)
{
    /// <summary>IP_HDRINCL: the sender writes the IP header.</summary>
    public bool HeaderIncluded { get; set; } = protocol == IpProtocol.Raw;

    /// <summary>ICMP_FILTER and ICMP6_FILTER: types that are not wanted, a bit each.</summary>
    public uint[] Filter { get; } = new uint[8];

    /// <summary>IPV6_CHECKSUM: where the kernel writes a checksum; -1 = nowhere.</summary>
    public int ChecksumOffset { get; set; } = protocol == IpProtocol.Icmp6 && family == SocketFamily.Internet6 ? 2 : -1;

    /// <summary>Shows a packet to the raw sockets of its protocol; true when one took it.</summary>
    internal static bool Deliver(Network network, NetDevice device, in IpPacket packet)
    {
        bool wasTaken = false;
        foreach (Socket socket in network.Watchers == 0 ? [] : network.Sockets)
        {
            if (socket is RawSocket raw && raw.Wants(device, packet))
            {
                wasTaken = true;
                var info = new PacketInfo(packet.Destination, device.Index, packet.Hops, packet.Class, network.World.Clock.Realtime);
                raw.Take(packet.Is4 ? packet.Whole : packet.Payload, new InternetAddress(packet.Source, 0), info);
            }
        }
        return wasTaken;
    }

    private bool Wants(NetDevice device, in IpPacket packet)
    {
        if (Family == SocketFamily.Internet4 != packet.Is4 || Protocol != packet.Protocol || (BoundDevice != 0 && BoundDevice != device.Index))
            return false;
        if (Local is InternetAddress local && !IpPrefix.IsAny(local.Address) && !local.Address.Equals(packet.Destination))
            return false;
        if (Remote is InternetAddress remote && !remote.Address.Equals(packet.Source))
            return false;
        if (Protocol is IpProtocol.Icmp or IpProtocol.Icmp6 && packet.Payload.Length > 0)
            return (Filter[packet.Payload[0] / 32] >> (packet.Payload[0] % 32) & 1) == 0;
        return true;
    }

    public override IoResult Send(CallContext call, ReadOnlySpan<byte> bytes, SocketAddress? to, Ancillary ancillary)
    {
        if ((to ?? Remote) is not InternetAddress target)
            return Errno.EDESTADDRREQ;
        if (WriteShut)
            return Errno.EPIPE;
        if (bytes.Length > ushort.MaxValue)
            return Errno.EMSGSIZE;
        bool isGroup = IpPrefix.IsMulticast(target.Address);
        if (!Network.Internet.TryRoute(target.Address, BoundDevice != 0 ? BoundDevice : isGroup ? Groups.Device : 0, out Hop hop, out Errno error))
            return error;
        if (hop.Kind == RouteKind.Broadcast && !MayBroadcast)
            return Errno.EACCES;
        IPAddress source = Local is InternetAddress local && !IpPrefix.IsAny(local.Address) ? local.Address : hop.Source;
        if (!TryMake(bytes, source, IpPrefix.IsAny(target.Address) ? IpPrefix.LoopbackOf(target.Address) : target.Address, isGroup, out IpPacket packet))
            return Errno.EINVAL;
        error = Network.Internet.Send(packet, BoundDevice == 0 ? null : Network.FindDevice(BoundDevice));
        return error != Errno.None ? error : bytes.Length;
    }

    private bool TryMake(ReadOnlySpan<byte> bytes, IPAddress source, IPAddress target, bool isGroup, out IpPacket packet)
    {
        if (HeaderIncluded)
            return TryComplete(bytes.ToArray(), source, out packet);
        byte[] payload = bytes.ToArray();
        if (ChecksumOffset >= 0 && payload.Length >= ChecksumOffset + 2)
        {
            payload.AsSpan(ChecksumOffset, 2).Clear();
            ushort sum = InternetChecksum.Of(payload, InternetChecksum.PseudoHeader(source, target, (byte)Protocol, payload.Length));
            BinaryPrimitives.WriteUInt16BigEndian(payload.AsSpan(ChecksumOffset), sum);
        }
        byte hops = isGroup ? Groups.Hops : Hops ?? IpPacket.DefaultHops;
        packet = IpPacket.Make(source, target, (byte)Protocol, payload, hops, TrafficClass, Network.Internet.NextIdentifier());
        return true;
    }

    /// <summary>raw(7): length and checksum are always written, source and identifier when they are 0.</summary>
    private bool TryComplete(byte[] bytes, IPAddress source, out IpPacket packet)
    {
        packet = default;
        if (bytes.Length < 20 || (bytes[0] & 0xF) * 4 is var header && (header < 20 || header > bytes.Length))
            return false;
        if (bytes[0] >> 4 == 4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)bytes.Length);
            if (bytes.AsSpan(12, 4).IndexOfAnyExcept((byte)0) < 0)
                source.TryWriteBytes(bytes.AsSpan(12), out _);
            if (bytes[4] == 0 && bytes[5] == 0)
                BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(4), Network.Internet.NextIdentifier());
            IpPacket.Seal(bytes);
        }
        return IpPacket.TryParse(bytes, out packet);
    }
}

/// <summary>Echo requests without privilege (icmp(7), ping_group_range): the identifier is the socket's port.</summary>
public sealed class PingSocket(Network network, SocketFamily family, int protocol, OpenFlags flags) : PacketQueueSocket(network, family, SocketKind.Datagram, protocol, flags)
{
    private const int HeaderLength = 8;

    private ushort Identifier => (ushort)((Local as InternetAddress)?.Port ?? 0);

    public override Errno Bind(CallContext call, SocketAddress address)
    {
        Errno error = base.Bind(call, address);
        if (error == Errno.None)
            Local = (InternetAddress)address;
        return error;
    }

    public override IoResult Send(CallContext call, ReadOnlySpan<byte> bytes, SocketAddress? to, Ancillary ancillary)
    {
        if ((to ?? Remote) is not InternetAddress target)
            return Errno.EDESTADDRREQ;
        bool is4 = Family == SocketFamily.Internet4;
        if (bytes.Length < HeaderLength || bytes[0] != (is4 ? Icmp.Echo : Icmp.Echo6) || bytes[1] != 0)
            return Errno.EINVAL;
        if (!Network.Internet.TryRoute(target.Address, BoundDevice, out Hop hop, out Errno error))
            return error;
        if (Identifier == 0)
            Local = new InternetAddress((Local as InternetAddress)?.Address ?? IpPrefix.AnyOf(target.Address), 1 + Network.World.Random.Below(ushort.MaxValue));
        byte[] message = bytes.ToArray();
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(4), Identifier);
        Icmp.Seal(message, is4, hop.Source, target.Address);
        error = Network.Internet.Send(IpPacket.Make(hop.Source, target.Address, (byte)Protocol, message, Hops ?? IpPacket.DefaultHops, TrafficClass, Network.Internet.NextIdentifier()));
        return error != Errno.None ? error : bytes.Length;
    }

    /// <summary>Gives an echo reply to the socket that asked.</summary>
    internal static void Deliver(Network network, in IpPacket packet)
    {
        ReadOnlySpan<byte> message = packet.Payload;
        if (message.Length < HeaderLength || message[0] != (packet.Is4 ? Icmp.EchoReply : Icmp.EchoReply6))
            return;
        ushort identifier = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
        foreach (Socket socket in network.Sockets)
        {
            if (socket is PingSocket ping && ping.Identifier == identifier && ping.Family == SocketFamily.Internet4 == packet.Is4)
                ping.Take(message, new InternetAddress(packet.Source, 0), new PacketInfo(packet.Destination, 0, packet.Hops, packet.Class, network.World.Clock.Realtime));
        }
    }
}
