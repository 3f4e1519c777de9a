using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Messages;
using Vivarium.Nodes.Tests.Otlp;
using Vivarium.Nodes.Tracing;
using Vivarium.Telemetry;
using Vivarium.Telemetry.Metrics;
using Vivarium.Telemetry.Traces;
using Xunit;
using Metric = Vivarium.Nodes.Tests.Otlp.Metric;
using TraceLevel = Vivarium.Messages.TraceLevel;

namespace Vivarium.Nodes.Tests.Tracing;

/// <summary>Traces go to a collector over both transports, and never hold anything up.</summary>
public sealed class SpanSenderTests
{
    private const string Parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(120);

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task Spans_arrive_with_parents_links_times_and_attributes(bool grpc, bool tls)
    {
        await using Collector collector = await Collector.Start(grpc, tls);
        TraceRecording trace = Recording();
        Assert.Null(await SpanSender.SendAndWait(Settings(collector, grpc), trace, s_patience));

        Assert.Equal(trace.Document.Spans.Count, collector.Spans.Count());
        Assert.All(collector.Requests, request => Assert.Equal(grpc ? "application/grpc" : "application/x-protobuf", request.Type));
        Assert.All(collector.Requests, request => Assert.Equal("a b", request.Header));
        Assert.Contains(collector.Requests, request => request.Path == (grpc ? "/opentelemetry.proto.collector.trace.v1.TraceService/Export" : "/v1/traces"));
        foreach (TraceSpan sent in trace.Document.Spans)
        {
            Otlp.Span span = collector.Spans.Single(span => Hex(span.SpanId) == $"{sent.Id:x16}");
            Assert.Equal("0af7651916cd43dd8448eb211c80319c", Hex(span.TraceId));
            Assert.Equal(sent.Parent, ulong.Parse(Hex(span.ParentSpanId), System.Globalization.NumberStyles.HexNumber));
            Assert.Equal((sent.Name, (ulong)sent.Start, (ulong)sent.End), (span.Name, span.StartTimeUnixNano, span.EndTimeUnixNano));
            Assert.Equal(sent.Attributes.Select(attribute => (attribute.Key, Text(attribute.Value))), span.Attributes.Select(pair => (pair.Key, Text(pair.Value))));
            Assert.Equal(sent.Links.Select(link => $"{link.Span:x16}"), span.Links.Select(link => Hex(link.SpanId)));
            Assert.Equal(sent.Error is null ? 0 : 2, span.Status?.Code ?? 0);
        }
        Otlp.Span job = collector.Spans.First();
        Assert.Equal("b7ad6b7169203331", Hex(job.ParentSpanId));
        Otlp.Span read = collector.Spans.Single(span => span.Links.Count > 0);
        Assert.Equal("woken by", read.Links[0].Attributes.Single().Value.StringValue);
        Assert.Equal("vivarium", collector.Traces.First().ResourceSpans[0].Resource.Attributes.Single(pair => pair.Key == "service.name").Value.StringValue);
    }

