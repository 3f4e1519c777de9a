using System.Buffers.Binary;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>
/// The blocks of a directory: entries one behind the other, of which each reaches up to the next, and with checksums a last one that holds it. The nodes of a hash
/// tree look like free entries; once a name is added or removed, the directory has none any more.
/// </summary>
public sealed partial class ExtDirectory
{
    private const int Tail = 12;
    private const byte TailKind = 0xDE;

    /// <summary>The largest directory: nobody is to wait for the names of a larger one.</summary>
    private const long MostBytes = 1L << 28;

    private readonly ExtMap _map;
    private long _firstRoom;

    internal static bool IsSize(ExtVolume volume, long size) => size % volume.BlockSize == 0 && size is >= 0 and <= MostBytes;

    public override Errno NextExtent(long offset, out FileExtent extent) => _map.NextExtent(offset, out extent);

    private long Blocks => Record.Size / Volume.BlockSize;

    /// <summary>Where entries end in a block.</summary>
    private int End => Volume.BlockSize - (Volume.Super.HasChecksums ? Tail : 0);

    private byte EntryKind(FileKind kind) => Volume.Super.Has(ExtIncompatible.FileType) ? ExtEntry.KindOf(kind) : (byte)0;

    private Errno ReadBlock(long index, out ExtBlock block)
    {
        block = null!;
        Errno error = _map.Find((ulong)index, 1, out ExtRun run);
        if (error != Errno.None)
            return error;
        if (!run.IsWritten)
            return Damaged($"directory leaf block {index} not found");
        error = Volume.Cache.Read(run.Block, out block);
        if (error != Errno.None || block.IsChecked || !Volume.Super.HasChecksums || IsNode(index, block.Data))
            return error;
        block.IsChecked = IsTail(block.Data) && BinaryPrimitives.ReadUInt32LittleEndian(block.Data.AsSpan(End + 8)) == Crc32.Of(Record.ChecksumSeed, block.Data.AsSpan(0, End));
        return block.IsChecked ? Errno.None : Volume.Corrupt($"inode #{Record.Number}: Directory block failed checksum", Errno.EBADMSG);
    }

    private Errno Damaged(string what) => Volume.Corrupt($"inode #{Record.Number}: {what}");

