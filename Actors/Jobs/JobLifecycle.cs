using Vivarium.Messages;

namespace Vivarium.Actors.Jobs;

/// <summary>
/// A job's state machine: state and event in, state out. Pure, so a journal replayed anywhere gives the same state.
/// <code>
/// None → Queued → Running → Succeeded | Failed | Cancelled | TimedOut
///        ↑    ↑      └─ Interrupted, Retried: queued again
///        └ Waiting   Queued and Waiting also end: Cancelled, Failed
/// </code>
/// </summary>
public sealed record JobLifecycle
{
    public static JobLifecycle Initial { get; } = new();

    public JobState State { get; init; }

    /// <summary>Null before the job is accepted.</summary>
    public JobSpec? Spec { get; init; }

    /// <summary>Null until the job is over.</summary>
    public JobResult? Result { get; init; }

    public bool CancelRequested { get; init; }

    /// <summary>How often the job was started, which numbers its attempts from 1.</summary>
    public int Attempts { get; init; }

    /// <summary>Attempts that failed and were followed by another.</summary>
    public int Failures { get; init; }

    /// <summary>Attempts that ended with their node.</summary>
    public int Losses { get; init; }

    /// <summary>The node of the latest attempt.</summary>
    public string? Node { get; init; }

    /// <summary>The state after an event.</summary>
    /// <exception cref="InvalidOperationException">The event cannot happen in this state: a bug of the caller.</exception>
    public JobLifecycle Apply(JobEvent happened) => (State, happened) switch
    {
        (JobState.None, JobEvent.Accepted accepted) => this with { State = JobState.Queued, Spec = accepted.Spec },
        (JobState.Queued, JobEvent.Waited) => this with { State = JobState.Waiting },
        (JobState.Queued or JobState.Waiting, JobEvent.Moved) => this with { State = JobState.Queued },
        (JobState.Queued, JobEvent.Started started) =>
            this with { State = JobState.Running, Attempts = Attempts + 1, Node = started.Node },
        (JobState.Running, JobEvent.Interrupted) => this with { State = JobState.Queued, Losses = Losses + 1 },
        (JobState.Running, JobEvent.Retried) => this with { State = JobState.Queued, Failures = Failures + 1 },
        (JobState.Waiting or JobState.Queued or JobState.Running, JobEvent.CancelRequested) => this with { CancelRequested = true },
        (JobState.Waiting or JobState.Queued or JobState.Running, JobEvent.Finished finished) =>
            this with { State = Final(finished.Result), Result = finished.Result },
        _ => throw new InvalidOperationException($"{happened.GetType().Name} in state {State}"),
    };

    /// <summary>The state a whole journal leads to.</summary>
    public static JobLifecycle Replay(IEnumerable<JobEvent> journal)
    {
        JobLifecycle state = Initial;
        foreach (JobEvent happened in journal)
            state = state.Apply(happened);
        return state;
    }

    private static JobState Final(JobResult result) => result.End switch
    {
        JobEnd.Exited when result.Code == 0 => JobState.Succeeded,
        JobEnd.Cancelled => JobState.Cancelled,
        JobEnd.TimedOut => JobState.TimedOut,
        _ => JobState.Failed,
    };
}
