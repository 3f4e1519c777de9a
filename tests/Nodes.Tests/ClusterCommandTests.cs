using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;

namespace Vivarium.Nodes.Tests;

/// <summary>The commands that ask a node, against a node: both as people start them.</summary>
public sealed partial class ClusterCommandTests : IClassFixture<ClusterCommandTests.Node>
{
    private readonly Node _node;

    public ClusterCommandTests(Node node) => _node = node;

    /// <summary>A <c>viv node</c> of its own port and folder.</summary>
    public sealed partial class Node : IDisposable
    {
        private readonly string _data = Directory.CreateTempSubdirectory("viv-node-").FullName;

        public Node()
        {
            Process = Viv.Start("node", "--listen", "127.0.0.1:0", "--store", "memory", "--node-data", _data);
            string line = Process.StandardError.ReadLine() ?? "";
            Address = AddressPattern().Match(line) is { Success: true } match ? match.Value : throw new InvalidOperationException(line);
        }

        public Process Process { get; }

        public string Address { get; }

        internal Outcome Run(params string[] arguments) => Viv.Run([arguments[0], "--node", Address, .. arguments[1..]]);

        public void Dispose()
        {
            Process.Kill();
            Process.WaitForExit();
            Process.Dispose();
            Directory.Delete(_data, recursive: true);
        }

        [GeneratedRegex("http://127[^ ]*")]
        private static partial Regex AddressPattern();
    }

    [Fact]
    public void Submitting_and_waiting_is_as_running()
    {
        Outcome outcome = _node.Run("submit", "--wait", "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 5");
        Assert.Equal((5, "out\n", "err\n"), (outcome.ExitCode, outcome.Text, outcome.Error));
        outcome = _node.Run("submit", "--wait", "--", "/no/such");
        Assert.Equal(127, outcome.ExitCode);
        Assert.Contains("no such program", outcome.Error);
    }

    [Fact]
    public void A_job_goes_through_all_commands()
    {
        Outcome outcome = _node.Run("submit", "--label", "who=me", "--name", "long", "--", "/bin/sh", "-c", "echo begun; trap 'echo told; exit 6' USR1; while :; do sleep 0.1; done");
        string id = outcome.Text.Trim();
        Assert.Matches("^[0-9a-f]{32}$", id);
        using Process logs = Viv.Start("logs", "--node", _node.Address, "-f", id);
        Assert.Equal("begun", logs.StandardOutput.ReadLine());
        JsonElement list = JsonDocument.Parse(_node.Run("ps", "--json", "--label", "who=me").Output).RootElement;
        Assert.Equal(id, list.GetProperty("jobs")[0].GetProperty("id").GetString());
        Assert.Contains(id, _node.Run("ps").Text);
        Assert.Contains("running", _node.Run("top").Text);
        Assert.Contains("fd 1 w", _node.Run("inspect", id).Text);
        Assert.Equal(0, _node.Run("signal", id, "USR1").ExitCode);
        Assert.Equal(6, _node.Run("wait", id).ExitCode);
        Assert.Equal("told\n", Viv.Finish(logs, []).Text);
        Assert.Equal(0, _node.Run("cancel", id).ExitCode);
        Assert.Equal(125, _node.Run("signal", id, "USR1").ExitCode);
    }

