using Vivarium.Messages;

namespace Vivarium.Actors.Jobs;

/// <summary>
/// A job's state machine: state and event in, state out. Pure, so a journal replayed anywhere gives the same state.
/// <code>
/// None → Accepted → Queued → Running → Succeeded | Failed | Cancelled | TimedOut
///            └─────────┴── Cancelled, Failed (could not start)
/// </code>
/// </summary>
public sealed record JobLifecycle
{
    public static JobLifecycle Initial { get; } = new();

    public JobState State { get; private init; }

    /// <summary>Null before the job is accepted.</summary>
    public JobSpec? Spec { get; private init; }

    /// <summary>Null until the job is over.</summary>
    public JobResult? Result { get; private init; }

    public bool CancelRequested { get; private init; }

    /// <summary>How often the job was started; more than once when a node was lost.</summary>
    public int Starts { get; private init; }

    /// <summary>The state after an event.</summary>
    /// <exception cref="InvalidOperationException">The event cannot happen in this state: a bug of the caller.</exception>
    public JobLifecycle Apply(JobEvent happened) => (State, happened) switch
    {
        (JobState.None, JobEvent.Accepted accepted) => this with { State = JobState.Accepted, Spec = accepted.Spec },
        // From Running: the node that ran it was lost, and the job waits for a worker again.
        (JobState.Accepted or JobState.Running or JobState.Queued, JobEvent.Queued) => this with { State = JobState.Queued },
        (JobState.Queued, JobEvent.Started) => this with { State = JobState.Running, Starts = Starts + 1 },
        (JobState.Accepted or JobState.Queued or JobState.Running, JobEvent.CancelRequested) => this with { CancelRequested = true },
        (JobState.Accepted or JobState.Queued or JobState.Running, JobEvent.Finished finished) =>
            this with { State = Final(finished.Result), Result = finished.Result },
        _ => throw new InvalidOperationException($"{happened.GetType().Name} in state {State}"),
    };

    /// <summary>The state a whole journal leads to.</summary>
    public static JobLifecycle Replay(IReadOnlyList<JobEvent> journal)
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
