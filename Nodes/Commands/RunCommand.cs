using System.Text;
using Vivarium.Actors.Execution;
using Vivarium.Messages;
using Vivarium.Nodes.Hosting;
using Vivarium.Nodes.Native;
using Vivarium.Telemetry;
using Vivarium.Telemetry.Traces;
using Vivarium.Nodes.Tracing;

namespace Vivarium.Nodes.Commands;

/// <summary><c>viv run</c>: one job, submitted to a node inside this process.</summary>
internal static class RunCommand
{
    public static int Execute(ReadOnlySpan<string> arguments)
    {
        var options = new RunOptions();
        int used = options.Table.Parse(arguments, out string? error);
        if (options.Help)
            return HelpText.ShowRun(options.Table);
        if (error is not null)
            return Failure.Usage(error, "run");
        if (used == arguments.Length)
            return Failure.Usage("no program given", "run");
        JobRequirements platform = Wanted(options);
        if (!ReferenceEquals(platform, JobRequirements.None) && !EmulatedPlatforms.All.Any(platform.Allows))
            return Failure.Report($"cannot run programs for {platform.Programs("")} (there are: {Platform.List(EmulatedPlatforms.All)})");
        PrepareEngine(options);
        if (NodeSettings.Load(AppContext.BaseDirectory, out error, onlyRuns: true) is not { } settings)
            return Failure.Report(error!);
        if (!TryOpenListing(options, out Stream? listing, out error))
            return Failure.Report(error!);
        if (options.TraceFile is { } file && TraceFiles.Check(file, options.TraceLevel) is { } problem)
            return Failure.Report(problem);
        using (listing)
        {
            JobSpec spec = Describe(options, settings, RawArguments.Last(arguments.Length - used));
            using Terminal? terminal = Terminal.Open();
            JobResult result = Run(spec, settings, terminal, listing, out TraceRecording? trace);
            terminal?.Dispose();
            listing?.Flush();
            int code = Report(result, options);
            if (trace is not null)
                Publish(trace, options);
            return code;
        }
    }

    /// <summary>On another core, where there is one, while this thread comes to where it needs it.</summary>
    private static void PrepareEngine(RunOptions options)
    {
        if (Environment.ProcessorCount > 1 && options.Engine == EngineKind.Translator)
            new Thread(static () => EnginePreparation.Run(), LocalNode.WorkerStack) { IsBackground = true, Name = "preparation" }.Start();
    }

    /// <summary>The trace to its file and to the collector. The job is over: what fails here is told, and changes no exit code.</summary>
    private static void Publish(TraceRecording trace, RunOptions options)
    {
        if (options.TraceFile is { } file && TraceFiles.Write(file, trace.Document) is { } problem)
            Console.Error.WriteLine("viv: " + problem);
        if (OtlpSettings.FromEnvironment(out problem) is { } collector)
            problem = SpanSender.SendOnce(collector, trace);
        if (problem is not null)
            Console.Error.WriteLine("viv: " + problem);
    }

    private static JobResult Run(JobSpec spec, NodeSettings settings, Terminal? terminal, Stream? listing, out TraceRecording? trace)
    {
        TraceRecording? recorded = null;
        SignalRelay? signals = null;
        var streams = new JobStreams(new HostInput(0), new HostOutput(1), new HostOutput(2))
        {
            Terminal = terminal,
            Stopped = isByTerminal => Suspend(signals, terminal, isByTerminal),
            Listing = listing is null ? null : lines => Write(lines, listing, terminal),
        };
        var backend = new EmulatorBackend(new EmulatorServices
        {
            Clock = HostClock.Instance,
            Streams = (_, _) => streams,
            Seeds = () => (ulong)Random.Shared.NextInt64(),
            Node = settings.Name,
            Traces = spec.Tracing.Level == TraceLevel.Off ? null : recording => recorded = recording,
            Switches = HostSwitch.Join,
            Outside = HostNetwork.Instance,
            Publish = HostNetwork.Publish,
        });
        var id = new JobId(Guid.NewGuid());
        using var node = new LocalNode(backend, settings, choosesPlatform: !ReferenceEquals(spec.Requirements, JobRequirements.None));
        using SignalRelay relay = signals = new SignalRelay(command => node.Tell(id, command), terminal);
        JobResult result = node.Run(id, spec);
        trace = recorded;
        return result;
    }

