using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.FreeBsd.Umtx;

/// <summary>Condition variables in memory (struct ucond): whether somebody waits, flags, a clock.</summary>
internal static class UmtxCondition
{
    private const ulong FlagsOffset = 4, ClockOffset = 8;

    /// <summary>Unlocks the mutex and waits; the mutex is the caller's to lock again.</summary>
    public static CallResult Wait(CallContext call, GuestAddress condition, ulong how, GuestAddress mutex, GuestAddress timeout)
    {
        if (!TryFind(call, condition, out (object, ulong) key))
            return Errno.EFAULT;
        Slept slept = UmtxWait.Resume(call);
        if (slept == Slept.NotYet)
            return Begin(call, condition, key, how, mutex, timeout);
        if (slept == Slept.Still)
            return UmtxWait.Continue(call);
        if (slept == Slept.Woken)
            return CallResult.Ok();
        LeaveAlone(call, condition, key);
        return UmtxWait.Failed(call, slept);
    }

    private static CallResult Begin(CallContext call, GuestAddress condition, (object, ulong) key, ulong how, GuestAddress mutex, GuestAddress timeout)
    {
        const ulong isAbsolute = 2, hasClock = 4;
        const int threadClock = 14;
        int clock = 0;
        if ((how & hasClock) != 0 && !call.Memory.TryRead(condition + ClockOffset, out clock))
            return Errno.EFAULT;
        Errno error = clock is < 0 or >= threadClock ? Errno.EINVAL : Errno.None;
        if (error == Errno.None && !timeout.IsNull)
            error = UmtxWait.SetLimit(call, timeout, clock, (how & isAbsolute) != 0);
        if (error != Errno.None)
            return error;
        if (!call.Memory.TryWrite(condition, 1u))
            return Errno.EFAULT;
        error = UmtxMutex.Unlock(call.Thread, mutex);
        if (error == Errno.None && call.DeadlinePassed)
            error = Errno.ETIMEDOUT;
        if (error == Errno.None)
            return UmtxWait.Sleep(call, key, UmtxQueue.Condition);
        LeaveAlone(call, condition, key);
        return error;
    }

    /// <summary>The last that gives up says that nobody waits.</summary>
    private static void LeaveAlone(CallContext call, GuestAddress condition, (object, ulong) key)
    {
        if (UmtxWait.Count(call.Thread, key, UmtxQueue.Condition) == 0)
            call.Memory.TryWrite(condition, 0u);
    }

    public static CallResult Signal(CallContext call, GuestAddress condition, int count)
    {
        if (!TryFind(call, condition, out (object, ulong) key))
            return Errno.EFAULT;
        int waiting = UmtxWait.Count(call.Thread, key, UmtxQueue.Condition);
        int woken = UmtxWait.Wake(call.Thread, key, UmtxQueue.Condition, count);
        return waiting > woken || call.Memory.TryWrite(condition, 0u) ? CallResult.Ok() : Errno.EFAULT;
    }

    private static bool TryFind(CallContext call, GuestAddress condition, out (object Key, ulong Offset) key)
    {
        key = default;
        if (!call.Memory.TryRead(condition + FlagsOffset, out uint flags) || UmtxWait.Key(call.Thread, condition, flags) is not { } found)
            return false;
        key = found;
        return true;
    }
}
