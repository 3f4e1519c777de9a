using System.Text;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Actors.Tests.Simulation;

/// <summary>
/// Three nodes, their store and a client, under faults for a while and then in peace. The nodes run the real code; the faults are those
/// of machines and networks: crashes, cuts, pauses, lost and late messages, clocks set wrong, nodes that leave.
/// </summary>
internal sealed class SimulatedCluster
{
    public const int Shards = 8;

    private const int JobCount = 40;
    private const long FaultsEnd = 41 * Simulator.Second;
    private const long End = 110 * Simulator.Second;

    private readonly Simulator _simulator;
    private readonly SimulatedNode[] _nodes;
    private readonly Dictionary<JobId, List<SimulatedNode>> _runs = [];
    private readonly List<JobId> _accepted = [];
    private readonly HashSet<JobId> _cancelled = [];

    public SimulatedCluster(int seed)
    {
        _simulator = new Simulator(seed);
        Lease = seed % 3 == 0 ? new LeaseSettings(Simulator.Second) : LeaseSettings.Default;
        Store = new MemoryJobStore(Shards, () => _simulator.Now);
        _nodes = [.. Enumerable.Range(0, 3).Select(i => new SimulatedNode(_simulator, $"node{i}", this))];
    }

    public MemoryJobStore Store { get; }

    public LeaseSettings Lease { get; }

    /// <summary>What must never be and was: one line each.</summary>
    public List<string> Violations { get; } = [];

    public ulong Trace => _simulator.Trace;

