namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>Neighbouring blocks of a file on the volume.</summary>
internal readonly record struct ExtExtent(ulong Logical, uint Count, ulong Block, bool IsUnwritten)
{
    public ulong End => Logical + Count;
}

/// <summary>ext4's map: a tree of extents. It is held here as one sorted list; what of the tree a change concerns is written anew.</summary>
internal sealed class ExtExtents(ExtRecord record) : ExtMap(record)
{
    /// <summary>The longest extent; of one that is unwritten the length has a bit less.</summary>
    private const uint MostWritten = 32768, MostUnwritten = 32767;

    private readonly List<ExtExtent> _extents = [];
    private ExtExtentTree? _tree;

    public override ulong MostBlocks => uint.MaxValue;

    private Errno Load()
    {
        if (_tree is not null)
            return Errno.None;
        var tree = new ExtExtentTree(Record);
        Errno error = tree.Read(_extents);
        if (error == Errno.None)
            _tree = tree;
        else
            _extents.Clear();
        return error;
    }

    /// <summary>The first extent that ends behind a block.</summary>
    private int IndexOf(ulong logical)
    {
        int low = 0, high = _extents.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_extents[middle].End <= logical)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    public override Errno Find(ulong logical, uint most, out ExtRun run)
    {
        run = default;
        Errno error = Load();
        if (error != Errno.None)
            return error;
        int index = IndexOf(logical);
        ulong next = index < _extents.Count ? _extents[index].Logical : ulong.MaxValue;
        if (next > logical)
        {
            run = new ExtRun(0, (uint)Math.Min(most, next - logical), false);
            return Errno.None;
        }
        ExtExtent extent = _extents[index];
        uint inside = (uint)(logical - extent.Logical);
        run = new ExtRun(extent.Block + inside, Math.Min(most, extent.Count - inside), extent.IsUnwritten);
        return Errno.None;
    }

    public override Errno NextMapped(ulong logical, out ulong next)
    {
        next = MostBlocks;
        Errno error = Load();
        if (error != Errno.None)
            return error;
        int index = IndexOf(logical);
        if (index < _extents.Count)
            next = Math.Max(logical, _extents[index].Logical);
        return Errno.None;
    }

    public override Errno Fill(ulong logical, uint most, bool isUnwritten, out ExtRun run)
    {
        run = default;
        if (logical >= MostBlocks)
            return Errno.EFBIG;
        Errno error = Load();
        if (error == Errno.None)
            error = MakeRoom(1);
        if (error != Errno.None)
            return error;
        int index = IndexOf(logical);
        ulong room = (index < _extents.Count ? _extents[index].Logical : MostBlocks) - logical;
        ulong goal = index > 0 ? _extents[index - 1].Block + (logical - _extents[index - 1].Logical) : FirstGoal;
        error = Volume.TakeBlocks(goal, (uint)Math.Min(Math.Min(most, room), MostUnwritten), out ulong first, out uint count);
        if (error != Errno.None)
            return Abandon(error);
        _extents.Insert(index, new ExtExtent(logical, count, first, isUnwritten));
        Record.AddBlocks(count);
        run = new ExtRun(first, count, isUnwritten);
        return Store(Merge(index));
    }

    public override Errno Mark(ulong logical, uint count, bool isUnwritten)
    {
        Errno error = Load();
        if (error == Errno.None)
            error = MakeRoom(3);
        if (error != Errno.None)
            return error;
        ulong end = logical + count;
        int first = IndexOf(logical), index = first;
        while (index < _extents.Count && _extents[index].Logical < end && error == Errno.None)
        {
            if (_extents[index].IsUnwritten != isUnwritten)
            {
                index = Isolate(index, logical, end);
                // The longest of written extents are too long for what is unwritten.
                if (isUnwritten && _extents[index].Count > MostUnwritten)
                    Isolate(index, logical, _extents[index].Logical + MostUnwritten);
                _extents[index] = _extents[index] with { IsUnwritten = isUnwritten };
                index = Merge(index);
                error = MakeRoom(3);
            }
            index++;
        }
        return error == Errno.None ? Store(Math.Max(0, first - 1)) : error;
    }

