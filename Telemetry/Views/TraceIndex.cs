using Vivarium.Emulator.Kernel.Records;
using Vivarium.Telemetry.Records;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Telemetry.Views;

/// <summary>A thread as its records show it. Times are nanoseconds since the program's first instruction.</summary>
public sealed class ThreadFacts(int process, int thread)
{
    public int Process { get; } = process;

    public int Thread { get; } = thread;

    /// <summary>Its first recorded call's beginning and its last one's end.</summary>
    public long Start { get; internal set; } = long.MaxValue;

    public long End { get; internal set; } = long.MinValue;

    public long Calls { get; internal set; }

    /// <summary>In calls, waiting included.</summary>
    public long Time { get; internal set; }

    public long Blocked { get; internal set; }
}

/// <summary>
/// A trace with what is needed to look into it again and again: when each segment begins and ends, and which threads there were. Made in
/// one pass; records stay packed, and a look at a part of the time unpacks only the segments of that time.
/// </summary>
public sealed class TraceIndex
{
    private readonly (long Start, long End)[] _times;
    private readonly Dictionary<(int Process, int Thread), ThreadFacts> _threads = [];

    public TraceIndex(TraceDocument trace)
    {
        Trace = trace;
        _times = new (long, long)[trace.Segments.Count];
        for (int i = 0; i < _times.Length; i++)
            _times[i] = Survey(trace.Segments[i]);
        Threads = [.. _threads.Values.OrderBy(static thread => thread.Start).ThenBy(static thread => thread.Thread)];
    }

    public TraceDocument Trace { get; }

    /// <summary>In order of their first calls.</summary>
    public IReadOnlyList<ThreadFacts> Threads { get; }

    /// <summary>World time of the program's first instruction: what times here count from.</summary>
    public long Origin => Trace.Job.Ran - Trace.Job.ToRealtime;

    /// <summary>Records that can be read.</summary>
    public long Records { get; private set; }

    /// <summary>What it weighs in memory, roughly.</summary>
    public long Size => Trace.Segments.Sum(static segment => segment.Size) + (1 << 16);

    public ThreadFacts? Find(int process, int thread) => _threads.GetValueOrDefault((process, thread));

    /// <summary>The segments that hold calls of a stretch of time, in order.</summary>
    public IEnumerable<CallSegment> Between(long from, long to)
    {
        for (int i = 0; i < _times.Length; i++)
        {
            if (_times[i].Start <= to && _times[i].End >= from)
                yield return Trace.Segments[i];
        }
    }

    /// <summary>The segment that holds a record; null when it is not there any more.</summary>
    public CallSegment? Holding(long index)
    {
        foreach (CallSegment segment in Trace.Segments)
        {
            if (index >= segment.FirstIndex && index < segment.FirstIndex + segment.Count)
                return segment;
        }
        return null;
    }

    /// <summary>A record by its place among all; false when it had to make room, or never was.</summary>
    public bool TryRead(long index, out CallRecord record)
    {
        if (Holding(index) is { } segment)
        {
            var reader = new SegmentReader(segment);
            while (reader.Read())
            {
                if (reader.Index != index)
                    continue;
                record = reader.Current;
                return true;
            }
        }
        record = default;
        return false;
    }

    private (long Start, long End) Survey(CallSegment segment)
    {
        (long start, long end) = (long.MaxValue, long.MinValue);
        ThreadFacts? thread = null;
        long origin = Origin;
        var reader = new SegmentReader(segment);
        while (reader.Read())
        {
            ref readonly CallRecord record = ref reader.Current;
            if (thread is null || thread.Thread != record.Thread || thread.Process != record.Process)
                thread = ThreadOf(record);
            long begin = record.Start - origin, over = begin + record.Duration;
            thread.Start = Math.Min(thread.Start, begin);
            thread.End = Math.Max(thread.End, over);
            thread.Calls++;
            thread.Time += record.Duration;
            thread.Blocked += record.Blocked;
            start = Math.Min(start, begin);
            end = Math.Max(end, over);
            Records++;
        }
        return (start, end);
    }

    private ThreadFacts ThreadOf(in CallRecord record)
    {
        if (!_threads.TryGetValue((record.Process, record.Thread), out ThreadFacts? thread))
            _threads.Add((record.Process, record.Thread), thread = new ThreadFacts(record.Process, record.Thread));
        return thread;
    }
}
