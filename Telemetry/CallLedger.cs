using System.Numerics;
using Vivarium.Messages;

namespace Vivarium.Telemetry;

/// <summary>Exact counts and times of a job's calls by number. Memory is bounded by the number of different calls.</summary>
public sealed class CallLedger
{
    private readonly Dictionary<int, Entry> _entries = [];

    public ulong Count { get; private set; }

    /// <summary>Counts one finished call.</summary>
    /// <param name="number">The personality's number.</param>
    /// <param name="duration">World time it took, nanoseconds.</param>
    /// <param name="failed">True when it returned an error.</param>
    /// <param name="unimplemented">True when nothing implements it.</param>
    public void Add(int number, long duration, bool failed, bool unimplemented)
    {
        if (!_entries.TryGetValue(number, out Entry? entry))
            _entries.Add(number, entry = new Entry());
        Count++;
        entry.Count++;
        entry.Errors += failed ? 1UL : 0;
        entry.TotalTime += duration;
        entry.LongestTime = Math.Max(entry.LongestTime, duration);
        entry.IsUnimplemented |= unimplemented;
        entry.Histogram[BitOperations.Log2((ulong)Math.Max(1, duration))]++;
    }

    /// <summary>How many calls of a number took 2^i to 2^(i+1)-1 nanoseconds, at index i.</summary>
    public IReadOnlyList<ulong> Histogram(int number) =>
        _entries.TryGetValue(number, out Entry? entry) ? entry.Histogram : new ulong[64];

    /// <summary>The ledger in order of name; <paramref name="nameOf"/> is null for a number nobody knows.</summary>
    public IReadOnlyList<CallUsage> ToUsage(Func<int, string?> nameOf)
    {
        List<CallUsage> usage = new(_entries.Count);
        foreach ((int number, Entry entry) in _entries)
        {
            usage.Add(new CallUsage
            {
                Name = nameOf(number) ?? $"syscall_{number}",
                Count = entry.Count,
                Errors = entry.Errors,
                TotalTime = entry.TotalTime,
                LongestTime = entry.LongestTime,
                IsUnimplemented = entry.IsUnimplemented,
            });
        }
        usage.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return usage;
    }

    private sealed class Entry
    {
        public readonly ulong[] Histogram = new ulong[64];
        public ulong Count;
        public ulong Errors;
        public long TotalTime;
        public long LongestTime;
        public bool IsUnimplemented;
    }
}
