using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Cpu.X86;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Terminals;
using Vivarium.Emulator.Loader;
using Vivarium.Emulator.Personalities;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Messages;
using Vivarium.Telemetry;
using Vivarium.Telemetry.Strace;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Actors.Execution;

/// <summary>One job in a world of its own.</summary>
internal sealed class EmulatorRun : IJobRun
{
    private readonly JobId _id;
    private readonly JobSpec _spec;
    private readonly EmulatorServices _services;
    private readonly JobStreams _streams;
    private readonly CallRecorder? _recorder;
    private readonly StraceWriter? _listing;
    private readonly IEngine _engine;
    private readonly EngineStatistics _engineBefore;
    private readonly World _world;
    private Terminal? _terminal;
    private readonly JobNetwork _network;
    private readonly long _createdAt;
    private long _ranAt;
    private JobResult? _result;
    private readonly List<Action<JobReply>> _questions = [];
    private readonly int _attempt;
    private long _checkpointAt;
    private long _checkpointPause = FirstCheckpoint;
    private long _callsKept;
    private string? _badFault;
    private bool _isStarted;
    private bool _isOver;

    public EmulatorRun(JobId id, JobSpec spec, EmulatorServices services, JobStreams streams, int attempt)
    {
        _attempt = attempt;
        _id = id;
        _spec = spec;
        _services = services;
        _streams = streams;
        if (spec.Tracing.Listing && _streams.Listing is { } sink)
            _listing = new StraceWriter(lines => sink(lines), showTimes: true);
        if (spec.Tracing.Any)
            _recorder = new CallRecorder(spec.Tracing.Level);
        _createdAt = QueuedAt = services.Clock.Realtime;
        _network = new JobNetwork(spec.Network, services);
        _engine = Engines.Of(spec.Engine);
        _engineBefore = _engine.Statistics;
        _world = new World(new WorldSpec
        {
            HostClock = services.Clock,
            IsVirtualTime = spec.Clock == ClockKind.Virtual,
            Seed = spec.Seed ?? (spec.Clock == ClockKind.Virtual ? 0 : services.Seeds()),
            ShufflesThreads = spec.Seed is not null,
            MemoryLimit = spec.Limits.Memory,
            MemoryNodes = spec.Limits.MemoryNodes,
            Engine = _engine,
            Personality = System ?? LinuxPersonality.Instance,
            Systems = GuestSystems.Find,
            Woken = () => Woken?.Invoke(),
            Observer = _listing,
            Calls = _recorder?.Ring,
            // Without a trace there is nothing that others could name.
            Identity = spec.Tracing.Level == TraceLevel.Off ? null : TraceIdentity.Of(id, Context).ToBytes(),
            Faults = spec.Faults.Count == 0 ? [] : [.. spec.Faults.Select(Plan)],
            Links = _network.Links,
            Outside = spec.Network.Reach == NetworkReach.Host ? services.Outside : null,
            RootPath = spec.RootFilesystem ?? "/",
            Binds = [.. spec.Binds.Select(static bind => new TreeBind(bind.Source, bind.Target, bind.Writable))],
        });
    }

    /// <summary>
    /// How long a job runs until it hands over its trace for the first time, nanoseconds, and the longest it then takes until the next time. What it
    /// did since is what is lost with its node.
    /// </summary>
    private const long FirstCheckpoint = 1_000_000_000, LongestPause = 4_000_000_000;

    public event Action? Woken;

    public long QueuedAt { private get; set; }

    public long AcceptedAt { private get; set; }

    public bool IsRetried { private get; set; }

    public JobResult StoppedBy
    {
        set => _result ??= value;
    }

    public JobResult Result => (_result ?? new JobResult { End = JobEnd.Broken }) with { Usage = Usage };

    public RunState Run(long quantum)
    {
        if (!_isStarted)
        {
            _isStarted = true;
            _result = Start();
            // By the world's time, placed where that began: no step of the host's clock moves anything.
            _ranAt = _recorder is null ? _services.Clock.Realtime : RecordedNow;
            if (_result is not null)
                return RunState.Done;
            _checkpointAt = _services.Clock.Monotonic + FirstCheckpoint;
        }
        WorldState state = _world.Run(quantum);
        if (state != WorldState.Over)
            Checkpoint();
        switch (state)
        {
            case WorldState.Over:
                _result = Describe(_world.Result);
                return RunState.Done;
            case WorldState.Idle:
                return RunState.Idle(Earlier(_world.NextDeadline is { } deadline ? _world.ToHostTime(deadline) : null, NextCheckpoint));
            default:
                return RunState.Ready;
        }
    }

