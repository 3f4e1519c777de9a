using System.Text;
using System.Text.Json;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Messages;
using Vivarium.Telemetry.Records;
using Vivarium.Telemetry.Reports;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Traces.Formats;
using Xunit;

namespace Vivarium.Telemetry.Tests.Traces;

/// <summary>The forms of a trace against what their readers document.</summary>
public sealed class FormatTests
{
    private static readonly TraceDocument s_trace = FoldingTests.Record(Calls.Random(11, 5000));

    [Fact]
    public void Jaegers_json_is_its_model()
    {
        using JsonDocument json = Parse(stream => JaegerJson.Write(stream, [s_trace], TraceFile.Write(s_trace)));
        JsonElement data = json.RootElement.GetProperty("data")[0];
        Assert.Matches("^[0-9a-f]{32}$", data.GetProperty("traceID").GetString());
        JsonElement processes = data.GetProperty("processes");
        HashSet<string> ids = [.. data.GetProperty("spans").EnumerateArray().Select(span => span.GetProperty("spanID").GetString()!)];
        Assert.Equal(s_trace.Spans.Count, ids.Count);
        long calls = 0;
        Dictionary<string, long> starts = data.GetProperty("spans").EnumerateArray().ToDictionary(span => span.GetProperty("spanID").GetString()!, span => span.GetProperty("startTime").GetInt64());
        foreach (JsonElement span in data.GetProperty("spans").EnumerateArray())
        {
            Assert.Equal(data.GetProperty("traceID").GetString(), span.GetProperty("traceID").GetString());
            Assert.Matches("^[0-9a-f]{16}$", span.GetProperty("spanID").GetString());
            Assert.NotEmpty(span.GetProperty("operationName").GetString()!);
            Assert.True(span.GetProperty("startTime").GetInt64() >= 0 && span.GetProperty("duration").GetInt64() >= 0);
            Assert.True(processes.TryGetProperty(span.GetProperty("processID").GetString()!, out _));
            Assert.Equal(JsonValueKind.Array, span.GetProperty("logs").ValueKind);
            foreach (JsonElement reference in span.GetProperty("references").EnumerateArray())
            {
                Assert.Contains(reference.GetProperty("refType").GetString(), (string[])["CHILD_OF", "FOLLOWS_FROM"]);
                Assert.Contains(reference.GetProperty("spanID").GetString()!, ids);
                if (reference.GetProperty("refType").GetString() == "CHILD_OF")
                    Assert.True(starts[reference.GetProperty("spanID").GetString()!] <= span.GetProperty("startTime").GetInt64());
            }
            foreach (JsonElement tag in span.GetProperty("tags").EnumerateArray())
            {
                Assert.Equal(ExpectedKind(tag.GetProperty("type").GetString()!, tag.GetProperty("value")), tag.GetProperty("value").ValueKind);
                calls += tag.GetProperty("key").GetString() == "vivarium.calls.count" ? tag.GetProperty("value").GetInt64() : 0;
            }
        }
        Assert.Equal(5000, calls);
        Assert.All(processes.EnumerateObject(), process => Assert.NotEmpty(process.Value.GetProperty("serviceName").GetString()!));
    }

    [Fact]
    public void Jobs_of_one_trace_are_one_in_jaegers_json()
    {
        TraceDocument other = s_trace with { Job = s_trace.Job with { Id = "other", Node = "b" } };
        TraceDocument apart = s_trace with { Job = s_trace.Job with { Id = "apart", TraceId = new string('a', 32) } };
        using JsonDocument json = Parse(stream => JaegerJson.Write(stream, [s_trace, other, apart, s_trace], []));
        JsonElement[] traces = [.. json.RootElement.GetProperty("data").EnumerateArray()];
        Assert.Equal([s_trace.Spans.Count * 2, s_trace.Spans.Count], traces.Select(trace => trace.GetProperty("spans").GetArrayLength()));
        JsonElement processes = traces[0].GetProperty("processes");
        Assert.All(traces[0].GetProperty("spans").EnumerateArray(), span => Assert.True(processes.TryGetProperty(span.GetProperty("processID").GetString()!, out _)));
        Assert.Equal("b", TagOf(processes.GetProperty("j2p0"), "host.name"));
    }

