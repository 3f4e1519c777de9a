using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Futexes;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>What a thread is doing, as the scheduler sees it.</summary>
public enum ThreadState : byte
{
    /// <summary>In the queue, or running.</summary>
    Ready,

    /// <summary>In a call that waits for sources or a deadline.</summary>
    Parked,

    /// <summary>Ready, in a stopped process.</summary>
    Stopped,

    /// <summary>Stands still for its tracer.</summary>
    Traced,

    Dead,
}

/// <summary>A processor exception: its number, error code and faulting address, as the architecture has them.</summary>
public readonly record struct TrapInfo(int Number, ulong Error, ulong Address);

/// <summary>A guest thread: data, not a host thread (design decision 1).</summary>
public sealed partial class GuestThread
{
    private readonly List<Source> _waitsFor = [];
    private readonly Listener _listener;
    private WorldTimer? _deadline;

    internal GuestThread(Process process, int id, GuestCpu cpu)
    {
        Process = process;
        Id = id;
        Cpu = cpu;
        Call = new CallContext(this);
        _listener = new Listener(this);
        Pending = new PendingSignals(process.World.SignalQuota);
    }

    public int Id { get; internal set; }

    /// <summary>Its id as it sees it itself (gettid(2)).</summary>
    public int Number => Process.Space.Inside(Id);

    public Process Process { get; }

    public GuestCpu Cpu { get; }

    public CallContext Call { get; }

    public ThreadState State { get; internal set; }

    /// <summary>The command name of ps and /proc, at most 15 bytes.</summary>
    public byte[] Name { get; set; } = [];

    /// <summary>A call is under way: at the thread's next turn its handler runs, first or again.</summary>
    public bool InCall { get; internal set; }

    /// <summary>How the interrupted call goes on, decided when it is known whether a handler runs; null = not interrupted.</summary>
    internal RestartKind? Interruption { get; set; }

    public SignalSet Blocked { get; set; }

    public PendingSignals Pending { get; }

    /// <summary>Blocked signals whose arrival ends a wait (sigtimedwait(2)).</summary>
    public SignalSet WaitsForSignals { get; set; }

    /// <summary>The mask to return to after a call with a mask of its own (sigsuspend, ppoll).</summary>
    public SignalSet? SavedMask { get; set; }

    public GuestAddress AlternateStack { get; set; }

    public ulong AlternateStackSize { get; set; }

    public uint AlternateStackFlags { get; set; }

    /// <summary>Cleared and woken as a futex when the thread ends (set_tid_address(2)).</summary>
    public GuestAddress ClearChildTid { get; set; }

    /// <summary>The head of the list of robust futexes (get_robust_list(2)).</summary>
    public GuestAddress RobustList { get; set; }

    /// <summary>The same of FreeBSD's threads: mutexes that processes share, the process's own, and the one being locked or unlocked (_umtx_op(2)).</summary>
    public (GuestAddress Shared, GuestAddress Own, GuestAddress Pending) RobustLists { get; set; }

    /// <summary>The last processor exception, for signal frames.</summary>
    public TrapInfo Trap { get; set; }

    /// <summary>The rest of its turn is for others (sched_yield(2)).</summary>
    internal bool Yields { get; set; }

    /// <summary>What restricts its calls; null = nothing (seccomp(2)).</summary>
    public ICallFilter? Filter
    {
        get => _filter;
        set
        {
            value?.Join();
            _filter?.Leave();
            _filter = value;
        }
    }

    private ICallFilter? _filter;

    /// <summary>What it has left itself; null = all that its credentials give (landlock(7)).</summary>
    public AccessDomain? Domain { get; set; }

    /// <summary>May it signal another thread, by its credentials and by what it has left itself? Threads of one process always may.</summary>
    public bool MaySignal(GuestThread target) =>
        ReferenceEquals(Process, target.Process) || (Credentials.MaySignal(target.Credentials) && AccessDomain.MayReach(Domain, target.Domain, DomainScopes.Signals));

    public bool MaySignal(Process target) =>
        ReferenceEquals(Process, target) || (Credentials.MaySignal(target.Credentials) && AccessDomain.MayReach(Domain, target.Domain, DomainScopes.Signals));

    /// <summary>It was told to go on, before it waited or while it did (_lwp_unpark(2) of NetBSD).</summary>
    public bool IsUnparked { get; set; }

