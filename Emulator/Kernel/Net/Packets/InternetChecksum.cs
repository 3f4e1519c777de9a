using System.Buffers.Binary;
using System.Net;

namespace Vivarium.Emulator.Kernel.Net.Packets;

/// <summary>The one's complement sum that IP, ICMP, UDP and TCP share (RFC 1071).</summary>
public static class InternetChecksum
{
    /// <summary>The checksum of some bytes; over bytes that hold their own checksum it is 0.</summary>
    public static ushort Of(ReadOnlySpan<byte> bytes, uint start = 0)
    {
        ulong sum = start;
        for (; bytes.Length > 1; bytes = bytes[2..])
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes);
        if (bytes.Length == 1)
            sum += (uint)bytes[0] << 8;
        while (sum >> 16 != 0)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)~sum;
    }

    /// <summary>The sum of the pseudo header that transport checksums begin with (RFC 9293 section 3.1, RFC 8200 section 8.1).</summary>
    public static uint PseudoHeader(IPAddress source, IPAddress destination, byte protocol, int length)
    {
        Span<byte> bytes = stackalloc byte[32];
        source.TryWriteBytes(bytes, out int first);
        destination.TryWriteBytes(bytes[first..], out int second);
        uint sum = (uint)(protocol + (length & 0xFFFF) + (length >> 16));
        for (ReadOnlySpan<byte> rest = bytes[..(first + second)]; rest.Length > 0; rest = rest[2..])
            sum += BinaryPrimitives.ReadUInt16BigEndian(rest);
        return sum;
    }
}
