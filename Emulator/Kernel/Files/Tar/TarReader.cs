using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Tar;

/// <summary>One member of an archive. Times are nanoseconds since the epoch.</summary>
internal readonly record struct TarEntry(
    byte[] Name, FileKind Kind, bool IsHardLink, uint Mode, uint User, uint Group, long Size, long ModifyTime, byte[] LinkName, ulong Device,
    long Offset, Dictionary<string, byte[]>? Attributes);

/// <summary>
/// Reads the headers of a tar archive: ustar (POSIX.1-1988), pax (POSIX.1-2001: path, linkpath, size, mtime, uid, gid, SCHILY.xattr) and
/// GNU's long names and base-256 numbers (tar(5) of libarchive describes all of them).
/// </summary>
internal sealed class TarReader(MemoryObject archive)
{
    private const int Block = 512;
    private const int MaxExtension = 1 << 20;
    private const string AttributePrefix = "SCHILY.xattr.";

    private readonly byte[] _header = new byte[Block];
    private readonly Dictionary<string, byte[]> _global = new(StringComparer.Ordinal);
    private long _position;
    private bool _sawEntry;

    /// <summary>What is wrong with the archive, after <see cref="Next"/> returned false; null at its proper end.</summary>
    public string? Problem { get; private set; }

    public bool Next(out TarEntry entry)
    {
        entry = default;
        Dictionary<string, byte[]> extended = new(_global, StringComparer.Ordinal);
        while (true)
        {
            int length = archive.Read(_position, _header);
            if (length == 0 && _sawEntry)
                return false;
            if (length < Block)
                return Fail(_sawEntry ? "the archive ends within a header" : "the file is no tar archive");
            if (!_header.AsSpan().ContainsAnyExcept((byte)0))
                return false;
            if (!ChecksumFits())
                return Fail(_sawEntry ? $"the header at byte {_position} is damaged" : "the file is no tar archive");
            _sawEntry = true;
            char type = (char)_header[156];
            if (!TryNumber(124, 12, out long size) || size < 0 || size > archive.Length - _position)
                return Fail($"the size in the header at byte {_position} leads past the archive's end");
            long data = _position + Block;
            switch (type)
            {
                case 'x' or 'g':
                    if (!ReadRecords(data, size, type == 'g' ? _global : extended))
                        return Fail($"the extended header at byte {_position} is damaged");
                    foreach ((string key, byte[] value) in type == 'g' ? _global : [])
                        extended.TryAdd(key, value);
                    break;
                case 'L' or 'K':
                    if (size > MaxExtension)
                        return Fail($"the long name at byte {_position} is too long");
                    extended[type == 'L' ? "path" : "linkpath"] = CutAtNul(ReadBytes(data, size));
                    break;
                default:
                    return Finish(type, size, data, extended, out entry);
            }
            _position = data + RoundUp(size);
        }
    }

    private bool Finish(char type, long size, long data, Dictionary<string, byte[]> extended, out TarEntry entry)
    {
        entry = default;
        if (extended.TryGetValue("size", out byte[]? text) && !long.TryParse(Encoding.ASCII.GetString(text), NumberStyles.None, CultureInfo.InvariantCulture, out size))
            return Fail($"the size in the extended header before byte {_position} is no number");
        FileKind kind = KindOf(type);
        if (kind == FileKind.Unknown)
            return Fail($"entry at byte {_position} is of type '{type}', which is not supported");
        bool hasData = type is '0' or '\0' or '7';
        if (hasData && size > archive.Length - data)
            return Fail($"the archive ends within the entry at byte {_position}");
        if (!TryNumber(100, 8, out long mode) || !TryNumber(108, 8, out long user) || !TryNumber(116, 8, out long group) || !TryNumber(136, 12, out long time))
            return Fail($"the header at byte {_position} is damaged");
        _ = TryNumber(329, 8, out long major);
        _ = TryNumber(337, 8, out long minor);
        byte[] name = extended.GetValueOrDefault("path") ?? HeaderName();
        // Old archives mark directories by a slash only.
        if (kind == FileKind.Regular && type != '1' && name.Length != 0 && name[^1] == (byte)'/')
            kind = FileKind.Directory;
        entry = new TarEntry(
            name, kind, type == '1', (uint)mode, (uint)Number(extended, "uid", user), (uint)Number(extended, "gid", group), hasData ? size : 0,
            Time(extended, time), extended.GetValueOrDefault("linkpath") ?? Field(157, 100), DeviceNumber.Make((uint)major, (uint)minor), data, AttributesOf(extended));
        _position = data + (hasData ? RoundUp(size) : 0);
        return true;
    }

