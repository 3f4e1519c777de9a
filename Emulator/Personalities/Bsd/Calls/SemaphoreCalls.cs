using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Ipc;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.Bsd.Calls;

/// <summary>Semaphores of the kernel, below sem_open(3) and sem_init(3): what both systems do alike. Their numbers are descriptors, and as these they go to children.</summary>
public static class SemaphoreCalls
{
    /// <summary>Closes one with a name; EINVAL for others.</summary>
    public static CallResult KsemClose(CallContext call, long id)
    {
        if (Find(call, id) is not { } semaphore || semaphore.Name is null)
            return Errno.EINVAL;
        return OpenCalls.Close(call, (int)id);
    }

    public static CallResult KsemWait(CallContext call, long id) => Take(call, id);

    public static CallResult KsemTrywait(CallContext call, long id)
    {
        if (Find(call, id) is not { } semaphore)
            return Errno.EINVAL;
        return semaphore.TryTake() ? CallResult.Ok() : Errno.EAGAIN;
    }

    public static CallResult KsemGetvalue(CallContext call, long id, GuestAddress value)
    {
        if (Find(call, id) is not { } semaphore)
            return Errno.EINVAL;
        return call.Memory.TryWrite(value, semaphore.Value) ? CallResult.Ok() : Errno.EFAULT;
    }

    /// <summary>Counts one up, to the system's largest value at the most.</summary>
    internal static CallResult Post(CallContext call, long id, uint largest) => Find(call, id) is { } semaphore ? semaphore.Post(largest) : Errno.EINVAL;

    /// <summary>Takes a name away; the semaphore stays with who has it.</summary>
    /// <param name="room">Bytes of a name.</param>
    /// <param name="mayUse">The system's own check of rights.</param>
    internal static CallResult Unlink(CallContext call, GuestAddress name, int room, Func<CallContext, KernelSemaphore, Errno> mayUse)
    {
        Errno error = ReadName(call, name, room, out string path);
        if (error != Errno.None)
            return error;
        if (call.Ipc.KernelSemaphores.Find(path) is not { } semaphore)
            return Errno.ENOENT;
        error = mayUse(call, semaphore);
        if (error == Errno.None)
            call.Ipc.KernelSemaphores.Unlink(semaphore);
        return error;
    }

    /// <summary>Counts one down, when need be after a wait that the call's deadline ends.</summary>
    internal static CallResult Take(CallContext call, long id)
    {
        // A wait goes on though the descriptor was closed meanwhile.
        var waiter = call.State as KernelSemaphoreWaiter;
        KernelSemaphore? semaphore = waiter?.Semaphore ?? Find(call, id);
        if (semaphore is null)
            return Errno.EINVAL;
        if (waiter is { IsWoken: false } && !call.DeadlinePassed && !call.Interrupted)
            return call.Wait(waiter.Source);
        waiter?.Leave();
        call.State = null;
        if (waiter is not { IsWoken: false } && semaphore.TryTake())
            return CallResult.Ok();
        if (call.DeadlinePassed)
            return Errno.ETIMEDOUT;
        if (call.Interrupted)
            return call.Wait();
        // Somebody was faster: it waits behind the others again, as in cv_wait_sig(9)'s loops.
        waiter = semaphore.Wait();
        call.State = waiter;
        return call.Wait(waiter.Source);
    }

    /// <summary>The semaphore behind a descriptor, or behind a number that all processes know; null for EINVAL.</summary>
    internal static KernelSemaphore? Find(CallContext call, long id)
    {
        if (call.Ipc.KernelSemaphores.Find(id) is { } shared)
            return shared;
        return id is >= 0 and <= int.MaxValue && call.File((int)id) is SemaphoreFile { Semaphore: { IsDead: false } semaphore } ? semaphore : null;
    }

    /// <summary>Reads a name with room for so many bytes, the last of them 0: EFAULT, ENAMETOOLONG.</summary>
    internal static Errno ReadName(CallContext call, GuestAddress address, int room, out string name)
    {
        byte[]? bytes = call.Memory.ReadCString(address, room, out bool tooLong);
        name = bytes is null ? "" : Encoding.Latin1.GetString(bytes);
        return bytes is null ? tooLong ? Errno.ENAMETOOLONG : Errno.EFAULT : bytes.Length >= room ? Errno.ENAMETOOLONG : Errno.None;
    }

    internal static bool CanWrite(CallContext call, GuestAddress address) => call.Memory.TryRead(address, out long before) && call.Memory.TryWrite(address, before);

    /// <summary>Gives a semaphore to the caller: its descriptor is the number. There is room, and the place can be written to.</summary>
    internal static CallResult Install(CallContext call, KernelSemaphore semaphore, GuestAddress id, bool closeOnExec, long? number = null)
    {
        var file = new SemaphoreFile(semaphore);
        Errno error = call.Process.Files.Add(file, closeOnExec, out int descriptor);
        if (error != Errno.None)
        {
            file.Release();
            return error;
        }
        return call.Memory.TryWrite(id, number ?? descriptor) ? CallResult.Ok() : Errno.EFAULT;
    }
}
