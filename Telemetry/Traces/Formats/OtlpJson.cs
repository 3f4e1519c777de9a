using System.Globalization;
using System.Text.Json;

namespace Vivarium.Telemetry.Traces.Formats;

/// <summary>OTLP's JSON encoding of an export request (opentelemetry-proto, "JSON Protobuf Encoding"): identifiers in hexadecimal, 64-bit numbers as strings.</summary>
public static class OtlpJson
{
    private const int InternalKind = 1, ErrorStatus = 2;

    public static void Write(Stream output, TraceDocument trace)
    {
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { SkipValidation = true });
        json.WriteStartObject();
        json.WriteStartArray("resourceSpans");
        // Attempts on other nodes have resources of their own.
        foreach (IGrouping<int, TraceSpan> attempt in trace.Spans.GroupBy(static span => AttemptSpans.Split(span.Process).Attempt))
            WriteResource(json, trace, attempt.Key, attempt);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteResource(Utf8JsonWriter json, TraceDocument trace, int attempt, IEnumerable<TraceSpan> spans)
    {
        json.WriteStartObject();
        json.WriteStartObject("resource");
        WriteAttributes(json, Resource.Of(trace, attempt));
        json.WriteEndObject();
        json.WriteStartArray("scopeSpans");
        json.WriteStartObject();
        json.WriteStartObject("scope");
        json.WriteString("name", "vivarium");
        json.WriteEndObject();
        json.WriteStartArray("spans");
        foreach (TraceSpan span in spans)
            WriteSpan(json, trace.Job.TraceId, span);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteSpan(Utf8JsonWriter json, string trace, TraceSpan span)
    {
        json.WriteStartObject();
        json.WriteString("traceId", trace);
        json.WriteString("spanId", Id(span.Id));
        if (span.Parent != 0)
            json.WriteString("parentSpanId", Id(span.Parent));
        json.WriteString("name", span.Name);
        json.WriteNumber("kind", InternalKind);
        json.WriteString("startTimeUnixNano", Text(span.Start));
        json.WriteString("endTimeUnixNano", Text(span.End));
        WriteAttributes(json, span.Attributes);
        json.WriteStartArray("links");
        foreach (TraceLink link in span.Links)
        {
            json.WriteStartObject();
            json.WriteString("traceId", link.TraceId ?? trace);
            json.WriteString("spanId", Id(link.Span));
            WriteAttributes(json, [new("vivarium.link", link.Reason)]);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartObject("status");
        if (span.Error is { } error)
        {
            json.WriteString("message", error);
            json.WriteNumber("code", ErrorStatus);
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteAttributes(Utf8JsonWriter json, IReadOnlyList<TraceAttribute> attributes)
    {
        json.WriteStartArray("attributes");
        foreach ((string key, object value) in attributes)
        {
            json.WriteStartObject();
            json.WriteString("key", key);
            json.WriteStartObject("value");
            WriteValue(json, value);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteValue(Utf8JsonWriter json, object value)
    {
        switch (value)
        {
            case bool truth:
                json.WriteBoolean("boolValue", truth);
                break;
            case long number:
                json.WriteString("intValue", Text(number));
                break;
            case string[] strings:
                json.WriteStartObject("arrayValue");
                json.WriteStartArray("values");
                foreach (string item in strings)
                {
                    json.WriteStartObject();
                    json.WriteString("stringValue", item);
                    json.WriteEndObject();
                }
                json.WriteEndArray();
                json.WriteEndObject();
                break;
            default:
                json.WriteString("stringValue", (string)value);
                break;
        }
    }

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Id(ulong id) => id.ToString("x16", CultureInfo.InvariantCulture);
}
