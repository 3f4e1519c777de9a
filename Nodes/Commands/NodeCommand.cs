using System.Runtime.InteropServices;
using Vivarium.Actors.Execution;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Hosting;
using Vivarium.Nodes.Http;

namespace Vivarium.Nodes.Commands;

/// <summary><c>viv node</c>: a node of the cluster, until it is told to leave.</summary>
internal static class NodeCommand
{
    private const string Help =
        """
        usage: viv node [OPTIONS]

        Runs a node: takes jobs over HTTP, runs them, keeps what became of them. Alone it keeps them in a SQLite file; nodes
        that name one PostgreSQL database are a cluster. cluster.hocon explains the settings. SIGTERM and SIGINT drain the node:
        it takes nothing new, waits for what runs and leaves; a second one makes it leave at once, and what runs is queued again.

        """;

    private static readonly TimeSpan DrainPatience = TimeSpan.FromHours(24);

    public static int Execute(ReadOnlySpan<string> arguments)
    {
        string? file = null;
        bool help = false, alone = false;
        List<(string Name, string Value)> set = [];
        var table = new OptionTable(
        [
            new("Node", "--settings", OptionForm.Value, "FILE", "The settings, instead of the cluster.hocon beside or above viv.", value => Do(() => file = value)),
            new("Node", "--store", OptionForm.Value, "STORE", "memory, sqlite, sqlite:FILE or postgres://…: cluster.store.", value => Do(() => set.Add(("cluster.store", value)))),
            new("Node", "--listen", OptionForm.Value, "ADDR:PORT", "Where the API listens: api.listen. Port 0 takes a free one.", value => Do(() => set.Add(("api.listen", value)))),
            new("Node", "--check", OptionForm.Flag, "", "Say whether the settings are good, and end.", _ => Do(() => alone = true)),
            new("Node", "--help", OptionForm.Flag, "", "Show this.", _ => Do(() => help = true)),
            .. NodeSettings.Names.Select(name => new Option("Settings", NodeSettings.OptionOf(name), OptionForm.Value, "VALUE", "", value => Do(() => set.Add((name, value))))),
        ]);
        int used = table.Parse(arguments, out string? error);
        if (help)
            return HelpText.Show(Help, table);
        if (error is null && used < arguments.Length)
            error = $"takes no arguments: {arguments[used]}";
        if (error is not null)
            return Failure.Usage(error, "node");
        NodeSettings? settings = file is null ? NodeSettings.Load(AppContext.BaseDirectory, out error) : NodeSettings.LoadFile(file, out error);
        foreach ((string name, string value) in set)
            error ??= settings!.Set(name, value) is { } wrong ? $"{NodeSettings.OptionOf(name)}: {wrong}" : null;
        error ??= settings!.FindConflict();
        if (error is not null)
            return Failure.Report(error);
        return alone ? 0 : Run(settings!).GetAwaiter().GetResult();
    }

    private static string? Do(Action action)
    {
        action();
        return null;
    }

    private static async Task<int> Run(NodeSettings settings)
    {
        NodeHost? node = null;
        try
        {
            node = await NodeHost.Start(settings, AddressOf(settings)).ConfigureAwait(false);
            return await Serve(node).ConfigureAwait(false);
        }
        catch (Exception refused) when (refused is StoreRefusedException or StoreUnavailableException)
        {
            return Failure.Report(refused.Message);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return Failure.Report($"node.data: {failure.Message}");
        }
        finally
        {
            if (node is not null)
                await node.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static async Task<int> Serve(NodeHost node)
    {
        var leaving = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var hurry = new CancellationTokenSource();
        using var changes = new JobChanges(node.Store);
        NodeServices services = Services(node, changes, () => leaving.TrySetResult());
        (ApiServer? server, string? error) = await ApiServer.Start(services).ConfigureAwait(false);
        if (server is null)
            return Failure.Report(error!);
        await using var retention = new Retention(services, () => node.Cluster.Region.Leases.Any(static lease => lease.Shard == 0));
        retention.Start();
        using PosixSignalRegistration terminate = Relay(PosixSignal.SIGTERM, leaving, hurry), interrupt = Relay(PosixSignal.SIGINT, leaving, hurry);
        Say($"node {node.Settings.Name} serves {server.Address}");
        Task ended = await Task.WhenAny(leaving.Task, node.DrainAsked, node.Replaced).ConfigureAwait(false);
        if (ended == node.Replaced)
        {
            await server.DisposeAsync().ConfigureAwait(false);
            return Failure.Report($"another process has joined the cluster as node {node.Settings.Name}");
        }
        Say($"node {node.Settings.Name} is draining");
        await node.Drain(DrainPatience, hurry.Token).ConfigureAwait(false);
        await server.DisposeAsync().ConfigureAwait(false);
        Say($"node {node.Settings.Name} has left");
        return 0;
    }

    /// <summary>What the API has of a node.</summary>
    internal static NodeServices Services(NodeHost node, JobChanges changes, Action drain) => new()
    {
        Settings = node.Settings,
        Store = node.Store,
        Images = node.Images,
        Changes = changes,
        Submit = (id, spec) => node.Cluster.Submit(id, spec),
        Ask = (id, command) => new ValueTask<JobReply>(node.Cluster.Tell(id, command)),
        Drain = drain,
        DrainOther = other => node.Peers?.Drain(other) ?? ValueTask.FromResult(false),
        IsReady = () => node.IsReady,
        WhyNone = node.Cluster.WhyNone,
        Translator = static () => EmulatorBackend.Translated,
        Traces = node.Traces,
        Metrics = node.Metrics,
        Library = new Tracing.TraceLibrary(node.Traces, node.ClusterTraces),
        ClusterTraces = node.ClusterTraces,
        Report = Say,
    };

    /// <summary>The first signal drains; the second ends the waiting.</summary>
    private static PosixSignalRegistration Relay(PosixSignal signal, TaskCompletionSource leaving, CancellationTokenSource hurry) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            if (!leaving.TrySetResult())
                hurry.Cancel();
        });

    private static string AddressOf(NodeSettings settings) =>
        settings.ApiAddress.Length > 0 ? settings.ApiAddress : $"{(settings.Certificate.Length > 0 ? "https" : "http")}://{settings.Listen}";

    private static void Say(string line) => Console.Error.WriteLine("viv: " + line);
}