    [Fact]
    public async Task Metrics_are_exponential_histograms_with_exemplars()
    {
        await using Collector collector = await Collector.Start(grpc: false);
        TraceRecording trace = Recording();
        await SpanSender.SendAndWait(Settings(collector, grpc: false), trace, s_patience);
        Metric metric = collector.Metrics.Single().ResourceMetrics[0].ScopeMetrics[0].Metrics.Single();
        Assert.Equal(("vivarium.call.duration", "ns", 1), (metric.Name, metric.Unit, metric.ExponentialHistogram.AggregationTemporality));
        ExponentialHistogramDataPoint read = metric.ExponentialHistogram.DataPoints.Single(point => point.Attributes[0].Value.StringValue == "read");
        Assert.Equal((1UL, 500_000.0, 3, 500_000.0), (read.Count, read.Sum, read.Scale, read.Max));
        // The value lies in its bucket: past 2^(i/8), up to 2^((i+1)/8).
        int bucket = read.Positive.Offset;
        Assert.InRange(500_000.0, Math.Pow(2, bucket / 8.0), Math.Pow(2, (bucket + 1) / 8.0));
        Assert.Equal(1UL, read.Positive.BucketCounts.Single());
        Assert.Equal(500_000, read.Exemplars.Single().AsInt);
        Assert.Contains(collector.Spans, span => span.SpanId == read.Exemplars[0].SpanId && span.Name == "read");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_nodes_counters_and_gauges_arrive(bool grpc)
    {
        await using Collector collector = await Collector.Start(grpc);
        var metrics = new MetricList();
        metrics.Gauge("vivarium.queue.length", "Waiting.", 7);
        metrics.Counter("vivarium.gc.collections", "Collections.", 3, ("generation", "0"));
        metrics.Counter("vivarium.gc.collections", "Collections.", 1, ("generation", "1"));
        metrics.Seconds("vivarium.gc.pause", "Pauses.", 0.25);
        await using var sender = new SpanSender(Settings(collector, grpc));
        sender.Offer(metrics, "n1", 123);
        await sender.Drain(s_patience);
        ResourceMetrics sent = collector.Metrics.Single().ResourceMetrics.Single();
        Assert.Equal("n1", sent.Resource.Attributes.Single(pair => pair.Key == "host.name").Value.StringValue);
        Metric[] all = [.. sent.ScopeMetrics.Single().Metrics];
        Assert.Equal(["vivarium.queue.length", "vivarium.gc.collections", "vivarium.gc.pause"], all.Select(metric => metric.Name));
        Assert.Equal(7, all[0].Gauge.DataPoints.Single().AsDouble);
        // Cumulative and monotonic, as Prometheus has them.
        Assert.Equal((2, true), (all[1].Sum.AggregationTemporality, all[1].Sum.IsMonotonic));
        Assert.Equal([("0", 3.0), ("1", 1.0)], all[1].Sum.DataPoints.Select(point => (point.Attributes.Single().Value.StringValue, point.AsDouble)));
        Assert.Equal((123UL, "s", 0.25), (all[2].Sum.DataPoints[0].StartTimeUnixNano, all[2].Unit, all[2].Sum.DataPoints[0].AsDouble));
        Assert.True(all[2].Sum.DataPoints[0].TimeUnixNano > 1_700_000_000_000_000_000);
    }

    [Theory]
    [InlineData(false, 503)]
    [InlineData(false, 429)]
    [InlineData(true, -14)]
    public async Task A_collector_that_is_busy_is_asked_again(bool grpc, int refusal)
    {
        await using Collector collector = await Collector.Start(grpc);
        collector.Refusals.Enqueue(refusal);
        collector.Refusals.Enqueue(refusal);
        await using var sender = new SpanSender(Settings(collector, grpc));
        sender.Offer(Recording());
        await sender.Drain(s_patience);
        Assert.Equal((Recording().Document.Spans.Count, 0L, 2L), ((int)sender.Sent, sender.Dropped, sender.Retries));
    }

    [Theory]
    [InlineData(false, 400)]
    [InlineData(true, -3)]
    public async Task What_a_collector_refuses_for_good_is_dropped_and_counted(bool grpc, int refusal)
    {
        await using Collector collector = await Collector.Start(grpc);
        collector.Refusals.Enqueue(refusal);
        string? told = await SpanSender.SendAndWait(Settings(collector, grpc), Recording(), s_patience);
        Assert.Contains(Math.Abs(refusal).ToString(), told);
        Assert.Single(collector.Requests, request => request.Path.Contains("race", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Spans_that_a_collector_rejects_are_counted_and_nonsense_is_no_rejection()
    {
        await using Collector collector = await Collector.Start(grpc: false);
        collector.Answer = new ExportTraceServiceResponse { PartialSuccess = new ExportTracePartialSuccess { RejectedSpans = 2, ErrorMessage = "no" } }.ToByteArray();
        await using var sender = new SpanSender(Settings(collector, grpc: false));
        sender.Offer(Recording());
        await sender.Drain(s_patience);
        Assert.Equal(2, sender.Dropped);
        collector.Answer = Encoding.UTF8.GetBytes("<html>\xff</html>");
        sender.Offer(Recording());
        await sender.Drain(s_patience);
        Assert.Equal((2L, (2 * Recording().Document.Spans.Count) - 2), (sender.Dropped, (int)sender.Sent));
    }

    [Fact]
    public async Task What_answers_but_does_not_speak_gRPC_is_named_and_not_asked_again()
    {
        await using Collector collector = await Collector.Start(grpc: true);
        collector.Refusals.Enqueue(0);
        Assert.Contains("does not speak gRPC", await SpanSender.SendAndWait(Settings(collector, grpc: true), Recording(), s_patience));
        Assert.Single(collector.Requests, request => request.Path.Contains("race", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Attempts_of_a_job_are_one_trace_in_which_no_span_is_twice()
    {
        await using Collector collector = await Collector.Start(grpc: false);
        await using var sender = new SpanSender(Settings(collector, grpc: false));
        TraceRecording one = Recording();
        sender.Offer(one with { IsRetried = true });
        sender.Offer(one with { Attempt = 2, Context = TraceContext.Of(one.Id, null, Parent, 2) });
        await sender.Drain(s_patience);
        Otlp.Span[] spans = [.. collector.Spans];
        Assert.Equal(spans.Length, spans.Select(span => Hex(span.SpanId)).Distinct().Count());
        Otlp.Span job = Assert.Single(spans, span => Hex(span.ParentSpanId) == "b7ad6b7169203331");
        Assert.Equal(["attempt 1", "attempt 2"], spans.Where(span => span.ParentSpanId == job.SpanId).Select(span => span.Name));
        Assert.All(spans.Where(span => span != job), span => Assert.Contains(spans, other => other.SpanId == span.ParentSpanId));
    }

    [Fact]
    public async Task A_collector_that_is_down_delays_nobody_and_gets_what_still_fits_when_it_is_back()
    {
        // Bound and not listening: nobody else gets the port, and who calls is refused.
        var reserved = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        reserved.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        int port = ((IPEndPoint)reserved.LocalEndPoint!).Port;
        var settings = new OtlpSettings { Traces = new Uri($"http://127.0.0.1:{port}/v1/traces"), Timeout = TimeSpan.FromSeconds(2) };
        TraceRecording trace = Recording();
        const long Room = 20_000;
        await using var sender = new SpanSender(settings, Room);
        // Nobody waits: nothing can have been sent by the time all is offered.
        for (int i = 0; i < 200; i++)
            sender.Offer(trace);
        Assert.Equal(0, sender.Sent);
        Assert.InRange(sender.Dropped, 1, 200L * trace.Document.Spans.Count);
        reserved.Dispose();
        await using Collector collector = await Collector.Start(grpc: false, port: port);
        await sender.Drain(s_patience);
        Assert.Equal(200L * trace.Document.Spans.Count, sender.Sent + sender.Dropped);
        Assert.True(sender.Sent > 0);
    }

    [Fact]
    public async Task A_collector_that_never_answers_is_left_after_a_while()
    {
        using var deaf = new TcpListener(IPAddress.Loopback, 0);
        deaf.Start();
        int port = ((IPEndPoint)deaf.LocalEndpoint).Port;
        var settings = new OtlpSettings { Traces = new Uri($"http://127.0.0.1:{port}/v1/traces"), Timeout = TimeSpan.FromMinutes(30) };
        var clock = Stopwatch.StartNew();
        string? told = await SpanSender.SendAndWait(settings, Recording(), TimeSpan.FromMilliseconds(300));
        Assert.Contains("were not sent", told);
        Assert.True(clock.Elapsed < TimeSpan.FromMinutes(5), $"it took {clock.Elapsed}");
    }

    [Fact]
    public async Task A_certificate_that_is_not_trusted_gets_no_spans()
    {
        await using Collector collector = await Collector.Start(grpc: false, tls: true);
        string? told = await SpanSender.SendAndWait(Settings(collector, grpc: false) with { Authorities = null }, Recording(), s_patience);
        Assert.NotNull(told);
        Assert.Empty(collector.Traces);
    }

    [Fact]
    public void Settings_are_those_of_the_specification()
    {
        OtlpSettings? Read(params (string, string)[] variables) => OtlpSettings.From(name => variables.FirstOrDefault(variable => variable.Item1 == name).Item2, out _);
        Assert.Null(Read());
        Assert.Null(Read(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318"), ("OTEL_SDK_DISABLED", "true")));
        Assert.Null(Read(("OTEL_EXPORTER_OTLP_ENDPOINT", "not an address")));
        Assert.Equal("http://a:4318/base/v1/traces", Read(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318/base/"))!.Traces.AbsoluteUri);
        Assert.Equal("http://a:1/x", Read(("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://a:1/x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://b"))!.Traces.AbsoluteUri);
        Assert.True(Read(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4317"))!.IsGrpc);
        Assert.False(Read(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"))!.IsGrpc);
        Assert.Equal([("k", "v w"), ("l", "")], Read(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"), ("OTEL_EXPORTER_OTLP_HEADERS", "k=v%20w, l=,nonsense"))!.Headers);
    }

    private static OtlpSettings Settings(Collector collector, bool grpc)
    {
        string? authority = null;
        if (collector.Authority is { } pem)
        {
            authority = Path.Combine(Path.GetTempPath(), $"vivarium-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}.pem");
            File.WriteAllText(authority, pem);
        }
        Dictionary<string, string?> variables = new()
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.Address.AbsoluteUri,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = grpc ? "grpc" : "http/protobuf",
            ["OTEL_EXPORTER_OTLP_HEADERS"] = "x-tenant=a%20b",
            ["OTEL_EXPORTER_OTLP_CERTIFICATE"] = authority,
        };
        return OtlpSettings.From(name => variables.GetValueOrDefault(name), out _)!;
    }

    private static TraceRecording Recording()
    {
        var recorder = new CallRecorder(TraceLevel.Folded);
        recorder.Take(
        [
            Call(39, 900, 50, 1, 100),
            Call(1, 5000, 100, 3, 101),
            Call(0, 1000, 500_000, 2, 100) with { Blocked = 400_000, WokenBy = 3, WokenByProcess = 101, Subject = [0xFF, 0xFE] },
            Call(2, 600_000, 700, 4, 100) with { Outcome = CallOutcome.Error, Error = Errno.ENOENT },
        ]);
        recorder.Complete();
        var id = new JobId(new Guid("00112233-4455-6677-8899-aabbccddeeff"));
        var spec = new JobSpec { Program = [0x2F, 0xFF], Arguments = [[0x2F, 0xFF], "a b"u8.ToArray()] };
        return new TraceRecording(id, spec, new JobResult { End = JobEnd.Exited, Code = 3 }, recorder, TraceContext.Of(id, null, Parent))
        {
            Node = "n1",
            Queued = 1_700_000_000_000_000_001,
            Started = 1_700_000_000_000_000_002,
            Ran = 1_700_000_000_000_000_003,
            Ended = 1_700_000_000_000_900_007,
        };
    }

    private static CallRecord Call(int number, long start, long duration, long sequence, int process) => new()
    {
        Number = number,
        Start = start,
        End = start + duration,
        Sequence = sequence,
        Process = process,
        Thread = process,
        Outcome = CallOutcome.Value,
    };

    private static string Hex(ByteString bytes) => Convert.ToHexStringLower(bytes.Span);

    private static string Text(object value) => value switch
    {
        string[] strings => string.Join('|', strings),
        AnyValue { ValueCase: AnyValue.ValueOneofCase.ArrayValue } array => string.Join('|', array.ArrayValue.Values.Select(item => item.StringValue)),
        AnyValue { ValueCase: AnyValue.ValueOneofCase.IntValue } number => number.IntValue.ToString(),
        AnyValue { ValueCase: AnyValue.ValueOneofCase.BoolValue } truth => truth.BoolValue.ToString(),
        AnyValue text => text.StringValue,
        _ => value.ToString()!,
    };
}
