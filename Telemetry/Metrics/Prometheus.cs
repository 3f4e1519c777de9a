using System.Globalization;
using System.Text;

namespace Vivarium.Telemetry.Metrics;

/// <summary>Prometheus' text format 0.0.4, and OpenMetrics 1.0.0, which is like it but has exemplars.</summary>
public static class Prometheus
{
    public const string TextType = "text/plain; version=0.0.4; charset=utf-8";
    public const string OpenMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// <summary>Bounds of the histograms that are told: 256 ns to 17 s, each four times the one before.</summary>
    private const int FirstPower = 8, LastPower = 34, Step = 2;

    private const double Nanoseconds = 1e9;

    public static string Write(MetricList metrics, bool openMetrics)
    {
        var text = new StringBuilder();
        foreach (Metric metric in metrics.All)
        {
            string family = NameOf(metric), sample = metric.Kind == MetricKind.Counter ? family + "_total" : family;
            // OpenMetrics names the family, the older format the samples.
            string head = openMetrics ? family : sample;
            text.Append(CultureInfo.InvariantCulture, $"# HELP {head} {metric.Help}\n# TYPE {head} {metric.Kind.ToString().ToLowerInvariant()}\n");
            if (openMetrics && metric.Unit.Length > 0)
                text.Append(CultureInfo.InvariantCulture, $"# UNIT {head} {UnitOf(metric.Unit)}\n");
            foreach (MetricPoint point in metric.Points)
            {
                if (point.Durations is { } durations)
                    WriteHistogram(text, family, point, durations, openMetrics);
                else
                    WriteSample(text, sample, point.Labels, null, point.Value).Append('\n');
            }
        }
        if (openMetrics)
            text.Append("# EOF\n");
        return text.ToString();
    }

    /// <summary>A label's value: backslash, quote and line end are escaped.</summary>
    public static string Label(string value) => value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");

    private static string NameOf(Metric metric) => metric.Name.Replace('.', '_') + (metric.Unit.Length > 0 ? "_" + UnitOf(metric.Unit) : "");

    private static string UnitOf(string unit) => unit switch { "s" => "seconds", "By" => "bytes", _ => unit };

    private static void WriteHistogram(StringBuilder text, string name, MetricPoint point, CallHistogram durations, bool openMetrics)
    {
        Exemplar? exemplar = openMetrics ? point.Exemplar : null;
        for (int power = FirstPower; power <= LastPower; power += Step)
        {
            double bound = Math.Pow(2, power);
            WriteSample(text, name + "_bucket", point.Labels, (bound / Nanoseconds).ToString(CultureInfo.InvariantCulture), durations.CountUpTo(power));
            // With the first bucket that it is in.
            if (exemplar is not null && exemplar.Value <= bound)
                exemplar = WriteExemplar(text, exemplar);
            text.Append('\n');
        }
        WriteSample(text, name + "_bucket", point.Labels, "+Inf", durations.Count);
        if (exemplar is not null)
            WriteExemplar(text, exemplar);
        text.Append('\n');
        WriteSample(text, name + "_sum", point.Labels, null, point.Sum / Nanoseconds).Append('\n');
        WriteSample(text, name + "_count", point.Labels, null, durations.Count).Append('\n');
    }

    private static Exemplar? WriteExemplar(StringBuilder text, Exemplar exemplar)
    {
        text.Append(CultureInfo.InvariantCulture, $" # {{trace_id=\"{exemplar.TraceId}\",span_id=\"{exemplar.Span:x16}\"}} {exemplar.Value / Nanoseconds} {exemplar.Time / 1_000_000 / 1000m}");
        return null;
    }

    private static StringBuilder WriteSample(StringBuilder text, string name, IReadOnlyList<(string Name, string Value)> labels, string? bound, double value)
    {
        text.Append(name);
        char before = '{';
        foreach ((string label, string content) in labels)
        {
            text.Append(before).Append(label).Append("=\"").Append(Label(content)).Append('"');
            before = ',';
        }
        if (bound is not null)
        {
            text.Append(before).Append("le=\"").Append(bound).Append('"');
            before = ',';
        }
        return text.Append(before == ',' ? "} " : " ").Append(value.ToString(CultureInfo.InvariantCulture));
    }
}
