namespace Vivarium.Messages;

/// <summary>Where a job is in its life.</summary>
public enum JobState
{
    /// <summary>Not known to the cluster.</summary>
    None,

    /// <summary>Committed to the journal: it will not be lost.</summary>
    Accepted,

    /// <summary>Waiting for a worker.</summary>
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

    public sealed record Accepted(JobSpec Spec) : JobEvent;

    public sealed record Queued : JobEvent;

    public sealed record Started : JobEvent;

    public sealed record CancelRequested : JobEvent;

    public sealed record Finished(JobResult Result) : JobEvent;
}

public static class JobStates
{
    /// <summary>True when nothing more happens to a job in this state.</summary>
    public static bool IsFinal(this JobState state) => state >= JobState.Succeeded;
}
