namespace Vivarium.Emulator.Memory;

/// <summary>A run of pages of one kind. Only split or trimmed after it is made, except that a stack grows down.</summary>
internal sealed class Area
{
    public ulong Start;
    public ulong End;
    public Protection Protection;
    public Protection MaxProtection;
    public bool Shared;
    public bool GrowsDown;

    /// <summary>It could be written at some time, so private pages may differ from their backing.</summary>
    public bool WasWritable;

    /// <summary>True when its bytes are counted by the accountant.</summary>
    public bool Charged;
    public bool NoReserve;

    /// <summary>Inaccessible on the host and not charged until it is touched, whatever its protection (see TryTouch).</summary>
    public bool Untouched;

    /// <summary>Left out of, or empty in, a fork's copy (madvise(2)).</summary>
    public bool DontFork;
    public bool WipeOnFork;

    /// <summary>Left out of core dumps.</summary>
    public bool DontDump;

    /// <summary>mlock(2): counted against its limit; nothing here is ever paged out.</summary>
    public bool Locked;

    /// <summary>mseal(2): it stays as it is until its address space goes.</summary>
    public bool Sealed;

    /// <summary>The personality's mark on it (mbind(2)); equal marks are one.</summary>
    public object? Mark;
    public MemoryObject? Object;

    /// <summary>Who is told of its faults, and of which.</summary>
    public IFaultMonitor? Monitor;
    public Monitored Modes;

    /// <summary>Kept while the area is there.</summary>
    public IMappingHolder? Holder;

    /// <summary>Offset of <see cref="Start"/> in the object.</summary>
    public ulong Offset;

    /// <summary>A private area's content at its last freeze, mapped in place of its backing (see Fork); offsets as <see cref="FrozenOffset"/>.</summary>
    public FrozenPages? Frozen;
    public ulong FrozenOffset;
    public string? Name;

    public ulong Length => End - Start;

    public Protection HostProtection => Untouched ? Protection.None : Protection;

    /// <summary>True when a write stays in this address space.</summary>
    public bool IsPrivate => !Shared;

    public Area Slice(ulong start, ulong end)
    {
        var part = (Area)MemberwiseClone();
        part.Start = start;
        part.End = end;
        part.Offset = Offset + (start - Start);
        part.FrozenOffset = FrozenOffset + (start - Start);
        return part;
    }

    /// <summary>True when the area behind this one is its continuation to the guest.</summary>
    public bool LooksLike(Area next) =>
        End == next.Start && Protection == next.Protection && MaxProtection == next.MaxProtection && Shared == next.Shared &&
        GrowsDown == next.GrowsDown && NoReserve == next.NoReserve && DontFork == next.DontFork && WipeOnFork == next.WipeOnFork && DontDump == next.DontDump &&
        Locked == next.Locked && Sealed == next.Sealed && Monitor == next.Monitor && Modes == next.Modes && Equals(Mark, next.Mark) && Object == next.Object && (Object is null || Offset + Length == next.Offset) && Name == next.Name;

    /// <summary>True when it is one in every way, so that both can be one area.</summary>
    public bool Continues(Area next) =>
        LooksLike(next) && !GrowsDown && Holder == next.Holder && Charged == next.Charged && Untouched == next.Untouched && WasWritable == next.WasWritable && Frozen == next.Frozen && (Frozen is null || FrozenOffset + Length == next.FrozenOffset);

    public AreaInfo Describe() => new(new(Start), new(End), Protection, Shared, Object, Object is null ? 0 : Offset, Name) { IsLeftOut = DontDump };
}

/// <summary>The areas of a space in address order.</summary>
internal sealed class AreaList
{
    private readonly List<Area> _areas = [];

    /// <summary>How many areas map each object.</summary>
    private readonly Dictionary<MemoryObject, int> _users = [];
    private readonly Dictionary<IMappingHolder, int> _holders = [];
    private readonly List<IMappingHolder> _left = [];
    private Area? _last;

