using Vivarium.Actors.Storage;
using Vivarium.Emulator.Kernel;
using Vivarium.Messages;

namespace Vivarium.Actors.Sharding;

/// <summary>
/// Keeps this node's lease and its fair share of the shards. Driven by <see cref="Tick"/>, which the node's timer calls every
/// <see cref="LeaseSettings.Observation"/> or oftener; takes no thread of its own.
/// </summary>
public sealed class LeaseKeeper
{
    /// <summary>Shards given to another node in one observation at most: joining nodes fill up gradually.</summary>
    private const int LargestGift = 2;

    /// <summary>Renewals under way at once at most: one whose answer is lost must not hold the next up.</summary>
    private const int LargestRenewals = 4;

    private readonly Lock _lock = new();
    private readonly NodeDescription _node;
    private readonly LeaseSettings _lease;
    private readonly IShardLeases _store;
    private readonly ShardRegion _region;
    private readonly IClock _clock;
    private readonly Func<int> _running;
    private readonly Membership _membership;
    private long _incarnation;
    private long _renewedAt;
    private long _nextRenewal;
    private long _nextLook;
    private int _renewals;
    private bool _isLooking;
    private bool _isMember;

    /// <param name="running">How many jobs run here, to tell the others.</param>
    public LeaseKeeper(NodeDescription node, LeaseSettings lease, IShardLeases store, ShardRegion region, IClock clock, Func<int> running)
    {
        _node = node;
        _lease = lease;
        _store = store;
        _region = region;
        _clock = clock;
        _running = running;
        _membership = new Membership(node.Name, lease, clock);
    }

    /// <summary>Another process joined under this node's name: this one has no part in the cluster any more.</summary>
    public event Action? Replaced;

    /// <summary>A new view of the cluster.</summary>
    public event Action? Observed;

    /// <summary>True while the node gives its shards away.</summary>
    public bool IsDraining { get; private set; }

    /// <summary>True while this node's lease lasts.</summary>
    public bool IsMember => Volatile.Read(ref _isMember);

    /// <summary>
    /// True while worlds may run: what each of them asks before every quantum, because the timer that ends them may come late on a busy
    /// machine.
    /// </summary>
    public bool IsHeld => _clock.Monotonic - Interlocked.Read(ref _renewedAt) <= _lease.Patience;

    public IReadOnlyList<NodeRecord> Alive
    {
        get
        {
            lock (_lock)
                return _membership.Alive;
        }
    }

    /// <summary>The shards and their owners, as last observed.</summary>
    public IReadOnlyList<ShardLease> Shards
    {
        get
        {
            lock (_lock)
                return _membership.View.Shards;
        }
    }

    /// <summary>Joins the cluster and takes what is free. Shards held by an earlier process of this name are free.</summary>
    public ValueTask Join()
    {
        long now = _clock.Monotonic;
        ValueTask<long> joining = _store.Join(_node);
        if (!joining.IsCompletedSuccessfully)
            return Join(joining, now);
        Joined(joining.Result, now);
        return Look();
    }

    /// <summary>Renews, looks, and notices when the lease runs out.</summary>
    public void Tick()
    {
        EndWhenLapsed();
        long now = _clock.Monotonic;
        bool renews, looks;
        lock (_lock)
        {
            renews = _incarnation > 0 && _renewals < LargestRenewals && now >= _nextRenewal;
            looks = _isMember && !_isLooking && now >= _nextLook;
            _renewals += renews ? 1 : 0;
            _nextRenewal = renews ? now + _lease.Renewal : _nextRenewal;
        }
        if (renews)
            Renew(now);
        if (looks)
            Observe();
        _region.Retry();
    }

    /// <summary>When the lease has run out, others may have what was held here: none of it goes on, even if the lease does.</summary>
    private void EndWhenLapsed()
    {
        bool hasLapsed;
        lock (_lock)
        {
            hasLapsed = _isMember && _clock.Monotonic - _renewedAt > _lease.Patience;
            if (hasLapsed)
                _isMember = false;
        }
        if (hasLapsed)
            _region.LoseAll();
    }

    /// <summary>Starts or ends draining: while it lasts no job starts here, and each shard is given up when its last job has ended.</summary>
    public void Drain(bool isDraining = true)
    {
        lock (_lock)
        {
            IsDraining = isDraining;
            _nextLook = 0;
            _nextRenewal = 0;
        }
        foreach (ShardLease lease in _region.Leases)
            _region.SetClosing(lease.Shard, isDraining);
    }

    /// <summary>Gives everything up, ending what runs, and leaves.</summary>
    public ValueTask Leave()
    {
        long incarnation;
        lock (_lock)
        {
            incarnation = _incarnation;
            _incarnation = 0;
            _isMember = false;
        }
        _region.LoseAll();
        return incarnation == 0 ? ValueTask.CompletedTask : _store.Leave(_node.Name, incarnation);
    }

    private async ValueTask Join(ValueTask<long> joining, long now)
    {
        Joined(await joining.ConfigureAwait(false), now);
        await Look().ConfigureAwait(false);
    }

    private void Joined(long incarnation, long now)
    {
        lock (_lock)
        {
            _incarnation = incarnation;
            _renewedAt = now;
            _nextRenewal = now + _lease.Renewal;
            _isMember = true;
        }
    }