    public override Errno Remove(ulong logical, ulong count)
    {
        Errno error = Load();
        if (error != Errno.None)
            return error;
        ulong end = logical + Math.Min(count, MostBlocks + 1);
        int first = IndexOf(logical), index = first;
        if (index >= _extents.Count || _extents[index].Logical >= end)
            return Errno.None;
        // Only a hole within one extent makes two of it.
        if (_extents[index].Logical < logical && _extents[index].End > end && (error = MakeRoom(1)) != Errno.None)
            return error;
        index = Isolate(index, logical, end);
        int from = index;
        while (index < _extents.Count && _extents[index].Logical < end && error == Errno.None)
        {
            if (_extents[index].End > end)
                Isolate(index, logical, end);
            error = Volume.FreeBlocksAt(_extents[index].Block, _extents[index].Count);
            Record.AddBlocks(-(long)_extents[index].Count);
            index++;
        }
        _extents.RemoveRange(from, index - from);
        Errno stored = Store(Math.Max(0, first - 1));
        return error != Errno.None ? error : stored;
    }

    public override Errno Shift(ulong from, long by)
    {
        Errno error = Load();
        if (error == Errno.None)
            error = by > 0 && _extents.Count > 0 && _extents[^1].End + (ulong)by > MostBlocks ? Errno.EFBIG : MakeRoom(1);
        if (error != Errno.None)
            return error;
        int index = IndexOf(from);
        if (index < _extents.Count && _extents[index].Logical < from)
            index = Isolate(index, from, ulong.MaxValue);
        int first = Math.Max(0, index - 1);
        for (int i = index; i < _extents.Count; i++)
            _extents[i] = _extents[i] with { Logical = (ulong)((long)_extents[i].Logical + by) };
        if (index < _extents.Count)
            Merge(index);
        return Store(first);
    }

    /// <summary>Splits an extent at the ends of a range; returns the index of the part within.</summary>
    private int Isolate(int index, ulong from, ulong end)
    {
        ExtExtent extent = _extents[index];
        if (extent.Logical < from)
        {
            uint before = (uint)(from - extent.Logical);
            _extents[index] = extent with { Count = before };
            extent = extent with { Logical = from, Count = extent.Count - before, Block = extent.Block + before };
            _extents.Insert(++index, extent);
        }
        if (extent.End > end)
        {
            uint inside = (uint)(end - extent.Logical);
            _extents[index] = extent with { Count = inside };
            _extents.Insert(index + 1, extent with { Logical = end, Count = extent.Count - inside, Block = extent.Block + inside });
        }
        return index;
    }

    /// <summary>Joins an extent with those beside it where they go on; returns the index of what has become of it.</summary>
    private int Merge(int index)
    {
        if (index + 1 < _extents.Count && Joins(_extents[index], _extents[index + 1]))
        {
            _extents[index] = _extents[index] with { Count = _extents[index].Count + _extents[index + 1].Count };
            _extents.RemoveAt(index + 1);
        }
        if (index > 0 && Joins(_extents[index - 1], _extents[index]))
        {
            _extents[index - 1] = _extents[index - 1] with { Count = _extents[index - 1].Count + _extents[index].Count };
            _extents.RemoveAt(index--);
        }
        return index;
    }

    private static bool Joins(in ExtExtent left, in ExtExtent right) =>
        left.End == right.Logical && left.Block + left.Count == right.Block && left.IsUnwritten == right.IsUnwritten
        && left.Count + right.Count <= (left.IsUnwritten ? MostUnwritten : MostWritten);

    /// <summary>Takes the blocks that the tree needs with more extents.</summary>
    private Errno MakeRoom(int more)
    {
        Errno error = _tree!.MakeRoom(_extents.Count + more);
        return error == Errno.None ? error : Abandon(error);
    }

    /// <summary>Nothing came of it: the tree is as it was, without the blocks that were to be its.</summary>
    private Errno Abandon(Errno error)
    {
        Store(_extents.Count);
        return error;
    }

    private Errno Store(int firstChanged) => _tree!.Write(_extents, firstChanged);
}
