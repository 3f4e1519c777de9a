using System.Diagnostics;
using Xunit;

namespace Vivarium.Conformance;

/// <summary>Programs that need more than one world, or a world of a certain size.</summary>
public sealed class WorldsTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly string _folder = Directory.CreateTempSubdirectory("vivarium-worlds-").FullName;

    /// <summary>A switch of this test's own: others may run at the same time.</summary>
    private readonly string _switch = $"test-{Guid.NewGuid():N}"[..20];

    [Fact]
    public async Task Nebula_tunnels_between_worlds()
    {
        using Process setup = Start([], "sh", Guest("nebula/setup.sh"), "10.9.0.1");
        Assert.Equal(0, (await End(setup)).ExitCode);
        using Process lighthouse = Start(OnSwitch("10.9.0.1/24"), "nebula", "-config", Path.Combine(_folder, "lighthouse.yaml"));
        using Process one = Start(OnSwitch("10.9.0.2/24"), "nebula", "-config", Path.Combine(_folder, "one.yaml"));
        using Process two = Start(OnSwitch("10.9.0.3/24"), "sh", Guest("nebula/visit.sh"));
        string told = (await End(two)).Output;
        lighthouse.Kill();
        one.Kill();
        const string all = "3 packets transmitted, 3 packets received, 0% packet loss\n";
        Assert.Equal(all + all, told);
    }

    [Fact]
    public async Task Syncthing_syncs_between_worlds()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "meeting"));
        using Process one = Start(OnSwitch("10.8.0.1/24"), Sync("one", "10.8.0.1:22000", "10.8.0.2:22000"));
        using Process two = Start(OnSwitch("10.8.0.2/24"), Sync("two", "10.8.0.2:22000", "10.8.0.1:22000"));
        string[][] told = [Steps((await End(one)).Output), Steps((await End(two)).Output)];
        // The last line: how Syncthing ended, and its warnings.
        Assert.Equal(["files 1000", "renamed and deleted 999", "conflict 1000", "ended with 0"], told[0].Select(line => line[..line.LastIndexOf(' ')]));
        Assert.EndsWith(" []", told[0][^1]);
        Assert.Equal(told[0], told[1]);
    }

    [Fact]
    public async Task A_greedy_dotnet_program_gets_an_exception()
    {
        using Process program = Start(["--memory", "256M"], "dotnet", Repository.DotnetGuest("greedy"));
        Assert.Equal((0, "out of memory, and alive\n"), await End(program));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string Guest(string path) => Path.Combine(Repository.Root, "tests", "Guests", path);

    private string[] OnSwitch(string address) => ["--switch", $"{_switch}={address}"];

    private string[] Sync(string role, string address, string peer) =>
        ["/usr/bin/python3", Guest("syncthing/sync.py"), role, address, peer, Path.Combine(_folder, "meeting")];

    /// <summary>What an instance said of its folder at each step, without its name.</summary>
    private static string[] Steps(string output) => [.. output.Split('\n').Where(line => line.Length > 4).Select(line => line[4..])];

    private Process Start(string[] options, params string[] program)
    {
        string[] all = ["run", .. options, "--bind", $"{_folder}:{_folder}:rw", "--cwd", _folder, "--", .. program];
        return Process.Start(new ProcessStartInfo(Repository.Viv, all) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
    }

    private static async Task<(int ExitCode, string Output)> End(Process process)
    {
        process.StandardInput.Close();
        using var patience = new CancellationTokenSource(Patience);
        string output = await process.StandardOutput.ReadToEndAsync(patience.Token);
        await process.WaitForExitAsync(patience.Token);
        return (process.ExitCode, output);
    }
}
