using System.Buffers.Binary;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>
/// The blocks of an extent tree. A node is a header (magic, entries, most entries, depth), then entries of twelve bytes, sorted: extents in a leaf, in others the
/// first block of the file and the node for it. The root is in the inode, with four entries. Written trees have full leaves, in the order of their blocks.
/// </summary>
internal sealed class ExtExtentTree(ExtRecord record)
{
    private const ushort Magic = 0xF30A;
    private const int Header = 12, Entry = 12, Tail = 4, RootEntries = 4, MostDepth = 5;
    private const uint MostWritten = 32768;
    private const ulong ExtentCost = 32;

    private readonly List<ulong> _blocks = [];

    // Entries of the leaves are not as they would be written.
    private bool _isForeign = true;

    private ExtVolume Volume => record.Volume;

    private int PerBlock => (Volume.BlockSize - Header) / Entry;

    /// <summary>Sets up the root of a new inode.</summary>
    public static void Start(ExtRecord record)
    {
        byte[] root = new byte[ExtRecord.MapSize];
        FillNode(root, RootEntries, 0, [], null, 0, 0);
        root.CopyTo(record.Map);
    }

    public Errno Read(List<ExtExtent> extents)
    {
        _blocks.Clear();
        ulong before = 0;
        ReadOnlySpan<byte> root = record.Map;
        int depth = BinaryPrimitives.ReadUInt16LittleEndian(root[6..]);
        if (depth > MostDepth)
            return Corrupt("unexpected eh_depth");
        return Read(root.ToArray(), RootEntries, depth, 0, 1UL << 32, extents, ref before);
    }

    /// <summary>Adds a node's extents: each behind the one before, and within what the node is for.</summary>
    private Errno Read(byte[] node, int room, int depth, ulong from, ulong end, List<ExtExtent> extents, ref ulong before)
    {
        int entries = BinaryPrimitives.ReadUInt16LittleEndian(node.AsSpan(2)), most = BinaryPrimitives.ReadUInt16LittleEndian(node.AsSpan(4));
        bool isRoot = room == RootEntries;
        if (BinaryPrimitives.ReadUInt16LittleEndian(node) != Magic || most > room || entries > most || BinaryPrimitives.ReadUInt16LittleEndian(node.AsSpan(6)) != depth || (entries == 0 && (!isRoot || depth > 0)))
            return Corrupt("invalid extent header");
        for (int i = 0; i < entries; i++)
        {
            ReadOnlySpan<byte> entry = node.AsSpan(Header + (i * Entry), Entry);
            ulong logical = BinaryPrimitives.ReadUInt32LittleEndian(entry);
            ulong next = i + 1 < entries ? BinaryPrimitives.ReadUInt32LittleEndian(node.AsSpan(Header + ((i + 1) * Entry))) : end;
            if (logical < from || next > end || next <= logical)
                return Corrupt("invalid extent entries");
            Errno error = depth == 0 ? AddExtent(entry, logical, end, extents, ref before) : ReadBelow(entry, depth, logical, next, extents, ref before);
            if (error != Errno.None)
                return error;
        }
        return Errno.None;
    }

