using System.Globalization;
using System.Text;
using Vivarium.Emulator.Personalities.FreeBsd;
using Vivarium.Emulator.Personalities.NetBsd;
using Vivarium.Messages;
using Vivarium.Telemetry.Metrics;
using Vivarium.Telemetry.Traces;
using Xunit;

namespace Vivarium.Telemetry.Tests.Traces;

public sealed class MetricsTests
{
    [Fact]
    public void Values_lie_in_their_buckets_and_quantiles_are_near()
    {
        var random = new Random(1);
        var histogram = new CallHistogram();
        long[] values = [.. Enumerable.Range(0, 20_000).Select(_ => random.NextInt64(1, 1L << random.Next(1, 40)))];
        foreach (long value in values)
        {
            var single = new CallHistogram();
            single.Add(value);
            int bucket = single.Buckets.Select((count, index) => (count, index)).Single(pair => pair.count == 1).index;
            Assert.InRange(value, Math.Floor(CallHistogram.UpperBound(bucket - 1)), Math.Ceiling(CallHistogram.UpperBound(bucket)));
            histogram.Add(value);
        }
        Array.Sort(values);
        foreach (double share in (double[])[0.1, 0.5, 0.99])
        {
            long exact = values[(int)Math.Ceiling(share * values.Length) - 1];
            Assert.InRange(histogram.Quantile(share), exact * 0.99, (exact * 1.1) + 1);
        }
        Assert.Equal((ulong)values.Count(value => value <= 1024), histogram.CountUpTo(10));
    }

    [Fact]
    public void Prometheus_text_is_cumulative_and_complete()
    {
        var metrics = new CallMetrics("n\"1");
        var recorder = new CallRecorder(TraceLevel.Folded);
        recorder.Take([Calls.Of(0, 0, 100, 1), Calls.Of(0, 200, 5000, 2) with { Blocked = 4000 }, Calls.Of(39, 9000, 10, 3)]);
        TraceRecording job = FoldingTests.Recording(recorder);
        metrics.Add(job);
        metrics.Add(job);
        var list = new MetricList();
        metrics.AddTo(list);
        string[] lines = Prometheus.Write(list, openMetrics: false).Split('\n');
        Assert.Contains("vivarium_call_duration_seconds_bucket{call=\"read\",personality=\"linux\",node=\"n\\\"1\",le=\"2.56E-07\"} 2", lines);
        Assert.Contains("vivarium_call_duration_seconds_bucket{call=\"read\",personality=\"linux\",node=\"n\\\"1\",le=\"+Inf\"} 4", lines);
        Assert.Contains("vivarium_call_duration_seconds_count{call=\"read\",personality=\"linux\",node=\"n\\\"1\"} 4", lines);
        Assert.Contains("vivarium_call_duration_seconds_sum{call=\"read\",personality=\"linux\",node=\"n\\\"1\"} 1.02E-05", lines);
        Assert.Contains("vivarium_call_blocked_seconds_total{call=\"read\",personality=\"linux\",node=\"n\\\"1\"} 8E-06", lines);
        foreach (string line in lines.Where(line => line.Length > 0 && line[0] != '#'))
            Assert.True(double.TryParse(line[(line.LastIndexOf(' ') + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out _), line);
    }

    [Fact]
    public void Calls_of_one_name_are_told_apart_by_their_system()
    {
        var metrics = new CallMetrics("n");
        var recorder = new CallRecorder(TraceLevel.Folded);
        recorder.Take([Calls.Of(0, 0, 100, 1), Calls.Of(FreeBsdTable.Base + 3, 200, 100, 2), Calls.Of(FreeBsdTable.Base + 3, 400, 100, 3), Calls.Of(NetBsdTable.Base + 3, 600, 100, 4)]);
        metrics.Add(FoldingTests.Recording(recorder));
        var list = new MetricList();
        metrics.AddTo(list);
        string[] lines = Prometheus.Write(list, openMetrics: false).Split('\n');
        Assert.Contains("vivarium_call_duration_seconds_count{call=\"read\",personality=\"linux\",node=\"n\"} 1", lines);
        Assert.Contains("vivarium_call_duration_seconds_count{call=\"read\",personality=\"freebsd\",node=\"n\"} 2", lines);
        Assert.Contains("vivarium_call_duration_seconds_count{call=\"read\",personality=\"netbsd\",node=\"n\"} 1", lines);
    }

    [Fact]
    public void OpenMetrics_names_families_ends_and_has_exemplars()
    {
        var metrics = new CallMetrics("n");
        var recorder = new CallRecorder(TraceLevel.Folded);
        recorder.Take([Calls.Of(0, 0, 100, 1), Calls.Of(0, 1_000_000, 5_000_000, 2)]);
        TraceRecording job = FoldingTests.Recording(recorder);
        metrics.Add(job);
        var list = new MetricList();
        metrics.AddTo(list);
        string[] lines = Prometheus.Write(list, openMetrics: true).Split('\n');
        Assert.Equal(["# EOF", ""], lines[^2..]);
        Assert.Contains("# TYPE vivarium_call_errors counter", lines);
        Assert.Contains("# UNIT vivarium_call_duration_seconds seconds", lines);
        string exemplar = Assert.Single(lines, static line => line.Contains(" # {", StringComparison.Ordinal));
        // In the bucket that its 5 ms belong to, from 4.2 to 16.8 ms.
        Assert.StartsWith("vivarium_call_duration_seconds_bucket{call=\"read\",personality=\"linux\",node=\"n\",le=\"0.016777216\"} 2 # {trace_id=\"" + job.Context.TraceId + "\",span_id=\"", exemplar);
        Assert.Contains($"{job.SpanOf(2):x16}\"}} 0.005 ", exemplar);
        Assert.Contains(job.Document.Spans, span => span.Id == job.SpanOf(2) && span.Name == "read");
    }
}
