using Vivarium.Messages;

namespace Vivarium.Actors.Sharding;

/// <summary>
/// Where jobs live and are reached by name. The one seam between job logic and what distributes it: this folder's
/// <see cref="ShardRegion"/> over database leases, or another cluster's sharding.
/// </summary>
public interface IEntityHost
{
    /// <summary>Delivers a message to the entity, starting it when needed. Returns at once; messages of one sender keep their order.</summary>
    /// <exception cref="ShardUnavailableException">Another node owns the entity's shard.</exception>
    void Tell(JobId id, object message);
}

/// <summary>One addressable thing of a shard. Receives one message at a time.</summary>
public interface IEntity
{
    void Receive(object message);
}

/// <summary>Starts an entity and lets it restore itself from its journal before its first message.</summary>
public interface IEntityFactory
{
    IEntity Create(JobId id, IEntityContext context);
}

/// <summary>What an entity has of its host.</summary>
public interface IEntityContext
{
    /// <summary>The journal so far, oldest first.</summary>
    IReadOnlyList<JobEvent> ReadJournal();

    /// <summary>Commits an event; it is true for the cluster when this returns.</summary>
    /// <exception cref="ShardUnavailableException">The shard's lease is lost; the entity must stop.</exception>
    void Commit(JobEvent committed);

    /// <summary>Sends a message to the entity itself, from any thread.</summary>
    void TellSelf(object message);
}

/// <summary>A shard is owned by another node, or its lease was lost while working.</summary>
public sealed class ShardUnavailableException(int shard) : Exception($"shard {shard} is owned by another node")
{
    public int Shard { get; } = shard;
}
