using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.FreeBsd.Umtx;

/// <summary>Locks of many readers or one writer in memory (struct urwlock): state, flags, how many of each wait.</summary>
internal static class UmtxReadersWriter
{
    private const uint WriteOwner = 0x8000_0000, WriteWaiters = 0x4000_0000, ReadWaiters = 0x2000_0000, MostReaders = 0x1FFF_FFFF;
    private const uint PrefersReaders = 2;
    private const ulong FlagsOffset = 4, WaitingReadersOffset = 8, WaitingWritersOffset = 12;

    public static CallResult LockForReading(CallContext call, GuestAddress @lock, ulong how, GuestAddress size, GuestAddress timeout)
    {
        Errno error = Begin(call, @lock, size, timeout, out uint flags, out (object, ulong) key);
        if (error != Errno.None || !call.Memory.TryRead(@lock, out uint state))
            return error == Errno.None ? Errno.EFAULT : error;
        uint excluding = ((how | flags) & PrefersReaders) != 0 ? WriteOwner : WriteOwner | WriteWaiters;
        Slept slept = UmtxWait.Resume(call);
        if (slept == Slept.Still)
            return UmtxWait.Continue(call);
        bool isExcluded = (state & excluding) != 0;
        if (slept == Slept.Woken && isExcluded && !call.Interrupted)
            return UmtxWait.Sleep(call, key, UmtxQueue.Readers);
        if (slept != Slept.NotYet && !(TryLeave(call, @lock, WaitingReadersOffset, ReadWaiters, out _) && call.Memory.TryRead(@lock, out state)))
            return Errno.EFAULT;
        if (slept is Slept.TimedOut or Slept.Interrupted || (slept == Slept.Woken && isExcluded))
            return UmtxWait.Failed(call, slept);
        if ((state & excluding) == 0)
        {
            if ((state & MostReaders) == MostReaders)
                return Errno.EAGAIN;
            return call.Memory.TryWrite(@lock, state + 1) ? CallResult.Ok() : Errno.EFAULT;
        }
        return Enter(call, @lock, state | ReadWaiters, WaitingReadersOffset) ? UmtxWait.Sleep(call, key, UmtxQueue.Readers) : Errno.EFAULT;
    }

    public static CallResult LockForWriting(CallContext call, GuestAddress @lock, GuestAddress size, GuestAddress timeout)
    {
        Errno error = Begin(call, @lock, size, timeout, out _, out (object, ulong) key);
        if (error != Errno.None || !call.Memory.TryRead(@lock, out uint state))
            return error == Errno.None ? Errno.EFAULT : error;
        Slept slept = UmtxWait.Resume(call);
        if (slept == Slept.Still)
            return UmtxWait.Continue(call);
        if (slept == Slept.Woken && !IsFree(state) && !call.Interrupted)
            return UmtxWait.Sleep(call, key, UmtxQueue.Writers);
        bool wasLast = false;
        if (slept != Slept.NotYet && !(TryLeave(call, @lock, WaitingWritersOffset, WriteWaiters, out wasLast) && call.Memory.TryRead(@lock, out state)))
            return Errno.EFAULT;
        if (IsFree(state))
            return call.Memory.TryWrite(@lock, state | WriteOwner) ? CallResult.Ok() : Errno.EFAULT;
        if (slept == Slept.NotYet)
            return Enter(call, @lock, state | WriteWaiters, WaitingWritersOffset) ? UmtxWait.Sleep(call, key, UmtxQueue.Writers) : Errno.EFAULT;
        // Readers may have waited for this writer alone.
        if (wasLast && (state & WriteOwner) == 0)
            UmtxWait.Wake(call.Thread, key, UmtxQueue.Readers);
        return UmtxWait.Failed(call, slept);
    }

    /// <summary>EPERM: it is not locked.</summary>
    public static CallResult Unlock(CallContext call, GuestAddress @lock)
    {
        if (!TryFind(call, @lock, out uint flags, out (object, ulong) key) || !call.Memory.TryRead(@lock, out uint state))
            return Errno.EFAULT;
        if ((state & WriteOwner) == 0 && (state & MostReaders) == 0)
            return Errno.EPERM;
        if (!call.Memory.TryWrite(@lock, (state & WriteOwner) != 0 ? state & ~WriteOwner : state - 1))
            return Errno.EFAULT;
        bool wakesWriter = (state & WriteWaiters) != 0 && ((flags & PrefersReaders) == 0 || (state & ReadWaiters) == 0);
        if (wakesWriter)
            UmtxWait.Wake(call.Thread, key, UmtxQueue.Writers, 1);
        else if ((state & ReadWaiters) != 0)
            UmtxWait.Wake(call.Thread, key, UmtxQueue.Readers);
        return CallResult.Ok();
    }

    private static bool IsFree(uint state) => (state & (WriteOwner | MostReaders)) == 0;

    private static Errno Begin(CallContext call, GuestAddress @lock, GuestAddress size, GuestAddress timeout, out uint flags, out (object, ulong) key)
    {
        flags = 0;
        key = default;
        Errno error = UmtxWait.SetLimit(call, size, timeout);
        return error != Errno.None ? error : TryFind(call, @lock, out flags, out key) ? Errno.None : Errno.EFAULT;
    }

    private static bool TryFind(CallContext call, GuestAddress @lock, out uint flags, out (object Key, ulong Offset) key)
    {
        key = default;
        if (!call.Memory.TryRead(@lock + FlagsOffset, out flags) || UmtxWait.Key(call.Thread, @lock, flags) is not { } found)
            return false;
        key = found;
        return true;
    }

    /// <summary>One more waits.</summary>
    private static bool Enter(CallContext call, GuestAddress @lock, uint state, ulong count) =>
        call.Memory.TryWrite(@lock, state) && call.Memory.TryRead(@lock + count, out uint waiting) && call.Memory.TryWrite(@lock + count, waiting + 1);

    /// <summary>One fewer waits; the last takes the mark off.</summary>
    private static bool TryLeave(CallContext call, GuestAddress @lock, ulong count, uint mark, out bool wasLast)
    {
        wasLast = false;
        if (!call.Memory.TryRead(@lock + count, out uint waiting) || !call.Memory.TryWrite(@lock + count, waiting - 1))
            return false;
        wasLast = waiting == 1;
        return !wasLast || (call.Memory.TryRead(@lock, out uint state) && call.Memory.TryWrite(@lock, state & ~mark));
    }
}
