using Vivarium.Actors.Jobs;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Actors.Sharding;

/// <summary>
/// The live entities of one shard and their mailbox. Messages are handled one at a time, by whichever thread brought one while
/// nobody was handling: no thread of its own, and no entity ever runs twice at once. Jobs at rest are not here.
/// </summary>
internal sealed class Shard(ShardRegion region, ShardLease lease)
{
    private readonly Lock _lock = new();
    private readonly Queue<(JobId Id, object Message)> _mailbox = [];
    private readonly Dictionary<JobId, Slot> _slots = [];
    private bool _handling;
    private bool _isStopped;

    public ShardLease Lease => lease;

    /// <summary>True while it is being handed over: nothing new starts in it.</summary>
    public bool IsClosing { get; set; }

    /// <summary>True once the jobs that an earlier owner left running were told.</summary>
    public bool IsRecovered { get; set; }

    public bool IsOpen => IsRecovered && !IsClosing;

    /// <summary>True when no entity is live and none was asked for.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_lock)
                return _slots.Count == 0 && _mailbox.Count == 0;
        }
    }

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

    /// <summary>Ends all entities here, from now on.</summary>
    public void Stop() => Tell(default, StopAll.Instance);

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
            if (message is StopAll)
                StopEntities();
            else if (_isStopped)
                region.Entities.Refuse(message is OwnMessage own ? own.Message : message, isUnavailable: true);
            else
                Deliver(id, message);
        }
        catch
        {
            // A bug of ours: others' messages must still be handled, by the next sender.
            lock (_lock)
                _handling = false;
            throw;
        }
    }

    private void Deliver(JobId id, object message)
    {
        if (message is Loaded loaded)
            Fill(id, loaded);
        else if (message is OwnMessage own)
            own.Slot.DeliverTo(_slots.GetValueOrDefault(id), own.Message);
        else if (_slots.TryGetValue(id, out Slot? slot))
            slot.Deliver(message);
        else if (message is ISeed seed)
            Create(seed.Record).Deliver(message);
        else
            Load(id, message);
    }

    /// <summary>Reads an entity's state; messages wait for it.</summary>
    private void Load(JobId id, object message)
    {
        lock (_lock)
            _slots.Add(id, new Slot { Waiting = [message] });
        region.Load(id, (record, isUnavailable) => Tell(id, new Loaded(record, isUnavailable)));
    }

    private void Fill(JobId id, Loaded loaded)
    {
        List<object> waiting = _slots[id].Waiting!;
        lock (_lock)
            _slots.Remove(id);
        if (loaded.Record is not { } record || record.Shard != lease.Shard)
        {
            foreach (object message in waiting)
                region.Entities.Refuse(message, loaded.IsUnavailable || loaded.Record is not null);
            region.Passivated(id);
            return;
        }
        Slot slot = Create(record);
        foreach (object message in waiting)
            slot.Deliver(message);
    }

    private Slot Create(JobRecord record)
    {
        var slot = new Slot();
        lock (_lock)
            _slots.Add(record.Id, slot);
        slot.Entity = region.Entities.Create(record, new Context(this, record, slot));
        return slot;
    }

    private void StopEntities()
    {
        _isStopped = true;
        KeyValuePair<JobId, Slot>[] stopped;
        lock (_lock)
        {
            stopped = [.. _slots];
            _slots.Clear();
        }
        foreach ((JobId id, Slot slot) in stopped)
        {
            slot.Entity?.Stop();
            foreach (object message in slot.Waiting ?? [])
                region.Entities.Refuse(message, isUnavailable: true);
            region.Passivated(id);
        }
    }

    private void Forget(JobId id, Slot slot)
    {
        lock (_lock)
        {
            if (!_slots.TryGetValue(id, out Slot? current) || current != slot)
                return;
            _slots.Remove(id);
        }
        region.Passivated(id);
    }

    /// <summary>An entity, or what waits for it while it is read.</summary>
    private sealed class Slot
    {
        public IEntity? Entity { get; set; }

        public List<object>? Waiting { get; init; }

        public void Deliver(object message)
        {
            if (Entity is { } entity)
                entity.Receive(message);
            else
                Waiting!.Add(message);
        }

        /// <summary>Messages of an entity to itself end with it.</summary>
        public void DeliverTo(Slot? current, object message)
        {
            if (ReferenceEquals(this, current))
                Deliver(message);
        }
    }

    private sealed record OwnMessage(Slot Slot, object Message);

    private sealed record Loaded(JobRecord? Record, bool IsUnavailable);

    private sealed class StopAll
    {
        public static readonly StopAll Instance = new();
    }

    private sealed class Context(Shard shard, JobRecord record, Slot slot) : IEntityContext
    {
        private int _events = record.Events;

        public void Commit(JobEvent happened, JobLifecycle after, Action<bool>? done) => shard.Region.Write(
            new JournalEntry.Event(shard.Lease, record.Id, _events++, happened, after, shard.Region.Clock.Realtime) { Done = done });

        public void WriteOutput(int attempt, OutputChunk chunk, Action<bool> done) => shard.Region.Write(
            new JournalEntry.Output(shard.Lease, record.Id, attempt, chunk) { Done = done });

        public void TellSelf(object message) => shard.Tell(record.Id, new OwnMessage(slot, message));

        public void Passivate() => shard.Forget(record.Id, slot);
    }

    private ShardRegion Region => region;
}

/// <summary>A message that brings its entity's state along, read when no such entity was live.</summary>
public interface ISeed
{
    JobRecord Record { get; }
}
