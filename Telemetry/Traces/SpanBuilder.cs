using System.Globalization;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Messages;
using Vivarium.Telemetry.Folding;
using Vivarium.Telemetry.Strace;

namespace Vivarium.Telemetry.Traces;

/// <summary>
/// Makes spans of what was folded: the job, its phases, processes, runs of calls, single calls. Attributes are OpenTelemetry's semantic
/// conventions where there are any, else <c>vivarium.*</c>; docs/traces.md lists them.
/// </summary>
internal sealed class SpanBuilder(TraceRecording job, CallFolder folder)
{
    private readonly List<TraceSpan> _spans = [];
    private readonly Dictionary<int, TraceSpan> _processes = [];
    private readonly Dictionary<CallRun, TraceSpan> _runs = [];
    private readonly Dictionary<long, TraceSpan> _calls = [];

    private long Offset => job.Recorder.ToRealtime;

    public List<TraceSpan> Build()
    {
        TraceSpan root = AddJob();
        if (job.IsOneOfSeveral)
            root = AddAttempt(root);
        AddPhase(root, "queue", job.Queued, job.Started);
        AddPhase(root, "start", job.Started, job.Ran);
        TraceSpan run = AddPhase(root, "run", job.Ran, job.Ended);
        foreach (ProcessFold process in folder.Processes)
            AddProcess(process, _processes.GetValueOrDefault(process.Parent, run));
        if (folder.Others is { } others)
            AddOthers(others, run);
        IReadOnlyList<SingleCall> singles = folder.Singles();
        foreach (SingleCall call in singles)
            AddSingle(call);
        foreach (SingleCall call in singles)
            Link(call);
        return _spans;
    }

    /// <summary>A call's own span; null when it has none.</summary>
    public ulong? SpanOf(long sequence) => _calls.TryGetValue(sequence, out TraceSpan? span) ? span.Id : null;

    private TraceSpan AddJob()
    {
        JobResult result = job.Result;
        if (job.IsUnfinished)
            return AddUnfinished();
        TraceSpan span = AddJobSpan();
        span.Set("vivarium.job.end", result.End.ToString());
        span.Set("vivarium.job.exit_code", (long)result.ExitCode);
        span.Set("vivarium.engine", job.Spec.Engine.ToString().ToLowerInvariant());
        span.Set("vivarium.clock", job.Spec.Clock.ToString().ToLowerInvariant());
        span.Set("vivarium.instructions", (long)result.Usage.Instructions);
        span.Set("vivarium.memory.peak", (long)result.Usage.PeakMemory);
        span.Set("vivarium.processes.count", (long)result.Usage.Processes);
        span.Set("vivarium.records.lost", job.Recorder.Records?.Lost ?? 0);
        if (job.Node.Length > 0)
            span.Set("vivarium.node", job.Node);
        if (job.Spec.Seed is { } seed)
            span.Set("vivarium.seed", seed.ToString(CultureInfo.InvariantCulture));
        span.Error = Failure;
        return span;
    }

    private string? Failure => job.Result.End == JobEnd.Exited && job.Result.Code == 0 ? null : job.Result.Message ?? $"exit code {job.Result.ExitCode}";

    private TraceSpan AddJobSpan()
    {
        long start = job.Accepted > 0 ? Math.Min(job.Accepted, job.Queued) : job.Queued;
        TraceSpan span = Add(SpanKind.Job, job.Context.Parent, "job " + GuestText.Of(job.Spec.Program), start, job.Ended, id: job.Context.JobSpan);
        span.Set("vivarium.job.id", job.Id.ToString());
        return span;
    }

    private TraceSpan AddAttempt(TraceSpan parent)
    {
        TraceSpan span = Add(SpanKind.Attempt, parent.Id, AttemptSpans.NameOf(job.Attempt), job.Queued, job.Ended);
        AttemptSpans.Describe(span, job.Attempt, job.Node, job.IsUnfinished ? TraceRecording.Running : job.Result.End.ToString());
        span.Error = job.IsUnfinished ? null : Failure;
        return span;
    }

    /// <summary>The job as far as it is: nothing of its end is known.</summary>
    private TraceSpan AddUnfinished()
    {
        TraceSpan span = AddJobSpan();
        span.Set("vivarium.job.end", TraceRecording.Running);
        span.Set("vivarium.records.lost", job.Recorder.Records?.Lost ?? 0);
        if (job.Node.Length > 0)
            span.Set("vivarium.node", job.Node);
        return span;
    }

    private TraceSpan AddPhase(TraceSpan parent, string name, long start, long end) => Add(SpanKind.Phase, parent.Id, name, start, Math.Max(start, end));

