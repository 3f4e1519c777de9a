using Vivarium.Messages;

namespace Vivarium.Actors.Storage;

/// <summary>The right to write a shard's jobs. A later owner has a greater epoch, and the store refuses older ones.</summary>
/// <param name="Shard">The shard's number.</param>
/// <param name="Owner">The node's name; empty when nobody's.</param>
/// <param name="Epoch">Counts the shard's owners.</param>
public readonly record struct ShardLease(int Shard, string Owner, long Epoch);

/// <summary>A node as the store knows it.</summary>
public sealed record NodeRecord
{
    public required NodeDescription Description { get; init; }

    /// <summary>Counts the processes that joined under this name.</summary>
    public required long Incarnation { get; init; }

    /// <summary>Counts renewals. A node whose beat does not change for a lease's length has lost its shards.</summary>
    public long Beat { get; init; }

    public NodeLoad Load { get; init; }

    /// <summary>Store time of the last renewal, Unix nanoseconds: for people only, no decision is made by it.</summary>
    public long SeenAt { get; init; }

    /// <summary>True once the node has left in good order.</summary>
    public bool HasLeft { get; init; }

    /// <summary>Shards that it owns.</summary>
    public int Shards { get; init; }
}

/// <summary>Who is there and who owns what, at one moment.</summary>
public sealed record ClusterView(IReadOnlyList<NodeRecord> Nodes, IReadOnlyList<ShardLease> Shards);

/// <summary>
/// Membership and shard ownership. A node has one lease, renewed by <see cref="Renew"/>; its shards are its own for as long. Nothing
/// here is measured by a wall clock: a node that renews counts its own time from before it asked, and others count theirs from when
/// they first saw the last beat, so that a lease has always ended for its holder before anybody takes what it held.
/// </summary>
public interface IShardLeases
{
    /// <summary>Joins under a name, ending the membership of an earlier process of that name; the new incarnation.</summary>
    ValueTask<long> Join(NodeDescription node);

    /// <summary>Renews a node's lease; false when a later process joined under its name.</summary>
    ValueTask<bool> Renew(string node, long incarnation, NodeLoad load);

    /// <summary>The cluster now.</summary>
    ValueTask<ClusterView> Observe();

    /// <summary>Takes shards that are still as last observed, each under its next epoch; the leases that were got.</summary>
    ValueTask<IReadOnlyList<ShardLease>> Take(string node, long incarnation, IReadOnlyList<ShardLease> observed);

    /// <summary>Gives shards up; those lost already stay as they are.</summary>
    ValueTask Release(IReadOnlyList<ShardLease> leases);

    /// <summary>Gives everything up and leaves.</summary>
    ValueTask Leave(string node, long incarnation);
}
