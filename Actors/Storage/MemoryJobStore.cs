using Vivarium.Actors.Jobs;
using Vivarium.Messages;

namespace Vivarium.Actors.Storage;

/// <summary>A store that lives as long as its process: for <c>viv run</c>, whose job need not outlive it, and for tests.</summary>
public sealed partial class MemoryJobStore : IJobStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<JobId, Entry> _jobs = [];
    private readonly Dictionary<string, JobId> _keys = [];
    private readonly Dictionary<string, NodeRecord> _nodes = [];
    private readonly ShardLease[] _shards;
    private readonly SortedSet<long>[] _queues;
    /// <summary>By sequence; null where a job was removed.</summary>
    private readonly List<Entry?> _bySequence = [];
    private readonly Func<long> _now;

    /// <param name="shards">Shards of the cluster.</param>
    /// <param name="now">Unix nanoseconds, for the times of records.</param>
    public MemoryJobStore(int shards, Func<long> now)
    {
        _now = now;
        _shards = new ShardLease[shards];
        _queues = new SortedSet<long>[shards];
        for (int i = 0; i < shards; i++)
            _shards[i] = new ShardLease(i, "", 0);
    }

    public event Action<int>? Queued;

    public event Action<JobId>? Changed;

    public ValueTask<long> Join(NodeDescription node)
    {
        lock (_lock)
        {
            long incarnation = _nodes.TryGetValue(node.Name, out NodeRecord? before) ? before.Incarnation + 1 : 1;
            _nodes[node.Name] = new NodeRecord { Description = node, Incarnation = incarnation, SeenAt = _now() };
            return new ValueTask<long>(incarnation);
        }
    }

    public ValueTask<bool> Renew(string node, long incarnation, NodeLoad load)
    {
        lock (_lock)
        {
            if (!IsMember(node, incarnation, out NodeRecord? record))
                return new ValueTask<bool>(false);
            _nodes[node] = record! with { Beat = record.Beat + 1, Load = load, SeenAt = _now() };
            return new ValueTask<bool>(true);
        }
    }

    public ValueTask<ClusterView> Observe()
    {
        lock (_lock)
        {
            var nodes = new List<NodeRecord>(_nodes.Count);
            foreach (NodeRecord node in _nodes.Values)
            {
                int owned = 0;
                foreach (ref readonly ShardLease shard in _shards.AsSpan())
                    owned += shard.Owner == node.Description.Name ? 1 : 0;
                nodes.Add(node with { Shards = owned });
            }
            nodes.Sort(static (one, two) => string.CompareOrdinal(one.Description.Name, two.Description.Name));
            // Not an array: every start comes through here, and the run-time compiles what arrays do as lists when they are first used as such.
            var shards = new List<ShardLease>(_shards.Length);
            shards.AddRange(_shards.AsSpan());
            return new ValueTask<ClusterView>(new ClusterView(nodes, shards));
        }
    }

    public ValueTask<IReadOnlyList<ShardLease>> Take(string node, long incarnation, IReadOnlyList<ShardLease> observed)
    {
        List<ShardLease> taken = [];
        lock (_lock)
        {
            if (!IsMember(node, incarnation, out _))
                return new ValueTask<IReadOnlyList<ShardLease>>(taken);
            foreach (ShardLease lease in observed)
            {
                if (_shards[lease.Shard] == lease)
                    taken.Add(_shards[lease.Shard] = new ShardLease(lease.Shard, node, lease.Epoch + 1));
            }
        }
        return new ValueTask<IReadOnlyList<ShardLease>>(taken);
    }

    public ValueTask Release(IReadOnlyList<ShardLease> leases)
    {
        lock (_lock)
        {
            foreach (ShardLease lease in leases)
            {
                if (_shards[lease.Shard] == lease)
                    _shards[lease.Shard] = lease with { Owner = "" };
            }
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask Leave(string node, long incarnation)
    {
        lock (_lock)
        {
            if (!IsMember(node, incarnation, out NodeRecord? record))
                return ValueTask.CompletedTask;
            _nodes[node] = record! with { HasLeft = true };
            for (int i = 0; i < _shards.Length; i++)
            {
                if (_shards[i].Owner == node)
                    _shards[i] = _shards[i] with { Owner = "" };
            }
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<AcceptedJob>> Accept(IReadOnlyList<NewJob> jobs)
    {
        var accepted = new AcceptedJob[jobs.Count];
        lock (_lock)
        {
            for (int i = 0; i < jobs.Count; i++)
                accepted[i] = Accept(jobs[i]);
        }
        for (int i = 0; i < jobs.Count; i++)
        {
            if (accepted[i].IsNew)
                Queued?.Invoke(jobs[i].Shard);
        }
        return new ValueTask<IReadOnlyList<AcceptedJob>>(accepted);
    }

    public ValueTask<IReadOnlyList<ShardLease>> Append(IReadOnlyList<JournalEntry> entries)
    {
        List<ShardLease> refused = [];
        lock (_lock)
        {
            foreach (JournalEntry entry in entries)
            {
                if (_shards[entry.Lease.Shard] == entry.Lease)
                    Write(entry);
                else if (!refused.Contains(entry.Lease))
                    refused.Add(entry.Lease);
            }
        }
        foreach (JournalEntry entry in entries)
        {
            if (refused.Contains(entry.Lease))
                continue;
            Changed?.Invoke(entry.Job);
            if (entry is JournalEntry.Event { After.State: JobState.Queued } queued)
                Queued?.Invoke(queued.Happened is JobEvent.Moved moved ? moved.Shard : entry.Lease.Shard);
        }
        return new ValueTask<IReadOnlyList<ShardLease>>(refused);
    }

    public ValueTask<IReadOnlyList<JobRecord>> ReadQueue(IReadOnlyList<int> shards, int limit)
    {
        lock (_lock)
        {
            var sequences = new List<long>();
            foreach (int shard in shards)
                AddFirst(sequences, shard, limit);
            if (shards.Count > 1)
                sequences.Sort();
            var jobs = new JobRecord[Math.Min(limit, sequences.Count)];
            for (int i = 0; i < jobs.Length; i++)
                jobs[i] = _bySequence[(int)sequences[i]]!.Record;
            return new ValueTask<IReadOnlyList<JobRecord>>(jobs);
        }
    }

    private void AddFirst(List<long> sequences, int shard, int limit)
    {
        if (_queues[shard] is not { } queue)
            return;
        foreach (long sequence in queue)
        {
            if (limit-- == 0)
                return;
            sequences.Add(sequence);
        }
    }

    public ValueTask<IReadOnlyList<JobRecord>> ReadShard(int shard, JobState state, long afterSequence, int limit)
    {
        lock (_lock)
        {
            List<JobRecord> jobs = [];
            for (int i = (int)afterSequence + 1; i < _bySequence.Count && jobs.Count < limit; i++)
            {
                if (_bySequence[i]?.Record is { } job && job.Shard == shard && job.Lifecycle.State == state)
                    jobs.Add(job);
            }
            return new ValueTask<IReadOnlyList<JobRecord>>(jobs);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private bool IsMember(string node, long incarnation, out NodeRecord? record) =>
        _nodes.TryGetValue(node, out record) && record.Incarnation == incarnation;

    private AcceptedJob Accept(NewJob job)
    {
        if (job.Key is not null && _keys.TryGetValue(job.Key, out JobId first))
            return new AcceptedJob(first, false);
        if (_jobs.ContainsKey(job.Id))
            return new AcceptedJob(job.Id, false);
        var accepted = new JobEvent.Accepted(job.Spec);
        long now = _now();
        var entry = new Entry(new JobRecord
        {
            Id = job.Id,
            Sequence = _bySequence.Count,
            Shard = job.Shard,
            Lifecycle = JobLifecycle.Initial.Apply(accepted),
            Events = 1,
            AcceptedAt = now,
        });
        entry.Journal.Add(new RecordedEvent(accepted, now));
        _jobs.Add(job.Id, entry);
        _bySequence.Add(entry);
        Queue(job.Shard).Add(entry.Record.Sequence);
        if (job.Key is not null)
            _keys.Add(job.Key, job.Id);
        return new AcceptedJob(job.Id, true);
    }

    private SortedSet<long> Queue(int shard) => _queues[shard] ??= [];

    private void Write(JournalEntry entry)
    {
        if (!_jobs.TryGetValue(entry.Job, out Entry? job))
            return;
        if (entry is JournalEntry.Output output)
            job.Write(output);
        else if (entry is JournalEntry.Event happened && happened.Number == job.Record.Events)
            Write(job, happened);
    }

    private void Write(Entry job, JournalEntry.Event happened)
    {
        JobRecord record = job.Record;
        Queue(record.Shard).Remove(record.Sequence);
        job.Record = record with
        {
            Shard = happened.Happened is JobEvent.Moved moved ? moved.Shard : record.Shard,
            Lifecycle = happened.After,
            Events = record.Events + 1,
            StartedAt = happened.Happened is JobEvent.Started ? happened.At : record.StartedAt,
            EndedAt = happened.Happened is JobEvent.Finished ? happened.At : record.EndedAt,
        };
        job.Journal.Add(new RecordedEvent(happened.Happened, happened.At));
        if (happened.After.State == JobState.Queued)
            Queue(job.Record.Shard).Add(record.Sequence);
    }

    private sealed class Entry(JobRecord record)
    {
        public JobRecord Record { get; set; } = record;

        public List<RecordedEvent> Journal { get; } = [];

        /// <summary>Of the latest attempt.</summary>
        public List<OutputChunk> Chunks { get; private set; } = [];

        public int Attempt { get; private set; }

        public void Write(JournalEntry.Output output)
        {
            if (output.Attempt > Attempt)
                (Attempt, Chunks) = (output.Attempt, []);
            long end = Chunks.Count == 0 ? 0 : Chunks[^1].End;
            if (output.Attempt == Attempt && output.Chunk.Offset == end)
                Chunks.Add(output.Chunk);
        }
    }
}
