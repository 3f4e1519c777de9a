using System.Numerics;

namespace Vivarium.Emulator.Kernel.Files.Tmpfs;

/// <summary>Pages of a file, by number.</summary>
internal sealed class PageSet
{
    private readonly Dictionary<long, ulong> _words = [];

    public ulong Count { get; private set; }

    public bool Contains(long page) => _words.TryGetValue(page >> 6, out ulong word) && ((word >> (int)(page & 63)) & 1) != 0;

    public void Add(long page)
    {
        ulong word = _words.GetValueOrDefault(page >> 6), bit = 1UL << (int)(page & 63);
        Count += (word & bit) == 0 ? 1u : 0;
        _words[page >> 6] = word | bit;
    }

    /// <summary>Takes out all pages from one up to another; returns how many there were.</summary>
    public ulong Remove(long first, long end)
    {
        ulong before = Count;
        foreach ((long place, ulong word) in _words.ToArray())
        {
            long start = place << 6;
            if (start >= end || start + 64 <= first)
                continue;
            ulong mask = ulong.MaxValue;
            if (first > start)
                mask &= ulong.MaxValue << (int)(first - start);
            if (end < start + 64)
                mask &= ~(ulong.MaxValue << (int)(end - start));
            Count -= (ulong)BitOperations.PopCount(word & mask);
            if ((word & ~mask) == 0)
                _words.Remove(place);
            else
                _words[place] = word & ~mask;
        }
        return before - Count;
    }
}
