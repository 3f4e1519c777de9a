using System.Globalization;
using System.Text;
using System.Text.Json;
using Spectre.Console;
using Vivarium.Messages;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Commands;

/// <summary>The commands about submitted jobs: <c>viv ps, logs, wait, cancel, signal, inspect</c>.</summary>
internal static class JobCommands
{
    public static int List(ReadOnlySpan<string> arguments)
    {
        var client = new ClientOptions();
        var query = new StringBuilder();
        int limit = 50;
        bool all = false;
        return ClientCommand.Execute(
            "ps",
            """
            usage: viv ps [OPTIONS]

            Lists jobs, those accepted last first.

            """,
            arguments,
            client,
            [
                new("Jobs", "--state", OptionForm.Value, "STATE", "Only in this state (waiting, queued, running, succeeded, failed, cancelled,\ntimedOut); may be repeated.", value => Add(query, "state", value)),
                new("Jobs", "--label", OptionForm.Value, "K=V", "Only with this label; may be repeated.", value => Add(query, "label", value)),
                new("Jobs", "--on", OptionForm.Value, "NODE", "Only those that ran last on this node.", value => Add(query, "node", value)),
                new("Jobs", "--name", OptionForm.Value, "NAME", "Only of this name.", value => Add(query, "name", value)),
                new("Jobs", "--limit", OptionForm.Value, "N", "So many at most. Default: 50.", value => int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit > 0 ? null : $"not a number: {value}"),
                new("Jobs", "--all", OptionForm.Flag, "", "All there are.", _ => ClientOptions.Set(() => all = true)),
            ],
            0..0,
            async (api, _) =>
            {
                List<JobAnswer> jobs = await Read(api, query.ToString(), all ? int.MaxValue : limit).ConfigureAwait(false);
                if (client.Json)
                    ClientOutput.WriteJson(new JobList { Jobs = jobs });
                else
                    Show(jobs);
                return 0;
            });
    }

    private static string? Add(StringBuilder query, string name, string value)
    {
        query.Append('&').Append(name).Append('=').Append(Uri.EscapeDataString(value));
        return null;
    }

    private static async Task<List<JobAnswer>> Read(ApiClient api, string query, int limit)
    {
        const int page = 1000;
        List<JobAnswer> jobs = [];
        for (string? next = ""; next is not null && jobs.Count < limit;)
        {
            string after = next.Length == 0 ? "" : "&after=" + Uri.EscapeDataString(next);
            JobList list = await api.Get($"jobs?limit={Math.Min(page, limit - jobs.Count)}{query}{after}", ApiJson.Default.JobList).ConfigureAwait(false);
            jobs.AddRange(list.Jobs);
            next = list.Next;
        }
        return jobs;
    }

    private static void Show(List<JobAnswer> jobs)
    {
        Table table = ClientOutput.NewTable("id", "state", "code", "age", "took", "node", "os/arch", "name", "command");
        foreach (JobAnswer job in jobs)
        {
            TimeSpan? took = job.StartedAt is { } started ? (job.EndedAt ?? DateTimeOffset.UtcNow) - started : null;
            table.AddRow(
                job.Id,
                ClientOutput.State(job.State),
                $"{job.ExitCode}",
                ClientOutput.Age(job.AcceptedAt),
                took is { } span ? ClientOutput.Span(span) : "",
                ClientOutput.Plain(job.Node),
                ClientOutput.Platform(job),
                ClientOutput.Plain(job.Name),
                ClientOutput.Plain(job.Command.Length > 60 ? job.Command[..59] + "…" : job.Command));
        }
        ClientOutput.Write(table);
        foreach (IGrouping<string?, JobAnswer> group in jobs.Where(static job => job.WaitsFor is not null).GroupBy(static job => job.WaitsFor))
            Console.Out.WriteLine($"{group.Count()} waiting: {group.Key}");
    }