    private Errno AddExtent(ReadOnlySpan<byte> entry, ulong logical, ulong end, List<ExtExtent> extents, ref ulong before)
    {
        uint length = BinaryPrimitives.ReadUInt16LittleEndian(entry[4..]);
        bool isUnwritten = length > MostWritten;
        length -= isUnwritten ? MostWritten : 0;
        ulong block = BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]) | ((ulong)BinaryPrimitives.ReadUInt16LittleEndian(entry[6..]) << 32);
        if (length == 0 || logical < before || logical + length > end || !Volume.IsRun(block, length))
            return Corrupt("invalid extent entries");
        before = logical + length;
        extents.Add(new ExtExtent(logical, length, block, isUnwritten));
        return Errno.None;
    }

    private Errno ReadBelow(ReadOnlySpan<byte> entry, int depth, ulong logical, ulong next, List<ExtExtent> extents, ref ulong before)
    {
        ulong number = BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]) | ((ulong)BinaryPrimitives.ReadUInt16LittleEndian(entry[8..]) << 32);
        if (!Volume.IsBlock(number))
            return Corrupt("invalid extent index");
        // What the list takes is the world's memory; it is given back when the volume is let go of.
        if (extents.Count > 4 * PerBlock && !Volume.TryHold((ulong)PerBlock * ExtentCost))
            return Errno.ENOMEM;
        Errno error = Volume.Cache.Read(number, out ExtBlock block);
        if (error != Errno.None)
            return error;
        if (!block.IsChecked && !IsSealed(block.Data))
            return Volume.Corrupt($"inode #{record.Number}: extent tree corrupted - block {number}", Errno.EBADMSG);
        block.IsChecked = true;
        _blocks.Add(number);
        return Read(block.Data, PerBlock, depth - 1, logical, next, extents, ref before);
    }

    private Errno Corrupt(string what) => Volume.Corrupt($"inode #{record.Number}: comm vivarium: {what}");

    /// <summary>Takes the blocks that a tree of so many extents needs.</summary>
    public Errno MakeRoom(int extents)
    {
        for (int needed = Needed(extents); _blocks.Count < needed;)
        {
            ulong goal = _blocks.Count > 0 ? _blocks[^1] + 1 : Volume.Super.FirstDataBlock + ((ulong)((record.Number - 1) / Volume.Super.InodesPerGroup) * Volume.Super.BlocksPerGroup) + 1;
            Errno error = Volume.TakeBlocks(goal, 1, out ulong number, out _);
            if (error == Errno.None)
                error = Volume.Cache.New(number, out _);
            if (error != Errno.None)
                return error;
            record.AddBlocks(1);
            _blocks.Add(number);
        }
        return Errno.None;
    }

    private int Needed(int entries)
    {
        int needed = 0;
        while (entries > RootEntries)
        {
            entries = (entries + PerBlock - 1) / PerBlock;
            needed += entries;
        }
        return needed;
    }

    /// <summary>Writes the tree of which the extents from one on are new; there must be room.</summary>
    public Errno Write(List<ExtExtent> extents, int firstChanged)
    {
        Errno error = Release(Needed(extents.Count));
        int from = _isForeign ? 0 : firstChanged, depth = 0, used = 0, count = extents.Count;
        _isForeign = false;
        byte[] node = new byte[Volume.BlockSize];
        (uint Logical, ulong Block)[]? below = null;
        while (count > RootEntries && error == Errno.None)
        {
            int nodes = (count + PerBlock - 1) / PerBlock;
            var made = new (uint Logical, ulong Block)[nodes];
            for (int i = 0; i < nodes && error == Errno.None; i++)
            {
                int first = i * PerBlock, here = Math.Min(PerBlock, count - first);
                made[i] = (below is null ? (uint)extents[first].Logical : below[first].Logical, _blocks[used + i]);
                if (below is null && first + here <= from)
                    continue;
                FillNode(node, PerBlock, depth, extents, below, first, here);
                error = WriteNode(_blocks[used + i], node);
            }
            (below, used, count, depth) = (made, used + nodes, nodes, depth + 1);
        }
        record.Map.Clear();
        byte[] root = new byte[ExtRecord.MapSize];
        FillNode(root, RootEntries, depth, extents, below, 0, count);
        root.CopyTo(record.Map);
        return error;
    }

    private static void FillNode(byte[] node, int room, int depth, List<ExtExtent> extents, (uint Logical, ulong Block)[]? below, int first, int count)
    {
        Array.Clear(node);
        BinaryPrimitives.WriteUInt16LittleEndian(node, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(node.AsSpan(2), (ushort)count);
        BinaryPrimitives.WriteUInt16LittleEndian(node.AsSpan(4), (ushort)room);
        BinaryPrimitives.WriteUInt16LittleEndian(node.AsSpan(6), (ushort)depth);
        for (int i = 0; i < count; i++)
        {
            Span<byte> entry = node.AsSpan(Header + (i * Entry), Entry);
            if (below is not null)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(entry, below[first + i].Logical);
                BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], (uint)below[first + i].Block);
                BinaryPrimitives.WriteUInt16LittleEndian(entry[8..], (ushort)(below[first + i].Block >> 32));
                continue;
            }
            ExtExtent extent = extents[first + i];
            BinaryPrimitives.WriteUInt32LittleEndian(entry, (uint)extent.Logical);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[4..], (ushort)(extent.Count + (extent.IsUnwritten ? MostWritten : 0)));
            BinaryPrimitives.WriteUInt16LittleEndian(entry[6..], (ushort)(extent.Block >> 32));
            BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], (uint)extent.Block);
        }
    }

    private Errno WriteNode(ulong number, byte[] node)
    {
        if (Volume.Super.HasChecksums)
            BinaryPrimitives.WriteUInt32LittleEndian(node.AsSpan(TailPlace), Checksum(node));
        Errno error = Volume.Cache.Read(number, out ExtBlock block);
        if (error != Errno.None || block.Data.AsSpan().SequenceEqual(node))
            return error;
        node.CopyTo(block.Data.AsSpan());
        block.IsDirty = block.IsChecked = true;
        return Errno.None;
    }

    /// <summary>Gives back the blocks that the tree does not need any more.</summary>
    private Errno Release(int needed)
    {
        while (_blocks.Count > needed)
        {
            Errno error = Volume.FreeBlocksAt(_blocks[^1], 1);
            if (error != Errno.None)
                return error;
            _blocks.RemoveAt(_blocks.Count - 1);
            record.AddBlocks(-1);
        }
        return Errno.None;
    }

    private int TailPlace => Header + (PerBlock * Entry);

    private bool IsSealed(byte[] node)
    {
        if (!Volume.Super.HasChecksums)
            return true;
        // The checksum is behind as many entries as the node says it has room for.
        int tail = Header + (BinaryPrimitives.ReadUInt16LittleEndian(node.AsSpan(4)) * Entry);
        return tail + Tail <= node.Length && BinaryPrimitives.ReadUInt32LittleEndian(node.AsSpan(tail)) == Crc32.Of(record.ChecksumSeed, node.AsSpan(0, tail));
    }

    private uint Checksum(byte[] node) => Crc32.Of(record.ChecksumSeed, node.AsSpan(0, TailPlace));
}
