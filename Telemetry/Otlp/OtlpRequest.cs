using System.Buffers.Binary;
using Vivarium.Telemetry.Metrics;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Telemetry.Otlp;

/// <summary>
/// Export requests of OTLP 1 as protobuf (opentelemetry-proto, collector/trace/v1 and collector/metrics/v1). Written here rather than by
/// the OpenTelemetry library: that chooses spans' identifiers itself, knows no time finer than 100 ns, and cannot say what it dropped.
/// </summary>
public static class OtlpRequest
{
    private const int InternalKind = 1, ErrorStatus = 2, Delta = 1, Cumulative = 2;

    /// <summary>Spans in one request: collectors refuse messages past some megabytes.</summary>
    private const int MostSpans = 512;

    /// <summary>A job's spans, in as many requests as they need; with the number of spans of each.</summary>
    /// <param name="first">The first of its spans to send.</param>
    public static IReadOnlyList<(ReadOnlyMemory<byte> Body, int Spans)> Traces(TraceDocument trace, int first = 0)
    {
        List<(ReadOnlyMemory<byte>, int)> requests = [];
        for (; first < trace.Spans.Count; first += MostSpans)
        {
            int count = Math.Min(MostSpans, trace.Spans.Count - first);
            requests.Add((Trace(trace, first, count), count));
        }
        return requests;
    }

    /// <summary>A job's calls as exponential histograms by name, with the longest call of each as exemplar.</summary>
    public static ReadOnlyMemory<byte> Metrics(TraceRecording job)
    {
        var writer = new ProtoWriter();
        int resourceMetrics = writer.Begin(1);
        WriteResource(writer, job.Document.Job);
        int scopeMetrics = writer.Begin(2);
        WriteScope(writer);
        int metric = writer.Begin(2);
        writer.Text(1, "vivarium.call.duration");
        writer.Text(2, "World time of system calls from beginning to end.");
        writer.Text(3, "ns");
        int histogram = writer.Begin(10);
        foreach (CallTotals totals in job.Recorder.Ledger.All)
            WriteHistogram(writer, job, totals);
        writer.Number(2, Delta);
        writer.End(histogram);
        writer.End(metric);
        writer.End(scopeMetrics);
        writer.End(resourceMetrics);
        return writer.Written;
    }

    /// <summary>A node's counters and gauges. Histograms of calls are left out: each job sends its own.</summary>
    /// <param name="start">When the counters began; like <paramref name="now"/> nanoseconds since 1970 UTC.</param>
    public static ReadOnlyMemory<byte> Metrics(MetricList metrics, string node, long start, long now)
    {
        var writer = new ProtoWriter();
        int resourceMetrics = writer.Begin(1);
        int resource = writer.Begin(1);
        WriteAttributes(writer, 1, [new("service.name", "vivarium"), new("host.name", node), new("vivarium.node", node)]);
        writer.End(resource);
        int scopeMetrics = writer.Begin(2);
        WriteScope(writer);
        foreach (Metric metric in metrics.All)
        {
            if (metric.Kind != MetricKind.Histogram)
                WriteMetric(writer, metric, start, now);
        }
        writer.End(scopeMetrics);
        writer.End(resourceMetrics);
        return writer.Written;
    }

    private static void WriteMetric(ProtoWriter writer, Metric metric, long start, long now)
    {
        int message = writer.Begin(2);
        writer.Text(1, metric.Name);
        writer.Text(2, metric.Help);
        writer.Text(3, metric.Unit);
        bool isCounter = metric.Kind == MetricKind.Counter;
        // metrics.proto: Gauge is field 5 of Metric, Sum is 7.
        int data = writer.Begin(isCounter ? 7 : 5);
        foreach (MetricPoint point in metric.Points)
        {
            int inner = writer.Begin(1);
            if (isCounter)
                writer.Fixed(2, (ulong)start);
            writer.Fixed(3, (ulong)now);
            writer.Double(4, point.Value);
            WriteAttributes(writer, 7, [.. point.Labels.Select(static label => new TraceAttribute(label.Name, label.Value))]);
            writer.End(inner);
        }
        if (isCounter)
        {
            writer.Number(2, Cumulative);
            writer.Bool(3, true);
        }
        writer.End(data);
        writer.End(message);
    }

    private static ReadOnlyMemory<byte> Trace(TraceDocument trace, int first, int count)
    {
        byte[] id = Convert.FromHexString(trace.Job.TraceId);
        var writer = new ProtoWriter();
        int resourceSpans = writer.Begin(1);
        WriteResource(writer, trace.Job);
        int scopeSpans = writer.Begin(2);
        WriteScope(writer);
        for (int i = first; i < first + count; i++)
            WriteSpan(writer, id, trace.Spans[i]);
        writer.End(scopeSpans);
        writer.End(resourceSpans);
        return writer.Written;
    }

