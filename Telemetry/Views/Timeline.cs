using System.ComponentModel;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Telemetry.Records;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Telemetry.Views;

/// <summary>A thread's row of a timeline.</summary>
public sealed record TimelineRow
{
    public required int Process { get; init; }

    public required int Thread { get; init; }

    public long Start { get; init; }

    public long End { get; init; }

    public long Calls { get; init; }

    [Description("Nanoseconds in calls, waiting included.")]
    public long Time { get; init; }

    public long Blocked { get; init; }

    [Description("Each [start, end, count, time, blocked, errors, longest, call, other, first, last]: call and other are places in \"calls\", other -1 when all are alike; first and last are calls' places among all.")]
    public required IReadOnlyList<long[]> Bars { get; init; }
}

/// <summary>A process of a timeline.</summary>
public sealed record TimelineProcess
{
    public required int Id { get; init; }

    public required int Parent { get; init; }

    public required string Name { get; init; }

    public required IReadOnlyList<string> Command { get; init; }

    public long Start { get; init; }

    public long End { get; init; }

    public int? ExitCode { get; init; }

    public string? Signal { get; init; }
}

/// <summary>A stretch of a job's time with all that happened in it, folded to what a screen can show.</summary>
public sealed record Timeline
{
    /// <summary>Rows that are shown at most; of more threads, those that were longest in calls.</summary>
    public const int MostRows = 200;

    /// <summary>What a bar should be wide at least, in the screen's points.</summary>
    private const int BarWidth = 3;

    [Description("Nanoseconds since the program's first instruction, as all times here.")]
    public required long From { get; init; }

    public required long To { get; init; }

    [Description("Calls shorter than this may be told with their neighbours.")]
    public required long Shortest { get; init; }

    [Description("When the job was queued and taken from the queue: before the program's first instruction, so negative.")]
    public long Queued { get; init; }

    public long Started { get; init; }

    public long Ended { get; init; }

    [Description("Records that can be looked at, and those that had to make room for them.")]
    public long Records { get; init; }

    public long Lost { get; init; }

    [Description("Threads without rows.")]
    public int MoreThreads { get; init; }

    public required IReadOnlyList<string> Calls { get; init; }

    public required IReadOnlyList<TimelineProcess> Processes { get; init; }

    public required IReadOnlyList<TimelineRow> Rows { get; init; }

    /// <summary>Looks at a stretch of time.</summary>
    /// <param name="index">The trace.</param>
    /// <param name="from">Nanoseconds since the program's first instruction.</param>
    /// <param name="to">Where the stretch ends.</param>
    /// <param name="width">Points of the screen that show it.</param>
    /// <param name="process">Only this process's threads; null = all.</param>
    public static Timeline Of(TraceIndex index, long from, long to, int width, int? process)
    {
        JobFacts job = index.Trace.Job;
        long shortest = Math.Max(1, (to - from) * BarWidth / Math.Max(1, width));
        IReadOnlyList<ThreadFacts> shown = Choose(index, process, out int more);
        Dictionary<(int, int), BarFolder> folders = [];
        foreach (ThreadFacts thread in shown)
            folders.Add((thread.Process, thread.Thread), new BarFolder(shortest));
        Fold(index, from, to, folders);
        var names = new NameList();
        return new Timeline
        {
            From = from,
            To = to,
            Shortest = shortest,
            Queued = job.Queued - job.Ran,
            Started = job.Started - job.Ran,
            Ended = job.Ended - job.Ran,
            Records = index.Records,
            Lost = index.Trace.LostRecords,
            MoreThreads = more,
            Rows = [.. shown.Select(thread => Row(thread, folders[(thread.Process, thread.Thread)], names))],
            Calls = names.All,
            Processes = [.. index.Trace.Processes.Where(facts => process is null || facts.Id == process).Select(facts => Describe(facts, job.Ran))],
        };
    }

    private static IReadOnlyList<ThreadFacts> Choose(TraceIndex index, int? process, out int more)
    {
        IReadOnlyList<ThreadFacts> all = process is null ? index.Threads : [.. index.Threads.Where(thread => thread.Process == process)];
        more = Math.Max(0, all.Count - MostRows);
        if (more == 0)
            return all;
        HashSet<ThreadFacts> longest = [.. all.OrderByDescending(static thread => thread.Time).ThenBy(static thread => thread.Start).Take(MostRows)];
        return [.. all.Where(longest.Contains)];
    }

    private static void Fold(TraceIndex index, long from, long to, Dictionary<(int, int), BarFolder> folders)
    {
        long origin = index.Origin;
        (int Process, int Thread) last = default;
        BarFolder? folder = null;
        foreach (CallSegment segment in index.Between(from, to))
        {
            var reader = new SegmentReader(segment);
            while (reader.Read())
            {
                ref readonly CallRecord record = ref reader.Current;
                long start = record.Start - origin;
                if (start > to || start + record.Duration < from)
                    continue;
                if (folder is null || last.Thread != record.Thread || last.Process != record.Process)
                {
                    last = (record.Process, record.Thread);
                    folder = folders.GetValueOrDefault(last);
                }
                folder?.Add(start, record, reader.Index);
            }
        }
    }

    private static TimelineRow Row(ThreadFacts thread, BarFolder folder, NameList names) => new()
    {
        Process = thread.Process,
        Thread = thread.Thread,
        Start = thread.Start,
        End = thread.End,
        Calls = thread.Calls,
        Time = thread.Time,
        Blocked = thread.Blocked,
        Bars =
        [
            .. folder.Finish().Select(bar => (long[])
                [bar.Start, bar.End, bar.Count, bar.Time, bar.Blocked, bar.Errors, bar.Longest, names.PlaceOf(bar.Call), bar.Other < 0 ? -1 : names.PlaceOf(bar.Other), bar.First, bar.Last]),
        ],
    };

    private static TimelineProcess Describe(ProcessFacts process, long origin) => new()
    {
        Id = process.Id,
        Parent = process.Parent,
        Name = process.Name,
        Command = process.Arguments,
        Start = process.Start - origin,
        End = process.End - origin,
        ExitCode = process.ExitCode,
        Signal = process.Signal,
    };

    /// <summary>The names of calls, each once.</summary>
    private sealed class NameList
    {
        private readonly Dictionary<int, int> _places = [];

        public List<string> All { get; } = [];

        public int PlaceOf(int number)
        {
            if (_places.TryGetValue(number, out int place))
                return place;
            All.Add(CallRecorder.NameOf(number));
            return _places[number] = All.Count - 1;
        }
    }
}
