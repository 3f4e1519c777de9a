using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.FreeBsd.Umtx;

/// <summary>What is done with a mutex that another thread has.</summary>
internal enum LockMode
{
    Wait,
    Try,

    /// <summary>Waits for it to be free and does not take it.</summary>
    Watch,
}

/// <summary>
/// Mutexes in memory (struct umutex): the owner's id, with a mark when the kernel must be asked to unlock, then flags and two ceilings. Threads of
/// the world run one at a time, so that what is read and then written is one step.
/// </summary>
internal static class UmtxMutex
{
    public const uint Unowned = 0, Contested = 0x8000_0000, OwnerDied = Contested | 0x10, NotRecoverable = Contested | 0x11;
    public const uint Inherits = 4, Protects = 8, Robust = 0x10, Inconsistent = 0x20;

    private const ulong FlagsOffset = 4;

    public static CallResult Lock(CallContext call, GuestAddress mutex, LockMode mode, GuestAddress size, GuestAddress timeout)
    {
        Errno error = UmtxWait.SetLimit(call, size, timeout);
        if (error != Errno.None)
            return error;
        if (!TryReadFlags(call.Thread, mutex, out uint flags) || UmtxWait.Key(call.Thread, mutex, flags) is not { } key)
            return Errno.EFAULT;
        RestartKind restart = !timeout.IsNull ? RestartKind.Never : mode == LockMode.Watch ? RestartKind.IfHandlerAllows : RestartKind.Always;
        return (flags & (Inherits | Protects)) switch
        {
            0 => LockNormal(call, mutex, key, mode, restart),
            Inherits => UmtxInheritance.Lock(call, mutex, key, mode, restart),
            Protects => UmtxCeiling.Lock(call, mutex, key, mode, restart),
            _ => Errno.EINVAL,
        };
    }

    private static CallResult LockNormal(CallContext call, GuestAddress mutex, (object Key, ulong Offset) key, LockMode mode, RestartKind restart)
    {
        Slept slept = UmtxWait.Resume(call);
        if (slept == Slept.Still)
            return UmtxWait.Continue(call, restart);
        if (!call.Memory.TryRead(mutex, out uint owner))
            return Errno.EFAULT;
        if (mode == LockMode.Watch)
        {
            if (owner is Unowned or Contested or OwnerDied or NotRecoverable)
                return CallResult.Ok();
        }
        else if (Take(call, mutex, owner) is { } taken)
        {
            return taken;
        }
        if (mode == LockMode.Try)
            return Errno.EBUSY;
        if (slept is Slept.TimedOut or Slept.Interrupted)
            return UmtxWait.Failed(call, slept, restart);
        return call.Memory.TryWrite(mutex, owner | Contested) ? UmtxWait.Sleep(call, key, UmtxQueue.Mutex, restart) : Errno.EFAULT;
    }

    /// <summary>Takes a mutex that nobody has, or tells why it never will be had; null when somebody has it.</summary>
    public static CallResult? Take(CallContext call, GuestAddress mutex, uint owner)
    {
        uint self = (uint)FreeBsdThreadId.Of(call.Thread);
        switch (owner)
        {
            case NotRecoverable:
                return Errno.ENOTRECOVERABLE;
            case Unowned:
                return call.Memory.TryWrite(mutex, self) ? CallResult.Ok() : Errno.EFAULT;
            case Contested or OwnerDied:
                if (!call.Memory.TryWrite(mutex, self | Contested))
                    return Errno.EFAULT;
                return owner == OwnerDied ? Errno.EOWNERDEAD : CallResult.Ok();
            default:
                return null;
        }
    }

