using Vivarium.Messages;
using Vivarium.Telemetry.Folding;
using Vivarium.Telemetry.Strace;

namespace Vivarium.Telemetry.Traces;

/// <summary>A job that has ended and what was recorded of it. Nothing is made of it until somebody asks.</summary>
/// <param name="Recorder">Complete.</param>
public sealed record TraceRecording(JobId Id, JobSpec Spec, JobResult Result, CallRecorder Recorder, TraceContext Context)
{
    /// <summary>What <see cref="JobFacts.End"/> is of a job that has not ended.</summary>
    public const string Running = "Running";

    private TraceDocument? _document;

    /// <summary>The job goes on: this is what there is of it so far.</summary>
    public bool IsUnfinished { get; init; }

    /// <summary>Which of the job's runs this is, from 1.</summary>
    public int Attempt { get; init; } = 1;

    /// <summary>The attempt failed, and another follows: it does not end the job.</summary>
    public bool IsRetried { get; init; }

    /// <summary>True when it is told as one of several, by a span of its own below the job's.</summary>
    public bool IsOneOfSeveral => Attempt > 1 || IsRetried;

    public string Node { get; init; } = "";

    /// <summary>When the job was submitted, before its earlier attempts; 0 = it is not known.</summary>
    public long Accepted { get; init; }

    /// <summary>Real times, nanoseconds since 1970 UTC: into the queue, out of it, the program's first instruction, the end.</summary>
    public long Queued { get; init; }

    public long Started { get; init; }

    public long Ran { get; init; }

    public long Ended { get; init; }

    public TraceDocument Document => _document ??= Build();

    /// <summary>The span that tells of a call: its own, or the job's when that cannot be said.</summary>
    public ulong SpanOf(long sequence)
    {
        _ = Document;
        return _builder!.SpanOf(sequence) ?? Context.JobSpan;
    }

    private SpanBuilder? _builder;

    private TraceDocument Build()
    {
        CallFolder folder = Recorder.Folder ?? new CallFolder();
        if (IsUnfinished)
        {
            folder = folder.Copy();
            folder.Complete(Ended - Recorder.ToRealtime);
        }
        _builder = new SpanBuilder(this, folder);
        return new TraceDocument
        {
            Job = Facts(folder),
            Processes = [.. folder.Processes.Select(Describe)],
            Calls = [.. Recorder.Ledger.All.Select(Describe).OrderByDescending(static call => call.Time).ThenBy(static call => call.Name, StringComparer.Ordinal)],
            Waits = [.. (Recorder.Waits?.All ?? []).Select(Describe).OrderByDescending(static wait => wait.Time).ThenBy(static wait => (wait.Process, wait.Call, wait.Key))],
            Spans = _builder.Build(),
            Segments = Recorder.Records?.Segments() ?? [],
            LostRecords = Recorder.Records?.Lost ?? 0,
        };
    }

    private JobFacts Facts(CallFolder folder) => new()
    {
        Id = Id.ToString(),
        TraceId = Context.TraceId,
        Attempt = Attempt,
        Command = [.. Spec.Arguments.Select(static argument => GuestText.Of(argument))],
        End = IsUnfinished ? Running : Result.End.ToString(),
        Code = Result.Code,
        Message = Result.Message,
        Node = Node,
        System = folder.Processes.FirstOrDefault()?.System ?? "linux",
        Processor = folder.Processes.FirstOrDefault()?.Processor ?? "amd64",
        Engine = Spec.Engine.ToString().ToLowerInvariant(),
        Clock = Spec.Clock.ToString().ToLowerInvariant(),
        Level = Spec.Tracing.Level.ToString().ToLowerInvariant(),
        Seed = Spec.Seed,
        Queued = Queued,
        Started = Started,
        Ran = Ran,
        Ended = Ended,
        ToRealtime = Recorder.ToRealtime,
        Instructions = Result.Usage.Instructions,
        PeakMemory = Result.Usage.PeakMemory,
        ProcessCount = Result.Usage.Processes,
        OtherProcesses = folder.OtherProcesses,
        Calls = (long)Recorder.Ledger.Count,
    };

    private ProcessFacts Describe(ProcessFold process) => new(
        process.Id,
        process.Parent,
        process.Start + Recorder.ToRealtime,
        process.End + Recorder.ToRealtime,
        GuestText.Of(process.Executable),
        [.. process.Arguments.Select(static argument => GuestText.Of(argument))],
        process.ExitCode,
        process.Signal is { } signal ? SignalText.NameOf(signal) : null)
    {
        System = process.System,
        Processor = process.Processor,
    };

    private CallFacts Describe(CallTotals totals) => new(
        CallRecorder.NameOf(totals.Number),
        totals.Number,
        (long)totals.Count,
        (long)totals.Errors,
        totals.TotalTime,
        totals.BlockedTime,
        Math.Min(totals.LongestTime, totals.Durations.Quantile(0.5)),
        Math.Min(totals.LongestTime, totals.Durations.Quantile(0.99)),
        totals.LongestTime);

    private WaitFacts Describe(WaitTotals wait) => new(
        wait.Process,
        CallRecorder.NameOf(wait.Number),
        wait.Kind.ToString(),
        wait.Key,
        wait.Subject is { } subject ? GuestText.Of(subject) : null,
        wait.Count,
        wait.Time,
        wait.Longest,
        wait.Threads);
}
