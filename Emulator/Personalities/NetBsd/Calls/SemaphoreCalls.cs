using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Ipc;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Calls;
using Shared = Vivarium.Emulator.Personalities.Bsd.Calls.SemaphoreCalls;

namespace Vivarium.Emulator.Personalities.NetBsd.Calls;

/// <summary>Semaphores of the kernel as NetBSD has them since 10 (_ksem_open and its kin): besides descriptors there are numbers that all processes know.</summary>
public static class SemaphoreCalls
{
    /// <summary>kern.posix.semmax: of those with names.</summary>
    public const int MostNamed = 128;

    private const int MostOfUser = 256;

    private const int NameRoom = 511;
    private const uint LargestValue = uint.MaxValue;

    /// <summary>What asks for a number that all processes know ("PSRD"), and what marks such numbers.</summary>
    private const long AskShared = 0x50535244, SharedMask = 0xFF000001, SharedMark = 0x70000001;

    public static CallResult KsemInit(CallContext call, uint value, GuestAddress id)
    {
        if (!call.Memory.TryRead(id, out long asked) || !call.Memory.TryWrite(id, asked))
            return Errno.EFAULT;
        if (!call.Process.Files.HasRoom)
            return Errno.EMFILE;
        KernelSemaphores all = call.Ipc.KernelSemaphores;
        if (all.NamedCount >= MostNamed)
            return Errno.ENFILE;
        if (all.CountOf(call.Thread.Credentials.User) >= MostOfUser)
            return Errno.ENOSPC;
        KernelSemaphore made = all.Make(null, value, 0, call.Thread.Credentials);
        long? number = null;
        if (asked == AskShared)
            all.Share(made, (number = FreeNumber(call)).Value, call.Process);
        return Shared.Install(call, made, id, closeOnExec: false, number);
    }

    private static long FreeNumber(CallContext call)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        long number;
        do
        {
            call.World.Random.Fill(bytes);
            number = (BitConverter.ToUInt32(bytes) & ~SharedMask) | SharedMark;
        }
        while (call.Ipc.KernelSemaphores.Find(number) is not null);
        return number;
    }

    public static CallResult KsemOpen(CallContext call, GuestAddress name, uint flags, uint mode, uint value, GuestAddress id)
    {
        const uint create = 0x200, exclusive = 0x800;
        Errno error = Shared.ReadName(call, name, NameRoom, out string path);
        if (error != Errno.None)
            return error;
        if (!call.Process.Files.HasRoom)
            return Errno.EMFILE;
        if (!Shared.CanWrite(call, id))
            return Errno.EFAULT;
        KernelSemaphores all = call.Ipc.KernelSemaphores;
        // A new one is made before it is looked whether there is one.
        if ((flags & create) != 0 && MayMake(call, path) is not Errno.None and var refused)
            return refused;
        if (all.Find(path) is { } known)
            error = (flags & exclusive) != 0 ? Errno.EEXIST : MayUse(call, known);
        else
            error = (flags & create) == 0 ? Errno.ENOENT : Errno.None;
        return error != Errno.None ? error : Shared.Install(call, all.Find(path) ?? all.Make(path, value, mode, call.Thread.Credentials), id, closeOnExec: false);
    }

    /// <summary>A name begins with its only slash.</summary>
    private static Errno MayMake(CallContext call, string path)
    {
        KernelSemaphores all = call.Ipc.KernelSemaphores;
        if (all.NamedCount >= MostNamed)
            return Errno.ENFILE;
        if (path is not ['/', _, ..] || path.LastIndexOf('/') != 0)
            return Errno.EINVAL;
        return all.CountOf(call.Thread.Credentials.User) >= MostOfUser ? Errno.ENOSPC : Errno.None;
    }

    public static CallResult KsemUnlink(CallContext call, GuestAddress name) => Shared.Unlink(call, name, NameRoom, MayUse);

    public static CallResult KsemPost(CallContext call, long id) => Shared.Post(call, id, LargestValue);

    /// <summary>Waits until a time of CLOCK_REALTIME.</summary>
    public static CallResult KsemTimedwait(CallContext call, long id, GuestAddress time)
    {
        if (call.Deadline is null)
        {
            Errno error = call.ReadTime(time, out long nanoseconds);
            if (error != Errno.None)
                return error;
            call.SetDeadline(call.World.MonotonicOf(nanoseconds));
        }
        return Shared.Take(call, id);
    }

    /// <summary>Ends one without a name: EBUSY while threads wait, EINVAL for a number that another process asked for. Descriptors that children have go on.</summary>
    public static CallResult KsemDestroy(CallContext call, long id)
    {
        if (Shared.Find(call, id) is not { Name: null } semaphore)
            return Errno.EINVAL;
        if (semaphore.Waiting != 0)
            return Errno.EBUSY;
        if (semaphore.Shared.Owner is not { } owner || semaphore.Shared.Number != id)
            return OpenCalls.Close(call, (int)id);
        if (owner != call.Process)
            return Errno.EINVAL;
        call.Ipc.KernelSemaphores.Unshare(semaphore);
        return CloseOwn(call, semaphore);
    }

    /// <summary>Closes the descriptor that came with a number.</summary>
    private static CallResult CloseOwn(CallContext call, KernelSemaphore semaphore)
    {
        for (int descriptor = 0; descriptor < call.Process.Files.End; descriptor++)
        {
            if (call.File(descriptor) is SemaphoreFile file && file.Semaphore == semaphore)
                return OpenCalls.Close(call, descriptor);
        }
        return Errno.EBADF;
    }

    /// <summary>The right to write is enough (KAUTH_SYSTEM_SEMAPHORE of secmodel_suser(9)).</summary>
    private static Errno MayUse(CallContext call, KernelSemaphore semaphore)
    {
        const uint ownerWrites = 0x80, groupWrites = 0x10, othersWrite = 0x02;
        Credentials who = call.Thread.Credentials;
        (uint mode, uint user, uint group) = (semaphore.Inode.Status.Mode, semaphore.Inode.Status.User, semaphore.Inode.Status.Group);
        bool may = (who.EffectiveUser == user && (mode & ownerWrites) != 0) || (who.EffectiveGroup == group && (mode & groupWrites) != 0)
            || (mode & othersWrite) != 0 || who.Has(Capability.OwnIpc);
        return may ? Errno.None : Errno.EACCES;
    }
}
