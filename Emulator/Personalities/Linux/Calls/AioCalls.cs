using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>io_setup(2), io_submit(2), io_getevents(2), io_cancel(2), io_destroy(2).</summary>
public static class AioCalls
{
    /// <summary>struct iocb (linux/aio_abi.h).</summary>
    [StructLayout(LayoutKind.Explicit, Size = 64)]
    private struct ControlBlock
    {
        [FieldOffset(0)] public ulong Data;
        [FieldOffset(12)] public uint TransferFlags;
        [FieldOffset(16)] public ushort Operation;
        [FieldOffset(20)] public int Descriptor;
        [FieldOffset(24)] public ulong Buffer;
        [FieldOffset(32)] public ulong Length;
        [FieldOffset(40)] public long Offset;
        [FieldOffset(48)] public ulong Reserved;
        [FieldOffset(56)] public uint Flags;
        [FieldOffset(60)] public int ToldDescriptor;
    }

    /// <summary>RWF_HIPRI, DSYNC, SYNC, NOWAIT, APPEND and NOAPPEND.</summary>
    private const uint KnownTransferFlags = 0x3F;

    public static CallResult IoSetup(CallContext call, uint count, GuestAddress context)
    {
        if (!call.Memory.TryRead(context, out ulong old))
            return Errno.EFAULT;
        const uint mostOfOne = 0x10000000 / 32;
        if (old != 0 || count == 0 || count > mostOfOne)
            return Errno.EINVAL;
        if (count > call.World.Settings.AsyncEvents.Value)
            return Errno.EAGAIN;
        // The identifier is the address of a page, where libraries look for a ring and find none.
        var request = new MapRequest(default, GuestAddress.PageSize, Protection.Read | Protection.Write, Name: "/[aio]");
        if (call.Memory.Map(request, out GuestAddress place) != MapStatus.Ok)
            return Errno.ENOMEM;
        if (!call.Memory.TryWrite(context, place.Value))
            return Errno.EFAULT;
        call.Process.AsyncContexts.Add(place.Value, new AsyncContext((int)count));
        return 0;
    }

    public static CallResult IoDestroy(CallContext call, GuestAddress context)
    {
        if (!call.Process.AsyncContexts.Remove(context.Value, out AsyncContext? dropped))
            return Errno.EINVAL;
        dropped.Drop();
        call.Memory.Unmap(context, GuestAddress.PageSize);
        return 0;
    }

    public static CallResult IoSubmit(CallContext call, GuestAddress context, long count, GuestAddress requests)
    {
        if (count < 0 || !call.Process.AsyncContexts.TryGetValue(context.Value, out AsyncContext? queue))
            return Errno.EINVAL;
        for (long i = 0; i < count; i++)
        {
            Errno error = call.Memory.TryRead(requests + (ulong)(i * 8), out ulong request) ? Submit(call, queue, request) : Errno.EFAULT;
            if (error != Errno.None)
                return i > 0 ? i : error;
        }
        return count;
    }

    private static Errno Submit(CallContext call, AsyncContext queue, ulong request)
    {
        const ushort read = 0, write = 1, poll = 5, readVector = 7, writeVector = 8;
        const uint tells = 1;
        if (!call.Memory.TryRead(new GuestAddress(request), out ControlBlock block))
            return Errno.EFAULT;
        if (block.Reserved != 0 || (long)block.Length < 0)
            return Errno.EINVAL;
        if (block.Operation is read or write && (block.TransferFlags & ~KnownTransferFlags) != 0)
            return Errno.EOPNOTSUPP;
        if (queue.IsFull)
            return Errno.EAGAIN;
        if (call.UsableFile(block.Descriptor, out OpenFile file) != Errno.None)
            return Errno.EBADF;
        EventCounter? told = null;
        if ((block.Flags & tells) != 0 && (told = call.File(block.ToldDescriptor) as EventCounter) is null)
            return call.File(block.ToldDescriptor) is null ? Errno.EBADF : Errno.EINVAL;
        if ((block.Operation is read or readVector && !file.CanRead) || (block.Operation is write or writeVector && !file.CanWrite))
            return Errno.EBADF;
        if (Operation(block) is not { } operation)
            return Errno.EINVAL;
        // Held until the end, whatever happens to the descriptor.
        file.AddReference();
        told?.AddReference();
        bool isOver = false;
        queue.Start(call.Thread, block.Data, request, block.Operation == poll, Handle, () => told?.Signal());
        return Errno.None;

        CallResult Handle(CallContext detached)
        {
            detached.FixedFile = file;
            CallResult result = operation(detached);
            if (result.Outcome == CallOutcome.Blocked || isOver)
                return result;
            isOver = true;
            // After the event was queued and told.
            detached.World.Defer(() =>
            {
                file.Release();
                told?.Release();
            });
            return result;
        }
    }

