using System.Buffers.Binary;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Storage;
using Vivarium.Emulator.Kernel;
using Vivarium.Messages;

namespace Vivarium.Actors.Sharding;

/// <summary>
/// This node's part of the cluster: the shards it owns by lease, and the entities that live in them. <see cref="LeaseKeeper"/> gives
/// shards to it and takes them away.
/// </summary>
public sealed class ShardRegion : IEntityHost
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, Shard> _shards = [];
    private readonly IJobStore _store;
    private readonly JournalWriter _journal;
    private int _hasUnrecovered;

    public ShardRegion(IJobStore store, IEntityFactory entities, IClock clock)
    {
        _store = store;
        Entities = entities;
        Clock = clock;
        _journal = new JournalWriter(store, Lose);
    }

    /// <summary>An entity is no longer live: it came to rest, or its shard was lost.</summary>
    public event Action<JobId>? EntityEnded;

    /// <summary>A shard was opened or closed.</summary>
    public event Action? Changed;

    internal IEntityFactory Entities { get; }

    internal IClock Clock { get; }

    /// <summary>The shard a job starts in unless its requirements say otherwise, the same on every node.</summary>
    public static int ShardOf(JobId id, int shardCount)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.Value.TryWriteBytes(bytes);
        // Identifiers that begin with a time stamp have their random bits at the end.
        return (int)(BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]) % (uint)shardCount);
    }

    public bool Tell(int shard, JobId id, object message)
    {
        Shard? owned;
        lock (_lock)
            _shards.TryGetValue(shard, out owned);
        owned?.Tell(id, message);
        return owned is not null;
    }

    /// <summary>The shards owned here in which work may start.</summary>
    public IReadOnlyList<int> OpenShards
    {
        get
        {
            lock (_lock)
            {
                var open = new List<int>(_shards.Count);
                foreach (Shard shard in _shards.Values)
                {
                    if (shard.IsOpen)
                        open.Add(shard.Lease.Shard);
                }
                return open;
            }
        }
    }

    public bool IsOpen(int shard)
    {
        lock (_lock)
            return _shards.TryGetValue(shard, out Shard? owned) && owned.IsOpen;
    }

    /// <summary>The leases of all shards owned here.</summary>
    public IReadOnlyList<ShardLease> Leases
    {
        get
        {
            lock (_lock)
            {
                var leases = new List<ShardLease>(_shards.Count);
                foreach (Shard shard in _shards.Values)
                    leases.Add(shard.Lease);
                return leases;
            }
        }
    }

    /// <summary>Takes over a shard whose lease was taken; it opens when what its last owner left is put in order.</summary>
    public void Open(ShardLease lease)
    {
        var shard = new Shard(this, lease);
        Shard? before;
        lock (_lock)
        {
            _shards.TryGetValue(lease.Shard, out before);
            _shards[lease.Shard] = shard;
        }
        before?.Stop();
        Recover(shard);
    }

    /// <summary>Lets nothing new start in a shard, or lets it again.</summary>
    public void SetClosing(int shard, bool isClosing)
    {
        lock (_lock)
        {
            if (!_shards.TryGetValue(shard, out Shard? owned) || owned.IsClosing == isClosing)
                return;
            owned.IsClosing = isClosing;
        }
        Changed?.Invoke();
    }

    /// <summary>The leases of open and closing shards: those closing first, then idle ones, then by number.</summary>
    public IReadOnlyList<ShardLease> ByLoad()
    {
        lock (_lock)
        {
            return
            [
                .. _shards.Values.OrderByDescending(static shard => shard.IsClosing)
                    .ThenByDescending(static shard => shard.IsIdle).ThenBy(static shard => shard.Lease.Shard)
                    .Select(static shard => shard.Lease),
            ];
        }
    }

    /// <summary>Takes closing shards without live entities out, for their leases to be released.</summary>
    public IReadOnlyList<ShardLease> RemoveClosed()
    {
        List<ShardLease> removed = [];
        lock (_lock)
        {
            foreach ((int number, Shard shard) in _shards)
            {
                if (shard.IsClosing && shard.IsIdle)
                {
                    removed.Add(shard.Lease);
                    _shards.Remove(number);
                }
            }
        }
        return removed;
    }

    /// <summary>A lease is lost: its shard's entities end, at once.</summary>
    public void Lose(ShardLease lease)
    {
        Shard? lost;
        lock (_lock)
        {
            if (!_shards.TryGetValue(lease.Shard, out lost) || lost.Lease != lease)
                return;
            _shards.Remove(lease.Shard);
        }
        lost.Stop();
        Changed?.Invoke();
    }

    /// <summary>Loses everything.</summary>
    public void LoseAll()
    {
        foreach (ShardLease lease in Leases)
            Lose(lease);
    }

    /// <summary>Does again what could not be done while the store was away.</summary>
    public void Retry()
    {
        _journal.Retry();
        if (Interlocked.Exchange(ref _hasUnrecovered, 0) == 0)
            return;
        Shard[] unrecovered;
        lock (_lock)
            unrecovered = [.. _shards.Values.Where(static shard => !shard.IsRecovered)];
        foreach (Shard shard in unrecovered)
            Recover(shard);
    }

    /// <summary>
    /// Tells the jobs that an earlier owner left running. Nothing starts in the shard before, so that what is read is not of ours.
    /// </summary>
    private async void Recover(Shard shard)
    {
        const int Page = 256;
        try
        {
            long after = -1;
            IReadOnlyList<JobRecord> left;
            do
            {
                left = await _store.ReadShard(shard.Lease.Shard, JobState.Running, after, Page).ConfigureAwait(false);
                foreach (JobRecord job in left)
                {
                    shard.Tell(job.Id, Entities.Recovery(job));
                    after = job.Sequence;
                }
            }
            while (left.Count == Page);
        }
        catch (StoreUnavailableException)
        {
            Interlocked.Exchange(ref _hasUnrecovered, 1);
            return;
        }
        shard.IsRecovered = true;
        Changed?.Invoke();
    }

    internal void Write(JournalEntry entry) => _journal.Add(entry);

    internal void Passivated(JobId id) => EntityEnded?.Invoke(id);

    /// <summary>Reads an entity's state; the callback gets it, or whether the store could not be asked.</summary>
    internal async void Load(JobId id, Action<JobRecord?, bool> loaded)
    {
        JobRecord? record = null;
        bool isUnavailable = false;
        try
        {
            record = await _store.Find(id).ConfigureAwait(false);
        }
        catch (StoreUnavailableException)
        {
            isUnavailable = true;
        }
        loaded(record, isUnavailable);
    }
}
