using Vivarium.Messages;

namespace Vivarium.Actors.Storage;

/// <summary>Suites, traces, and what is removed.</summary>
public sealed partial class MemoryJobStore
{
    private readonly List<SuiteRecord> _suites = [];
    private readonly Dictionary<Guid, SortedDictionary<int, SuiteVerdict>> _verdicts = [];
    private readonly Dictionary<(JobId Job, int Attempt), SortedDictionary<int, ReadOnlyMemory<byte>>> _traces = [];

    public ValueTask<bool> AddSuite(SuiteRecord suite)
    {
        lock (_lock)
        {
            if (_suites.Exists(other => other.Id == suite.Id))
                return new ValueTask<bool>(false);
            _suites.Add(suite with { Sequence = _suites.Count == 0 ? 1 : _suites[^1].Sequence + 1 });
            return new ValueTask<bool>(true);
        }
    }

    public ValueTask<SuiteRecord?> FindSuite(Guid id)
    {
        lock (_lock)
            return new ValueTask<SuiteRecord?>(_suites.Find(suite => suite.Id == id));
    }

    public ValueTask<IReadOnlyList<SuiteRecord>> ListSuites(long? after, int limit)
    {
        lock (_lock)
            return new ValueTask<IReadOnlyList<SuiteRecord>>([.. _suites.AsEnumerable().Reverse().Where(suite => after is null || suite.Sequence < after).Take(limit)]);
    }

    public ValueTask WriteVerdicts(Guid suite, IReadOnlyList<SuiteVerdict> verdicts)
    {
        lock (_lock)
        {
            if (!_verdicts.TryGetValue(suite, out SortedDictionary<int, SuiteVerdict>? known))
                _verdicts.Add(suite, known = []);
            foreach (SuiteVerdict verdict in verdicts)
                known.TryAdd(verdict.Number, verdict);
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<SuiteVerdict>> ReadVerdicts(Guid suite, bool withDetail)
    {
        lock (_lock)
        {
            return new ValueTask<IReadOnlyList<SuiteVerdict>>(
                _verdicts.TryGetValue(suite, out SortedDictionary<int, SuiteVerdict>? known) ? [.. known.Values.Select(verdict => withDetail ? verdict : verdict with { Detail = [] })] : []);
        }
    }

    public ValueTask SetSuite(Guid suite, int round, SuiteEnd? end)
    {
        lock (_lock)
        {
            int place = _suites.FindIndex(other => other.Id == suite);
            if (place >= 0)
                _suites[place] = _suites[place] with { Round = round, End = end };
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask RemoveSuite(Guid suite)
    {
        lock (_lock)
        {
            _suites.RemoveAll(other => other.Id == suite);
            _verdicts.Remove(suite);
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask WriteTrace(JobId job, int attempt, IReadOnlyList<TracePart> parts, int firstKept)
    {
        lock (_lock)
        {
            if (!_jobs.ContainsKey(job))
                return ValueTask.CompletedTask;
            if (!_traces.TryGetValue((job, attempt), out SortedDictionary<int, ReadOnlyMemory<byte>>? trace))
                _traces.Add((job, attempt), trace = []);
            foreach (TracePart part in parts)
                trace[part.Number] = part.Bytes;
            foreach (int number in trace.Keys.Where(number => number > 0 && number < firstKept).ToArray())
                trace.Remove(number);
        }
        return ValueTask.CompletedTask;
    }

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadTrace(JobId job, int attempt)
    {
        lock (_lock)
            return new ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>>([.. _traces.GetValueOrDefault((job, attempt))?.Values.AsEnumerable() ?? []]);
    }

    public ValueTask RemoveTrace(JobId job, int attempt)
    {
        lock (_lock)
            _traces.Remove((job, attempt));
        return ValueTask.CompletedTask;
    }

    public ValueTask<int> RemoveJobs(JobsToKeep keep, int limit)
    {
        lock (_lock)
        {
            Entry[] ended = [.. _bySequence.OfType<Entry>().Where(static job => job.Record.Lifecycle.State.IsFinal())];
            long tooMany = ended.Length - keep.Most;
            int removed = 0;
            for (int i = 0; i < Math.Min(limit, ended.Length); i++)
            {
                JobRecord job = ended[i].Record;
                if (i >= tooMany && job.EndedAt >= keep.EndedBefore)
                    continue;
                _bySequence[(int)job.Sequence] = null;
                _jobs.Remove(job.Id);
                foreach ((JobId Job, int Attempt) trace in _traces.Keys.Where(trace => trace.Job == job.Id).ToArray())
                    _traces.Remove(trace);
                removed++;
            }
            if (removed > 0)
            {
                foreach (string key in _keys.Where(key => !_jobs.ContainsKey(key.Value)).Select(static key => key.Key).ToArray())
                    _keys.Remove(key);
            }
            return new ValueTask<int>(removed);
        }
    }

    public ValueTask<int> RemoveImages(long unusedSince)
    {
        lock (_lock)
        {
            HashSet<string?> needed = [.. _bySequence.OfType<Entry>().Select(static job => job.Record.Lifecycle.Spec!.Image)];
            string[] unused =
            [
                .. _blobs.Keys.Where(hash => !needed.Contains(hash) && _images.GetValueOrDefault(hash)?.Tag is null && _imageUses.GetValueOrDefault(hash) < unusedSince),
            ];
            foreach (string hash in unused)
            {
                _blobs.Remove(hash);
                _images.Remove(hash);
                _imageUses.Remove(hash);
            }
            return new ValueTask<int>(unused.Length);
        }
    }
}
