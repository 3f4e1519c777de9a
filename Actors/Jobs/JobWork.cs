using Vivarium.Actors.Execution;
using Vivarium.Emulator.Kernel;
using Vivarium.Messages;

namespace Vivarium.Actors.Jobs;

/// <summary>What a node hands its jobs.</summary>
/// <param name="Backend">Runs them.</param>
/// <param name="Workers">The threads' queue.</param>
/// <param name="Clock">The host's clock, for time limits.</param>
/// <param name="ReportBug">Is told an exception that ended a job; returns the line the user sees.</param>
public sealed record JobServices(IBackend Backend, WorkerPool Workers, IClock Clock, Func<Exception, string> ReportBug);

/// <summary>
/// A job's run as work for the pool: starts it, keeps its time limit, ends it on cancellation, and tells the actor. Runs on
/// workers; <see cref="Cancel"/> and <see cref="Deliver"/> come from any thread.
/// </summary>
internal sealed class JobWork(JobId id, JobSpec spec, JobServices services, Action<object> tell) : IWork
{
    private readonly Lock _lock = new();
    private readonly List<JobCommand> _early = [];
    private WorkerPool.Ticket? _ticket;
    private IJobRun? _run;
    private long _startedAt;
    private long? _deadline;
    private volatile bool _cancelled;

    public sealed record Started;

    public sealed record Ended(JobResult Result);

    public void Enter(WorkerPool workers)
    {
        _ticket = workers.Add(this);
        _ticket.Wake();
    }

    public void Cancel()
    {
        _cancelled = true;
        _ticket?.Wake();
    }

    /// <summary>Passes a command to the run, or keeps it for the run's start.</summary>
    public void Deliver(JobCommand command)
    {
        lock (_lock)
        {
            if (_run is not null)
                _run.Deliver(command);
            else
                _early.Add(command);
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
        if (_cancelled)
            return End(new JobResult { End = JobEnd.Cancelled, Message = "cancelled", Usage = Usage });
        IJobRun run = _run ?? Start();
        RunState state = run.Run(quantum);
        if (state.IsDone)
            return End(run.Result with { Usage = Usage });
        if (_deadline is not { } deadline)
            return state;
        if (services.Clock.Monotonic >= deadline)
            return End(new JobResult { End = JobEnd.TimedOut, Message = $"stopped after {spec.Limits.Timeout!.Value.TotalSeconds:0.###} s (--timeout)", Usage = Usage });
        return state.WakeAt is { } wakeAt && wakeAt <= deadline ? state : RunState.Idle(deadline);
    }

    private JobUsage Usage => _run is null
        ? new JobUsage()
        : _run.Result.Usage with { Elapsed = new TimeSpan((services.Clock.Monotonic - _startedAt) / 100) };

    private IJobRun Start()
    {
        tell(new Started());
        _startedAt = services.Clock.Monotonic;
        if (spec.Limits.Timeout is { } timeout)
            _deadline = _startedAt + (timeout.Ticks * 100);
        IJobRun run = services.Backend.Create(id, spec);
        run.Woken += _ticket!.Wake;
        lock (_lock)
        {
            _run = run;
            foreach (JobCommand command in _early)
                run.Deliver(command);
            _early.Clear();
        }
        return run;
    }

    private RunState End(JobResult result)
    {
        IJobRun? run;
        lock (_lock)
        {
            run = _run;
            _run = null;
        }
        run?.Dispose();
        tell(new Ended(result));
        return RunState.Done;
    }
}
