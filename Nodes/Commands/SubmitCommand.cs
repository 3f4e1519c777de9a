using System.Globalization;
using System.Text;
using Spectre.Console;
using Vivarium.Messages;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Hosting;
using Vivarium.Nodes.Http.Contract;
using Vivarium.Nodes.Images;
using Vivarium.Nodes.Native;
using Vivarium.Telemetry;

namespace Vivarium.Nodes.Commands;

/// <summary><c>viv submit</c>: jobs for a node, with the options of <c>viv run</c>.</summary>
internal sealed class SubmitCommand
{
    private const string Help =
        """
        usage: viv submit [OPTIONS] [--] PROGRAM [ARG...]

        Submits a job, or many alike, and writes their identifiers. Once it has, the jobs are durable. The options of viv run
        mean the same, but: paths of --bind are the node's; --rootfs pushes a directory or archive of this machine as an image,
        unless the node has it; the environment is PATH, HOME and what --env sets; the working directory is / unless
        --cwd says otherwise.

        """;

    private const string End =
        """

        Exit code: 0 when the jobs were accepted. With --wait, of one job as viv run; of several 0 when all succeeded, else 1.
        75 when the node cannot be reached or has too much to do: try again; 125 when it refused.

        """;

    /// <summary>Jobs that are waited for at a time.</summary>
    private const int Waits = 64;

    private readonly ClientOptions _client = new();
    private readonly RunOptions _run = new(isSubmitted: true);
    private readonly Dictionary<string, string> _labels = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _required = new(StringComparer.Ordinal);
    private int _count = 1;
    private bool _wait;
    private int _retries;
    private string? _image;
    private string? _name;
    private string? _input;
    private string? _key;
    private string _backend = JobSpec.EmulatedBackend;

    public static int Execute(ReadOnlySpan<string> arguments) => new SubmitCommand().Run(arguments);

    private int Run(ReadOnlySpan<string> arguments)
    {
        var table = new OptionTable([.. Options, .. _run.Table.Options.Where(static option => option.Name != "--help"), .. _client.Options]);
        int used = table.Parse(arguments, out string? error);
        if (_client.Help)
            return HelpText.Show(Help, table, End);
        if (error is null && used == arguments.Length)
            error = "no program given";
        if (error is null && _image is not null && _run.RootFilesystem is not null)
            error = "--image and --rootfs do not go together";
        if (error is not null)
            return Failure.Usage(error, "submit");
        IReadOnlyList<byte[]> command = RawArguments.Last(arguments.Length - used);
        return ClientCommand.Run(_client, [], (api, _) => Submit(api, command));
    }

    private IEnumerable<Option> Options =>
    [
        new("Jobs", "--count", OptionForm.Value, "N", "So many jobs alike.", SetCount),
        new("Jobs", "--wait", OptionForm.Flag, "", "Wait for the end. Of one job, pass on its output and exit code.", _ => ClientOptions.Set(() => _wait = true)),
        new("Jobs", "--label", OptionForm.Value, "K=V", "Something to find it by; may be repeated.", value => AddLabel(_labels, value)),
        new("Jobs", "--name", OptionForm.Value, "NAME", "A name for people.", value => ClientOptions.Set(() => _name = value)),
        new("Jobs", "--retries", OptionForm.Value, "N", "Follow a failed attempt by another, N times at most.", SetRetries),
        new("Jobs", "--image", OptionForm.Value, "NAME|HASH", "The guest's /: an image that was pushed (viv image).", value => ClientOptions.Set(() => _image = value)),
        new("Jobs", "--input", OptionForm.Value, "FILE", "What it reads on standard input; - passes on this command's.", value => ClientOptions.Set(() => _input = value)),
        new("Jobs", "--require", OptionForm.Value, "K=V", "Only on nodes with this label; may be repeated.", value => AddLabel(_required, value)),
        new("Jobs", "--backend", OptionForm.Value, "NAME", "emulated, or native where nodes allow it.", value => ClientOptions.Set(() => _backend = value)),
        new("Jobs", "--key", OptionForm.Value, "KEY", "Submissions with one key make their jobs once, however often they are repeated.", value => ClientOptions.Set(() => _key = value)),
    ];

    private string? SetCount(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _count) && _count > 0 ? null : $"not a number of jobs: {text}";

    private string? SetRetries(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _retries) ? null : $"not a number: {text}";

    private static string? AddLabel(Dictionary<string, string> labels, string text)
    {
        int equals = text.IndexOf('=');
        if (equals <= 0)
            return $"not K=V: {text}";
        labels[text[..equals]] = text[(equals + 1)..];
        return null;
    }

    private async Task<int> Submit(ApiClient api, IReadOnlyList<byte[]> command)
    {
        if (_run.RootFilesystem is { } root)
            _image = (await ImageCommand.Push(api, root, null).ConfigureAwait(false)).Hash;
        var request = new SubmitRequest { Job = Describe(command), Count = _count == 1 ? null : _count };
        SubmitAnswer answer = await api.Submit(request, _key ?? Guid.NewGuid().ToString("N")).ConfigureAwait(false);
        if (answer.WaitsFor is { } reason)
            Console.Error.WriteLine($"viv: {(answer.Jobs.Count == 1 ? "the job waits" : "the jobs wait")}: {reason}");
        if (_wait)
            return answer.Jobs.Count == 1 ? await WaitForOne(api, answer.Jobs[0]).ConfigureAwait(false) : await WaitForAll(api, answer.Jobs).ConfigureAwait(false);
        if (_client.Json)
            ClientOutput.WriteJson(answer);
        else
            Console.Out.Write(string.Concat(answer.Jobs.Select(static id => id + "\n")));
        return 0;
    }

