using Vivarium.Telemetry.Traces;

namespace Vivarium.Telemetry.Metrics;

/// <summary>The calls of all jobs of a node that ended. Thread-safe.</summary>
/// <param name="node">The node's name.</param>
public sealed class CallMetrics(string node)
{
    public const string Durations = "vivarium.call.duration";

    /// <summary>Everything is Linux so far; the label is there for the others.</summary>
    private const string Personality = "linux";

    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Totals> _calls = new(StringComparer.Ordinal);
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
                string name = CallRecorder.NameOf(call.Number);
                if (!_calls.TryGetValue(name, out Totals? totals))
                    _calls.Add(name, totals = new Totals());
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
            foreach ((string name, Totals totals) in _calls)
                metrics.Histogram(Durations, "World time of system calls of jobs that ended, from beginning to end.", totals.Durations.Copy(), totals.Time, totals.Exemplar, Labels(name));
            foreach ((string name, Totals totals) in _calls)
                metrics.Seconds("vivarium.call.blocked", "How much of that they waited.", totals.Blocked / 1e9, Labels(name));
            foreach ((string name, Totals totals) in _calls)
                metrics.Counter("vivarium.call.errors", "System calls that failed.", totals.Errors, Labels(name));
            metrics.Counter("vivarium.records.lost", "Records of calls that had to make room for later ones.", _lost);
        }
    }

    private (string, string)[] Labels(string call) => [("call", call), ("personality", Personality), ("node", node)];

    private sealed class Totals
    {
        public readonly CallHistogram Durations = new();
        public long Time, Blocked;
        public ulong Errors;
        public Exemplar? Exemplar;
    }
}
