using Spectre.Console;
using Spectre.Console.Rendering;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Commands;

/// <summary><c>viv top</c>: the cluster as it works; and <c>viv drain</c>.</summary>
internal static class TopCommand
{
    private const int ShownJobs = 15;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    public static int Execute(ReadOnlySpan<string> arguments)
    {
        var client = new ClientOptions();
        bool once = false;
        return ClientCommand.Execute(
            "top",
            """
            usage: viv top [--once]

            Shows nodes, jobs by state, and what runs, each second until Ctrl-C.

            """,
            arguments,
            client,
            [new("Shown", "--once", OptionForm.Flag, "", "Show it once. So it is where the output is no terminal.", _ => ClientOptions.Set(() => once = true))],
            0..0,
            async (api, _) =>
            {
                if (client.Json)
                    ClientOutput.WriteJson(await api.Nodes().ConfigureAwait(false));
                else if (once || Console.IsOutputRedirected)
                    await ShowOnce(api).ConfigureAwait(false);
                else
                    await ShowLive(api).ConfigureAwait(false);
                return 0;
            });
    }

    public static int Drain(ReadOnlySpan<string> arguments) => ClientCommand.Execute(
        "drain",
        """
        usage: viv drain NODE

        Lets nothing new start on a node, waits for what runs there, then lets it leave and end.

        """,
        arguments,
        new ClientOptions(),
        [],
        1..1,
        async static (api, words) =>
        {
            await api.Drain(words[0]).ConfigureAwait(false);
            return 0;
        });

    /// <summary>"freebsd/x64 linux/x64,riscv64": each system with its processors.</summary>
    private static string Platforms(NodeAnswer node) => string.Join(' ', node.Platforms
        .GroupBy(static platform => platform.OperatingSystem, static platform => platform.Architecture)
        .Select(static group => $"{group.Key}/{string.Join(',', group)}"));

    private static async Task ShowOnce(ApiClient api) => ClientOutput.Write(await Render(api).ConfigureAwait(false));

    private static async Task ShowLive(ApiClient api)
    {
        IRenderable first = await Render(api).ConfigureAwait(false);
        await AnsiConsole.Live(first).StartAsync(async live =>
        {
            while (true)
            {
                await Task.Delay(Interval).ConfigureAwait(false);
                live.UpdateTarget(await Render(api).ConfigureAwait(false));
            }
        }).ConfigureAwait(false);
    }

    private static async Task<IRenderable> Render(ApiClient api)
    {
        NodeList nodes = await api.Nodes().ConfigureAwait(false);
        StatsAnswer stats = await api.Stats().ConfigureAwait(false);
        JobList running = await api.Get($"jobs?state=running&limit={ShownJobs}", ApiJson.Default.JobList).ConfigureAwait(false);
        Table table = ClientOutput.NewTable("node", "state", "running", "room", "shards", "cores", "memory", "runs", "labels", "version");
        foreach (NodeAnswer node in nodes.Nodes)
        {
            table.AddRow(
                ClientOutput.Plain(node.Name),
                !node.IsMember ? "left" : node.IsDraining ? "[yellow]draining[/]" : "[green]works[/]",
                $"{node.Running}",
                $"{node.Capacity}",
                $"{node.Shards}",
                $"{node.Cores}",
                ClientOutput.Size(node.Memory),
                ClientOutput.Plain(Platforms(node)),
                ClientOutput.Plain(string.Join(',', node.Labels.Select(static label => $"{label.Key}={label.Value}"))),
                ClientOutput.Plain(node.Version));
        }
        Table jobs = ClientOutput.NewTable("running job", "node", "for", "attempt", "os/arch", "command");
        foreach (JobAnswer job in running.Jobs)
            jobs.AddRow(job.Id, ClientOutput.Plain(job.Node), ClientOutput.Age(job.StartedAt), $"{job.Attempts}", ClientOutput.Platform(job), ClientOutput.Plain(job.Command.Length > 60 ? job.Command[..59] + "…" : job.Command));
        string counts = string.Join("  ", stats.Jobs.Select(static count => $"{count.Key} {count.Value}"));
        return new Rows(table, new Markup("jobs: " + ClientOutput.Plain(counts.Length > 0 ? counts : "none")), jobs);
    }
}