    private void AddProcess(ProcessFold process, TraceSpan parent)
    {
        string path = GuestText.Of(process.Executable);
        string name = path.Length == 0 ? $"process {process.Id}" : path[(path.LastIndexOf('/') + 1)..];
        // The first one is there before the program runs: viewers have a child within its parent.
        long start = parent.Kind == SpanKind.Phase ? Math.Max(process.Start + Offset, parent.Start) : process.Start + Offset;
        TraceSpan span = Add(SpanKind.Process, parent.Id, name, start, process.End + Offset, process.Id);
        _processes[process.Id] = span;
        span.Set("process.pid", (long)process.Id);
        span.Set("process.parent_pid", (long)process.Parent);
        if (path.Length > 0)
        {
            span.Set("process.executable.path", path);
            span.Set("process.executable.name", name);
        }
        if (process.System is { } system)
        {
            span.Set("os.type", system);
            span.Set("host.arch", process.Processor!);
        }
        span.Set("process.command_args", process.Arguments.Select(static argument => GuestText.Of(argument)).ToArray());
        if (process.ExitCode is { } code)
            span.Set("process.exit.code", (long)code);
        if (process.Signal is { } signal)
        {
            span.Set("vivarium.process.signal", SignalText.NameOf(signal));
            span.Error = "killed by " + SignalText.NameOf(signal);
        }
        else if (process.ExitCode is { } failed and not 0)
        {
            span.Error = string.Create(CultureInfo.InvariantCulture, $"exit code {failed}");
        }
        AddRuns(process, span);
    }