    /// <summary>IOCB_CMD_ values; null for those that there are none of.</summary>
    private static Func<CallContext, CallResult>? Operation(ControlBlock block)
    {
        const int fixedFile = CallContext.FixedDescriptor;
        var buffer = new GuestAddress(block.Buffer);
        return block.Operation switch
        {
            0 => call => AtOnce(block, call.FixedFile!.CanSeek
                ? ReadWriteCalls.Pread64(call, fixedFile, buffer, block.Length, block.Offset) : ReadWriteCalls.Read(call, fixedFile, buffer, block.Length)),
            1 => call => AtOnce(block, call.FixedFile!.CanSeek
                ? ReadWriteCalls.Pwrite64(call, fixedFile, buffer, block.Length, block.Offset) : ReadWriteCalls.Write(call, fixedFile, buffer, block.Length)),
            2 => call => ContentCalls.Fsync(call, fixedFile),
            3 => call => ContentCalls.Fdatasync(call, fixedFile),
            5 => call => Poll(call, (Readiness)(block.Buffer & 0xFFFF)),
            7 => call => ReadWriteCalls.Preadv2(call, fixedFile, buffer, (int)block.Length, (ulong)block.Offset, 0, block.TransferFlags),
            8 => call => ReadWriteCalls.Pwritev2(call, fixedFile, buffer, (int)block.Length, (ulong)block.Offset, 0, block.TransferFlags),
            _ => null,
        };
    }

    /// <summary>RWF_NOWAIT: what would wait fails instead.</summary>
    private static CallResult AtOnce(in ControlBlock block, CallResult result)
    {
        const uint noWait = 8;
        return (block.TransferFlags & noWait) != 0 && result.Outcome == CallOutcome.Blocked ? Errno.EAGAIN : result;
    }

    private static CallResult Poll(CallContext call, Readiness wanted)
    {
        Readiness ready = call.FixedFile!.Poll() & (wanted | Readiness.Error | Readiness.HangUp);
        return ready != Readiness.None ? (long)ready : call.Wait(call.FixedFile.Source, RestartKind.Never);
    }

    public static CallResult IoGetevents(CallContext call, GuestAddress context, long least, long most, GuestAddress events, GuestAddress timeout)
    {
        const ulong eventSize = 32;
        Errno error = call.SetTimeout(timeout);
        if (error != Errno.None)
            return error;
        if (!call.Process.AsyncContexts.TryGetValue(context.Value, out AsyncContext? queue) || least < 0 || least > most)
            return Errno.EINVAL;
        while (call.Progress < most && queue.TryTake(out AsyncEvent finished))
        {
            GuestAddress place = events + ((ulong)call.Progress * eventSize);
            ReadOnlySpan<ulong> record = [finished.Data, finished.Request, (ulong)finished.Result, 0];
            if (!call.Memory.TryWrite(place, MemoryMarshal.AsBytes(record)))
                return call.Progress != 0 ? call.Progress : Errno.EFAULT;
            call.Progress++;
        }
        return call.Progress >= least || call.DeadlinePassed ? call.Progress : call.Wait(queue.Source, RestartKind.Never);
    }

    /// <summary>With signals blocked meanwhile; they come as a pointer to a pointer and a size.</summary>
    public static CallResult IoPgetevents(CallContext call, GuestAddress context, long least, long most, GuestAddress events, GuestAddress timeout, GuestAddress signals)
    {
        if (!signals.IsNull)
        {
            if (!call.Memory.TryRead(signals, out ulong mask) || !call.Memory.TryRead(signals + 8, out ulong size))
                return Errno.EFAULT;
            Errno error = call.UseTemporaryMask(new GuestAddress(mask), size);
            if (error != Errno.None)
                return error;
        }
        return IoGetevents(call, context, least, most, events, timeout);
    }

    /// <summary>Only polls can be cancelled; their event is queued (io_cancel(2)).</summary>
    public static CallResult IoCancel(CallContext call, GuestAddress context, GuestAddress request, GuestAddress result)
    {
        const ulong keyPlace = 8;
        if (!call.Memory.TryRead(request + keyPlace, out int _))
            return Errno.EFAULT;
        if (!call.Process.AsyncContexts.TryGetValue(context.Value, out AsyncContext? queue))
            return Errno.EINVAL;
        return queue.Cancel(request.Value) ? Errno.EINPROGRESS : Errno.EINVAL;
    }
}