    [Fact]
    public void A_job_that_no_node_can_run_says_so_and_waits()
    {
        Outcome outcome = _node.Run("submit", "--os", "freebsd", "--arch", "vax", "--", "/bin/true");
        string id = outcome.Text.Trim();
        const string why = "no node runs freebsd/vax (there are: freebsd/";
        Assert.Equal(0, outcome.ExitCode);
        Assert.StartsWith("viv: the job waits: " + why, outcome.Error);
        string list = _node.Run("ps", "--state", "waiting").Text;
        Assert.Contains("freebsd/vax", list);
        Assert.Contains("1 waiting: " + why, list);
        JsonElement job = JsonDocument.Parse(_node.Run("inspect", "--json", id).Output).RootElement;
        Assert.Equal(("freebsd", "vax"), (job.GetProperty("operatingSystem").GetString(), job.GetProperty("architecture").GetString()));
        Assert.StartsWith(why, job.GetProperty("waitsFor").GetString());
        Assert.StartsWith(why, job.GetProperty("events").EnumerateArray().Single(happened => happened.GetProperty("event").GetString() == "waited").GetProperty("detail").GetString());
        Assert.Equal(0, _node.Run("cancel", id).ExitCode);
        Assert.Equal(("", 0), (_node.Run("submit", "--os", "linux", "--arch", "amd64", "--wait", "--", "/bin/true").Error, outcome.ExitCode));
        JsonElement node = JsonDocument.Parse(_node.Run("top", "--json").Output).RootElement.GetProperty("nodes")[0];
        Assert.Equal(
            Actors.Execution.EmulatedPlatforms.All.Select(static platform => platform.ToString()),
            node.GetProperty("platforms").EnumerateArray().Select(static platform => $"{platform.GetProperty("operatingSystem").GetString()}/{platform.GetProperty("architecture").GetString()}"));
        Assert.Contains("netbsd/arm64,x64", _node.Run("top").Text);
    }

    [Fact]
    public void A_program_that_ran_often_is_still_refused_by_a_system_without_its_processor()
    {
        // A program of which nothing is asked but to be loaded: it ends by an instruction that there is not.
        string program = Path.Combine(Directory.CreateTempSubdirectory("viv-machine-").FullName, "program");
        byte[] elf = new byte[4096];
        new byte[] { 0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1 }.CopyTo(elf, 0);
        void Put(int place, params ulong[] words) => System.Runtime.InteropServices.MemoryMarshal.AsBytes(words.AsSpan()).CopyTo(elf.AsSpan(place));
        Put(16, 2 | 243ul << 16 | 1ul << 32, 0x10200, 64);
        Put(52, 64 | 56ul << 16 | 1ul << 32);
        Put(64, 1 | 5ul << 32, 0, 0x10000, 0x10000, 4096, 4096, 4096);
        File.WriteAllBytes(program, elf);
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        for (int i = 0; i < 4; i++)
            Assert.Equal(132, _node.Run("submit", "--wait", "--", program).ExitCode);
        Outcome outcome = _node.Run("submit", "--wait", "--os", "freebsd", "--", program);
        Assert.Equal(126, outcome.ExitCode);
        Assert.StartsWith($"viv: cannot run {program}: an ELF program for RISC-V, not x86-64", outcome.Error);
    }

    [Fact]
    public void Many_alike_are_counted()
    {
        Outcome outcome = _node.Run("submit", "--count", "30", "--wait", "--json", "--", "/bin/true");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Equal(30, JsonDocument.Parse(outcome.Output).RootElement.GetProperty("jobs").GetArrayLength());
        Assert.Equal(1, _node.Run("submit", "--count", "2", "--wait", "--", "/bin/false").ExitCode);
    }

    [Fact]
    public void Images_are_pushed_once_and_jobs_see_nothing_else()
    {
        DirectoryInfo root = Directory.CreateTempSubdirectory("viv-image-");
        File.Copy("/bin/busybox", Path.Combine(root.FullName, "busybox"));
        File.WriteAllText(Path.Combine(root.FullName, "only"), "this");
        string hash = Viv.Run("image", "push", "--node", _node.Address, "--name", "bb", root.FullName).Text.Trim();
        Assert.Equal(hash, Viv.Run("image", "push", "--node", _node.Address, root.FullName).Text.Trim());
        Outcome outcome = _node.Run("submit", "--wait", "--image", "bb", "--", "/busybox", "ls", "/");
        Assert.Equal("busybox\ndev\nonly\nproc\nsys\n", outcome.Text);
        outcome = Viv.Run("text"u8.ToArray(), "submit", "--node", _node.Address, "--wait", "--rootfs", root.FullName, "--input", "-", "--", "/busybox", "cat", "/only", "-");
        Assert.Equal("thistext", outcome.Text);
        Assert.Contains(hash, Viv.Run("image", "ls", "--node", _node.Address).Text);
        Assert.Equal(0, Viv.Run("image", "rm", "--node", _node.Address, "bb").ExitCode);
        Assert.Equal(125, _node.Run("submit", "--image", "bb", "--", "/busybox").ExitCode);
        root.Delete(recursive: true);
    }