    /// <summary>Unlocks a thread's mutex: EFAULT, EINVAL, EPERM when it is another's.</summary>
    /// <param name="isDying">The thread ends, and who locks the mutex next shall know.</param>
    public static Errno Unlock(GuestThread thread, GuestAddress mutex, bool isDying = false)
    {
        if (!TryReadFlags(thread, mutex, out uint flags) || UmtxWait.Key(thread, mutex, flags) is not { } key || !thread.Process.Memory.TryRead(mutex, out uint owner))
            return Errno.EFAULT;
        if ((flags & (Inherits | Protects)) == (Inherits | Protects))
            return Errno.EINVAL;
        if ((owner & ~Contested) != (uint)FreeBsdThreadId.Of(thread))
            return Errno.EPERM;
        uint free = isDying ? OwnerDied : (flags & Inconsistent) != 0 ? NotRecoverable : Unowned;
        if ((flags & Protects) != 0)
            return UmtxCeiling.Unlock(thread, mutex, key, free);
        if ((owner & Contested) == 0)
            return thread.Process.Memory.TryWrite(mutex, free) ? Errno.None : Errno.EFAULT;
        if ((flags & Inherits) != 0)
            return UmtxInheritance.Unlock(thread, mutex, key, free);
        // One waiter alone takes it without a mark, so that it unlocks without the kernel.
        if (UmtxWait.Count(thread, key, UmtxQueue.Mutex) > 1)
            free |= Contested;
        bool isWritten = thread.Process.Memory.TryWrite(mutex, free);
        UmtxWait.Wake(thread, key, UmtxQueue.Mutex, 1);
        return isWritten ? Errno.None : Errno.EFAULT;
    }

    /// <summary>UMTX_OP_MUTEX_WAKE: wakes a waiter of a plain mutex that is free.</summary>
    public static CallResult Wake(CallContext call, GuestAddress mutex)
    {
        if (!call.Memory.TryRead(mutex, out uint owner))
            return Errno.EFAULT;
        if (!IsFree(owner))
            return CallResult.Ok();
        if (!TryReadFlags(call.Thread, mutex, out uint flags) || UmtxWait.Key(call.Thread, mutex, flags) is not { } key)
            return Errno.EFAULT;
        int count = UmtxWait.Count(call.Thread, key, UmtxQueue.Mutex);
        if (count <= 1 && owner == Contested && !call.Memory.TryWrite(mutex, Unowned))
            return Errno.EFAULT;
        UmtxWait.Wake(call.Thread, key, UmtxQueue.Mutex, 1);
        return CallResult.Ok();
    }

    /// <summary>UMTX_OP_MUTEX_WAKE2: for one that was unlocked without the kernel; repairs the mark when somebody waits.</summary>
    public static CallResult Repair(CallContext call, GuestAddress mutex, uint flags)
    {
        if ((flags & (Inherits | Protects)) == (Inherits | Protects))
            return Errno.EINVAL;
        if (UmtxWait.Key(call.Thread, mutex, flags) is not { } key)
            return Errno.EFAULT;
        UmtxQueue queue = (flags & Inherits) != 0 ? UmtxQueue.InheritingMutex : (flags & Protects) != 0 ? UmtxQueue.ProtectedMutex : UmtxQueue.Mutex;
        int count = UmtxInheritance.Count(call.Thread, key, queue);
        bool isRead = call.Memory.TryRead(mutex, out uint owner);
        if (isRead && (owner & Contested) == 0 && (count > 1 || (count == 1 && owner != Unowned)))
            isRead = call.Memory.TryWrite(mutex, owner | Contested);
        if (!isRead)
            UmtxWait.Wake(call.Thread, key, queue);
        else if (count != 0 && IsFree(owner))
            UmtxInheritance.WakeOne(call.Thread, key, queue);
        return isRead ? CallResult.Ok() : Errno.EFAULT;
    }

    private static bool IsFree(uint owner) => owner is Unowned or Contested or OwnerDied or NotRecoverable;

    public static bool TryReadFlags(GuestThread thread, GuestAddress mutex, out uint flags) => thread.Process.Memory.TryRead(mutex + FlagsOffset, out flags);
}
