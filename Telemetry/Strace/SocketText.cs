using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;
using ValueType = Vivarium.Emulator.Personalities.Tables.ValueType;

namespace Vivarium.Telemetry.Strace;

/// <summary>Addresses, options and messages of sockets.</summary>
internal static class SocketText
{
    private const int LongestAddress = 128;
    private const int Unix = 1;
    private const int Inet = 2;
    private const int Inet6 = 10;
    private const int Netlink = 16;
    private const int SocketLevel = 1;
    private const int Rights = 1;
    private const int Credentials = 2;

    /// <summary>struct sockaddr of <paramref name="length"/> bytes (unix(7), ip(7), ipv6(7)).</summary>
    public static StringBuilder AppendSocketAddress(this StringBuilder text, AddressSpace memory, ulong address, long length)
    {
        Span<byte> bytes = stackalloc byte[LongestAddress];
        bytes = bytes[..(int)Math.Clamp(length, 0, LongestAddress)];
        if (address == 0 || bytes.Length < 2 || !memory.TryRead(new GuestAddress(address), bytes))
            return text.AppendAddress(address);
        int family = BinaryPrimitives.ReadUInt16LittleEndian(bytes);
        text.Append("{sa_family=").AppendSet(LinuxSets.SocketFamilies, (ulong)family);
        switch (family)
        {
            case Unix:
                AppendUnix(text, bytes[2..]);
                break;
            case Inet when bytes.Length >= 8:
                text.Append(CultureInfo.InvariantCulture, $", sin_port=htons({BinaryPrimitives.ReadUInt16BigEndian(bytes[2..])})");
                text.Append(CultureInfo.InvariantCulture, $", sin_addr=inet_addr(\"{bytes[4]}.{bytes[5]}.{bytes[6]}.{bytes[7]}\")");
                break;
            case Inet6 when bytes.Length >= 28:
                AppendInet6(text, bytes);
                break;
            case Netlink when bytes.Length >= 12:
                text.Append(CultureInfo.InvariantCulture, $", nl_pid={BinaryPrimitives.ReadInt32LittleEndian(bytes[4..])}");
                text.Append(CultureInfo.InvariantCulture, $", nl_groups={BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]):x8}");
                break;
            default:
                text.Append(", sa_data=").AppendQuoted(bytes[2..]);
                break;
        }
        return text.Append('}');
    }

