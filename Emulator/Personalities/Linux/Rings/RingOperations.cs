using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.Linux.Rings;

/// <summary>The operations of io_uring_enter(2): most are calls, with their arguments found in the submission.</summary>
internal static class RingOperations
{
    public const byte LinkTimeout = 15;

    private const uint Multishot = 1;

    /// <summary>The end of user addresses (TASK_SIZE).</summary>
    private const ulong UserEnd = 0x7FFF_FFFF_F000;

    /// <summary>Highest operation known here, for IORING_REGISTER_PROBE.</summary>
    public const byte Last = 45;

    public static bool IsKnown(byte opcode) => opcode is < 30 or (>= 31 and <= 39) or (>= 41 and <= Last);

    /// <summary>Runs an operation, for the first time or again.</summary>
    public static CallResult Run(RingRequest request, CallContext call, in IoUringSqe entry)
    {
        int fd = entry.Descriptor;
        if ((entry.Flags & IoUringSqe.FixedFile) != 0)
        {
            call.FixedFile = (uint)fd < (uint)request.Ring.Files.Length ? request.Ring.Files[fd] : null;
            fd = CallContext.FixedDescriptor;
        }
        CallResult result = (entry.Flags & IoUringSqe.SelectsBuffer) != 0 ? SelectBuffer(request, call, fd, entry) : Dispatch(request, call, fd, entry);
        // What a non-blocking file has not now is waited for all the same, unless the operation itself says no (io_rw_init_file, io_recv).
        bool mayWait = result is { Outcome: CallOutcome.Error, Error: Errno.EAGAIN } && !call.Interrupted && !IsImpatient(entry);
        return mayWait && call.File(fd) is { IsNonBlocking: true } file ? call.Wait(file.Source, RestartKind.Never) : result;
    }

    /// <summary>Reads and receives into the next of the buffers that were given beforehand; again and again when it is asked to.</summary>
    private static CallResult SelectBuffer(RingRequest request, CallContext call, int fd, IoUringSqe entry)
    {
        const byte read = 22, receive = 27;
        const ushort again = 2;
        if (entry.Opcode is not (read or receive))
            return Errno.EINVAL;
        bool isMultishot = entry.Opcode == receive && (entry.Priority & again) != 0;
        uint most = entry.Length;
        while (true)
        {
            // After a result the next buffer is chosen when there is something for it.
            if (request.HasTold && call.File(fd) is { } file && (file.Poll() & (Readiness.In | Readiness.Error | Readiness.HangUp)) == 0)
                return call.Wait(file.Source, RestartKind.Never);
            if (!request.Ring.ProvidedBuffers.TryGetValue(entry.BufferIndex, out RingBuffers? group) || group.Peek(call.Memory) is not { } buffer)
                return Errno.ENOBUFS;
            (entry.Address, entry.Length) = (buffer.Address, most == 0 ? buffer.Length : Math.Min(most, buffer.Length));
            CallResult result = Dispatch(request, call, fd, entry);
            if (result.Outcome != CallOutcome.Value || (isMultishot && result.Value == 0))
                return result;
            group.Take();
            uint told = IoUringCqe.HasBuffer | (uint)buffer.Number << 16;
            if (!isMultishot)
            {
                request.EndFlags = told;
                return result;
            }
            request.Tell((int)result.Value, told);
            // The next one begins anew.
            call.Progress = 0;
        }
    }

    private static bool IsImpatient(in IoUringSqe entry)
    {
        const uint noWait = 8, dontWait = 0x40;
        return entry.Opcode switch
        {
            1 or 2 or 4 or 5 or 22 or 23 => (entry.OperationFlags & noWait) != 0,
            9 or 10 or 26 or 27 => (entry.OperationFlags & dontWait) != 0,
            13 => false,
            _ => true,
        };
    }

    private static CallResult Dispatch(RingRequest request, CallContext call, int fd, in IoUringSqe entry)
    {
        return entry.Opcode switch
        {
            0 => 0,
            1 or 2 or 4 or 5 or 22 or 23 => Transfer(request, call, fd, entry),
            6 => PollAdd(request, call, fd, entry),
            7 or 12 or 14 => Cancel(request, call, fd, entry),
            11 => Timeout(request, call, entry),
            13 => Accept(request, call, fd, entry),
            _ => Names(request, call, fd, entry),
        };
    }

