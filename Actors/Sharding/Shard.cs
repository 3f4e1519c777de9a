using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Actors.Sharding;

/// <summary>
/// The entities of one shard and their mailbox. Messages are handled one at a time, by whichever thread brought one while
/// nobody was handling: no thread of its own, and no entity ever runs twice at once.
/// </summary>
internal sealed class Shard(ShardRegion region, ShardLease lease)
{
    private readonly Lock _lock = new();
    private readonly Queue<(JobId Id, object Message)> _mailbox = [];
    private readonly Dictionary<JobId, IEntity> _entities = [];
    private ShardLease _lease = lease;
    private bool _handling;

    public void Tell(JobId id, object message)
    {
        lock (_lock)
        {
            _mailbox.Enqueue((id, message));
            if (_handling)
                return;
            _handling = true;
        }
        HandleAll();
    }

    /// <summary>Extends the lease once half of it has passed; false when it belongs to somebody else.</summary>
    public bool Renew()
    {
        lock (_lock)
        {
            if (_lease.ExpiresAt - region.Clock.Realtime > ShardRegion.LeaseDuration / 2)
                return true;
            if (region.Acquire(_lease.Shard) is not { } renewed || renewed.Epoch != _lease.Epoch)
                return false;
            _lease = renewed;
            return true;
        }
    }

    public void Release() => region.Store.Release(_lease);

    private void HandleAll()
    {
        while (true)
        {
            (JobId id, object message) next;
            lock (_lock)
            {
                if (!_mailbox.TryDequeue(out next))
                {
                    _handling = false;
                    return;
                }
            }
            Handle(next.id, next.message);
        }
    }

    private void Handle(JobId id, object message)
    {
        try
        {
            Entity(id).Receive(message);
        }
        catch
        {
            // A bug of ours: others' messages must still be handled, by the next sender.
            lock (_lock)
                _handling = false;
            throw;
        }
    }

    private IEntity Entity(JobId id)
    {
        if (!_entities.TryGetValue(id, out IEntity? entity))
        {
            entity = region.Create(id, new Context(this, id));
            _entities.Add(id, entity);
        }
        return entity;
    }

    private void Commit(JobId id, JobEvent committed)
    {
        ShardLease lease;
        lock (_lock)
            lease = _lease;
        if (!region.Store.Append(lease, id, committed))
            throw new ShardUnavailableException(lease.Shard);
    }

    private sealed class Context(Shard shard, JobId id) : IEntityContext
    {
        public IReadOnlyList<JobEvent> ReadJournal() => shard.Region.Store.Read(id);

        public void Commit(JobEvent committed) => shard.Commit(id, committed);

        public void TellSelf(object message) => shard.Tell(id, message);
    }

    private ShardRegion Region => region;
}
