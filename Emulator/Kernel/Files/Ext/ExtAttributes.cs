using System.Buffers.Binary;
using System.Text;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>
/// Extended attributes of an inode (Documentation/filesystems/ext4/attributes.rst): in the inode behind its fields as far as there is room, else in a block, which
/// several inodes may share. A change collects all, and writes them anew.
/// </summary>
internal sealed class ExtAttributes(ExtRecord record)
{
    private const uint Magic = 0xEA020000;
    private const int BlockHeader = 32, EntryHeader = 16, InodeHeader = 4;
    private const byte AccessIndex = 2, DefaultIndex = 3;

    private static readonly (byte Index, byte[] Prefix)[] Prefixes =
        [(1, "user."u8.ToArray()), (4, "trusted."u8.ToArray()), (6, "security."u8.ToArray()), (7, "system."u8.ToArray())];

    private readonly record struct Item(byte Index, byte[] Name, byte[] Value)
    {
        public int Length => Pad(EntryHeader + Name.Length) + Pad(Value.Length);
    }

    private ExtVolume Volume => record.Volume;

    private int InodePlace => ExtRecord.OldSize + record.ExtraSize;

    /// <summary>Bytes for entries and values in the inode.</summary>
    private int InodeRoom => record.Raw.Length > ExtRecord.OldSize ? record.Raw.Length - InodePlace - InodeHeader : 0;

    private static int Pad(int length) => (length + 3) & ~3;

    public Errno Get(ReadOnlySpan<byte> name, out byte[]? value)
    {
        value = null;
        if (!Split(name, out byte index, out byte[] rest))
            return Errno.EOPNOTSUPP;
        Errno error = Read(out List<Item> items);
        foreach (Item item in items)
        {
            if (item.Index == index && item.Name.AsSpan().SequenceEqual(rest))
                value = item.Value;
        }
        return error != Errno.None ? error : value is null ? Errno.ENODATA : Errno.None;
    }

    public Errno Set(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, bool create, bool replace)
    {
        if (!Split(name, out byte index, out byte[] rest))
            return Errno.EOPNOTSUPP;
        return Set(index, rest, value.ToArray(), create, replace);
    }

    public Errno Remove(ReadOnlySpan<byte> name) =>
        Split(name, out byte index, out byte[] rest) ? Set(index, rest, null, create: false, replace: true) : Errno.EOPNOTSUPP;

    /// <summary>Names of all but access control lists, each ended by NUL.</summary>
    public Errno List(out byte[] names)
    {
        List<byte> all = [];
        Errno error = Read(out List<Item> items);
        foreach (Item item in items)
        {
            if (Array.Find(Prefixes, prefix => prefix.Index == item.Index) is not { Prefix: { } prefix })
                continue;
            all.AddRange(prefix);
            all.AddRange(item.Name);
            all.Add(0);
        }
        names = [.. all];
        return error;
    }

    private static bool Split(ReadOnlySpan<byte> name, out byte index, out byte[] rest)
    {
        foreach ((byte known, byte[] prefix) in Prefixes)
        {
            if (!name.StartsWith(prefix))
                continue;
            (index, rest) = (known, name[prefix.Length..].ToArray());
            return true;
        }
        (index, rest) = (0, []);
        return false;
    }

    private Errno Set(byte index, byte[] name, byte[]? value, bool create, bool replace)
    {
        Errno error = Read(out List<Item> items);
        if (error != Errno.None)
            return error;
        int at = items.FindIndex(item => item.Index == index && item.Name.AsSpan().SequenceEqual(name));
        if (create && at >= 0)
            return Errno.EEXIST;
        if (replace && at < 0)
            return Errno.ENODATA;
        if (at >= 0)
            items.RemoveAt(at);
        if (value is not null)
            items.Add(new Item(index, name, value));
        return Write(items);
    }

    /// <summary>Gives back the block that they are in.</summary>
    public Errno Drop() => record.AttributeBlock == 0 ? Errno.None : ReplaceBlock(null);

    private bool HasInodePart => InodeRoom > 0 && record.Get32(InodePlace) == Magic;

    private Errno Read(out List<Item> items)
    {
        items = [];
        if (HasInodePart)
        {
            ReadOnlySpan<byte> area = record.Raw.AsSpan(InodePlace + InodeHeader);
            if (!Parse(area, 0, items))
                return Volume.Corrupt($"inode #{record.Number}: corrupted in-inode xattr");
        }
        if (record.AttributeBlock == 0)
            return Errno.None;
        Errno error = ReadBlock(out ExtBlock block);
        if (error == Errno.None && !Parse(block.Data, BlockHeader, items))
            error = Volume.Corrupt($"inode #{record.Number}: corrupted xattr block {block.Number}");
        return error;
    }

