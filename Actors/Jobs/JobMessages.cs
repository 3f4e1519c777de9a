using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Actors.Jobs;

/// <summary>What job actors are told on their own node.</summary>
public abstract record JobMessage
{
    private JobMessage()
    {
    }

    /// <summary>A queued job's turn has come.</summary>
    public sealed record Begin(JobRecord Record) : JobMessage, ISeed;

    /// <summary>An earlier owner of the shard left the job running.</summary>
    public sealed record Recover(JobRecord Record) : JobMessage, ISeed;

    /// <summary>Nodes came or went: a waiting job may have a place now.</summary>
    public sealed record Place(JobRecord Record) : JobMessage, ISeed;

    /// <summary>A command from outside. The reply is called once, on any thread.</summary>
    public sealed record Ask(JobCommand Command, Action<JobReply> Reply) : JobMessage;

    /// <summary>What was asked for before the start is there, or cannot be had.</summary>
    internal sealed record Prepared(JobSpec? Spec, JobResult? Failure) : JobMessage;

    /// <summary>The run is over.</summary>
    internal sealed record Ended(JobResult Result) : JobMessage;

    /// <summary>All that the actor wrote is durable.</summary>
    internal sealed record Settled : JobMessage;
}
