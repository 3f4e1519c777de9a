using System.Collections.ObjectModel;
using System.Globalization;
using System.Net;
using System.Text;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Hosting;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Http;

/// <summary>The API's words for jobs, and the cluster's.</summary>
internal static class JobMapping
{
    private const string DefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    private const int MostLabels = 64;
    private const int LongestName = 200;
    private const int MostRetries = 1000;
    private const double LongestTimeout = 1e7;

    /// <summary>The job that a request describes, under what the node allows. The image's name stays to be looked up.</summary>
    /// <exception cref="ApiException">A field has a value that it cannot have; it is named.</exception>
    public static JobSpec ToSpec(JobRequest request, NodeSettings settings)
    {
        Check(request);
        Allow(request, settings);
        return new JobSpec
        {
            Program = request.Command[0].Bytes,
            Arguments = Bytes(request.Command),
            Environment = request.Environment is { } environment ? Bytes(environment) : [Encoding.ASCII.GetBytes(DefaultPath), "HOME=/"u8.ToArray()],
            WorkingDirectory = request.WorkingDirectory ?? "/",
            IsWorkingDirectoryRequired = request.WorkingDirectory is not null,
            User = new UserIdentity(request.User ?? 0, request.Group ?? request.User ?? 0),
            Groups = request.Groups ?? [],
            Image = request.Image,
            RootFilesystem = request.Rootfs,
            Binds = request.Binds is { } binds ? [.. binds.Select(static bind => new BindMount(bind.Source, bind.Target, bind.Writable))] : [],
            Input = request.Input?.Bytes ?? [],
            Files = request.Files is { } files ? [.. files.Select(static file => new GuestFile(file.Path, file.Content.Bytes, file.Mode ?? GuestFile.DefaultMode))] : [],
            Network = ToSettings(request.Network),
            Limits = new JobLimits
            {
                Memory = request.Memory ?? settings.Memory,
                MemoryNodes = request.MemoryNodes ?? 1,
                Timeout = request.TimeoutSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                Output = Math.Min(request.Output ?? (long)settings.Output, (long)settings.Output),
            },
            Engine = request.Engine ?? EngineKind.Translator,
            Clock = request.Clock ?? ClockKind.Real,
            Seed = request.Seed,
            Faults = request.Faults is { } faults ? [.. faults.Select(static fault => CallFault.Parse(fault, out string? error) ?? throw ApiException.BadField("$.job.faults", error!))] : [],
            Backend = request.Backend ?? JobSpec.EmulatedBackend,
            Tracing = request.Tracing is { } tracing
                ? new TraceSettings { Counts = tracing.Counts, Listing = tracing.Listing, Level = tracing.Level ?? TraceLevel.Folded, Parent = tracing.Parent }
                : new TraceSettings(),
            Name = request.Name,
            Labels = request.Labels ?? ReadOnlyDictionary<string, string>.Empty,
            Retries = request.Retries ?? 0,
            Requirements = request.Requires is { } wanted
                ? new JobRequirements { OperatingSystem = wanted.OperatingSystem?.ToLowerInvariant(), Architecture = wanted.Architecture is { } name ? Platform.Processor(name) : null, Labels = wanted.Labels ?? ReadOnlyDictionary<string, string>.Empty }
                : JobRequirements.None,
        };
    }