    private Errno ReadBlock(out ExtBlock block)
    {
        block = null!;
        if (!Volume.IsBlock(record.AttributeBlock))
            return Volume.Corrupt($"inode #{record.Number}: bad block {record.AttributeBlock}");
        Errno error = Volume.Cache.Read(record.AttributeBlock, out block);
        if (error != Errno.None)
            return error;
        ReadOnlySpan<byte> data = block.Data;
        bool isRight = BinaryPrimitives.ReadUInt32LittleEndian(data) == Magic && BinaryPrimitives.ReadUInt32LittleEndian(data[8..]) == 1;
        if (!isRight)
            return Volume.Corrupt($"inode #{record.Number}: corrupted xattr block {block.Number}: invalid header");
        if (Volume.Super.HasChecksums && !block.IsChecked && BinaryPrimitives.ReadUInt32LittleEndian(data[16..]) != Checksum(block))
            return Volume.Corrupt($"inode #{record.Number}: corrupted xattr block {block.Number}", Errno.EBADMSG);
        block.IsChecked = true;
        return Errno.None;
    }

    /// <summary>Entries from a place on up to one of zeros; values are at offsets from the area's start. False for what cannot be.</summary>
    private static bool Parse(ReadOnlySpan<byte> area, int place, List<Item> items)
    {
        while (place + 4 <= area.Length && BinaryPrimitives.ReadUInt32LittleEndian(area[place..]) != 0)
        {
            if (place + EntryHeader > area.Length)
                return false;
            int nameLength = area[place], offset = BinaryPrimitives.ReadUInt16LittleEndian(area[(place + 2)..]);
            uint size = BinaryPrimitives.ReadUInt32LittleEndian(area[(place + 8)..]), inode = BinaryPrimitives.ReadUInt32LittleEndian(area[(place + 4)..]);
            if (place + EntryHeader + nameLength > area.Length || inode != 0 || size > area.Length || (size > 0 && offset + size > area.Length))
                return false;
            byte[] value = size == 0 ? [] : area.Slice(offset, (int)size).ToArray();
            items.Add(new Item(area[place + 1], area.Slice(place + EntryHeader, nameLength).ToArray(), value));
            place += Pad(EntryHeader + nameLength);
        }
        return true;
    }

    /// <summary>Puts as many as fit into the inode, the rest into a block: ENOSPC when that is too small, and then nothing is changed.</summary>
    private Errno Write(List<Item> items)
    {
        const int end = 4;
        List<Item> inside = [], outside = [];
        int room = InodeRoom - end;
        foreach (Item item in items)
        {
            bool fits = item.Length <= room;
            room -= fits ? item.Length : 0;
            (fits ? inside : outside).Add(item);
        }
        byte[]? block = null;
        if (outside.Count > 0)
        {
            if (outside.Sum(static item => item.Length) + BlockHeader + end > Volume.BlockSize)
                return Errno.ENOSPC;
            block = new byte[Volume.BlockSize];
            outside.Sort(static (left, right) => Compare(left, right));
            Fill(block, BlockHeader, outside);
        }
        Errno error = block is null && record.AttributeBlock == 0 ? Errno.None : ReplaceBlock(block);
        if (error != Errno.None || InodeRoom <= 0)
            return error;
        Span<byte> area = record.Raw.AsSpan(InodePlace);
        area.Clear();
        if (inside.Count == 0)
            return Errno.None;
        BinaryPrimitives.WriteUInt32LittleEndian(area, Magic);
        Fill(area[InodeHeader..], 0, inside);
        return Errno.None;
    }

    /// <summary>Blocks have their entries by index, then by length of name, then by name.</summary>
    private static int Compare(in Item left, in Item right)
    {
        int order = left.Index.CompareTo(right.Index);
        if (order == 0)
            order = left.Name.Length.CompareTo(right.Name.Length);
        return order != 0 ? order : left.Name.AsSpan().SequenceCompareTo(right.Name);
    }

    private static void Fill(Span<byte> area, int place, List<Item> items)
    {
        int values = area.Length & ~3;
        foreach (Item item in items)
        {
            values -= Pad(item.Value.Length);
            item.Value.CopyTo(area[values..]);
            area[place] = (byte)item.Name.Length;
            area[place + 1] = item.Index;
            BinaryPrimitives.WriteUInt16LittleEndian(area[(place + 2)..], (ushort)(item.Value.Length == 0 ? 0 : values));
            BinaryPrimitives.WriteUInt32LittleEndian(area[(place + 8)..], (uint)item.Value.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(area[(place + 12)..], Hash(item));
            item.Name.CopyTo(area[(place + EntryHeader)..]);
            place += Pad(EntryHeader + item.Name.Length);
        }
    }

    /// <summary>Over a name's bytes, then over its value's words.</summary>
    private static uint Hash(in Item item)
    {
        uint hash = 0;
        foreach (byte value in item.Name)
            hash = (hash << 5) ^ (hash >> 27) ^ value;
        byte[] padded = new byte[Pad(item.Value.Length)];
        item.Value.CopyTo(padded, 0);
        for (int i = 0; i < padded.Length; i += 4)
            hash = (hash << 16) ^ (hash >> 16) ^ BinaryPrimitives.ReadUInt32LittleEndian(padded.AsSpan(i));
        return hash;
    }

    /// <summary>Has other content in its block, or with null no block; one that others have, too, is left to them.</summary>
    private Errno ReplaceBlock(byte[]? data)
    {
        ulong old = record.AttributeBlock;
        bool isShared = false;
        ExtBlock block = null!;
        Errno error = old == 0 ? Errno.None : ReadBlock(out block);
        if (error != Errno.None)
            return error;
        uint references = old == 0 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(block.Data.AsSpan(4));
        isShared = references > 1;
        ulong number = old;
        if (data is not null && (old == 0 || isShared))
        {
            ulong goal = Volume.Super.FirstDataBlock + ((ulong)((record.Number - 1) / Volume.Super.InodesPerGroup) * Volume.Super.BlocksPerGroup) + 1;
            error = Volume.TakeBlocks(goal, 1, out number, out _);
            if (error != Errno.None)
                return error;
            record.AddBlocks(1);
        }
        if (isShared)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(block.Data.AsSpan(4), references - 1);
            Seal(block);
        }
        else if (data is null)
        {
            error = Volume.FreeBlocksAt(old, 1);
        }
        if (old != 0 && (data is null || isShared))
            record.AddBlocks(-1);
        record.AttributeBlock = data is null ? 0 : number;
        return error != Errno.None || data is null ? error : Write(number, data);
    }

