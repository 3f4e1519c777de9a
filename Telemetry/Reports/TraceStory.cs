using System.Globalization;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Telemetry.Reports;

/// <summary>A trace as text: what stands out first, then the processes, the calls, the files.</summary>
/// <param name="width">Columns; longer lines are cut.</param>
public sealed class TraceStory(TraceDocument trace, TextWriter output, int width = 120)
{
    private const int Rows = 8, ProcessRows = 12;

    public void Write()
    {
        WriteHead();
        Section("What stands out", Findings.Of(trace).Select(static (finding, index) => $"{index + 1}. {finding}"), "nothing: no call is much slower than the others");
        WriteCalls();
        Section("Slowest calls", Top("vivarium.calls.time_ns", "vivarium.calls.blocked_ns"), null);
        Section("Longest waits", Top("vivarium.calls.blocked_ns", null), null);
        WriteProcesses();
        (IReadOnlyList<FileTotals> files, IReadOnlyList<FileTotals> peers) = FileUsage.Of(trace);
        WriteFiles("By file", files);
        WriteFiles("By peer", peers);
    }

    /// <summary>All spans, indented below their parents, with the identifiers that <c>--span</c> takes.</summary>
    public void WriteTree()
    {
        WriteHead();
        IReadOnlyList<TraceSpan> spans = trace.Joined().Spans;
        ILookup<ulong, TraceSpan> below = spans.ToLookup(static span => span.Parent);
        HashSet<ulong> known = [.. spans.Select(static span => span.Id)];
        foreach (TraceSpan root in spans.Where(span => !known.Contains(span.Parent)))
            WriteSubtree(root, below, 0);
    }

    private void WriteSubtree(TraceSpan span, ILookup<ulong, TraceSpan> below, int depth)
    {
        long blocked = Findings.Number(span, "vivarium.calls.blocked_ns");
        string waits = blocked > 0 ? $", waited {Figures.Time(blocked)}" : "";
        string what = span.Kind == SpanKind.Call ? Findings.Text(span) : span.Name;
        Line($"{span.Id:x16} {new string(' ', 2 * depth)}{what}  [{Figures.Time(span.End - span.Start)}{waits}]{(span.Error is null ? "" : "  !")}");
        foreach (TraceSpan child in below[span.Id].OrderBy(static child => child.Start))
            WriteSubtree(child, below, depth + 1);
    }

    private void WriteHead()
    {
        JobFacts job = trace.Job;
        string end = job.End switch
        {
            "Exited" => $"exited with {job.Code}",
            "Killed" => $"killed by signal {job.Code}",
            TraceRecording.Running when Own is { End: AttemptFacts.Lost } => "ended with its node",
            TraceRecording.Running => "had not ended when this was recorded: what came later is missing",
            _ => job.Message ?? job.End,
        };
        Line($"job {job.Id}  {string.Join(' ', job.Command)}");
        WriteAttempts();
        Line($"  {(trace.Attempts.Count > 1 ? $"attempt {job.Attempt}: " : "")}{end}; queue {Figures.Time(job.Started - job.Queued)}, start {Figures.Time(job.Ran - job.Started)}, run {Figures.Time(job.Ended - job.Ran)}; {Figures.Count(job.ProcessCount, "process")}, {Figures.Count((long)job.Instructions)} instructions; {job.System}/{job.Processor}");
        long time = trace.Calls.Sum(static call => call.Time), blocked = trace.Calls.Sum(static call => call.Blocked);
        Line($"  {Figures.Count(job.Calls, "call")}, {Figures.Count(trace.Calls.Sum(static call => call.Errors))} failed: {Figures.Time(time - blocked)} in the kernel, {Figures.Time(blocked)} waiting, over all threads");
        if (trace.LostRecords > 0)
            Line($"  {Figures.Count(trace.LostRecords)} of {Figures.Count(job.Calls)} records had to make room: counts and sums are exact, listings and files begin later");
    }

    /// <summary>What its journal tells of the attempt; null when the job had but this one.</summary>
    private AttemptFacts? Own => trace.Attempts.FirstOrDefault(attempt => attempt.Number == trace.Job.Attempt);

    private void WriteAttempts()
    {
        foreach (AttemptFacts attempt in trace.Attempts)
        {
            long start = attempt.Started - trace.Attempts[0].Started;
            string time = attempt.Ended == 0 ? "" : $", for {Figures.Time(Math.Max(0, attempt.Ended - attempt.Started))}";
            string calls = trace.OfAttempt(attempt.Number) is { } own ? $"; {Figures.Count(own.Job.Calls, "call")}" : "";
            string told = attempt.Missing ?? $"attempt {attempt.Number} on node {attempt.Node} {Describe(attempt.End)}";
            Line($"  {told}  [+{Figures.Time(Math.Max(0, start))}{time}{calls}{(trace.OfAttempt(attempt.Number) is not null && attempt.Number != trace.Job.Attempt ? $"; --attempt {attempt.Number}" : "")}]");
        }
    }

