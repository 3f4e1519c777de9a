using System.Globalization;
using System.Text.Json;

namespace Vivarium.Telemetry.Traces.Formats;

/// <summary>
/// Jaeger's JSON model, as its query service answers and its page takes by upload: one trace, its spans with references and typed tags, and
/// the services ("processes") that they belong to. Times there are microseconds; the exact ones are in tags.
/// </summary>
public static class JaegerJson
{
    /// <summary>Beside Jaeger's own members: the whole trace as Vivarium keeps it, so that one file serves both.</summary>
    public const string Member = "vivarium";

    /// <param name="embedded">The trace file to put in as <see cref="Member"/>; empty = none.</param>
    public static void Write(Stream output, TraceDocument trace, ReadOnlySpan<byte> embedded)
    {
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true });
        json.WriteStartObject();
        json.WriteStartArray("data");
        WriteTrace(json, trace);
        json.WriteEndArray();
        json.WriteNumber("total", 1);
        json.WriteNumber("limit", 0);
        json.WriteNumber("offset", 0);
        json.WriteNull("errors");
        if (!embedded.IsEmpty)
            json.WriteBase64String(Member, embedded);
        json.WriteEndObject();
    }

    private static void WriteTrace(Utf8JsonWriter json, TraceDocument trace)
    {
        json.WriteStartObject();
        json.WriteString("traceID", trace.Job.TraceId);
        json.WriteStartArray("spans");
        foreach (TraceSpan span in trace.Spans)
            WriteSpan(json, trace, span);
        json.WriteEndArray();
        json.WriteStartObject("processes");
        WriteService(json, "p0", "vivarium", Resource.Of(trace.Job));
        foreach (ProcessFacts process in trace.Processes)
        {
            string key = Key(process.Id);
            WriteService(json, key, process.Name, [new("process.pid", (long)process.Id), new("process.executable.path", process.Executable)]);
        }
        if (trace.Job.OtherProcesses > 0)
            WriteService(json, Key(-1), "more processes", []);
        json.WriteEndObject();
        if (trace.LostRecords > 0)
        {
            json.WriteStartArray("warnings");
            json.WriteStringValue(string.Create(CultureInfo.InvariantCulture, $"{trace.LostRecords:N0} of {trace.Job.Calls:N0} call records were dropped; counts and sums are exact"));
            json.WriteEndArray();
        }
        else
        {
            json.WriteNull("warnings");
        }
        json.WriteEndObject();
    }

    private static string Key(int process) => process == 0 ? "p0" : string.Create(CultureInfo.InvariantCulture, $"p{(process < 0 ? "other" : process)}");

    private static void WriteService(Utf8JsonWriter json, string key, string name, IReadOnlyList<TraceAttribute> tags)
    {
        json.WriteStartObject(key);
        json.WriteString("serviceName", name);
        WriteTags(json, tags);
        json.WriteEndObject();
    }

    private static void WriteSpan(Utf8JsonWriter json, TraceDocument trace, TraceSpan span)
    {
        json.WriteStartObject();
        json.WriteString("traceID", trace.Job.TraceId);
        json.WriteString("spanID", Id(span.Id));
        json.WriteString("operationName", span.Name);
        json.WriteStartArray("references");
        if (span.Parent != 0)
            WriteReference(json, trace.Job.TraceId, "CHILD_OF", span.Parent);
        foreach (TraceLink link in span.Links)
            WriteReference(json, link.TraceId ?? trace.Job.TraceId, "FOLLOWS_FROM", link.Span);
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
        json.WriteString("processID", Key(span.Kind is SpanKind.Job or SpanKind.Phase or SpanKind.Attempt ? 0 : span.Process));
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
