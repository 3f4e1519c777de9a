using Vivarium.Messages;

namespace Vivarium.Actors.Storage;

/// <summary>A store that lives as long as its process: for a single node whose jobs need not outlive it, and for tests.</summary>
public sealed class MemoryJobStore : IJobStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, ShardLease> _leases = [];
    private readonly Dictionary<int, List<JobId>> _jobs = [];
    private readonly Dictionary<JobId, List<JobEvent>> _journals = [];

    public ShardLease? Acquire(int shard, string owner, long now, long duration)
    {
        lock (_lock)
        {
            long epoch = 1;
            if (_leases.TryGetValue(shard, out ShardLease held))
            {
                if (held.Owner != owner && held.ExpiresAt > now)
                    return null;
                epoch = held.Owner == owner ? held.Epoch : held.Epoch + 1;
            }
            return _leases[shard] = new ShardLease(shard, owner, epoch, now + duration);
        }
    }

    public void Release(in ShardLease lease)
    {
        lock (_lock)
        {
            // The row stays, so that the next owner's epoch is greater.
            if (IsCurrent(lease))
                _leases[lease.Shard] = lease with { Owner = "", ExpiresAt = long.MinValue };
        }
    }

    public bool Append(in ShardLease lease, JobId job, JobEvent committed)
    {
        lock (_lock)
        {
            if (!IsCurrent(lease))
                return false;
            if (!_journals.TryGetValue(job, out List<JobEvent>? journal))
            {
                _journals.Add(job, journal = []);
                if (!_jobs.TryGetValue(lease.Shard, out List<JobId>? jobs))
                    _jobs.Add(lease.Shard, jobs = []);
                jobs.Add(job);
            }
            journal.Add(committed);
            return true;
        }
    }

    public IReadOnlyList<JobEvent> Read(JobId job)
    {
        lock (_lock)
            return _journals.TryGetValue(job, out List<JobEvent>? journal) ? [.. journal] : [];
    }

    public IReadOnlyList<JobId> List(int shard)
    {
        lock (_lock)
            return _jobs.TryGetValue(shard, out List<JobId>? jobs) ? [.. jobs] : [];
    }

    private bool IsCurrent(in ShardLease lease) =>
        _leases.TryGetValue(lease.Shard, out ShardLease held) && held.Epoch == lease.Epoch && held.Owner == lease.Owner;
}
