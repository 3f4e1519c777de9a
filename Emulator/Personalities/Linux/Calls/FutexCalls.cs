using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Futexes;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>futex(2).</summary>
public static partial class FutexCalls
{
    private const int Wait = 0;
    private const int Wake = 1;
    private const int Requeue = 3;
    private const int CompareRequeue = 4;
    private const int WakeOp = 5;
    private const int LockPi = 6;
    private const int UnlockPi = 7;
    private const int TryLockPi = 8;
    private const int WaitBits = 9;
    private const int WakeBits = 10;
    private const int WaitRequeuePi = 11;
    private const int CompareRequeuePi = 12;
    private const int LockPi2 = 13;
    private const int PrivateFlag = 128;
    private const int RealTimeFlag = 256;
    private const uint OwnerMask = 0x3FFFFFFF;
    private const uint WaitersBit = 0x80000000;
    private const uint OwnerDiedBit = 0x40000000;

    public static CallResult Futex(CallContext call, GuestAddress address, int operation, uint value, ulong timeout, GuestAddress second, uint third)
    {
        bool isPrivate = (operation & PrivateFlag) != 0;
        if ((address.Value & 3) != 0)
            return Errno.EINVAL;
        if (KeyOf(call, address, isPrivate) is not { } key)
            return Errno.EFAULT;
        switch (operation & ~(PrivateFlag | RealTimeFlag))
        {
            case Wait:
                return WaitFor(call, address, key, value, uint.MaxValue, new GuestAddress(timeout), isRelative: true, operation);
            case WaitBits:
                return third == 0 ? Errno.EINVAL : WaitFor(call, address, key, value, third, new GuestAddress(timeout), isRelative: false, operation);
            case Wake:
                return WakeSome(call, key, (int)value, uint.MaxValue);
            case WakeBits:
                return third == 0 ? Errno.EINVAL : WakeSome(call, key, (int)value, third);
            case Requeue or CompareRequeue:
                return Move(call, address, key, operation, (int)value, (int)(uint)timeout, second, third, isPrivate);
            case WakeOp:
                return WakeAndModify(call, key, (int)value, (int)(uint)timeout, second, third, isPrivate);
            case LockPi or LockPi2:
                return Lock(call, address, key, new GuestAddress(timeout), operation);
            case TryLockPi:
                return TryLock(call, address, key, out _);
            case UnlockPi:
                return Unlock(call, address, key);
            case WaitRequeuePi:
                return WaitForRequeue(call, address, key, value, uint.MaxValue, new GuestAddress(timeout), second, operation);
            case CompareRequeuePi:
                return RequeueToLock(call, address, key, (int)value, (int)(uint)timeout, second, third, isPrivate);
            default:
                return Errno.ENOSYS;
        }
    }

    /// <summary>Wakes one at least, as the kernel does when it is asked for none; waiters for a lock are not woken this way (kernel/futex/waitwake.c).</summary>
    private static CallResult WakeSome(CallContext call, (object Key, ulong Offset) key, int count, uint bits)
    {
        int woken = 0;
        while (call.World.Futexes.First(key, bits) is { } waiter)
        {
            if (waiter.Lock is not null)
                return Errno.EINVAL;
            call.World.Futexes.WakeOne(waiter);
            if (++woken >= count)
                break;
        }
        return woken;
    }

    private static CallResult WaitFor(
        CallContext call, GuestAddress address, (object Key, ulong Offset) key, uint expected, uint bits, GuestAddress timeout, bool isRelative, int operation)
    {
        if (call.State is FutexWaiter waiter)
            return ContinueWait(call, waiter, timeout);
        if (!timeout.IsNull && Limit(call, timeout, isRelative, operation) is var error && error != Errno.None)
            return error;
        if (!call.Memory.TryRead(address, out uint word))
            return Errno.EFAULT;
        if (word != expected)
            return Errno.EAGAIN;
        if (call.DeadlinePassed)
            return Errno.ETIMEDOUT;
        waiter = call.World.Futexes.Wait(key, bits, call.Thread);
        call.State = waiter;
        return Park(call, waiter, timeout);
    }

