using System.Globalization;
using System.Text.Json;

namespace Vivarium.Telemetry.Traces.Formats;

/// <summary>
/// Jaeger's JSON model, as its query service answers and its page takes by upload: traces, their spans with references and typed tags, and
/// the services ("processes") that they belong to. Times there are microseconds; the exact ones are in tags. Of traces with one identifier the
/// page shows one only, so the jobs of one trace are written as one.
/// </summary>
public static class JaegerJson
{
    /// <summary>Beside Jaeger's own members: the whole trace as Vivarium keeps it, so that one file serves both.</summary>
    public const string Member = "vivarium";

    /// <param name="embedded">The trace file to put in as <see cref="Member"/>; empty = none.</param>
    public static void Write(Stream output, IReadOnlyList<TraceDocument> jobs, ReadOnlySpan<byte> embedded)
    {
        List<IGrouping<string, TraceDocument>> traces = [.. jobs.DistinctBy(static job => job.Job.Id).GroupBy(static job => job.Job.TraceId)];
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true });
        json.WriteStartObject();
        json.WriteStartArray("data");
        foreach (IGrouping<string, TraceDocument> trace in traces)
            WriteTrace(json, trace.Key, [.. trace]);
        json.WriteEndArray();
        json.WriteNumber("total", traces.Count);
        json.WriteNumber("limit", 0);
        json.WriteNumber("offset", 0);
        json.WriteNull("errors");
        if (!embedded.IsEmpty)
            json.WriteBase64String(Member, embedded);
        json.WriteEndObject();
    }

    private static void WriteTrace(Utf8JsonWriter json, string trace, TraceDocument[] jobs)
    {
        json.WriteStartObject();
        json.WriteString("traceID", trace);
        json.WriteStartArray("spans");
        for (int i = 0; i < jobs.Length; i++)
        {
            foreach (TraceSpan span in jobs[i].Spans)
                WriteSpan(json, trace, i, span);
        }
        json.WriteEndArray();
        json.WriteStartObject("processes");
        for (int i = 0; i < jobs.Length; i++)
            WriteServices(json, i, jobs[i]);
        json.WriteEndObject();
        WriteWarnings(json, jobs);
        json.WriteEndObject();
    }

    private static void WriteWarnings(Utf8JsonWriter json, TraceDocument[] jobs)
    {
        if (jobs.All(static job => job.LostRecords == 0))
        {
            json.WriteNull("warnings");
            return;
        }
        json.WriteStartArray("warnings");
        foreach (TraceDocument job in jobs.Where(static job => job.LostRecords > 0))
            json.WriteStringValue(string.Create(CultureInfo.InvariantCulture, $"{job.LostRecords:N0} of {job.Job.Calls:N0} call records were dropped; counts and sums are exact"));
        json.WriteEndArray();
    }

    private static void WriteServices(Utf8JsonWriter json, int job, TraceDocument trace)
    {
        WriteService(json, Key(job, 0), "vivarium", Resource.Of(trace.Job));
        foreach (int own in trace.Spans.Where(static span => span.Kind == SpanKind.Attempt && span.Process != 0).Select(static span => span.Process))
            WriteService(json, Key(job, own), "vivarium", Resource.Of(trace, AttemptSpans.Split(own).Attempt));
        foreach (ProcessFacts process in trace.Processes)
        {
            (int attempt, int number) = AttemptSpans.Split(process.Id);
            TraceAttribute[] node = [.. Resource.Of(trace, attempt).Where(static attribute => attribute.Key == "host.name")];
            TraceAttribute[] own = number < 0 ? [] : [new("process.pid", (long)number), new("process.executable.path", process.Executable)];
            WriteService(json, Key(job, process.Id), process.Name, [.. own, .. node]);
        }
        if (trace.Job.OtherProcesses > 0)
            WriteService(json, Key(job, -1), "more processes", []);
    }

    /// <summary>A service's name within its trace: <c>p101</c>, <c>j2p101</c> in the second of several jobs.</summary>
    private static string Key(int job, int process) =>
        string.Create(CultureInfo.InvariantCulture, $"{(job == 0 ? "" : $"j{job + 1}")}p{(process < 0 ? "other" : process)}");

    private static void WriteService(Utf8JsonWriter json, string key, string name, IReadOnlyList<TraceAttribute> tags)
    {
        json.WriteStartObject(key);
        json.WriteString("serviceName", name);
        WriteTags(json, tags);
        json.WriteEndObject();
    }

    private static void WriteSpan(Utf8JsonWriter json, string trace, int job, TraceSpan span)
    {
        json.WriteStartObject();
        json.WriteString("traceID", trace);
        json.WriteString("spanID", Id(span.Id));
        json.WriteString("operationName", span.Name);
        json.WriteStartArray("references");
        if (span.Parent != 0)
            WriteReference(json, trace, "CHILD_OF", span.Parent);
        foreach (TraceLink link in span.Links)
            WriteReference(json, link.TraceId ?? trace, "FOLLOWS_FROM", link.Span);
        json.WriteEndArray();
        json.WriteNumber("flags", 1);
        long start = span.Start / 1000;
        json.WriteNumber("startTime", start);
        // Ends are rounded like starts, so that a child stays within its parent.
        json.WriteNumber("duration", (span.End / 1000) - start);
        List<TraceAttribute> tags = [.. span.Attributes, new("vivarium.duration_ns", span.End - span.Start), new("span.kind", "internal")];
        if (span.FirstIndex >= 0)
            tags.Add(new("vivarium.span", Id(span.Id)));
        if (span.Error is { } error)
            tags.AddRange([new("error", true), new("otel.status_code", "ERROR"), new("otel.status_description", error)]);
        WriteTags(json, tags);
        json.WriteStartArray("logs");
        json.WriteEndArray();
        json.WriteString("processID", Key(job, span.Process));
        json.WriteNull("warnings");
        json.WriteEndObject();
    }

    private static void WriteReference(Utf8JsonWriter json, string trace, string type, ulong span)
    {
        json.WriteStartObject();
        json.WriteString("refType", type);
        json.WriteString("traceID", trace);
        json.WriteString("spanID", Id(span));
        json.WriteEndObject();
    }

    private static void WriteTags(Utf8JsonWriter json, IReadOnlyList<TraceAttribute> tags)
    {
        json.WriteStartArray("tags");
        foreach ((string key, object value) in tags)
        {
            json.WriteStartObject();
            json.WriteString("key", key);
            switch (value)
            {
                case bool truth:
                    json.WriteString("type", "bool");
                    json.WriteBoolean("value", truth);
                    break;
                case long number:
                    json.WriteString("type", "int64");
                    json.WriteNumber("value", number);
                    break;
                case string[] strings:
                    json.WriteString("type", "string");
                    json.WriteString("value", string.Join(' ', strings));
                    break;
                default:
                    json.WriteString("type", "string");
                    json.WriteString("value", (string)value);
                    break;
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static string Id(ulong id) => id.ToString("x16", CultureInfo.InvariantCulture);
}