    public static int Logs(ReadOnlySpan<string> arguments)
    {
        var client = new ClientOptions();
        bool follows = false;
        return ClientCommand.Execute(
            "logs",
            """
            usage: viv logs [-f] JOB

            Writes a job's output, each stream to its own, in the order it was written. With --json, an event a line.

            """,
            arguments,
            client,
            [
                new("Log", "-f", OptionForm.Flag, "", "Go on until the job is over.", _ => ClientOptions.Set(() => follows = true)),
                new("Log", "--follow", OptionForm.Flag, "", "The same.", _ => ClientOptions.Set(() => follows = true)),
            ],
            1..1,
            async (api, words) =>
            {
                if (!client.Json)
                {
                    await ClientOutput.Follow(api, words[0], follows).ConfigureAwait(false);
                    return 0;
                }
                await foreach (LogEvent happened in api.Logs(words[0], follows).ConfigureAwait(false))
                    Console.Out.WriteLine($"{{\"event\":\"{happened.Kind}\",\"id\":\"{happened.Id}\",\"data\":{happened.Data}}}");
                return 0;
            });
    }

    public static int Wait(ReadOnlySpan<string> arguments)
    {
        var client = new ClientOptions();
        return ClientCommand.Execute(
            "wait",
            """
            usage: viv wait JOB...

            Waits until jobs are over. Exit code: of one job, as viv run; of several, 0 when all succeeded, else 1.

            """,
            arguments,
            client,
            [],
            1..^0,
            async (api, words) =>
            {
                List<JobDetail> jobs = [];
                foreach (string id in words)
                    jobs.Add(await api.Wait(id).ConfigureAwait(false));
                if (client.Json)
                    ClientOutput.WriteJson(new JobList { Jobs = jobs });
                if (jobs.Count == 1)
                    return ClientOutput.Report(jobs[0]);
                if (!client.Json)
                    Show([.. jobs]);
                return jobs.All(static job => job.State == JobState.Succeeded) ? 0 : 1;
            });
    }

    public static int Cancel(ReadOnlySpan<string> arguments) => ClientCommand.Execute(
        "cancel",
        """
        usage: viv cancel JOB...

        Ends jobs. Those that are over stay as they are.

        """,
        arguments,
        new ClientOptions(),
        [],
        1..^0,
        async static (api, words) =>
        {
            foreach (string id in words)
                await api.Cancel(id).ConfigureAwait(false);
            return 0;
        });

    public static int Signal(ReadOnlySpan<string> arguments) => ClientCommand.Execute(
        "signal",
        """
        usage: viv signal JOB[/PROCESS] SIGNAL

        Sends a signal (TERM, SIGUSR1, 15) to a job's first process, or to the one whose identifier viv inspect shows.

        """,
        arguments,
        new ClientOptions(),
        [],
        2..2,
        async static (api, words) =>
        {
            string[] target = words[0].Split('/', 2);
            Guid process = default;
            if (target.Length == 2 && !Guid.TryParse(target[1], out process))
                throw new ClientException($"not a process's identifier: {target[1]}");
            await api.Signal(target[0], new SignalRequest { Signal = words[1], Process = target.Length == 2 ? process : null }).ConfigureAwait(false);
            return 0;
        });

    public static int Inspect(ReadOnlySpan<string> arguments)
    {
        var client = new ClientOptions();
        bool maps = false;
        return ClientCommand.Execute(
            "inspect",
            """
            usage: viv inspect JOB

            Shows what a job is; of a running one its processes, what each thread waits for, and descriptors.

            """,
            arguments,
            client,
            [new("Shown", "--maps", OptionForm.Flag, "", "Also the mappings of each process.", _ => ClientOptions.Set(() => maps = true))],
            1..1,
            async (api, words) =>
            {
                JobDetail job = await api.Job(words[0]).ConfigureAwait(false);
                JsonElement? world = job.State == JobState.Running ? await api.Inspect(words[0]).ConfigureAwait(false) : null;
                if (client.Json && world is { } inside)
                    ClientOutput.WriteJson(inside);
                else if (client.Json)
                    ClientOutput.WriteJson(job);
                else
                    InspectionText.Write(job, world, maps);
                return 0;
            });
    }
}
