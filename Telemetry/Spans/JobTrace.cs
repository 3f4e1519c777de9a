namespace Vivarium.Telemetry.Spans;

/// <summary>
/// A job's processes and calls, folded to a few hundred spans (design decision 9): trace viewers are unusable past a few
/// thousand. What is folded still adds up to the exact counts.
/// </summary>
public sealed class JobTrace(long start)
{
    /// <summary>Spans of a whole job, roughly.</summary>
    public const int SpanBudget = 300;

    /// <summary>Processes with spans of their own; the calls of later ones are counted at the job.</summary>
    public const int ProcessBudget = 100;

    private readonly Dictionary<int, ProcessTrace> _open = [];
    private readonly List<ProcessTrace> _processes = [];

    public long Start { get; } = start;

    public long End { get; private set; } = start;

    /// <summary>In order of their start.</summary>
    public IReadOnlyList<ProcessTrace> Processes => _processes;

    /// <summary>Processes beyond the budget.</summary>
    public int OmittedProcesses { get; private set; }

    public long OmittedCalls { get; private set; }

    /// <summary>A process began.</summary>
    public void Begin(int process, int parent, long now)
    {
        if (_processes.Count == ProcessBudget)
        {
            OmittedProcesses++;
            return;
        }
        var trace = new ProcessTrace(process, parent, now);
        _open[process] = trace;
        _processes.Add(trace);
    }

    /// <summary>The trace of a running process, or null beyond the budget.</summary>
    public ProcessTrace? Find(int process) => _open.GetValueOrDefault(process);

    public void Add(int process, string name, long start, long end, string? error)
    {
        End = Math.Max(End, end);
        if (_open.TryGetValue(process, out ProcessTrace? trace))
            trace.Add(name, start, end, error, RunBudget);
        else
            OmittedCalls++;
    }

    public void Finish(int process, long now, int? exitCode, string? signal)
    {
        End = Math.Max(End, now);
        if (!_open.Remove(process, out ProcessTrace? trace))
            return;
        trace.End = Math.Max(trace.End, now);
        trace.ExitCode = exitCode;
        trace.Signal = signal;
    }

    /// <summary>Ends everything and folds to the budget.</summary>
    public void Complete(long now)
    {
        End = Math.Max(End, now);
        foreach (ProcessTrace process in _open.Values)
            process.End = Math.Max(process.End, now);
        _open.Clear();
        foreach (ProcessTrace process in _processes)
            process.Fold(RunBudget);
    }

    private int RunBudget => Math.Max(2, SpanBudget / Math.Max(1, _processes.Count));
}