    /// <summary>What would submit the same job.</summary>
    public static JobRequest ToRequest(JobSpec spec) => new()
    {
        Command = Texts(spec.Arguments),
        Environment = Texts(spec.Environment),
        WorkingDirectory = spec.IsWorkingDirectoryRequired ? spec.WorkingDirectory : null,
        User = spec.User.User,
        Group = spec.User.Group,
        Groups = spec.Groups.Count > 0 ? spec.Groups : null,
        Image = spec.Image,
        Rootfs = spec.RootFilesystem,
        Binds = spec.Binds.Count == 0 ? null : [.. spec.Binds.Select(static bind => new BindRequest { Source = bind.Source, Target = bind.Target, Writable = bind.Writable })],
        Input = spec.Input.Length > 0 ? new ByteText(spec.Input) : (ByteText?)null,
        Files = spec.Files.Count == 0 ? null : [.. spec.Files.Select(static file => new FileRequest { Path = file.Path, Content = new ByteText(file.Content), Mode = file.Mode })],
        Network = ToRequest(spec.Network),
        Memory = spec.Limits.Memory,
        MemoryNodes = spec.Limits.MemoryNodes > 1 ? spec.Limits.MemoryNodes : null,
        TimeoutSeconds = spec.Limits.Timeout?.TotalSeconds,
        Output = spec.Limits.Output,
        Engine = spec.Engine,
        Clock = spec.Clock,
        Seed = spec.Seed,
        Faults = spec.Faults.Count == 0 ? null : [.. spec.Faults.Select(static fault => fault.ToString())],
        Backend = spec.Backend,
        Tracing = spec.Tracing == new TraceSettings() ? null : new TracingRequest { Counts = spec.Tracing.Counts, Listing = spec.Tracing.Listing, Level = spec.Tracing.Level, Parent = spec.Tracing.Parent },
        Name = spec.Name,
        Labels = spec.Labels.Count > 0 ? spec.Labels : null,
        Retries = spec.Retries > 0 ? spec.Retries : null,
        Requires = ReferenceEquals(spec.Requirements, JobRequirements.None) ? null : new RequirementsRequest
        {
            OperatingSystem = spec.Requirements.OperatingSystem,
            Architecture = spec.Requirements.Architecture,
            Labels = spec.Requirements.Labels.Count > 0 ? spec.Requirements.Labels : null,
        },
    };

    /// <param name="waitsFor">Why no node can run it, if it waits.</param>
    public static JobAnswer ToAnswer(JobSummary job, string? waitsFor = null) => new()
    {
        Id = job.Id.ToString(),
        Name = job.Name,
        Command = job.Command,
        State = job.State,
        Node = job.Node,
        Attempts = job.Attempts,
        ExitCode = job.ExitCode,
        AcceptedAt = Time(job.AcceptedAt),
        StartedAt = Time(job.StartedAt),
        EndedAt = Time(job.EndedAt),
        Labels = job.Labels.Count > 0 ? job.Labels : null,
        OperatingSystem = job.Requirements.OperatingSystem,
        Architecture = job.Requirements.Architecture,
        WaitsFor = waitsFor,
    };

    public static JobDetail ToDetail(JobRecord record, IReadOnlyList<RecordedEvent> journal, string? waitsFor = null)
    {
        JobAnswer summary = ToAnswer(record.Summary, waitsFor);
        return new JobDetail
        {
            Id = summary.Id,
            Name = summary.Name,
            Command = summary.Command,
            State = summary.State,
            Node = summary.Node,
            Attempts = summary.Attempts,
            ExitCode = summary.ExitCode,
            AcceptedAt = summary.AcceptedAt,
            StartedAt = summary.StartedAt,
            EndedAt = summary.EndedAt,
            Labels = summary.Labels,
            OperatingSystem = summary.OperatingSystem,
            Architecture = summary.Architecture,
            WaitsFor = summary.WaitsFor,
            Job = ToRequest(record.Lifecycle.Spec!),
            Result = record.Lifecycle.Result is { } result ? ToAnswer(result) : null,
            Events = [.. journal.Select(ToAnswer)],
        };
    }

    public static ResultAnswer ToAnswer(JobResult result) => new()
    {
        End = result.End,
        Code = result.Code,
        ExitCode = result.ExitCode,
        Failure = result.Failure,
        Message = result.Message,
        Usage = result.Usage,
    };

    public static JobResult ToResult(ResultAnswer answer) => new()
    {
        End = answer.End,
        Code = answer.Code,
        Failure = answer.Failure,
        Message = answer.Message,
        Usage = answer.Usage,
    };

