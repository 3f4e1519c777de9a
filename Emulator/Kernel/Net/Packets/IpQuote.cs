using System.Buffers.Binary;
using System.Net;

namespace Vivarium.Emulator.Kernel.Net.Packets;

/// <summary>The beginning of one of our packets, as an ICMP error quotes it: enough to know whose it was.</summary>
public readonly record struct IpQuote(byte Protocol, InternetAddress Local, InternetAddress Remote)
{
    public static bool TryParse(ReadOnlySpan<byte> bytes, out IpQuote quote)
    {
        quote = default;
        if (bytes.Length < 20)
            return false;
        bool is4 = bytes[0] >> 4 == 4;
        int header = is4 ? (bytes[0] & 0xF) * 4 : 40;
        if (bytes.Length < header + 4)
            return false;
        (int at, int size) = is4 ? (12, 4) : (8, 16);
        ReadOnlySpan<byte> ports = bytes[header..];
        quote = new IpQuote(
            is4 ? bytes[9] : bytes[6],
            new InternetAddress(new IPAddress(bytes.Slice(at, size)), BinaryPrimitives.ReadUInt16BigEndian(ports)),
            new InternetAddress(new IPAddress(bytes.Slice(at + size, size)), BinaryPrimitives.ReadUInt16BigEndian(ports[2..])));
        return true;
    }
}
