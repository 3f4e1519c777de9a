using Vivarium.Messages;
using Vivarium.Telemetry.Spans;
using Xunit;

namespace Vivarium.Telemetry.Tests;

public sealed class SpanExporterTests
{
    private const long Boot = 1_700_000_000_000_000_000;

    private static readonly JobSpec Spec = new()
    {
        Program = "/bin/sh"u8.ToArray(),
        Arguments = ["/bin/sh"u8.ToArray()],
        Seed = 7,
    };

    [Fact]
    public void A_job_arrives_as_job_process_and_call_spans()
    {
        var trace = new JobTrace(Boot);
        trace.Begin(1, 0, Boot);
        trace.Find(1)!.Executable = "/bin/sh";
        trace.Find(1)!.Arguments = ["/bin/sh", "-c", "ls"];
        trace.Add(1, "read", Boot + 1000, Boot + 2000, null);
        trace.Add(1, "read", Boot + 3000, Boot + 5000, null);
        trace.Add(1, "openat", Boot + 6000, Boot + 7000, "ENOENT");
        trace.Begin(2, 1, Boot + 8000);
        trace.Add(2, "nanosleep", Boot + 9000, Boot + 9000 + ProcessTrace.SlowCall, null);
        trace.Finish(2, Boot + 30_000_000, null, "SIGKILL");
        trace.Finish(1, Boot + 40_000_000, 3, null);
        trace.Complete(Boot + 50_000_000);

        List<ReceivedSpan> spans = Send(trace, new JobResult { End = JobEnd.Exited, Code = 3 }, out OtlpReceiver receiver);

        Assert.All(receiver.Paths, path => Assert.Equal("/v1/traces", path));
        Assert.All(receiver.ContentTypes, type => Assert.Equal("application/x-protobuf", type));
        Assert.Single(spans.Select(span => span.TraceId).Distinct());
        ReceivedSpan job = spans.Single(span => span.ParentId.Length == 0);
        Assert.Equal("job /bin/sh", job.Name);
        Assert.Equal("7", job.Attributes["vivarium.seed"]);
        Assert.Equal((ulong)Boot, job.Start);
        Assert.Equal((ulong)Boot + 50_000_000, job.End);
        Assert.Equal(2, job.StatusCode);

        ReceivedSpan shell = spans.Single(span => span.ParentId == job.SpanId);
        Assert.Equal("sh", shell.Name);
        Assert.Equal(1L, shell.Attributes["process.pid"]);
        Assert.Equal(3L, shell.Attributes["process.exit.code"]);
        Assert.Equal(new List<object> { "/bin/sh", "-c", "ls" }, shell.Attributes["process.command_args"]);

        ReceivedSpan[] children = [.. spans.Where(span => span.ParentId == shell.SpanId).OrderBy(span => span.Start)];
        Assert.Equal(["read ×2", "openat", "process 2"], children.Select(span => span.Name));
        Assert.Equal(2L, children[0].Attributes["vivarium.call.count"]);
        Assert.Equal(3000L, children[0].Attributes["vivarium.call.time_ns"]);
        Assert.Equal((ulong)Boot + 1000, children[0].Start);
        Assert.Equal((ulong)Boot + 5000, children[0].End);
        Assert.Equal("ENOENT", children[1].Attributes["error.type"]);
        Assert.Equal("SIGKILL", children[2].Attributes["vivarium.process.signal"]);
        Assert.Equal("nanosleep", spans.Single(span => span.ParentId == children[2].SpanId).Name);
    }

    [Fact]
    public void A_million_calls_are_a_few_hundred_spans_that_add_up()
    {
        var trace = new JobTrace(Boot);
        string[] names = ["read", "write", "futex", "mmap", "close"];
        long now = Boot;
        for (int i = 0; i < 1_000_000; i++)
        {
            int process = 1 + (i % 7);
            if (i < 7)
                trace.Begin(process, i == 0 ? 0 : 1, now);
            now += 100 + (i * 7919 % 1000);
            long length = i % 1000 == 999 ? ProcessTrace.SlowCall : 50;
            trace.Add(process, names[i * 31 / 7 % 5], now, now + length, i % 17 == 0 ? "EAGAIN" : null);
        }
        trace.Complete(now);
        List<ReceivedSpan> spans = Send(trace, new JobResult { End = JobEnd.Exited }, out _);
        Assert.InRange(spans.Count, 100, JobTrace.SpanBudget + 8);
        Assert.Equal(1_000_000L, spans.Sum(span => (long)span.Attributes.GetValueOrDefault("vivarium.call.count", 0L)));
        Assert.Equal(58_824L, spans.Sum(span => (long)span.Attributes.GetValueOrDefault("vivarium.call.errors", 0L)));
    }

    [Fact]
    public void Processes_past_the_budget_are_counted()
    {
        var trace = new JobTrace(Boot);
        for (int i = 1; i <= 1000; i++)
        {
            trace.Begin(i, 1, Boot);
            trace.Add(i, "exit_group", Boot, Boot + 1, null);
            trace.Finish(i, Boot + 2, 0, null);
        }
        trace.Complete(Boot + 3);
        List<ReceivedSpan> spans = Send(trace, new JobResult { End = JobEnd.Exited }, out _);
        ReceivedSpan job = spans.Single(span => span.ParentId.Length == 0);
        Assert.Equal(900L, job.Attributes["vivarium.processes.omitted"]);
        Assert.Equal(900L, job.Attributes["vivarium.calls.omitted"]);
        Assert.True(spans.Count <= JobTrace.SpanBudget);
    }

    private static List<ReceivedSpan> Send(JobTrace trace, JobResult result, out OtlpReceiver receiver)
    {
        using (receiver = new OtlpReceiver())
        {
            Environment.SetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.Endpoint);
            using var exporter = new SpanExporter("1.0");
            exporter.Export(new JobId(Guid.Empty), Spec, result, trace);
            Assert.True(exporter.Flush(10_000));
            lock (receiver.Spans)
                return [.. receiver.Spans];
        }
    }
}
