using System.ComponentModel;
using System.Numerics;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Telemetry.Records;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Telemetry.Views;

/// <summary>A call's durations, counted by powers of two. Times are nanoseconds.</summary>
public sealed record LatencyRow
{
    public required string Call { get; init; }

    public long Count { get; init; }

    public long Errors { get; init; }

    public long Time { get; init; }

    public long Blocked { get; init; }

    public long P50 { get; init; }

    public long P99 { get; init; }

    public long Longest { get; init; }

    [Description("How many took at least 2^(first+i) and less than 2^(first+i+1) ns.")]
    public required IReadOnlyList<long> Counts { get; init; }
}

/// <summary>How long calls took: which, how often, by powers of two.</summary>
public sealed record LatencyMap
{
    private const int Powers = 64;

    [Description("The power of the first column; it holds everything shorter as well.")]
    public required int First { get; init; }

    public required int Columns { get; init; }

    [Description("Records that had to make room: they are in count, time and the quantiles, and not in the columns.")]
    public long Lost { get; init; }

    [Description("Those that took longest first.")]
    public required IReadOnlyList<LatencyRow> Rows { get; init; }

    public static LatencyMap Of(TraceIndex index)
    {
        Dictionary<int, long[]> counts = Count(index);
        (int first, int last) = (Powers, 0);
        foreach (long[] row in counts.Values)
        {
            first = Math.Min(first, Array.FindIndex(row, static count => count > 0));
            last = Math.Max(last, Array.FindLastIndex(row, static count => count > 0));
        }
        int columns = Math.Max(0, last - first + 1);
        return new LatencyMap
        {
            First = columns == 0 ? 0 : first,
            Columns = columns,
            Lost = index.Trace.LostRecords,
            Rows = [.. index.Trace.Calls.Select(facts => Row(facts, counts.GetValueOrDefault(facts.Number), first, columns))],
        };
    }

    /// <summary>The column of a duration: the power of two that it reaches.</summary>
    public static int PowerOf(long duration) => duration <= 1 ? 0 : BitOperations.Log2((ulong)duration);

    private static Dictionary<int, long[]> Count(TraceIndex index)
    {
        Dictionary<int, long[]> counts = [];
        foreach (CallSegment segment in index.Trace.Segments)
        {
            var reader = new SegmentReader(segment);
            while (reader.Read())
            {
                ref readonly CallRecord record = ref reader.Current;
                if (!counts.TryGetValue(record.Number, out long[]? row))
                    counts.Add(record.Number, row = new long[Powers]);
                row[PowerOf(record.Duration)]++;
            }
        }
        return counts;
    }

    private static LatencyRow Row(CallFacts facts, long[]? counts, int first, int columns) => new()
    {
        Call = facts.Name,
        Count = facts.Count,
        Errors = facts.Errors,
        Time = facts.Time,
        Blocked = facts.Blocked,
        P50 = facts.P50,
        P99 = facts.P99,
        Longest = facts.Longest,
        Counts = counts is null ? new long[columns] : counts[first..(first + columns)],
    };
}
