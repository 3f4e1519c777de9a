using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>ioctl_userfaultfd(2): which ranges are watched, guarded, and whose waiters go on.</summary>
internal static class UserFaultRanges
{
    private const ulong ModeMissing = 1, ModeGuard = 2, ModeMinor = 4;

    /// <summary>WAKE, COPY, ZEROPAGE, MOVE, WRITEPROTECT, CONTINUE, POISON.</summary>
    internal const ulong RangeRequests = 0x1FC;
    private const ulong GuardRequest = 1 << 6, ShowRequest = 1 << 7;

    private const ulong Lowest = 0x10000, UserEnd = 0x7FFF_FFFF_F000;

    /// <summary>EINVAL for what is no range of user pages (validate_range in fs/userfaultfd.c).</summary>
    internal static bool IsRange(ulong start, ulong length) =>
        start % GuestAddress.PageSize == 0 && length % GuestAddress.PageSize == 0 && length != 0 && start is >= Lowest and < UserEnd && length <= UserEnd - start;

    public static CallResult Register(CallContext call, FaultMonitor monitor, GuestAddress argument)
    {
        if (!call.Memory.TryRead(argument, out UffdioRange range) || !call.Memory.TryRead(argument + 16, out ulong mode))
            return Errno.EFAULT;
        if (mode == 0 || (mode & ~(ModeMissing | ModeGuard | ModeMinor)) != 0 || !IsRange(range.Start, range.Len))
            return Errno.EINVAL;
        if (monitor.Memory.IsGone)
            return Errno.ENOMEM;
        Errno error = CheckRegistration(monitor, range, mode);
        if (error != Errno.None)
            return error;
        Monitored modes = ((mode & ModeMissing) != 0 ? Monitored.Missing : 0) | ((mode & ModeGuard) != 0 ? Monitored.Guarded : 0) | ((mode & ModeMinor) != 0 ? Monitored.Minor : 0);
        MapStatus status = monitor.Memory.Watch(new GuestAddress(range.Start), range.Len, monitor, modes);
        if (status != MapStatus.Ok)
            return MemoryCalls.ToErrno(status);
        ulong requests = RangeRequests & ~((mode & ModeGuard) == 0 ? GuardRequest : 0) & ~((mode & ModeMinor) == 0 ? ShowRequest : 0);
        return call.Memory.TryWrite(argument + 24, requests) ? 0 : Errno.EFAULT;
    }

    private static Errno CheckRegistration(FaultMonitor monitor, UffdioRange range, ulong mode)
    {
        bool isAny = false;
        GuestAddress end = new(range.Start + range.Len);
        for (GuestAddress at = new(range.Start); at < end;)
        {
            bool isMapped = monitor.Memory.TryFindMonitored(at, out MonitoredArea area);
            at = area.End;
            if (!isMapped)
                continue;
            isAny = true;
            if (!CanBeWatched(monitor, area, mode))
                return Errno.EINVAL;
            if (!area.MayBeWritten)
                return Errno.EPERM;
            if (area.Monitor is not null && area.Monitor != monitor)
                return Errno.EBUSY;
        }
        return isAny ? Errno.None : Errno.EINVAL;
    }

    /// <summary>Anonymous memory and memory files (vma_can_userfault in linux/userfaultfd_k.h).</summary>
    private static bool CanBeWatched(FaultMonitor monitor, in MonitoredArea area, ulong mode)
    {
        if ((mode & ModeMinor) != 0 && !area.IsMemoryFile)
            return false;
        return (mode == ModeGuard && monitor.ReleasesGuards) || area.IsAnonymous || area.IsMemoryFile;
    }

    public static CallResult Unregister(CallContext call, FaultMonitor monitor, GuestAddress argument)
    {
        if (!call.Memory.TryRead(argument, out UffdioRange range))
            return Errno.EFAULT;
        if (!IsRange(range.Start, range.Len))
            return Errno.EINVAL;
        if (monitor.Memory.IsGone)
            return Errno.ENOMEM;
        bool isAny = false;
        GuestAddress end = new(range.Start + range.Len);
        for (GuestAddress at = new(range.Start); at < end;)
        {
            bool isMapped = monitor.Memory.TryFindMonitored(at, out MonitoredArea area);
            at = area.End;
            isAny |= isMapped;
            if (isMapped && (!CanBeWatched(monitor, area, ModeMissing) || (area.Monitor is not null && area.Monitor != monitor)))
                return Errno.EINVAL;
        }
        if (!isAny)
            return Errno.EINVAL;
        monitor.Memory.Unwatch(new GuestAddress(range.Start), range.Len);
        monitor.Wake(range.Start, range.Len);
        return 0;
    }

    public static CallResult Wake(CallContext call, FaultMonitor monitor, GuestAddress argument)
    {
        if (!call.Memory.TryRead(argument, out UffdioRange range))
            return Errno.EFAULT;
        if (!IsRange(range.Start, range.Len))
            return Errno.EINVAL;
        monitor.Wake(range.Start, range.Len);
        return 0;
    }

    /// <summary>UFFDIO_WRITEPROTECT: the watched mappings before one that is not are guarded, then ENOENT.</summary>
    public static CallResult Guard(CallContext call, FaultMonitor monitor, GuestAddress argument)
    {
        const ulong guards = 1, dontWake = 2;
        if (monitor.IsBehind)
            return Errno.EAGAIN;
        if (!call.Memory.TryRead(argument, out UffdioRange range) || !call.Memory.TryRead(argument + 16, out ulong mode))
            return Errno.EFAULT;
        if (!IsRange(range.Start, range.Len) || (mode & ~(guards | dontWake)) != 0 || mode == (guards | dontWake))
            return Errno.EINVAL;
        if (monitor.Memory.IsGone)
            return Errno.ESRCH;
        Errno error = Errno.ENOENT;
        GuestAddress end = new(range.Start + range.Len);
        for (GuestAddress at = new(range.Start); at < end;)
        {
            bool isMapped = monitor.Memory.TryFindMonitored(at, out MonitoredArea area);
            GuestAddress last = area.End < end ? area.End : end;
            if (isMapped && (area.Modes & Monitored.Guarded) == 0)
                return Errno.ENOENT;
            if (isMapped)
                monitor.Memory.Guard(at, last, (mode & guards) != 0);
            error = isMapped ? Errno.None : error;
            at = last;
        }
        if (error == Errno.None && mode == 0)
            monitor.Wake(range.Start, range.Len);
        return error;
    }
}