    /// <summary>A transfer that moved less than asked ends a chain.</summary>
    public static bool IsShort(in IoUringSqe entry, int result) => entry.Opcode is 4 or 5 or 22 or 23 or 26 or 27 && (uint)result != entry.Length;

    private static CallResult Transfer(RingRequest request, CallContext call, int fd, in IoUringSqe entry)
    {
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        var address = new GuestAddress(entry.Address);
        // Streams have no offsets; elsewhere -1 means the file's own position.
        bool isPositioned = file.CanSeek && entry.Offset != ulong.MaxValue;
        switch (entry.Opcode)
        {
            case 1:
                return ReadWriteCalls.Preadv2(call, fd, address, (int)entry.Length, isPositioned ? entry.Offset : ulong.MaxValue, 0, entry.OperationFlags);
            case 2:
                return ReadWriteCalls.Pwritev2(call, fd, address, (int)entry.Length, isPositioned ? entry.Offset : ulong.MaxValue, 0, entry.OperationFlags);
            case 4 or 5 when !IsInside(request.Ring, entry):
                return Errno.EFAULT;
            case 4 or 22:
                return isPositioned
                    ? ReadWriteCalls.Pread64(call, fd, address, entry.Length, (long)entry.Offset)
                    : ReadWriteCalls.Read(call, fd, address, entry.Length);
            default:
                return isPositioned
                    ? ReadWriteCalls.Pwrite64(call, fd, address, entry.Length, (long)entry.Offset)
                    : ReadWriteCalls.Write(call, fd, address, entry.Length);
        }
    }

    /// <summary>A fixed transfer stays in its registered buffer.</summary>
    private static bool IsInside(IoRing ring, in IoUringSqe entry)
    {
        if (entry.BufferIndex >= ring.Buffers.Length)
            return false;
        IoVector buffer = ring.Buffers[entry.BufferIndex];
        return entry.Address >= buffer.Base && entry.Length <= buffer.Length && entry.Address - buffer.Base <= buffer.Length - entry.Length;
    }

    private static CallResult PollAdd(RingRequest request, CallContext call, int fd, in IoUringSqe entry)
    {
        if ((entry.Length & ~Multishot) != 0 || entry.Address != 0)
            return Errno.EINVAL;
        if (call.UsableFile(fd, out OpenFile file) != Errno.None)
            return Errno.EBADF;
        var wanted = (Readiness)entry.OperationFlags | Readiness.Error | Readiness.HangUp;
        Readiness ready = file.Poll() & wanted;
        if (ready == Readiness.None)
            return call.Wait(file.Source, RestartKind.Never);
        if ((entry.Length & Multishot) == 0)
            return (long)ready;
        if (!call.Interrupted)
            request.Tell((int)ready);
        return call.Wait(file.Source, RestartKind.Never);
    }

    private static CallResult Accept(RingRequest request, CallContext call, int fd, in IoUringSqe entry)
    {
        while (true)
        {
            CallResult result = SocketCalls.Accept4(call, fd, new GuestAddress(entry.Address), new GuestAddress(entry.Offset), (int)entry.OperationFlags);
            if ((entry.Priority & Multishot) == 0 || result.Outcome != CallOutcome.Value)
                return result;
            request.Tell((int)result.Value);
        }
    }

    /// <summary>POLL_REMOVE, TIMEOUT_REMOVE, ASYNC_CANCEL: by user data, descriptor or all.</summary>
    private static CallResult Cancel(RingRequest request, CallContext call, int fd, in IoUringSqe entry)
    {
        const uint all = 1, byFile = 2, any = 4;
        uint flags = entry.Opcode == 14 ? entry.OperationFlags : 0;
        if ((flags & ~(all | byFile | any)) != 0 || (entry.Opcode != 14 && (entry.OperationFlags != 0 || entry.Length != 0)))
            return Errno.EINVAL;
        int cancelled = 0;
        foreach (RingRequest other in request.Ring.Requests.ToArray())
        {
            bool isMeant = (flags & any) != 0 || ((flags & byFile) != 0
                ? call.File(other.Entry.Descriptor) is { } file && ReferenceEquals(file, call.File(fd))
                : other.IsUnder(entry.Address));
            bool isKind = entry.Opcode switch { 7 => other.Entry.Opcode == 6, 12 => other.Entry.Opcode == 11, _ => true };
            if (!isMeant || !isKind || ReferenceEquals(other, request) || !other.Cancel())
                continue;
            cancelled++;
            if ((flags & (all | any)) == 0)
                return 0;
        }
        return (flags & (all | any)) != 0 ? cancelled : Errno.ENOENT;
    }