    /// <summary>
    /// The guest was stopped: so is this process, for its user's shell to see. What its terminal stopped was the whole pipeline.
    /// </summary>
    private static void Suspend(SignalRelay? signals, Terminal? terminal, bool isByTerminal)
    {
        if (isByTerminal && HostGroup.IsOrphaned())
        {
            // Nobody could let it go on; a terminal stops no such group.
            Libc.Kill(Environment.ProcessId, Libc.SigCont);
            return;
        }
        bool wasRaw = terminal is { IsRaw: true };
        terminal?.LeaveRaw();
        if (wasRaw && isByTerminal)
            signals?.StopGroup();
        Libc.Kill(Environment.ProcessId, Libc.SigStop);
    }

    /// <summary>Lines for a terminal that is raw bring the return to its first column themselves.</summary>
    private static void Write(ReadOnlySpan<byte> lines, Stream listing, Terminal? terminal)
    {
        if (listing is FileStream || terminal is not { IsRaw: true } || Libc.IsATty(2) != 1)
        {
            listing.Write(lines);
            return;
        }
        foreach (Range line in lines.Split((byte)'\n'))
        {
            listing.Write(lines[line]);
            if (line.End.Value < lines.Length)
                listing.Write("\r\n"u8);
        }
    }

    private static int Report(JobResult result, RunOptions options)
    {
        if (result.Message is { } message)
            Console.Error.WriteLine("viv: " + message);
        if (options.Summary)
            Console.Error.Write(CallReport.Summary(result.Usage));
        if (options.Statistics)
            Console.Error.Write(CallReport.Statistics(result));
        return result.ExitCode;
    }

    private static bool TryOpenListing(RunOptions options, out Stream? listing, out string? error)
    {
        listing = null;
        error = null;
        if (!options.Listing)
            return true;
        try
        {
            listing = options.ListingFile is { } file ? new FileStream(file, FileMode.Create) : Console.OpenStandardError();
            return true;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            error = $"--strace: cannot write {options.ListingFile}: {failure.Message}";
            return false;
        }
    }

    private static JobSpec Describe(RunOptions options, NodeSettings settings, IReadOnlyList<byte[]> command) => new()
    {
        Program = command[0],
        Arguments = command,
        Environment = MergeEnvironment(RawArguments.Environment(), options.Variables),
        WorkingDirectory = options.WorkingDirectory ?? (options.RootFilesystem is null ? Environment.CurrentDirectory : "/"),
        IsWorkingDirectoryRequired = options.WorkingDirectory is not null,
        User = options.User ?? new UserIdentity(Libc.GetUid(), Libc.GetGid()),
        Groups = options.User is null ? Libc.Groups() : [],
        RootFilesystem = options.RootFilesystem,
        Binds = options.Binds,
        Network = options.Network,
        Limits = new JobLimits { Memory = options.Memory ?? settings.Memory, MemoryNodes = options.MemoryNodes ?? 1, Timeout = options.Timeout },
        Engine = options.Engine,
        Clock = options.Clock,
        Seed = options.Seed,
        Faults = options.Faults,
        Requirements = Wanted(options),
        Tracing = new TraceSettings
        {
            Listing = options.Listing,
            Level = options.TraceLevel,
            Parent = options.TraceLevel == TraceLevel.Off ? null : Environment.GetEnvironmentVariable("TRACEPARENT"),
            Counts = options.Summary || options.Statistics,
        },
    };

    private static JobRequirements Wanted(RunOptions options) => options is { OperatingSystem: null, Architecture: null }
        ? JobRequirements.None
        : new JobRequirements { OperatingSystem = options.OperatingSystem, Architecture = options.Architecture };

    /// <summary>Sets each variable in its old place, or at the end; a bare name removes it.</summary>
    public static List<byte[]> MergeEnvironment(List<byte[]> environment, IReadOnlyList<string> variables)
    {
        foreach (string variable in variables)
        {
            int equals = variable.IndexOf('=');
            byte[] name = Encoding.UTF8.GetBytes((equals < 0 ? variable : variable[..equals]) + "=");
            int place = environment.FindIndex(entry => entry.AsSpan().StartsWith(name));
            byte[] value = Encoding.UTF8.GetBytes(variable);
            if (equals < 0 && place >= 0)
                environment.RemoveAt(place);
            else if (equals >= 0 && place >= 0)
                environment[place] = value;
            else if (equals >= 0)
                environment.Add(value);
        }
        return environment;
    }
}