    public void Run()
    {
        // With a test framework's context answers would go on in the thread pool, and not here and now.
        SynchronizationContext? before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            RunAll();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private void RunAll()
    {
        foreach (SimulatedNode node in _nodes)
            _simulator.After(_simulator.Between(0, Simulator.Second), node.Start);
        for (int i = 0; i < JobCount; i++)
        {
            var spec = new JobSpec { Program = [1], Arguments = [], Retries = _simulator.Chance(0.3) ? 2 : 0 };
            var id = new JobId(_simulator.NewGuid());
            _simulator.After(_simulator.Between(0, FaultsEnd), () => Submit(id, spec));
        }
        _simulator.After(Simulator.Second, Disturb);
        _simulator.RunUntil(FaultsEnd);
        Heal();
        _simulator.RunUntil(End);
        foreach (JobId id in _accepted)
            CheckEnd(id);
        if (_accepted.Count != JobCount)
            Violations.Add($"{JobCount - _accepted.Count} jobs were never accepted");
        if (Violations.Count > 0)
        {
            ClusterView view = Store.Observe().Result;
            Violations.AddRange(_nodes.Select(static node => node.Describe()));
            Violations.Add("store: " + string.Join(' ', view.Shards.Select(static shard => $"{shard.Shard}/{shard.Epoch}={shard.Owner}")));
            Violations.Add("store: " + string.Join(' ', view.Nodes.Select(static node => $"{node.Description.Name}/{node.Incarnation}{(node.HasLeft ? " left" : "")} beat {node.Beat}")));
        }
    }

    public void AddRun(JobId id, SimulatedNode node)
    {
        _simulator.Note($"run {id} {node.Name}");
        if (!_runs.TryGetValue(id, out List<SimulatedNode>? runs))
            _runs.Add(id, runs = []);
        runs.Add(node);
    }

    public void RemoveRun(JobId id, SimulatedNode node) => _runs[id].Remove(node);

    public void ForgetRuns(SimulatedNode node)
    {
        foreach (List<SimulatedNode> runs in _runs.Values)
            runs.RemoveAll(runner => runner == node);
    }

    /// <summary>A node that works on a job is the only one awake that does.</summary>
    public void CheckAlone(JobId id, SimulatedNode node)
    {
        foreach (SimulatedNode other in _runs[id])
        {
            if (other != node && other.IsAwake)
                Violate($"{id} runs on {node.Name} and on {other.Name}");
        }
    }

    /// <summary>Nobody who is awake holds a lease that another node has taken.</summary>
    public void CheckTaken(string taker, IReadOnlyList<ShardLease> observed, IReadOnlyList<ShardLease> taken)
    {
        foreach (ShardLease lease in taken)
        {
            ShardLease before = observed.First(other => other.Shard == lease.Shard);
            _simulator.Note($"take {lease}");
            SimulatedNode? owner = Array.Find(_nodes, node => node.Name == before.Owner);
            if (owner is { IsAwake: true } && owner.Name != taker && owner.Jobs!.Region.Leases.Contains(before))
                Violate($"{taker} took {before} while its owner holds it");
        }
    }

    private void Violate(string what) => Violations.Add($"at {_simulator.Now / 1e9:0.000} s: {what}");

    /// <summary>A client submits until it is told that the job is accepted, to any node, and sometimes twice.</summary>
    private void Submit(JobId id, JobSpec spec)
    {
        SimulatedNode node = _nodes[_simulator.Random.Next(_nodes.Length)];
        Task<AcceptedJob>? submission = node.IsAwake ? node.Jobs!.Submit(id, spec, $"key {id}") : null;
        _simulator.After(_simulator.Between(10, 4000) * Simulator.Millisecond, () =>
        {
            if (submission is { IsCompletedSuccessfully: true })
            {
                if (submission.Result.Id != id)
                    Violate($"{id} was accepted as {submission.Result.Id}");
                if (!_accepted.Contains(id))
                    _accepted.Add(id);
                if (_simulator.Chance(0.2))
                    _simulator.After(_simulator.Between(0, 2 * Simulator.Second), () => Cancel(id));
                if (_simulator.Chance(0.8))
                    return;
            }
            Submit(id, spec);
        });
    }

    private void Cancel(JobId id)
    {
        int shard = Store.Find(id).Result!.Shard;
        foreach (SimulatedNode node in _nodes)
        {
            if (node.IsAwake && node.Jobs!.Region.Tell(shard, id, new JobMessage.Ask(new JobCommand.Cancel(), _ => { })))
                _cancelled.Add(id);
        }
    }

    private void Disturb()
    {
        if (_simulator.Now >= FaultsEnd - Simulator.Second)
            return;
        SimulatedNode node = _nodes[_simulator.Random.Next(_nodes.Length)];
        int fault = _simulator.Random.Next(8);
        _simulator.Note($"fault {fault} {node.Name}");
        switch (fault)
        {
            case 0 or 1:
                node.Kill();
                _simulator.After(_simulator.Between(100, 8000) * Simulator.Millisecond, node.Start);
                break;
            case 2 or 3:
                node.IsCut = true;
                _simulator.After(_simulator.Between(100, 12000) * Simulator.Millisecond, () => node.IsCut = false);
                break;
            case 4:
                // The store itself is away.
                SetCuts(true);
                _simulator.After(_simulator.Between(100, 8000) * Simulator.Millisecond, () => SetCuts(false));
                break;
            case 5:
                node.Pause(_simulator.Between(100, 10000) * Simulator.Millisecond);
                break;
            case 6:
                node.StepClock(_simulator.Between(-10, 10) * Simulator.Second);
                break;
            default:
                node.DrainAndLeave();
                _simulator.After(_simulator.Between(1, 8) * Simulator.Second, node.Start);
                break;
        }
        _simulator.After(_simulator.Between(200, 4000) * Simulator.Millisecond, Disturb);
    }

    private void SetCuts(bool isCut)
    {
        foreach (SimulatedNode node in _nodes)
            node.IsCut = isCut;
    }

    private void Heal()
    {
        SetCuts(false);
        foreach (SimulatedNode node in _nodes)
        {
            // What was under way for a later time may still come: processes that left are started again.
            for (int second = 0; second < 12; second++)
                _simulator.After(second * Simulator.Second, () =>
                {
                    node.IsCut = false;
                    node.Start();
                });
        }
    }

    private void CheckEnd(JobId id)
    {
        JobRecord? job = Store.Find(id).Result;
        IReadOnlyList<RecordedEvent> journal = Store.ReadJournal(id).Result;
        int ends = journal.Count(recorded => recorded.Happened is JobEvent.Finished);
        _simulator.Note($"end {id} {job?.Lifecycle.State} {journal.Count}");
        if (job is null || !job.Lifecycle.State.IsFinal() || ends != 1)
        {
            Violations.Add($"{id} is {job?.Lifecycle.State}, its journal has {ends} ends: {string.Join(' ', journal.Select(recorded => recorded.Happened.GetType().Name))}");
            return;
        }
        JobLifecycle replayed = JobLifecycle.Replay(journal.Select(recorded => recorded.Happened));
        if (replayed.State != job.Lifecycle.State || replayed.Attempts != job.Lifecycle.Attempts)
            Violations.Add($"{id}: its journal leads to {replayed.State}, its row is {job.Lifecycle.State}");
        if (job.Lifecycle.State == JobState.Cancelled && !_cancelled.Contains(id))
            Violations.Add($"{id} is cancelled, and nobody asked for it");
        if (job.Lifecycle.Result!.End == JobEnd.Exited)
            CheckOutput(id);
    }

    /// <summary>The last attempt's output is all there, once and in order.</summary>
    private void CheckOutput(JobId id)
    {
        string expected = string.Concat(Enumerable.Range(0, SimulatedBackend.Lines).Select(line => $"{line}\n"));
        OutputPage page = Store.ReadOutput(id, 0, 0, int.MaxValue).Result!;
        string output = string.Concat(page.Chunks.Select(chunk => Encoding.ASCII.GetString(chunk.Bytes.Span)));
        if (output != expected)
            Violations.Add($"{id} wrote {output.ReplaceLineEndings(" ")}");
    }
}
