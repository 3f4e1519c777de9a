using System.Buffers.Binary;
using System.Net;

namespace Vivarium.Emulator.Kernel.Net.Packets;

/// <summary>UDP (RFC 768) on the wire.</summary>
public static class UdpDatagram
{
    public const int HeaderLength = 8;

    public static byte[] Make(byte protocol, InternetAddress from, InternetAddress to, ReadOnlySpan<byte> data)
    {
        byte[] bytes = new byte[HeaderLength + data.Length];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)from.Port);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)to.Port);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(4), (ushort)bytes.Length);
        data.CopyTo(bytes.AsSpan(HeaderLength));
        ushort sum = InternetChecksum.Of(bytes, InternetChecksum.PseudoHeader(from.Address, to.Address, protocol, bytes.Length));
        // 0 would say that there is no checksum.
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(6), sum == 0 ? (ushort)0xFFFF : sum);
        return bytes;
    }

    public static bool TryParse(in IpPacket packet, out InternetAddress from, out InternetAddress to, out ReadOnlySpan<byte> data)
    {
        ReadOnlySpan<byte> bytes = packet.Payload;
        from = to = null!;
        data = default;
        if (bytes.Length < HeaderLength)
            return false;
        bool isLite = packet.Protocol == IpProtocol.UdpLite;
        int length = BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]);
        // UDP-Lite has there how much the checksum covers, and 0 for all (RFC 3828, 3.1).
        if (isLite && length == 0)
            length = bytes.Length;
        if (length < HeaderLength || length > bytes.Length)
            return false;
        bool isSummed = isLite || BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]) != 0;
        if (isSummed && InternetChecksum.Of(bytes[..length], InternetChecksum.PseudoHeader(packet.Source, packet.Destination, packet.Protocol, isLite ? bytes.Length : length)) != 0)
            return false;
        from = new InternetAddress(packet.Source, BinaryPrimitives.ReadUInt16BigEndian(bytes));
        to = new InternetAddress(packet.Destination, BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]));
        data = bytes[HeaderLength..(isLite ? bytes.Length : length)];
        return true;
    }
}