    private static CallResult ContinueWait(CallContext call, FutexWaiter waiter, GuestAddress timeout)
    {
        if (waiter.IsWoken)
            return CallResult.Ok();
        if (call.DeadlinePassed)
        {
            call.World.Futexes.Leave(waiter);
            return Errno.ETIMEDOUT;
        }
        return Park(call, waiter, timeout);
    }

    private static CallResult Park(CallContext call, FutexWaiter waiter, GuestAddress timeout)
    {
        if (call.Interrupted)
        {
            // Whoever waits again after the signal waits anew.
            call.World.Futexes.Leave(waiter);
            call.State = null;
        }
        return call.Wait(waiter.Source, timeout.IsNull ? RestartKind.IfHandlerAllows : RestartKind.IfNoHandler);
    }

    private static Errno Limit(CallContext call, GuestAddress timeout, bool isRelative, int operation)
    {
        Errno error = call.ReadTime(timeout, out long nanoseconds);
        if (error != Errno.None)
            return error;
        if (isRelative)
            call.SetTimeout(nanoseconds);
        else
            call.SetDeadline((operation & RealTimeFlag) != 0 ? call.World.MonotonicOf(nanoseconds) : nanoseconds - call.ClockOffset());
        return Errno.None;
    }

    /// <summary>A shared futex is found by its page, which must be there (get_futex_key in kernel/futex/core.c).</summary>
    private static (object Key, ulong Offset)? KeyOf(CallContext call, GuestAddress address, bool isPrivate) =>
        isPrivate || call.Memory.TryRead(address, out uint _) ? call.Memory.FutexKey(address, isPrivate) : null;

    private static CallResult Move(
        CallContext call, GuestAddress address, (object Key, ulong Offset) key, int operation, int wake, int move, GuestAddress second, uint expected, bool isPrivate)
    {
        if (wake < 0 || move < 0)
            return Errno.EINVAL;
        if (KeyOf(call, second, isPrivate) is not { } target)
            return Errno.EFAULT;
        if ((operation & ~(PrivateFlag | RealTimeFlag)) == CompareRequeue)
        {
            if (!call.Memory.TryRead(address, out uint word))
                return Errno.EFAULT;
            if (word != expected)
                return Errno.EAGAIN;
        }
        int woken = call.World.Futexes.Wake(key, wake);
        return CallResult.Ok(woken + call.World.Futexes.Requeue(key, target, move));
    }

    private static CallResult WakeAndModify(
        CallContext call, (object Key, ulong Offset) key, int wake, int wakeSecond, GuestAddress second, uint encoded, bool isPrivate)
    {
        if (call.Memory.FutexKey(second, isPrivate) is not { } target || !call.Memory.TryRead(second, out int old))
            return Errno.EFAULT;
        int operand = (int)(encoded << 8) >> 20, comparand = (int)(encoded << 20) >> 20;
        if ((encoded >> 31) != 0)
            operand = 1 << (operand & 31);
        int? changed = ((encoded >> 28) & 7) switch
        {
            0 => operand,
            1 => old + operand,
            2 => old | operand,
            3 => old & ~operand,
            4 => old ^ operand,
            _ => null,
        };
        bool? also = ((encoded >> 24) & 15) switch
        {
            0 => old == comparand,
            1 => old != comparand,
            2 => old < comparand,
            3 => old <= comparand,
            4 => old > comparand,
            5 => old >= comparand,
            _ => null,
        };
        if (changed is null || also is null)
            return Errno.ENOSYS;
        if (!call.Memory.TryWrite(second, changed.Value))
            return Errno.EFAULT;
        int woken = call.World.Futexes.Wake(key, wake);
        return CallResult.Ok(also.Value ? woken + call.World.Futexes.Wake(target, wakeSecond) : woken);
    }
}
