using Vivarium.Messages;

namespace Vivarium.Actors.Storage;

/// <summary>The right to write a shard's jobs. A later owner has a greater epoch, and the store refuses older ones.</summary>
/// <param name="Shard">The shard's number.</param>
/// <param name="Owner">The node's name.</param>
/// <param name="Epoch">Counts owners of this shard.</param>
/// <param name="ExpiresAt">Store time, nanoseconds, after which another node may take it.</param>
public readonly record struct ShardLease(int Shard, string Owner, long Epoch, long ExpiresAt);

/// <summary>
/// The cluster's authority (design decision 8): who owns a shard, and what happened to each job. Thread-safe; each operation is
/// one transaction.
/// </summary>
public interface IJobStore
{
    /// <summary>
    /// Takes a shard's lease, or extends it when <paramref name="owner"/> holds it. Null when another owner's lease has not
    /// expired. <paramref name="now"/> and <paramref name="duration"/> are nanoseconds.
    /// </summary>
    ShardLease? Acquire(int shard, string owner, long now, long duration);

    /// <summary>Gives the lease up early; nothing happens when it was lost already.</summary>
    void Release(in ShardLease lease);

    /// <summary>Adds an event to a job's journal; false when the lease's epoch is no longer the shard's.</summary>
    bool Append(in ShardLease lease, JobId job, JobEvent committed);

    /// <summary>A job's journal, oldest first; empty for an unknown job.</summary>
    IReadOnlyList<JobEvent> Read(JobId job);

    /// <summary>The shard's jobs, in order of acceptance.</summary>
    IReadOnlyList<JobId> List(int shard);
}