    private bool IsTail(byte[] data)
    {
        return BinaryPrimitives.ReadUInt32LittleEndian(data.AsSpan(End)) == 0 && BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(End + 4)) == Tail && data[End + 6] == 0 && data[End + 7] == TailKind;
    }

    /// <summary>A node of a hash tree: the first block, or one with a free entry of the whole block.</summary>
    private bool IsNode(long index, byte[] data) =>
        (Record.Flags & ExtInodeFlags.Indexed) != 0
        && (index == 0 || (BinaryPrimitives.ReadUInt32LittleEndian(data) == 0 && BinaryPrimitives.ReadUInt16LittleEndian(data.AsSpan(4)) == Volume.BlockSize));

    /// <summary>Gives up a hash tree: its nodes become blocks of entries.</summary>
    private Errno DropIndex()
    {
        if ((Record.Flags & ExtInodeFlags.Indexed) == 0)
            return Errno.None;
        for (long i = 0; i < Blocks && Volume.Super.HasChecksums; i++)
        {
            Errno error = ReadBlock(i, out ExtBlock block);
            if (error != Errno.None)
                return error;
            if (!IsNode(i, block.Data))
                continue;
            // The last entry gives of what it has: ".." of the first block, the free one of others.
            int place = i == 0 ? Tail : 0;
            if (!ExtEntry.TryRead(block.Data, place, Volume.Super.Inodes, out ExtEntry last) || place + last.Length != Volume.BlockSize)
                return Damaged("bad directory index");
            ExtEntry.SetLength(block.Data, place, End - place);
            Seal(block);
        }
        Record.Flags &= ~ExtInodeFlags.Indexed;
        return Store();
    }

    private void Seal(ExtBlock block)
    {
        block.IsDirty = block.IsChecked = true;
        if (!Volume.Super.HasChecksums)
            return;
        Span<byte> tail = block.Data.AsSpan(End);
        tail.Clear();
        tail[4] = Tail;
        tail[7] = TailKind;
        BinaryPrimitives.WriteUInt32LittleEndian(tail[8..], Crc32.Of(Record.ChecksumSeed, block.Data.AsSpan(0, End)));
    }

    /// <summary>Finds the entry of a name, and the one before it in its block: ENOENT.</summary>
    private Errno FindEntry(ReadOnlySpan<byte> name, out ExtBlock block, out ExtEntry entry, out ExtEntry? before, out long index)
    {
        (block, entry, before) = (null!, default, null);
        for (index = 0; index < Blocks; index++)
        {
            Errno error = ReadBlock(index, out block);
            if (error != Errno.None)
                return error;
            before = null;
            for (int place = 0; place < End; place += entry.Length)
            {
                if (!ExtEntry.TryRead(block.Data, place, Volume.Super.Inodes, out entry))
                    return Damaged($"bad entry in directory: rec_len is wrong - offset={place}");
                if (entry.Inode != 0 && entry.NameLength == name.Length && entry.Name(block.Data).SequenceEqual(name))
                    return Errno.None;
                before = entry;
            }
        }
        return Errno.ENOENT;
    }

    /// <summary>Adds an entry where there is room, at last in a new block: ENOSPC.</summary>
    private Errno AddEntry(ReadOnlySpan<byte> name, uint inode, FileKind kind)
    {
        Errno error = DropIndex();
        if (error != Errno.None)
            return error;
        int needed = ExtEntry.Needed(name.Length);
        for (long i = _firstRoom; i < Blocks; i++)
        {
            error = ReadBlock(i, out ExtBlock block);
            if (error != Errno.None)
                return error;
            error = AddTo(block, needed, name, inode, kind, out bool isAdded, out bool isFull);
            if (error != Errno.None || isAdded)
                return error;
            if (isFull && i == _firstRoom)
                _firstRoom++;
        }
        error = AddBlock(out ExtBlock made);
        if (error != Errno.None)
            return error;
        ExtEntry.Write(made.Data, 0, inode, End, name, EntryKind(kind));
        Seal(made);
        return Errno.None;
    }

    private Errno AddTo(ExtBlock block, int needed, ReadOnlySpan<byte> name, uint inode, FileKind kind, out bool isAdded, out bool isFull)
    {
        // Whether the shortest of names has room.
        (isAdded, isFull) = (false, true);
        ExtEntry entry;
        for (int place = 0; place < End; place += entry.Length)
        {
            if (!ExtEntry.TryRead(block.Data, place, Volume.Super.Inodes, out entry) || place + entry.Length > End)
                return Damaged($"bad entry in directory: rec_len is wrong - offset={place}");
            int room = entry.Length - entry.Used;
            isFull &= room < ExtEntry.Header + 4;
            if (room < needed)
                continue;
            if (entry.Inode != 0)
                ExtEntry.SetLength(block.Data, place, entry.Used);
            ExtEntry.Write(block.Data, place + entry.Used, inode, room, name, EntryKind(kind));
            Seal(block);
            isAdded = true;
            return Errno.None;
        }
        return Errno.None;
    }

    private Errno AddBlock(out ExtBlock block)
    {
        block = null!;
        long index = Blocks;
        if (Record.Size + Volume.BlockSize > MostBytes)
            return Errno.ENOSPC;
        Errno error = _map.Fill((ulong)index, 1, isUnwritten: false, out ExtRun run);
        if (error == Errno.None)
            error = Volume.Cache.New(run.Block, out block);
        if (error != Errno.None)
            return error;
        Record.Size += Volume.BlockSize;
        ExtEntry.Write(block.Data, 0, 0, End, [], 0);
        Seal(block);
        return Errno.None;
    }

    private Errno RemoveEntry(ReadOnlySpan<byte> name)
    {
        Errno error = DropIndex();
        if (error != Errno.None)
            return error;
        error = FindEntry(name, out ExtBlock block, out ExtEntry entry, out ExtEntry? before, out long index);
        if (error != Errno.None)
            return error;
        if (before is { } left)
            ExtEntry.SetLength(block.Data, left.Place, left.Length + entry.Length);
        else
            ExtEntry.SetInode(block.Data, entry.Place, 0, 0);
        Seal(block);
        _firstRoom = Math.Min(_firstRoom, index);
        return Errno.None;
    }

    /// <summary>A name stands for another inode.</summary>
    private Errno ChangeEntry(ReadOnlySpan<byte> name, uint inode, FileKind kind)
    {
        Errno error = FindEntry(name, out ExtBlock block, out ExtEntry entry, out _, out long index);
        if (error != Errno.None)
            return error;
        ExtEntry.SetInode(block.Data, entry.Place, inode, EntryKind(kind));
        if (IsNode(index, block.Data))
        {
            // The first block of a hash tree has a checksum of another kind.
            if ((error = DropIndex()) != Errno.None)
                return error;
        }
        Seal(block);
        return Errno.None;
    }

    /// <summary>Sets up a new directory with its first two entries.</summary>
    internal Errno Start(uint parent)
    {
        Errno error = AddBlock(out ExtBlock block);
        if (error != Errno.None)
            return error;
        byte kind = EntryKind(FileKind.Directory);
        ExtEntry.Write(block.Data, 0, Record.Number, 12, "."u8, kind);
        ExtEntry.Write(block.Data, 12, parent, End - 12, ".."u8, kind);
        Seal(block);
        return Errno.None;
    }
}
