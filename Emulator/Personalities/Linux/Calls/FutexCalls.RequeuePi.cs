using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Futexes;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>
/// Waiting for a condition and being moved on to a lock with priority inheritance: FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI.
/// </summary>
public static partial class FutexCalls
{
    private static CallResult WaitForRequeue(
        CallContext call, GuestAddress address, (object Key, ulong Offset) key, uint expected, uint bits, GuestAddress timeout, GuestAddress second, int operation)
    {
        if (call.State is FutexWaiter waiter)
            return ContinueRequeue(call, waiter, timeout);
        if (!timeout.IsNull && Limit(call, timeout, isRelative: false, operation) is var error && error != Errno.None)
            return error;
        if (address == second || bits == 0 || (second.Value & 3) != 0)
            return Errno.EINVAL;
        if (call.Memory.FutexKey(second, (operation & PrivateFlag) != 0) is not { } target || !call.Memory.TryRead(address, out uint word))
            return Errno.EFAULT;
        if (target == key)
            return Errno.EINVAL;
        if (word != expected)
            return Errno.EAGAIN;
        if (call.DeadlinePassed)
            return Errno.ETIMEDOUT;
        waiter = call.World.Futexes.Wait(key, bits, call.Thread);
        waiter.Lock = (target, second);
        call.State = waiter;
        return ContinueRequeue(call, waiter, timeout);
    }

    private static CallResult ContinueRequeue(CallContext call, FutexWaiter waiter, GuestAddress timeout)
    {
        if (waiter.Requeued is { } pi)
        {
            if (pi.IsOwner)
                return CallResult.Ok();
            if (call.DeadlinePassed || call.Interrupted)
                pi.Abandon();
            if (call.DeadlinePassed)
                return Errno.ETIMEDOUT;
            // Run again, it would find another value in its first word (futex_wait_requeue_pi in kernel/futex/requeue.c).
            return call.Interrupted ? Errno.EAGAIN : call.Wait(pi.Source);
        }
        if (waiter.IsWoken)
            return CallResult.Ok();
        return ContinueWait(call, waiter, timeout);
    }

    /// <summary>Gives the lock to the first waiter when it is free, lets the others wait for its owner; returns how many of both.</summary>
    private static CallResult RequeueToLock(
        CallContext call, GuestAddress address, (object Key, ulong Offset) key, int wake, int move, GuestAddress second, uint expected, bool isPrivate)
    {
        if (wake < 0 || move < 0 || address == second || wake != 1 || (second.Value & 3) != 0)
            return Errno.EINVAL;
        if (call.Memory.FutexKey(second, isPrivate) is not { } target || !call.Memory.TryRead(address, out uint word))
            return Errno.EFAULT;
        if (target == key)
            return Errno.EINVAL;
        if (word != expected)
            return Errno.EAGAIN;
        int done = 0;
        while (done < wake + move && call.World.Futexes.First(key, uint.MaxValue) is { } waiter)
        {
            if (waiter.Lock is not { } wanted || wanted.Place != target)
                return done > 0 ? done : Errno.EINVAL;
            Errno error = Hand(call, waiter, wanted.Address, target);
            if (error != Errno.None)
                return done > 0 ? done : error;
            done++;
        }
        return done;
    }

    /// <summary>Takes a free lock for a waiter, or makes it wait for the owner.</summary>
    private static Errno Hand(CallContext call, FutexWaiter waiter, GuestAddress address, (object Key, ulong Offset) target)
    {
        AddressSpace memory = waiter.Thread.Process.Memory;
        if (!memory.TryRead(address, out uint word))
            return Errno.EFAULT;
        uint holder = word & OwnerMask;
        uint self = (uint)waiter.Thread.Process.Space.Inside(waiter.Thread.Id);
        if (holder == self)
            return Errno.EDEADLK;
        if (holder == 0)
        {
            // Others may follow, so that its owner must unlock in the kernel.
            if (!memory.TryWrite(address, self | WaitersBit | (word & OwnerDiedBit)))
                return Errno.EFAULT;
            call.World.Futexes.WakeOne(waiter);
            return Errno.None;
        }
        if (waiter.Thread.Process.Space.FindThread((int)holder) is not { } owner)
            return Errno.ESRCH;
        if (PiLocks.WouldDeadlock(waiter.Thread, owner))
            return Errno.EDEADLK;
        if (!memory.TryWrite(address, word | WaitersBit))
            return Errno.EFAULT;
        waiter.Requeued = call.World.PiLocks.Wait(target, owner, waiter.Thread, address);
        // It waits for the lock from now on.
        call.World.Futexes.WakeOne(waiter);
        return Errno.None;
    }
}