    public int Count => _areas.Count;

    public Area this[int index] => _areas[index];

    public Area? Find(ulong address)
    {
        if (_last is { } last && address - last.Start < last.Length)
            return last;
        int index = IndexAtOrAfter(address);
        if (index == _areas.Count || _areas[index].Start > address)
            return null;
        return _last = _areas[index];
    }

    /// <summary>The index of the first area that ends behind <paramref name="address"/>.</summary>
    public int IndexAtOrAfter(ulong address)
    {
        int low = 0, high = _areas.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_areas[middle].End <= address)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    public void Insert(Area area)
    {
        Insert(IndexAtOrAfter(area.Start), area);
    }

    private void Insert(int index, Area area)
    {
        _last = null;
        _areas.Insert(index, area);
        if (area.Object is { } content)
            _users[content] = _users.GetValueOrDefault(content) + 1;
        if (area.Holder is { } holder)
            Hold(holder);
    }

    public void RemoveAt(int index)
    {
        _last = null;
        if (_areas[index].Object is { } content && --_users[content] == 0)
            _users.Remove(content);
        if (_areas[index].Holder is { } holder && --_holders[holder] == 0)
            _left.Add(holder);
        _areas.RemoveAt(index);
    }

    private void Hold(IMappingHolder holder)
    {
        if (!_holders.TryGetValue(holder, out int count))
            holder.Hold();
        _holders[holder] = count + 1;
    }

    /// <summary>Lets go of holders whose last area went for good: areas that are cut or moved go and come again meanwhile.</summary>
    public void Settle()
    {
        for (int i = 0; i < _left.Count; i++)
        {
            IMappingHolder holder = _left[i];
            if (_holders.TryGetValue(holder, out int count) && count == 0 && _holders.Remove(holder))
                holder.LetGo();
        }
        _left.Clear();
    }

    public int CountUsers(MemoryObject content) => _users.GetValueOrDefault(content);

    /// <summary>True while an area maps the object.</summary>
    public bool Uses(MemoryObject content) => _users.ContainsKey(content);

    /// <summary>Joins what became equal at and between two addresses.</summary>
    public void Merge(ulong start, ulong end)
    {
        int index = Math.Max(1, start == 0 ? 1 : IndexAtOrAfter(start - 1));
        while (index < _areas.Count && _areas[index].Start <= end)
        {
            if (!_areas[index - 1].Continues(_areas[index]))
            {
                index++;
                continue;
            }
            ulong last = _areas[index].End;
            RemoveAt(index);
            _areas[index - 1].End = last;
        }
    }

    public bool IsFree(ulong start, ulong end)
    {
        int index = IndexAtOrAfter(start);
        return index == _areas.Count || _areas[index].Start >= end;
    }

    /// <summary>Cuts areas so that no area crosses <paramref name="address"/>.</summary>
    public void SplitAt(ulong address)
    {
        int index = IndexAtOrAfter(address);
        if (index == _areas.Count || _areas[index].Start >= address)
            return;
        Area area = _areas[index];
        _last = null;
        Insert(index + 1, area.Slice(address, area.End));
        area.End = address;
    }

    /// <summary>The highest free place of a length below a ceiling and above a floor; null when there is none.</summary>
    public ulong? FindTopDown(ulong length, ulong floor, ulong ceiling)
    {
        ulong end = ceiling;
        for (int index = IndexAtOrAfter(ceiling - 1); ; index--)
        {
            if (index < _areas.Count && _areas[index].Start < end && _areas[index].End > end)
                end = _areas[index].Start;
            else if (index < _areas.Count && _areas[index].End <= end)
            {
                if (end - _areas[index].End >= length && end - length >= floor)
                    return end - length;
                end = Math.Min(end, _areas[index].Start);
            }
            if (index <= 0 || end < floor)
                break;
        }
        return end >= length && end - length >= floor ? end - length : null;
    }
}
