using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Futexes;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Priority-inheritance operations: the owner is in the word; the kernel hands ownership on and knows who waits.</summary>
public static partial class FutexCalls
{
    private static CallResult Lock(CallContext call, GuestAddress address, (object Key, ulong Offset) key, GuestAddress timeout, int operation)
    {
        if (call.State is PiWaiter waiter)
            return ContinueLock(call, waiter, timeout);
        // FUTEX_LOCK_PI's limit is on the real-time clock, whatever its flags say; LOCK_PI2's follows them.
        int clock = (operation & ~(PrivateFlag | RealTimeFlag)) == LockPi ? operation | RealTimeFlag : operation;
        if (!timeout.IsNull && Limit(call, timeout, isRelative: false, clock) is var error && error != Errno.None)
            return error;
        CallResult result = TryLock(call, address, key, out GuestThread? owner);
        if (owner is null)
            return result;
        if (PiLocks.WouldDeadlock(call.Thread, owner))
            return Errno.EDEADLK;
        waiter = call.World.PiLocks.Wait(key, owner, call.Thread, address);
        call.State = waiter;
        return ContinueLock(call, waiter, timeout);
    }

    private static CallResult ContinueLock(CallContext call, PiWaiter waiter, GuestAddress timeout)
    {
        if (waiter.IsOwner)
            return CallResult.Ok();
        if (call.DeadlinePassed || call.Interrupted)
            waiter.Abandon();
        if (call.DeadlinePassed)
            return Errno.ETIMEDOUT;
        if (call.Interrupted)
            call.State = null;
        return call.Wait(waiter.Source, timeout.IsNull ? RestartKind.IfHandlerAllows : RestartKind.IfNoHandler);
    }

    /// <summary>Takes a free lock; or marks the word and tells the owner to wait for.</summary>
    private static CallResult TryLock(CallContext call, GuestAddress address, (object Key, ulong Offset) key, out GuestThread? owner)
    {
        owner = null;
        if (!call.Memory.TryRead(address, out uint word))
            return Errno.EFAULT;
        uint holder = word & OwnerMask, self = (uint)call.Pids.Inside(call.Thread.Id);
        if (holder == self)
            return Errno.EDEADLK;
        if (holder == 0)
        {
            uint waiters = call.World.PiLocks.HasWaiters(key) ? WaitersBit : 0;
            return call.Memory.TryWrite(address, self | waiters | (word & OwnerDiedBit)) ? CallResult.Ok() : Errno.EFAULT;
        }
        GuestThread? found = call.FindThread((int)holder);
        if (found is null)
            return Errno.ESRCH;
        if (!call.Memory.TryWrite(address, word | WaitersBit))
            return Errno.EFAULT;
        owner = found;
        return Errno.EAGAIN;
    }

    private static CallResult Unlock(CallContext call, GuestAddress address, (object Key, ulong Offset) key)
    {
        if (!call.Memory.TryRead(address, out uint word))
            return Errno.EFAULT;
        if ((word & OwnerMask) != (uint)call.Pids.Inside(call.Thread.Id))
            return Errno.EPERM;
        // The next owner unlocks in the kernel as well, whether somebody else waits or not.
        uint owner = call.World.PiLocks.HandOver(key) is { } next ? (uint)next.Thread.Number | WaitersBit : 0;
        return call.Memory.TryWrite(address, owner) ? CallResult.Ok() : Errno.EFAULT;
    }

    /// <summary>What an ending thread owned goes to those who wait for it, marked as a dead owner's.</summary>
    internal static void HandOverAll(GuestThread thread)
    {
        while (thread.Process.World.PiLocks.HandOverOneOf(thread) is { } next)
            next.Thread.Process.Memory.TryWrite(next.Address, (uint)next.Thread.Number | WaitersBit | OwnerDiedBit);
    }
}
