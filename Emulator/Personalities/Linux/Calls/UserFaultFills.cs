using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>ioctl_userfaultfd(2): where pages come from. Each request tells in its last member how many bytes it did, or why none.</summary>
internal static class UserFaultFills
{
    private const ulong DontWake = 1, Guarded = 2;

    /// <summary>Does one page at an offset; the errno ends the request.</summary>
    private delegate Errno PageAction(ulong offset);

    public static CallResult Copy(CallContext call, FaultMonitor monitor, GuestAddress argument)
    {
        const ulong result = 32;
        if (monitor.IsBehind)
            return Behind(call, argument + result);
        if (!TryReadCopy(call, argument, out UffdioCopy wanted))
            return Errno.EFAULT;
        if (!UserFaultRanges.IsRange(wanted.Dst, wanted.Len) || wanted.Src + wanted.Len <= wanted.Src || (wanted.Mode & ~(DontWake | Guarded)) != 0)
            return Errno.EINVAL;
        byte[] page = new byte[GuestAddress.PageSize];
        bool guards = (wanted.Mode & Guarded) != 0;
        return Fill(call, monitor, new UffdioRange { Start = wanted.Dst, Len = wanted.Len }, wanted.Mode & DontWake, argument + result, guards ? Monitored.Guarded : Monitored.None, offset =>
        {
            if (!call.Memory.TryRead(new GuestAddress(wanted.Src + offset), page))
                return Errno.EFAULT;
            return ToErrno(monitor.Memory.FillPage(new GuestAddress(wanted.Dst + offset), page, guards));
        });
    }

    public static CallResult Zero(CallContext call, FaultMonitor monitor, GuestAddress argument)
    {
        return FillRange(call, monitor, argument, DontWake, Monitored.None, (page, _) => monitor.Memory.FillPage(page, default, guards: false));
    }

    public static CallResult Continue(CallContext call, FaultMonitor monitor, GuestAddress argument) =>
        FillRange(call, monitor, argument, DontWake | Guarded, Monitored.Minor, (page, mode) => monitor.Memory.ShowPage(page, (mode & Guarded) != 0));

    public static CallResult Poison(CallContext call, FaultMonitor monitor, GuestAddress argument) =>
        FillRange(call, monitor, argument, DontWake, Monitored.None, (page, _) => monitor.Memory.PoisonPage(page));

    /// <summary>UFFDIO_MOVE: pages of private anonymous mappings go to another, watched one.</summary>
    public static CallResult Move(CallContext call, FaultMonitor monitor, GuestAddress argument)
    {
        const ulong result = 32, allowsHoles = 2;
        if (monitor.IsBehind)
            return Behind(call, argument + result);
        if (!TryReadCopy(call, argument, out UffdioCopy wanted))
            return Errno.EFAULT;
        if (monitor.Memory != call.Memory || !UserFaultRanges.IsRange(wanted.Dst, wanted.Len) || !UserFaultRanges.IsRange(wanted.Src, wanted.Len))
            return Errno.EINVAL;
        if ((wanted.Mode & ~(DontWake | allowsHoles)) != 0)
            return Errno.EINVAL;
        AddressSpace memory = monitor.Memory;
        bool isMapped = memory.TryFindMonitored(new GuestAddress(wanted.Dst), out MonitoredArea target) & memory.TryFindMonitored(new GuestAddress(wanted.Src), out MonitoredArea source);
        if (!isMapped)
            return Tell(call, argument + result, Errno.ENOENT);
        bool isFit = target.Monitor == monitor && target.End.Value >= wanted.Dst + wanted.Len && source.End.Value >= wanted.Src + wanted.Len && source is { IsAnonymous: true, IsShared: false } && target is { IsAnonymous: true, IsShared: false }
            && (source.Protection & Protection.Write) != 0 && source.Protection == target.Protection && source.IsLocked == target.IsLocked;
        if (!isFit)
            return Tell(call, argument + result, Errno.EINVAL);
        return Fill(call, monitor, new UffdioRange { Start = wanted.Dst, Len = wanted.Len }, wanted.Mode & DontWake, argument + result, Monitored.None, offset =>
        {
            FillStatus status = memory.MovePage(new GuestAddress(wanted.Src + offset), new GuestAddress(wanted.Dst + offset));
            if (status == FillStatus.NoPage)
                return (wanted.Mode & allowsHoles) != 0 ? Errno.None : Errno.ENOENT;
            return ToErrno(status);
        });
    }

