using Vivarium.Actors.Execution;
using Vivarium.Emulator.Kernel;
using Vivarium.Messages;

namespace Vivarium.Actors.Jobs;

/// <summary>What a node hands its jobs.</summary>
/// <param name="Node">The node's name.</param>
/// <param name="Backend">Runs them.</param>
/// <param name="Workers">The threads' queue.</param>
/// <param name="Clock">The host's clock, for time limits.</param>
/// <param name="ReportBug">Is told an exception that ended a job; returns the line the user sees.</param>
public sealed record JobServices(string Node, IBackend Backend, WorkerPool Workers, IClock Clock, Func<Exception, string> ReportBug)
{
    /// <summary>Attempts that may be lost with their nodes before the job is taken for what kills them.</summary>
    public int LargestLosses { get; init; } = 5;

    /// <summary>False while no world may run because the node's lease may be over; null: they always may.</summary>
    public Func<bool>? MayRun { get; init; }

    /// <summary>Where a job may run; null: here.</summary>
    public IPlacement? Placement { get; init; }

    /// <summary>Brings a job's image to this node and names it in the specification. Null where there are none.</summary>
    public IJobPreparation? Preparation { get; init; }

    /// <summary>Told, on any thread, when a job has a result that is durable.</summary>
    public Action<JobId, JobResult>? Finished { get; init; }
}

/// <summary>Knows which node meets which job's requirements.</summary>
public interface IPlacement
{
    /// <summary>True when this node does.</summary>
    bool IsHere(JobSpec spec);

    /// <summary>A shard whose node does; null when there is none.</summary>
    int? FindShard(JobId id, JobSpec spec);

    /// <summary>What the job waits for when there is none, in one line.</summary>
    string? Explain(JobSpec spec);
}

/// <summary>What must be there before a job can start.</summary>
public interface IJobPreparation
{
    /// <summary>True when the job needs it.</summary>
    bool IsNeeded(JobSpec spec);

    /// <summary>The specification to run, as with the folder that an image was unpacked into.</summary>
    /// <exception cref="JobPreparationException">It cannot be had.</exception>
    ValueTask<JobSpec> Prepare(JobSpec spec);
}

/// <summary>A job cannot be set up; the message is one sentence for its user.</summary>
public sealed class JobPreparationException(string message) : Exception(message);