    [Fact]
    public void Attempts_on_other_nodes_have_those_nodes_for_hosts_and_their_own_process_numbers()
    {
        TraceDocument lost = s_trace with { Job = s_trace.Job with { Node = "a", Attempt = 1 } };
        TraceDocument last = s_trace with
        {
            Job = s_trace.Job with { Node = "b", Attempt = 2 },
            Attempts = [new(1, "a", 5, 90, AttemptFacts.Lost, "the rest"), new(2, "b", 100, 200, "Exited", null)],
            Earlier = [lost],
        };
        TraceDocument joined = last.Joined();
        using JsonDocument json = Parse(stream => JaegerJson.Write(stream, [joined], []));
        JsonElement trace = json.RootElement.GetProperty("data")[0], processes = trace.GetProperty("processes");
        foreach (JsonElement span in trace.GetProperty("spans").EnumerateArray().Skip(1))
        {
            string key = span.GetProperty("processID").GetString()!;
            bool isFirst = key.Length >= "p10000000".Length;
            Assert.Equal(isFirst ? "a" : "b", TagOf(processes.GetProperty(key), "host.name"));
        }
        Assert.All(processes.EnumerateObject(), process => Assert.True(TagOf(process.Value, "process.pid") is not { } pid || pid.Length < 8));
        using JsonDocument otlp = Parse(stream => OtlpJson.Write(stream, joined));
        JsonElement[] resources = [.. otlp.RootElement.GetProperty("resourceSpans").EnumerateArray()];
        Assert.Equal(["b", "a"], resources.Select(resource => resource.GetProperty("resource").GetProperty("attributes").EnumerateArray()
            .Single(pair => pair.GetProperty("key").GetString() == "host.name").GetProperty("value").GetProperty("stringValue").GetString()));
        Assert.Equal(joined.Spans.Count, resources.Sum(resource => resource.GetProperty("scopeSpans")[0].GetProperty("spans").GetArrayLength()));
    }

    private static string? TagOf(JsonElement process, string key) => process.GetProperty("tags").EnumerateArray()
        .Where(tag => tag.GetProperty("key").GetString() == key).Select(tag => tag.GetProperty("value").ToString()).SingleOrDefault();

    [Fact]
    public void Perfettos_json_is_the_trace_event_format()
    {
        using JsonDocument json = Parse(stream => PerfettoJson.Write(stream, s_trace));
        int complete = 0;
        Dictionary<string, int> flows = [];
        foreach (JsonElement happened in json.RootElement.GetProperty("traceEvents").EnumerateArray())
        {
            string phase = happened.GetProperty("ph").GetString()!;
            Assert.Contains(phase, (string[])["X", "M", "s", "f"]);
            Assert.Equal(JsonValueKind.Number, happened.GetProperty("pid").ValueKind);
            Assert.Equal(JsonValueKind.Number, happened.GetProperty("tid").ValueKind);
            if (phase == "M")
            {
                Assert.NotEmpty(happened.GetProperty("args").GetProperty("name").GetString()!);
                continue;
            }
            Assert.Equal(JsonValueKind.Number, happened.GetProperty("ts").ValueKind);
            if (phase == "X")
            {
                Assert.True(happened.GetProperty("dur").GetDecimal() >= 0);
                complete++;
            }
            else
            {
                string id = happened.GetProperty("id").GetString()!;
                flows[id] = flows.GetValueOrDefault(id) + (phase == "s" ? 1 : -1);
            }
        }
        Assert.Equal(s_trace.Spans.Count, complete);
        Assert.All(flows.Values, open => Assert.Equal(0, open));
    }

    [Fact]
    public void Otlps_json_has_identifiers_in_hexadecimal_and_numbers_as_strings()
    {
        using JsonDocument json = Parse(stream => OtlpJson.Write(stream, s_trace));
        JsonElement spans = json.RootElement.GetProperty("resourceSpans")[0].GetProperty("scopeSpans")[0].GetProperty("spans");
        Assert.Equal(s_trace.Spans.Count, spans.GetArrayLength());
        foreach (JsonElement span in spans.EnumerateArray())
        {
            Assert.Matches("^[0-9a-f]{32}$", span.GetProperty("traceId").GetString());
            Assert.Matches("^[0-9]+$", span.GetProperty("startTimeUnixNano").GetString());
            foreach (JsonElement attribute in span.GetProperty("attributes").EnumerateArray())
                Assert.Single(attribute.GetProperty("value").EnumerateObject());
        }
    }

    [Fact]
    public void A_file_gives_back_what_was_written_also_out_of_jaegers_json()
    {
        using var jaeger = new MemoryStream();
        byte[] own = TraceFile.Write(s_trace);
        JaegerJson.Write(jaeger, [s_trace], own);
        foreach (byte[] file in (byte[][])[own, jaeger.ToArray()])
        {
            TraceDocument read = TraceFile.Read(file, out string? error)!;
            Assert.Null(error);
            Assert.Equal(s_trace.Job.TraceId, read.Job.TraceId);
            Assert.Equal(s_trace.Calls, read.Calls);
            Assert.Equal(s_trace.Waits, read.Waits);
            Assert.Equal(s_trace.Spans.Select(span => (span.Id, span.Name, span.FirstIndex)), read.Spans.Select(span => (span.Id, span.Name, span.FirstIndex)));
            Assert.Equal(s_trace.Spans[0].Attributes, read.Spans[0].Attributes);
            Assert.Equal(List(s_trace, new CallFilter()), List(read, new CallFilter()));
        }
    }

