using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>userfaultfd(2) as a view of <see cref="FaultMonitor"/>.</summary>
public static class UserFaultCalls
{
    private const uint NonBlocking = 0x800, CloseOnExec = 0x80000, UserModeOnly = 1;

    // UFFD_FEATURE_ bits, in their order: the kinds of pages are all there.
    private const ulong EventFork = 1 << 1, EventRemap = 1 << 2, EventRemove = 1 << 3, EventUnmap = 1 << 6, Signals = 1 << 7, ThreadId = 1 << 8, ExactAddress = 1 << 11;
    private const ulong GuardUnpopulated = 1 << 13, GuardAsynchronous = 1 << 15;

    internal const ulong Version = 0xAA, AllFeatures = 0x1FFFF;

    /// <summary>API, REGISTER and UNREGISTER.</summary>
    private const ulong Requests = 1ul << 0x3F | 1 << 0 | 1 << 1;

    public static CallResult Userfaultfd(CallContext call, uint flags)
    {
        bool mayAll = (flags & UserModeOnly) != 0 || call.World.Settings.UnprivilegedMonitors.Value != 0 || call.Thread.Credentials.Has(Capability.Trace);
        return mayAll ? Make(call, flags) : Errno.EPERM;
    }

    /// <summary>USERFAULTFD_IOC_NEW of /dev/userfaultfd: who could open it may.</summary>
    internal static CallResult ControlDevice(CallContext call, uint request, ulong argument)
    {
        const uint newMonitor = 0xAA00;
        return request == newMonitor ? Make(call, (uint)argument) : Errno.EINVAL;
    }

    private static CallResult Make(CallContext call, uint flags)
    {
        if ((flags & ~(NonBlocking | CloseOnExec | UserModeOnly)) != 0)
            return Errno.EINVAL;
        OpenFlags status = (flags & NonBlocking) != 0 ? OpenFlags.NonBlocking : OpenFlags.None;
        var monitor = new FaultMonitor(call.World, call.Memory, (flags & UserModeOnly) != 0, UserFaultMessages.Format, status)
        {
            IsClosedOnExecution = (flags & CloseOnExec) != 0,
        };
        return PipeCalls.Install(call, monitor, monitor.IsClosedOnExecution);
    }

    internal static CallResult Control(CallContext call, FaultMonitor monitor, uint request, GuestAddress argument)
    {
        const uint api = 0xC018AA3F, register = 0xC020AA00, unregister = 0x8010AA01, wake = 0x8010AA02, copy = 0xC028AA03, zero = 0xC020AA04, move = 0xC028AA05;
        const uint guard = 0xC018AA06, show = 0xC020AA07, poison = 0xC020AA08;
        if (request == api)
            return Agree(call, monitor, argument);
        if (monitor.Features is null)
            return Errno.EINVAL;
        return request switch
        {
            register => UserFaultRanges.Register(call, monitor, argument),
            unregister => UserFaultRanges.Unregister(call, monitor, argument),
            wake => UserFaultRanges.Wake(call, monitor, argument),
            copy => UserFaultFills.Copy(call, monitor, argument),
            zero => UserFaultFills.Zero(call, monitor, argument),
            move => UserFaultFills.Move(call, monitor, argument),
            guard => UserFaultRanges.Guard(call, monitor, argument),
            show => UserFaultFills.Continue(call, monitor, argument),
            poison => UserFaultFills.Poison(call, monitor, argument),
            _ => Errno.EINVAL,
        };
    }

    /// <summary>UFFDIO_API: all that there is is told, what was asked for is used. A refusal clears the structure.</summary>
    private static CallResult Agree(CallContext call, FaultMonitor monitor, GuestAddress argument)
    {
        if (!call.Memory.TryRead(argument, out UffdioApi wanted))
            return Errno.EFAULT;
        Errno error = wanted.Api != Version ? Errno.EINVAL
            : (wanted.Features & EventFork) != 0 && !call.Thread.Credentials.Has(Capability.Trace) ? Errno.EPERM
            : (wanted.Features & ~AllFeatures) != 0 ? Errno.EINVAL : Errno.None;
        if (error == Errno.None)
        {
            if (!call.Memory.TryWrite(argument, new UffdioApi { Api = Version, Features = AllFeatures, Ioctls = Requests }))
                return Errno.EFAULT;
            if (monitor.Features is null)
            {
                monitor.Features = FeaturesOf(wanted.Features);
                monitor.AskedFeatures = wanted.Features;
                return 0;
            }
            error = Errno.EINVAL;
        }
        return call.Memory.TryWrite(argument, default(UffdioApi)) ? error : Errno.EFAULT;
    }

