using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Actors.Jobs;

/// <summary>
/// Brings queued jobs of this node's shards to life, those accepted first first, as far as the node has room. A few are read ahead;
/// all others stay in the store. Reads only when something may have changed: no polling.
/// </summary>
public sealed class JobFeeder
{
    private readonly Lock _lock = new();
    private readonly ShardRegion _region;
    private readonly IJobJournal _store;
    private readonly int _capacity;
    private readonly HashSet<JobId> _running = [];
    private readonly List<JobRecord> _ahead = [];

    /// <summary>Jobs that came to rest while the queue was read: what was read of them is old.</summary>
    private readonly HashSet<JobId> _ended = [];

    /// <summary>Live jobs that were queued when the queue was read: started since, or queued again and not yet at rest.</summary>
    private readonly HashSet<JobId> _passedOver = [];
    private bool _mayHaveMore;
    private bool _isReading;

    /// <param name="capacity">Jobs live at once.</param>
    public JobFeeder(ShardRegion region, IJobStore store, int capacity)
    {
        _region = region;
        _store = store;
        _capacity = capacity;
        region.EntityEnded += Ended;
        region.Changed += Wake;
        store.Queued += shard =>
        {
            if (region.IsOpen(shard))
                Wake();
        };
    }

    /// <summary>Jobs live here.</summary>
    public int Running
    {
        get
        {
            lock (_lock)
                return _running.Count;
        }
    }

    /// <summary>Looks for jobs to start.</summary>
    public void Wake()
    {
        lock (_lock)
            _mayHaveMore = true;
        Feed();
    }

    /// <summary>Reads the queue again if it could not be read.</summary>
    public void Retry() => Feed();

    private void Ended(JobId id)
    {
        lock (_lock)
        {
            _running.Remove(id);
            // What was read of it is old; it may have come to rest queued.
            _mayHaveMore |= _ahead.RemoveAll(job => job.Id == id) > 0 | _passedOver.Remove(id);
            if (_isReading)
                _ended.Add(id);
        }
        Feed();
    }

    private void Feed()
    {
        List<JobRecord>? starting = null;
        int limit = 0;
        lock (_lock)
        {
            while (_running.Count < _capacity && _ahead.Count > 0)
            {
                (starting ??= []).Add(_ahead[0]);
                _running.Add(_ahead[0].Id);
                _ahead.RemoveAt(0);
            }
            if (_mayHaveMore && !_isReading && _ahead.Count <= _capacity / 4)
            {
                _isReading = true;
                _mayHaveMore = false;
                // Those that started may still be queued in the store.
                limit = _capacity + _running.Count + _ahead.Count;
            }
        }
        foreach (JobRecord job in starting ?? [])
        {
            if (!_region.IsOpen(job.Shard) || !_region.Tell(job.Shard, job.Id, new JobMessage.Begin(job)))
                Ended(job.Id);
        }
        if (limit > 0)
            Read(limit);
    }

    private void Read(int limit)
    {
        IReadOnlyList<int> shards = _region.OpenShards;
        ValueTask<IReadOnlyList<JobRecord>> reading;
        try
        {
            reading = shards.Count == 0 ? new([]) : _store.ReadQueue(shards, limit);
        }
        catch (StoreUnavailableException)
        {
            EndRead([], hasMore: true);
            return;
        }
        if (reading.IsCompletedSuccessfully)
            Take(reading.Result, limit);
        else
            Read(reading, limit);
    }

    private async void Read(ValueTask<IReadOnlyList<JobRecord>> reading, int limit)
    {
        try
        {
            Take(await reading.ConfigureAwait(false), limit);
        }
        catch (StoreUnavailableException)
        {
            EndRead([], hasMore: true);
        }
    }

    private void Take(IReadOnlyList<JobRecord> queued, int limit)
    {
        EndRead(queued, queued.Count == limit);
        Feed();
    }

    private void EndRead(IReadOnlyList<JobRecord> queued, bool hasMore)
    {
        lock (_lock)
        {
            foreach (JobRecord job in queued)
            {
                if (_running.Contains(job.Id))
                    _passedOver.Add(job.Id);
                else if (!_ended.Contains(job.Id) && !_ahead.Exists(other => other.Id == job.Id))
                    _ahead.Add(job);
            }
            // One that came to rest may be queued again.
            _mayHaveMore |= hasMore || _ended.Count > 0;
            _ended.Clear();
            _isReading = false;
        }
    }
}
