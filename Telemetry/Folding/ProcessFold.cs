using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Telemetry.Folding;

/// <summary>
/// One process's calls as few enough runs to look at. A call of the last one's number goes into its run; so does any that comes within
/// the present <see cref="_phase"/> of the run's start. When there are too many runs, the phase grows until half of them are joined: so a
/// call costs the same however many came before.
/// </summary>
public sealed class ProcessFold(int id, int parent, long start)
{
    /// <summary>Runs kept while the process runs; at times twice as many.</summary>
    private const int Budget = 48;

    private List<CallRun> _runs = [];
    private long _phase;

    public int Id { get; } = id;

    public int Parent { get; } = parent;

    /// <summary>World time, nanoseconds.</summary>
    public long Start { get; private set; } = start;

    public long End { get; internal set; } = start;

    /// <summary>The program it executed last: its file's name, and argv.</summary>
    public byte[] Executable { get; internal set; } = [];

    public IReadOnlyList<byte[]> Arguments { get; internal set; } = [];

    /// <summary>The system and the processor of that program, as OpenTelemetry's <c>os.type</c> and <c>host.arch</c> name them; null before the first.</summary>
    public string? System { get; internal set; }

    public string? Processor { get; internal set; }

    /// <summary>The exit code; null while it runs or when a signal killed it.</summary>
    public int? ExitCode { get; internal set; }

    /// <summary>The signal that killed it, by number.</summary>
    public int? Signal { get; internal set; }

    public bool HasEnded { get; internal set; }

    public IReadOnlyList<CallRun> Runs => _runs;

    /// <summary>The run that a call belongs to.</summary>
    internal CallRun RunOf(in CallRecord record, long index)
    {
        long end = record.Start + record.Duration;
        Reach(end);
        if (_runs.Count > 0)
        {
            CallRun last = _runs[^1];
            if (last.IsOf(record.Number) || end - last.Start <= _phase)
            {
                last.Extend(record, index);
                return last;
            }
        }
        var run = new CallRun(record, index);
        _runs.Add(run);
        if (_runs.Count > 2 * Budget)
            Reduce(Budget);
        return run.Root;
    }

    /// <summary>The process lived to this time.</summary>
    internal void Reach(long end)
    {
        if (end > End)
            End = end;
    }

    /// <summary>Joins runs until at most so many are left.</summary>
    internal void Reduce(int budget)
    {
        while (_runs.Count > budget)
        {
            _phase = Math.Max((2 * _phase) + 1, MedianLength());
            _runs = Joined(_phase);
        }
    }

    /// <summary>The calls of another process become this one's.</summary>
    internal void TakeOver(ProcessFold other)
    {
        _runs.AddRange(other._runs);
        _runs.Sort(static (a, b) => a.Start.CompareTo(b.Start));
        Start = Math.Min(Start, other.Start);
        End = Math.Max(End, other.End);
        if (_runs.Count > 2 * Budget)
            Reduce(Budget);
    }

    /// <summary>How many runs would be left with phases of a length.</summary>
    internal int CountAt(long phase)
    {
        int count = 0;
        long start = 0;
        for (int i = 0; i < _runs.Count; i++)
        {
            if (count > 0 && _runs[i].End - start <= phase)
                continue;
            count++;
            start = _runs[i].Start;
        }
        return count;
    }

    /// <summary>Joins runs that lie within a phase.</summary>
    internal void JoinWithin(long phase)
    {
        _phase = Math.Max(_phase, phase);
        _runs = Joined(phase);
    }

    /// <summary>The same as a fold of its own; notes which run is which's copy.</summary>
    internal ProcessFold Copy(Dictionary<CallRun, CallRun> copies)
    {
        var copy = new ProcessFold(Id, Parent, Start) { End = End, Executable = Executable, Arguments = Arguments, ExitCode = ExitCode, Signal = Signal, HasEnded = HasEnded, _phase = _phase };
        foreach (CallRun run in _runs)
            copy._runs.Add(copies[run] = run.Copy());
        return copy;
    }

    private List<CallRun> Joined(long phase)
    {
        List<CallRun> kept = [];
        foreach (CallRun run in _runs)
        {
            if (kept.Count > 0 && run.End - kept[^1].Start <= phase)
                kept[^1].Join(run);
            else
                kept.Add(run);
        }
        return kept;
    }

    /// <summary>The median of what neighbours would come to as one.</summary>
    private long MedianLength()
    {
        long[] lengths = new long[_runs.Count - 1];
        for (int i = 0; i < lengths.Length; i++)
            lengths[i] = _runs[i + 1].End - _runs[i].Start;
        // With a comparison: sorting without is code that the run-time would compile anew.
        lengths.AsSpan().Sort(static (one, two) => one.CompareTo(two));
        return lengths[lengths.Length / 2];
    }
}
