using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>What a monitor asks for (userfaultfd(2), "UFFD_FEATURE_").</summary>
[Flags]
public enum MonitorFeatures : uint
{
    None = 0,
    TellsForks = 1 << 0,
    TellsMoves = 1 << 1,
    TellsRemovals = 1 << 2,
    TellsUnmapping = 1 << 3,

    /// <summary>Faults are bus errors; nobody waits.</summary>
    RaisesSignals = 1 << 4,
    TellsThreads = 1 << 5,
    TellsExactAddresses = 1 << 6,
    GuardsUnpopulated = 1 << 7,
    ReleasesGuards = 1 << 8,
}

/// <summary>A thread that waits at a page.</summary>
public sealed class FaultWaiter(GuestThread thread, MemoryFault fault)
{
    public GuestThread Thread => thread;

    public MemoryFault Fault => fault;

    /// <summary>Pulses when the access may be tried again.</summary>
    public Source Source { get; } = new();
}

/// <summary>What a monitor is told besides faults; who caused it waits until it is read.</summary>
public sealed class MonitorEvent(MonitorEventKind kind, ulong from, ulong to, ulong length)
{
    public MonitorEventKind Kind => kind;

    public ulong From => from;

    public ulong To => to;

    public ulong Length => length;

    /// <summary>Of a fork: the monitor of the child's memory.</summary>
    public FaultMonitor? Child { get; init; }

    public bool IsRead { get; internal set; }

    public Source Source { get; } = new();
}

public enum MonitorEventKind : byte
{
    Fork,
    Moved,
    Removed,
    Unmapped,
}

/// <summary>Writes one message; false when that cannot be done now.</summary>
public interface IMonitorFormat
{
    int MessageSize { get; }

    /// <summary>What /proc/PID/fdinfo tells.</summary>
    string Describe(FaultMonitor monitor);

    void WriteFault(FaultMonitor monitor, FaultWaiter waiter, Span<byte> message);

    /// <summary>A fork's brings a descriptor for the child's monitor into the reader's table.</summary>
    Errno WriteEvent(CallContext call, MonitorEvent told, Span<byte> message);
}

/// <summary>A descriptor that tells of the faults of an address space's ranges, which whoever reads it resolves (userfaultfd(2)).</summary>
public sealed class FaultMonitor : OpenFile, IFaultMonitor
{
    private readonly World _world;
    private readonly Inode _inode;
    private readonly IMonitorFormat _format;
    private readonly List<FaultWaiter> _pending = [];
    private readonly List<FaultWaiter> _told = [];
    private readonly List<MonitorEvent> _events = [];

    public FaultMonitor(World world, AddressSpace memory, bool isUserOnly, IMonitorFormat format, OpenFlags flags)
        : base(flags | OpenFlags.Read)
    {
        _world = world;
        _inode = new AnonymousInode(world, FileKind.Unknown, 0x180);
        _format = format;
        Memory = memory;
        IsUserOnly = isUserOnly;
    }

    /// <summary>The address space of its maker.</summary>
    public AddressSpace Memory { get; }

    /// <summary>Accesses of the kernel's are not its own: they fail.</summary>
    public bool IsUserOnly { get; }

    /// <summary>Its descriptors, those that a fork brings included, do not outlive execve(2).</summary>
    public bool IsClosedOnExecution { get; init; }

    /// <summary>Null until the two sides agreed on a version.</summary>
    public MonitorFeatures? Features { get; set; }

    /// <summary>What was asked for, in the personality's bits, for those who look.</summary>
    public ulong AskedFeatures { get; set; }

    /// <summary>Its memory changes until its reader has heard of it: pages cannot be given now (EAGAIN).</summary>
    public bool IsBehind => _events.Count > 0;

    public bool FollowsMoves => Has(MonitorFeatures.TellsMoves);

    public bool FollowsForks => Has(MonitorFeatures.TellsForks);

    public bool HearsOfUnmapping => Has(MonitorFeatures.TellsUnmapping);

    public bool GuardsUnpopulated => Has(MonitorFeatures.GuardsUnpopulated);

    public bool ReleasesGuards => Has(MonitorFeatures.ReleasesGuards);

    public override Inode Inode => _inode;

