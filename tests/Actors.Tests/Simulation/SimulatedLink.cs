using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Actors.Tests.Simulation;

/// <summary>
/// A process's way to the store: takes time, may lose a question or its answer, and may deliver a question long after whoever asked has
/// given up or died. What the store tells comes late or not at all, but all is told again after a loss.
/// </summary>
internal sealed class SimulatedLink : IJobStore
{
    private const long Timeout = 3 * Simulator.Second;

    private readonly Simulator _simulator;
    private readonly MemoryJobStore _store;
    private readonly int _shards;
    private bool _hasMissed;

    public SimulatedLink(Simulator simulator, MemoryJobStore store, int shards)
    {
        _simulator = simulator;
        _store = store;
        _shards = shards;
        store.Queued += HearQueued;
    }

    public event Action<int>? Queued;

    public event Action<JobId>? Changed
    {
        add { }
        remove { }
    }

    /// <summary>Nothing gets through.</summary>
    public bool IsCut { get; set; }

    /// <summary>The process has died: it gets no answers. What it asked may still reach the store.</summary>
    public bool IsDead { get; set; }

    /// <summary>Runs an event of the process, at once or when it goes on after a pause.</summary>
    public required Action<Action> Deliver { get; init; }

    /// <summary>Told what was taken, when it was.</summary>
    public required Action<string, IReadOnlyList<ShardLease>, IReadOnlyList<ShardLease>> Taken { get; init; }

    public void Disconnect() => _store.Queued -= HearQueued;

    public ValueTask<long> Join(NodeDescription node) => Ask(() => _store.Join(node));

    public ValueTask<bool> Renew(string node, long incarnation, NodeLoad load) => Ask(() => _store.Renew(node, incarnation, load));

    public ValueTask<ClusterView> Observe() => Ask(_store.Observe);

    public ValueTask<IReadOnlyList<ShardLease>> Take(string node, long incarnation, IReadOnlyList<ShardLease> observed) => Ask(() =>
    {
        ValueTask<IReadOnlyList<ShardLease>> taken = _store.Take(node, incarnation, observed);
        Taken(node, observed, taken.Result);
        return taken;
    });

    public ValueTask Release(IReadOnlyList<ShardLease> leases) => AskOnly(() => _store.Release(leases));

    public ValueTask Leave(string node, long incarnation) => AskOnly(() => _store.Leave(node, incarnation));

    public ValueTask<IReadOnlyList<AcceptedJob>> Accept(IReadOnlyList<NewJob> jobs) => Ask(() => _store.Accept(jobs));

    public ValueTask<IReadOnlyList<ShardLease>> Append(IReadOnlyList<JournalEntry> entries) => Ask(() => _store.Append(entries));

    public ValueTask<IReadOnlyList<JobRecord>> ReadQueue(IReadOnlyList<int> shards, int limit) => Ask(() => _store.ReadQueue(shards, limit));

    public ValueTask<IReadOnlyList<JobRecord>> ReadShard(int shard, JobState state, long afterSequence, int limit) =>
        Ask(() => _store.ReadShard(shard, state, afterSequence, limit));

    public ValueTask<JobRecord?> Find(JobId job) => Ask(() => _store.Find(job));

    public ValueTask<JobPage> List(JobQuery query) => throw new NotSupportedException();

    public ValueTask<IReadOnlyDictionary<JobState, long>> Count(IReadOnlyDictionary<string, string>? labels = null) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<RecordedEvent>> ReadJournal(JobId job) => throw new NotSupportedException();

    public ValueTask<OutputPage?> ReadOutput(JobId job, int attempt, long offset, int limit) => throw new NotSupportedException();

    public ValueTask<ImageRecord?> FindImage(string reference) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<ImageRecord>> ListImages() => throw new NotSupportedException();

    public ValueTask<long> BlobLength(string hash) => throw new NotSupportedException();

