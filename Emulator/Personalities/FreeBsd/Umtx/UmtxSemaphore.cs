using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.FreeBsd.Umtx;

/// <summary>Semaphores in memory: their count is counted down without the kernel, which is asked when it is 0.</summary>
internal static class UmtxSemaphore
{
    /// <summary>Of struct _usem2's count.</summary>
    private const uint HasWaiters = 0x8000_0000;

    /// <summary>Where struct _usem2 has its flags; struct _usem has a word for waiters before the count.</summary>
    private const ulong FlagsOffset = 4, OldCountOffset = 4, OldFlagsOffset = 8;

    private const ulong TimeSize = 24;

    /// <summary>Waits until the count is not 0. A wait for a span of time that a signal ends tells what is left, where there is room.</summary>
    public static CallResult Wait(CallContext call, GuestAddress semaphore, GuestAddress size, GuestAddress timeout)
    {
        Errno error = UmtxWait.SetLimit(call, size, timeout);
        if (error != Errno.None)
            return error;
        if (!TryFind(call, semaphore, FlagsOffset, out (object, ulong) key) || !call.Memory.TryRead(semaphore, out uint count))
            return Errno.EFAULT;
        bool isRelative = !timeout.IsNull && !IsAbsolute(call, size, timeout);
        RestartKind restart = isRelative ? RestartKind.Never : RestartKind.IfHandlerAllows;
        Slept slept = UmtxWait.Resume(call);
        if (slept == Slept.Still)
            return UmtxWait.Continue(call, restart);
        if (slept == Slept.Woken || (slept == Slept.NotYet && (count & ~HasWaiters) != 0))
            return CallResult.Ok();
        if (slept == Slept.NotYet)
            return call.Memory.TryWrite(semaphore, HasWaiters) ? UmtxWait.Sleep(call, key, UmtxQueue.Semaphore, restart) : Errno.EFAULT;
        if (slept == Slept.Interrupted && isRelative && size.Value >= TimeSize + 16 && !TellRest(call, timeout + TimeSize))
            return Errno.EFAULT;
        return UmtxWait.Failed(call, slept, restart);
    }

    private static bool IsAbsolute(CallContext call, GuestAddress size, GuestAddress timeout) =>
        size.Value > 16 && call.Memory.TryRead(timeout + 16, out uint flags) && (flags & 1) != 0;

    private static bool TellRest(CallContext call, GuestAddress at)
    {
        long rest = Math.Max(0, call.Deadline!.Value - call.World.Clock.Monotonic);
        return call.Memory.TryWrite(at, rest / 1_000_000_000) && call.Memory.TryWrite(at + 8, rest % 1_000_000_000);
    }

    public static CallResult Wake(CallContext call, GuestAddress semaphore)
    {
        if (!TryFind(call, semaphore, FlagsOffset, out (object, ulong) key))
            return Errno.EFAULT;
        int waiting = UmtxWait.Count(call.Thread, key, UmtxQueue.Semaphore);
        bool isWritten = waiting != 1 || (call.Memory.TryRead(semaphore, out uint count) && call.Memory.TryWrite(semaphore, count & ~HasWaiters));
        UmtxWait.Wake(call.Thread, key, UmtxQueue.Semaphore, 1);
        return isWritten ? CallResult.Ok() : Errno.EFAULT;
    }

    /// <summary>UMTX_OP_SEM_WAIT of programs built before FreeBSD 11.</summary>
    public static CallResult WaitOld(CallContext call, GuestAddress semaphore, GuestAddress size, GuestAddress timeout)
    {
        Errno error = UmtxWait.SetLimit(call, size, timeout);
        if (error != Errno.None)
            return error;
        if (!TryFind(call, semaphore, OldFlagsOffset, out (object, ulong) key))
            return Errno.EFAULT;
        RestartKind restart = timeout.IsNull || IsAbsolute(call, size, timeout) ? RestartKind.IfHandlerAllows : RestartKind.Never;
        Slept slept = UmtxWait.Resume(call);
        if (slept == Slept.Still)
            return UmtxWait.Continue(call, restart);
        if (slept != Slept.NotYet)
            return slept == Slept.Woken ? CallResult.Ok() : UmtxWait.Failed(call, slept, restart);
        if (!call.Memory.TryRead(semaphore + OldCountOffset, out uint count))
            return Errno.EFAULT;
        if (count != 0)
            return CallResult.Ok();
        return call.Memory.TryWrite(semaphore, 1u) ? UmtxWait.Sleep(call, key, UmtxQueue.Semaphore, restart) : Errno.EFAULT;
    }

    public static CallResult WakeOld(CallContext call, GuestAddress semaphore)
    {
        if (!TryFind(call, semaphore, OldFlagsOffset, out (object, ulong) key))
            return Errno.EFAULT;
        bool isWritten = UmtxWait.Count(call.Thread, key, UmtxQueue.Semaphore) != 1 || call.Memory.TryWrite(semaphore, 0u);
        UmtxWait.Wake(call.Thread, key, UmtxQueue.Semaphore, 1);
        return isWritten ? CallResult.Ok() : Errno.EFAULT;
    }

    private static bool TryFind(CallContext call, GuestAddress semaphore, ulong flagsOffset, out (object Key, ulong Offset) key)
    {
        key = default;
        if (!call.Memory.TryRead(semaphore + flagsOffset, out uint flags) || UmtxWait.Key(call.Thread, semaphore, flags) is not { } found)
            return false;
        key = found;
        return true;
    }
}