    /// <summary>A time of the store; 0 is none.</summary>
    /// <summary>Unix nanoseconds, for what people read.</summary>
    public static long Now => HostClock.Instance.Realtime;

    public static DateTimeOffset? Time(long nanoseconds) =>
        nanoseconds == 0 ? null : DateTimeOffset.UnixEpoch.AddTicks(nanoseconds / 100);

    private static EventAnswer ToAnswer(RecordedEvent recorded) => new()
    {
        Event = char.ToLowerInvariant(recorded.Happened.GetType().Name[0]) + recorded.Happened.GetType().Name[1..],
        At = DateTimeOffset.UnixEpoch.AddTicks(recorded.At / 100),
        Detail = recorded.Happened switch
        {
            JobEvent.Waited waited => waited.Reason,
            JobEvent.Started started => started.Node,
            JobEvent.Interrupted interrupted => interrupted.Reason,
            JobEvent.Moved moved => $"shard {moved.Shard}",
            JobEvent.Retried retried => Describe(retried.Result),
            JobEvent.Finished finished => Describe(finished.Result),
            _ => null,
        },
    };

    /// <summary>How a job ended, in a few words.</summary>
    public static string Describe(JobResult result) => result.End switch
    {
        JobEnd.Exited => $"exit code {result.Code}",
        JobEnd.Killed => $"signal {result.Code}",
        _ => result.Message ?? result.End.ToString(),
    };

    private static List<byte[]> Bytes(IReadOnlyList<ByteText> texts) => [.. texts.Select(static text => text.Bytes)];

    private static List<ByteText> Texts(IReadOnlyList<byte[]> texts) => [.. texts.Select(static text => new ByteText(text))];

    private static NetworkSettings ToSettings(NetworkRequest? request) => request is null ? new NetworkSettings() : new NetworkSettings
    {
        Reach = request.Reach,
        Switch = request.Switch ?? NetworkSettings.DefaultSwitch,
        Address = request.Address,
        Published = request.Published is { } ports ? [.. ports.Select(static port => new PublishedPort(port.Host, port.Guest))] : [],
    };

    private static NetworkRequest? ToRequest(NetworkSettings network) => network == new NetworkSettings() ? null : new NetworkRequest
    {
        Reach = network.Reach,
        Switch = network.Switch,
        Address = network.Address,
        Published = network.Published.Count == 0 ? null : [.. network.Published.Select(static port => new PortRequest { Host = port.Host, Guest = port.Guest })],
    };

    private static void Check(JobRequest request)
    {
        Require(request.Command.Count > 0 && request.Command[0].Bytes.Length > 0, "command", "names no program");
        Require(!request.Command.Any(HasNul), "command", "an argument holds a NUL byte");
        Require(request.Environment?.All(static variable => !HasNul(variable) && variable.Bytes.AsSpan().IndexOf((byte)'=') > 0) ?? true, "environment", "each must be NAME=VALUE");
        Require(request.WorkingDirectory?.StartsWith('/') ?? true, "workingDirectory", "must begin with /");
        Require(request.Image is null || request.Rootfs is null, "rootfs", "goes not with an image");
        Require(request.Memory is null or > 0, "memory", "must be more than 0");
        Require(request.MemoryNodes is null or (>= 1 and <= JobLimits.MostMemoryNodes), "memoryNodes", $"must be from 1 to {JobLimits.MostMemoryNodes}");
        Require(request.TimeoutSeconds is null or (> 0 and <= LongestTimeout), "timeoutSeconds", $"must be from 0 to {LongestTimeout:0}");
        Require(request.Output is null or >= 0, "output", "must not be negative");
        Require(request.Retries is null or (>= 0 and <= MostRetries), "retries", $"must be from 0 to {MostRetries}");
        Require(request.Name is null or { Length: <= LongestName }, "name", $"is longer than {LongestName} letters");
        Require(AreLabels(request.Labels), "labels", $"are more than {MostLabels}, or one has no name or more than {LongestName} letters");
        Require(AreLabels(request.Requires?.Labels), "requires.labels", $"are more than {MostLabels}, or one has no name or more than {LongestName} letters");
        Require(request.Backend is null or "emulated" or "native", "backend", "must be emulated or native");
        Require(IsWord(request.Requires?.OperatingSystem), "requires.operatingSystem", "must be 1 to 32 letters and digits, as in freebsd");
        Require(IsWord(request.Requires?.Architecture), "requires.architecture", "must be 1 to 32 letters, digits and _, as in arm64");
        Require(request.Files?.All(static file => IsPlainPath(file.Path)) ?? true, "files", "each path must be absolute and without . and ..");
        Require(request.Files?.All(static file => file.Mode is null or <= 0xFFF) ?? true, "files", "a mode has only the bits of 07777");
        Require(request.Binds?.All(static bind => bind.Target.StartsWith('/')) ?? true, "binds", "each target must begin with /");
        CheckNetwork(request.Network);
    }

