using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Emulator.Kernel;
using Vivarium.Messages;

namespace Vivarium.Actors.Jobs;

/// <summary>Other nodes of the cluster.</summary>
public interface IPeers
{
    /// <summary>Passes a command to the node that owns the job's shard.</summary>
    ValueTask<JobReply> Forward(NodeDescription node, int shard, JobId id, JobCommand command);
}

/// <summary>What a node of a cluster is made of.</summary>
public sealed record ClusterSettings
{
    public required NodeDescription Node { get; init; }

    /// <summary>Shards of the cluster, the same on every node.</summary>
    public required int Shards { get; init; }

    public LeaseSettings Lease { get; init; } = LeaseSettings.Default;
}

/// <summary>
/// A node's face: what the API, and <c>viv run</c>, do with jobs. The same calls on any node do the same; queries go to
/// <see cref="Store"/>.
/// </summary>
public sealed class JobCluster
{
    private readonly ClusterSettings _settings;
    private readonly IPeers? _peers;
    private readonly Placement _placement;
    private readonly JobWatchers _watchers;
    private readonly GroupCommit<Submission> _submissions;

    /// <summary>Why none of the nodes that take jobs runs one of a backend with such requirements, in one line; null when one does.</summary>
    public string? WhyNone(string backend, JobRequirements wanted) => _placement.Explain(backend, wanted);

    public JobCluster(ClusterSettings settings, IJobStore store, JobServices services, IClock clock, IPeers? peers = null)
    {
        _settings = settings;
        _peers = peers;
        Store = store;
        _watchers = new JobWatchers(store);
        _submissions = new GroupCommit<Submission>(Accept);
        Region = new ShardRegion(store, new LazyFactory(this), clock);
        Feeder = new JobFeeder(Region, store, settings.Node.Capacity);
        Keeper = new LeaseKeeper(settings.Node, settings.Lease, store, Region, clock, () => Feeder.Running);
        _placement = new Placement(settings.Node, Keeper, Region, store);
        Actors = new JobActorFactory(services with { Placement = _placement, Finished = _watchers.Finish, MayRun = () => Keeper.IsHeld });
    }

    public IJobStore Store { get; }

    public ShardRegion Region { get; }

    public LeaseKeeper Keeper { get; }

    public JobFeeder Feeder { get; }

    private JobActorFactory Actors { get; }

    /// <summary>Submits a job. When the task completes the job is accepted, which means durable.</summary>
    /// <exception cref="StoreUnavailableException">It may or may not be accepted: submit it again under the same id or key.</exception>
    public Task<AcceptedJob> Submit(JobId id, JobSpec spec, string? key = null)
    {
        // Right away where it can run, if that is not here: its shard's owner would have to move it.
        int shard = ShardRegion.ShardOf(id, _settings.Shards);
        if (!_placement.IsHere(spec))
            shard = _placement.FindShard(id, spec) ?? shard;
        var submission = new Submission(new NewJob(id, spec, shard, key), new TaskCompletionSource<AcceptedJob>(TaskCreationOptions.RunContinuationsAsynchronously));
        _submissions.Add(submission);
        return submission.Accepted.Task;
    }

    /// <summary>Tells a job something, wherever in the cluster it is.</summary>
    public async Task<JobReply> Tell(JobId id, JobCommand command)
    {
        try
        {
            if (await Store.Find(id).ConfigureAwait(false) is not { } job)
                return JobReply.Unknown;
            if (TellHere(job.Shard, id, command) is { } here)
                return await here.ConfigureAwait(false);
            ShardLease owner = Keeper.Shards.FirstOrDefault(shard => shard.Shard == job.Shard);
            NodeRecord? node = Keeper.Alive.FirstOrDefault(node => node.Description.Name == owner.Owner);
            if (_peers is null || node is null)
                return JobReply.Unavailable;
            return await _peers.Forward(node.Description, job.Shard, id, command).ConfigureAwait(false);
        }
        catch (StoreUnavailableException)
        {
            return JobReply.Unavailable;
        }
    }

    /// <summary>Tells a job of a shard owned here; null when it is not.</summary>
    public Task<JobReply>? TellHere(int shard, JobId id, JobCommand command)
    {
        var reply = new TaskCompletionSource<JobReply>(TaskCreationOptions.RunContinuationsAsynchronously);
        return Region.Tell(shard, id, new JobMessage.Ask(command, answer => reply.TrySetResult(answer))) ? reply.Task : null;
    }

    /// <summary>The job's result, once it is durable; null for an unknown job.</summary>
    public Task<JobResult?> Wait(JobId id, CancellationToken cancellation = default) => _watchers.Wait(id, cancellation);

    /// <summary>Calls back, from any thread, when the job's state or output changed, until disposed.</summary>
    public IDisposable Watch(JobId id, Action changed) => _watchers.Watch(id, changed);

    /// <summary>Called by the node's timer, every <see cref="LeaseSettings.Observation"/> or oftener.</summary>
    public void Tick()
    {
        Keeper.Tick();
        Feeder.Retry();
    }

    private async ValueTask<bool> Accept(IReadOnlyList<Submission> submissions)
    {
        try
        {
            NewJob[] jobs = new NewJob[submissions.Count];
            for (int i = 0; i < jobs.Length; i++)
                jobs[i] = submissions[i].Job;
            IReadOnlyList<AcceptedJob> accepted = await Store.Accept(jobs).ConfigureAwait(false);
            for (int i = 0; i < jobs.Length; i++)
                submissions[i].Accepted.SetResult(accepted[i]);
        }
        catch (Exception failure)
        {
            foreach (Submission submission in submissions)
                submission.Accepted.TrySetException(failure);
        }
        return true;
    }

    private sealed record Submission(NewJob Job, TaskCompletionSource<AcceptedJob> Accepted);

    /// <summary>The region makes entities whose services know the region.</summary>
    private sealed class LazyFactory(JobCluster cluster) : IEntityFactory
    {
        public IEntity Create(JobRecord record, IEntityContext context) => cluster.Actors.Create(record, context);

        public ISeed Recovery(JobRecord record) => cluster.Actors.Recovery(record);

        public void Refuse(object message, bool isUnavailable) => cluster.Actors.Refuse(message, isUnavailable);
    }
}
