using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.NetBsd.Calls;

/// <summary>kqueue1(2) and kevent(2).</summary>
public static class QueueCalls
{
    private static readonly KeventLayout Version50 = new Layout(40);

    /// <summary>Since 2023: with ext[4] behind.</summary>
    private static readonly KeventLayout Version100 = new Layout(72);

    public static CallResult Kqueue1(CallContext call, uint flags)
    {
        const uint nonBlocking = 4, closeOnExec = 0x400000, noSignal = 0x1000000;
        return (flags & ~(nonBlocking | closeOnExec | noSignal)) != 0
            ? Errno.EINVAL
            : OpenCalls.Install(call, new KernelQueue(call.Process, isCopiedByFork: false, OpenFlags.ReadWrite), (flags & closeOnExec) != 0);
    }

    public static CallResult Kevent50(CallContext call, int fd, GuestAddress changes, ulong changeCount, GuestAddress events, ulong eventCount, GuestAddress timeout) =>
        KeventCall.Run(call, fd, changes, (int)Math.Min(changeCount, int.MaxValue), events, (int)Math.Min(eventCount, int.MaxValue), timeout, Version50);

    public static CallResult Kevent100(CallContext call, int fd, GuestAddress changes, ulong changeCount, GuestAddress events, ulong eventCount, GuestAddress timeout) =>
        KeventCall.Run(call, fd, changes, (int)Math.Min(changeCount, int.MaxValue), events, (int)Math.Min(eventCount, int.MaxValue), timeout, Version100);

    /// <summary>Filter and flags have 4 bytes each since NetBSD 5.0. Filters count from 0.</summary>
    private sealed class Layout(int size) : KeventLayout(size, flagsAt: 12, notesAt: 16, dataAt: 24, userAt: 32, extraAt: 0)
    {
        private static ReadOnlySpan<EventFilter> Filters =>
        [
            EventFilter.Read, EventFilter.Write, None, EventFilter.Vnode, EventFilter.Process, EventFilter.Signal, EventFilter.Timer, EventFilter.FileSystems,
            EventFilter.User, EventFilter.Empty,
        ];

        private const EventFilter None = (EventFilter)byte.MaxValue;

        protected override EventFilter? FilterOf(long number) => number < Filters.Length && Filters[(int)number] is not None and var filter ? filter : null;

        protected override short NumberOf(EventFilter filter) => (short)Filters.IndexOf(filter);

        /// <summary>EVFILT_FS tells of everything there is, whatever was asked for (filt_fsevent in sys/kern/vfs_syscalls.c).</summary>
        protected override uint NotesOf(EventFilter filter, uint notes) => filter == EventFilter.FileSystems ? uint.MaxValue : notes;

        /// <summary>Nanoseconds of NOTE_MSECONDS 0, NOTE_SECONDS 1, NOTE_USECONDS 2, NOTE_NSECONDS 3.</summary>
        protected override long UnitOf(uint unit) => unit switch
        {
            0 => 1_000_000,
            1 => 1_000_000_000,
            2 => 1000,
            3 => 1,
            _ => 0,
        };
    }
}
