using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Performance;

/// <summary>What an event counts.</summary>
public enum PerformanceSource : byte
{
    /// <summary>Nanoseconds that the thread ran.</summary>
    TaskClock,

    /// <summary>Pages that came into its memory.</summary>
    PageFaults,

    /// <summary>Times that it gave the processor to others.</summary>
    ContextSwitches,

    /// <summary>What never happens here: migrations between processors, faults that the kernel mends.</summary>
    Never,
}

/// <summary>
/// A counter of what happens to a thread (perf_event_open(2)), a file; it counts while it is enabled and the leader of its group is.
/// Threads that are gone count no more.
/// </summary>
public sealed class PerformanceEvent : OpenFile
{
    private readonly World _world;
    private readonly GuestThread _thread;
    private readonly PerformanceSource _source;
    private readonly Inode _inode;
    private readonly List<PerformanceEvent> _siblings = [];
    private long _counted;
    private long _enabledFor;
    private long _countFrom;
    private long _enabledFrom;
    private bool _isEnabled;
    private bool _isRunning;

    public PerformanceEvent(World world, GuestThread thread, PerformanceSource source, PerformanceEvent? leader, bool isEnabled)
        : base(OpenFlags.ReadWrite)
    {
        (_world, _thread, _source) = (world, thread, source);
        _inode = new AnonymousInode(world, FileKind.Unknown, 0x180);
        Leader = leader ?? this;
        Leader._siblings.Add(this);
        Leader.Closed += OnLeaderGone;
        Id = world.NewObjectNumber();
        _isEnabled = isEnabled;
        thread.Events.Add(this);
        Update();
    }

    /// <summary>The first of its group; itself when it leads.</summary>
    public PerformanceEvent Leader { get; private set; }

    public GuestThread Thread => _thread;

    public ulong Id { get; }

    /// <summary>PERF_FORMAT_ bits, which say what reading tells.</summary>
    public ulong Format { get; init; }

    /// <summary>It is enabled when the thread executes a program.</summary>
    public bool StartsAtExecution { get; set; }

    public override Inode Inode => _inode;

    public override string Description => "anon_inode:[perf_event]";

    /// <summary>The group, the leader first.</summary>
    public IReadOnlyList<PerformanceEvent> Group => Leader._siblings;

    public long Count => _counted + (_isRunning ? Now() - _countFrom : 0);

    /// <summary>Nanoseconds that it was enabled while the thread ran; it always runs then.</summary>
    public long EnabledFor => _enabledFor + (_isRunning ? RunTime() - _enabledFrom : 0);

    public override Readiness Poll() => _thread.IsAlive ? Readiness.None : Readiness.HangUp;

    public void Enable(bool isEnabled)
    {
        _isEnabled = isEnabled;
        foreach (PerformanceEvent member in Leader == this ? _siblings : [this])
            member.Update();
    }

    public void Reset()
    {
        _counted = 0;
        _countFrom = Now();
    }

    internal void OnExecution()
    {
        if (StartsAtExecution)
            Enable(true);
    }

    protected override void OnLastClose()
    {
        _thread.Events.Remove(this);
        if (Leader != this)
            Leader._siblings.Remove(this);
    }

    /// <summary>A group without its leader falls apart into single events.</summary>
    private void OnLeaderGone()
    {
        if (Leader == this)
            return;
        Leader = this;
        _siblings.Clear();
        _siblings.Add(this);
        Update();
    }

    private void Update()
    {
        bool runs = _isEnabled && Leader._isEnabled;
        if (runs == _isRunning)
            return;
        if (runs)
        {
            (_countFrom, _enabledFrom) = (Now(), RunTime());
        }
        else
        {
            _counted += Now() - _countFrom;
            _enabledFor += RunTime() - _enabledFrom;
        }
        _isRunning = runs;
    }

    private long RunTime() => (long)(_thread.Cpu.Instructions + _thread.SystemTime);

    private long Now() => _source switch
    {
        PerformanceSource.TaskClock => RunTime(),
        PerformanceSource.ContextSwitches => (long)_thread.ContextSwitches,
        PerformanceSource.PageFaults => _thread.IsAlive ? (long)(_thread.Process.Memory.ResidentBytes() / Memory.GuestAddress.PageSize) : _counted + _countFrom,
        _ => 0,
    };
}