    private static MonitorFeatures FeaturesOf(ulong asked)
    {
        MonitorFeatures Of(ulong bits, MonitorFeatures feature) => (asked & bits) != 0 ? feature : MonitorFeatures.None;
        return Of(EventFork, MonitorFeatures.TellsForks) | Of(EventRemap, MonitorFeatures.TellsMoves) | Of(EventRemove, MonitorFeatures.TellsRemovals)
            | Of(EventUnmap, MonitorFeatures.TellsUnmapping) | Of(Signals, MonitorFeatures.RaisesSignals) | Of(ThreadId, MonitorFeatures.TellsThreads)
            | Of(ExactAddress, MonitorFeatures.TellsExactAddresses) | Of(GuardUnpopulated | GuardAsynchronous, MonitorFeatures.GuardsUnpopulated)
            | Of(GuardAsynchronous, MonitorFeatures.ReleasesGuards);
    }

    /// <summary>Monitors that want to know of it hear of pages that go before they do (MADV_DONTNEED, MADV_REMOVE); null when all have.</summary>
    internal static CallResult? TellRemoval(CallContext call, GuestAddress start, ulong length)
    {
        if (!call.Memory.HasMonitors)
            return null;
        var told = call.State as List<MonitorEvent>;
        if (told is null)
        {
            call.State = told = [];
            GuestAddress end = start + length;
            for (GuestAddress at = start; at < end;)
            {
                bool isMapped = call.Memory.TryFindMonitored(at, out MonitoredArea area);
                GuestAddress last = area.End < end ? area.End : end;
                if (isMapped && area.Monitor is FaultMonitor monitor && monitor.Has(MonitorFeatures.TellsRemovals))
                    told.Add(monitor.Tell(new MonitorEvent(MonitorEventKind.Removed, at.Value, last.Value, last.Value - at.Value)));
                at = last;
            }
        }
        told.RemoveAll(static one => one.IsRead);
        if (told.Count == 0)
            return null;
        // Not even a signal ends that.
        bool wasInterrupted = call.Interrupted;
        call.Interrupted = false;
        CallResult result = call.Wait(told[0].Source);
        call.Interrupted = wasInterrupted;
        return result;
    }

    /// <summary>The lines of /proc/PID/fdinfo.</summary>
    internal static string Describe(FaultMonitor monitor)
    {
        (int pending, int total) = monitor.Waiters;
        return FormattableString.Invariant($"pending:\t{pending}\ntotal:\t{total}\nAPI:\t{Version:x}:{monitor.AskedFeatures:x}:{AllFeatures | Requests | UserFaultRanges.RangeRequests:x}\n");
    }
}

/// <summary>struct uffd_msg.</summary>
internal sealed class UserFaultMessages : IMonitorFormat
{
    public static UserFaultMessages Format { get; } = new();

    public int MessageSize => Marshal.SizeOf<UffdMessage>();

    public string Describe(FaultMonitor monitor) => UserFaultCalls.Describe(monitor);

    public void WriteFault(FaultMonitor monitor, FaultWaiter waiter, Span<byte> message)
    {
        const ulong write = 1, guarded = 2, minor = 4;
        ulong address = monitor.Has(MonitorFeatures.TellsExactAddresses) ? waiter.Fault.Address.Value : waiter.Fault.Address.PageDown.Value;
        ulong flags = (waiter.Fault.Access == MemoryAccess.Write ? write : 0)
            | (waiter.Fault.Kind == FaultKind.GuardedPage ? guarded : 0)
            | (waiter.Fault.Kind == FaultKind.MinorPage ? minor : 0);
        ulong thread = monitor.Has(MonitorFeatures.TellsThreads) ? (uint)waiter.Thread.Number : 0;
        Put(message, UffdMessage.PageFault, flags, address, thread);
    }

    public Errno WriteEvent(CallContext call, MonitorEvent told, Span<byte> message)
    {
        switch (told.Kind)
        {
            case MonitorEventKind.Fork:
                Errno error = call.Process.Files.Add(told.Child!, told.Child!.IsClosedOnExecution, out int descriptor);
                if (error != Errno.None)
                    return error;
                Put(message, UffdMessage.Fork, (uint)descriptor, 0, 0);
                break;
            case MonitorEventKind.Moved:
                Put(message, UffdMessage.Remap, told.From, told.To, told.Length);
                break;
            default:
                Put(message, told.Kind == MonitorEventKind.Removed ? UffdMessage.Remove : UffdMessage.Unmap, told.From, told.From + told.Length, 0);
                break;
        }
        return Errno.None;
    }

    private static void Put(Span<byte> message, byte kind, ulong first, ulong second, ulong third)
    {
        var told = new UffdMessage { Event = kind, First = first, Second = second, Third = third };
        MemoryMarshal.Write(message, in told);
    }
}
