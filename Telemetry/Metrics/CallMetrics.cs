using Vivarium.Emulator.Personalities;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Telemetry.Metrics;

/// <summary>The calls of all jobs of a node that ended. Thread-safe.</summary>
/// <param name="node">The node's name.</param>
public sealed class CallMetrics(string node)
{
    public const string Durations = "vivarium.call.duration";

    private readonly Lock _lock = new();
    private readonly SortedDictionary<(string System, string Name), Totals> _calls = new(Comparer<(string System, string Name)>.Create(static (one, two) =>
        string.CompareOrdinal(one.System, two.System) is not 0 and var order ? order : string.CompareOrdinal(one.Name, two.Name)));
    private long _lost;

    /// <summary>Counts a job that is over.</summary>
    public void Add(TraceRecording job)
    {
        CallRecorder recorder = job.Recorder;
        lock (_lock)
        {
            _lost += recorder.Records?.Lost ?? 0;
            foreach (CallTotals call in recorder.Ledger.All)
            {
                (string, string) key = (CallTables.System(call.Number), CallRecorder.NameOf(call.Number));
                if (!_calls.TryGetValue(key, out Totals? totals))
                    _calls.Add(key, totals = new Totals());
                totals.Durations.Add(call.Durations);
                totals.Time += call.TotalTime;
                totals.Blocked += call.BlockedTime;
                totals.Errors += call.Errors;
                // The latest job's longest: one that somebody may still look at.
                if (call.LongestSequence != 0)
                    totals.Exemplar = new Exemplar(call.LongestTime, call.LongestStart + call.LongestTime + recorder.ToRealtime, job.Context.TraceId, job.SpanOf(call.LongestSequence));
            }
        }
    }

    public void AddTo(MetricList metrics)
    {
        lock (_lock)
        {
            foreach (((string system, string name), Totals totals) in _calls)
                metrics.Histogram(Durations, "World time of system calls of jobs that ended, from beginning to end.", totals.Durations.Copy(), totals.Time, totals.Exemplar, Labels(system, name));
            foreach (((string system, string name), Totals totals) in _calls)
                metrics.Seconds("vivarium.call.blocked", "How much of that they waited.", totals.Blocked / 1e9, Labels(system, name));
            foreach (((string system, string name), Totals totals) in _calls)
                metrics.Counter("vivarium.call.errors", "System calls that failed.", totals.Errors, Labels(system, name));
            metrics.Counter("vivarium.records.lost", "Records of calls that had to make room for later ones.", _lost);
        }
    }

    private (string, string)[] Labels(string system, string call) => [("call", call), ("personality", system), ("node", node)];

    private sealed class Totals
    {
        public readonly CallHistogram Durations = new();
        public long Time, Blocked;
        public ulong Errors;
        public Exemplar? Exemplar;
    }
}