    public void Deliver(JobCommand command, Action<JobReply> reply)
    {
        switch (command)
        {
            case JobCommand.Signal signal:
                _world.Post(() => Send(signal.Number));
                break;
            case JobCommand.Resize resize:
                _world.Post(() => Resize(resize));
                break;
            case JobCommand.Kill kill:
                Ask(reply, () => Kill(kill));
                return;
            case JobCommand.Inspect:
                Ask(reply, () => new JobReply(JobReplyKind.Done, WorldInspector.Describe(_world, _id)));
                return;
            case JobCommand.Trace:
                AskTrace(reply);
                return;
            default:
                reply(new JobReply(JobReplyKind.Refused, $"this backend knows no {command.GetType().Name}"));
                return;
        }
        reply(JobReply.Done);
    }

    /// <summary>Answers between two quanta, or that it is too late once the run is over.</summary>
    private void Ask(Action<JobReply> reply, Func<JobReply> answer)
    {
        lock (_questions)
        {
            if (!_isOver)
            {
                _questions.Add(reply);
                _world.Post(() =>
                {
                    if (Take(reply))
                        reply(answer());
                });
                return;
            }
        }
        reply(JobReply.NotRunning);
    }

    private bool Take(Action<JobReply> reply)
    {
        lock (_questions)
            return _questions.Remove(reply);
    }

    private void RefuseQuestions()
    {
        List<Action<JobReply>> left;
        lock (_questions)
        {
            _isOver = true;
            left = [.. _questions];
            _questions.Clear();
        }
        foreach (Action<JobReply> reply in left)
            reply(JobReply.NotRunning);
    }

    private JobReply Kill(JobCommand.Kill kill)
    {
        Process? target = kill.Process is { } process ? WorldInspector.Find(_world, _id, process) : _world.First;
        if (target is null or { IsZombie: true })
            return new JobReply(JobReplyKind.Refused, kill.Process is { } wanted ? $"the job has no live process {wanted}" : "the job's first process has ended");
        if (kill.Number is < 1 or > Signal.Last)
            return new JobReply(JobReplyKind.Refused, $"there is no signal {kill.Number}");
        _world.Send(target, new SignalInfo(kill.Number));
        return JobReply.Done;
    }

    /// <summary>The trace so far: put together between two quanta, written elsewhere.</summary>
    private void AskTrace(Action<JobReply> reply)
    {
        if (_spec.Tracing.Level == TraceLevel.Off || _services.PackTrace is not { } pack)
        {
            reply(new JobReply(JobReplyKind.Refused, "the job runs without a trace"));
            return;
        }
        TraceDocument? document = null;
        Ask(
            answer =>
            {
                if (document is null)
                    reply(answer);
                else
                    pack(document, file => reply(JobReply.Done with { Content = file }));
            },
            () =>
            {
                document = Recording(isUnfinished: true).Document;
                return JobReply.Done;
            });
    }

    /// <summary>When the trace is to be handed over again; null = nothing happened since.</summary>
    private long? NextCheckpoint =>
        _services.UnfinishedTraces is null || _spec.Tracing.Level == TraceLevel.Off || _recorder!.Ring.Begun == _callsKept ? null : _checkpointAt;

    private static long? Earlier(long? one, long? other) => one is null || other < one ? other : one;

    private void Checkpoint()
    {
        if (NextCheckpoint is not { } due || _services.Clock.Monotonic is var now && now < due)
            return;
        long calls = _recorder!.Ring.Begun;
        if (_services.UnfinishedTraces!(Recording(isUnfinished: true)))
            _callsKept = calls;
        _checkpointAt = now + _checkpointPause;
        _checkpointPause = Math.Min(LongestPause, 2 * _checkpointPause);
    }

    private TraceRecording Recording(bool isUnfinished)
    {
        _recorder!.Ring.Flush();
        long ran = _ranAt == 0 ? _services.Clock.Realtime : _ranAt;
        return new TraceRecording(_id, _spec, Result, _recorder, Context)
        {
            IsUnfinished = isUnfinished,
            Attempt = _attempt,
            IsRetried = IsRetried,
            Accepted = AcceptedAt,
            Node = _services.Node,
            Queued = Math.Min(QueuedAt, Math.Min(_createdAt, ran)),
            Started = Math.Min(_createdAt, ran),
            Ran = ran,
            Ended = _ranAt == 0 ? ran : RecordedNow,
        };
    }

