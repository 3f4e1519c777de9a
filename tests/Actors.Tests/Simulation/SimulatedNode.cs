using System.Text;
using Vivarium.Actors.Execution;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Actors.Tests.Simulation;

/// <summary>A machine of the simulated cluster, with the process that runs on it at present, if any.</summary>
internal sealed class SimulatedNode(Simulator simulator, string name, SimulatedCluster cluster)
{
    private readonly SimulatedClock _clock = new(simulator);
    private readonly List<Action> _held = [];
    private SimulatedLink? _link;
    private WorkerPool? _workers;

    public string Name => name;

    /// <summary>The process; null while there is none.</summary>
    public JobCluster? Jobs { get; private set; }

    public bool IsPaused { get; private set; }

    public bool IsCut
    {
        get => _link is { IsCut: true };
        set
        {
            if (_link is not null)
                _link.IsCut = value;
        }
    }

    /// <summary>The process runs, and notices what time it is.</summary>
    public bool IsAwake => Jobs is not null && !IsPaused;

    public void Start()
    {
        if (Jobs is not null)
            return;
        SimulatedLink link = _link = new SimulatedLink(simulator, cluster.Store, SimulatedCluster.Shards) { Deliver = Deliver, Taken = cluster.CheckTaken };
        _workers = new WorkerPool(_clock, 1000);
        var backend = new SimulatedBackend(simulator, this, cluster, _clock);
        var services = new JobServices(name, backend, _workers, _clock, bug => throw new InvalidOperationException(bug.ToString()));
        var settings = new ClusterSettings
        {
            Node = new NodeDescription { Name = name, Capacity = 4 },
            Shards = SimulatedCluster.Shards,
            Lease = cluster.Lease,
        };
        JobCluster jobs = Jobs = new JobCluster(settings, link, services, _clock);
        jobs.Keeper.Replaced += () => Kill();
        Join(jobs);
        Tick(jobs);
    }

    /// <summary>The process's state, for whoever looks into a failure.</summary>
    public string Describe() => Jobs is null
        ? $"{name} is down"
        : $"{name}: {(Jobs.Keeper.IsMember ? "member" : "no member")}{(Jobs.Keeper.IsDraining ? ", draining" : "")}{(IsPaused ? ", paused" : "")}, "
            + $"owns {string.Join(' ', Jobs.Region.Leases.Select(lease => $"{lease.Shard}/{lease.Epoch}"))}, "
            + $"open {string.Join(' ', Jobs.Region.OpenShards)}, {Jobs.Feeder.Running} running";

    /// <summary>The process dies without a word.</summary>
    public void Kill()
    {
        if (_link is null)
            return;
        _link.IsDead = true;
        _link.Disconnect();
        Jobs = null;
        IsPaused = false;
        _held.Clear();
        cluster.ForgetRuns(this);
    }

    /// <summary>The process stands still, as a virtual machine does that is moved, and then goes on as if nothing had been.</summary>
    public void Pause(long duration)
    {
        if (!IsAwake)
            return;
        IsPaused = true;
        JobCluster? paused = Jobs;
        simulator.After(duration, () =>
        {
            if (Jobs != paused || !IsPaused)
                return;
            IsPaused = false;
            // Its timer is due, before whatever waits for it.
            paused!.Tick();
            foreach (Action action in _held.ToArray())
                action();
            _held.Clear();
        });
    }

    public void StepClock(long step) => _clock.Step += step;

    public void DrainAndLeave()
    {
        if (!IsAwake)
            return;
        JobCluster leaving = Jobs!;
        leaving.Keeper.Drain();
        simulator.After(simulator.Between(0, 3 * Simulator.Second), () =>
        {
            if (Jobs == leaving && IsAwake)
                Leave(leaving);
        });
    }

    private async void Leave(JobCluster leaving)
    {
        try
        {
            await leaving.Keeper.Leave().ConfigureAwait(false);
        }
        catch (StoreUnavailableException)
        {
            // As after a crash.
        }
        if (Jobs == leaving)
            Kill();
    }

    private async void Join(JobCluster jobs)
    {
        try
        {
            await jobs.Keeper.Join().ConfigureAwait(false);
        }
        catch (StoreUnavailableException)
        {
            // A node that cannot join ends, and its service manager starts it again.
            if (Jobs != jobs)
                return;
            Kill();
            simulator.After(Simulator.Second, Start);
        }
    }

    private void Tick(JobCluster jobs)
    {
        if (Jobs != jobs)
            return;
        if (!IsPaused)
        {
            jobs.Tick();
            _workers!.WorkReady();
        }
        simulator.After(simulator.Between(10, 40) * Simulator.Millisecond, () => Tick(jobs));
    }

    private void Deliver(Action action)
    {
        if (IsPaused)
            _held.Add(action);
        else
            action();
    }
}

/// <summary>Runs that take a while and write numbered lines.</summary>
internal sealed class SimulatedBackend(Simulator simulator, SimulatedNode node, SimulatedCluster cluster, SimulatedClock clock) : IBackend
{
    public const int Lines = 4;

    public IJobRun Create(JobId id, JobSpec spec, JobOutput output) => new SimulatedRun(simulator, node, cluster, clock, id, spec, output);

    private sealed class SimulatedRun : IJobRun
    {
        private readonly SimulatedNode _node;
        private readonly SimulatedCluster _cluster;
        private readonly SimulatedClock _clock;
        private readonly JobId _id;
        private readonly JobOutput _output;
        private readonly long _pause;
        private int _line;

        public SimulatedRun(Simulator simulator, SimulatedNode node, SimulatedCluster cluster, SimulatedClock clock, JobId id, JobSpec spec, JobOutput output)
        {
            (_node, _cluster, _clock, _id, _output) = (node, cluster, clock, id, output);
            _pause = simulator.Between(0, 400) * Simulator.Millisecond;
            Result = new JobResult { End = JobEnd.Exited, Code = spec.Retries > 0 && simulator.Chance(0.5) ? 1 : 0 };
            cluster.AddRun(id, node);
        }

        public event Action? Woken
        {
            add { }
            remove { }
        }

        public JobResult Result { get; }

        public RunState Run(long quantum)
        {
            _cluster.CheckAlone(_id, _node);
            OutputStream stream = _line % 2 == 0 ? OutputStream.Standard : OutputStream.Error;
            _output.Open(stream).TryWrite(Encoding.ASCII.GetBytes($"{_line}\n"));
            return ++_line == Lines ? RunState.Done : RunState.Idle(_clock.Monotonic + _pause);
        }

        public void Deliver(JobCommand command, Action<JobReply> reply) => reply(JobReply.Done);

        public void Dispose() => _cluster.RemoveRun(_id, _node);
    }
}
