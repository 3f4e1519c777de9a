using System.Numerics;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Linux.Rings;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>io_uring_setup(2), io_uring_enter(2), io_uring_register(2). Rings with entries of the plain sizes.</summary>
public static class IoUringCalls
{
    private const uint GetEvents = 1;
    private const uint ExtendedArgument = 8;

    public static CallResult IoUringSetup(CallContext call, uint entries, GuestAddress address)
    {
        // SQPOLL, SQ_AFF, CQSIZE, CLAMP, R_DISABLED, SUBMIT_ALL, COOP_TASKRUN, TASKRUN_FLAG, SINGLE_ISSUER, DEFER_TASKRUN; completions are always delivered at calls.
        const uint sized = 8, clamped = 0x10, submitAll = 0x80, singleIssuer = 0x1000, deferred = 0x2000;
        const uint polls = 2, bound = 4, disabled = 0x40, tasks = 0x100 | 0x200 | deferred;
        const uint known = polls | bound | sized | clamped | disabled | submitAll | tasks | singleIssuer;
        // SINGLE_MMAP, NODROP, SUBMIT_STABLE, RW_CUR_POS, FAST_POLL, POLL_32BITS, SQPOLL_NONFIXED, EXT_ARG, NATIVE_WORKERS, CQE_SKIP, LINKED_FILE.
        const uint features = 0x1 | 0x2 | 0x4 | 0x8 | 0x20 | 0x40 | 0x80 | 0x100 | 0x200 | 0x800 | 0x1000;
        if (!call.Memory.TryRead(address, out IoUringParams parameters))
            return Errno.EFAULT;
        if (parameters.Reserved0 != 0 || parameters.Reserved1 != 0 || (parameters.Flags & ~known) != 0)
            return Errno.EINVAL;
        if ((parameters.Flags & (deferred | singleIssuer)) == deferred || entries == 0)
            return Errno.EINVAL;
        // Who has a thread of the kernel has no work of its own to look for.
        bool hasThread = (parameters.Flags & polls) != 0;
        if ((parameters.Flags & (hasThread ? tasks : bound)) != 0)
            return Errno.EINVAL;
        if (Clamp(ref entries, IoRing.MostEntries, (parameters.Flags & clamped) != 0) is not Errno.None and Errno error)
            return error;
        uint submissions = BitOperations.RoundUpToPowerOf2(entries), completions = 2 * submissions;
        if ((parameters.Flags & sized) != 0)
        {
            uint wanted = parameters.CompletionEntries;
            if (wanted == 0 || Clamp(ref wanted, IoRing.MostCompletions, (parameters.Flags & clamped) != 0) != Errno.None)
                return Errno.EINVAL;
            completions = BitOperations.RoundUpToPowerOf2(wanted);
            if (completions < submissions)
                return Errno.EINVAL;
        }
        if (IoRing.Create(call.World, submissions, completions, (parameters.Flags & submitAll) != 0, hasThread) is not { } ring)
            return Errno.ENOMEM;
        ring.IsDisabled = (parameters.Flags & disabled) != 0;
        ring.Describe(ref parameters);
        parameters.Features = features;
        if (call.Memory.TryWrite(address, parameters))
            return PipeCalls.Install(call, ring, closeOnExec: true);
        ring.Release();
        return Errno.EFAULT;
    }

    private static Errno Clamp(ref uint count, uint most, bool mayClamp)
    {
        if (count > most && !mayClamp)
            return Errno.EINVAL;
        count = Math.Min(count, most);
        return Errno.None;
    }