    private static FileKind KindOf(char type) => type switch
    {
        '0' or '\0' or '7' or '1' => FileKind.Regular,
        '2' => FileKind.SymbolicLink,
        '3' => FileKind.CharacterDevice,
        '4' => FileKind.BlockDevice,
        '5' => FileKind.Directory,
        '6' => FileKind.Fifo,
        _ => FileKind.Unknown,
    };

    private bool Fail(string problem)
    {
        Problem = problem;
        return false;
    }

    private static long RoundUp(long size) => (size + Block - 1) / Block * Block;

    private byte[] ReadBytes(long offset, long size)
    {
        byte[] bytes = new byte[(int)size];
        archive.Read(offset, bytes);
        return bytes;
    }

    private static byte[] CutAtNul(byte[] bytes)
    {
        int end = Array.IndexOf(bytes, (byte)0);
        return end < 0 ? bytes : bytes[..end];
    }

    private byte[] Field(int offset, int length) => CutAtNul(_header[offset..(offset + length)]);

    private byte[] HeaderName()
    {
        byte[] name = Field(0, 100);
        // GNU headers ("ustar  ") use the prefix field for other things.
        if (!_header.AsSpan(257, 6).SequenceEqual("ustar\0"u8))
            return name;
        byte[] prefix = Field(345, 155);
        return prefix.Length == 0 ? name : [.. prefix, (byte)'/', .. name];
    }

    /// <summary>The sum of all bytes with the checksum field as blanks; some writers summed signed bytes.</summary>
    private bool ChecksumFits()
    {
        if (!TryNumber(148, 8, out long expected))
            return false;
        long unsigned = 0;
        long signed = 0;
        for (int i = 0; i < Block; i++)
        {
            byte value = i is >= 148 and < 156 ? (byte)' ' : _header[i];
            unsigned += value;
            signed += (sbyte)value;
        }
        return expected == unsigned || expected == signed;
    }

    /// <summary>An octal number ended by blank or NUL, or a big-endian one after a byte with the top bit set.</summary>
    private bool TryNumber(int offset, int length, out long value)
    {
        ReadOnlySpan<byte> field = _header.AsSpan(offset, length);
        value = 0;
        if ((field[0] & 0x80) != 0)
        {
            value = BinaryPrimitives.ReadInt64BigEndian(field[^8..]);
            return true;
        }
        field = field.TrimStart((byte)' ');
        foreach (byte digit in field)
        {
            if (digit is 0 or (byte)' ')
                break;
            if (digit is < (byte)'0' or > (byte)'7')
                return false;
            value = (value << 3) | (uint)(digit - '0');
        }
        return true;
    }

    /// <summary>Records of a pax header: "length key=value\n".</summary>
    private bool ReadRecords(long offset, long size, Dictionary<string, byte[]> into)
    {
        if (size > MaxExtension)
            return false;
        ReadOnlySpan<byte> rest = ReadBytes(offset, size);
        while (!rest.IsEmpty)
        {
            int blank = rest.IndexOf((byte)' ');
            if (blank < 1 || !System.Buffers.Text.Utf8Parser.TryParse(rest[..blank], out int length, out int used) || used != blank
                || length <= blank + 1 || length > rest.Length || rest[length - 1] != (byte)'\n')
            {
                return false;
            }
            ReadOnlySpan<byte> record = rest[(blank + 1)..(length - 1)];
            int equals = record.IndexOf((byte)'=');
            if (equals < 1)
                return false;
            into[Encoding.UTF8.GetString(record[..equals])] = record[(equals + 1)..].ToArray();
            rest = rest[length..];
        }
        return true;
    }

    private static long Number(Dictionary<string, byte[]> extended, string key, long otherwise) =>
        extended.TryGetValue(key, out byte[]? text) && long.TryParse(Encoding.ASCII.GetString(text), NumberStyles.None, CultureInfo.InvariantCulture, out long value)
            ? value
            : otherwise;

    private static long Time(Dictionary<string, byte[]> extended, long seconds)
    {
        const decimal NanosecondsPerSecond = 1_000_000_000m;
        decimal time = extended.TryGetValue("mtime", out byte[]? text)
            && decimal.TryParse(Encoding.ASCII.GetString(text), NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out decimal exact)
                ? exact
                : seconds;
        return (long)decimal.Floor(Math.Clamp(time * NanosecondsPerSecond, long.MinValue, long.MaxValue));
    }

    private static Dictionary<string, byte[]>? AttributesOf(Dictionary<string, byte[]> extended)
    {
        Dictionary<string, byte[]>? attributes = null;
        foreach ((string key, byte[] value) in extended)
        {
            if (key.StartsWith(AttributePrefix, StringComparison.Ordinal))
                (attributes ??= new(StringComparer.Ordinal))[key[AttributePrefix.Length..]] = value;
        }
        return attributes;
    }
}
