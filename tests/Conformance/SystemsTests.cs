using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Vivarium.Conformance;

/// <summary>Worlds of several systems, beside each other.</summary>
[Collection(Lanes.RealTime)]
public sealed class SystemsTests : IDisposable
{
    private const string Trace = "0af7651916cd43dd8448eb211c80319c";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly string _folder = Directory.CreateTempSubdirectory("vivarium-systems-").FullName;
    private readonly string _switch = $"test-{Guid.NewGuid():N}"[..20];

    /// <summary>Two worlds on one switch talk HTTP; what one wrote and woke the other with is a link between their spans, in one trace.</summary>
    [Theory]
    [InlineData("freebsd", "linux")]
    [InlineData("linux", "freebsd")]
    [InlineData("netbsd", "freebsd")]
    public async Task Worlds_of_two_systems_talk_http_in_one_trace(string serves, string visits)
    {
        using Process server = Start(serves, "10.6.0.1/24", "server.json", "serve", "10.6.0.1:80");
        using Process visitor = Start(visits, "10.6.0.2/24", "visitor.json", "visit", "10.6.0.1:80");
        string told = await End(visitor);
        Assert.Equal(string.Concat(Enumerable.Range(1, 5).Select(n => $"{serves}/amd64 answers {visits}/amd64, visit {n}; same trace true, <nil>\n")), told);
        Assert.Equal($"{serves}/amd64 had 5 visits in its trace true\n", await End(server));

        JsonElement[] there = Spans("server.json"), here = Spans("visitor.json");
        Assert.All(there.Concat(here), static span => Assert.Equal(Trace, span.GetProperty("traceID").GetString()));
        Assert.Equal((serves, "amd64"), System(there));
        Assert.Equal((visits, "amd64"), System(here));
        Assert.True(Links(there, here) >= 3, $"{Links(there, here)} spans of the server follow from the visitor's");
        Assert.True(Links(here, there) >= 3, $"{Links(here, there)} spans of the visitor follow from the server's");
    }

    /// <summary>A program that bears no mark is what its user says, and so are those that it starts.</summary>
    [Fact]
    public async Task A_program_without_a_mark_runs_for_the_system_asked_for()
    {
        const int osAbi = 7;
        string program = Path.Combine(_folder, "unmarked");
        File.Copy(Repository.GoGuest("commands", "freebsd"), program);
        byte[] bytes = await File.ReadAllBytesAsync(program);
        Assert.Equal(9, bytes[osAbi]);
        bytes[osAbi] = 0;
        await File.WriteAllBytesAsync(program, bytes);
        using Process asked = Run(["--os", "freebsd", "--arch", "amd64"], program);
        using Process marked = Run([], Repository.GoGuest("commands", "freebsd"));
        // It executes itself, which bears no mark either, and ends so.
        const int end = 7;
        Assert.Equal(await End(marked, end), await End(asked, end));
    }

    /// <summary>What a program asked for in vain is told at the end, by system and processor.</summary>
    [Fact]
    public async Task Facts_that_there_are_not_are_told_with_the_system()
    {
        using Process program = Process.Start(new ProcessStartInfo(Repository.Viv, ["run", "--stats", "--", Repository.GoGuest("lacks", "freebsd")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        })!;
        Task<string> report = program.StandardError.ReadToEndAsync();
        Assert.Equal("true\ntrue\ntrue\n", await End(program));
        // Go's run-time looks for a fact of its own as well.
        Assert.Matches(@"(?m)^not implemented +freebsd/x64: .*sysctl 6\.4242\.7 \(1\).*, sysctl kern\.no\.such\.fact \(2\)$", await report);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private Process Start(string system, string address, string trace, params string[] words) =>
        Run(["--switch", $"{_switch}={address}", "--trace-file", Path.Combine(_folder, trace)], [Repository.GoGuest("visits", system), .. words]);

    private Process Run(string[] options, params string[] program)
    {
        var start = new ProcessStartInfo(Repository.Viv, ["run", .. options, "--cwd", _folder, "--", .. program]) { RedirectStandardOutput = true, RedirectStandardInput = true };
        start.Environment["TRACEPARENT"] = $"00-{Trace}-b7ad6b7169203331-01";
        return Process.Start(start)!;
    }

    private static async Task<string> End(Process process, int code = 0)
    {
        process.StandardInput.Close();
        using var patience = new CancellationTokenSource(Patience);
        string output = await process.StandardOutput.ReadToEndAsync(patience.Token);
        await process.WaitForExitAsync(patience.Token);
        Assert.Equal(code, process.ExitCode);
        return output;
    }

    private JsonElement[] Spans(string file)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(_folder, file)));
        return [.. document.RootElement.GetProperty("data")[0].GetProperty("spans").EnumerateArray().Select(static span => span.Clone())];
    }

    /// <summary>Of the first process.</summary>
    private static (string? System, string? Processor) System(JsonElement[] spans)
    {
        JsonElement process = spans.First(static span => Tag(span, "process.pid") is not null);
        return (Tag(process, "os.type"), Tag(process, "host.arch"));
    }

    private static string? Tag(JsonElement span, string name)
    {
        foreach (JsonElement tag in span.GetProperty("tags").EnumerateArray())
        {
            if (tag.GetProperty("key").GetString() == name)
                return tag.GetProperty("value").ToString();
        }
        return null;
    }

    /// <summary>How many spans follow from one of the others.</summary>
    private static int Links(JsonElement[] spans, JsonElement[] others)
    {
        HashSet<string> known = [.. others.Select(static span => span.GetProperty("spanID").GetString()!)];
        return spans.Count(span => span.GetProperty("references").EnumerateArray().Any(reference =>
            reference.GetProperty("refType").GetString() == "FOLLOWS_FROM" && known.Contains(reference.GetProperty("spanID").GetString()!)));
    }
}
