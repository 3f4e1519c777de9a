using System.Buffers;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>One layout of struct kevent.</summary>
internal interface IKeventLayout
{
    int Size { get; }

    /// <summary>EINVAL for a filter that there is none of.</summary>
    Errno Read(CallContext call, ReadOnlySpan<byte> bytes, out QueueEvent change);

    void Write(CallContext call, in QueueEvent report, Span<byte> bytes);
}

/// <summary>kevent(2): changes in order, each error told as a report while there is room; then reports, waited for.</summary>
internal static class KeventCall
{
    private const int MostAtOnce = 1024;

    public static CallResult Run(
        CallContext call, int fd, GuestAddress changes, int changeCount, GuestAddress events, int eventCount, GuestAddress timeout, IKeventLayout layout)
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
    private static CallResult Change(CallContext call, KernelQueue queue, GuestAddress changes, int count, GuestAddress events, int room, IKeventLayout layout)
    {
        Span<byte> bytes = stackalloc byte[layout.Size];
        int told = 0;
        for (int i = 0; i < count; i++)
        {
            GuestAddress place = changes + (ulong)(i * layout.Size);
            if (!call.Memory.TryRead(place, bytes))
                return Errno.EFAULT;
            Errno error = layout.Read(call, bytes, out QueueEvent change);
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
            // The report is the change itself, with what came of it.
            layout.Write(call, change with { Flags = EventFlags.Error, Data = error == Errno.None ? 0 : call.Process.Personality.ErrorNumber(error) }, bytes);
            if (!call.Memory.TryWrite(events + (ulong)(told++ * layout.Size), bytes))
                return Errno.EFAULT;
        }
        return told;
    }

    private static CallResult Collect(CallContext call, KernelQueue queue, GuestAddress events, int count, IKeventLayout layout)
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
                layout.Write(call, taken[i], bytes);
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

    /// <summary>Turns a timer's data into nanoseconds: EINVAL when it is negative or has no unit.</summary>
    public static Errno TimeOf(ref QueueEvent change, long unit)
    {
        if (unit == 0 || change.Data < 0)
            return Errno.EINVAL;
        change = change with { Data = change.Data > long.MaxValue / unit ? long.MaxValue : change.Data * unit };
        return Errno.None;
    }
}
