using Vivarium.Actors.Jobs;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Actors.Sharding;

/// <summary>
/// Where jobs live and are reached by name. The one seam between job logic and what distributes it: this folder's
/// <see cref="ShardRegion"/> over leases in the store, or another cluster's sharding (docs/architecture.md says what that needs).
/// </summary>
public interface IEntityHost
{
    /// <summary>
    /// Delivers a message to the entity, starting it when needed. Returns at once; messages of one sender keep their order. False
    /// when the shard is not owned here.
    /// </summary>
    bool Tell(int shard, JobId id, object message);
}

/// <summary>One addressable thing of a shard. Receives one message at a time.</summary>
public interface IEntity
{
    void Receive(object message);

    /// <summary>The shard is lost: whatever runs must end, and nothing more can be written.</summary>
    void Stop();
}

/// <summary>Makes entities from what the store has of them.</summary>
public interface IEntityFactory
{
    IEntity Create(JobRecord record, IEntityContext context);

    /// <summary>The message for an entity that an earlier owner of the shard left running.</summary>
    ISeed Recovery(JobRecord record);

    /// <summary>Answers a message to an entity that the store does not know, or cannot be asked about now.</summary>
    void Refuse(object message, bool isUnavailable);
}

/// <summary>What an entity has of its host.</summary>
public interface IEntityContext
{
    /// <summary>
    /// Writes an event and the state it led to. The entity goes on at once as if it were written; what it tells others must wait for
    /// <paramref name="done"/>, which is called on any thread with whether it is durable. Entries become durable in order.
    /// </summary>
    void Commit(JobEvent happened, JobLifecycle after, Action<bool>? done = null);

    /// <summary>Writes output, like <see cref="Commit"/>.</summary>
    void WriteOutput(int attempt, OutputChunk chunk, Action<bool> done);

    /// <summary>Sends a message to the entity itself, from any thread.</summary>
    void TellSelf(object message);

    /// <summary>Forgets the entity. Called when all it wrote is durable; a later message makes it anew from the store.</summary>
    void Passivate();
}
