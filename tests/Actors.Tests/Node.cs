using Vivarium.Actors.Execution;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Actors.Tests;

/// <summary>A node without threads: the test is its worker.</summary>
internal sealed class Node
{
    public static readonly JobId Id = new(new Guid("00112233-4455-6677-8899-aabbccddeeff"));

    public Node(Func<FakeRun, RunState> script, IJobStore? store = null, FakeClock? clock = null, string name = "a")
    {
        Clock = clock ?? new FakeClock();
        Store = store ?? new MemoryJobStore();
        Backend = new FakeBackend(script);
        Workers = new WorkerPool(Clock, 1000);
        var services = new JobServices(Backend, Workers, Clock, bug => "bug: " + bug.Message);
        Region = new ShardRegion(name, 4, Store, new JobActorFactory(services), Clock);
    }

    public FakeClock Clock { get; }

    public IJobStore Store { get; }

    public FakeBackend Backend { get; }

    public WorkerPool Workers { get; }

    public ShardRegion Region { get; }

    public JobResult? Result { get; private set; }

    public static JobSpec Spec { get; } = new() { Program = "/bin/true"u8.ToArray(), Arguments = ["true"u8.ToArray()] };

    public JobState State => JobLifecycle.Replay(Store.Read(Id)).State;

    public void Submit(JobSpec? spec = null)
    {
        Region.Tell(Id, new JobCommand.Submit(spec ?? Spec));
        Region.Tell(Id, new JobActor.Watch(result =>
        {
            Result = result;
            Workers.Stop();
        }));
    }

    /// <summary>Works until the job has a result.</summary>
    public JobResult Work()
    {
        Workers.Work();
        return Result!;
    }
}
