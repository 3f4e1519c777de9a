using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Actors.Jobs;

/// <summary>Finds places for jobs among the nodes that are alive, and tells waiting jobs when there are other nodes.</summary>
public sealed class Placement : IPlacement
{
    private readonly NodeDescription _self;
    private readonly LeaseKeeper _keeper;
    private readonly ShardRegion _region;
    private readonly IJobStore _store;
    private string _nodes = "";
    private int _isTelling;

    public Placement(NodeDescription self, LeaseKeeper keeper, ShardRegion region, IJobStore store)
    {
        _self = self;
        _keeper = keeper;
        _region = region;
        _store = store;
        keeper.Observed += See;
    }

    public bool IsHere(JobSpec spec) => _self.Meets(spec);

    public int? FindShard(JobId id, JobSpec spec)
    {
        HashSet<string> fit = [.. Ready.Where(node => node.Meets(spec)).Select(static node => node.Name)];
        List<int> shards = [.. _keeper.Shards.Where(shard => fit.Contains(shard.Owner)).Select(static shard => shard.Shard)];
        return shards.Count == 0 ? null : shards[ShardRegion.ShardOf(id, shards.Count)];
    }

    public string? Explain(JobSpec spec) => Explain(spec.Backend, spec.Requirements);

    /// <summary>Why none of the nodes that take jobs runs one with such requirements; null when one does.</summary>
    public string? Explain(string backend, JobRequirements wanted) => NodeDescription.WhyNone([.. Ready], backend, wanted);

    private IEnumerable<NodeDescription> Ready => _keeper.Alive.Where(static node => !node.Load.IsDraining).Select(static node => node.Description);

    private void See()
    {
        // Waiting jobs are looked at when the nodes or what they own changed, and when the last look failed.
        string nodes = "";
        foreach (NodeRecord node in _keeper.Alive)
            nodes += $"{node.Description.Name}/{node.Incarnation}/{node.Shards},";
        if (nodes == _nodes || Interlocked.Exchange(ref _isTelling, 1) != 0)
            return;
        TellWaiting(nodes);
    }

    private async void TellWaiting(string nodes)
    {
        const int Page = 256;
        try
        {
            foreach (int shard in _region.OpenShards)
            {
                long after = -1;
                IReadOnlyList<JobRecord> waiting;
                do
                {
                    waiting = await _store.ReadShard(shard, JobState.Waiting, after, Page).ConfigureAwait(false);
                    foreach (JobRecord job in waiting)
                    {
                        after = job.Sequence;
                        if (FindShard(job.Id, job.Lifecycle.Spec!) is not null)
                            _region.Tell(shard, job.Id, new JobMessage.Place(job));
                    }
                }
                while (waiting.Count == Page);
            }
            _nodes = nodes;
        }
        catch (StoreUnavailableException)
        {
            // Tried again with the next view.
        }
        finally
        {
            Volatile.Write(ref _isTelling, 0);
        }
    }
}
