using System.Buffers.Binary;
using System.Net;

namespace Vivarium.Emulator.Kernel.Net.Packets;

/// <summary>ICMP messages for IPv4 and IPv6 (RFC 792, RFC 4443).</summary>
public static class Icmp
{
    public const byte EchoReply = 0;
    public const byte Unreachable = 3;
    public const byte Echo = 8;
    public const byte TimeExceeded = 11;

    public const byte Unreachable6 = 1;
    public const byte TimeExceeded6 = 3;
    public const byte Echo6 = 128;
    public const byte EchoReply6 = 129;
    public const byte NeighbourSolicitation = 135;
    public const byte NeighbourAdvertisement = 136;

    private const int HeaderLength = 8;

    public static bool IsError(IpPacket packet) => packet.Payload.Length > 0 && (packet.Is4
        ? packet.Payload[0] is Unreachable or 4 or 5 or TimeExceeded or 12
        : packet.Payload[0] < 128);

    /// <summary>The reply to an echo request; null when the message is none or damaged.</summary>
    /// <param name="identifier">Of the packet, which may have to be cut.</param>
    public static IpPacket? Reply(in IpPacket request, IPAddress from, ushort identifier)
    {
        ReadOnlySpan<byte> message = request.Payload;
        byte asks = request.Is4 ? Echo : Echo6;
        if (message.Length < HeaderLength || message[0] != asks || !IsIntact(request))
            return null;
        byte[] reply = message.ToArray();
        reply[0] = request.Is4 ? EchoReply : EchoReply6;
        Seal(reply, request.Is4, from, request.Source);
        return IpPacket.Make(from, request.Source, request.Protocol, reply, trafficClass: request.Class, identifier: identifier);
    }

    public static bool IsIntact(in IpPacket packet) =>
        InternetChecksum.Of(packet.Payload, packet.Is4 ? 0 : InternetChecksum.PseudoHeader(packet.Source, packet.Destination, IpProtocol.Icmp6, packet.Payload.Length)) == 0;

    /// <summary>Writes a message's checksum.</summary>
    public static void Seal(byte[] message, bool is4, IPAddress source, IPAddress destination)
    {
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), 0);
        uint start = is4 ? 0 : InternetChecksum.PseudoHeader(source, destination, IpProtocol.Icmp6, message.Length);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), InternetChecksum.Of(message, start));
    }

    /// <summary>An error that quotes the packet it is about.</summary>
    public static IpPacket Error(in IpPacket about, IPAddress from, byte type, byte code, uint parameter = 0)
    {
        // RFC 1812: as much as fits in 576 bytes; RFC 4443: in the smallest MTU.
        int quoted = Math.Min(about.Length, about.Is4 ? 576 - 28 : 1280 - 48);
        byte[] message = new byte[HeaderLength + quoted];
        message[0] = type;
        message[1] = code;
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(4), parameter);
        about.Bytes.AsSpan(0, quoted).CopyTo(message.AsSpan(HeaderLength));
        Seal(message, about.Is4, from, about.Source);
        return IpPacket.Make(from, about.Source, about.Is4 ? IpProtocol.Icmp : IpProtocol.Icmp6, message);
    }

    /// <summary>What a sender is told for an error message (ip(7), ipv6(7)); none for those that are advice.</summary>
    public static Errno ErrorOf(bool is4, byte type, byte code) => (is4, type, code) switch
    {
        (true, Unreachable, 0) => Errno.ENETUNREACH,
        (true, Unreachable, 3) => Errno.ECONNREFUSED,
        (true, Unreachable, 2) => Errno.ENOPROTOOPT,
        (true, Unreachable, 4) => Errno.EMSGSIZE,
        (true, Unreachable, _) or (true, TimeExceeded, _) => Errno.EHOSTUNREACH,
        (false, Unreachable6, 4) => Errno.ECONNREFUSED,
        (false, Unreachable6, 0) => Errno.ENETUNREACH,
        (false, Unreachable6, 1) => Errno.EACCES,
        (false, Unreachable6, _) or (false, TimeExceeded6, _) => Errno.EHOSTUNREACH,
        _ => Errno.None,
    };
}