    /// <summary>The processes that there was no room for, as one.</summary>
    private void AddOthers(ProcessFold others, TraceSpan parent)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"{folder.OtherProcesses:N0} more processes");
        TraceSpan span = Add(SpanKind.Process, parent.Id, name, others.Start + Offset, others.End + Offset, others.Id);
        span.Set("vivarium.processes.folded", (long)folder.OtherProcesses);
        AddRuns(others, span);
    }

    private void AddRuns(ProcessFold process, TraceSpan parent)
    {
        foreach (CallRun run in process.Runs)
        {
            CallTally sum = run.Sum();
            // All its calls have spans of their own: those go to the process.
            if (sum.Count == 0)
                _runs[run] = parent;
            else
                _runs[run] = AddRun(process, run, sum, parent);
        }
    }

    private TraceSpan AddRun(ProcessFold process, CallRun run, CallTally sum, TraceSpan parent)
    {
        CallTally[] tallies = [.. run.Tallies.Where(static tally => tally.Count > 0).OrderByDescending(static tally => tally.Time).ThenBy(static tally => tally.Number)];
        string first = CallRecorder.NameOf(tallies[0].Number);
        string name = (tallies.Length, sum.Count) switch
        {
            (1, 1) => first,
            (1, _) => string.Create(CultureInfo.InvariantCulture, $"{first} ×{sum.Count:N0}"),
            (2, _) => string.Create(CultureInfo.InvariantCulture, $"{first}, {CallRecorder.NameOf(tallies[1].Number)} ×{sum.Count:N0}"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{first}, {CallRecorder.NameOf(tallies[1].Number)} … ×{sum.Count:N0}"),
        };
        TraceSpan span = Add(SpanKind.Run, parent.Id, name, run.Start + Offset, run.End + Offset, process.Id, run.FirstIndex, run.LastIndex);
        span.Set("vivarium.calls.count", sum.Count);
        span.Set("vivarium.calls.time_ns", sum.Time);
        span.Set("vivarium.calls.blocked_ns", sum.Blocked);
        span.Set("vivarium.calls.longest_ns", sum.Longest);
        span.Set("vivarium.calls.errors", sum.Errors);
        foreach (CallTally tally in tallies)
            span.Set("vivarium.calls.by_name." + CallRecorder.NameOf(tally.Number), tally.Count);
        return span;
    }

    private void AddSingle(SingleCall call)
    {
        ref readonly CallRecord record = ref call.Record;
        TraceSpan parent = _runs[call.Run];
        string name = CallRecorder.NameOf(record.Number);
        TraceSpan span = Add(SpanKind.Call, parent.Id, name, record.Start + Offset, record.Start + record.Duration + Offset, record.Process, call.Index, call.Index, NameForOthers(call));
        _calls[record.Sequence] = span;
        span.Set("vivarium.call", RecordText.Of(record, name));
        span.Set("vivarium.calls.count", 1L);
        span.Set("vivarium.calls.time_ns", record.Duration);
        span.Set("vivarium.calls.blocked_ns", record.Blocked);
        span.Set("vivarium.calls.errors", record.HasFailed ? 1L : 0L);
        span.Set("vivarium.call.reason", call.Reasons.ToString().ToLowerInvariant());
        span.Set("thread.id", (long)record.Thread);
        if (record.Subject is { } subject)
            span.Set("vivarium.call.file", GuestText.Of(subject));
        if (record.Blocked > 0)
            span.Set("vivarium.wait.for", WaitText(record, name));
        if (!record.HasFailed)
            return;
        span.Set("error.type", record.Error.ToString());
        // Errors that programs expect are no failures: only what was noted as the first of its kind is marked.
        if ((call.Reasons & SingleReasons.Failed) != 0)
            span.Error = record.Error.ToString();
    }

    /// <summary>What a blocked call waited for: <c>futex 0x7f…</c>, <c>child 12</c>, <c>pipe:[7]</c>.</summary>
    internal static string WaitText(in CallRecord record, string name) => WaitLedger.KindOf(name) switch
    {
        WaitKind.Futex => string.Create(CultureInfo.InvariantCulture, $"futex 0x{record.Arguments[0]:x}"),
        // vfork(2) waits for the child it makes, and has no arguments.
        WaitKind.Child when name is "vfork" or "clone" or "clone3" => string.Create(CultureInfo.InvariantCulture, $"child {record.Result}"),
        WaitKind.Child => (int)record.Arguments[0] > 0 ? string.Create(CultureInfo.InvariantCulture, $"child {(int)record.Arguments[0]}") : "any child",
        WaitKind.Timer => "timer",
        WaitKind.Signal => "signal",
        WaitKind.Descriptors => record.Subject is null ? "descriptors" : "descriptors of " + GuestText.Of(record.Subject),
        _ => record.Subject is { } subject ? GuestText.Of(subject) : string.Create(CultureInfo.InvariantCulture, $"descriptor {(int)record.Arguments[0]}"),
    };

    /// <summary>From a call that waited to the one that ended its wait: that call's own span, or the run it was folded into.</summary>
    private void Link(SingleCall call)
    {
        ref readonly CallRecord record = ref call.Record;
        if (record.WokenBy == 0)
            return;
        if (record.WokenByWorld is { } world)
        {
            LinkToOther(record, world);
            return;
        }
        TraceSpan? waker = _calls.GetValueOrDefault(record.WokenBy) ?? FindRun(record.WokenByProcess, record.WokenBy);
        if (waker is null)
            return;
        TraceSpan span = _calls[record.Sequence];
        span.Links.Add(new TraceLink(waker.Id, "woken by"));
        span.Set("vivarium.wait.woken_by", string.Create(CultureInfo.InvariantCulture, $"{waker.Name} (process {record.WokenByProcess})"));
        span.Set("vivarium.wait.woken_by_call", record.WokenBy);
    }

    /// <summary>
    /// To the call of another job: to the span of the first call of its burst, which is mostly itself. Its place says which it was in that job's
    /// listing.
    /// </summary>
    private void LinkToOther(in CallRecord record, byte[] world)
    {
        if (TraceIdentity.Read(world) is not { } other)
            return;
        TraceSpan span = _calls[record.Sequence];
        bool isNamed = record.WokenBySent is > 0 and <= TraceIdentity.NamedCalls;
        span.Links.Add(new TraceLink(isNamed ? other.CallSpan(record.WokenBySent) : other.JobSpan, "woken by", other.TraceId));
        span.Set("vivarium.wait.woken_by", string.Create(CultureInfo.InvariantCulture, $"call {record.WokenBy} of process {record.WokenByProcess} in {other}"));
        span.Set("vivarium.wait.woken_by_call", record.WokenBy);
        span.Set("vivarium.wait.woken_by_job", other.Job);
    }

    private ulong? NameForOthers(SingleCall call) =>
        (call.Reasons & SingleReasons.Sent) != 0 ? TraceIdentity.Of(job.Id, job.Context).CallSpan(call.Record.Sent) : null;

    private TraceSpan? FindRun(int process, long sequence)
    {
        IReadOnlyList<CallRun> runs = folder.Processes.FirstOrDefault(fold => fold.Id == process)?.Runs ?? folder.Others?.Runs ?? [];
        CallRun? best = null;
        foreach (CallRun run in runs)
        {
            bool holds = run.FirstSequence <= sequence && sequence <= run.LastSequence;
            if (holds && (best is null || run.LastSequence - run.FirstSequence < best.LastSequence - best.FirstSequence))
                best = run;
        }
        return best is null ? null : _runs[best];
    }

    private TraceSpan Add(SpanKind kind, ulong parent, string name, long start, long end, int process = 0, long first = -1, long last = -1, ulong? id = null)
    {
        var span = new TraceSpan
        {
            Id = id ?? job.Context.SpanId(_spans.Count),
            Parent = parent,
            Name = name,
            Kind = kind,
            Start = start,
            End = Math.Max(start, end),
            Process = process,
            FirstIndex = first,
            LastIndex = last,
        };
        _spans.Add(span);
        return span;
    }
}