    public static CallResult IoUringEnter(CallContext call, int fd, uint count, uint least, uint flags, GuestAddress argument, ulong size)
    {
        const uint wakes = 2, waits = 4;
        if ((flags & ~(GetEvents | wakes | waits | ExtendedArgument)) != 0)
            return Errno.EINVAL;
        if (call.UsableFile(fd, out OpenFile file) != Errno.None)
            return Errno.EBADF;
        if (file is not IoRing ring)
            return Errno.EOPNOTSUPP;
        if (ring.IsDisabled)
            return Errno.EBADFD;
        if (call.State is null)
        {
            call.State = ring;
            if (!ring.Polls)
                call.Progress = Submit(call, ring, count);
            else if ((flags & wakes) != 0)
                Submit(call, ring, uint.MaxValue);
            if (ring.Polls)
                call.Progress = count;
        }
        if ((flags & GetEvents) == 0 || (count != 0 && call.Progress < count && call.Progress == 0))
            return call.Progress;
        Errno error = ReadArgument(call, flags, argument, size);
        if (error != Errno.None)
            return call.Progress != 0 ? call.Progress : error;
        ring.Flush();
        if (ring.Ready >= least)
            return call.Progress;
        if (call.DeadlinePassed)
            return call.Progress != 0 ? call.Progress : Errno.ETIME;
        return call.Wait(ring.Source, RestartKind.Never);
    }