    private static void WriteResource(ProtoWriter writer, JobFacts job)
    {
        int resource = writer.Begin(1);
        WriteAttributes(writer, 1, Resource.Of(job));
        writer.End(resource);
    }

    private static void WriteScope(ProtoWriter writer)
    {
        int scope = writer.Begin(1);
        writer.Text(1, "vivarium");
        writer.End(scope);
    }

    private static void WriteSpan(ProtoWriter writer, byte[] trace, TraceSpan span)
    {
        int message = writer.Begin(2);
        writer.Bytes(1, trace);
        WriteId(writer, 2, span.Id);
        if (span.Parent != 0)
            WriteId(writer, 4, span.Parent);
        writer.Text(5, span.Name);
        writer.Number(6, InternalKind);
        writer.Fixed(7, (ulong)span.Start);
        writer.Fixed(8, (ulong)span.End);
        WriteAttributes(writer, 9, span.Attributes);
        foreach (TraceLink link in span.Links)
        {
            int inner = writer.Begin(13);
            writer.Bytes(1, link.TraceId is { } other ? Convert.FromHexString(other) : trace);
            WriteId(writer, 2, link.Span);
            WriteAttributes(writer, 4, [new("vivarium.link", link.Reason)]);
            writer.End(inner);
        }
        if (span.Error is { } error)
        {
            int status = writer.Begin(15);
            writer.Text(2, error);
            writer.Number(3, ErrorStatus);
            writer.End(status);
        }
        writer.End(message);
    }

    private static void WriteHistogram(ProtoWriter writer, TraceRecording job, CallTotals totals)
    {
        CallHistogram durations = totals.Durations;
        int point = writer.Begin(1);
        WriteAttributes(writer, 1, [new("vivarium.call.name", CallRecorder.NameOf(totals.Number)), new("vivarium.personality", Emulator.Personalities.CallTables.System(totals.Number)), new("vivarium.node", job.Node)]);
        writer.Fixed(2, (ulong)job.Ran);
        writer.Fixed(3, (ulong)job.Ended);
        writer.Fixed(4, durations.Count);
        writer.Double(5, totals.TotalTime);
        writer.Signed(6, CallHistogram.Scale);
        writer.Fixed(7, durations.Zeros);
        WriteBuckets(writer, durations);
        WriteExemplar(writer, job, totals);
        writer.Double(13, totals.LongestTime);
        writer.End(point);
    }

    /// <summary>From the first bucket that holds something to the last.</summary>
    private static void WriteBuckets(ProtoWriter writer, CallHistogram durations)
    {
        int first = 0, end = durations.Buckets.Count;
        while (end > 0 && durations.Buckets[end - 1] == 0)
            end--;
        while (first < end && durations.Buckets[first] == 0)
            first++;
        if (first == end)
            return;
        int positive = writer.Begin(8);
        writer.Signed(1, first);
        writer.Packed(2, [.. durations.Buckets.Skip(first).Take(end - first)]);
        writer.End(positive);
    }

    private static void WriteExemplar(ProtoWriter writer, TraceRecording job, CallTotals totals)
    {
        if (totals.LongestSequence == 0)
            return;
        int exemplar = writer.Begin(11);
        writer.Fixed(2, (ulong)(totals.LongestStart + totals.LongestTime + job.Recorder.ToRealtime));
        WriteId(writer, 4, job.SpanOf(totals.LongestSequence));
        writer.Bytes(5, Convert.FromHexString(job.Context.TraceId));
        writer.Fixed(6, (ulong)totals.LongestTime);
        writer.End(exemplar);
    }

    private static void WriteId(ProtoWriter writer, int field, ulong id)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, id);
        writer.Bytes(field, bytes);
    }

    private static void WriteAttributes(ProtoWriter writer, int field, IReadOnlyList<TraceAttribute> attributes)
    {
        foreach ((string key, object value) in attributes)
        {
            int pair = writer.Begin(field);
            writer.Text(1, key);
            int any = writer.Begin(2);
            WriteValue(writer, value);
            writer.End(any);
            writer.End(pair);
        }
    }

    private static void WriteValue(ProtoWriter writer, object value)
    {
        switch (value)
        {
            case bool truth:
                writer.Bool(2, truth);
                break;
            case long number:
                writer.Chosen(3, number);
                break;
            case string[] strings:
                int array = writer.Begin(5);
                foreach (string item in strings)
                {
                    int any = writer.Begin(1);
                    writer.Text(1, item);
                    writer.End(any);
                }
                writer.End(array);
                break;
            default:
                writer.Text(1, (string)value);
                break;
        }
    }
}
