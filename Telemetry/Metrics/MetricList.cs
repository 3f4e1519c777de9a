namespace Vivarium.Telemetry.Metrics;

public enum MetricKind
{
    /// <summary>Grows from the process's start on.</summary>
    Counter,

    /// <summary>What it is now.</summary>
    Gauge,

    /// <summary>Durations, counted from the process's start on.</summary>
    Histogram,
}

/// <summary>One value of those that a metric's histogram counted, and the span that it came from.</summary>
/// <param name="Value">Nanoseconds.</param>
/// <param name="Time">Nanoseconds since 1970 UTC.</param>
public sealed record Exemplar(long Value, long Time, string TraceId, ulong Span);

/// <summary>One figure of a metric.</summary>
/// <param name="Labels">What it is of, by name.</param>
public sealed record MetricPoint(IReadOnlyList<(string Name, string Value)> Labels)
{
    /// <summary>Of a counter or gauge.</summary>
    public double Value { get; init; }

    /// <summary>Of a histogram: durations in nanoseconds.</summary>
    public CallHistogram? Durations { get; init; }

    /// <summary>Their sum, nanoseconds.</summary>
    public long Sum { get; init; }

    public Exemplar? Exemplar { get; init; }
}

/// <summary>Figures of one kind.</summary>
/// <param name="Name">OpenTelemetry's form, with dots.</param>
/// <param name="Unit">As in UCUM: <c>s</c>, <c>By</c>; empty = a number of things.</param>
public sealed record Metric(string Name, MetricKind Kind, string Unit, string Help)
{
    public List<MetricPoint> Points { get; } = [];
}

/// <summary>What a node has to tell at a moment, for any format.</summary>
public sealed class MetricList
{
    private readonly List<Metric> _all = [];

    public IReadOnlyList<Metric> All => _all;

    public void Counter(string name, string help, double value, params (string Name, string Value)[] labels) =>
        Find(name, MetricKind.Counter, "", help).Points.Add(new MetricPoint(labels) { Value = value });

    public void Seconds(string name, string help, double value, params (string Name, string Value)[] labels) =>
        Find(name, MetricKind.Counter, "s", help).Points.Add(new MetricPoint(labels) { Value = value });

    public void Gauge(string name, string help, double value, params (string Name, string Value)[] labels) =>
        Find(name, MetricKind.Gauge, "", help).Points.Add(new MetricPoint(labels) { Value = value });

    public void Bytes(string name, string help, double value, params (string Name, string Value)[] labels) =>
        Find(name, MetricKind.Gauge, "By", help).Points.Add(new MetricPoint(labels) { Value = value });

    public void Histogram(string name, string help, CallHistogram durations, long sum, Exemplar? exemplar, params (string Name, string Value)[] labels) =>
        Find(name, MetricKind.Histogram, "s", help).Points.Add(new MetricPoint(labels) { Durations = durations, Sum = sum, Exemplar = exemplar });

    private Metric Find(string name, MetricKind kind, string unit, string help)
    {
        if (_all.Find(metric => metric.Name == name) is { } known)
            return known;
        var metric = new Metric(name, kind, unit, help);
        _all.Add(metric);
        return metric;
    }
}
