using System.ComponentModel;
using System.Text;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Telemetry.Records;
using Vivarium.Telemetry.Strace;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Telemetry.Views;

/// <summary>One call, for people. Times are nanoseconds, the beginning since the program's first instruction.</summary>
public sealed record CallView
{
    [Description("Its place among all calls of the job, in the order in which they ended.")]
    public required long Index { get; init; }

    public required long Start { get; init; }

    public required long Duration { get; init; }

    [Description("How much of that it waited.")]
    public long Blocked { get; init; }

    public required int Process { get; init; }

    public required int Thread { get; init; }

    public required string Name { get; init; }

    [Description("As strace writes it.")]
    public required string Text { get; init; }

    [Description("The errno's name, when it failed.")]
    public string? Error { get; init; }

    [Description("The file or peer it is about.")]
    public string? File { get; init; }

    [Description("What it waited for.")]
    public string? WaitedFor { get; init; }

    [Description("The call that ended its wait.")]
    public CallView? WokenBy { get; init; }
}

/// <summary>Some of a trace's calls.</summary>
public sealed record CallPage
{
    public required IReadOnlyList<CallView> Calls { get; init; }

    [Description("What to pass as \"after\" for the next page; absent on the last.")]
    public long? Next { get; init; }
}

/// <summary>Which calls are looked for; what is null does not matter. Times are nanoseconds.</summary>
public sealed record CallSearch
{
    public long From { get; init; } = long.MinValue;

    public long To { get; init; } = long.MaxValue;

    /// <summary>Places among all calls, both included.</summary>
    public long First { get; init; }

    public long Last { get; init; } = long.MaxValue;

    public int? Process { get; init; }

    public int? Thread { get; init; }

    public string? Call { get; init; }

    public bool OnlyErrors { get; init; }

    public long AtLeast { get; init; }

    public long Below { get; init; } = long.MaxValue;

    /// <summary>Those that took longest, instead of those that ended first.</summary>
    public bool Slowest { get; init; }

    public int Limit { get; init; } = 100;

    public CallPage Run(TraceIndex index)
    {
        var found = new List<(CallRecord Record, long Index)>();
        var slowest = new PriorityQueue<(CallRecord Record, long Index), (long, long)>();
        long? next = null;
        foreach (CallSegment segment in index.Between(From, To))
        {
            if (segment.FirstIndex > Last || segment.FirstIndex + segment.Count <= First)
                continue;
            next = Search(index, segment, found, slowest);
            if (next is not null)
                break;
        }
        while (slowest.TryDequeue(out (CallRecord, long) call, out _))
            found.Insert(0, call);
        return new CallPage { Calls = [.. found.Select(call => Describe(index, call.Record, call.Index))], Next = next };
    }

    /// <summary>A call with what it waited for and which call ended that; null when its record is not there.</summary>
    public static CallView? Find(TraceIndex index, long place, bool withWaker = true)
    {
        if (!index.TryRead(place, out CallRecord record))
            return null;
        CallView view = Describe(index, record, place);
        return !withWaker || record.WokenBy == 0 || FindWaker(index, record) is not { } waker ? view : view with { WokenBy = waker };
    }

    internal static CallView Describe(TraceIndex index, in CallRecord record, long place)
    {
        string name = CallRecorder.NameOf(record.Number);
        return new CallView
        {
            Index = place,
            Start = record.Start - index.Origin,
            Duration = record.Duration,
            Blocked = record.Blocked,
            Process = record.Process,
            Thread = record.Thread,
            Name = name,
            Text = RecordText.Of(record, name),
            Error = record.HasFailed ? record.Error.ToString() : null,
            File = record.Subject is { } subject ? GuestText.Of(subject) : null,
            WaitedFor = record.Blocked > 0 ? SpanBuilder.WaitText(record, name) : null,
        };
    }

    /// <summary>The place behind which the next page begins, when this one is full.</summary>
    private long? Search(TraceIndex index, CallSegment segment, List<(CallRecord, long)> found, PriorityQueue<(CallRecord, long), (long, long)> slowest)
    {
        var reader = new SegmentReader(segment);
        while (reader.Read())
        {
            if (!IsWanted(index, reader.Current, reader.Index))
                continue;
            if (!Slowest)
            {
                found.Add((reader.Current, reader.Index));
                if (found.Count == Limit)
                    return reader.Index;
                continue;
            }
            // Of equally long ones the earlier stays.
            (long, long) rank = (reader.Current.Duration, -reader.Index);
            if (slowest.Count < Limit)
                slowest.Enqueue((reader.Current, reader.Index), rank);
            else if (slowest.TryPeek(out _, out (long, long) least) && rank.CompareTo(least) > 0)
                slowest.EnqueueDequeue((reader.Current, reader.Index), rank);
        }
        return null;
    }

    private bool IsWanted(TraceIndex index, in CallRecord record, long place)
    {
        long start = record.Start - index.Origin, duration = record.Duration;
        return place >= First && place <= Last && duration >= AtLeast && duration < Below && start <= To && start + duration >= From
            && (Process is null || record.Process == Process) && (Thread is null || record.Thread == Thread)
            && (!OnlyErrors || record.HasFailed) && (Call is null || CallRecorder.NameOf(record.Number) == Call);
    }

    /// <summary>By its sequence: it was under way when the wait ended.</summary>
    private static CallView? FindWaker(TraceIndex index, in CallRecord waiter)
    {
        foreach (CallSegment segment in index.Between(waiter.Start - index.Origin, waiter.End - index.Origin))
        {
            var reader = new SegmentReader(segment);
            while (reader.Read())
            {
                if (reader.Current.Sequence == waiter.WokenBy)
                    return Describe(index, reader.Current, reader.Index);
            }
        }
        return null;
    }
}