    /// <summary>Pulses when it is told so.</summary>
    public Source ParkSource => _parkSource ??= new Source();

    private Source? _parkSource;

    /// <summary>Where it announces restartable sequences, and what marks their abort handlers (rseq(2)).</summary>
    public GuestAddress RestartableArea { get; set; }

    public uint RestartableSignature { get; set; }

    /// <summary>Where its memory is taken from, null = the default; inherited by what it makes (set_mempolicy(2)).</summary>
    public MemoryPolicy? MemoryPolicy { get; set; }

    /// <summary>Its keyrings; null until it has any.</summary>
    public Keys.ThreadKeys? Keys { get; set; }

    /// <summary>What counts for it (perf_event_open(2)).</summary>
    internal List<Performance.PerformanceEvent> Events { get; } = [];

    /// <summary>Times that it gave the processor to others.</summary>
    public ulong ContextSwitches { get; private set; }

    /// <summary>Nanoseconds its calls count for.</summary>
    public ulong SystemTime { get; internal set; }

    /// <summary>How it is scheduled, and the nice value or priority that goes with it.</summary>
    public Scheduling Scheduling { get; set; } = new();

    /// <summary>1 to 99 under a real-time policy, 0 otherwise (sched(7)).</summary>
    public int RealTimePriority => Scheduling.Priority;

    /// <summary>The highest priority of those who wait for a lock this thread owns.</summary>
    internal int InheritedPriority { get; set; }

    internal int EffectivePriority => Math.Max(RealTimePriority, InheritedPriority);

    /// <summary>Contended locks it owns, and the one it waits for.</summary>
    internal List<PiLock> HeldLocks { get; } = [];

    internal PiLock? WaitsForLock { get; set; }

    /// <summary>Monotonic world time of its start.</summary>
    public long StartTime { get; internal init; }

    public bool HasDeliverableSignal => !((Pending.Set | Process.Pending.Set) & ~Blocked).IsEmpty || Tracee is { Injected: not null };

    /// <summary>True when a new thread must not run before its first state is complete.</summary>
    public bool IsAlive => State != ThreadState.Dead;

    private Credentials _credentials = Credentials.Of(0, 0);

    public Credentials Credentials
    {
        get => _credentials;
        set
        {
            _credentials = value;
            FileCredentials = value.ForFiles;
            RealFileCredentials = value.RealForFiles;
        }
    }

    /// <summary>Waits for the call's sources and deadline.</summary>
    internal void Park()
    {
        State = ThreadState.Parked;
        ContextSwitches++;
        Process.World.Calls?.Park(Call);
        foreach (Source source in Call.Sources)
        {
            source.Attach(_listener);
            _waitsFor.Add(source);
        }
        if (Call.Deadline is { } deadline && deadline != long.MaxValue)
            _deadline = Process.World.Schedule(deadline, Wake);
    }

    /// <summary>Ends waiting: the handler runs again at the next turn.</summary>
    internal void Wake()
    {
        if (State != ThreadState.Parked)
            return;
        LeaveSources();
        State = ThreadState.Ready;
        World world = Process.World;
        GuestThread? waker = world.IsInHandler ? world.Current : null;
        Call.WokenBy = waker?.Call.Sequence ?? 0;
        Call.WokenByProcess = waker?.Process.Id ?? 0;
        (Call.WokenByWorld, Call.WokenBySent) = (null, 0);
        if (waker is null && world.Cause is { } cause)
            (Call.WokenBy, Call.WokenByProcess, Call.WokenByWorld, Call.WokenBySent) = (cause.Sequence, cause.Process, cause.World, cause.Sent);
        world.Enqueue(this);
    }

    /// <summary>Holds the call up until a time; that is no wait of its own.</summary>
    internal void Hold(long until)
    {
        State = ThreadState.Parked;
        ContextSwitches++;
        _deadline = Process.World.Schedule(until, Wake);
    }

    internal void LeaveSources()
    {
        foreach (Source source in _waitsFor)
            source.Detach(_listener);
        _waitsFor.Clear();
        _deadline?.Cancel();
        _deadline = null;
    }

    private sealed class Listener(GuestThread thread) : ISourceListener
    {
        public void OnPulse(Source source, Readiness edges) => thread.Wake();
    }
}