    private static string Describe(string end) => end switch
    {
        AttemptFacts.Lost => "ended with the node",
        TraceRecording.Running => "runs",
        _ => "ended: " + end.ToLowerInvariant(),
    };

    private void Section(string title, IEnumerable<string> lines, string? nothing)
    {
        string[] all = [.. lines];
        if (all.Length == 0 && nothing is null)
            return;
        output.Write($"\n{title}\n");
        foreach (string line in all.Length > 0 ? all : [nothing!])
            Line("  " + line);
    }

    private IEnumerable<string> Top(string key, string? less) => Findings.Singles(trace, key)
        .Select(span => (Span: span, Time: Findings.Number(span, key) - (less is null ? 0 : Findings.Number(span, less))))
        .Where(static item => item.Time >= Folding.CallFolder.Noticeable)
        .Take(Rows)
        .Select(item => $"{Figures.Time(item.Time),9}  {Findings.Text(item.Span)}  at {Findings.At(trace, item.Span)}{Waker(item.Span, less is null)}");

    private static string Waker(TraceSpan span, bool isWait) =>
        isWait && Findings.Text(span, "vivarium.wait.woken_by") is { Length: > 0 } waker ? ", until " + waker : "";

    private void WriteCalls()
    {
        string Row(CallFacts call) => string.Create(CultureInfo.InvariantCulture, $"{call.Name,-18}{call.Count,12:N0}{call.Errors,10:N0}{Figures.Time(call.Time),11}{Figures.Time(call.Blocked),11}{Figures.Time(call.P50),10}{Figures.Time(call.P99),10}{Figures.Time(call.Longest),10}");
        Section($"{"By call",-20}{"calls",12}{"failed",10}{"time",11}{"waiting",11}{"p50",10}{"p99",10}{"longest",10}", trace.Calls.Take(Rows).Select(Row), null);
        if (trace.Calls.Count > Rows)
            Line($"  … and {trace.Calls.Count - Rows} more (--by call)");
    }

    /// <summary>Every call's line.</summary>
    public void WriteAllCalls()
    {
        foreach (CallFacts call in trace.Calls)
            output.Write(string.Create(CultureInfo.InvariantCulture, $"{call.Name,-24}{call.Count,12:N0}{call.Errors,10:N0}{Figures.Time(call.Time),11}{Figures.Time(call.Blocked),11}{Figures.Time(call.P50),10}{Figures.Time(call.P99),10}{Figures.Time(call.Longest),10}\n"));
    }

    /// <summary>Every file's or peer's line.</summary>
    public void WriteAllFiles(bool peers)
    {
        (IReadOnlyList<FileTotals> files, IReadOnlyList<FileTotals> others) = FileUsage.Of(trace);
        foreach (FileTotals file in peers ? others : files)
            output.Write(Row(file) + "\n");
    }

    private void WriteFiles(string title, IReadOnlyList<FileTotals> files)
    {
        Section($"{title,-20}{"calls",10}{"failed",10}{"time",11}{"waiting",11}", files.Take(Rows).Select(Row), null);
        if (files.Count > Rows)
            Line($"  … and {files.Count - Rows} more ({(title == "By file" ? "--by file" : "--by peer")})");
    }

    private static string Row(FileTotals file) =>
        string.Create(CultureInfo.InvariantCulture, $"{file.Count,28:N0}{file.Errors,10:N0}{Figures.Time(file.Time),11}{Figures.Time(file.Blocked),11}  {file.Name}");

    private void WriteProcesses()
    {
        ILookup<int, ProcessFacts> below = trace.Processes.ToLookup(process => trace.Processes.Any(other => other.Id == process.Parent) ? process.Parent : 0);
        List<string> lines = [];
        foreach (ProcessFacts first in below[0])
            AddProcess(first, below, 0, lines);
        Section("Processes", lines.Take(ProcessRows), null);
        int more = lines.Count - ProcessRows;
        if (more > 0 || trace.Job.OtherProcesses > 0)
            Line($"  … and {Figures.Count(Math.Max(0, more) + trace.Job.OtherProcesses)} more (--tree)");
    }

    private void AddProcess(ProcessFacts process, ILookup<int, ProcessFacts> below, int depth, List<string> lines)
    {
        // What the first program is for goes without saying.
        string platform = process.System is null || (process.System == trace.Job.System && process.Processor == trace.Job.Processor) ? "" : $", {process.System}/{process.Processor}";
        string end = process.Signal ?? (process.ExitCode is { } code ? $"exit {code}" : "running");
        lines.Add(string.Create(CultureInfo.InvariantCulture, $"{new string(' ', 2 * depth)}{process.Id} {(process.Arguments.Count > 0 ? string.Join(' ', process.Arguments) : process.Name)}  [{Figures.Time(process.End - process.Start)}, {end}{platform}]"));
        foreach (ProcessFacts child in below[process.Id])
            AddProcess(child, below, depth + 1, lines);
    }

    private void Line(string text) => output.Write(Figures.Cut(text, width) + "\n");
}
