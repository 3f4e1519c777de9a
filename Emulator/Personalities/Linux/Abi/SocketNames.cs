using System.Buffers.Binary;
using IPAddress = System.Net.IPAddress;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>struct sockaddr_un, sockaddr_in and sockaddr_in6.</summary>
internal static class SocketNames
{
    public const ushort Unspecified = 0;
    public const ushort Unix = 1;
    public const ushort Internet4 = 2;
    public const ushort Internet6 = 10;
    public const ushort Netlink = 16;
    public const ushort Packet = 17;

    /// <summary>struct sockaddr_storage.</summary>
    private const int Largest = 128;
    private const int LargestPath = 108;
    private const int Size4 = 16;
    private const int Size6 = 28;
    private const int NetlinkSize = 12;
    private const int PacketSize = 20;

    public static int FamilyOf(SocketFamily family) => family switch
    {
        SocketFamily.Unix => Unix,
        SocketFamily.Internet4 => Internet4,
        SocketFamily.Internet6 => Internet6,
        SocketFamily.Netlink => Netlink,
        _ => Packet,
    };

    /// <summary>Reads an address for a socket of a family; <paramref name="address"/> is null for AF_UNSPEC.</summary>
    public static Errno Read(CallContext call, SocketFamily family, GuestAddress at, int length, out SocketAddress? address)
    {
        address = null;
        if (length is < 0 or > Largest)
            return Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[length];
        if (!call.Memory.TryRead(at, bytes))
            return Errno.EFAULT;
        if (length < 2)
            return Errno.EINVAL;
        call.Process.Personality.ReadAddressHead(bytes);
        ushort given = BinaryPrimitives.ReadUInt16LittleEndian(bytes);
        if (given == Unspecified && family is SocketFamily.Internet4 or SocketFamily.Internet6)
            return Errno.None;
        return family switch
        {
            SocketFamily.Netlink => ReadNetlink(given, bytes, out address),
            SocketFamily.Packet => ReadPacket(given, bytes, out address),
            SocketFamily.Routing => Errno.EINVAL,
            SocketFamily.Unix => ReadUnix(given, bytes, out address),
            SocketFamily.Internet4 => ReadInternet4(given, bytes, out address),
            _ => ReadInternet6(given, bytes, out address),
        };
    }

    private static Errno ReadUnix(ushort given, ReadOnlySpan<byte> bytes, out SocketAddress? address)
    {
        address = null;
        if (given == Unspecified)
            return Errno.None;
        if (given != Unix || bytes.Length > LargestPath + 2)
            return Errno.EINVAL;
        ReadOnlySpan<byte> name = bytes[2..];
        if (name.Length > 0 && name[0] == 0)
            address = new UnixAbstract(Encoding.Latin1.GetString(name[1..]));
        else
            address = new UnixPath(name[..(name.IndexOf((byte)0) is >= 0 and int end ? end : name.Length)].ToArray());
        return Errno.None;
    }

