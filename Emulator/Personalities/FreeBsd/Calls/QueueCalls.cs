using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>kqueue(2), kqueuex(2) and kevent(2), in both layouts.</summary>
public static class QueueCalls
{
    public static CallResult Kqueue(CallContext call) => Make(call, isCopiedByFork: false, closeOnExec: false);

    public static CallResult Kqueuex(CallContext call, uint flags)
    {
        const uint closeOnExec = 1, copyOnFork = 2;
        return (flags & ~(closeOnExec | copyOnFork)) != 0 ? Errno.EINVAL : Make(call, (flags & copyOnFork) != 0, (flags & closeOnExec) != 0);
    }

    private static CallResult Make(CallContext call, bool isCopiedByFork, bool closeOnExec) =>
        OpenCalls.Install(call, new KernelQueue(call.Process, isCopiedByFork, OpenFlags.ReadWrite), closeOnExec);

    public static CallResult Kevent(CallContext call, int fd, GuestAddress changes, int changeCount, GuestAddress events, int eventCount, GuestAddress timeout) =>
        KeventCall.Run(call, fd, changes, changeCount, events, eventCount, timeout, Current);

    public static CallResult Freebsd11Kevent(CallContext call, int fd, GuestAddress changes, int changeCount, GuestAddress events, int eventCount, GuestAddress timeout) =>
        KeventCall.Run(call, fd, changes, changeCount, events, eventCount, timeout, Old);

    private static readonly KeventLayout Current = new Layout(size: 64, extraAt: 48);
    private static readonly KeventLayout Old = new Layout(size: 32, extraAt: 0);

    /// <summary>Filter and flags have 2 bytes each; since FreeBSD 12 there is ext[4] behind.</summary>
    private sealed class Layout(int size, int extraAt) : KeventLayout(size, flagsAt: 10, notesAt: 12, dataAt: 16, userAt: 24, extraAt)
    {
        protected override EventFilter? FilterOf(long number) => number switch
        {
            -1 => EventFilter.Read,
            -2 => EventFilter.Write,
            -4 => EventFilter.Vnode,
            -5 => EventFilter.Process,
            -6 => EventFilter.Signal,
            -7 => EventFilter.Timer,
            -8 => EventFilter.ProcessDescriptor,
            -9 => EventFilter.FileSystems,
            -11 => EventFilter.User,
            -13 => EventFilter.Empty,
            _ => null,
        };

        protected override short NumberOf(EventFilter filter) => filter switch
        {
            EventFilter.Read => -1,
            EventFilter.Write => -2,
            EventFilter.Vnode => -4,
            EventFilter.Process => -5,
            EventFilter.Signal => -6,
            EventFilter.Timer => -7,
            EventFilter.ProcessDescriptor => -8,
            EventFilter.FileSystems => -9,
            EventFilter.User => -11,
            _ => -13,
        };

        /// <summary>Nanoseconds of NOTE_SECONDS, NOTE_MSECONDS (and none), NOTE_USECONDS, NOTE_NSECONDS; 0 for more than one.</summary>
        protected override long UnitOf(uint unit) => unit switch
        {
            1 => 1_000_000_000,
            0 or 2 => 1_000_000,
            4 => 1000,
            8 => 1,
            _ => 0,
        };
    }
}
