using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.FreeBsd.Umtx;

/// <summary>
/// Mutexes with a ceiling (UMUTEX_PRIO_PROTECT). A free one always bears the mark: each lock goes through the kernel. Threads here have no
/// real-time priorities (rtprio(2)), so that none is above a ceiling and none is raised to one.
/// </summary>
internal static class UmtxCeiling
{
    /// <summary>RTP_PRIO_MAX.</summary>
    private const uint Highest = 31;

    private const ulong CeilingOffset = 8, FormerCeilingOffset = 12;

    public static CallResult Lock(CallContext call, GuestAddress mutex, (object Key, ulong Offset) key, LockMode mode, RestartKind restart)
    {
        Slept slept = UmtxWait.Resume(call);
        if (slept == Slept.Still)
            return UmtxWait.Continue(call, restart);
        if (!call.Memory.TryRead(mutex + CeilingOffset, out uint ceiling) || !call.Memory.TryRead(mutex, out uint owner))
            return Errno.EFAULT;
        if (ceiling > Highest)
            return Errno.EINVAL;
        if (owner != UmtxMutex.Unowned && UmtxMutex.Take(call, mutex, owner) is { } taken)
            return taken;
        if (mode != LockMode.Wait)
            return Errno.EBUSY;
        if (slept is Slept.TimedOut or Slept.Interrupted)
            return UmtxWait.Failed(call, slept, restart);
        return UmtxWait.Sleep(call, key, UmtxQueue.ProtectedMutex, restart);
    }

    public static Errno Unlock(GuestThread thread, GuestAddress mutex, (object Key, ulong Offset) key, uint free)
    {
        const uint none = uint.MaxValue;
        AddressSpace memory = thread.Process.Memory;
        if (!memory.TryRead(mutex + FormerCeilingOffset, out uint former))
            return Errno.EFAULT;
        if (former is > Highest and not none)
            return Errno.EINVAL;
        if (!memory.TryWrite(mutex, free | UmtxMutex.Contested))
            return Errno.EFAULT;
        UmtxWait.Wake(thread, key, UmtxQueue.ProtectedMutex, 1);
        return Errno.None;
    }

    /// <summary>UMTX_OP_SET_CEILING: of a mutex that is free, or one's own; the former one is told.</summary>
    public static CallResult Set(CallContext call, GuestAddress mutex, ulong ceiling, GuestAddress former)
    {
        if (!UmtxMutex.TryReadFlags(call.Thread, mutex, out uint flags))
            return Errno.EFAULT;
        if ((flags & UmtxMutex.Protects) == 0 || (uint)ceiling > Highest)
            return Errno.EINVAL;
        Slept slept = UmtxWait.Resume(call);
        if (slept == Slept.Still)
            return UmtxWait.Continue(call);
        if (UmtxWait.Key(call.Thread, mutex, flags) is not { } key || !call.Memory.TryRead(mutex + CeilingOffset, out uint before) || !call.Memory.TryRead(mutex, out uint owner))
            return Errno.EFAULT;
        if (owner is UmtxMutex.OwnerDied or UmtxMutex.NotRecoverable)
            return owner == UmtxMutex.OwnerDied ? Errno.EOWNERDEAD : Errno.ENOTRECOVERABLE;
        if (owner != UmtxMutex.Contested && (owner & ~UmtxMutex.Contested) != (uint)FreeBsdThreadId.Of(call.Thread))
            return slept == Slept.Interrupted ? UmtxWait.Failed(call, slept) : UmtxWait.Sleep(call, key, UmtxQueue.ProtectedMutex);
        if (!call.Memory.TryWrite(mutex + CeilingOffset, (uint)ceiling))
            return Errno.EFAULT;
        UmtxWait.Wake(call.Thread, key, UmtxQueue.ProtectedMutex);
        return former.IsNull || call.Memory.TryWrite(former, before) ? CallResult.Ok() : Errno.EFAULT;
    }
}
