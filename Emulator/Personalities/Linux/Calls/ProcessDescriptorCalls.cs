using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Processes by descriptor, and looking into others: pidfd_open(2), process_vm_readv(2).</summary>
public static class ProcessDescriptorCalls
{
    private const uint NonBlocking = 0x800;
    private const int MostVectors = 1024;

    public static CallResult PidfdOpen(CallContext call, int pid, uint flags)
    {
        if ((flags & ~NonBlocking) != 0 || pid <= 0)
            return Errno.EINVAL;
        if (call.FindProcess(pid) is not { } process)
            return call.FindThread(pid) is null ? Errno.ESRCH : Errno.ENOENT;
        return Install(call, process, flags);
    }

    internal static CallResult Install(CallContext call, Process process, uint flags)
    {
        OpenFlags status = (flags & NonBlocking) != 0 ? OpenFlags.NonBlocking : OpenFlags.None;
        return PipeCalls.Install(call, new ProcessDescriptor(process, status), closeOnExec: true);
    }

    public static CallResult PidfdSendSignal(CallContext call, int pidfd, int signal, GuestAddress information, uint flags)
    {
        const uint group = 4, known = 7;
        if ((flags & ~known) != 0 || (flags & (flags - 1)) != 0)
            return Errno.EINVAL;
        if (Target(call, pidfd) is not { } target)
            return Errno.EBADF;
        var info = new SignalInfo(signal) { SenderProcess = call.ProcessNumber, SenderUser = call.Thread.Credentials.User };
        if (!information.IsNull)
        {
            const int sentByThread = -6;
            if (!call.Memory.TryRead(information, out SigInfo raw))
                return Errno.EFAULT;
            if (raw.Signal != signal)
                return Errno.EINVAL;
            if ((raw.Code >= 0 || raw.Code == sentByThread) && !ReferenceEquals(target, call.Process))
                return Errno.EPERM;
            info = raw.ToSignal(signal);
        }
        if (signal != 0 && !Signal.IsValid(signal))
            return Errno.EINVAL;
        if (target.IsReaped)
            return Errno.ESRCH;
        if (!call.Thread.MaySignal(target))
            return Errno.EPERM;
        if (signal != 0 && !((flags & group) != 0 ? call.World.SendGroup(target.Group, info) : call.World.Send(target, info)))
            return Errno.EAGAIN;
        return call.Thread.IsAlive ? CallResult.Ok() : CallResult.NoReturn;
    }

    /// <summary>The process that a descriptor, or an open directory of /proc, stands for.</summary>
    private static Process? Target(CallContext call, int fd) => call.UsableFile(fd, out OpenFile file) != Errno.None
        ? null
        : file is ProcessDescriptor descriptor ? descriptor.Process : file.Inode.Kind == FileKind.Directory ? file.Inode.Attachment as Process : null;

    /// <summary>Another process's open file under a number of one's own.</summary>
    public static CallResult PidfdGetfd(CallContext call, int pidfd, int fd, uint flags)
    {
        if (flags != 0)
            return Errno.EINVAL;
        if (call.File(pidfd) is not ProcessDescriptor descriptor)
            return Errno.EBADF;
        if (descriptor.Process.IsZombie)
            return Errno.ESRCH;
        if (!descriptor.Process.MayBeInspectedBy(call.Thread))
            return Errno.EPERM;
        if (descriptor.Process.Files.Get(fd) is not { } file)
            return Errno.EBADF;
        file.AddReference();
        return PipeCalls.Install(call, file, closeOnExec: true);
    }

    public static CallResult ProcessVmReadv(CallContext call, int pid, GuestAddress local, ulong localCount, GuestAddress remote, ulong remoteCount, ulong flags) =>
        Transfer(call, pid, local, localCount, remote, remoteCount, flags, writes: false);

    public static CallResult ProcessVmWritev(CallContext call, int pid, GuestAddress local, ulong localCount, GuestAddress remote, ulong remoteCount, ulong flags) =>
        Transfer(call, pid, local, localCount, remote, remoteCount, flags, writes: true);

    private static CallResult Transfer(CallContext call, int pid, GuestAddress local, ulong localCount, GuestAddress remote, ulong remoteCount, ulong flags, bool writes)
    {
        if (flags != 0)
            return Errno.EINVAL;
        Errno error = ReadVectors(call, local, localCount, out List<(ulong Base, ulong Length)> here);
        if (error != Errno.None)
            return error;
        if (here.Count == 0)
            return CallResult.Ok();
        error = ReadVectors(call, remote, remoteCount, out List<(ulong Base, ulong Length)> there);
        if (error != Errno.None)
            return error;
        if ((call.FindProcess(pid) ?? call.FindThread(pid)?.Process) is not { IsZombie: false } target)
            return Errno.ESRCH;
        if (!target.MayBeInspectedBy(call.Thread))
            return Errno.EPERM;
        HideSecrets(target.Memory, there);
        long done = writes ? Copy(call.Memory, here, target.Memory, there) : Copy(target.Memory, there, call.Memory, here);
        return done == 0 && there.Count > 0 ? Errno.EFAULT : CallResult.Ok(done);
    }

