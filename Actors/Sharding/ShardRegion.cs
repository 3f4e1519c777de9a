using System.Buffers.Binary;
using Vivarium.Actors.Storage;
using Vivarium.Emulator.Kernel;
using Vivarium.Messages;

namespace Vivarium.Actors.Sharding;

/// <summary>
/// This node's part of the cluster: the shards it owns by lease, and the entities that live in them. A shard is taken when it
/// is first needed; its lease is extended by use and by <see cref="RenewLeases"/>.
/// </summary>
public sealed class ShardRegion : IEntityHost
{
    /// <summary>How long a lease lasts unless extended, nanoseconds.</summary>
    public const long LeaseDuration = 15_000_000_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<int, Shard> _shards = [];
    private readonly IEntityFactory _entities;
    private readonly int _shardCount;

    /// <param name="node">This node's name in leases.</param>
    /// <param name="shardCount">Shards of the whole cluster; the same on every node.</param>
    public ShardRegion(string node, int shardCount, IJobStore store, IEntityFactory entities, IClock clock)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shardCount, 1);
        Node = node;
        Store = store;
        Clock = clock;
        _entities = entities;
        _shardCount = shardCount;
    }

    public string Node { get; }

    internal IJobStore Store { get; }

    internal IClock Clock { get; }

    /// <summary>The shard a job belongs to, the same on every node.</summary>
    public static int ShardOf(JobId id, int shardCount)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.Value.TryWriteBytes(bytes);
        // Identifiers that begin with a time stamp have their random bits at the end.
        return (int)(BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]) % (uint)shardCount);
    }

    public void Tell(JobId id, object message) => Own(ShardOf(id, _shardCount)).Tell(id, message);

    /// <summary>Extends the leases of all shards owned here; shards lost meanwhile are dropped with their entities.</summary>
    public void RenewLeases()
    {
        lock (_lock)
        {
            foreach ((int number, Shard shard) in _shards)
            {
                if (!shard.Renew())
                    _shards.Remove(number);
            }
        }
    }

    /// <summary>Gives all shards up, as at shutdown.</summary>
    public void Release()
    {
        lock (_lock)
        {
            foreach (Shard shard in _shards.Values)
                shard.Release();
            _shards.Clear();
        }
    }

    internal IEntity Create(JobId id, IEntityContext context) => _entities.Create(id, context);

    internal ShardLease? Acquire(int shard) => Store.Acquire(shard, Node, Clock.Realtime, LeaseDuration);

    private Shard Own(int number)
    {
        lock (_lock)
        {
            if (_shards.TryGetValue(number, out Shard? shard) && shard.Renew())
                return shard;
            _shards.Remove(number);
            ShardLease lease = Acquire(number) ?? throw new ShardUnavailableException(number);
            shard = new Shard(this, lease);
            _shards.Add(number, shard);
            return shard;
        }
    }
}
