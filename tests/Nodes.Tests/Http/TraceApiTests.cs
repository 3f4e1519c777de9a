using System.Text.Json;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Traces.Formats;
using Xunit;

namespace Vivarium.Nodes.Tests.Http;

/// <summary>Traces of a node's jobs: before, during and after their run.</summary>
public sealed class TraceApiTests(ApiNode node) : IClassFixture<ApiNode>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);

    [Fact]
    public async Task A_job_that_runs_has_a_trace_as_far_as_it_is_and_then_a_whole_one()
    {
        string job = await node.Submit("echo one; until [ -e /tmp/never ]; do sleep 0.1; done");
        TraceDocument soFar = await Until(job, static trace => trace.Processes.Count > 1);
        Assert.Equal(TraceRecording.Running, soFar.Job.End);
        Assert.True(soFar.Job.Calls > 0);
        Assert.Equal(soFar.Job.Calls, soFar.Segments.Sum(static segment => segment.Count) + soFar.LostRecords);
        Assert.Equal(soFar.Job.Calls, soFar.Spans.Sum(static span => span.Attributes.Where(static pair => pair.Key == "vivarium.calls.count").Sum(static pair => (long)pair.Value)));
        TraceDocument later = await Until(job, trace => trace.Job.Calls > soFar.Job.Calls);
        Assert.Equal(TraceRecording.Running, later.Job.End);
        await node.Send("POST", $"jobs/{job}/cancel");
        TraceDocument whole = await Until(job, static trace => trace.Job.End == "Cancelled");
        Assert.True(whole.Job.Calls >= later.Job.Calls);
        Assert.Equal(whole.Job.Calls, whole.Spans.Sum(static span => span.Attributes.Where(static pair => pair.Key == "vivarium.calls.count").Sum(static pair => (long)pair.Value)));
    }

    [Fact]
    public async Task An_unknown_job_and_one_without_a_trace_say_why()
    {
        string unknown = Guid.NewGuid().ToString("N");
        (int status, JsonElement answer) = await node.Send("GET", $"jobs/{unknown}/trace");
        Assert.Equal((404, $"there is no job {unknown}"), (status, Message(answer)));
        string job = await node.Submit("true", ",\"tracing\":{\"level\":\"off\"}");
        await node.Log(job);
        (status, answer) = await node.Send("GET", $"jobs/{job}/trace");
        Assert.Equal(404, status);
        Assert.Contains("tracing off", Message(answer));
        string running = await node.Submit("sleep 100", ",\"tracing\":{\"level\":\"off\"}");
        do
            (status, answer) = await node.Send("GET", $"jobs/{running}/trace");
        while (Message(answer).Contains("has not begun", StringComparison.Ordinal));
        Assert.Equal(404, status);
        Assert.Contains("without a trace", Message(answer));
        await node.Send("POST", $"jobs/{running}/cancel");
    }

    [Fact]
    public async Task Metrics_are_told_as_text_and_as_OpenMetrics_with_exemplars()
    {
        string job = await node.Submit("true");
        await Until(job, static trace => trace.Job.End == "Exited");
        (string type, string text) = await Metrics("text/plain");
        Assert.StartsWith("text/plain", type);
        foreach (string name in (string[])
            ["vivarium_scheduler_runnable", "vivarium_scheduler_turns_total", "vivarium_scheduler_switches_total", "vivarium_scheduler_quantum", "vivarium_scheduler_busy_seconds_total",
            "vivarium_translator_blocks_total", "vivarium_translator_evictions_total", "vivarium_translator_bytes_total", "vivarium_node_shards", "vivarium_queue_length", "vivarium_gc_pause_seconds_total", "vivarium_gc_heap_bytes"])
            Assert.Matches($"(?m)^{name} [0-9.E+-]+$", text);
        Assert.Matches("(?m)^vivarium_call_duration_seconds_count\\{call=\"exit_group\",personality=\"linux\",node=\"[^\"]+\"\\} [1-9]", text);
        Assert.DoesNotContain("trace_id", text);
        (type, text) = await Metrics("application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
        Assert.StartsWith("application/openmetrics-text; version=1.0.0", type);
        Assert.EndsWith("\n# EOF\n", text);
        Assert.Matches("(?m)^vivarium_call_duration_seconds_bucket\\{call=\"exit_group\",[^}]*\\} [0-9]+ # \\{trace_id=\"[0-9a-f]{32}\",span_id=\"[0-9a-f]{16}\"\\} [0-9.E-]+ [0-9.]+$", text);
    }

    private async Task<(string Type, string Text)> Metrics(string accepted)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, node.Address + "/metrics");
        request.Headers.TryAddWithoutValidation("Accept", accepted);
        using HttpResponseMessage response = await node.Http.SendAsync(request);
        return (response.Content.Headers.ContentType!.ToString(), await response.Content.ReadAsStringAsync());
    }

    private static string Message(JsonElement answer) => answer.GetProperty("detail").GetString()!;

    private async Task<TraceDocument> Until(string job, Func<TraceDocument, bool> isThere)
    {
        long end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        while (true)
        {
            using HttpResponseMessage response = await node.Http.GetAsync($"jobs/{job}/trace");
            byte[] body = await response.Content.ReadAsByteArrayAsync();
            if (response.IsSuccessStatusCode && TraceFile.Read(body, out _) is { } trace && isThere(trace))
                return trace;
            Assert.True(Environment.TickCount64 < end, $"{response.StatusCode}: {(response.IsSuccessStatusCode ? "another trace" : System.Text.Encoding.UTF8.GetString(body))}");
            await Task.Delay(100);
        }
    }
}