    private static void CheckNetwork(NetworkRequest? network)
    {
        if (network is null)
            return;
        Require(network.Switch is null || network.Switch.Length is > 0 and <= 32 && network.Switch.All(static letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_'),
            "network.switch", "must be 1 to 32 letters, digits, - and _");
        Require(network.Address is null || IsInterfaceAddress(network.Address), "network.address", "must be an address with its prefix's length, as in 10.1.0.5/24");
        Require(network.Published?.All(static port => port.Host is > 0 and < 65536 && port.Guest is > 0 and < 65536) ?? true, "network.published", "ports are from 1 to 65535");
    }

    public static bool IsInterfaceAddress(string text) => text.Split('/') is [var address, var length]
        && IPAddress.TryParse(address, out IPAddress? parsed) && parsed.ToString() == address
        && int.TryParse(length, NumberStyles.None, CultureInfo.InvariantCulture, out int bits) && bits <= (address.Contains(':') ? 128 : 32);

    /// <summary>What the node's settings do not let submitted jobs do.</summary>
    private static void Allow(JobRequest request, NodeSettings settings)
    {
        if (settings.HostFiles == HostFiles.None)
        {
            Permit(request.Image is not null, "image", "jobs must bring an image here (jobs.host-files is none)");
            Permit(request.Binds is null or [], "binds", "jobs see no files of this machine (jobs.host-files is none)");
        }
        if (settings.HostFiles != HostFiles.Write)
            Permit(request.Binds?.All(static bind => !bind.Writable) ?? true, "binds", "jobs write no files of this machine (jobs.host-files is not write)");
        Permit(request.Network is null || request.Network.Reach <= settings.Network, "network.reach", $"reaches no further than {settings.Network.ToString().ToLowerInvariant()} (jobs.network)");
        Permit(settings.Network == NetworkReach.Host || request.Network?.Published is null or [], "network.published", "jobs publish no ports here (jobs.network is not host)");
    }

    private static bool IsWord(string? text) => text is null || text.Length is > 0 and <= 32 && text.All(static letter => char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-');

    private static bool HasNul(ByteText text) => text.Bytes.AsSpan().Contains((byte)0);

    private static bool AreLabels(IReadOnlyDictionary<string, string>? labels) =>
        labels is null || labels.Count <= MostLabels && labels.All(static label => label.Key.Length is > 0 and <= LongestName && label.Value.Length <= LongestName);

    private static bool IsPlainPath(string path) =>
        path.StartsWith('/') && path.Length > 1 && !path.Contains('\0') && path[1..].Split('/').All(static part => part is not ("" or "." or ".."));

    private static void Require(bool isGood, string field, string wrong)
    {
        if (!isGood)
            throw ApiException.BadField("$.job." + field, wrong);
    }

    private static void Permit(bool isAllowed, string field, string why)
    {
        if (!isAllowed)
            throw new ApiException(403, "This node does not allow it", why, "$.job." + field);
    }
}
