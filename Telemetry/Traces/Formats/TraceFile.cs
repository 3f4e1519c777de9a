using System.Buffers.Binary;
using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Serialization;
using Vivarium.Telemetry.Records;

namespace Vivarium.Telemetry.Traces.Formats;

/// <summary>
/// A job's whole trace as bytes, as a store keeps it: a mark, then compressed by Brotli the document as JSON and every segment, each behind its
/// length. A reader takes also a Jaeger file that has those bytes in it.
/// </summary>
public static class TraceFile
{
    private static ReadOnlySpan<byte> Mark => "VIVTRACE1\n"u8;

    public static byte[] Write(TraceDocument trace)
    {
        using var file = new MemoryStream();
        file.Write(Mark);
        using (var packed = new BrotliStream(file, CompressionLevel.Fastest, leaveOpen: true))
        {
            WriteDocument(packed, trace);
            WriteNumber(packed, trace.Earlier.Count);
            foreach (TraceDocument earlier in trace.Earlier)
                WriteDocument(packed, earlier);
        }
        return file.ToArray();
    }

    /// <summary>Records alone, as <see cref="Assemble"/> takes them.</summary>
    public static byte[] WriteRecords(IReadOnlyList<CallSegment> segments)
    {
        using var part = new MemoryStream();
        using (var packed = new BrotliStream(part, CompressionLevel.Fastest, leaveOpen: true))
            WriteSegments(packed, segments);
        return part.ToArray();
    }

    /// <summary>
    /// The trace that was kept in parts: the first a whole file without records, the others records. Parts that are damaged or missing are
    /// counted as lost records. Null when the first cannot be read.
    /// </summary>
    public static TraceDocument? Assemble(IReadOnlyList<ReadOnlyMemory<byte>> parts, out string? error)
    {
        error = "there is nothing of it";
        if (parts.Count == 0 || Read(parts[0].ToArray(), out error) is not { } head)
            return null;
        List<CallSegment> segments = [];
        foreach (ReadOnlyMemory<byte> part in parts.Skip(1))
        {
            try
            {
                using var packed = new BrotliStream(new MemoryStream(part.ToArray()), CompressionMode.Decompress);
                segments.AddRange(ReadSegments(packed));
            }
            catch (Exception damage) when (damage is InvalidDataException or EndOfStreamException or InvalidOperationException)
            {
                // Counted below.
            }
        }
        return head with { Segments = segments, LostRecords = Math.Max(0, head.Job.Calls - segments.Sum(static segment => (long)segment.Count)) };
    }

    /// <summary>The trace in a file; null when it holds none, with the reason.</summary>
    public static TraceDocument? Read(byte[] bytes, out string? error)
    {
        error = null;
        try
        {
            ReadOnlyMemory<byte> file = bytes;
            if (!bytes.AsSpan().StartsWith(Mark))
            {
                if (Embedded(bytes, out error) is not { } embedded)
                    return null;
                file = embedded;
            }
            error = null;
            return ReadPacked(file[Mark.Length..]);
        }
        catch (Exception damage) when (damage is InvalidDataException or JsonException or EndOfStreamException or InvalidOperationException or FormatException)
        {
            error = "the trace is damaged: " + damage.Message;
            return null;
        }
    }

    private static TraceDocument ReadPacked(ReadOnlyMemory<byte> bytes)
    {
        using var packed = new BrotliStream(new MemoryStream(bytes.ToArray()), CompressionMode.Decompress);
        TraceDocument document = ReadDocument(packed);
        var earlier = new List<TraceDocument>();
        // Files of before there were attempts in them end here.
        for (long count = TryReadNumber(packed) ?? 0; count > 0; count--)
            earlier.Add(ReadDocument(packed));
        return document with { Earlier = earlier };
    }

    private static void WriteDocument(Stream to, TraceDocument trace)
    {
        WriteBlock(to, JsonSerializer.SerializeToUtf8Bytes(trace, TraceJson.Default.TraceDocument));
        WriteSegments(to, trace.Segments);
    }

    private static TraceDocument ReadDocument(Stream from)
    {
        TraceDocument document = JsonSerializer.Deserialize(ReadBlock(from), TraceJson.Default.TraceDocument) ?? throw new InvalidDataException("it is empty");
        return document with
        {
            Job = document.Job with { Attempt = Math.Max(1, document.Job.Attempt) },
            // Absent in files of before.
            Attempts = document.Attempts ?? [],
            Segments = ReadSegments(from),
            Earlier = [],
        };
    }

    private static void WriteSegments(Stream to, IReadOnlyList<CallSegment> segments)
    {
        WriteNumber(to, segments.Count);
        foreach (CallSegment segment in segments)
            WriteSegment(to, segment);
    }

    private static List<CallSegment> ReadSegments(Stream from)
    {
        var segments = new List<CallSegment>();
        for (long count = ReadNumber(from); count > 0; count--)
            segments.Add(ReadSegment(from));
        return segments;
    }

