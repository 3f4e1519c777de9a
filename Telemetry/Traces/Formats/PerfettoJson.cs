using System.Globalization;
using System.Text.Json;

namespace Vivarium.Telemetry.Traces.Formats;

/// <summary>
/// The trace event format that Perfetto's and Chromium's viewers open: processes and threads as tracks, spans as complete events, waits tied
/// to what ended them by flow events. Times there are microseconds with decimals.
/// </summary>
public static class PerfettoJson
{
    /// <summary>The track of the job's own spans; those of runs are 0, of calls the thread's number.</summary>
    private const int JobTrack = 1;

    public static void Write(Stream output, TraceDocument trace)
    {
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true });
        json.WriteStartObject();
        json.WriteString("displayTimeUnit", "ns");
        json.WriteStartObject("otherData");
        json.WriteString("job", trace.Job.Id);
        json.WriteString("trace", trace.Job.TraceId);
        json.WriteString("lostRecords", trace.LostRecords.ToString(CultureInfo.InvariantCulture));
        json.WriteEndObject();
        json.WriteStartArray("traceEvents");
        WriteName(json, "process_name", JobTrack, JobTrack, "job");
        foreach (ProcessFacts process in trace.Processes)
        {
            WriteName(json, "process_name", process.Id, process.Id, process.Name);
            WriteName(json, "thread_name", process.Id, 0, "runs of calls");
        }
        Dictionary<ulong, TraceSpan> byId = [];
        foreach (TraceSpan span in trace.Spans)
            byId[span.Id] = span;
        long zero = trace.Spans.Count > 0 ? trace.Spans[0].Start : 0;
        foreach (TraceSpan span in trace.Spans)
            WriteSpan(json, span, zero, byId);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteName(Utf8JsonWriter json, string what, int process, int thread, string name)
    {
        json.WriteStartObject();
        json.WriteString("name", what);
        json.WriteString("ph", "M");
        json.WriteNumber("pid", process);
        json.WriteNumber("tid", thread);
        json.WriteStartObject("args");
        json.WriteString("name", name);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteSpan(Utf8JsonWriter json, TraceSpan span, long zero, Dictionary<ulong, TraceSpan> byId)
    {
        (int process, int thread) = Track(span);
        json.WriteStartObject();
        json.WriteString("name", span.Name);
        json.WriteString("cat", span.Kind.ToString().ToLowerInvariant());
        json.WriteString("ph", "X");
        WritePlace(json, span.Start - zero, process, thread);
        json.WritePropertyName("dur");
        WriteTime(json, span.End - span.Start);
        json.WriteStartObject("args");
        foreach ((string key, object value) in span.Attributes)
            WriteArgument(json, key, value);
        if (span.Error is { } error)
            json.WriteString("error", error);
        json.WriteEndObject();
        json.WriteEndObject();
        // Both ends of a flow between worlds bear the sender's span: files of both, opened together, are tied.
        if (Reports.Findings.Text(span, "vivarium.call.reason").Contains("sent", StringComparison.Ordinal))
            WriteFlow(json, "s", span.Id, span.Start - zero, process, thread);
        foreach (TraceLink link in span.Links)
        {
            if (link.TraceId is not null)
                WriteFlow(json, "f", link.Span, span.End - zero, process, thread);
            if (!byId.TryGetValue(link.Span, out TraceSpan? cause))
                continue;
            (int fromProcess, int fromThread) = Track(cause);
            WriteFlow(json, "s", span.Id, Math.Min(cause.End, span.End) - zero, fromProcess, fromThread);
            WriteFlow(json, "f", span.Id, span.End - zero, process, thread);
        }
    }

    private static (int Process, int Thread) Track(TraceSpan span)
    {
        if (span.Kind is SpanKind.Job or SpanKind.Phase or SpanKind.Attempt)
            return (JobTrack, JobTrack);
        if (span.Kind is not SpanKind.Call)
            return (span.Process, 0);
        foreach ((string key, object value) in span.Attributes)
        {
            if (key == "thread.id")
                return (span.Process, (int)(long)value);
        }
        return (span.Process, span.Process);
    }

    private static void WriteFlow(Utf8JsonWriter json, string phase, ulong id, long at, int process, int thread)
    {
        json.WriteStartObject();
        json.WriteString("name", "wakes");
        json.WriteString("cat", "wake");
        json.WriteString("ph", phase);
        json.WriteString("id", id.ToString("x16", CultureInfo.InvariantCulture));
        if (phase == "f")
            json.WriteString("bp", "e");
        WritePlace(json, at, process, thread);
        json.WriteEndObject();
    }

    private static void WritePlace(Utf8JsonWriter json, long at, int process, int thread)
    {
        json.WritePropertyName("ts");
        WriteTime(json, at);
        json.WriteNumber("pid", process);
        json.WriteNumber("tid", thread);
    }

    /// <summary>Nanoseconds as microseconds, exactly.</summary>
    private static void WriteTime(Utf8JsonWriter json, long nanoseconds) => json.WriteNumberValue(nanoseconds / 1000m);

    private static void WriteArgument(Utf8JsonWriter json, string key, object value)
    {
        switch (value)
        {
            case bool truth:
                json.WriteBoolean(key, truth);
                break;
            case long number:
                json.WriteNumber(key, number);
                break;
            case string[] strings:
                json.WriteString(key, string.Join(' ', strings));
                break;
            default:
                json.WriteString(key, (string)value);
                break;
        }
    }
}
