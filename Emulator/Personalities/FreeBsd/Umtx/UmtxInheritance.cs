using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Futexes;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.FreeBsd.Umtx;

/// <summary>Mutexes whose owner runs at the priority of its most urgent waiter (UMUTEX_PRIO_INHERIT).</summary>
internal static class UmtxInheritance
{
    public static CallResult Lock(CallContext call, GuestAddress mutex, (object Key, ulong Offset) key, LockMode mode, RestartKind restart)
    {
        Slept slept = call.State is PiWaiter waiter ? Resume(call, waiter) : UmtxWait.Resume(call);
        if (slept == Slept.Still)
            return call.State is PiWaiter waiting ? call.Wait(waiting.Source, restart) : UmtxWait.Continue(call, restart);
        if (!call.Memory.TryRead(mutex, out uint owner))
            return Errno.EFAULT;
        if (UmtxMutex.Take(call, mutex, owner) is { } taken)
        {
            call.World.PiLocks.Claim(key, call.Thread);
            return taken;
        }
        uint holder = owner & ~UmtxMutex.Contested;
        if (holder == (uint)FreeBsdThreadId.Of(call.Thread))
            return Errno.EDEADLK;
        // Waiting until it is free is not known here: it is tried (do_lock_pi).
        if (mode != LockMode.Wait)
            return Errno.EBUSY;
        if (slept is Slept.TimedOut or Slept.Interrupted)
            return UmtxWait.Failed(call, slept, restart);
        return call.Memory.TryWrite(mutex, owner | UmtxMutex.Contested) ? Sleep(call, mutex, key, holder, restart) : Errno.EFAULT;
    }

    private static CallResult Sleep(CallContext call, GuestAddress mutex, (object Key, ulong Offset) key, uint holder, RestartKind restart)
    {
        // An owner that is gone inherits nothing.
        if (FreeBsdThreadId.Find(call, holder) is not { } owner)
            return UmtxWait.Sleep(call, key, UmtxQueue.InheritingMutex, restart);
        if (call.Interrupted)
            return call.Wait(restart);
        PiWaiter waiter = call.World.PiLocks.Wait(key, owner, call.Thread, mutex);
        call.State = waiter;
        return call.Wait(waiter.Source, restart);
    }

    private static Slept Resume(CallContext call, PiWaiter waiter)
    {
        Slept slept = waiter.IsOwner ? Slept.Woken : UmtxWait.Ended(call);
        if (slept == Slept.Still)
            return slept;
        waiter.Abandon();
        call.State = null;
        return slept;
    }

    /// <summary>Unlocks one that others wait for: the most urgent is woken and takes it, unless another comes before.</summary>
    public static Errno Unlock(GuestThread thread, GuestAddress mutex, (object Key, ulong Offset) key, uint free)
    {
        if (Count(thread, key, UmtxQueue.InheritingMutex) > 1)
            free |= UmtxMutex.Contested;
        bool isWritten = thread.Process.Memory.TryWrite(mutex, free);
        WakeOne(thread, key, UmtxQueue.InheritingMutex);
        return isWritten ? Errno.None : Errno.EFAULT;
    }

    public static int Count(GuestThread thread, (object Key, ulong Offset) key, UmtxQueue queue) =>
        UmtxWait.Count(thread, key, queue) + (queue == UmtxQueue.InheritingMutex ? thread.Process.World.PiLocks.Count(key) : 0);

    public static void WakeOne(GuestThread thread, (object Key, ulong Offset) key, UmtxQueue queue)
    {
        if (queue != UmtxQueue.InheritingMutex || thread.Process.World.PiLocks.HandOver(key) is null)
            UmtxWait.Wake(thread, key, queue, 1);
    }
}
