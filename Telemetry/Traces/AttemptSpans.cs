using System.Globalization;

namespace Vivarium.Telemetry.Traces;

/// <summary>The spans of a job that was begun more than once: the job's own, below it one for each attempt, below those what they did.</summary>
internal static class AttemptSpans
{
    /// <summary>Earlier attempts' processes have their numbers in viewers behind those of this many: Linux's are fewer.</summary>
    private const int ProcessesOfAttempt = 10_000_000;

    /// <summary>Of which earlier attempt a joined trace's process is, 0 = the last, and its number there.</summary>
    public static (int Attempt, int Process) Split(int process)
    {
        // -1 is an attempt's processes without spans of their own.
        int attempt = (process + 1) / ProcessesOfAttempt;
        return (attempt, process - (attempt * ProcessesOfAttempt));
    }

    public static string NameOf(int attempt) => string.Create(CultureInfo.InvariantCulture, $"attempt {attempt}");

    public static void Describe(TraceSpan span, int attempt, string node, string end)
    {
        span.Set("vivarium.attempt", (long)attempt);
        span.Set("vivarium.attempt.end", end);
        if (node.Length > 0)
            span.Set("vivarium.node", node);
    }

    /// <summary>One trace of what there is of each attempt. Records stay with their attempts.</summary>
    public static TraceDocument Join(TraceDocument last)
    {
        TraceDocument[] attempts = [.. last.Earlier, last];
        TraceSpan job = last.Spans[0];
        long start = attempts.Min(static attempt => attempt.Spans[0].Start), end = attempts.Max(static attempt => attempt.Spans[0].End);
        List<TraceSpan> spans = [With(job, job.Parent, start, end, 0)];
        List<ProcessFacts> processes = [];
        foreach (TraceDocument attempt in attempts)
        {
            int offset = attempt == last ? 0 : attempt.Job.Attempt * ProcessesOfAttempt;
            Add(spans, attempt, job.Id, offset, last.Attempts.FirstOrDefault(facts => facts.Number == attempt.Job.Attempt));
            processes.AddRange(attempt.Processes.Select(process => process with { Id = process.Id + offset, Parent = process.Parent + offset }));
            if (offset > 0 && attempt.Job.OtherProcesses > 0)
                processes.Add(new ProcessFacts(offset - 1, offset, attempt.Job.Ran, attempt.Job.Ended, "more processes", [], null, null));
        }
        return last with { Spans = spans, Processes = processes, Earlier = [], LostRecords = attempts.Sum(static attempt => attempt.LostRecords) };
    }

    private static void Add(List<TraceSpan> all, TraceDocument attempt, ulong job, int offset, AttemptFacts? facts)
    {
        IReadOnlyList<TraceSpan> spans = attempt.Spans;
        if (spans.Count > 1 && spans[1].Kind == SpanKind.Attempt)
        {
            TraceSpan told = With(spans[1], job, spans[1].Start, spans[1].End, offset);
            Mark(told, facts);
            all.Add(told);
            all.AddRange(spans.Skip(2).Select(span => With(span, span.Parent, span.Start, span.End, offset)));
            return;
        }
        // The first one, which ended without knowing of another: it was told as the job itself.
        var own = new TraceSpan
        {
            Id = TraceContext.Derive(job, -1),
            Parent = job,
            Name = NameOf(attempt.Job.Attempt),
            Kind = SpanKind.Attempt,
            Start = spans[0].Start,
            End = spans[0].End,
            Process = offset,
        };
        Describe(own, attempt.Job.Attempt, attempt.Job.Node, facts?.End ?? attempt.Job.End);
        Mark(own, facts);
        all.Add(own);
        foreach (TraceSpan span in spans.Skip(1))
            all.Add(With(span, span.Parent == job ? own.Id : span.Parent, span.Start, span.End, offset));
    }

    private static void Mark(TraceSpan span, AttemptFacts? facts)
    {
        if (facts?.Missing is not { } missing)
            return;
        span.Set("vivarium.attempt.missing", missing);
        span.Error ??= missing;
    }

    private static TraceSpan With(TraceSpan span, ulong parent, long start, long end, int offset) => new()
    {
        Id = span.Id,
        Parent = parent,
        Name = span.Name,
        Kind = span.Kind,
        Start = start,
        End = end,
        Attributes = [.. span.Attributes],
        Links = span.Links,
        Error = span.Error,
        Process = span.Process + offset,
        FirstIndex = span.FirstIndex,
        LastIndex = span.LastIndex,
    };
}