    private long RecordedNow => _recorder!.ToRealtime == 0 ? _services.Clock.Realtime : _recorder.ToRealtime + _world.Clock.Monotonic;

    public void Dispose()
    {
        RefuseQuestions();
        _world.Dispose();
        _network.Dispose();
        if (_recorder is null || _services.Traces is not { } traces || _spec.Tracing.Level == TraceLevel.Off)
            return;
        _recorder.Complete();
        // Without a result it was cut off: another node has the job now, and goes on with another attempt.
        traces(Recording(isUnfinished: _result is null));
    }

    private TraceContext Context => TraceContext.Of(_id, _spec.Seed, _spec.Tracing.Parent, _attempt);

    /// <summary>A job that was given a trace hands it on to its programs, itself as the parent.</summary>
    private JobSpec Traced() => _spec.Tracing is not { Parent: not null, Level: not TraceLevel.Off } ? _spec : _spec with
    {
        Environment =
        [
            .. _spec.Environment.Where(static variable => !variable.AsSpan().StartsWith("TRACEPARENT="u8)),
            Encoding.UTF8.GetBytes("TRACEPARENT=" + Context.TraceParent),
        ],
    };

    private JobUsage Usage => new()
    {
        Instructions = _world.Instructions,
        PeakMemory = _world.Accountant.Peak,
        Processes = _world.ProcessesCreated,
        Calls = _recorder?.Usage() ?? [],
        Missing = _world.Missing.Count == 0 ? [] : [.. _world.Missing.Select(Describe).OrderBy(static missing => new Platform(missing.OperatingSystem, missing.Architecture)).ThenBy(static missing => missing.Name, StringComparer.Ordinal)],
        Translator = Translated(_engine.Statistics - _engineBefore),
    };

    private static MissingUsage Describe(KeyValuePair<MissingPart, long> missing) =>
        new(missing.Key.System, Processors.Name(missing.Key.Processor), missing.Key.Name ?? CallTables.NameOrNumber(missing.Key.Number), missing.Value);

    internal static TranslatorUsage Translated(EngineStatistics done) => new()
    {
        Blocks = done.Blocks,
        Bytes = done.Bytes,
        Hits = done.Hits,
        ChainedJumps = done.ChainedJumps,
        Interpreted = done.Interpreted,
        Evictions = done.Evictions,
    };

    private PlannedFault Plan(CallFault fault)
    {
        const int Numbers = 2048;
        int number = Enumerable.Range(0, Numbers).FirstOrDefault(number => CallTables.Name(number) == fault.Call, -1);
        if (number < 0)
            _badFault ??= $"there is no call named {fault.Call}";
        if (!Enum.TryParse(fault.Error ?? nameof(Errno.None), out Errno error) || !Enum.IsDefined(error))
            _badFault ??= $"there is no error named {fault.Error}";
        return new PlannedFault(number, fault.Nth, fault.Percent, fault.Delay.Ticks * 100, error);
    }

    /// <summary>Sets the world up and starts the program; null when it runs.</summary>
    private JobResult? Start()
    {
        if (_badFault is not null)
            return JobResult.NotStarted(JobFailure.BadSetup, _badFault);
        if (_world.MountTree() is { } problem)
            return JobResult.NotStarted(JobFailure.BadSetup, problem);
        if (_network.Publish(_world) is { } taken)
            return JobResult.NotStarted(JobFailure.BadSetup, taken);
        Credentials credentials = Credentials.Of(_spec.User.User, _spec.User.Group) with { Groups = [.. _spec.Groups] };
        var context = new FileContext(_world.Vfs.Root, _world.Vfs.Root);
        if (Locate(context, credentials, Encoding.UTF8.GetBytes(_spec.WorkingDirectory)) is { Inode.Kind: FileKind.Directory } directory)
            context.WorkingDirectory = directory;
        else if (_spec.IsWorkingDirectoryRequired)
            return JobResult.NotStarted(JobFailure.BadSetup, $"no such directory in the guest: {_spec.WorkingDirectory}");
        if (PlaceFiles(context) is { } refused)
            return JobResult.NotStarted(JobFailure.BadSetup, refused);
        _recorder?.Attach(_world, _services.Clock.Realtime);
        GuestThread thread = _world.CreateFirst(context, credentials, Architecture.X64);
        AttachStreams(thread.Process);
        var choice = new ProgramChoice(System, _spec.Requirements.Architecture is { } processor ? Processors.Find(processor) : null);
        return ProgramStarter.Start(_world, thread, Traced(), choice, _listing);
    }

