using System.Buffers;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>kevent(2): changes in order, each error told as a report while there is room; then reports, waited for.</summary>
internal static class KeventCall
{
    private const int MostAtOnce = 1024;

    public static CallResult Run(
        CallContext call, int fd, GuestAddress changes, int changeCount, GuestAddress events, int eventCount, GuestAddress timeout, KeventLayout layout)
    {
        if (call.File(fd) is not KernelQueue queue)
            return Errno.EBADF;
        if (changeCount < 0 || eventCount < 0)
            return Errno.EINVAL;
        bool isFirst = call.State is null;
        if (isFirst && call.SetTimeout(timeout) is not Errno.None and var wrong)
            return wrong;
        if (isFirst && changeCount > 0)
        {
            CallResult changed = Change(call, queue, changes, changeCount, events, eventCount, layout);
            if (changed.Outcome == CallOutcome.Error || changed.Value > 0)
                return changed;
        }
        call.State = queue;
        return eventCount == 0 ? CallResult.Ok() : Collect(call, queue, events, Math.Min(eventCount, MostAtOnce), layout);
    }

    /// <summary>How many reports of errors and receipts were written; the error itself when there is no room for its report.</summary>
    private static CallResult Change(CallContext call, KernelQueue queue, GuestAddress changes, int count, GuestAddress events, int room, KeventLayout layout)
    {
        Span<byte> bytes = stackalloc byte[layout.Size];
        int told = 0;
        for (int i = 0; i < count; i++)
        {
            GuestAddress place = changes + (ulong)(i * layout.Size);
            if (!call.Memory.TryRead(place, bytes))
                return Errno.EFAULT;
            Errno error = layout.Read(bytes, out QueueEvent change);
            if (error == Errno.None)
                error = queue.Change(change);
            if (error == Errno.None && (change.Flags & EventFlags.Receipt) == 0)
                continue;
            if (told >= room)
            {
                if (error != Errno.None)
                    return error;
                continue;
            }
            layout.WriteOutcome(bytes, error == Errno.None ? 0 : call.Process.Personality.ErrorNumber(error));
            if (!call.Memory.TryWrite(events + (ulong)(told++ * layout.Size), bytes))
                return Errno.EFAULT;
        }
        return told;
    }

    private static CallResult Collect(CallContext call, KernelQueue queue, GuestAddress events, int count, KeventLayout layout)
    {
        QueueEvent[] taken = ArrayPool<QueueEvent>.Shared.Rent(count);
        try
        {
            int found = queue.Take(taken.AsSpan(0, count));
            if (found == 0)
                return call.DeadlinePassed ? CallResult.Ok() : call.Wait(queue.Source, RestartKind.Never);
            Span<byte> bytes = stackalloc byte[layout.Size];
            for (int i = 0; i < found; i++)
            {
                layout.Write(taken[i], bytes);
                if (!call.Memory.TryWrite(events + (ulong)(i * layout.Size), bytes))
                    return Errno.EFAULT;
            }
            return found;
        }
        finally
        {
            ArrayPool<QueueEvent>.Shared.Return(taken);
        }
    }
}
