using Vivarium.Actors.Execution;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Nodes.Hosting;

/// <summary>
/// A whole node inside this process: shards, and a store in memory. What <c>viv run</c> submits its job to. Its workers are those who wait
/// for their jobs: nothing goes from thread to thread.
/// </summary>
internal sealed class LocalNode : IDisposable
{
    private readonly WorkerPool _workers;
    private readonly JobCluster _cluster;

    /// <param name="choosesPlatform">Jobs say what system and processor their programs are for; others need no list of what there is.</param>
    public LocalNode(IBackend backend, NodeSettings settings, bool choosesPlatform = false)
    {
        _workers = new WorkerPool(HostClock.Instance, settings.Quantum);
        var services = new JobServices(settings.Name, backend, _workers, HostClock.Instance, BugReport.Describe);
        var cluster = new ClusterSettings
        {
            Node = new NodeDescription { Name = settings.Name, Capacity = 64, Backends = choosesPlatform ? EmulatedPlatforms.Advertised : [JobSpec.EmulatedBackend] },
            Shards = 1,
            Lease = LeaseSettings.Unlimited,
        };
        var store = new MemoryJobStore(cluster.Shards, static () => HostClock.Instance.Realtime);
        _cluster = new JobCluster(cluster, store, services, HostClock.Instance);
        // In memory all is done at once, and there is nobody to lose a lease to.
        _cluster.Keeper.Join().GetAwaiter().GetResult();
    }

    /// <summary>Bytes of a worker's stack: engines and path walks recurse little, signal handlers of memory faults need room.</summary>
    public const int WorkerStack = 1 << 20;

    public void Tell(JobId id, JobCommand command) => _cluster.Tell(id, command);

    /// <summary>Submits a job and works until it has ended.</summary>
    public JobResult Run(JobId id, JobSpec spec)
    {
        Task<AcceptedJob> accepted = _cluster.Submit(id, spec);
        accepted.GetAwaiter().GetResult();
        Task<JobResult?> result = _cluster.Wait(id);
        _workers.WorkUntil(result);
        return result.GetAwaiter().GetResult()!;
    }

    public void Dispose()
    {
        _workers.Stop();
        _cluster.Keeper.Leave().GetAwaiter().GetResult();
    }
}
