using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Futexes;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>The calls with an operation each: futex_wait(2), futex_wake(2), futex_requeue(2), futex_waitv(2).</summary>
public static partial class FutexCalls
{
    private const uint SizeMask = 3, Size32 = 2;
    private const int MostWaiters = 128;
    private const ulong WaitRecordSize = 24;

    public static CallResult FutexWake(CallContext call, GuestAddress address, ulong mask, int count, uint flags)
    {
        if (!AreKnown(flags) || (mask >> 32) != 0 || mask == 0)
            return Errno.EINVAL;
        Errno error = Find(call, address, flags, out (object Key, ulong Offset) key);
        if (error != Errno.None)
            return error;
        // Unlike futex(2), it wakes nobody when it is asked for nobody.
        return count == 0 ? 0 : WakeSome(call, key, count, (uint)mask);
    }

    public static CallResult FutexWait(CallContext call, GuestAddress address, ulong value, ulong mask, uint flags, GuestAddress timeout, int clock)
    {
        if (!AreKnown(flags) || (value >> 32) != 0 || (mask >> 32) != 0)
            return Errno.EINVAL;
        Errno error = ReadLimit(call, timeout, clock);
        if (error != Errno.None)
            return error;
        if (mask == 0)
            return Errno.EINVAL;
        error = Find(call, address, flags, out (object Key, ulong Offset) key);
        // The limit is set already.
        return error != Errno.None ? error : WaitFor(call, address, key, (uint)value, (uint)mask, default, isRelative: false, 0);
    }

    public static CallResult FutexRequeue(CallContext call, GuestAddress table, uint flags, int wake, int move)
    {
        if (flags != 0 || table.IsNull)
            return Errno.EINVAL;
        Errno error = ReadWaiters(call, table, 2, out (GuestAddress Address, ulong Value, uint Flags)[] pair);
        if (error != Errno.None)
            return error;
        if (wake < 0 || move < 0)
            return Errno.EINVAL;
        error = Find(call, pair[0].Address, pair[0].Flags, out (object Key, ulong Offset) from);
        if (error != Errno.None)
            return error;
        error = Find(call, pair[1].Address, pair[1].Flags, out (object Key, ulong Offset) to);
        if (error != Errno.None)
            return error;
        if (!call.Memory.TryRead(pair[0].Address, out uint word))
            return Errno.EFAULT;
        if (word != (uint)pair[0].Value)
            return Errno.EAGAIN;
        int woken = call.World.Futexes.Wake(from, wake);
        return CallResult.Ok(woken + call.World.Futexes.Requeue(from, to, move));
    }

    /// <summary>Waits on several words; the index of the one that was woken, the last of several.</summary>
    public static CallResult FutexWaitv(CallContext call, GuestAddress table, uint count, uint flags, GuestAddress timeout, int clock)
    {
        if (call.State is FutexWaiters waiting)
            return ContinueWait(call, waiting);
        if (flags != 0 || count is 0 or > MostWaiters || table.IsNull)
            return Errno.EINVAL;
        Errno error = ReadLimit(call, timeout, clock);
        if (error != Errno.None)
            return error;
        error = ReadWaiters(call, table, (int)count, out (GuestAddress Address, ulong Value, uint Flags)[] wanted);
        if (error != Errno.None)
            return error;
        var keys = new (object Key, ulong Offset)[count];
        for (int i = 0; i < keys.Length; i++)
        {
            error = Find(call, wanted[i].Address, wanted[i].Flags, out keys[i]);
            if (error != Errno.None)
                return error;
        }
        foreach ((GuestAddress address, ulong value, _) in wanted)
        {
            if (!call.Memory.TryRead(address, out uint word))
                return Errno.EFAULT;
            if (word != (uint)value)
                return Errno.EAGAIN;
        }
        if (call.DeadlinePassed)
            return Errno.ETIMEDOUT;
        waiting = new FutexWaiters(call.World.Futexes, keys, call.Thread);
        call.State = waiting;
        return ContinueWait(call, waiting);
    }

    private static CallResult ContinueWait(CallContext call, FutexWaiters waiting)
    {
        if (waiting.Woken is { } index)
        {
            waiting.Abandon();
            return index;
        }
        if (call.DeadlinePassed || call.Interrupted)
            waiting.Abandon();
        if (call.DeadlinePassed)
            return Errno.ETIMEDOUT;
        if (call.Interrupted)
            call.State = null;
        foreach (FutexWaiter waiter in waiting.All)
            call.AddSource(waiter.Source);
        return call.Wait();
    }

    /// <summary>Only words of four bytes exist (kernel/futex/futex.h, futex_flags_valid).</summary>
    private static bool AreKnown(uint flags) => (flags & ~(SizeMask | PrivateFlag)) == 0 && (flags & SizeMask) == Size32;

    private static Errno Find(CallContext call, GuestAddress address, uint flags, out (object Key, ulong Offset) key)
    {
        key = default;
        if ((address.Value & 3) != 0)
            return Errno.EINVAL;
        if (call.Memory.FutexKey(address, (flags & PrivateFlag) != 0) is not { } found)
            return Errno.EFAULT;
        key = found;
        return Errno.None;
    }

    /// <summary>An absolute time of the clock that is named.</summary>
    private static Errno ReadLimit(CallContext call, GuestAddress timeout, int clock)
    {
        const int realTime = 0, monotonic = 1;
        if (timeout.IsNull)
            return Errno.None;
        if (clock is not (realTime or monotonic))
            return Errno.EINVAL;
        return Limit(call, timeout, isRelative: false, clock == realTime ? RealTimeFlag : 0);
    }

    /// <summary>Reads struct futex_waitv records: value, address, flags, a word that is 0.</summary>
    private static Errno ReadWaiters(CallContext call, GuestAddress table, int count, out (GuestAddress Address, ulong Value, uint Flags)[] waiters)
    {
        waiters = new (GuestAddress, ulong, uint)[count];
        for (int i = 0; i < count; i++)
        {
            GuestAddress at = table + ((ulong)i * WaitRecordSize);
            if (!call.Memory.TryRead(at, out ulong value) || !call.Memory.TryRead(at + 8, out ulong address)
                || !call.Memory.TryRead(at + 16, out uint flags) || !call.Memory.TryRead(at + 20, out uint reserved))
                return Errno.EFAULT;
            if (reserved != 0 || !AreKnown(flags) || (value >> 32) != 0)
                return Errno.EINVAL;
            waiters[i] = (new GuestAddress(address), value, flags);
        }
        return Errno.None;
    }
}
