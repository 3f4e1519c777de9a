using System.Globalization;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Telemetry.Reports;

/// <summary>What stands out in a trace: what somebody who looks at it for the first time should see first.</summary>
public static class Findings
{
    /// <summary>A call is slow from here on, nanoseconds; and so many times its job's typical call.</summary>
    private const long Slow = 1_000_000;
    private const long TimesTypical = 20;

    /// <summary>Threads that queue at one futex, and how often at least.</summary>
    private const int ConvoyThreads = 3;
    private const int ConvoyWaits = 30;

    private const int Most = 6;

    /// <summary>Sentences, the most important first.</summary>
    public static IReadOnlyList<string> Of(TraceDocument trace)
    {
        List<(long Weight, string Text)> found = [.. Convoys(trace), .. SlowCalls(trace), .. LongWaits(trace), .. Failures(trace)];
        return [.. found.OrderByDescending(static finding => finding.Weight).Take(Most).Select(static finding => finding.Text)];
    }

    /// <summary>The slowest call of each name, if it is slow as such and among others.</summary>
    private static IEnumerable<(long, string)> SlowCalls(TraceDocument trace)
    {
        long typical = trace.Calls.Count == 0 ? 0 : trace.Calls.Sum(static call => call.Time - call.Blocked) / Math.Max(1, trace.Job.Calls);
        HashSet<string> seen = [];
        foreach (TraceSpan span in Singles(trace, "vivarium.calls.time_ns"))
        {
            long busy = Number(span, "vivarium.calls.time_ns") - Number(span, "vivarium.calls.blocked_ns");
            if (busy < Slow || busy < TimesTypical * typical || !seen.Add(span.Name))
                continue;
            long count = trace.Calls.FirstOrDefault(call => call.Name == span.Name)?.Count ?? 0;
            string among = count <= 1 ? "the only one" : $"one of {Figures.Count(count)}";
            yield return (busy, $"slow call: {span.Name} took {Figures.Time(busy)} ({among}) at {At(trace, span)}: {Text(span)}");
        }
    }

    /// <summary>Many threads that wait often for one lock.</summary>
    private static IEnumerable<(long, string)> Convoys(TraceDocument trace)
    {
        foreach (WaitFacts wait in trace.Waits)
        {
            if (wait.Kind != "Futex" || wait.Threads < ConvoyThreads || wait.Count < ConvoyWaits)
                continue;
            yield return (wait.Time, string.Create(CultureInfo.InvariantCulture, $"lock convoy: {wait.Threads} threads of {Who(trace, wait.Process)} queue at futex 0x{wait.Key:x}: {Figures.Count(wait.Count, "wait")}, {Figures.Time(wait.Time)} in all, the longest {Figures.Time(wait.Longest)}"));
        }
    }

    private static IEnumerable<(long, string)> LongWaits(TraceDocument trace)
    {
        TraceSpan? longest = Singles(trace, "vivarium.calls.blocked_ns").FirstOrDefault(static span => Text(span, "vivarium.wait.for") is not ("" or "timer"));
        if (longest is null || Number(longest, "vivarium.calls.blocked_ns") is not (>= Slow and var waited))
            yield break;
        string waker = Text(longest, "vivarium.wait.woken_by") is { Length: > 0 } by ? $", until {by}" : "";
        // Waits are mostly meant: half as important as work.
        yield return (waited / 2, $"longest wait: {longest.Name} waited {Figures.Time(waited)} for {Text(longest, "vivarium.wait.for")}{waker}, at {At(trace, longest)}: {Text(longest)}");
    }

    private static IEnumerable<(long, string)> Failures(TraceDocument trace)
    {
        const int Many = 100;
        foreach (CallFacts call in trace.Calls)
        {
            if (call.Errors >= Many && call.Errors > call.Count / 2)
                yield return (call.Time, $"failures: {Figures.Count(call.Errors)} of {Figures.Count(call.Count)} {call.Name} calls failed");
        }
    }

    internal static IEnumerable<TraceSpan> Singles(TraceDocument trace, string by) => trace.Spans
        .Where(static span => span.Kind == SpanKind.Call)
        .OrderByDescending(span => by == "vivarium.calls.time_ns" ? Number(span, by) - Number(span, "vivarium.calls.blocked_ns") : Number(span, by))
        .ThenBy(static span => span.FirstIndex);

    internal static long Number(TraceSpan span, string key) => span.Attributes.FirstOrDefault(attribute => attribute.Key == key).Value is long number ? number : 0;

    internal static string Text(TraceSpan span, string key = "vivarium.call") => span.Attributes.FirstOrDefault(attribute => attribute.Key == key).Value as string ?? "";

    /// <summary>When, from the program's start, and by whom.</summary>
    internal static string At(TraceDocument trace, TraceSpan span) => $"+{Figures.Time(Math.Max(0, span.Start - trace.Job.Ran))} in {Who(trace, span.Process)}";

    internal static string Who(TraceDocument trace, int process) =>
        trace.Processes.FirstOrDefault(facts => facts.Id == process) is { } known ? $"{known.Name} ({process})" : string.Create(CultureInfo.InvariantCulture, $"process {process}");
}