    /// <summary>A time-out ends with ETIME, or with 0 when as many requests as its offset says were completed before.</summary>
    private static CallResult Timeout(RingRequest request, CallContext call, in IoUringSqe entry)
    {
        const uint absolute = 1, successful = 0x20;
        if (entry.Length != 1 || (entry.OperationFlags & ~(absolute | 4 | successful)) != 0)
            return Errno.EINVAL;
        if (call.Deadline is null)
        {
            Errno error = call.ReadTime(new GuestAddress(entry.Address), out long nanoseconds);
            if (error != Errno.None)
                return error;
            if ((entry.OperationFlags & absolute) != 0)
                call.SetDeadline(nanoseconds - call.ClockOffset());
            else
                call.SetTimeout(nanoseconds);
        }
        if (entry.Offset != 0 && request.Ring.Completed - request.CompletedBefore >= entry.Offset)
            return 0;
        if (call.DeadlinePassed)
            return (entry.OperationFlags & successful) != 0 ? 0 : Errno.ETIME;
        return call.Wait(request.Ring.Source, RestartKind.Never);
    }

    private static CallResult Names(RingRequest request, CallContext call, int fd, in IoUringSqe entry)
    {
        var address = new GuestAddress(entry.Address);
        var second = new GuestAddress(entry.Offset);
        uint flags = entry.OperationFlags;
        switch (entry.Opcode)
        {
            case 3:
                return (flags & 1) != 0 ? ContentCalls.Fdatasync(call, fd) : ContentCalls.Fsync(call, fd);
            case 8:
                return ContentCalls.SyncFileRange(call, fd, (long)entry.Offset, entry.Length, flags);
            // Again and again only into buffers that are chosen.
            case 10 or 27 when (entry.Priority & 2) != 0 && (entry.Flags & IoUringSqe.SelectsBuffer) == 0:
                return Errno.EINVAL;
            case 9:
                return MessageCalls.Sendmsg(call, fd, address, (int)flags);
            case 10:
                return MessageCalls.Recvmsg(call, fd, address, (int)flags);
            case 16:
                return SocketCalls.Connect(call, fd, address, (int)entry.Offset);
            case 17:
                return ContentCalls.Fallocate(call, fd, (int)entry.Length, (long)entry.Offset, (long)entry.Address);
            case 18:
                return OpenCalls.Openat(call, fd, address, flags, entry.Length);
            case 19:
                return call.File(fd) is IoRing ? Errno.EBADF : OpenCalls.Close(call, fd);
            case 20:
                return UpdateFiles(request.Ring, call, entry);
            case 21:
                return StatCalls.Statx(call, fd, address, flags, entry.Length, second);
            case 24:
                return ContentCalls.Fadvise64(call, fd, (long)entry.Offset, entry.Length, (int)flags);
            case 25:
                return MemoryCalls.Madvise(call, address, entry.Length, (int)flags);
            case 26:
                return MessageCalls.Sendto(call, fd, address, entry.Length, (int)flags, default, 0);
            case 27:
                return MessageCalls.Recvfrom(call, fd, address, entry.Length, (int)flags, default, default);
            case 28:
                return OpenCalls.Openat2(call, fd, address, second, entry.Length);
            case 29:
                return EpollCalls.EpollCtl(call, fd, (int)entry.Length, (int)entry.Offset, address);
            case 31:
                return ProvideBuffers(request.Ring, call, entry);
            case 32:
                return RemoveBuffers(request.Ring, entry);
            default:
                return MoreNames(call, fd, entry, address, second, flags);
        }
    }

