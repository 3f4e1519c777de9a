using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Telemetry.Folding;

/// <summary>
/// Folds a job's calls as they come into at most a few hundred spans' worth of runs and single calls. Everything still adds up: a
/// call is counted in one run or is one of the singles, never both.
/// </summary>
public sealed class CallFolder
{
    /// <summary>Processes with spans of their own; the others are told together.</summary>
    public const int ProcessBudget = 100;

    /// <summary>Runs of the whole job.</summary>
    public const int RunBudget = 200;

    /// <summary>Calls at least this long may be told by themselves, nanoseconds.</summary>
    public const long Noticeable = 100_000;

    private const int SlowBudget = 45, BlockedBudget = 45, FailedBudget = 40, SampleBudget = 20;

    private readonly Dictionary<int, ProcessFold> _processes = [];
    private readonly List<ProcessFold> _shown = [];
    private readonly TopCalls _slow = new(SlowBudget, SingleReasons.Slow);
    private readonly TopCalls _blocked = new(BlockedBudget, SingleReasons.Blocked);
    private readonly long[] _failures = new long[FailedBudget];
    private int _failureCount;
    private readonly Queue<SingleCall> _samples = new();
    private readonly Dictionary<long, SingleCall> _singles = [];
    private ProcessFold? _last;
    private long _index;
    private long _stride = 64;

    /// <summary>A bit for each number under which a call that sent something has a span.</summary>
    private ulong _named;

    public CallFolder()
    {
        _slow.SetFloor(Noticeable - 1);
        _blocked.SetFloor(Noticeable - 1);
    }

    /// <summary>Calls so far.</summary>
    public long Count => _index;

    /// <summary>In order of their start.</summary>
    public IReadOnlyList<ProcessFold> Processes => _shown;

    /// <summary>The calls of the processes that have no span; null = there are none.</summary>
    public ProcessFold? Others { get; private set; }

    public int OtherProcesses { get; private set; }

    /// <summary>In order of their places.</summary>
    public IReadOnlyList<SingleCall> Singles() => [.. _singles.Values.OrderBy(static call => call.Index)];

    /// <summary>A process began.</summary>
    public ProcessFold Begin(int process, int parent, long now)
    {
        if (_shown.Count == ProcessBudget && !MakeRoom(now))
            return _processes[process] = OthersAt(now);
        var fold = new ProcessFold(process, parent, now);
        _processes[process] = fold;
        _shown.Add(fold);
        return fold;
    }

    /// <summary>The fold that a process's calls go to; one that was never begun is begun now.</summary>
    public ProcessFold Find(int process, long now) => _processes.TryGetValue(process, out ProcessFold? fold) ? fold : Begin(process, 0, now);

    public void Finish(int process, long now, int? exitCode, int? signal)
    {
        ProcessFold fold = Find(process, now);
        fold.End = Math.Max(fold.End, now);
        if (ReferenceEquals(fold, Others))
            return;
        (fold.ExitCode, fold.Signal, fold.HasEnded) = (exitCode, signal, true);
    }

    public void Add(ReadOnlySpan<CallRecord> records)
    {
        for (int i = 0; i < records.Length;)
        {
            ref readonly CallRecord record = ref records[i];
            ProcessFold process = _last is { } last && last.Id == record.Process ? last : _last = Find(record.Process, record.Start);
            CallRun run = process.RunOf(record, _index);
            if (!IsSingle(record))
                run.Add(record);
            else
                AddSingle(record, run);
            _index++;
            i++;
            if (run.IsOf(record.Number))
                i += AddLike(records[i..], record, process, run);
        }
    }

    /// <summary>Counts the calls that follow a like one in its run, up to the first that may be told by itself: how many.</summary>
    private int AddLike(ReadOnlySpan<CallRecord> records, in CallRecord first, ProcessFold process, CallRun run)
    {
        // Up to the next sample.
        int most = (int)Math.Min(records.Length, _stride - 1 - (_index & (_stride - 1)));
        var like = LikeCalls.Of(records[..most], first, _slow.Floor, _blocked.Floor);
        if (like.Count == 0)
            return 0;
        process.Reach(like.End);
        _index += like.Count;
        run.Add(like, _index - 1);
        return like.Count;
    }

    /// <summary>Ends what still runs and joins runs until all are within the budget.</summary>
    public void Complete(long now)
    {
        foreach (ProcessFold process in _shown)
        {
            if (!process.HasEnded)
                process.End = Math.Max(process.End, now);
        }
        List<ProcessFold> all = Others is null ? _shown : [.. _shown, Others];
        long phase = 0, longest = 1L << 62;
        // The shortest phase with which the runs are few enough.
        while (CountAt(all, phase) > Math.Max(RunBudget, all.Count) && phase < longest)
            phase = (2 * phase) + 1;
        foreach (ProcessFold process in all)
            process.JoinWithin(phase);
    }