    private async void Renew(long asked)
    {
        long incarnation = _incarnation;
        try
        {
            bool isRenewed = await _store.Renew(_node.Name, incarnation, new NodeLoad(_running(), IsDraining)).ConfigureAwait(false);
            // The answer may come before the timer that notices.
            EndWhenLapsed();
            lock (_lock)
            {
                // What counts is when it was asked: the store may have written it at any time since.
                if (isRenewed && incarnation == _incarnation)
                {
                    _renewedAt = Math.Max(_renewedAt, asked);
                    _isMember = _clock.Monotonic - _renewedAt <= _lease.Patience;
                }
            }
            if (!isRenewed && incarnation == _incarnation)
                BeReplaced();
        }
        catch (StoreUnavailableException)
        {
            // The next renewal may come through in time.
        }
        finally
        {
            lock (_lock)
                _renewals--;
        }
    }

    private void BeReplaced()
    {
        lock (_lock)
        {
            _incarnation = 0;
            _isMember = false;
        }
        _region.LoseAll();
        Replaced?.Invoke();
    }

    private async void Observe()
    {
        try
        {
            await Look().ConfigureAwait(false);
        }
        catch (StoreUnavailableException)
        {
            // Nothing is decided without a view.
        }
    }

    private ValueTask Look()
    {
        lock (_lock)
        {
            if (_isLooking)
                return ValueTask.CompletedTask;
            _isLooking = true;
            _nextLook = _clock.Monotonic + _lease.Observation;
        }
        ValueTask<ClusterView> observing;
        try
        {
            observing = _store.Observe();
        }
        catch
        {
            EndLook();
            throw;
        }
        if (!observing.IsCompletedSuccessfully)
            return Look(observing);
        return Act(See(observing.Result));
    }

    private async ValueTask Look(ValueTask<ClusterView> observing)
    {
        try
        {
            await Act(See(await observing.ConfigureAwait(false))).ConfigureAwait(false);
        }
        finally
        {
            EndLook();
        }
    }

    private void EndLook()
    {
        lock (_lock)
            _isLooking = false;
    }

    /// <summary>Takes a view in and decides what to take, and what to give back that is not even held.</summary>
    private (List<ShardLease> Wanted, List<ShardLease> Unheld) See(ClusterView view)
    {
        IReadOnlyList<ShardLease> mine = _region.Leases;
        List<ShardLease> wanted = [], unheld = [];
        int excess;
        lock (_lock)
        {
            _membership.See(view);
            int share = Share(view.Shards.Count);
            int owned = 0;
            foreach (ShardLease shard in view.Shards)
            {
                if (IndexOf(mine, shard.Shard) is >= 0 and var index && mine[index].Epoch == shard.Epoch && mine[index].Owner == shard.Owner)
                    owned++;
            }
            foreach (ShardLease shard in view.Shards)
            {
                // Under this name and not held: an earlier process's, one whose lease ran out and that nobody took, or one whose answer
                // was lost. Others think it in use: what is too many here must be given back.
                bool isLeft = shard.Owner == _node.Name && IndexOf(mine, shard.Shard) < 0;
                if (owned + wanted.Count < share && (isLeft || _membership.IsFree(shard)))
                    wanted.Add(shard);
                else if (isLeft)
                    unheld.Add(shard);
            }
            excess = owned - share;
        }
        foreach (ShardLease lease in mine)
        {
            if (IndexOf(view.Shards, lease.Shard) is >= 0 and var index && view.Shards[index].Epoch > lease.Epoch)
                _region.Lose(lease);
        }
        Give(excess);
        Observed?.Invoke();
        return (wanted, unheld);
    }

    /// <summary>A shard's place in a list; -1 when it is not there. Without a comparer and without LINQ: every start comes through here.</summary>
    private static int IndexOf(IReadOnlyList<ShardLease> leases, int shard)
    {
        // Views are in order of shards, mostly all of them.
        if (shard < leases.Count && leases[shard].Shard == shard)
            return shard;
        for (int i = 0; i < leases.Count; i++)
        {
            if (leases[i].Shard == shard)
                return i;
        }
        return -1;
    }

    private int Share(int shards)
    {
        List<(string, int)> nodes = [];
        foreach (NodeRecord node in _membership.Alive)
        {
            bool isDraining = node.Description.Name == _node.Name ? IsDraining : node.Load.IsDraining;
            if (!isDraining)
                nodes.Add((node.Description.Name, Math.Max(1, node.Description.Capacity)));
        }
        return ShardBalance.Share(_node.Name, nodes, shards);
    }

    /// <summary>Marks a few shards for handing over, idle ones first, or takes the marks back.</summary>
    private void Give(int excess)
    {
        int closing = 0;
        if (IsDraining)
            return;
        foreach (ShardLease lease in excess > 0 ? _region.ByLoad() : _region.Leases)
        {
            bool isGift = closing < Math.Min(excess, LargestGift);
            closing += isGift ? 1 : 0;
            _region.SetClosing(lease.Shard, isGift);
        }
    }

    private async ValueTask Act((List<ShardLease> Wanted, List<ShardLease> Unheld) decided)
    {
        try
        {
            if (decided.Wanted.Count > 0 && IsMember)
            {
                foreach (ShardLease lease in await _store.Take(_node.Name, _incarnation, decided.Wanted).ConfigureAwait(false))
                    _region.Open(lease);
                // The answer may have come when the lease was over already.
                if (!IsMember)
                    _region.LoseAll();
            }
            ShardLease[] released = [.. decided.Unheld, .. _region.RemoveClosed()];
            if (released.Length > 0)
                await _store.Release(released).ConfigureAwait(false);
        }
        finally
        {
            EndLook();
        }
    }
}
