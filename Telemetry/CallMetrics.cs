using System.Globalization;
using System.Text;

namespace Vivarium.Telemetry;

/// <summary>The calls of all jobs of a node, for <c>/metrics</c>. Thread-safe.</summary>
public sealed class CallMetrics
{
    /// <summary>Bounds of the histograms that are told: 256 ns to 17 s, each four times the one before.</summary>
    private const int FirstPower = 8, LastPower = 34, Step = 2;

    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Totals> _calls = new(StringComparer.Ordinal);
    private long _lost;

    /// <summary>Counts a job that is over.</summary>
    public void Add(CallRecorder recorder)
    {
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
            }
        }
    }

    public void WriteTo(StringBuilder text)
    {
        lock (_lock)
        {
            Prometheus.Head(text, "vivarium_call_duration_seconds", "histogram", "World time of system calls of jobs that ended, from beginning to end.");
            foreach ((string name, Totals totals) in _calls)
                WriteHistogram(text, name, totals);
            Prometheus.Head(text, "vivarium_call_blocked_seconds_total", "counter", "How much of that they waited.");
            foreach ((string name, Totals totals) in _calls)
                text.Append(CultureInfo.InvariantCulture, $"vivarium_call_blocked_seconds_total{{call=\"{name}\"}} {totals.Blocked / 1e9}\n");
            Prometheus.Head(text, "vivarium_call_errors_total", "counter", "System calls that failed.");
            foreach ((string name, Totals totals) in _calls)
                text.Append(CultureInfo.InvariantCulture, $"vivarium_call_errors_total{{call=\"{name}\"}} {totals.Errors}\n");
            Prometheus.Counter(text, "vivarium_records_lost_total", "Records of calls that had to make room for later ones.", _lost);
        }
    }

    private static void WriteHistogram(StringBuilder text, string name, Totals totals)
    {
        for (int power = FirstPower; power <= LastPower; power += Step)
            text.Append(CultureInfo.InvariantCulture, $"vivarium_call_duration_seconds_bucket{{call=\"{name}\",le=\"{Math.Pow(2, power) / 1e9}\"}} {totals.Durations.CountUpTo(power)}\n");
        text.Append(CultureInfo.InvariantCulture, $"vivarium_call_duration_seconds_bucket{{call=\"{name}\",le=\"+Inf\"}} {totals.Durations.Count}\n");
        text.Append(CultureInfo.InvariantCulture, $"vivarium_call_duration_seconds_sum{{call=\"{name}\"}} {totals.Time / 1e9}\n");
        text.Append(CultureInfo.InvariantCulture, $"vivarium_call_duration_seconds_count{{call=\"{name}\"}} {totals.Durations.Count}\n");
    }

    private sealed class Totals
    {
        public readonly CallHistogram Durations = new();
        public long Time, Blocked;
        public ulong Errors;
    }
}
