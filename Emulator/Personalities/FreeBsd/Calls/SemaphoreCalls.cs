using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Ipc;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Calls;
using Shared = Vivarium.Emulator.Personalities.Bsd.Calls.SemaphoreCalls;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>Semaphores of the kernel as FreeBSD has them (sem(4)): few, their descriptors closed by execve(2).</summary>
public static class SemaphoreCalls
{
    /// <summary>p1003_1b.sem_nsems_max: of the whole system.</summary>
    public const int Most = 30;

    private const int NameRoom = 1024;
    private const uint LargestValue = int.MaxValue;

    public static CallResult KsemInit(CallContext call, GuestAddress id, uint value)
    {
        const uint mode = 0x1F8; // 0770
        if (value > LargestValue)
            return Errno.EINVAL;
        if (!call.Process.Files.HasRoom)
            return Errno.ENOSPC;
        if (!Shared.CanWrite(call, id))
            return Errno.EFAULT;
        KernelSemaphores all = call.Ipc.KernelSemaphores;
        return all.Count >= Most ? Errno.ENOSPC : Shared.Install(call, all.Make(null, value, Masked(call, mode), call.Thread.Credentials), id, closeOnExec: true);
    }

    public static CallResult KsemOpen(CallContext call, GuestAddress id, GuestAddress name, uint flags, uint mode, uint value)
    {
        const uint create = 0x200, exclusive = 0x800;
        if ((flags & ~(create | exclusive)) != 0 || value > LargestValue)
            return Errno.EINVAL;
        if (!call.Process.Files.HasRoom)
            return Errno.EMFILE;
        if (!Shared.CanWrite(call, id))
            return Errno.EFAULT;
        Errno error = Shared.ReadName(call, name, NameRoom, out string path);
        if (error != Errno.None)
            return error;
        if (path is not ['/', ..])
            return Errno.EINVAL;
        KernelSemaphores all = call.Ipc.KernelSemaphores;
        KernelSemaphore? semaphore = all.Find(path);
        if (semaphore is null)
            error = (flags & create) == 0 ? Errno.ENOENT : all.Count >= Most ? Errno.ENFILE : Errno.None;
        else
            error = (flags & (create | exclusive)) == (create | exclusive) ? Errno.EEXIST : MayUse(call, semaphore);
        return error != Errno.None ? error : Shared.Install(call, semaphore ?? all.Make(path, value, Masked(call, mode), call.Thread.Credentials), id, closeOnExec: true);
    }

    public static CallResult KsemUnlink(CallContext call, GuestAddress name) => Shared.Unlink(call, name, NameRoom, MayUse);

    public static CallResult KsemPost(CallContext call, long id) => Shared.Post(call, id, LargestValue);

    /// <summary>Waits until a time of CLOCK_REALTIME, or without a limit for a null pointer. A time before 1970 has passed.</summary>
    public static CallResult KsemTimedwait(CallContext call, long id, GuestAddress time)
    {
        if (call.Deadline is null && !time.IsNull)
        {
            Errno error = call.ReadMoment(time, out long nanoseconds);
            if (error != Errno.None)
                return error;
            call.SetDeadline(nanoseconds < 0 ? 0 : call.World.MonotonicOf(nanoseconds));
        }
        return Shared.Take(call, id);
    }

    /// <summary>Ends one without a name, for all who have descriptors of it: EBUSY while threads wait.</summary>
    public static CallResult KsemDestroy(CallContext call, long id)
    {
        if (Shared.Find(call, id) is not { Name: null } semaphore)
            return Errno.EINVAL;
        if (semaphore.Waiting != 0)
            return Errno.EBUSY;
        semaphore.IsDead = true;
        return OpenCalls.Close(call, (int)id);
    }

    private static uint Masked(CallContext call, uint mode) => mode & 0x1FF & ~call.Process.FileContext.CreationMask;

    private static Errno MayUse(CallContext call, KernelSemaphore semaphore) =>
        Permission.Check(semaphore.Inode, FileAccessKind.Read | FileAccessKind.Write, call.Thread.FileCredentials);
}
