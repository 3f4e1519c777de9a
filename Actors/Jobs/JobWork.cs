using Vivarium.Actors.Execution;
using Vivarium.Messages;

namespace Vivarium.Actors.Jobs;

/// <summary>
/// A job's run as work for the pool: starts it, keeps its time limit, ends it on cancellation, and tells the actor. Runs on
/// workers; the other methods are called from any thread.
/// </summary>
internal sealed class JobWork(JobId id, JobSpec spec, JobOutput output, JobServices services, Action<object> tell) : IWork
{
    /// <summary>Between two looks at a lease that is over, nanoseconds.</summary>
    private const long LeasePause = 5_000_000;

    private readonly Lock _lock = new();
    private readonly List<(JobCommand Command, Action<JobReply> Reply)> _early = [];
    private WorkerPool.Ticket? _ticket;
    private IJobRun? _run;
    private long _enteredAt;
    private long _startedAt;
    private long? _deadline;
    private bool _isOver;
    private volatile bool _isCancelled;
    private volatile bool _isAbandoned;

    /// <summary>When the job was accepted, nanoseconds since 1970 UTC.</summary>
    public long AcceptedAt { private get; init; }

    /// <summary>True when a job that failed is begun again.</summary>
    public bool MayRetry { private get; init; }

    public void Enter(WorkerPool workers)
    {
        _enteredAt = services.Clock.Realtime;
        _ticket = workers.Add(this);
        _ticket.Wake();
    }

    public void Cancel()
    {
        _isCancelled = true;
        _ticket?.Wake();
    }

    /// <summary>Ends the run without telling anybody: the job is not this node's any more.</summary>
    public void Abandon()
    {
        _isAbandoned = true;
        _ticket?.Wake();
    }

    /// <summary>Passes a command to the run, or keeps it for the run's start.</summary>
    public void Deliver(JobCommand command, Action<JobReply> reply)
    {
        lock (_lock)
        {
            if (_isOver)
                reply(JobReply.NotRunning);
            else if (_run is not null)
                _run.Deliver(command, reply);
            else
                _early.Add((command, reply));
        }
    }

    public RunState Run(long quantum)
    {
        try
        {
            return Step(quantum);
        }
        catch (Exception bug)
        {
            // One job's bug must not end the node's other jobs.
            return End(new JobResult { End = JobEnd.Broken, Message = services.ReportBug(bug) });
        }
    }

    private RunState Step(long quantum)
    {
        if (_isCancelled || _isAbandoned)
            return End(new JobResult { End = JobEnd.Cancelled, Message = "cancelled", Usage = Usage });
        // It goes on when the lease is renewed after all, or is ended when that is noticed.
        if (services.MayRun?.Invoke() == false)
            return RunState.Idle(services.Clock.Monotonic + LeasePause);
        IJobRun run = _run ?? Start();
        RunState state = run.Run(quantum);
        if (state.IsDone)
            return End(Timed(run.Result));
        if (_deadline is not { } deadline)
            return state;
        if (services.Clock.Monotonic >= deadline)
            return End(new JobResult { End = JobEnd.TimedOut, Message = $"stopped after {spec.Limits.Timeout!.Value.TotalSeconds:0.###} s (--timeout)", Usage = Usage });
        return state.WakeAt is { } wakeAt && wakeAt <= deadline ? state : RunState.Idle(deadline);
    }

    private JobUsage Usage => _run is null ? new JobUsage() : Timed(_run.Result).Usage;

    /// <summary>A run's result, with how long it took.</summary>
    private JobResult Timed(JobResult result) =>
        result with { Usage = result.Usage with { Elapsed = new TimeSpan((services.Clock.Monotonic - _startedAt) / 100) } };

    private IJobRun Start()
    {
        _startedAt = services.Clock.Monotonic;
        if (spec.Limits.Timeout is { } timeout)
            _deadline = _startedAt + (timeout.Ticks * 100);
        IJobRun run = services.Backend.Create(id, spec, output);
        run.QueuedAt = _enteredAt;
        run.AcceptedAt = AcceptedAt;
        run.Woken += _ticket!.Wake;
        lock (_lock)
        {
            _run = run;
            foreach ((JobCommand command, Action<JobReply> reply) in _early)
                run.Deliver(command, reply);
            _early.Clear();
        }
        return run;
    }

    private RunState End(JobResult result)
    {
        IJobRun? run;
        List<(JobCommand Command, Action<JobReply> Reply)> early;
        lock (_lock)
        {
            run = _run;
            _run = null;
            _isOver = true;
            early = [.. _early];
            _early.Clear();
        }
        foreach ((_, Action<JobReply> reply) in early)
            reply(JobReply.NotRunning);
        if (run is not null && !_isAbandoned)
        {
            run.StoppedBy = result;
            run.IsRetried = MayRetry && JobActor.IsFailure(result);
        }
        run?.Dispose();
        output.Complete();
        if (!_isAbandoned)
            tell(new JobMessage.Ended(result));
        return RunState.Done;
    }
}