    /// <summary>Requests of a range, a mode and a result.</summary>
    private static CallResult FillRange(
        CallContext call, FaultMonitor monitor, GuestAddress argument, ulong modes, Monitored needed, Func<GuestAddress, ulong, FillStatus> fill)
    {
        const ulong result = 24;
        if (monitor.IsBehind)
            return Behind(call, argument + result);
        if (!call.Memory.TryRead(argument, out UffdioRange range) || !call.Memory.TryRead(argument + 16, out ulong mode))
            return Errno.EFAULT;
        if (!UserFaultRanges.IsRange(range.Start, range.Len) || (mode & ~modes) != 0)
            return Errno.EINVAL;
        return Fill(call, monitor, range, mode & DontWake, argument + result, needed | ((mode & Guarded) != 0 ? Monitored.Guarded : 0), offset => ToErrno(fill(new GuestAddress(range.Start + offset), mode)));
    }

    private static CallResult Fill(
        CallContext call, FaultMonitor monitor, UffdioRange range, ulong mode, GuestAddress result, Monitored needed, PageAction fill)
    {
        if (monitor.Memory.IsGone)
            return Errno.ESRCH;
        Errno error = CheckTarget(monitor, range, needed);
        ulong done = 0;
        while (error == Errno.None && done < range.Len)
        {
            error = fill(done);
            done += error == Errno.None ? GuestAddress.PageSize : 0;
        }
        if (done == 0)
            return Tell(call, result, error);
        if (!call.Memory.TryWrite(result, (long)done))
            return Errno.EFAULT;
        if ((mode & DontWake) == 0)
            monitor.Wake(range.Start, done);
        return done == range.Len ? 0 : Errno.EAGAIN;
    }

    /// <summary>The range lies in one watched mapping (mfill_atomic in mm/userfaultfd.c).</summary>
    private static Errno CheckTarget(FaultMonitor monitor, UffdioRange range, Monitored needed)
    {
        if (!monitor.Memory.TryFindMonitored(new GuestAddress(range.Start), out MonitoredArea area) || area.Monitor is null || area.End.Value < range.Start + range.Len)
            return Errno.ENOENT;
        if ((needed & ~area.Modes & Monitored.Guarded) != 0)
            return Errno.EINVAL;
        return (needed & Monitored.Minor) != 0 && !area.IsMemoryFile ? Errno.EINVAL : Errno.None;
    }

    private static CallResult Tell(CallContext call, GuestAddress result, Errno error) =>
        call.Memory.TryWrite(result, -(long)error) ? error : Errno.EFAULT;

    private static CallResult Behind(CallContext call, GuestAddress result) => Tell(call, result, Errno.EAGAIN);

    private static bool TryReadCopy(CallContext call, GuestAddress argument, out UffdioCopy wanted)
    {
        wanted = default;
        Span<ulong> words = stackalloc ulong[4];
        if (!call.Memory.TryRead(argument, System.Runtime.InteropServices.MemoryMarshal.AsBytes(words)))
            return false;
        wanted = new UffdioCopy { Dst = words[0], Src = words[1], Len = words[2], Mode = words[3] };
        return true;
    }

    private static Errno ToErrno(FillStatus status) => status switch
    {
        FillStatus.Ok => Errno.None,
        FillStatus.Exists => Errno.EEXIST,
        FillStatus.NoMemory => Errno.ENOMEM,
        _ => Errno.EFAULT,
    };
}
