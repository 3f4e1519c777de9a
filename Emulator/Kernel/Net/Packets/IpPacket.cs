using System.Buffers.Binary;
using System.Net;

namespace Vivarium.Emulator.Kernel.Net.Packets;

/// <summary>Protocol numbers (IANA).</summary>
public static class IpProtocol
{
    public const byte Icmp = 1;
    public const byte Igmp = 2;
    public const byte Tcp = 6;
    public const byte Udp = 17;
    public const byte Icmp6 = 58;
    public const byte NoNext = 59;
    public const byte UdpLite = 136;
    public const byte Raw = 255;
}

/// <summary>The header of an IPv4 or IPv6 packet (RFC 791, RFC 8200), and the packet's bytes.</summary>
public readonly record struct IpPacket(byte[] Bytes, int Version, byte Protocol, IPAddress Source, IPAddress Destination, byte Hops, byte Class, int HeaderLength, int Length)
{
    private const int Header4 = 20;
    private const int Header6 = 40;

    public const byte DefaultHops = 64;

    public bool Is4 => Version == 4;

    public ReadOnlySpan<byte> Payload => Bytes.AsSpan(HeaderLength, Length - HeaderLength);

    public ReadOnlySpan<byte> Whole => Bytes.AsSpan(0, Length);

    /// <summary>True for a part of a packet that was sent in fragments.</summary>
    public bool IsFragment => Is4 && (BinaryPrimitives.ReadUInt16BigEndian(Bytes.AsSpan(6)) & 0x3FFF) != 0;

    /// <summary>Reads a packet; false when it is none or damaged.</summary>
    public static bool TryParse(byte[] bytes, out IpPacket packet)
    {
        packet = default;
        return bytes.Length > 0 && (bytes[0] >> 4) switch
        {
            4 => TryParse4(bytes, out packet),
            6 => TryParse6(bytes, out packet),
            _ => false,
        };
    }

    private static bool TryParse4(byte[] bytes, out IpPacket packet)
    {
        packet = default;
        if (bytes.Length < Header4)
            return false;
        int header = (bytes[0] & 0xF) * 4;
        int length = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(2));
        if (header < Header4 || length < header || length > bytes.Length || InternetChecksum.Of(bytes.AsSpan(0, header)) != 0)
            return false;
        packet = new IpPacket(bytes, 4, bytes[9], new IPAddress(bytes.AsSpan(12, 4)), new IPAddress(bytes.AsSpan(16, 4)), bytes[8], bytes[1], header, length);
        return true;
    }

    private static bool TryParse6(byte[] bytes, out IpPacket packet)
    {
        packet = default;
        if (bytes.Length < Header6)
            return false;
        int length = Header6 + BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(4));
        if (length > bytes.Length)
            return false;
        byte trafficClass = (byte)((bytes[0] << 4) | (bytes[1] >> 4));
        packet = new IpPacket(bytes, 6, bytes[6], new IPAddress(bytes.AsSpan(8, 16)), new IPAddress(bytes.AsSpan(24, 16)), bytes[7], trafficClass, Header6, length);
        return true;
    }

    /// <summary>Makes a packet of its parts.</summary>
    public static IpPacket Make(IPAddress source, IPAddress destination, byte protocol, ReadOnlySpan<byte> payload, byte hops = DefaultHops, byte trafficClass = 0, ushort identifier = 0)
    {
        bool is4 = destination.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork;
        int header = is4 ? Header4 : Header6;
        byte[] bytes = new byte[header + payload.Length];
        payload.CopyTo(bytes.AsSpan(header));
        if (is4)
        {
            bytes[0] = 0x45;
            bytes[1] = trafficClass;
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)bytes.Length);
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(4), identifier);
            bytes[6] = identifier == 0 ? (byte)0x40 : (byte)0;
            bytes[8] = hops;
            bytes[9] = protocol;
            source.TryWriteBytes(bytes.AsSpan(12), out _);
            destination.TryWriteBytes(bytes.AsSpan(16), out _);
            Seal(bytes);
        }
        else
        {
            bytes[0] = (byte)(0x60 | (trafficClass >> 4));
            bytes[1] = (byte)(trafficClass << 4);
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(4), (ushort)payload.Length);
            bytes[6] = protocol;
            bytes[7] = hops;
            source.TryWriteBytes(bytes.AsSpan(8), out _);
            destination.TryWriteBytes(bytes.AsSpan(24), out _);
        }
        return new IpPacket(bytes, is4 ? 4 : 6, protocol, source, destination, hops, trafficClass, header, bytes.Length);
    }

    /// <summary>Writes the checksum of an IPv4 header.</summary>
    public static void Seal(byte[] bytes)
    {
        Span<byte> header = bytes.AsSpan(0, (bytes[0] & 0xF) * 4);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], InternetChecksum.Of(header));
    }

    /// <summary>The packet with one hop fewer, as routers pass it on.</summary>
    public IpPacket Forwarded()
    {
        byte[] bytes = Bytes.AsSpan(0, Length).ToArray();
        bytes[Is4 ? 8 : 7]--;
        if (Is4)
            Seal(bytes);
        return this with { Bytes = bytes, Hops = (byte)(Hops - 1) };
    }
}
