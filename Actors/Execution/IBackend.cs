using Vivarium.Actors.Jobs;
using Vivarium.Messages;

namespace Vivarium.Actors.Execution;

/// <summary>What runs jobs: the emulator, or the host itself.</summary>
public interface IBackend
{
    /// <summary>Prepares a run. Cheap: the work of setting up is done by the first <see cref="IJobRun.Run"/>.</summary>
    /// <param name="output">Takes what the job writes, where its output is kept by the cluster.</param>
    IJobRun Create(JobId id, JobSpec spec, JobOutput output);
}

/// <summary>
/// One run of a job on a backend. <see cref="Run"/> and <see cref="IDisposable.Dispose"/> are called by one worker at a time;
/// everything else may be called from any thread.
/// </summary>
public interface IJobRun : IDisposable
{
    /// <summary>Works for about <paramref name="quantum"/> guest instructions, or until there is nothing to do.</summary>
    RunState Run(long quantum);

    /// <summary>Raised, from any thread, when an idle run has something to do.</summary>
    event Action? Woken;

    /// <summary>When the job came into the node's queue, nanoseconds since 1970 UTC; for its trace.</summary>
    long QueuedAt
    {
        set
        {
        }
    }

    /// <summary>When the job was accepted, nanoseconds since 1970 UTC; for its trace.</summary>
    long AcceptedAt
    {
        set
        {
        }
    }

    /// <summary>True when the job is begun again after this run; told before <see cref="IDisposable.Dispose"/>, for its trace.</summary>
    bool IsRetried
    {
        set
        {
        }
    }

    /// <summary>How the job ended, when that was not its program's doing: told before <see cref="IDisposable.Dispose"/>, for its trace.</summary>
    JobResult StoppedBy
    {
        set
        {
        }
    }

    /// <summary>Passes a command on. The reply is called once, from any thread.</summary>
    void Deliver(JobCommand command, Action<JobReply> reply);

    /// <summary>The end, once <see cref="Run"/> returned <see cref="RunState.Done"/>; what was used so far before that.</summary>
    JobResult Result { get; }
}

/// <summary>What a run wants after a quantum.</summary>
public readonly record struct RunState
{
    private RunState(bool isDone, long? wakeAt)
    {
        IsDone = isDone;
        WakeAt = wakeAt;
    }

    public bool IsDone { get; }

    /// <summary>Host monotonic nanoseconds at which to go on unless woken before: 0 = at once, null = only when woken.</summary>
    public long? WakeAt { get; }

    /// <summary>Has more to do now.</summary>
    public static RunState Ready => new(false, 0);

    public static RunState Done => new(true, null);

    public static RunState Idle(long? wakeAt) => new(false, wakeAt);
}
