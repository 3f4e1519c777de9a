using System.Buffers;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>poll(2) and select(2).</summary>
public static class PollCalls
{
    // Linux tells normal and band data apart only in name.
    private const uint ReadNormal = 0x40;
    private const uint WriteNormal = 0x100;
    private const uint WriteBand = 0x200;
    private const Readiness Unasked = Readiness.Error | Readiness.HangUp | Readiness.Invalid;

    // What makes a descriptor readable, writable, exceptional to select (fs/select.c).
    private const Readiness SelectIn = Readiness.In | Readiness.HangUp | Readiness.Error;
    private const Readiness SelectOut = Readiness.Out | Readiness.Error;
    private const Readiness SelectPriority = Readiness.Priority;

    public static CallResult Poll(CallContext call, GuestAddress items, uint count, int timeout)
    {
        call.SetTimeout(timeout < 0 ? null : timeout * 1_000_000L);
        return PollItems(call, items, count, RestartKind.IfNoHandler);
    }

    public static CallResult Ppoll(CallContext call, GuestAddress items, uint count, GuestAddress timeout, GuestAddress mask, ulong size)
    {
        Errno error = call.UseTemporaryMask(mask, size);
        if (error == Errno.None)
            error = call.SetTimeout(timeout);
        return error != Errno.None ? error : call.WithTimeLeft(PollItems(call, items, count, RestartKind.IfNoHandler), timeout);
    }

    private static CallResult PollItems(CallContext call, GuestAddress address, uint count, RestartKind restart)
    {
        if (count > (uint)call.Process.Files.Limit)
            return Errno.EINVAL;
        PollFd[] items = ArrayPool<PollFd>.Shared.Rent((int)count);
        try
        {
            Span<PollFd> used = items.AsSpan(0, (int)count);
            if (!call.Memory.TryRead(address, MemoryMarshal.AsBytes(used)))
                return Errno.EFAULT;
            int ready = 0;
            foreach (ref PollFd item in used)
                ready += Look(call, ref item) ? 1 : 0;
            if (ready == 0 && !call.DeadlinePassed)
                return Park(call, used, restart);
            return call.Memory.TryWrite(address, MemoryMarshal.AsBytes(used)) ? ready : Errno.EFAULT;
        }
        finally
        {
            ArrayPool<PollFd>.Shared.Return(items);
        }
    }

    private static bool Look(CallContext call, ref PollFd item)
    {
        item.Ready = 0;
        if (item.Descriptor < 0)
            return false;
        Readiness ready = call.File(item.Descriptor) is { } file ? WithNormal(file.Poll()) : Readiness.Invalid;
        item.Ready = (short)(ready & ((Readiness)(ushort)item.Events | Unasked));
        return item.Ready != 0;
    }

    private static Readiness WithNormal(Readiness ready) =>
        ready | ((ready & Readiness.In) != 0 ? (Readiness)ReadNormal : 0) | ((ready & Readiness.Out) != 0 ? (Readiness)(WriteNormal | WriteBand) : 0);

    private static CallResult Park(CallContext call, ReadOnlySpan<PollFd> items, RestartKind restart)
    {
        foreach (PollFd item in items)
        {
            if (item.Descriptor >= 0 && call.File(item.Descriptor) is { } file)
                call.AddSource(file.Source);
        }
        return call.Wait(restart);
    }

    public static CallResult Select(CallContext call, int count, GuestAddress reads, GuestAddress writes, GuestAddress exceptions, GuestAddress timeout)
    {
        if (!timeout.IsNull)
        {
            if (!call.Memory.TryRead(timeout, out long seconds) || !call.Memory.TryRead(timeout + 8, out long microseconds))
                return Errno.EFAULT;
            if (seconds < 0 || microseconds < 0)
                return Errno.EINVAL;
            call.SetTimeout(seconds > int.MaxValue ? long.MaxValue : (seconds * 1_000_000_000) + (microseconds * 1000));
        }
        CallResult result = SelectSets(call, count, reads, writes, exceptions);
        const uint stickyTimeouts = 0x4000000;
        if (!timeout.IsNull && result.Outcome != CallOutcome.Blocked && (call.Process.Persona & stickyTimeouts) == 0 && call.TimeLeft() is { } left)
        {
            call.Memory.TryWrite(timeout, left / 1_000_000_000);
            call.Memory.TryWrite(timeout + 8, left % 1_000_000_000 / 1000);
        }
        return result;
    }