    private Errno Write(ulong number, byte[] data)
    {
        Errno error = Volume.Cache.New(number, out ExtBlock block);
        if (error != Errno.None)
            return error;
        data.CopyTo(block.Data.AsSpan());
        BinaryPrimitives.WriteUInt32LittleEndian(block.Data, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(block.Data.AsSpan(4), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(block.Data.AsSpan(8), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(block.Data.AsSpan(12), BlockHash(block.Data));
        Volume.Super.Add(ExtCompatible.ExtendedAttributes);
        Seal(block);
        return Errno.None;
    }

    private static uint BlockHash(byte[] data)
    {
        uint hash = 0;
        for (int place = BlockHeader; BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(place)) != 0; place += Pad(EntryHeader + data[place]))
        {
            uint entry = BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(place + 12));
            // One without a hash: the block cannot be shared.
            if (entry == 0)
                return 0;
            hash = (hash << 16) ^ (hash >> 16) ^ entry;
        }
        return hash;
    }

    private void Seal(ExtBlock block)
    {
        if (Volume.Super.HasChecksums)
            BinaryPrimitives.WriteUInt32LittleEndian(block.Data.AsSpan(16), Checksum(block));
        block.IsDirty = true;
    }

    private uint Checksum(ExtBlock block)
    {
        uint crc = Crc32.Of(Crc32.Of(Volume.Super.ChecksumSeed, block.Number), block.Data.AsSpan(0, 16));
        return Crc32.Of(Crc32.Of(crc, [0, 0, 0, 0]), block.Data.AsSpan(20));
    }

    /// <summary>A list as it is kept: a version, then tag and permissions for each entry, and an id for those of users and groups.</summary>
    public AccessList? GetList(bool isDefault)
    {
        if ((record.AttributeBlock == 0 && !HasInodePart) || Read(out List<Item> items) != Errno.None)
            return null;
        byte wanted = isDefault ? DefaultIndex : AccessIndex;
        byte[]? value = items.Find(item => item.Index == wanted && item.Name.Length == 0).Value;
        if (value is null || value.Length < 4 || BinaryPrimitives.ReadUInt32LittleEndian(value) != 1)
            return null;
        List<AccessEntry> entries = [];
        for (int place = 4; place + 4 <= value.Length;)
        {
            var tag = (AccessTag)BinaryPrimitives.ReadUInt16LittleEndian(value.AsSpan(place));
            uint permissions = BinaryPrimitives.ReadUInt16LittleEndian(value.AsSpan(place + 2));
            bool isNamed = tag is AccessTag.User or AccessTag.Group;
            if (isNamed && place + 8 > value.Length)
                return null;
            entries.Add(new AccessEntry(tag, permissions, isNamed ? BinaryPrimitives.ReadUInt32LittleEndian(value.AsSpan(place + 4)) : 0));
            place += isNamed ? 8 : 4;
        }
        var list = new AccessList(entries);
        return list.IsValid ? list : null;
    }

    public Errno SetList(AccessList? list, bool isDefault)
    {
        byte index = isDefault ? DefaultIndex : AccessIndex;
        if (list is null)
            return Set(index, [], null, create: false, replace: true) is var error and not Errno.ENODATA ? error : Errno.None;
        List<byte> value = [1, 0, 0, 0];
        foreach (AccessEntry entry in list.Entries)
        {
            value.AddRange([(byte)entry.Tag, (byte)((uint)entry.Tag >> 8), (byte)entry.Permissions, 0]);
            if (entry.Tag is AccessTag.User or AccessTag.Group)
                value.AddRange(BitConverter.GetBytes(entry.Id));
        }
        return Set(index, [], [.. value], create: false, replace: false);
    }
}
