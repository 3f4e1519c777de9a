using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Futexes;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>
/// One kernel instance: a process tree with its files, clock and network (design decision 1). Run by one worker at a time, so
/// nothing here locks. Other host threads only <see cref="Post"/>.
/// </summary>
public sealed partial class World : IDisposable
{
    private readonly WorldSpec _spec;
    private readonly WorldClock _clock;
    private readonly Lock _postLock = new();
    private List<Action> _posted = [];

    public World(WorldSpec spec)
    {
        _spec = spec;
        _clock = spec.IsVirtualTime ? WorldClock.Virtual() : WorldClock.Real(spec.HostClock);
        _schedule = new WorldRandom(spec.Seed);
        Random = new WorldRandom(spec.Seed ^ 0x5DEECE66D);
        Accountant = new MemoryAccountant(spec.MemoryLimit) { IsRepeatable = spec.IsVirtualTime, Nodes = spec.MemoryNodes };
        Futexes = new FutexTable();
        PiLocks = new PiLocks();
        _faults = spec.Faults.Length == 0 ? null : new CallFaults(spec.Faults, spec.Seed);
    }

    public WorldClock Clock => _clock;

    /// <summary>The monotonic clock, for timers.</summary>
    public ITimeBase TimeBase => _timeBase ??= new MonotonicTime(this);

    private MonotonicTime? _timeBase;

    private sealed class MonotonicTime(World world) : ITimeBase
    {
        public long Now => world.Clock.Monotonic;

        public WorldTimer Schedule(long deadline, Action action) => world.Schedule(deadline, action);
    }

    /// <summary>The host's monotonic time at which the world's reaches <paramref name="monotonic"/>.</summary>
    public long ToHostTime(long monotonic) => _clock.ToHost(monotonic);

    /// <summary>The monotonic time at which the real-time clock reaches <paramref name="realtime"/>, unless it is set.</summary>
    public long MonotonicOf(long realtime)
    {
        long ahead = Math.Max(0, realtime - Clock.Realtime);
        return ahead > long.MaxValue - Clock.Monotonic ? long.MaxValue : Clock.Monotonic + ahead;
    }

    /// <summary>What is kept for whoever disciplines the clock.</summary>
    public ClockDiscipline Discipline { get; } = new();

    /// <summary>Sets the real-time clock. Deadlines that were given in it stay where they are.</summary>
    public void SetRealtime(long now)
    {
        _clock.SetRealtime(now);
        foreach (ClockPage page in _clockPages)
            page.Refresh();
    }

    /// <summary>Random numbers for guests.</summary>
    public WorldRandom Random { get; }

    public MemoryAccountant Accountant { get; }

    public FutexTable Futexes { get; }

    public PiLocks PiLocks { get; }

    /// <summary>Queued signals by user.</summary>
    public Signals.SignalQuota SignalQuota { get; } = new();

    internal ICallObserver? Observer => _spec.Observer;

    /// <summary>Where calls are recorded; null = nowhere.</summary>
    internal Records.CallRing? Calls => _spec.Calls;

    /// <summary>The call of another world whose packet is being received; null at any other time.</summary>
    internal Records.CallOrigin? Cause { get; private set; }

    /// <summary>The call whose bytes are being sent, where that is not the one that is being made: TCP sends what waited in it, a link what waited for an address.</summary>
    internal Records.CallOrigin? Sender { get; set; }

    private readonly Records.SendBursts _bursts = new();

    /// <summary>The call that sends something to another world now; null = none does, or its world has no name for others.</summary>
    internal Records.CallOrigin? Origin()
    {
        if (Sender is not null)
            return Sender;
        if (!IsInHandler || _spec.Identity is not { } identity || Current is not { Call: { Sequence: not 0 } call })
            return null;
        if (call.Sent == 0)
            call.Sent = _bursts.Next(Clock.Monotonic);
        return new Records.CallOrigin(identity, call.Sequence, call.Process.Id, call.Sent);
    }

    /// <summary>Takes what came over a link to other worlds, from any thread.</summary>
    internal void PostPacket(Net.Devices.NetDevice device, byte[] bytes, Records.CallOrigin? origin) => Post(() =>
    {
        Cause = origin;
        Packets.Add(device, bytes);
        Cause = null;
    });

    /// <summary>The system of programs that bear no mark.</summary>
    public IPersonality Personality => _spec.Personality;

    /// <summary>The system whose programs bear a mark; null when there is none such here.</summary>
    internal IPersonality? FindSystem(string name) => Personality.Name == name ? Personality : _spec.Systems(name);

    /// <summary>Runs an action on the worker before its next quantum and wakes the world. The one thread-safe entry.</summary>
    public void Post(Action action)
    {
        lock (_postLock)
            _posted.Add(action);
        _spec.Woken?.Invoke();
    }

    /// <summary>Ends everything and gives all memory back.</summary>
    public void Dispose()
    {
        foreach (Process process in Processes())
        {
            if (!process.IsZombie)
                process.Exit(WaitStatus.OfSignal(Signals.Signal.Kill, dumpedCore: false));
        }
        IsOver = true;
        // Segments stay without processes; not without a world.
        foreach (Ipc.IpcSpace space in IpcSpaces)
            space.Clear();
        Vfs?.Release();
        foreach (ClockPage page in _clockPages)
            page.Dispose();
        _clockPages.Clear();
    }

    private void RunPosted()
    {
        List<Action> posted;
        lock (_postLock)
        {
            if (_posted.Count == 0)
                return;
            posted = _posted;
            _posted = [];
        }
        foreach (Action action in posted)
            action();
    }
}