    [Fact]
    public void A_suite_is_the_clusters_with_its_files_and_images()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("viv-suite-");
        DirectoryInfo root = folder.CreateSubdirectory("root");
        File.Copy("/bin/busybox", Path.Combine(root.FullName, "busybox"));
        File.WriteAllText(Path.Combine(folder.FullName, "words"), "text");
        string suite = Path.Combine(folder.FullName, "suite.yaml");
        File.WriteAllText(suite, $$"""
            matrix: { images: ["{{root.FullName}}"], engines: [translator, interpreter] }
            cases:
              - { name: good, program: /busybox, arguments: [cat, /w], files: [{ path: /w, from: words }], expect: { output: text } }
              - { name: bad, program: /busybox, arguments: ["false"] }
            """);
        Outcome outcome = Viv.Run("test", "--node", _node.Address, "--json", "--junit", Path.Combine(folder.FullName, "junit.xml"), suite);
        Assert.Equal(1, outcome.ExitCode);
        JsonElement result = JsonDocument.Parse(outcome.Output).RootElement;
        Assert.Equal((2, 2, "suite"), (result.GetProperty("passed").GetInt32(), result.GetProperty("failed").GetInt32(), result.GetProperty("suite").GetString()));
        Assert.Equal(["exit code 1, expected 0"], result.GetProperty("runs")[2].GetProperty("problems").EnumerateArray().Select(problem => problem.GetString()));
        Assert.Contains("failures=\"2\"", File.ReadAllText(Path.Combine(folder.FullName, "junit.xml")));
        Assert.False(File.Exists(suite + ".state"));
        folder.Delete(recursive: true);
    }

    [Fact]
    public void Sigterm_drains_and_the_node_ends_by_itself()
    {
        using var node = new Node();
        string id = node.Run("submit", "--", "sleep", "6").Text.Trim();
        using Process wait = Viv.Start("wait", "--node", node.Address, id);
        JsonElement state;
        do
            state = JsonDocument.Parse(node.Run("ps", "--json").Output).RootElement.GetProperty("jobs")[0].GetProperty("state");
        while (state.GetString() != "running");
        Process.Start("kill", ["-TERM", $"{node.Process.Id}"]).WaitForExit();
        Assert.Equal(0, Viv.Finish(wait, []).ExitCode);
        Assert.True(node.Process.WaitForExit(TimeSpan.FromSeconds(180)));
        Assert.Equal(0, node.Process.ExitCode);
    }

    [Theory]
    [InlineData(125, "no program given", "submit")]
    [InlineData(125, "--count: not a number", "submit", "--count", "0", "true")]
    [InlineData(125, "--label: not K=V", "submit", "--label", "x", "true")]
    [InlineData(125, "too few arguments", "wait")]
    [InlineData(125, "too many arguments", "logs", "a", "b")]
    [InlineData(125, "--node: not an address", "ps", "--node", "here")]
    [InlineData(75, "cannot reach a node", "ps", "--node", "http://127.0.0.1:1")]
    [InlineData(125, "unknown image command", "image", "pull")]
    [InlineData(125, "no suite given", "test")]
    [InlineData(125, "--api-listen: api.listen cannot be x", "node", "--api-listen", "x")]
    [InlineData(125, "needs api.token-file", "node", "--listen", "0.0.0.0:1")]
    [InlineData(125, "no/such", "node", "--settings", "/no/such/cluster.hocon")]
    public void Bad_input_is_one_line(int code, string message, params string[] arguments)
    {
        Outcome outcome = Viv.Run(arguments);
        Assert.Equal(code, outcome.ExitCode);
        Assert.StartsWith("viv: ", outcome.Error);
        Assert.Contains(message, outcome.Error);
        Assert.Equal(1, outcome.Error.Count(letter => letter == '\n'));
    }
}
