using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Vivarium.Emulator.Personalities.Linux.Netlink;

/// <summary>Writes netlink messages: headers, fixed parts and attributes, each padded to four bytes (netlink(7), NLMSG_ALIGN).</summary>
internal sealed class NetlinkWriter
{
    public const int HeaderSize = 16;
    private const int AttributeHeader = 4;

    private readonly ArrayBufferWriter<byte> _buffer = new(1024);
    private byte[]? _ended;

    public int Length => _buffer.WrittenCount;

    /// <summary>Begins a message; its length is written by <see cref="ToArray"/>.</summary>
    public NetlinkWriter(ushort type, ushort flags, uint sequence, uint port)
    {
        Put(0u);
        Put(type);
        Put(flags);
        Put(sequence);
        Put(port);
    }

    public NetlinkWriter Put<T>(T value)
        where T : unmanaged => Put(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    public NetlinkWriter Put(ReadOnlySpan<byte> bytes)
    {
        _buffer.Write(bytes);
        return this;
    }

    private void Pad()
    {
        ReadOnlySpan<byte> none = [0, 0, 0];
        _buffer.Write(none[..((4 - (_buffer.WrittenCount % 4)) % 4)]);
    }

    public NetlinkWriter Attribute(ushort type, ReadOnlySpan<byte> value)
    {
        Pad();
        Put((ushort)(AttributeHeader + value.Length));
        Put(type);
        Put(value);
        Pad();
        return this;
    }

    public NetlinkWriter Attribute<T>(ushort type, T value)
        where T : unmanaged => Attribute(type, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    public NetlinkWriter Attribute(ushort type, string text) => Attribute(type, [.. Encoding.UTF8.GetBytes(text), 0]);

    /// <summary>Writes attributes inside of another.</summary>
    public NetlinkWriter Nested(ushort type, Action<NetlinkWriter> write)
    {
        Pad();
        NetlinkWriter inner = new(0, 0, 0, 0);
        write(inner);
        return Attribute(type, inner._buffer.WrittenSpan[HeaderSize..]);
    }

    public byte[] ToArray()
    {
        if (_ended is not null)
            return _ended;
        byte[] bytes = _buffer.WrittenSpan.ToArray();
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)bytes.Length);
        return _ended = bytes;
    }
}

/// <summary>A request: its header and what follows.</summary>
internal readonly ref struct NetlinkRequest(ushort type, ushort flags, uint sequence, uint port, ReadOnlySpan<byte> body)
{
    public const ushort Wanted = 0x1, Multi = 0x2, WantsAck = 0x4, Dump = 0x300, Replace = 0x100, Exclusive = 0x200, Create = 0x400, Append = 0x800;

    public ushort Type { get; } = type;

    public ushort Flags { get; } = flags;

    public uint Sequence { get; } = sequence;

    /// <summary>Who asked.</summary>
    public uint Port { get; } = port;

    public ReadOnlySpan<byte> Body { get; } = body;

    public bool IsDump => (Flags & Dump) == Dump;

    public bool Has(ushort flag) => (Flags & flag) != 0;

    /// <summary>Begins a message that answers this request.</summary>
    public NetlinkWriter Answer(ushort type, bool isPart = false) => new(type, isPart ? Multi : (ushort)0, Sequence, Port);

    /// <summary>The attributes behind a fixed part of some length.</summary>
    public NetlinkAttributes Attributes(int after) => new(Body.Length > after ? Body[after..] : default);
}

/// <summary>Finds attributes by type; of several the last counts, as in nla_parse.</summary>
internal readonly ref struct NetlinkAttributes(ReadOnlySpan<byte> bytes)
{
    private const ushort TypeMask = 0x3FFF;

    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public bool TryFind(ushort type, out ReadOnlySpan<byte> value)
    {
        value = default;
        bool found = false;
        ReadOnlySpan<byte> rest = _bytes;
        while (rest.Length >= 4)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(rest);
            if (length < 4 || length > rest.Length)
                break;
            if ((BinaryPrimitives.ReadUInt16LittleEndian(rest[2..]) & TypeMask) == type)
            {
                value = rest[4..length];
                found = true;
            }
            rest = rest[Math.Min(rest.Length, (length + 3) & ~3)..];
        }
        return found;
    }

    public bool Has(ushort type) => TryFind(type, out _);

    public T? Value<T>(ushort type)
        where T : unmanaged => TryFind(type, out ReadOnlySpan<byte> bytes) && bytes.Length >= Marshal.SizeOf<T>() ? MemoryMarshal.Read<T>(bytes) : null;

    public string? Text(ushort type)
    {
        if (!TryFind(type, out ReadOnlySpan<byte> bytes))
            return null;
        int end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }

    public System.Net.IPAddress? Address(ushort type) =>
        TryFind(type, out ReadOnlySpan<byte> bytes) && bytes.Length is 4 or 16 ? new System.Net.IPAddress(bytes) : null;

    public NetlinkAttributes Nested(ushort type) => new(TryFind(type, out ReadOnlySpan<byte> bytes) ? bytes : default);
}