    /// <summary>The system that the job asks for, whatever its program says; null = its program says. Placement saw that there is such a one.</summary>
    private IPersonality? System => _spec.Requirements.OperatingSystem is { } name ? GuestSystems.Find(name) : null;

    /// <summary>Puts the job's own files into the tree; null, or one sentence on what cannot be put there.</summary>
    private string? PlaceFiles(FileContext context)
    {
        const uint directoryMode = 0x1ED; // 0755
        var caller = new FileCaller(context, FileCredentials.Root);
        foreach (GuestFile file in _spec.Files)
        {
            byte[] path = Encoding.UTF8.GetBytes(file.Path);
            for (int slash = 1; (slash = file.Path.IndexOf('/', slash)) > 0; slash++)
                _world.Vfs.Make(caller, context.Root, Encoding.UTF8.GetBytes(file.Path[..slash]), FileKind.Directory, directoryMode, 0, null, out _);
            _world.Vfs.Unlink(caller, context.Root, path);
            Errno error = _world.Vfs.Make(caller, context.Root, path, FileKind.Regular, file.Mode, 0, null, out Inode? made);
            if (error == Errno.None)
                error = made!.WriteAt(0, file.Content).Error;
            if (error == Errno.None)
                error = made!.SetAttributes(new AttributeChange { Mode = file.Mode, User = _spec.User.User, Group = _spec.User.Group });
            if (error != Errno.None)
                return $"cannot make the file {file.Path}: {error}";
        }
        return null;
    }

    private void AttachStreams(Process process)
    {
        TerminalFile? terminal = _streams.Terminal is { } host ? _world.ConnectTerminal(process, host) : null;
        _terminal = terminal?.Terminal;
        Func<OpenFile>? open = terminal is null ? null : () =>
        {
            terminal.AddReference();
            return terminal;
        };
        _world.AttachStandardStreams(process, _streams.Input, _streams.Output, _streams.Error, open);
        terminal?.Release();
        _world.ProcessStopped += (stopped, signal) =>
        {
            if (ReferenceEquals(stopped, _world.First))
                _streams.Stopped?.Invoke(signal != Signal.Stop);
        };
    }

    private void Resize(JobCommand.Resize size) =>
        _terminal?.Resize(_terminal.Size with { Rows = (ushort)size.Rows, Columns = (ushort)size.Columns });

    private PathEntry? Locate(FileContext context, Credentials credentials, byte[] path) =>
        _world.Vfs.Resolve(new FileCaller(context, credentials.ForFiles), context.Root, path, WalkFlags.Follow, out PathEntry? entry) == Errno.None ? entry : null;

    private JobResult Describe(WaitStatus status) => status.Change == ChildChange.Exited
        ? new JobResult { End = JobEnd.Exited, Code = status.Value }
        : new JobResult { End = JobEnd.Killed, Code = status.Value, Message = ExplainSignal(status.Value) };

    /// <summary>A guest killed for an instruction that is not there deserves to be told which, and one killed for want of memory that.</summary>
    private string? ExplainSignal(int signal) => signal switch
    {
        Signal.Illegal when _world.InvalidInstruction is { } instruction => "unsupported instruction: " + (instruction.Architecture == Architecture.X64
            ? X86Disassembly.Describe(instruction.Address, instruction.Bytes) : Convert.ToHexStringLower(instruction.Bytes.AsSpan(0, Math.Min(4, instruction.Bytes.Length)))),
        Signal.Kill when _world.KilledForMemory > 0 => "out of memory: it touched more than its world may have",
        _ => null,
    };

    /// <summary>What a user's terminal or session does to the foreground job.</summary>
    private void Send(TerminalSignal number)
    {
        int signal = number switch
        {
            TerminalSignal.HangUp => Signal.HangUp,
            TerminalSignal.Interrupt => Signal.Interrupt,
            TerminalSignal.Quit => Signal.Quit,
            TerminalSignal.Stop => Signal.TerminalStop,
            TerminalSignal.Continue => Signal.Continue,
            _ => Signal.Terminate,
        };
        if (_world.First is not { IsZombie: false } first)
            return;
        bool isKey = number is TerminalSignal.Interrupt or TerminalSignal.Quit or TerminalSignal.Stop;
        int group = isKey && _terminal is { ForegroundGroup: not 0 } terminal ? terminal.ForegroundGroup : first.Group;
        _world.SendGroup(group, new SignalInfo(signal, Code: 0x80));
    }
}