    public ValueTask WriteBlob(string hash, long offset, ReadOnlyMemory<byte> piece) => throw new NotSupportedException();

    public ValueTask<ReadOnlyMemory<byte>> ReadBlob(string hash, long offset) => throw new NotSupportedException();

    public ValueTask<bool> PutImage(ImageRecord image) => throw new NotSupportedException();

    public ValueTask<bool> RemoveImage(string hash) => throw new NotSupportedException();

    public ValueTask<bool> UseImage(string hash) => throw new NotSupportedException();

    public ValueTask<bool> AddSuite(SuiteRecord suite) => throw new NotSupportedException();

    public ValueTask<SuiteRecord?> FindSuite(Guid id) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<SuiteRecord>> ListSuites(long? after, int limit) => throw new NotSupportedException();

    public ValueTask WriteVerdicts(Guid suite, IReadOnlyList<SuiteVerdict> verdicts) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<SuiteVerdict>> ReadVerdicts(Guid suite, bool withDetail) => throw new NotSupportedException();

    public ValueTask SetSuite(Guid suite, int round, SuiteEnd? end) => throw new NotSupportedException();

    public ValueTask RemoveSuite(Guid suite) => throw new NotSupportedException();

    public ValueTask WriteTrace(JobId job, int attempt, IReadOnlyList<TracePart> parts, int firstKept) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadTrace(JobId job, int attempt) => throw new NotSupportedException();

    public ValueTask RemoveTrace(JobId job, int attempt) => throw new NotSupportedException();

    public ValueTask<int> RemoveJobs(JobsToKeep keep, int limit) => throw new NotSupportedException();

    public ValueTask<int> RemoveImages(long unusedSince) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async ValueTask AskOnly(Func<ValueTask> operation) => await Ask(() =>
    {
        operation();
        return new ValueTask<int>(0);
    }).ConfigureAwait(false);

    private ValueTask<T> Ask<T>(Func<ValueTask<T>> operation)
    {
        var answer = new TaskCompletionSource<T>();
        bool isAnswered = false;
        void Answer(Action complete)
        {
            if (IsDead || isAnswered)
                return;
            isAnswered = true;
            Deliver(complete);
        }

        void Execute()
        {
            T result = operation().Result;
            if (IsCut || _simulator.Chance(0.003))
                return;
            _simulator.After(Delay, () => Answer(() => answer.TrySetResult(result)));
        }

        _simulator.After(Timeout, () => Answer(() => answer.TrySetException(new StoreUnavailableException("timeout"))));
        // Cut off, a question is lost, or it waits in a buffer on the way and comes through when nobody expects it any more.
        if (!IsCut && !_simulator.Chance(0.003))
            _simulator.After(Delay, Execute);
        else if (_simulator.Chance(0.3))
            _simulator.After(_simulator.Between(Simulator.Second, 15 * Simulator.Second), Execute);
        return new ValueTask<T>(answer.Task);
    }

    private long Delay => _simulator.Chance(0.02) ? _simulator.Between(1, 300 * Simulator.Millisecond) : _simulator.Between(1, 3 * Simulator.Millisecond);

    private void HearQueued(int shard)
    {
        if (IsCut || _simulator.Chance(0.01))
        {
            // A connection that lost something is made again, and everything told.
            if (!_hasMissed)
                _simulator.After(_simulator.Between(Simulator.Second, 2 * Simulator.Second), TellAll);
            _hasMissed = true;
            return;
        }
        _simulator.After(Delay, () => Tell(shard));
    }

    private void TellAll()
    {
        if (IsCut && !IsDead)
        {
            _simulator.After(Simulator.Second, TellAll);
            return;
        }
        _hasMissed = false;
        for (int i = 0; i < _shards; i++)
            Tell(i);
    }

    private void Tell(int shard)
    {
        if (!IsDead)
            Deliver(() => Queued?.Invoke(shard));
    }
}