    private async Task<int> WaitForOne(ApiClient api, string id)
    {
        if (!_client.Json)
            await ClientOutput.Follow(api, id, follows: true).ConfigureAwait(false);
        JobDetail job = await api.Wait(id).ConfigureAwait(false);
        if (_client.Json)
            ClientOutput.WriteJson(job);
        int code = ClientOutput.Report(job);
        if (job.Result is { } result && _run.Summary)
            Console.Error.Write(CallReport.Summary(result.Usage));
        if (job.Result is { } ended && _run.Statistics)
            Console.Error.Write(CallReport.Statistics(Http.JobMapping.ToResult(ended)));
        return code;
    }

    private async Task<int> WaitForAll(ApiClient api, IReadOnlyList<string> ids)
    {
        JobDetail[] jobs = new JobDetail[ids.Count];
        int done = 0;
        await ClientOutput.WithProgress($"{ids.Count} jobs", ids.Count, async progress =>
        {
            await Parallel.ForAsync(0, ids.Count, new ParallelOptions { MaxDegreeOfParallelism = Waits }, async (i, cancelled) =>
            {
                jobs[i] = await api.Wait(ids[i], cancelled).ConfigureAwait(false);
                progress(Interlocked.Increment(ref done));
            }).ConfigureAwait(false);
            return 0;
        }).ConfigureAwait(false);
        if (_client.Json)
        {
            ClientOutput.WriteJson(new JobList { Jobs = jobs });
        }
        else
        {
            Table table = ClientOutput.NewTable("state", "exit code", "jobs", "first of them");
            foreach (var group in jobs.GroupBy(static job => (job.State, job.ExitCode)).OrderBy(static group => group.Key))
                table.AddRow(ClientOutput.State(group.Key.State), $"{group.Key.ExitCode}", $"{group.Count()}", group.First().Id);
            ClientOutput.Write(table);
        }
        return jobs.All(static job => job.State == JobState.Succeeded) ? 0 : 1;
    }

    private JobRequest Describe(IReadOnlyList<byte[]> command) => new()
    {
        Command = [.. command.Select(static word => new ByteText(word))],
        Environment = Environment(),
        WorkingDirectory = _run.WorkingDirectory,
        User = _run.User?.User ?? Libc.GetUid(),
        Group = _run.User?.Group ?? Libc.GetGid(),
        Groups = _run.User is null ? Libc.Groups() : null,
        Image = _image,
        Binds = _run.Binds.Count == 0 ? null : [.. _run.Binds.Select(static bind => new BindRequest { Source = bind.Source, Target = bind.Target, Writable = bind.Writable })],
        Input = ReadInput(),
        Network = _run.Network == new NetworkSettings() ? null : new NetworkRequest
        {
            Reach = _run.Network.Reach,
            Switch = _run.Network.Switch,
            Address = _run.Network.Address,
            Published = [.. _run.Network.Published.Select(static port => new PortRequest { Host = port.Host, Guest = port.Guest })],
        },
        Memory = _run.Memory,
        MemoryNodes = _run.MemoryNodes,
        TimeoutSeconds = _run.Timeout?.TotalSeconds,
        Engine = _run.Engine,
        Clock = _run.Clock,
        Seed = _run.Seed,
        Faults = _run.Faults.Count == 0 ? null : [.. _run.Faults.Select(static fault => fault.ToString())],
        Backend = _backend,
        Tracing = new TracingRequest { Listing = _run.Listing, Level = _run.TraceLevel, Parent = System.Environment.GetEnvironmentVariable("TRACEPARENT"), Counts = _run.Summary || _run.Statistics },
        Name = _name,
        Labels = _labels.Count > 0 ? _labels : null,
        Retries = _retries > 0 ? _retries : null,
        Requires = Required(),
    };

    private RequirementsRequest? Required() => _required.Count == 0 && _run is { OperatingSystem: null, Architecture: null } ? null : new RequirementsRequest
    {
        OperatingSystem = _run.OperatingSystem,
        Architecture = _run.Architecture,
        Labels = _required.Count > 0 ? _required : null,
    };

    private List<ByteText>? Environment()
    {
        if (_run.Variables.Count == 0)
            return null;
        List<byte[]> environment = [Encoding.ASCII.GetBytes("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), "HOME=/"u8.ToArray()];
        return [.. RunCommand.MergeEnvironment(environment, _run.Variables).Select(static variable => new ByteText(variable))];
    }

    private ByteText? ReadInput()
    {
        if (_input is null)
            return null;
        using Stream input = _input == "-" ? Console.OpenStandardInput() : OpenInput(_input);
        var content = new MemoryStream();
        input.CopyTo(content);
        return new ByteText(content.ToArray());
    }

    private static FileStream OpenInput(string file)
    {
        try
        {
            return File.OpenRead(file);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new ClientException($"--input: {failure.Message}");
        }
    }
}
