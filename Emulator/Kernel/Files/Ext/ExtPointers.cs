using System.Buffers.Binary;

namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>The map of ext2 and ext3: twelve pointers to blocks, then one each to a block of pointers, a block of such, and one more level.</summary>
internal sealed class ExtPointers(ExtRecord record) : ExtMap(record)
{
    private const int Direct = 12, Levels = 3;

    private uint PerBlock => (uint)Volume.BlockSize / 4;

    public override ulong MostBlocks
    {
        get
        {
            ulong perBlock = PerBlock, all = Direct + perBlock + (perBlock * perBlock) + (perBlock * perBlock * perBlock);
            // What i_blocks can count: 2^32 sectors, unless it has 48 bits.
            ulong counted = Volume.Super.Has(ExtReadOnlyCompatible.HugeFile) ? (1UL << 48) - 1 : uint.MaxValue / (uint)(Volume.BlockSize / 512);
            return Math.Min(Math.Min(all, counted), uint.MaxValue);
        }
    }

    /// <summary>A table of pointers: the inode's own, or a block.</summary>
    private readonly ref struct Table(Span<byte> bytes, ExtBlock? block)
    {
        private readonly Span<byte> _bytes = bytes;

        public uint this[uint index]
        {
            get => BinaryPrimitives.ReadUInt32LittleEndian(_bytes[(int)(index * 4)..]);
            set
            {
                BinaryPrimitives.WriteUInt32LittleEndian(_bytes[(int)(index * 4)..], value);
                if (block is not null)
                    block.IsDirty = true;
            }
        }

        public bool IsEmpty => !_bytes.ContainsAnyExcept((byte)0);
    }

    private Table Top => new(Record.Map, null);

    /// <summary>The slots that lead to a block, the first in the inode; returns how many there are.</summary>
    private int Path(ulong logical, Span<uint> slots)
    {
        if (logical < Direct)
        {
            slots[0] = (uint)logical;
            return 1;
        }
        logical -= Direct;
        ulong reach = PerBlock;
        for (int level = 1; level <= Levels; level++, reach *= PerBlock)
        {
            if (logical >= reach)
            {
                logical -= reach;
                continue;
            }
            slots[0] = (uint)(Direct + level - 1);
            for (int i = level; i > 0; i--)
            {
                slots[i] = (uint)(logical % PerBlock);
                logical /= PerBlock;
            }
            return level + 1;
        }
        return 0;
    }

    private Errno ReadTable(uint block, out ExtBlock table)
    {
        table = null!;
        return Volume.IsBlock(block) ? Volume.Cache.Read(block, out table) : Volume.Corrupt($"inode #{Record.Number}: invalid indirect block {block}");
    }

    public override Errno Find(ulong logical, uint most, out ExtRun run)
    {
        run = new ExtRun(0, 1, false);
        Span<uint> slots = stackalloc uint[Levels + 1];
        int depth = Path(logical, slots);
        if (depth == 0)
            return Errno.EFBIG;
        Table table = Top;
        uint length = depth == 1 ? Direct : PerBlock;
        for (int i = 0; i < depth - 1; i++)
        {
            if (table[slots[i]] == 0)
            {
                // Nothing below: the hole goes on up to what the next pointer reaches.
                ulong reach = 1, inside = 0;
                for (int j = depth - 1; j > i; j--, reach *= PerBlock)
                    inside += slots[j] * reach;
                run = new ExtRun(0, (uint)Math.Min(most, reach - inside), false);
                return Errno.None;
            }
            Errno error = ReadTable(table[slots[i]], out ExtBlock block);
            if (error != Errno.None)
                return error;
            table = new Table(block.Data, block);
        }
        uint slot = slots[depth - 1], first = table[slot], count = 1;
        while (count < most && slot + count < length && table[slot + count] == (first == 0 ? 0 : first + count))
            count++;
        run = new ExtRun(first, count, false);
        return first == 0 || Volume.IsRun(first, count) ? Errno.None : Volume.Corrupt($"inode #{Record.Number}: block {logical}: invalid block {first}");
    }