    private static CallResult MoreNames(CallContext call, int fd, in IoUringSqe entry, GuestAddress address, GuestAddress second, uint flags)
    {
        switch (entry.Opcode)
        {
            case 33:
                return SpliceCalls.Tee(call, entry.OtherDescriptor, fd, entry.Length, flags);
            case 34:
                return SocketCalls.Shutdown(call, fd, (int)entry.Length);
            case 35:
                return NameCalls.Renameat2(call, fd, address, (int)entry.Length, second, flags);
            case 36:
                return NameCalls.Unlinkat(call, fd, address, flags);
            case 37:
                return NameCalls.Mkdirat(call, fd, address, entry.Length);
            case 38:
                return NameCalls.Symlinkat(call, address, fd, second);
            case 39:
                return NameCalls.Linkat(call, fd, address, (int)entry.Length, second, flags);
            case 41:
                return ExtendedAttributeCalls.Fsetxattr(call, fd, address, second, entry.Length, flags);
            case 42:
                return ExtendedAttributeCalls.Setxattr(call, new GuestAddress(entry.Address3), address, second, entry.Length, flags);
            case 43:
                return ExtendedAttributeCalls.Fgetxattr(call, fd, address, second, entry.Length);
            case 44:
                return ExtendedAttributeCalls.Getxattr(call, new GuestAddress(entry.Address3), address, second, entry.Length);
            case 45:
                return SocketCalls.Socket(call, fd, (int)entry.Offset, (int)entry.Length);
            default:
                return Errno.EINVAL;
        }
    }

    /// <summary>Gives buffers that lie one after the other: how many, where, of what length, from which number on.</summary>
    private static CallResult ProvideBuffers(IoRing ring, CallContext call, in IoUringSqe entry)
    {
        if (entry.OperationFlags != 0 || entry.OtherDescriptor != 0)
            return Errno.EINVAL;
        if (entry.Descriptor is <= 0 or > RingBuffers.Most || entry.Offset > ushort.MaxValue)
            return Errno.E2BIG;
        ulong size = (ulong)entry.Descriptor * entry.Length;
        if (entry.Address + size < entry.Address)
            return Errno.EOVERFLOW;
        if (entry.Offset + (ulong)entry.Descriptor > RingBuffers.Most)
            return Errno.EINVAL;
        // Whether they are there shows when they are used.
        if (entry.Address + size > UserEnd)
            return Errno.EFAULT;
        if (!ring.ProvidedBuffers.TryGetValue(entry.BufferIndex, out RingBuffers? group))
            ring.ProvidedBuffers.Add(entry.BufferIndex, group = new RingBuffers());
        if (group.IsMapped)
            return Errno.EINVAL;
        if (group.Count + entry.Descriptor > RingBuffers.Most)
            return Errno.ENOMEM;
        for (int i = 0; i < entry.Descriptor; i++)
            group.Add(new ProvidedBuffer(entry.Address + ((ulong)i * entry.Length), entry.Length, (ushort)((int)entry.Offset + i)));
        return 0;
    }

    /// <summary>Takes given buffers back; how many there were.</summary>
    private static CallResult RemoveBuffers(IoRing ring, in IoUringSqe entry)
    {
        if (entry.OperationFlags != 0 || entry.Address != 0 || entry.Length != 0 || entry.Offset != 0 || entry.OtherDescriptor != 0 || entry.Descriptor is <= 0 or > RingBuffers.Most)
            return Errno.EINVAL;
        if (!ring.ProvidedBuffers.TryGetValue(entry.BufferIndex, out RingBuffers? group))
            return Errno.ENOENT;
        if (group.IsMapped)
            return Errno.EINVAL;
        int removed = Math.Min(group.Count, entry.Descriptor);
        for (int i = 0; i < removed; i++)
            group.Take();
        return removed;
    }

    /// <summary>Replaces registered files by descriptors; -1 frees a place.</summary>
    public static CallResult UpdateFiles(IoRing ring, CallContext call, in IoUringSqe entry) =>
        UpdateFiles(ring, call, (uint)entry.Offset, new GuestAddress(entry.Address), entry.Length);

    public static CallResult UpdateFiles(IoRing ring, CallContext call, uint first, GuestAddress descriptors, uint count)
    {
        if (ring.Files.Length == 0)
            return Errno.ENXIO;
        if (count == 0 || (ulong)first + count > (ulong)ring.Files.Length)
            return Errno.EINVAL;
        for (uint i = 0; i < count; i++)
        {
            if (!call.Memory.TryRead(descriptors + (i * 4), out int fd))
                return i > 0 ? i : Errno.EFAULT;
            OpenFile? file = fd < 0 ? null : call.File(fd);
            if (fd >= 0 && file is null or IoRing)
                return i > 0 ? i : Errno.EBADF;
            file?.AddReference();
            ring.Files[first + i]?.Release();
            ring.Files[first + i] = file;
        }
        return count;
    }
}
