using System.Buffers.Binary;
using System.Net;

namespace Vivarium.Emulator.Kernel.Net.Devices;

/// <summary>Ethernet II frames and what maps addresses to them.</summary>
public static class EthernetFrame
{
    public const int HeaderLength = 14;
    public const int AddressLength = 6;

    public const ushort Ip4 = 0x0800;
    public const ushort Arp = 0x0806;
    public const ushort Ip6 = 0x86DD;

    public static byte[] Broadcast { get; } = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

    public static byte[] Make(ReadOnlySpan<byte> to, ReadOnlySpan<byte> from, ushort type, ReadOnlySpan<byte> payload)
    {
        byte[] frame = new byte[HeaderLength + payload.Length];
        to.CopyTo(frame);
        from.CopyTo(frame.AsSpan(AddressLength));
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2 * AddressLength), type);
        payload.CopyTo(frame.AsSpan(HeaderLength));
        return frame;
    }

    public static ushort TypeOf(ReadOnlySpan<byte> frame) => BinaryPrimitives.ReadUInt16BigEndian(frame[(2 * AddressLength)..]);

    /// <summary>The group address that carries an IP multicast group (RFC 1112, RFC 2464).</summary>
    public static byte[] GroupOf(IPAddress address)
    {
        byte[] bytes = address.GetAddressBytes();
        return bytes.Length == 4
            ? [0x01, 0x00, 0x5E, (byte)(bytes[1] & 0x7F), bytes[2], bytes[3]]
            : [0x33, 0x33, bytes[12], bytes[13], bytes[14], bytes[15]];
    }

    public static bool IsGroup(ReadOnlySpan<byte> address) => (address[0] & 1) != 0;
}