    /// <summary>The mask comes as a pointer to (address, size).</summary>
    public static CallResult Pselect6(CallContext call, int count, GuestAddress reads, GuestAddress writes, GuestAddress exceptions, GuestAddress timeout, GuestAddress maskAndSize)
    {
        ulong mask = 0, size = 8;
        if (!maskAndSize.IsNull && (!call.Memory.TryRead(maskAndSize, out mask) || !call.Memory.TryRead(maskAndSize + 8, out size)))
            return Errno.EFAULT;
        Errno error = call.UseTemporaryMask(new GuestAddress(mask), size);
        if (error == Errno.None)
            error = call.SetTimeout(timeout);
        return error != Errno.None ? error : call.WithTimeLeft(SelectSets(call, count, reads, writes, exceptions), timeout);
    }

    private static CallResult SelectSets(CallContext call, int count, GuestAddress reads, GuestAddress writes, GuestAddress exceptions)
    {
        if (count < 0)
            return Errno.EINVAL;
        count = Math.Min(count, FileTable.MaxDescriptors);
        int bytes = (count + 63) / 64 * 8;
        byte[] sets = ArrayPool<byte>.Shared.Rent(6 * bytes);
        try
        {
            Span<byte> asked = sets.AsSpan(0, 3 * bytes), found = sets.AsSpan(3 * bytes, 3 * bytes);
            asked.Clear();
            found.Clear();
            if (!Load(call, reads, asked[..bytes]) || !Load(call, writes, asked.Slice(bytes, bytes)) || !Load(call, exceptions, asked[(2 * bytes)..]))
                return Errno.EFAULT;
            int ready = Scan(call, count, bytes, asked, found);
            if (ready < 0)
                return Errno.EBADF;
            if (ready == 0 && !call.DeadlinePassed)
                return call.Wait(RestartKind.IfNoHandler);
            bool stored = Save(call, reads, found[..bytes]) && Save(call, writes, found.Slice(bytes, bytes)) && Save(call, exceptions, found[(2 * bytes)..]);
            return stored ? ready : Errno.EFAULT;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(sets);
        }
    }

    /// <summary>Fills the found sets and notes the sources to wait for; returns the bits set, or -1 for a bad descriptor.</summary>
    private static int Scan(CallContext call, int count, int bytes, ReadOnlySpan<byte> asked, Span<byte> found)
    {
        int ready = 0;
        for (int descriptor = 0; descriptor < count; descriptor++)
        {
            int at = descriptor / 8, bit = 1 << (descriptor % 8);
            bool reads = (asked[at] & bit) != 0, writes = (asked[at + bytes] & bit) != 0, priority = (asked[at + (2 * bytes)] & bit) != 0;
            if (!reads && !writes && !priority)
                continue;
            if (call.File(descriptor) is not { } file)
                return -1;
            Readiness now = file.Poll();
            ready += Mark(found, at, bit, reads && (now & SelectIn) != 0);
            ready += Mark(found, at + bytes, bit, writes && (now & SelectOut) != 0);
            ready += Mark(found, at + (2 * bytes), bit, priority && (now & SelectPriority) != 0);
            call.AddSource(file.Source);
        }
        return ready;
    }

    private static int Mark(Span<byte> set, int at, int bit, bool on)
    {
        if (!on)
            return 0;
        set[at] |= (byte)bit;
        return 1;
    }

    private static bool Load(CallContext call, GuestAddress set, Span<byte> bytes) => set.IsNull || call.Memory.TryRead(set, bytes);

    private static bool Save(CallContext call, GuestAddress set, ReadOnlySpan<byte> bytes) => set.IsNull || call.Memory.TryWrite(set, bytes);
}
