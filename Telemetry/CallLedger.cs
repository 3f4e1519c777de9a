using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Messages;
using Vivarium.Telemetry.Records;

namespace Vivarium.Telemetry;

/// <summary>Exact counts and times of a job's calls by number. Memory is bounded by the number of different calls.</summary>
public sealed class CallLedger
{
    private readonly CallNumbers<CallTotals> _calls = new();

    public ulong Count { get; private set; }

    /// <summary>In the order in which calls were first made.</summary>
    public IReadOnlyList<CallTotals> All => _calls.All;

    /// <summary>Counts finished calls.</summary>
    public void Add(ReadOnlySpan<CallRecord> records)
    {
        CallTotals? totals = null;
        foreach (ref readonly CallRecord record in records)
        {
            if (totals is null || totals.Number != record.Number)
                totals = Of(record.Number);
            Add(totals, record);
        }
        Count += (ulong)records.Length;
    }

    private static void Add(CallTotals totals, in CallRecord record)
    {
        long duration = record.Duration;
        totals.Count++;
        totals.TotalTime += duration;
        totals.BlockedTime += record.Blocked;
        if (record.Outcome != CallOutcome.Value)
            totals.AddEnd(record);
        if (duration > totals.LongestTime)
            (totals.LongestTime, totals.LongestSequence, totals.LongestStart) = (duration, record.Sequence, record.Start);
        totals.Durations.Add(duration);
    }

    /// <summary>The ledger in order of name; Calls that do not return are not in it, as in strace's.</summary>
    public IReadOnlyList<CallUsage> ToUsage(Func<int, string> nameOf)
    {
        List<CallUsage> usage = new(All.Count);
        foreach (CallTotals entry in All)
        {
            if (entry.Count == entry.Endless)
                continue;
            usage.Add(new CallUsage
            {
                Name = nameOf(entry.Number),
                Count = entry.Count - entry.Endless,
                Errors = entry.Errors,
                TotalTime = entry.TotalTime,
                LongestTime = entry.LongestTime,
                IsUnimplemented = entry.IsUnimplemented,
            });
        }
        usage.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return usage;
    }

    private CallTotals Of(int number) => _calls.Find(number) ?? _calls.Add(number, new CallTotals(number));
}

/// <summary>All of a job's calls of one number.</summary>
public sealed class CallTotals(int number)
{
    public int Number { get; } = number;

    public ulong Count { get; internal set; }

    public ulong Errors { get; internal set; }

    /// <summary>Calls whose thread was gone before they could return: exits, and those that were cut off.</summary>
    public ulong Endless { get; internal set; }

    /// <summary>World time, nanoseconds, of which <see cref="BlockedTime"/> was spent waiting.</summary>
    public long TotalTime { get; internal set; }

    public long BlockedTime { get; internal set; }

    /// <summary>The longest call: its time, its place among the world's calls, and when it began.</summary>
    public long LongestTime { get; internal set; }

    public long LongestSequence { get; internal set; }

    public long LongestStart { get; internal set; }

    public bool IsUnimplemented { get; internal set; }

    public CallHistogram Durations { get; } = new();

    internal void AddEnd(in CallRecord record)
    {
        if (record.Outcome == CallOutcome.Error)
        {
            Errors++;
            IsUnimplemented |= record.Error == Errno.ENOSYS;
        }
        else if (record.Outcome == CallOutcome.Blocked || record.EndsThread)
        {
            Endless++;
        }
    }
}
