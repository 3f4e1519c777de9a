namespace Vivarium.Messages;

/// <summary>Where a job is in its life.</summary>
public enum JobState
{
    /// <summary>Not known to the cluster.</summary>
    None,

    /// <summary>No node there meets its requirements.</summary>
    Waiting,

    /// <summary>Committed to the store, so that it will not be lost, and waiting for a worker.</summary>
    Queued,

    Running,

    /// <summary>The program returned exit code 0.</summary>
    Succeeded,

    /// <summary>The program returned another code, was killed, or could not start.</summary>
    Failed,

    Cancelled,

    TimedOut,
}

/// <summary>One fact of a job's life, as its journal keeps it.</summary>
public abstract record JobEvent
{
    private JobEvent()
    {
    }

    /// <summary>The job is the cluster's, and queued.</summary>
    public sealed record Accepted(JobSpec Spec) : JobEvent;

    /// <summary>Its node does not meet its requirements, and no other does.</summary>
    /// <param name="Reason">What it waits for, in one line; null in journals of older versions.</param>
    public sealed record Waited(string? Reason = null) : JobEvent;

    /// <summary>It was given to a shard whose node meets its requirements, and is queued there.</summary>
    public sealed record Moved(int Shard) : JobEvent;

    /// <summary>An attempt began.</summary>
    public sealed record Started(string Node) : JobEvent;

    /// <summary>The attempt is lost: its node died, was drained or lost its lease. The job is queued again.</summary>
    public sealed record Interrupted(string Reason) : JobEvent;

    /// <summary>The attempt failed, and another is due. The job is queued again.</summary>
    public sealed record Retried(JobResult Result) : JobEvent;

    public sealed record CancelRequested : JobEvent;

    public sealed record Finished(JobResult Result) : JobEvent;
}

public static class JobStates
{
    /// <summary>True when nothing more happens to a job in this state.</summary>
    public static bool IsFinal(this JobState state) => state >= JobState.Succeeded;
}