    private static Errno ReadNetlink(ushort given, ReadOnlySpan<byte> bytes, out SocketAddress? address)
    {
        address = null;
        if (bytes.Length < NetlinkSize || given != Netlink)
            return Errno.EINVAL;
        address = new NetlinkAddress(BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]), BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]));
        return Errno.None;
    }

    private static Errno ReadPacket(ushort given, ReadOnlySpan<byte> bytes, out SocketAddress? address)
    {
        address = null;
        if (bytes.Length < PacketSize || given != Packet)
            return Errno.EINVAL;
        int length = Math.Min((int)bytes[11], 8);
        address = new LinkAddress(BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]), BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]), bytes.Slice(12, length).ToArray());
        return Errno.None;
    }

    private static Errno ReadInternet4(ushort given, ReadOnlySpan<byte> bytes, out SocketAddress? address)
    {
        address = null;
        if (bytes.Length < Size4)
            return Errno.EINVAL;
        if (given != Internet4)
            return Errno.EAFNOSUPPORT;
        address = new InternetAddress(new IPAddress(bytes.Slice(4, 4)), BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]));
        return Errno.None;
    }

    private static Errno ReadInternet6(ushort given, ReadOnlySpan<byte> bytes, out SocketAddress? address)
    {
        address = null;
        const int withoutScope = 24;
        if (bytes.Length < withoutScope)
            return Errno.EINVAL;
        if (given != Internet6)
            return Errno.EAFNOSUPPORT;
        var host = new IPAddress(bytes.Slice(8, 16));
        if (bytes.Length >= Size6 && host.IsIPv6LinkLocal)
            host.ScopeId = BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]);
        address = new InternetAddress(host.IsIPv4MappedToIPv6 ? host.MapToIPv4() : host, BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]));
        return Errno.None;
    }

    /// <summary>Writes an address and its whole length, cutting what does not fit (getsockname(2)).</summary>
    public static Errno Write(CallContext call, SocketFamily family, SocketAddress? address, GuestAddress at, GuestAddress lengthAt)
    {
        if (!call.Memory.TryRead(lengthAt, out int room))
            return Errno.EFAULT;
        if (room < 0)
            return Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[Largest];
        int length = Encode(family, address, bytes);
        call.Process.Personality.WriteAddressHead(bytes[..length]);
        bool written = call.Memory.TryWrite(at, bytes[..Math.Min(room, length)]) && call.Memory.TryWrite(lengthAt, length);
        return written ? Errno.None : Errno.EFAULT;
    }

    /// <summary>Tells that there is no address.</summary>
    public static Errno WriteNone(CallContext call, GuestAddress lengthAt)
    {
        if (!call.Memory.TryRead(lengthAt, out int room))
            return Errno.EFAULT;
        if (room < 0)
            return Errno.EINVAL;
        return call.Memory.TryWrite(lengthAt, 0) ? Errno.None : Errno.EFAULT;
    }

    /// <summary>The bytes of an address; returns their number.</summary>
    public static int Encode(SocketFamily family, SocketAddress? address, Span<byte> bytes)
    {
        bytes.Clear();
        switch (family)
        {
            case SocketFamily.Unix:
                BinaryPrimitives.WriteUInt16LittleEndian(bytes, Unix);
                return EncodeUnix(address, bytes);
            case SocketFamily.Netlink:
                BinaryPrimitives.WriteUInt16LittleEndian(bytes, Netlink);
                var netlink = address as NetlinkAddress;
                BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], netlink?.Port ?? 0);
                BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], netlink?.Groups ?? 0);
                return NetlinkSize;
            case SocketFamily.Packet:
                return EncodePacket(address as LinkAddress, bytes);
            case SocketFamily.Routing:
                bytes[0] = (address as RoutingAddress)?.Family ?? 0;
                return sizeof(ushort);
            case SocketFamily.Internet4:
                BinaryPrimitives.WriteUInt16LittleEndian(bytes, Internet4);
                if (address is InternetAddress four)
                {
                    BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], (ushort)four.Port);
                    four.Address.TryWriteBytes(bytes[4..], out _);
                }
                return Size4;
            default:
                BinaryPrimitives.WriteUInt16LittleEndian(bytes, Internet6);
                if (address is InternetAddress six)
                {
                    BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], (ushort)six.Port);
                    six.Address.MapToIPv6().TryWriteBytes(bytes[8..], out _);
                    if (six.Address.IsIPv6LinkLocal)
                        BinaryPrimitives.WriteUInt32LittleEndian(bytes[24..], (uint)six.Address.ScopeId);
                }
                return Size6;
        }
    }

    private static int EncodePacket(LinkAddress? address, Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, Packet);
        if (address is null)
            return PacketSize;
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], address.Protocol);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[4..], address.Device);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[8..], address.HardwareType);
        bytes[10] = address.PacketType;
        bytes[11] = (byte)address.Hardware.Length;
        address.Hardware.CopyTo(bytes[12..]);
        return PacketSize;
    }

    private static int EncodeUnix(SocketAddress? address, Span<byte> bytes)
    {
        switch (address)
        {
            case UnixAbstract name:
                return 3 + Encoding.Latin1.GetBytes(name.Name, bytes[3..]);
            case UnixPath { Path.Length: > 0 } path:
                path.Path.CopyTo(bytes[2..]);
                return 2 + path.Path.Length + 1;
            default:
                return 2;
        }
    }
}
