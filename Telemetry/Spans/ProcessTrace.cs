namespace Vivarium.Telemetry.Spans;

/// <summary>One process's calls, folded as they come into few enough runs to look at.</summary>
public sealed class ProcessTrace(int id, int parent, long start)
{
    /// <summary>A call this long gets a span of its own, nanoseconds.</summary>
    public const long SlowCall = 10_000_000;

    private readonly List<CallRun> _runs = [];
    private readonly HashSet<(string Name, string Error)> _failures = [];

    public int Id { get; } = id;

    public int Parent { get; } = parent;

    public long Start { get; } = start;

    public long End { get; set; } = start;

    /// <summary>argv of the last program it executed.</summary>
    public IReadOnlyList<string> Arguments { get; set; } = [];

    public string Executable { get; set; } = "";

    /// <summary>What <see cref="Executable"/> was taken from, to notice another program.</summary>
    public object? Source { get; set; }

    /// <summary>The exit code; null while it runs or when a signal killed it.</summary>
    public int? ExitCode { get; set; }

    /// <summary>The signal that killed it.</summary>
    public string? Signal { get; set; }

    public IReadOnlyList<CallRun> Runs => _runs;

    /// <summary>Adds a finished call; <paramref name="error"/> is the errno's name or null. At most 2 × <paramref name="budget"/> runs are kept.</summary>
    public void Add(string name, long start, long end, string? error, int budget)
    {
        End = Math.Max(End, end);
        bool noted = end - start >= SlowCall || (error is not null && _failures.Add((name, error)));
        if (!noted && _runs is [.., { IsNoted: false } last] && last.Name == name)
        {
            last.Extend(start, end, error is not null);
            return;
        }
        CallRun run = CallRun.Of(name, start, end, error);
        run.IsNoted = noted;
        _runs.Add(run);
        if (_runs.Count > 2 * budget)
            Fold(budget);
    }

    /// <summary>Joins neighbours, those that took least first, until at most <paramref name="budget"/> runs are left.</summary>
    public void Fold(int budget)
    {
        // Half the budget is for calls of their own; beyond it the shortest lose that.
        while (CountNoted() > budget / 2)
            ShortestNoted().IsNoted = false;
        while (_runs.Count > Math.Max(1, budget))
        {
            int best = FindCheapestPair(includeNoted: false);
            if (best < 0)
                best = FindCheapestPair(includeNoted: true);
            _runs[best] = _runs[best].Join(_runs[best + 1]);
            _runs.RemoveAt(best + 1);
        }
    }

    private int FindCheapestPair(bool includeNoted)
    {
        int best = -1;
        long least = long.MaxValue;
        for (int i = 0; i + 1 < _runs.Count; i++)
        {
            long length = _runs[i + 1].End - _runs[i].Start;
            if (length < least && (includeNoted || (!_runs[i].IsNoted && !_runs[i + 1].IsNoted)))
                (best, least) = (i, length);
        }
        return best;
    }

    private int CountNoted()
    {
        int count = 0;
        foreach (CallRun run in _runs)
            count += run.IsNoted ? 1 : 0;
        return count;
    }

    private CallRun ShortestNoted()
    {
        CallRun? shortest = null;
        foreach (CallRun run in _runs)
        {
            if (run.IsNoted && (shortest is null || run.CallTime < shortest.CallTime))
                shortest = run;
        }
        return shortest!;
    }
}
