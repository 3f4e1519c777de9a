using Vivarium.Actors.Execution;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Actors.Tests;

/// <summary>A node without threads: the test is its worker and its timer.</summary>
internal sealed class Node
{
    public const int Shards = 4;

    public static readonly JobId Id = new(new Guid("00112233-4455-6677-8899-aabbccddeeff"));

    public Node(Func<FakeRun, RunState> script, IJobStore? store = null, FakeClock? clock = null, string name = "a", NodeDescription? description = null)
    {
        Clock = clock ?? new FakeClock();
        Store = store ?? new MemoryJobStore(Shards, () => Clock.Realtime);
        Backend = new FakeBackend(script);
        Workers = new WorkerPool(Clock, 1000);
        var services = new JobServices(name, Backend, Workers, Clock, bug => "bug: " + bug.Message);
        var settings = new ClusterSettings { Node = description ?? new NodeDescription { Name = name, Capacity = 8 }, Shards = Shards };
        Cluster = new JobCluster(settings, Store, services, Clock);
        Cluster.Keeper.Join().GetAwaiter().GetResult();
    }

    public FakeClock Clock { get; }

    public IJobStore Store { get; }

    public FakeBackend Backend { get; }

    public WorkerPool Workers { get; }

    public JobCluster Cluster { get; }

    public static JobSpec Spec { get; } = new() { Program = "/bin/true"u8.ToArray(), Arguments = ["true"u8.ToArray()] };

    public JobRecord? Record => Store.Find(Id).Result;

    public JobState State => Record?.Lifecycle.State ?? JobState.None;

    public IEnumerable<string> Journal => Store.ReadJournal(Id).Result.Select(recorded => recorded.Happened.GetType().Name);

    public void Submit(JobSpec? spec = null) => Cluster.Submit(Id, spec ?? Spec).GetAwaiter().GetResult();

    public JobReply Tell(JobCommand command) => Cluster.Tell(Id, command).GetAwaiter().GetResult();

    /// <summary>Works until the job has a result.</summary>
    public JobResult Work()
    {
        Task<JobResult?> result = Cluster.Wait(Id);
        result.ContinueWith(_ => Workers.Stop());
        Workers.Work();
        return result.Result!;
    }

    /// <summary>Lets time pass in steps of a timer.</summary>
    public void Pass(long nanoseconds, params Node[] others)
    {
        const long Step = 50_000_000;
        for (long passed = 0; passed < nanoseconds; passed += Step)
        {
            Clock.Advance(Step);
            Cluster.Tick();
            foreach (Node other in others)
                other.Cluster.Tick();
        }
    }
}
