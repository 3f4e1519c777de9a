namespace Vivarium.Emulator.Memory;

/// <summary>A set of addresses as runs in order, none touching the next. What is asked is the run around an address.</summary>
internal sealed class PageRuns
{
    private readonly List<(ulong Start, ulong End)> _runs = [];

    public int Count => _runs.Count;

    public (ulong Start, ulong End) this[int index] => _runs[index];

    public PageRuns Copy()
    {
        var copy = new PageRuns();
        copy._runs.AddRange(_runs);
        return copy;
    }

    public bool Contains(ulong address)
    {
        int index = IndexBehind(address);
        return index < _runs.Count && _runs[index].Start <= address;
    }

    /// <summary>Where what is said of an address ends: its run, or the gap that it lies in.</summary>
    public ulong EndOf(ulong address)
    {
        int index = IndexBehind(address);
        return index == _runs.Count ? ulong.MaxValue : _runs[index].Start <= address ? _runs[index].End : _runs[index].Start;
    }

    public void Add(ulong start, ulong end)
    {
        if (start >= end)
            return;
        // From the first run that reaches the new one to the last that it reaches, all become one.
        int first = start == 0 ? 0 : IndexBehind(start - 1), last = first;
        for (; last < _runs.Count && _runs[last].Start <= end; last++)
            (start, end) = (Math.Min(start, _runs[last].Start), Math.Max(end, _runs[last].End));
        _runs.RemoveRange(first, last - first);
        _runs.Insert(first, (start, end));
    }

    public void Remove(ulong start, ulong end)
    {
        if (start >= end)
            return;
        int index = IndexBehind(start);
        while (index < _runs.Count && _runs[index].Start < end)
        {
            (ulong from, ulong to) = _runs[index];
            _runs.RemoveAt(index);
            if (from < start)
                _runs.Insert(index++, (from, start));
            if (to > end)
                _runs.Insert(index++, (end, to));
        }
    }

    /// <summary>What it says of a range is said of another of the same length instead.</summary>
    public void Move(ulong start, ulong end, ulong target)
    {
        List<(ulong Start, ulong End)> moved = [];
        for (ulong at = start; at < end; at = Math.Min(end, EndOf(at)))
        {
            if (Contains(at))
                moved.Add((at - start + target, Math.Min(end, EndOf(at)) - start + target));
        }
        Remove(start, end);
        Remove(target, target + (end - start));
        foreach ((ulong from, ulong to) in moved)
            Add(from, to);
    }

    /// <summary>The first run that ends behind an address.</summary>
    private int IndexBehind(ulong address)
    {
        int low = 0, high = _runs.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_runs[middle].End <= address)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }
}