    /// <summary>The bytes inside a Jaeger file that <c>viv</c> wrote.</summary>
    private static byte[]? Embedded(byte[] bytes, out string? error)
    {
        error = "this is no trace that viv wrote";
        var reader = new Utf8JsonReader(bytes);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isOurs = reader.ValueTextEquals(JaegerJson.Member);
            reader.Read();
            if (isOurs && reader.TokenType == JsonTokenType.String && reader.TryGetBytesFromBase64(out byte[]? embedded) && embedded.AsSpan().StartsWith(Mark))
                return embedded;
            reader.Skip();
        }
        error = "the file holds spans, but not the records they were made from: it was not written by viv run --trace-file";
        return null;
    }

    private static void WriteSegment(Stream to, CallSegment segment)
    {
        WriteNumber(to, segment.FirstIndex);
        WriteNumber(to, segment.Count);
        WriteNumber(to, segment.Names.Count);
        foreach (byte[] name in segment.Names)
            WriteBlock(to, name);
        WriteBlock(to, segment.Bytes.Span);
    }

    private static CallSegment ReadSegment(Stream from)
    {
        long first = ReadNumber(from), count = ReadNumber(from);
        var names = new List<byte[]>();
        for (long i = ReadNumber(from); i > 0; i--)
            names.Add(ReadBlock(from));
        return new CallSegment(first, checked((int)count), names, ReadBlock(from));
    }

    private static void WriteNumber(Stream to, long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        to.Write(bytes);
    }

    private static long ReadNumber(Stream from) => TryReadNumber(from) ?? throw new EndOfStreamException("it ends early");

    /// <summary>Null at the file's end.</summary>
    private static long? TryReadNumber(Stream from)
    {
        Span<byte> bytes = stackalloc byte[8];
        int length = from.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (length == 0)
            return null;
        if (length < bytes.Length)
            throw new EndOfStreamException("it ends early");
        long value = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        return value >= 0 ? value : throw new InvalidDataException("a number is negative");
    }

    private static void WriteBlock(Stream to, ReadOnlySpan<byte> bytes)
    {
        WriteNumber(to, bytes.Length);
        to.Write(bytes);
    }

    /// <summary>Grows as the bytes come: a damaged length reserves no memory.</summary>
    private static byte[] ReadBlock(Stream from)
    {
        const int Step = 1 << 20;
        long length = ReadNumber(from);
        byte[] bytes = new byte[Math.Min(length, Step)];
        int have = 0;
        while (true)
        {
            from.ReadExactly(bytes.AsSpan(have));
            have = bytes.Length;
            if (have == length)
                return bytes;
            Array.Resize(ref bytes, checked((int)Math.Min(length, 2L * have)));
        }
    }
}

/// <summary>The document's JSON: attributes keep their types, segments are kept apart.</summary>
[JsonSourceGenerationOptions(Converters = [typeof(AttributeConverter), typeof(SegmentListConverter)], DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TraceDocument))]
internal sealed partial class TraceJson : JsonSerializerContext;

/// <summary>A key and a value: string, whole number, truth value or list of strings.</summary>
internal sealed class AttributeConverter : JsonConverter<TraceAttribute>
{
    public override TraceAttribute Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        reader.Read();
        string key = reader.GetString()!;
        reader.Read();
        object value = reader.TokenType switch
        {
            JsonTokenType.Number => reader.GetInt64(),
            JsonTokenType.True => true,
            JsonTokenType.False => false,
            JsonTokenType.StartArray => ReadStrings(ref reader),
            _ => reader.GetString()!,
        };
        reader.Read();
        return new TraceAttribute(key, value);
    }

    public override void Write(Utf8JsonWriter writer, TraceAttribute value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        writer.WriteStringValue(value.Key);
        switch (value.Value)
        {
            case long number:
                writer.WriteNumberValue(number);
                break;
            case bool truth:
                writer.WriteBooleanValue(truth);
                break;
            case string[] strings:
                writer.WriteStartArray();
                foreach (string item in strings)
                    writer.WriteStringValue(item);
                writer.WriteEndArray();
                break;
            default:
                writer.WriteStringValue((string)value.Value);
                break;
        }
        writer.WriteEndArray();
    }

    private static string[] ReadStrings(ref Utf8JsonReader reader)
    {
        List<string> strings = [];
        while (reader.Read() && reader.TokenType == JsonTokenType.String)
            strings.Add(reader.GetString()!);
        return [.. strings];
    }
}

/// <summary>Segments are not part of the JSON.</summary>
internal sealed class SegmentListConverter : JsonConverter<IReadOnlyList<CallSegment>>
{
    public override IReadOnlyList<CallSegment> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        reader.Skip();
        return [];
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<CallSegment> value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        writer.WriteEndArray();
    }
}
