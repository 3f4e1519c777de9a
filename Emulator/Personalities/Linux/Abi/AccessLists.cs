using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>Access control lists as extended attributes: a version, then entries of a tag, permissions and an id (include/uapi/linux/posix_acl_xattr.h).</summary>
internal static class AccessLists
{
    public const string Access = "system.posix_acl_access", Default = "system.posix_acl_default";

    private const int HeaderSize = 4, EntrySize = 8;
    private const uint Version = 2;
    private const uint NoId = uint.MaxValue;

    /// <summary>EINVAL for another size, EOPNOTSUPP for another version. No entries are no list.</summary>
    public static Errno Decode(ReadOnlySpan<byte> value, out AccessList? list)
    {
        list = null;
        if (value.IsEmpty)
            return Errno.None;
        if (value.Length < HeaderSize)
            return Errno.EINVAL;
        if (BinaryPrimitives.ReadUInt32LittleEndian(value) != Version)
            return Errno.EOPNOTSUPP;
        if ((value.Length - HeaderSize) % EntrySize != 0)
            return Errno.EINVAL;
        List<AccessEntry> entries = [];
        for (ReadOnlySpan<byte> rest = value[HeaderSize..]; !rest.IsEmpty; rest = rest[EntrySize..])
        {
            var tag = (AccessTag)BinaryPrimitives.ReadUInt16LittleEndian(rest);
            if (!Enum.IsDefined(tag))
                return Errno.EINVAL;
            uint id = tag is AccessTag.User or AccessTag.Group ? BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]) : NoId;
            entries.Add(new AccessEntry(tag, BinaryPrimitives.ReadUInt16LittleEndian(rest[2..]), id));
        }
        list = entries.Count == 0 ? null : new AccessList(entries);
        return Errno.None;
    }

    public static byte[] Encode(AccessList list)
    {
        byte[] value = new byte[HeaderSize + (EntrySize * list.Entries.Count)];
        BinaryPrimitives.WriteUInt32LittleEndian(value, Version);
        Span<byte> rest = value.AsSpan(HeaderSize);
        foreach (AccessEntry entry in list.Entries)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(rest, (ushort)entry.Tag);
            BinaryPrimitives.WriteUInt16LittleEndian(rest[2..], (ushort)entry.Permissions);
            BinaryPrimitives.WriteUInt32LittleEndian(rest[4..], entry.Id);
            rest = rest[EntrySize..];
        }
        return value;
    }
}
