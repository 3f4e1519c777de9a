using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>Pages that somebody in the world gives (userfaultfd(2)): who touches them waits.</summary>
public sealed partial class World
{
    private static bool IsMonitored(FaultKind kind) => kind is FaultKind.MissingPage or FaultKind.MinorPage or FaultKind.GuardedPage;

    /// <summary>A thread's own access; a bus error where the monitor wants that.</summary>
    private void WaitAtPage(GuestThread thread, in EngineExit exit)
    {
        if (thread.Process.Memory.MonitorOf(exit.Fault.Address) is not FaultMonitor monitor)
            return;
        if (monitor.Has(MonitorFeatures.RaisesSignals))
        {
            MemoryFault fault = exit.Fault with { Kind = FaultKind.BeyondEnd };
            ForceSignal(thread, thread.Process.Personality.FaultSignal(thread, new EngineExit(ExitReason.MemoryFault, fault)));
            return;
        }
        thread.WaitAtPage(monitor, exit.Fault);
    }

    /// <summary>An access of a call's that a monitor held up: the call is run again when the page may be there.</summary>
    private static bool WaitsAtPage(GuestThread thread, in CallResult result)
    {
        if (thread.Process.Memory.TakeHeldUp() is not { } fault || result.Outcome != CallOutcome.Error || result.Error != Errno.EFAULT || !IsMonitored(fault.Kind))
            return false;
        if (thread.Process.Memory.MonitorOf(fault.Address) is not FaultMonitor { IsUserOnly: false } monitor || monitor.Has(MonitorFeatures.RaisesSignals))
            return false;
        thread.WaitAtPage(monitor, fault);
        return true;
    }

    /// <summary>A call that changed monitored memory is done when those who watch have heard of it.</summary>
    private static bool WaitsForReaders(GuestThread thread, in CallResult result)
    {
        foreach (MonitorNotice notice in thread.Process.Memory.TakeNotices())
        {
            MonitorEventKind kind = notice.Kind == MonitorNoticeKind.Moved ? MonitorEventKind.Moved : MonitorEventKind.Unmapped;
            thread.Untold.Add(((FaultMonitor)notice.Monitor).Tell(new MonitorEvent(kind, notice.From, notice.To, notice.Length)));
        }
        if (thread.IsTold)
            return false;
        thread.HeldResult = result;
        thread.WaitUntilTold();
        return true;
    }
}

/// <summary>Waiting at pages.</summary>
public sealed partial class GuestThread
{
    private FaultMonitor? _faultMonitor;
    private FaultWaiter? _faultWaiter;

    /// <summary>What the call under way told monitors, and they have not read yet.</summary>
    internal List<MonitorEvent> Untold { get; } = [];

    /// <summary>What the call came to, while it waits for that.</summary>
    internal CallResult? HeldResult { get; set; }

    internal bool IsTold
    {
        get
        {
            Untold.RemoveAll(static told => told.IsRead);
            return Untold.Count == 0;
        }
    }

    internal void WaitUntilTold() => ParkAt(Untold[0].Source);

    internal void WaitAtPage(FaultMonitor monitor, in MemoryFault fault)
    {
        _faultMonitor = monitor;
        _faultWaiter = monitor.Add(this, fault);
        ParkAt(_faultWaiter.Source);
    }

    /// <summary>It goes on, for whatever reason.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void LeavePage()
    {
        if (_faultWaiter is not null)
            LeaveMonitor(_faultWaiter);
    }

    private void LeaveMonitor(FaultWaiter waiter)
    {
        _faultMonitor!.Remove(waiter);
        (_faultMonitor, _faultWaiter) = (null, null);
    }

    private void ParkAt(Source source)
    {
        State = ThreadState.Parked;
        ContextSwitches++;
        source.Attach(_listener);
        _waitsFor.Add(source);
    }
}