    /// <summary>Cuts what another's secret memory would be read or written by, and all behind it: for others it is not there.</summary>
    private static void HideSecrets(AddressSpace memory, List<(ulong Base, ulong Length)> vectors)
    {
        for (int i = 0; i < vectors.Count; i++)
        {
            (ulong start, ulong length) = vectors[i];
            for (ulong at = start; at - start < length && memory.TryFindArea(new GuestAddress(at), out AreaInfo area); at = area.End.Value)
            {
                if (area.Object is not { IsSecret: true })
                    continue;
                vectors[i] = (at == start ? 0 : start, at == start ? 1 : at - start);
                vectors.RemoveRange(i + 1, vectors.Count - i - 1);
                if (at != start)
                    vectors.Add((0, 1));
                return;
            }
        }
    }

    /// <summary>Takes the memory of a process that ends (process_mrelease(2)); here nothing of it is left by then.</summary>
    public static CallResult ProcessMrelease(CallContext call, int pidfd, uint flags)
    {
        if (flags != 0)
            return Errno.EINVAL;
        if (call.File(pidfd) is not ProcessDescriptor descriptor)
            return Errno.EBADF;
        return descriptor.Process.IsZombie ? Errno.ESRCH : Errno.EINVAL;
    }

    /// <summary>Fills the targets from the sources until either ends or faults; returns the bytes.</summary>
    private static long Copy(AddressSpace from, List<(ulong Base, ulong Length)> sources, AddressSpace to, List<(ulong Base, ulong Length)> targets)
    {
        long done = 0;
        int source = 0, target = 0;
        ulong sourceOffset = 0, targetOffset = 0;
        while (source < sources.Count && target < targets.Count)
        {
            ulong length = Math.Min(sources[source].Length - sourceOffset, targets[target].Length - targetOffset);
            ReadOnlySpan<byte> bytes = from.View(new GuestAddress(sources[source].Base + sourceOffset), length, MemoryAccess.Read);
            Span<byte> place = to.View(new GuestAddress(targets[target].Base + targetOffset), (ulong)bytes.Length, MemoryAccess.Write);
            if (place.IsEmpty)
                break;
            bytes[..place.Length].CopyTo(place);
            done += place.Length;
            sourceOffset += (ulong)place.Length;
            targetOffset += (ulong)place.Length;
            if (sourceOffset == sources[source].Length)
                (source, sourceOffset) = (source + 1, 0);
            if (targetOffset == targets[target].Length)
                (target, targetOffset) = (target + 1, 0);
        }
        return done;
    }

    /// <summary>Vectors that have a length.</summary>
    private static Errno ReadVectors(CallContext call, GuestAddress table, ulong count, out List<(ulong Base, ulong Length)> vectors)
    {
        vectors = [];
        if (count > MostVectors)
            return Errno.EINVAL;
        for (ulong i = 0; i < count; i++)
        {
            if (!call.Memory.TryRead(table + (i * 16), out ulong start) || !call.Memory.TryRead(table + (i * 16) + 8, out ulong length))
                return Errno.EFAULT;
            if ((long)length < 0)
                return Errno.EINVAL;
            if (length > 0)
                vectors.Add((start, length));
        }
        return Errno.None;
    }

    /// <summary>madvise(2) for another process: only what changes nothing it could see.</summary>
    public static CallResult ProcessMadvise(CallContext call, int pidfd, GuestAddress table, ulong count, int advice, uint flags)
    {
        const int willNeed = 3, cold = 20, pageOut = 21, collapse = 25;
        if (flags != 0)
            return Errno.EINVAL;
        Errno error = ReadVectors(call, table, count, out List<(ulong Base, ulong Length)> vectors);
        if (error != Errno.None)
            return error;
        if (call.File(pidfd) is not ProcessDescriptor descriptor)
            return Errno.EBADF;
        if (descriptor.Process.IsZombie)
            return Errno.ESRCH;
        bool isOwn = ReferenceEquals(descriptor.Process, call.Process);
        if (!isOwn && advice is not (willNeed or cold or pageOut or collapse))
            return Errno.EINVAL;
        if (!isOwn && !call.Thread.Credentials.Has(Capability.Nice))
            return Errno.EPERM;
        long done = 0;
        foreach ((ulong start, ulong length) in vectors)
        {
            CallResult result = MemoryCalls.AdviseOther(descriptor.Process.Memory, new GuestAddress(start), length, advice);
            if (result.Outcome == CallOutcome.Error)
                return done > 0 ? CallResult.Ok(done) : result;
            done += (long)length;
        }
        return CallResult.Ok(done);
    }
}
