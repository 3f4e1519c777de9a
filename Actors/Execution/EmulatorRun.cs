using System.Text;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Cpu.X86;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Terminals;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Messages;
using Vivarium.Telemetry;
using Vivarium.Telemetry.Strace;

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
    private JobResult? _result;
    private bool _isStarted;

    public EmulatorRun(JobId id, JobSpec spec, EmulatorServices services, JobStreams streams)
    {
        _id = id;
        _spec = spec;
        _services = services;
        _streams = streams;
        if (spec.Tracing.Listing && _streams.Listing is { } sink)
            _listing = new StraceWriter(lines => sink(lines), showTimes: true);
        if (spec.Tracing.Any)
            _recorder = new CallRecorder(_listing, spec.Tracing.Spans, services.Clock.Realtime);
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
            Engine = _engine,
            Personality = LinuxPersonality.Instance,
            Woken = () => Woken?.Invoke(),
            Observer = _recorder,
            Links = _network.Links,
            Outside = spec.Network.Reach == NetworkReach.Host ? services.Outside : null,
            RootPath = spec.RootFilesystem ?? "/",
            Binds = [.. spec.Binds.Select(static bind => new TreeBind(bind.Source, bind.Target, bind.Writable))],
        });
    }

    public event Action? Woken;

    public JobResult Result => (_result ?? new JobResult { End = JobEnd.Broken }) with { Usage = Usage };

    public RunState Run(long quantum)
    {
        if (!_isStarted)
        {
            _isStarted = true;
            _result = Start();
            if (_result is not null)
                return RunState.Done;
        }
        switch (_world.Run(quantum))
        {
            case WorldState.Over:
                _result = Describe(_world.Result);
                return RunState.Done;
            case WorldState.Idle:
                return RunState.Idle(_world.NextDeadline is { } deadline ? _world.ToHostTime(deadline) : null);
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
            default:
                reply(new JobReply(JobReplyKind.Refused, $"this backend knows no {command.GetType().Name}"));
                return;
        }
        reply(JobReply.Done);
    }

    public void Dispose()
    {
        _world.Dispose();
        _network.Dispose();
        if (_recorder?.Trace is not { } trace)
            return;
        trace.Complete(_services.Clock.Realtime);
        _services.Spans?.Invoke(_id, _spec, Result, trace);
    }

    private JobUsage Usage => new()
    {
        Instructions = _world.Instructions,
        PeakMemory = _world.Accountant.Peak,
        Processes = _world.ProcessesCreated,
        Calls = _recorder?.Usage(_world.Personality) ?? [],
        Translator = Translated(_engine.Statistics - _engineBefore),
    };

    private static TranslatorUsage Translated(EngineStatistics done) => new()
    {
        Blocks = done.Blocks,
        Bytes = done.Bytes,
        Hits = done.Hits,
        ChainedJumps = done.ChainedJumps,
        Interpreted = done.Interpreted,
        Evictions = done.Evictions,
    };

    /// <summary>Sets the world up and starts the program; null when it runs.</summary>
    private JobResult? Start()
    {
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
        _recorder?.Attach(_world);
        GuestThread thread = _world.CreateFirst(context, credentials, Architecture.X64);
        AttachStreams(thread.Process);
        return ProgramStarter.Start(_world, thread, _spec, _listing);
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

    /// <summary>A guest killed for an instruction that is not there deserves to be told which.</summary>
    private string? ExplainSignal(int signal) => signal == Signal.Illegal && _world.InvalidInstruction is { } instruction
        ? "unsupported instruction: " + X86Disassembly.Describe(instruction.Address, instruction.Bytes)
        : null;

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