    public override string Description => "anon_inode:[userfaultfd]";

    public override string Information => _format.Describe(this);

    public override bool IgnoresSeek => true;

    public bool Has(MonitorFeatures feature) => Features is { } features && (features & feature) != 0;

    /// <summary>Waiters not read yet, and all of them.</summary>
    public (int Pending, int Total) Waiters
    {
        get
        {
            Prune();
            return (_pending.Count, _pending.Count + _told.Count);
        }
    }

    /// <summary>A thread waits at a page from now on.</summary>
    public FaultWaiter Add(GuestThread thread, in MemoryFault fault)
    {
        var waiter = new FaultWaiter(thread, fault);
        _pending.Add(waiter);
        Source.Pulse(Readiness.In);
        return waiter;
    }

    /// <summary>It does not any more.</summary>
    public void Remove(FaultWaiter waiter)
    {
        if (!_pending.Remove(waiter))
            _told.Remove(waiter);
    }

    /// <summary>Lets those who wait at the pages of a range try again; all for a length of 0.</summary>
    public void Wake(ulong start, ulong length)
    {
        Wake(_pending, start, length);
        Wake(_told, start, length);
    }

    private static void Wake(List<FaultWaiter> waiters, ulong start, ulong length)
    {
        for (int i = waiters.Count - 1; i >= 0; i--)
        {
            FaultWaiter waiter = waiters[i];
            if (length != 0 && waiter.Fault.Address.PageDown.Value - start >= length)
                continue;
            waiters.RemoveAt(i);
            waiter.Source.Pulse();
        }
    }

    /// <summary>Tells of something that its maker waits to be read.</summary>
    public MonitorEvent Tell(MonitorEvent told)
    {
        _events.Add(told);
        Source.Pulse(Readiness.In);
        return told;
    }

    public override Readiness Poll()
    {
        // Only who would not block can wait for it (userfaultfd_poll in fs/userfaultfd.c).
        if (Features is null || !IsNonBlocking)
            return Readiness.Error;
        Prune();
        return _pending.Count > 0 || _events.Count > 0 ? Readiness.In : Readiness.None;
    }

    public override IoResult Read(CallContext call, Span<byte> destination)
    {
        if (Features is null)
            return Errno.EINVAL;
        int size = _format.MessageSize, done = 0;
        Prune();
        while (true)
        {
            if (destination.Length - done < size)
                return done > 0 ? done : Errno.EINVAL;
            Span<byte> message = destination.Slice(done, size);
            Errno error = Take(call, message);
            if (error != Errno.None)
                return done > 0 ? done : error;
            done += size;
        }
    }

    /// <summary>Faults go before events.</summary>
    private Errno Take(CallContext call, Span<byte> message)
    {
        message.Clear();
        if (_pending.Count > 0)
        {
            FaultWaiter waiter = _pending[0];
            _pending.RemoveAt(0);
            _told.Add(waiter);
            _format.WriteFault(this, waiter, message);
            return Errno.None;
        }
        if (_events.Count == 0)
            return Errno.EAGAIN;
        MonitorEvent told = _events[0];
        Errno error = _format.WriteEvent(call, told, message);
        if (error == Errno.None)
            Finish(told);
        return error;
    }

    private void Finish(MonitorEvent told)
    {
        _events.Remove(told);
        told.IsRead = true;
        told.Source.Pulse();
    }

    private void Prune()
    {
        _pending.RemoveAll(static waiter => !waiter.Thread.IsAlive);
        _told.RemoveAll(static waiter => !waiter.Thread.IsAlive);
    }

    /// <summary>Its ranges are like any others again.</summary>
    protected override void OnLastClose()
    {
        Memory.Unwatch(this);
        Wake(0, 0);
        while (_events.Count > 0)
        {
            // A child's monitor that nobody got goes with this.
            _events[0].Child?.Release();
            Finish(_events[0]);
        }
    }

    /// <summary>The monitor of a fork's copy.</summary>
    internal FaultMonitor CopyFor(AddressSpace memory) => new(_world, memory, IsUserOnly, _format, Flags)
    {
        Features = Features, AskedFeatures = AskedFeatures, IsClosedOnExecution = IsClosedOnExecution,
    };
}
