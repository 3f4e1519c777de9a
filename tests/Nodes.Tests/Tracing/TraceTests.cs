using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Vivarium.Nodes.Tests.Tracing;

/// <summary>Traces of real programs, from the command line.</summary>
public sealed class TraceTests : IDisposable
{
    /// <summary>Lines.</summary>
    private const int Screen = 24;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("viv-trace-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_first_screen_names_the_one_slow_fsync_of_a_hundred_thousand_calls(int seed)
    {
        int nth = new Random(seed).Next(1, 100);
        string trace = InFolder("journal.trace");
        // By a clock that nothing else on the machine delays: a call that was held up for longer would be the slow one.
        Outcome run = Viv.Run("run", "--clock", "virtual", "--seed", $"{seed}", "--fault", $"fsync@{nth}=50ms", "--trace-file", trace, "--", Guest("journal"), "/tmp/journal");
        Assert.Equal((0, "100000\n", ""), (run.ExitCode, run.Text, run.Error));
        string screen = FirstScreen(trace);
        Assert.Matches(@"\n  1\. slow call: fsync took 50\.\d ms \(one of 100\) at .*: fsync\(3</tmp/journal>\) = 0\n", screen);
        Assert.Contains("100,0", screen);
    }

    [Fact]
    public void The_first_screen_names_a_lock_that_threads_queue_at()
    {
        string trace = InFolder("convoy.trace");
        Assert.Equal("320\n", Viv.Run("run", "--clock", "virtual", "--seed", "1", "--trace-file", trace, "--", Guest("convoy")).Text);
        Assert.Matches(@"\n  1\. lock convoy: \d threads of convoy \(100\) queue at futex 0x[0-9a-f]+: \d+ waits, ", FirstScreen(trace));
    }

    [Fact]
    public void Faults_strike_the_same_calls_with_the_same_seed_and_those_that_cannot_be_are_refused()
    {
        string[] words = ["run", "--clock", "virtual", "--seed", "5", "--fault", "pwrite64%1=ENOSPC", "--fault", "read@7=EIO", "--trace-file", InFolder("a.trace"), "--", Guest("journal"), "/tmp/journal"];
        Outcome first = Viv.Run(words), second = Viv.Run(words);
        Assert.Equal(first.Text, second.Text);
        Assert.InRange(int.Parse(first.Text), 100_000 - 600, 100_000 - 100);
        Assert.Equal(1, Viv.Run("trace", InFolder("a.trace"), "--calls", "--call", "read", "--errors").Text.Count(static letter => letter == '\n'));
        Assert.Equal("viv: there is no call named reed\n", Viv.Run("run", "--fault", "reed=1ms", "--", "/bin/true").Error);
        Assert.Equal("viv: there is no error named EWHAT\n", Viv.Run("run", "--fault", "read=EWHAT", "--", "/bin/true").Error);
        foreach (string wrong in (string[])["read", "read=", "read@0=1ms", "read%101=1ms", "@1=1ms", "read=5", "read=-5ms"])
            Assert.Equal(125, Viv.Run("run", "--fault", wrong, "--", "/bin/true").ExitCode);
    }

    [Theory]
    [InlineData("full", @"^\[101\] \S+ read\(0<pipe:\[1\]>, ""typed\\n"", \d+\) = 6 ")]
    [InlineData("folded", @"^\[101\] \S+ read\(0<pipe:\[1\]>, 0x[0-9a-f]+, \d+\) = 6 ")]
    public void A_full_trace_keeps_the_bytes_that_were_read_and_a_folded_one_does_not(string level, string line)
    {
        string file = InFolder("bytes.trace");
        Assert.Equal("typed\n", Viv.Run("typed\n"u8.ToArray(), "run", "--trace", level, "--trace-file", file, "--", "/bin/sh", "-c", "cat; true").Text);
        Assert.Contains(Viv.Run("trace", file, "--calls", "--call", "read").Text.Split('\n'), call => Regex.IsMatch(call, line));
    }

    [Fact]
    public void No_trace_is_no_file_and_other_levels_are_refused()
    {
        Outcome off = Viv.Run("run", "--trace", "off", "--stats", "--", "/bin/echo", "untraced");
        Assert.Equal((0, "untraced\n"), (off.ExitCode, off.Text));
        Assert.Matches(@"(?m)^calls +\d+$", off.Error);
        Outcome wanted = Viv.Run("run", "--trace", "off", "--trace-file", InFolder("none.json"), "--", "/bin/true");
        Assert.Equal((125, "viv: --trace-file needs a trace: not with --trace off\n"), (wanted.ExitCode, wanted.Error));
        Assert.Empty(_folder.GetFiles());
        Outcome unknown = Viv.Run("run", "--trace", "most", "--", "/bin/true");
        Assert.Equal(125, unknown.ExitCode);
        Assert.StartsWith("viv: --trace: no such level: most (there are: full, folded, off)", unknown.Error);
    }

    [Fact]
    public void A_write_is_linked_to_the_read_it_woke_in_another_process()
    {
        string file = InFolder("pipe.json");
        Assert.Equal("x\n", Viv.Run("run", "--clock", "virtual", "--seed", "1", "--trace-file", file, "--", "/bin/sh", "-c", "(sleep 0.2; echo x) | (read line; echo $line)").Text);
        JsonElement trace = Jaeger(file);
        JsonElement read = Spans(trace).First(span => Name(span) == "read" && Follows(span).Any() && Tag(span, "vivarium.wait.for").StartsWith("pipe:", StringComparison.Ordinal));
        (string traceId, string spanId) = Follows(read).First();
        JsonElement write = Spans(trace).Single(span => span.GetProperty("spanID").GetString() == spanId);
        Assert.Equal(trace.GetProperty("traceID").GetString(), traceId);
        Assert.Contains("write", Name(write));
        Assert.NotEqual(read.GetProperty("processID").GetString(), write.GetProperty("processID").GetString());
        string perfetto = InFolder("pipe.perfetto.json");
        Assert.Equal(0, Viv.Run("trace", file, "--export", perfetto).ExitCode);
        Assert.Equal(Flows(perfetto, "s").Order(), Flows(perfetto, "f").Order());
        Assert.NotEmpty(Flows(perfetto, "s"));
    }

    [Fact]
    public void A_write_is_linked_to_the_read_it_woke_in_another_world()
    {
        string own = $"links-{Guid.NewGuid():N}"[..20], courier = Guest("courier");
        using Process server = Viv.Start("run", "--switch", $"{own}=10.6.0.1/24", "--trace-file", InFolder("server.json"), "--", courier, "serve", "7000");
        using Process client = Viv.Start("run", "--switch", $"{own}=10.6.0.2/24", "--trace-file", InFolder("client.json"), "--", courier, "call", "10.6.0.1", "7000", "100");
        Assert.Equal(0, Viv.Finish(client, []).ExitCode);
        Assert.Equal("100\n", Viv.Finish(server, []).Text);
        JsonElement sender = Jaeger(InFolder("client.json"));
        // The last one ends with the connection: it was woken by the close.
        JsonElement[] reads = [.. Spans(Jaeger(InFolder("server.json"))).Where(span => Name(span) == "read" && Follows(span).Any())];
        Assert.True(reads.Length >= 40, $"{reads.Length} reads are linked");
        foreach (JsonElement read in reads)
        {
            (string traceId, string spanId) = Follows(read).Single();
            Assert.Equal(sender.GetProperty("traceID").GetString(), traceId);
            JsonElement write = Spans(sender).Single(span => span.GetProperty("spanID").GetString() == spanId);
            Assert.Contains(Name(write), (string[])["write", "close"]);
            Assert.True(long.Parse(Tag(read, "vivarium.wait.woken_by_call")) > 0);
            Assert.Contains("sent", Tag(write, "vivarium.call.reason"));
        }
        Viv.Run("trace", InFolder("server.json"), "--export", InFolder("server.otlp.json"));
        string exported = File.ReadAllText(InFolder("server.otlp.json"));
        Assert.All(reads.Take(5), read => Assert.Contains($"\"traceId\":\"{Follows(read).Single().Trace}\",\"spanId\":\"{Follows(read).Single().Span}\"", exported));
        foreach (string side in (string[])["server", "client"])
            Viv.Run("trace", InFolder($"{side}.json"), "--export", InFolder($"{side}.perfetto.json"));
        HashSet<string> starts = [.. Flows(InFolder("client.perfetto.json"), "s")];
        Assert.True(Flows(InFolder("server.perfetto.json"), "f").Count(starts.Contains) >= 5);
        Assert.Contains($"of process 100 in job {sender.GetProperty("traceID").GetString()}", Viv.Run("trace", InFolder("server.json")).Text);
    }

    [Fact]
    public void What_TCP_sends_long_after_it_was_written_is_linked_to_the_call_that_wrote_it()
    {
        string own = $"later-{Guid.NewGuid():N}"[..20], courier = Guest("courier");
        using Process server = Viv.Start("run", "--switch", $"{own}=10.7.0.1/24", "--trace-file", InFolder("soak.json"), "--", courier, "soak", "7000");
        using Process client = Viv.Start("run", "--switch", $"{own}=10.7.0.2/24", "--trace-file", InFolder("flood.json"), "--", courier, "flood", "10.7.0.1", "7000", "1000000");
        Assert.Equal(0, Viv.Finish(client, []).ExitCode);
        Assert.Equal("1000000\n", Viv.Finish(server, []).Text);
        JsonElement sender = Jaeger(InFolder("flood.json"));
        (string Trace, string Span)[] links = [.. Spans(Jaeger(InFolder("soak.json"))).Where(span => Name(span) == "read").SelectMany(Follows)];
        Assert.True(links.Length >= 5, $"{links.Length} reads are linked");
        string[] wakers = [.. links.Select(link => Name(Spans(sender).Single(span => span.GetProperty("spanID").GetString() == link.Span)))];
        Assert.True(wakers.Count(static name => name == "write") >= wakers.Length - 1, string.Join(' ', wakers));
    }

    [Fact]
    public void Datagrams_of_sockets_without_a_peer_are_told_by_whom_they_went_to_and_came_from()
    {
        string file = InFolder("cast.trace");
        Assert.Equal(0, Viv.Run("run", "--trace-file", file, "--", Guest("courier"), "cast", "127.0.0.1", "7000", "50").ExitCode);
        string peers = Viv.Run("trace", file, "--by", "peer").Text;
        Assert.Matches(@"(?m)^ +50 .* socket:127\.0\.0\.1:7000$", peers);
        // The sender's own port was given by the system.
        Assert.Matches(@"(?m)^ +50 .* socket:127\.0\.0\.1:(?!7000)\d+$", peers);
        Assert.Contains("sendto(3<socket:127.0.0.1:7000>", Viv.Run("trace", file, "--calls", "--call", "sendto").Text);
    }

    [Fact]
    public void A_guest_finds_its_jobs_span_in_traceparent()
    {
        const string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        string file = InFolder("parent.json");
        using Process run = Process.Start(new ProcessStartInfo(Path.Combine(Viv.Root, "viv"), ["run", "--trace-file", file, "--", "/bin/sh", "-c", "echo $TRACEPARENT"])
        {
            Environment = { ["TRACEPARENT"] = parent },
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Viv.Root,
        })!;
        string told = Viv.Finish(run, []).Text.TrimEnd();
        JsonElement job = Spans(Jaeger(file)).First();
        Assert.Equal($"00-0af7651916cd43dd8448eb211c80319c-{job.GetProperty("spanID").GetString()}-01", told);
        Assert.Equal("b7ad6b7169203331", job.GetProperty("references")[0].GetProperty("spanID").GetString());
    }

    private string InFolder(string name) => Path.Combine(_folder.FullName, name);

    private string Guest(string name)
    {
        string program = InFolder(name);
        using Process compiler = Process.Start("gcc", ["-O2", "-static", "-pthread", "-o", program, Path.Combine(Viv.Root, "tests", "Guests", name + ".c")]);
        compiler.WaitForExit();
        Assert.Equal(0, compiler.ExitCode);
        return program;
    }

    private static string FirstScreen(string trace) => string.Join('\n', Viv.Run("trace", trace).Text.Split('\n').Take(Screen));

    private static JsonElement Jaeger(string file) => JsonDocument.Parse(File.ReadAllBytes(file)).RootElement.GetProperty("data")[0];

    private static IEnumerable<JsonElement> Spans(JsonElement trace) => trace.GetProperty("spans").EnumerateArray();

    private static string Name(JsonElement span) => span.GetProperty("operationName").GetString()!;

    private static IEnumerable<(string Trace, string Span)> Follows(JsonElement span) => span.GetProperty("references").EnumerateArray()
        .Where(static reference => reference.GetProperty("refType").GetString() == "FOLLOWS_FROM")
        .Select(static reference => (reference.GetProperty("traceID").GetString()!, reference.GetProperty("spanID").GetString()!));

    private static string Tag(JsonElement span, string key) => span.GetProperty("tags").EnumerateArray()
        .FirstOrDefault(tag => tag.GetProperty("key").GetString() == key) is { ValueKind: JsonValueKind.Object } found ? found.GetProperty("value").ToString() : "";

    /// <summary>The identifiers of flow events of a phase.</summary>
    private static IEnumerable<string> Flows(string file, string phase) => JsonDocument.Parse(File.ReadAllBytes(file)).RootElement.GetProperty("traceEvents").EnumerateArray()
        .Where(item => item.GetProperty("ph").GetString() == phase)
        .Select(static item => item.GetProperty("id").GetString()!);
}