    /// <summary>The same calls folded as far, in a folder of its own: completing it changes nothing here.</summary>
    public CallFolder Copy()
    {
        Dictionary<CallRun, CallRun> runs = [];
        var copy = new CallFolder { _index = _index, _stride = _stride, OtherProcesses = OtherProcesses, Others = Others?.Copy(runs) };
        foreach (ProcessFold process in _shown)
            copy._shown.Add(process.Copy(runs));
        foreach (SingleCall call in Singles())
            copy._singles.Add(call.Index, new SingleCall(call.Record, call.Index, runs[call.Run]) { Reasons = call.Reasons });
        return copy;
    }

    private static int CountAt(List<ProcessFold> processes, long phase)
    {
        int count = 0;
        foreach (ProcessFold process in processes)
            count += phase == 0 ? process.Runs.Count : process.CountAt(phase);
        return count;
    }

    private bool IsSingle(in CallRecord record)
    {
        long duration = record.Duration;
        if (duration > _slow.Floor && duration - record.Blocked > _slow.Floor)
            return true;
        return record.Blocked > _blocked.Floor || (record.HasFailed && IsNewFailure(record)) || (_index & (_stride - 1)) == _stride - 1 || IsNamed(record);
    }

    /// <summary>True for the first of those that sent something to another world under one number.</summary>
    private bool IsNamed(in CallRecord record) => record.Sent is > 0 and <= Traces.TraceIdentity.NamedCalls && (_named >> record.Sent & 1) == 0;

    private bool IsNewFailure(in CallRecord record) => _failureCount < FailedBudget && !_failures.AsSpan(0, _failureCount).Contains(FailureOf(record));

    private static long FailureOf(in CallRecord record) => ((long)record.Number << 32) | (uint)record.Error;

    private void AddSingle(in CallRecord record, CallRun run)
    {
        long busy = record.Duration - record.Blocked;
        var call = new SingleCall(record, _index, run)
        {
            Reasons = (busy > _slow.Floor ? SingleReasons.Slow : 0)
                | (record.Blocked > _blocked.Floor ? SingleReasons.Blocked : 0)
                | (record.HasFailed && IsNewFailure(record) ? SingleReasons.Failed : 0)
                | ((_index & (_stride - 1)) == _stride - 1 ? SingleReasons.Sampled : 0)
                | (IsNamed(record) ? SingleReasons.Sent : 0),
        };
        _singles.Add(_index, call);
        SingleReasons reasons = call.Reasons;
        if ((reasons & SingleReasons.Sent) != 0)
            _named |= 1UL << record.Sent;
        if ((reasons & SingleReasons.Slow) != 0)
            Return(_slow.Add(call, busy));
        if ((reasons & SingleReasons.Blocked) != 0)
            Return(_blocked.Add(call, record.Blocked));
        if ((reasons & SingleReasons.Failed) != 0)
            _failures[_failureCount++] = FailureOf(record);
        if ((reasons & SingleReasons.Sampled) != 0)
            AddSample(call);
    }

    /// <summary>When there are too many, every second goes and the next ones are twice as far apart.</summary>
    private void AddSample(SingleCall call)
    {
        _samples.Enqueue(call);
        if (_samples.Count <= SampleBudget)
            return;
        _stride *= 2;
        for (int i = _samples.Count; i > 0; i--)
        {
            SingleCall sample = _samples.Dequeue();
            if ((sample.Index & (_stride - 1)) == _stride - 1)
            {
                _samples.Enqueue(sample);
                continue;
            }
            sample.Reasons &= ~SingleReasons.Sampled;
            Return(sample);
        }
    }

    /// <summary>A call that no reason is left for is counted in its run after all.</summary>
    private void Return(SingleCall? call)
    {
        if (call is { Reasons: SingleReasons.None } && _singles.Remove(call.Index))
            call.Run.Add(call.Record);
    }

    private ProcessFold OthersAt(long now)
    {
        OtherProcesses++;
        return Others ??= new ProcessFold(-1, 0, now);
    }

    /// <summary>The shortest process that has ended loses its place; false when none has.</summary>
    private bool MakeRoom(long now)
    {
        ProcessFold? least = null;
        foreach (ProcessFold process in _shown)
        {
            if (process.HasEnded && (least is null || process.End - process.Start < least.End - least.Start))
                least = process;
        }
        if (least is null)
            return false;
        _shown.Remove(least);
        ProcessFold others = OthersAt(now);
        _processes[least.Id] = others;
        if (ReferenceEquals(_last, least))
            _last = null;
        others.TakeOver(least);
        return true;
    }
}
