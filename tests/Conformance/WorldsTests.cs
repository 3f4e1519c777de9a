using System.Diagnostics;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Xunit;

namespace Vivarium.Conformance;

/// <summary>Programs that need more than one world, or a world of a certain size.</summary>
[Collection(Lanes.RealTime)]
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
    public async Task Worlds_on_one_switch_reach_each_other()
    {
        const string serve = "seq 1 100000 > numbers; busybox httpd -f -p 80 & until busybox wget -q -O /dev/null http://127.0.0.1/numbers; do sleep 0.1; done; echo > ready; until [ -e done ]; do sleep 0.1; done; kill $!; busybox arp -n | grep -c 10.7.0.2";
        const string visit = "until [ -e ready ]; do sleep 0.1; done; busybox ping -c 2 -s 3000 10.7.0.1 | grep received; busybox wget -q -O - http://10.7.0.1/numbers | sha256sum; "
            + "curl -s -o /dev/null -w '%{http_code}\\n' http://10.7.0.1/missing; busybox nc -w 1 10.7.0.1 81; echo $?; busybox ping -c 1 -W 1 10.7.0.9 | grep received; echo > done";
        using Process one = Start(OnSwitch("10.7.0.1/24"), "sh", "-c", serve);
        using Process two = Start(OnSwitch("10.7.0.2/24"), "sh", "-c", visit);
        (int code, string told) = await End(two);
        string numbers = string.Concat(Enumerable.Range(1, 100000).Select(static i => $"{i}\n"));
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(numbers)));
        Assert.Equal($"2 packets transmitted, 2 packets received, 0% packet loss\n{hash}  -\n404\n1\n1 packets transmitted, 0 packets received, 100% packet loss\n", told);
        Assert.Equal(0, code);
        Assert.Equal((0, "1\n"), await End(one));
    }

    [Fact]
    public async Task Worlds_on_other_switches_do_not()
    {
        using Process one = Start(OnSwitch("10.7.0.1/24"), "sh", "-c", "echo > ready; until [ -e done ]; do sleep 0.1; done");
        using Process two = Start(["--switch", $"{_switch}-other=10.7.0.2/24"], "sh", "-c", "until [ -e ready ]; do sleep 0.1; done; busybox ping -c 1 -W 1 10.7.0.1 | grep received; echo > done");
        Assert.Equal("1 packets transmitted, 0 packets received, 100% packet loss\n", (await End(two)).Output);
        Assert.Equal(0, (await End(one)).ExitCode);
    }

    [Fact]
    public async Task Published_ports_lead_into_the_world()
    {
        int port = FreePort();
        await File.WriteAllTextAsync(Path.Combine(_folder, "index.html"), "from inside\n");
        using Process server = Start(["--publish", $"{port}:8080"], "busybox", "httpd", "-f", "-p", "8080");
        using var client = new HttpClient();
        using var patience = new CancellationTokenSource(Patience);
        string? found = null;
        while (found is null)
        {
            patience.Token.ThrowIfCancellationRequested();
            try
            {
                found = await client.GetStringAsync(new Uri($"http://127.0.0.1:{port}/"), patience.Token);
            }
            catch (HttpRequestException)
            {
                await Task.Delay(50, patience.Token);
            }
        }
        Assert.Equal("from inside\n", found);
        server.Kill();
    }

    [Theory]
    [InlineData("host", "from outside\n")]
    [InlineData("virtual", "")]
    [InlineData("none", "")]
    public async Task The_network_chosen_decides_what_is_reached(string network, string expected)
    {
        // The machine as others see it: its loopback is not the guest's. Without a network card there is nothing to reach.
        if (OwnAddress() is not { } address)
            return;
        using var listener = new TcpListener(address, 0);
        listener.Start();
        Task serve = Task.Run(async () =>
        {
            using TcpClient visitor = await listener.AcceptTcpClientAsync();
            await visitor.GetStream().WriteAsync("from outside\n"u8.ToArray());
        });
        int patience = expected.Length > 0 ? 30 : 2;
        using Process program = Start(["--network", network], "sh", "-c", $"busybox nc -w {patience} {address} {((IPEndPoint)listener.LocalEndpoint).Port} < /dev/null 2> /dev/null");
        Assert.Equal(expected, (await End(program)).Output);
        listener.Stop();
        await serve.ContinueWith(static _ => { }, TaskScheduler.Default);
    }

    private static IPAddress? OwnAddress() => NetworkInterface.GetAllNetworkInterfaces()
        .Where(static card => card.OperationalStatus == OperationalStatus.Up && card.NetworkInterfaceType != NetworkInterfaceType.Loopback)
        .SelectMany(static card => card.GetIPProperties().UnicastAddresses)
        .Select(static entry => entry.Address)
        .FirstOrDefault(static address => address.AddressFamily == AddressFamily.InterNetwork);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
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
