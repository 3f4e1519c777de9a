using System.Diagnostics;
using System.Globalization;
using Vivarium.Actors.Tests.Stores;
using Xunit;

namespace Vivarium.Actors.Tests.Cluster;

/// <summary>What a node can be cut from.</summary>
internal enum Line
{
    Database,
    Peers,
    Api,
}

/// <summary>
/// Network name spaces (ip-netns(8)): one with PostgreSQL and three bridges, and one for each node, joined to each bridge by a veth pair, so that a
/// node can be cut from the database and from its peers while the test still reaches its API. Needs the rights of root.
/// </summary>
public sealed class Laboratory : IAsyncLifetime
{
    private const int Nodes = 3;
    private const int ApiPort = 7420;
    private const int PeerPort = 7421;
    private const int DatabasePort = 5432;

    /// <summary>In the names of all that is made, and in its addresses: several may run on one machine.</summary>
    private static readonly int Number = Environment.ProcessId % 10_000;

    private PostgresServer? _server;

    private static string Hub => $"viv{Number}hub";

    private static string Outside => $"viv{Number}";

    internal PostgresServer Server => _server!;

    /// <summary>10.64.0.0 to 10.191.0.0, by the process.</summary>
    private static string Address(Line line, int host) => string.Create(CultureInfo.InvariantCulture, $"10.{64 + (Number % 128)}.{(int)line + 1}.{host}");

    private static string Space(int node) => string.Create(CultureInfo.InvariantCulture, $"viv{Number}n{node}");

    public async Task InitializeAsync()
    {
        List<string> steps = [$"netns add {Hub}", $"-n {Hub} link set lo up"];
        foreach (Line line in Enum.GetValues<Line>())
        {
            steps.Add($"-n {Hub} link add name {line} type bridge");
            steps.Add($"-n {Hub} addr add {Address(line, 1)}/24 dev {line}");
            steps.Add($"-n {Hub} link set {line} up");
        }
        Join(steps, Line.Api, null, Outside, 254);
        for (int node = 0; node < Nodes; node++)
        {
            steps.Add($"netns add {Space(node)}");
            steps.Add($"-n {Space(node)} link set lo up");
            foreach (Line line in Enum.GetValues<Line>())
                Join(steps, line, Space(node), PortOf(node, line), 10 + node);
        }
        foreach (string step in steps)
            await Ip(step);
        _server = new PostgresServer(["ip", "netns", "exec", Hub], Address(Line.Api, 1), DatabasePort);
        await _server.InitializeAsync();
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        // A pair goes with either end.
        for (int node = 0; node < Nodes; node++)
            await Ip("netns del " + Space(node));
        await Ip("netns del " + Hub);
    }

    /// <summary>The place of a node.</summary>
    internal static NodePlace PlaceOf(int node) => new()
    {
        Prefix = ["ip", "netns", "exec", Space(node)],
        Api = $"{Address(Line.Api, 10 + node)}:{ApiPort}",
        Peers = $"{Address(Line.Peers, 10 + node)}:{PeerPort}",
    };

    /// <summary>A new database: its address for the test, and for nodes.</summary>
    internal async Task<(string Here, string There)> CreateDatabase()
    {
        string address = await Server.CreateDatabase();
        return (address, address.Replace(Address(Line.Api, 1), Address(Line.Database, 1), StringComparison.Ordinal));
    }

    /// <summary>Takes a node's link off the bridge: what it sends from now on vanishes, and nobody is told.</summary>
    internal static Task Cut(int node, Line line) => Ip($"-n {Hub} link set {PortOf(node, line)} nomaster");

    /// <summary>Takes the far end of a node's link down: its carrier is lost.</summary>
    internal static Task Unplug(int node, Line line) => Ip($"-n {Hub} link set {PortOf(node, line)} down");

    internal static async Task Heal(int node, Line line)
    {
        await Ip($"-n {Hub} link set {PortOf(node, line)} up");
        await Ip($"-n {Hub} link set {PortOf(node, line)} master {line}");
    }

    private static string PortOf(int node, Line line) => string.Create(CultureInfo.InvariantCulture, $"{line}{node}");

    /// <summary>Joins a name space, or the machine's own network, to a bridge. Within a node's name space the link is called as the line.</summary>
    private static void Join(List<string> steps, Line line, string? space, string port, int host)
    {
        string name = space is null ? port : line.ToString(), hubPort = space is null ? "Outside" : port;
        string inside = space is null ? "" : $"-n {space} ";
        steps.Add($"{inside}link add name {name} type veth peer name {hubPort} netns {Hub}");
        steps.Add($"{inside}addr add {Address(line, host)}/24 dev {name}");
        steps.Add($"{inside}link set {name} up");
        steps.Add($"-n {Hub} link set {hubPort} master {line}");
        steps.Add($"-n {Hub} link set {hubPort} up");
    }

    private static async Task Ip(string arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true })!;
        string errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"ip {arguments}: {errors}");
    }
}