    [Fact]
    public void Files_of_others_and_damaged_ones_are_refused_with_a_reason()
    {
        foreach (string text in (string[])["", "{}", "[]", "{\"data\":[]}", "VIVTRACE1\n", "\u007fELF"])
        {
            Assert.Null(TraceFile.Read(Encoding.UTF8.GetBytes(text), out string? error));
            Assert.NotEmpty(error!);
        }
        byte[] file = TraceFile.Write(s_trace);
        var random = new Random(3);
        for (int i = 0; i < 200; i++)
        {
            byte[] damaged = (byte[])file.Clone();
            damaged[random.Next(10, damaged.Length)] ^= (byte)random.Next(1, 256);
            // Damage may go unseen, where it hits a record: then it is another trace, not a crash.
            if (TraceFile.Read(damaged[..random.Next(damaged.Length)], out string? error) is null)
                Assert.NotEmpty(error!);
        }
    }

    [Fact]
    public void Any_folded_run_can_be_opened()
    {
        foreach (TraceSpan run in s_trace.Spans.Where(span => span.Kind == SpanKind.Run))
        {
            long own = (long)run.Attributes.Single(attribute => attribute.Key == "vivarium.calls.count").Value;
            int singles = s_trace.Spans.Count(span => span.Kind == SpanKind.Call && span.Parent == run.Id);
            Assert.Equal(own + singles, List(s_trace, new CallFilter { Span = run }).Count(c => c == '\n'));
        }
    }

    [Fact]
    public void Listings_show_names_errors_and_bytes_that_are_no_text()
    {
        CallRecord open = Calls.Of(257, 1000, 1500, 1) with { Subject = [0x2F, 0xFF, 0x0A], Outcome = CallOutcome.Error, Error = Errno.ENOENT };
        open.Arguments[0] = unchecked((ulong)-100);
        CallRecord write = Calls.Of(1, 3000, 2000, 2) with { Subject = [0x2F, 0xFE], Data = [0, 1, 0xC3, 0x28], Result = 4 };
        (write.Arguments[0], write.Arguments[2]) = (3, 4);
        TraceDocument trace = FoldingTests.Record([open, write]);
        string text = List(trace, new CallFilter());
        Assert.Contains("openat(AT_FDCWD, \"/\\377\\n\", O_RDONLY) = -1 ENOENT (No such file or directory) <0.000001500>\n", text);
        Assert.Contains("write(3</\\xfe>, \"\\0\\1\\303(\", 4) = 4 <0.000002000>\n", text);
        Assert.Equal(1, List(trace, new CallFilter { OnlyErrors = true }).Count(c => c == '\n'));
        Assert.Equal(1, List(trace, new CallFilter { AtLeast = 1600 }).Count(c => c == '\n'));
        Assert.Equal(1, List(trace, new CallFilter { Path = [0xFE] }).Count(c => c == '\n'));
        Assert.Equal(1, List(trace, new CallFilter { Calls = new HashSet<string> { "write" } }).Count(c => c == '\n'));
        Assert.Equal("", List(trace, new CallFilter { Process = 7 }));
    }

    [Theory]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true)]
    [InlineData("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", true)]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false)]
    [InlineData("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false)]
    [InlineData("00-00000000000000000000000000000000-b7ad6b7169203331-01", false)]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false)]
    [InlineData("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false)]
    [InlineData("nonsense", false)]
    [InlineData(null, false)]
    public void Trace_parents_are_those_of_the_recommendation(string? text, bool isGood) =>
        Assert.Equal(isGood, TraceContext.TryParse(text, out _, out _, out _));

    [Fact]
    public void A_job_with_a_parent_is_in_its_trace_and_hands_itself_on()
    {
        const string Parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        TraceContext context = TraceContext.Of(new JobId(Guid.NewGuid()), seed: 5, Parent);
        Assert.Equal("0af7651916cd43dd8448eb211c80319c", context.TraceId);
        Assert.True(TraceContext.TryParse(context.TraceParent, out _, out ulong span, out _));
        Assert.Equal(context.JobSpan, span);
        // With a seed, guests are told the same in every run.
        Assert.Equal(context.TraceParent, TraceContext.Of(new JobId(Guid.NewGuid()), seed: 5, Parent).TraceParent);
        var id = new JobId(Guid.NewGuid());
        Assert.Equal(id.ToString(), TraceContext.Of(id, null, null).TraceId);
    }

    private static JsonValueKind ExpectedKind(string type, JsonElement value) => type switch
    {
        "int64" => JsonValueKind.Number,
        "bool" => value.GetBoolean() ? JsonValueKind.True : JsonValueKind.False,
        _ => JsonValueKind.String,
    };

    private static string List(TraceDocument trace, CallFilter filter)
    {
        using var output = new MemoryStream();
        new CallListing(trace, filter, output).Write();
        return Encoding.UTF8.GetString(output.ToArray());
    }

    private static JsonDocument Parse(Action<Stream> write)
    {
        using var output = new MemoryStream();
        write(output);
        return JsonDocument.Parse(output.ToArray());
    }
}
