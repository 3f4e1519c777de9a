using Vivarium.Messages;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Hosting;
using Vivarium.Nodes.Http.Contract;
using Vivarium.Nodes.Suites;
using Xunit;

namespace Vivarium.Nodes.Tests;

/// <summary>Jobs on the host itself, and how they are compared with emulated ones.</summary>
public sealed class NativeTests : IAsyncLifetime
{
    private EmbeddedNode _node = null!;

    public async Task InitializeAsync() => _node = await EmbeddedNode.Start(allowsNative: true);

    public async Task DisposeAsync() => await _node.DisposeAsync();

    private async Task<string> Submit(string script, string? input = null, bool listed = false) => (await _node.Client.Submit(
        new SubmitRequest
        {
            Job = new JobRequest
            {
                Command = ["/bin/sh", "-c", script],
                Input = input is null ? (ByteText?)null : input,
                Backend = "native",
                Tracing = new TracingRequest { Listing = listed, Counts = true },
                TimeoutSeconds = 60,
            },
        },
        Guid.NewGuid().ToString("N"))).Jobs[0];

    private async Task<string> Text(string id, string stream) => System.Text.Encoding.UTF8.GetString(await _node.Client.Output(id, stream));

    [Fact]
    public async Task A_native_job_has_the_contract_of_all_jobs()
    {
        string id = await Submit("cat; echo err >&2; cat /proc/net/dev | wc -l; exit 3", "input\n");
        JobDetail job = await _node.Client.Wait(id);
        Assert.Equal((JobEnd.Exited, 3), (job.Result!.End, job.Result.Code));
        // Its network has the loopback device alone, under two lines of headings.
        Assert.Equal("input\n3\n", await Text(id, "stdout"));
        Assert.Equal("err\n", await Text(id, "stderr"));
        Assert.True(job.Result.Usage.Processes >= 2);
        Assert.Contains(job.Result.Usage.Calls, call => call is { Name: "execve", Count: > 0 });
        Assert.Equal(127, (await _node.Client.Wait(await Submit("exec /no/such"))).ExitCode);
        Assert.Equal((JobEnd.Killed, 9), (await _node.Client.Wait(await Submit("kill -9 $$"))).Result switch { { } result => (result.End, result.Code), _ => default });
    }

    [Fact]
    public async Task It_ends_with_all_its_processes_when_it_is_cancelled_signalled_or_over()
    {
        string mark = $"9{Random.Shared.Next(100000, 999999)}";
        string cancelled = await Submit($"sleep {mark} & setsid sleep {mark} & echo ready; wait");
        await foreach (LogEvent _ in _node.Client.Logs(cancelled, follows: true))
            break;
        await _node.Client.Cancel(cancelled);
        Assert.Equal(JobState.Cancelled, (await _node.Client.Wait(cancelled)).State);
        string signalled = await Submit("trap 'exit 5' USR1; echo ready; while :; do sleep 0.05; done");
        await foreach (LogEvent _ in _node.Client.Logs(signalled, follows: true))
            break;
        await _node.Client.Signal(signalled, new SignalRequest { Signal = "USR1" });
        Assert.Equal(5, (await _node.Client.Wait(signalled)).ExitCode);
        Assert.Equal(0, (await _node.Client.Wait(await Submit($"sleep {mark} & true"))).ExitCode);
        Assert.DoesNotContain(Directory.EnumerateDirectories("/proc"), process =>
            int.TryParse(Path.GetFileName(process), out _) && ReadOrNothing(process + "/cmdline").Contains(mark, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_the_host_cannot_give_is_refused()
    {
        SubmitAnswer answer = await _node.Client.Submit(
            new SubmitRequest { Job = new JobRequest { Command = ["true"], Backend = "native", Clock = ClockKind.Virtual } }, Guid.NewGuid().ToString("N"));
        JobDetail job = await _node.Client.Wait(answer.Jobs[0]);
        Assert.Equal(JobEnd.NotStarted, job.Result!.End);
        Assert.Contains("the machine's clock", job.Result.Message);
    }

    [Fact]
    public async Task A_suite_is_compared_with_native_runs()
    {
        string folder = Directory.CreateTempSubdirectory("viv-native-").FullName;
        const string text = "cases: [{ name: same, program: echo, arguments: [hi] }, { name: other, program: uname, arguments: [-n] }, { name: dies, shell: \"kill -9 $$\", expect: { exit: 137 } }]";
        IReadOnlyList<PlannedRun> plan = SuitePlan.Make(SuiteReader.Parse(text, "s.yaml"), folder, 0);
        using SuiteState state = SuiteState.Open(Path.Combine(folder, "s.yaml"), plan, fresh: true);
        SuiteResult result = await new SuiteRunner(_node.Client, "s", state, 4, comparesNative: true).Run(plan, static _ => { }, default);
        state.Complete();
        Directory.Delete(folder);
        Assert.Empty(result.Runs[0].Problems);
        Assert.Equal(["output differs from the native one"], result.Runs[1].Problems);
        Assert.Contains("write = 9, natively write = ", result.Runs[1].FirstDifferentCall);
        Assert.Empty(result.Runs[2].Problems);
    }

    [Fact]
    public void Listings_are_told_apart_by_calls()
    {
        const string here = "execve(\"/bin/sh\", [\"sh\"], 0x1 /* 2 vars */) = 0\nclose(9) = 0\nexecve(\"/bin/x\", [\"x = 1\"], 0x1 /* 2 vars */) = 0 <0.1>\n"
            + "brk(NULL) = 0x5000 <0.1>\nopenat(AT_FDCWD, \"/a\", O_RDONLY) = -1 ENOENT (No such file or directory) <0.1>\n"
            + "[pid   101] getuid() = 0\n[pid   100] read(0,  <unfinished ...>\n[pid   101] getuid() = 0\n[pid   100] <... read resumed>\"x\", 1) = 1 <0.1>\nexit_group(0) = ?\n+++ exited with 0 +++\n";
        IReadOnlyList<ListedCall> calls = CallComparison.Parse(here);
        Assert.Equal(["execve = 0", "brk", "openat = ENOENT", "read = 1", "exit_group = ?"], calls.Select(call => call.ToString()));
        Assert.Null(CallComparison.FirstDifference(calls, CallComparison.Parse("execve() = 0\nbrk() = 77\nopenat() = -1 ENOENT\nread() = 1\nexit_group() = ?\n")));
        Assert.Equal("call 3: openat = ENOENT, natively openat = 3", CallComparison.FirstDifference(calls, CallComparison.Parse("execve() = 0\nbrk() = 77\nopenat() = 3\n")));
    }

    private static string ReadOrNothing(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