    public override Errno Fill(ulong logical, uint most, bool isUnwritten, out ExtRun run)
    {
        run = default;
        Span<uint> slots = stackalloc uint[Levels + 1];
        int depth = Path(logical, slots);
        if (depth == 0)
            return Errno.EFBIG;
        Table table = Top;
        ulong goal = FirstGoal;
        for (int i = 0; i < depth - 1; i++)
        {
            uint next = table[slots[i]];
            ExtBlock block;
            Errno failed = next == 0 ? NewTable(goal, out block) : ReadTable(next, out block);
            if (failed != Errno.None)
                return failed;
            table[slots[i]] = (uint)block.Number;
            goal = block.Number + 1;
            table = new Table(block.Data, block);
        }
        uint slot = slots[depth - 1], length = depth == 1 ? Direct : PerBlock, wanted = 1;
        while (wanted < most && slot + wanted < length && table[slot + wanted] == 0)
            wanted++;
        if (slot > 0 && table[slot - 1] != 0)
            goal = table[slot - 1] + 1UL;
        Errno error = Volume.TakeBlocks(goal, wanted, out ulong first, out uint count);
        if (error != Errno.None)
            return error;
        if (first + count > uint.MaxValue)
        {
            // Pointers have 32 bits.
            Volume.FreeBlocksAt(first, count);
            return Errno.ENOSPC;
        }
        for (uint i = 0; i < count; i++)
            table[slot + i] = (uint)(first + i);
        Record.AddBlocks(count);
        run = new ExtRun(first, count, false);
        return Errno.None;
    }

    private Errno NewTable(ulong goal, out ExtBlock table)
    {
        table = null!;
        Errno error = Volume.TakeBlocks(goal, 1, out ulong number, out _);
        if (error != Errno.None)
            return error;
        if (number <= uint.MaxValue)
            error = Volume.Cache.New(number, out table);
        else
            error = Errno.ENOSPC;
        if (error == Errno.None)
            Record.AddBlocks(1);
        else
            Volume.FreeBlocksAt(number, 1);
        return error;
    }

    public override Errno Mark(ulong logical, uint count, bool isUnwritten) => isUnwritten ? Errno.EOPNOTSUPP : Errno.None;

    public override Errno NextMapped(ulong logical, out ulong next)
    {
        for (next = logical; next < MostBlocks;)
        {
            Errno error = Find(next, uint.MaxValue, out ExtRun run);
            if (error != Errno.None || !run.IsHole)
                return error;
            next += run.Count;
        }
        next = MostBlocks;
        return Errno.None;
    }

    public override Errno Remove(ulong logical, ulong count)
    {
        ulong end = logical + Math.Min(count, MostBlocks), start = Direct, reach = PerBlock;
        Errno error = RemoveFrom(Top, 0, Direct, 0, 1, logical, end);
        for (uint level = 1; level <= Levels && error == Errno.None; level++)
        {
            error = RemoveFrom(Top, (int)(Direct + level - 1), 1, start, reach, logical, end);
            start += reach;
            reach *= PerBlock;
        }
        return error;
    }

    /// <summary>
    /// Frees what entries of a table reach within a range of the file's blocks. <paramref name="start"/> is the first that the first of these entries reaches,
    /// <paramref name="reach"/> how many each does.
    /// </summary>
    private Errno RemoveFrom(Table table, int firstEntry, uint entries, ulong start, ulong reach, ulong from, ulong end)
    {
        uint index = from > start ? (uint)Math.Min((from - start) / reach, entries) : 0;
        for (; index < entries && start + (index * reach) < end; index++)
        {
            uint slot = (uint)firstEntry + index, block = table[slot];
            if (block == 0)
                continue;
            ulong reached = start + (index * reach);
            Errno error = Errno.None;
            bool isGone = true;
            if (reach > 1)
            {
                error = ReadTable(block, out ExtBlock below);
                if (error != Errno.None)
                    return error;
                error = RemoveFrom(new Table(below.Data, below), 0, PerBlock, reached, reach / PerBlock, from, end);
                isGone = error == Errno.None && new Table(below.Data, below).IsEmpty;
            }
            if (error == Errno.None && isGone)
            {
                error = Volume.FreeBlocksAt(block, 1);
                table[slot] = 0;
                Record.AddBlocks(-1);
            }
            if (error != Errno.None)
                return error;
        }
        return Errno.None;
    }
}
