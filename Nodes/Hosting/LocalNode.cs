using Vivarium.Actors.Execution;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Nodes.Hosting;

/// <summary>A whole node inside this process: shards, workers, and a store in memory. What <c>viv run</c> submits its job to.</summary>
internal sealed class LocalNode : IDisposable
{
    private readonly WorkerPool _workers;
    private readonly ShardRegion _region;

    public LocalNode(IBackend backend, NodeSettings settings)
    {
        _workers = new WorkerPool(HostClock.Instance, settings.Quantum);
        var services = new JobServices(backend, _workers, HostClock.Instance, BugReport.Describe);
        _region = new ShardRegion(settings.Name, settings.Shards, new MemoryJobStore(), new JobActorFactory(services), HostClock.Instance);
        for (int i = 0; i < settings.Workers; i++)
            new Thread(Work, WorkerStack) { IsBackground = true, Name = $"worker {i}" }.Start();
    }

    /// <summary>Bytes of a worker's stack: engines and path walks recurse little, signal handlers of memory faults need room.</summary>
    private const int WorkerStack = 1 << 20;

    public void Tell(JobId id, JobCommand command) => _region.Tell(id, command);

    /// <summary>Submits a job; the task is its result.</summary>
    public Task<JobResult> Submit(JobId id, JobSpec spec)
    {
        var ended = new TaskCompletionSource<JobResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        _region.Tell(id, new JobCommand.Submit(spec));
        _region.Tell(id, new JobActor.Watch(ended.SetResult));
        return ended.Task;
    }

    public void Dispose()
    {
        _workers.Stop();
        _region.Release();
    }

    private void Work() => _workers.Work();
}