    /// <summary>A path, or behind a NUL a name in the abstract namespace, which is as long as the address.</summary>
    private static void AppendUnix(StringBuilder text, ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty)
            return;
        text.Append(", sun_path=");
        if (path[0] == 0)
        {
            text.Append('@').AppendQuoted(path[1..]);
            return;
        }
        int end = path.IndexOf((byte)0);
        text.AppendQuoted(end < 0 ? path : path[..end]);
    }

    private static void AppendInet6(StringBuilder text, ReadOnlySpan<byte> bytes)
    {
        text.Append(CultureInfo.InvariantCulture, $", sin6_port=htons({BinaryPrimitives.ReadUInt16BigEndian(bytes[2..])})");
        text.Append(CultureInfo.InvariantCulture, $", sin6_flowinfo=htonl({BinaryPrimitives.ReadUInt32BigEndian(bytes[4..])})");
        text.Append(", inet_pton(AF_INET6, \"").Append(Inet6Name(bytes.Slice(8, 16))).Append("\", &sin6_addr)");
        text.Append(CultureInfo.InvariantCulture, $", sin6_scope_id={BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..])}");
    }

    /// <summary>RFC 5952: the longest run of two or more zero groups becomes <c>::</c>.</summary>
    private static string Inet6Name(ReadOnlySpan<byte> address)
    {
        Span<ushort> groups = stackalloc ushort[8];
        for (int i = 0; i < 8; i++)
            groups[i] = BinaryPrimitives.ReadUInt16BigEndian(address[(i * 2)..]);
        int best = -1, length = 1;
        for (int i = 0; i < 8; i++)
        {
            int run = 0;
            while (i + run < 8 && groups[i + run] == 0)
                run++;
            if (run > length)
                (best, length) = (i, run);
        }
        var name = new StringBuilder();
        for (int i = 0; i < 8; i++)
        {
            if (i == best)
            {
                name.Append("::");
                i += length - 1;
                continue;
            }
            name.Append(name.Length == 0 || name[^1] == ':' ? "" : ":").Append(CultureInfo.InvariantCulture, $"{groups[i]:x}");
        }
        return name.ToString();
    }

    public static StringBuilder AppendProtocol(this StringBuilder text, int family, ulong protocol) =>
        family is Inet or Inet6 ? text.AppendSet(LinuxSets.InetProtocols, protocol) : text.AppendSigned((int)protocol);

    public static StringBuilder AppendOptionName(this StringBuilder text, int level, ulong option) => level switch
    {
        SocketLevel => text.AppendSet(LinuxSets.SocketOptions, option),
        0 => text.AppendSet(LinuxSets.IpOptions, option),
        6 => text.AppendSet(LinuxSets.TcpOptions, option),
        41 => text.AppendSet(LinuxSets.Ipv6Options, option),
        _ => text.AppendHex((uint)option),
    };

    /// <summary>An option's value: a structure where the option has one, else a number, else bytes.</summary>
    public static StringBuilder AppendOptionValue(this StringBuilder text, AddressSpace memory, int level, int option, ulong address, int length)
    {
        StructShape? shape = (level, option) switch
        {
            (SocketLevel, 13) => LinuxStructs.Linger,
            (SocketLevel, 17) => LinuxStructs.Ucred,
            (SocketLevel, 20 or 21) => LinuxStructs.Timeval,
            _ => null,
        };
        if (shape is not null && length >= shape.Size)
            return text.AppendPointed(memory, new ValueType(ValueKind.Struct, shape.Size, Struct: shape), address);
        if (length == 4)
            return text.AppendPointed(memory, new ValueType(ValueKind.Int, 4), address);
        return text.AppendBuffer(memory, address, (ulong)Math.Max(0, length));
    }

    /// <summary>struct msghdr; <paramref name="received"/> limits the bytes of the buffers, or is -1.</summary>
    public static StringBuilder AppendMessage(this StringBuilder text, AddressSpace memory, ulong address, long received)
    {
        Span<byte> bytes = stackalloc byte[56];
        if (address == 0 || !memory.TryRead(new GuestAddress(address), bytes))
            return text.AppendAddress(address);
        ulong name = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        int nameLength = BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]);
        ulong vectors = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]);
        ulong count = BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]);
        ulong control = BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]);
        ulong controlLength = BinaryPrimitives.ReadUInt64LittleEndian(bytes[40..]);
        text.Append("{msg_name=").AppendSocketAddress(memory, name, nameLength);
        text.Append(CultureInfo.InvariantCulture, $", msg_namelen={nameLength}, msg_iov=");
        text.AppendVectors(memory, vectors, (long)count, received).Append(CultureInfo.InvariantCulture, $", msg_iovlen={count}");
        if (controlLength != 0)
            text.Append(", msg_control=").AppendControl(memory, control, controlLength);
        text.Append(CultureInfo.InvariantCulture, $", msg_controllen={controlLength}, msg_flags=");
        return text.AppendSet(LinuxSets.MsgFlags, BinaryPrimitives.ReadUInt32LittleEndian(bytes[48..])).Append('}');
    }

    /// <summary>struct iovec with its data. <paramref name="limit"/>: bytes that were read into it, or -1 for all.</summary>
    public static StringBuilder AppendVectors(this StringBuilder text, AddressSpace memory, ulong address, long count, long limit)
    {
        if (count <= 0)
            return text.Append(address == 0 ? "NULL" : "[]");
        for (int i = 0; i < count; i++)
        {
            ulong at = address + (16UL * (ulong)i);
            if (i == StringText.Shown)
                return text.Append(", ...]");
            if (!memory.TryRead(new GuestAddress(at), out ulong start) || !memory.TryRead(new GuestAddress(at + 8), out ulong length))
                return i == 0 ? text.AppendAddress(address) : text.Append(", ... /* ").AppendAddress(at).Append(" */]");
            ulong held = limit < 0 ? length : Math.Min(length, (ulong)limit);
            text.Append(i == 0 ? "[" : ", ").Append("{iov_base=").AppendBuffer(memory, start, held);
            text.Append(CultureInfo.InvariantCulture, $", iov_len={length}}}");
            limit = limit < 0 ? limit : limit - (long)held;
        }
        return text.Append(']');
    }

    /// <summary>Control messages (cmsg(3)).</summary>
    private static StringBuilder AppendControl(this StringBuilder text, AddressSpace memory, ulong address, ulong length)
    {
        ulong offset = 0;
        text.Append('[');
        Span<byte> head = stackalloc byte[16];
        while (offset + 16 <= length && memory.TryRead(new GuestAddress(address + offset), head))
        {
            ulong size = BinaryPrimitives.ReadUInt64LittleEndian(head);
            int level = BinaryPrimitives.ReadInt32LittleEndian(head[8..]);
            int type = BinaryPrimitives.ReadInt32LittleEndian(head[12..]);
            if (size < 16 || size > length - offset)
                break;
            text.Append(offset == 0 ? "" : ", ").Append(CultureInfo.InvariantCulture, $"{{cmsg_len={size}, cmsg_level=");
            text.AppendSet(LinuxSets.SocketLevels, (ulong)level).Append(", cmsg_type=");
            AppendControlData(text, memory, (level, type), address + offset + 16, size - 16);
            text.Append('}');
            offset += (size + 7) & ~7UL;
        }
        return text.Append(']');
    }

    private static void AppendControlData(StringBuilder text, AddressSpace memory, (int Level, int Type) message, ulong address, ulong length)
    {
        switch (message)
        {
            case (SocketLevel, Rights):
                text.Append("SCM_RIGHTS, cmsg_data=").AppendArray(memory, new ValueType(ValueKind.Fd, 4), address, (long)(length / 4));
                break;
            case (SocketLevel, Credentials):
                text.Append("SCM_CREDENTIALS, cmsg_data=");
                text.AppendPointed(memory, new ValueType(ValueKind.Struct, 12, Struct: LinuxStructs.Ucred), address);
                break;
            default:
                text.AppendHex((uint)message.Type).Append(", cmsg_data=").AppendBuffer(memory, address, length, asHex: true);
                break;
        }
    }
}