    /// <summary>A signal mask, or with IORING_ENTER_EXT_ARG struct io_uring_getevents_arg: mask, its size, and a time-out.</summary>
    private static Errno ReadArgument(CallContext call, uint flags, GuestAddress argument, ulong size)
    {
        const ulong extendedSize = 24;
        if ((flags & ExtendedArgument) == 0)
            return call.UseTemporaryMask(argument, size);
        if (size != extendedSize)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(argument, out ulong mask) || !call.Memory.TryRead(argument + 8, out uint maskSize) || !call.Memory.TryRead(argument + 16, out ulong time))
            return Errno.EFAULT;
        Errno error = call.UseTemporaryMask(new GuestAddress(mask), maskSize);
        return error != Errno.None || time == 0 || call.Deadline is not null ? error : call.SetTimeout(new GuestAddress(time));
    }

    private static long Submit(CallContext call, IoRing ring, uint count)
    {
        RingRequest? first = null, last = null;
        long submitted = 0;
        while (submitted < count && ring.TryTake(out IoUringSqe entry))
        {
            submitted++;
            Errno error = Check(ring, entry);
            if (error != Errno.None)
            {
                Fail(ring, entry, error, ref first, ref last);
                if (!ring.SubmitsAll)
                    break;
                continue;
            }
            if (entry.Opcode == RingOperations.LinkTimeout)
            {
                Limit(call, ring, entry, last);
            }
            else
            {
                var request = new RingRequest(ring, call.Thread, entry);
                request.Enlist();
                first ??= request;
                if (last is not null)
                    last.Next = request;
                last = request;
            }
            if ((entry.Flags & (IoUringSqe.Link | IoUringSqe.HardLink)) != 0)
                continue;
            Start(ring, ref first, ref last);
        }
        Start(ring, ref first, ref last);
        return submitted;
    }

    private static Errno Check(IoRing ring, in IoUringSqe entry)
    {
        if ((entry.Flags & ~IoUringSqe.Known) != 0 || !RingOperations.IsKnown(entry.Opcode))
            return Errno.EINVAL;
        // Requests that are not told cannot be counted, so none waits for all before it any more (io_init_req).
        ring.CannotDrain |= (entry.Flags & IoUringSqe.SkipSuccess) != 0;
        return ring.CannotDrain && (entry.Flags & IoUringSqe.Drain) != 0 ? Errno.EOPNOTSUPP : Errno.None;
    }

    /// <summary>Starts a chain; with IOSQE_IO_DRAIN when all before it is done.</summary>
    private static void Start(IoRing ring, ref RingRequest? first, ref RingRequest? last)
    {
        if (first is not { } head)
            return;
        (first, last) = (null, null);
        bool mustWait = (head.Entry.Flags & IoUringSqe.Drain) != 0 && !ReferenceEquals(ring.Requests.First!.Value, head);
        if (!mustWait)
        {
            head.Start();
            return;
        }
        void OnCompletion()
        {
            if (ring.Requests.First is { } oldest && !ReferenceEquals(oldest.Value, head))
                return;
            ring.OnCompletion -= OnCompletion;
            head.Start();
        }
        ring.OnCompletion += OnCompletion;
    }

    /// <summary>A submission that cannot be begun is told at once, and so is the chain it belongs to.</summary>
    private static void Fail(IoRing ring, in IoUringSqe entry, Errno error, ref RingRequest? first, ref RingRequest? last)
    {
        RingRequest? chain = first;
        (first, last) = (null, null);
        chain?.Skip();
        ring.Complete(entry.UserData, -(int)error, 0);
    }

    private static void Limit(CallContext call, IoRing ring, in IoUringSqe entry, RingRequest? limited)
    {
        Errno error = Errno.EINVAL;
        long nanoseconds = 0;
        if (limited is not null && entry.Length == 1)
            error = call.ReadTime(new GuestAddress(entry.Address), out nanoseconds);
        if (error == Errno.None)
            limited!.Limit = (entry.UserData, nanoseconds);
        else
            ring.Complete(entry.UserData, -(int)error, 0);
    }

    public static CallResult IoUringRegister(CallContext call, int fd, uint operation, GuestAddress argument, uint count)
    {
        if (call.UsableFile(fd, out OpenFile file) != Errno.None)
            return Errno.EBADF;
        if (file is not IoRing ring)
            return Errno.EOPNOTSUPP;
        switch (operation)
        {
            case 0:
                return RegisterBuffers(call, ring, argument, count);
            case 1 when ring.Buffers.Length == 0:
                return Errno.ENXIO;
            case 1:
                ring.Buffers = [];
                return 0;
            case 2:
                return RegisterFiles(call, ring, argument, count);
            case 3 when ring.Files.Length == 0:
                return Errno.ENXIO;
            case 3:
                ring.SetFiles([]);
                return 0;
            case 4 or 7:
                return RegisterEvents(call, ring, argument, count);
            case 5:
                return UnregisterEvents(ring);
            case 6:
                return UpdateFiles(call, ring, argument, count);
            case 8:
                return Probe(call, argument, count);
            case 12:
                if (!ring.IsDisabled)
                    return Errno.EBADFD;
                ring.IsDisabled = false;
                return 0;
            case 22 or 23:
                return RegisterBufferRing(call, ring, argument, count, registers: operation == 22);
            default:
                return Errno.EINVAL;
        }
    }

    private static CallResult RegisterBuffers(CallContext call, IoRing ring, GuestAddress argument, uint count)
    {
        const uint mostBuffers = 1 << 14;
        const ulong longest = 1 << 30;
        if (ring.Buffers.Length != 0)
            return Errno.EBUSY;
        if (count is 0 or > mostBuffers)
            return Errno.EINVAL;
        IoVector[] buffers = new IoVector[count];
        if (!call.Memory.TryRead(argument, System.Runtime.InteropServices.MemoryMarshal.AsBytes(buffers.AsSpan())))
            return Errno.EFAULT;
        foreach (IoVector buffer in buffers)
        {
            if (buffer.Base == 0 ? buffer.Length != 0 : buffer.Length is 0 or > longest)
                return Errno.EFAULT;
            if (buffer.Base != 0 && !call.Memory.IsMapped(new GuestAddress(buffer.Base & ~0xFFFUL), buffer.Length + (buffer.Base & 0xFFF)))
                return Errno.EFAULT;
        }
        ring.Buffers = buffers;
        return 0;
    }

    private static CallResult RegisterFiles(CallContext call, IoRing ring, GuestAddress argument, uint count)
    {
        if (ring.Files.Length != 0)
            return Errno.EBUSY;
        if (count == 0)
            return Errno.EINVAL;
        if (count > (uint)call.Process.Files.Limit)
            return Errno.EMFILE;
        ring.Files = new OpenFile?[count];
        CallResult result = RingOperations.UpdateFiles(ring, call, 0, argument, count);
        if (result.Outcome == CallOutcome.Value && result.Value == count)
            return 0;
        ring.SetFiles([]);
        return result.Outcome == CallOutcome.Error ? result : Errno.EBADF;
    }

    /// <summary>struct io_uring_buf_reg: where the ring is, how many entries it has, the number of its group.</summary>
    private static CallResult RegisterBufferRing(CallContext call, IoRing ring, GuestAddress argument, uint count, bool registers)
    {
        Span<ulong> words = stackalloc ulong[5];
        if (argument.IsNull || count != 1)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(argument, System.Runtime.InteropServices.MemoryMarshal.AsBytes(words)))
            return Errno.EFAULT;
        (ulong address, uint entries, ushort group, uint flags) = (words[0], (uint)words[1], (ushort)(words[1] >> 32), (uint)(words[1] >> 48));
        if (words[2..].IndexOfAnyExcept(0ul) >= 0 || flags != 0)
            return Errno.EINVAL;
        bool exists = ring.ProvidedBuffers.TryGetValue(group, out RingBuffers? before);
        if (!registers)
        {
            if (!exists)
                return Errno.ENOENT;
            return before!.IsMapped && ring.ProvidedBuffers.Remove(group) ? 0 : Errno.EINVAL;
        }
        if (address == 0)
            return Errno.EFAULT;
        if (address % GuestAddress.PageSize != 0 || !BitOperations.IsPow2(entries) || entries >= RingBuffers.Most)
            return Errno.EINVAL;
        if (exists && (before!.IsMapped || before.Count > 0))
            return Errno.EEXIST;
        if (!call.Memory.IsMapped(new GuestAddress(address), entries * 16ul))
            return Errno.EFAULT;
        ring.ProvidedBuffers[group] = new RingBuffers(new GuestAddress(address), entries);
        return 0;
    }

    /// <summary>struct io_uring_files_update: first place, and where the descriptors are.</summary>
    private static CallResult UpdateFiles(CallContext call, IoRing ring, GuestAddress argument, uint count)
    {
        if (!call.Memory.TryRead(argument, out uint first) || !call.Memory.TryRead(argument + 8, out ulong descriptors))
            return Errno.EFAULT;
        return RingOperations.UpdateFiles(ring, call, first, new GuestAddress(descriptors), count);
    }

    private static CallResult RegisterEvents(CallContext call, IoRing ring, GuestAddress argument, uint count)
    {
        if (count != 1)
            return Errno.EINVAL;
        if (ring.Told is not null)
            return Errno.EBUSY;
        if (!call.Memory.TryRead(argument, out int fd))
            return Errno.EFAULT;
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        if (file is not EventCounter counter)
            return Errno.EINVAL;
        counter.AddReference();
        ring.Told = counter;
        return 0;
    }

    private static CallResult UnregisterEvents(IoRing ring)
    {
        if (ring.Told is not { } told)
            return Errno.ENXIO;
        ring.Told = null;
        told.Release();
        return 0;
    }

    /// <summary>struct io_uring_probe: the last operation, and for each whether it is supported.</summary>
    private static CallResult Probe(CallContext call, GuestAddress argument, uint count)
    {
        const int header = 16, item = 8, most = 256;
        const byte isSupported = 1;
        int told = (int)Math.Min(Math.Min(count, most), RingOperations.Last + 1u);
        byte[] answer = new byte[header + (told * item)];
        (answer[0], answer[1]) = (RingOperations.Last, (byte)told);
        for (int i = 0; i < told; i++)
        {
            answer[header + (i * item)] = (byte)i;
            answer[header + (i * item) + 2] = RingOperations.IsKnown((byte)i) ? isSupported : (byte)0;
        }
        return call.Memory.TryWrite(argument, answer) ? CallResult.Ok() : Errno.EFAULT;
    }
}
