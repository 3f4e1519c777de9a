using System.Runtime.InteropServices;
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

    private static readonly IKeventLayout Current = new Layout(64);
    private static readonly IKeventLayout Old = new Layout(32);

    /// <summary>struct kevent: ident 8, filter 2, flags 2, fflags 4, data 8, udata 8, and since FreeBSD 12 ext[4].</summary>
    private sealed class Layout(int size) : IKeventLayout
    {
        public int Size => size;

        public Errno Read(CallContext call, ReadOnlySpan<byte> bytes, out QueueEvent change)
        {
            short filter = MemoryMarshal.Read<short>(bytes[8..]);
            change = new QueueEvent(
                MemoryMarshal.Read<ulong>(bytes), FilterOf(filter) ?? default, (EventFlags)MemoryMarshal.Read<ushort>(bytes[10..]),
                MemoryMarshal.Read<uint>(bytes[12..]), MemoryMarshal.Read<long>(bytes[16..]), MemoryMarshal.Read<ulong>(bytes[24..]));
            if (size == 64)
                change = change with { Extra = (MemoryMarshal.Read<ulong>(bytes[48..]), MemoryMarshal.Read<ulong>(bytes[56..])) };
            if (FilterOf(filter) is null)
                return Errno.EINVAL;
            if (change.Filter == EventFilter.Timer && (change.Flags & EventFlags.Add) != 0)
                return KeventCall.TimeOf(ref change, UnitOf(change.Notes & 0xF));
            return Errno.None;
        }

        public void Write(CallContext call, in QueueEvent report, Span<byte> bytes)
        {
            bytes.Clear();
            MemoryMarshal.Write(bytes, report.Ident);
            MemoryMarshal.Write(bytes[8..], NumberOf(report.Filter));
            MemoryMarshal.Write(bytes[10..], (ushort)report.Flags);
            MemoryMarshal.Write(bytes[12..], report.Notes);
            MemoryMarshal.Write(bytes[16..], report.Data);
            MemoryMarshal.Write(bytes[24..], report.UserData);
            if (size != 64)
                return;
            MemoryMarshal.Write(bytes[48..], report.Extra.First);
            MemoryMarshal.Write(bytes[56..], report.Extra.Second);
        }

        private static EventFilter? FilterOf(short filter) => filter switch
        {
            -1 => EventFilter.Read,
            -2 => EventFilter.Write,
            -4 => EventFilter.Vnode,
            -5 => EventFilter.Process,
            -6 => EventFilter.Signal,
            -7 => EventFilter.Timer,
            -8 => EventFilter.ProcessDescriptor,
            -11 => EventFilter.User,
            -13 => EventFilter.Empty,
            _ => null,
        };

        private static short NumberOf(EventFilter filter) => filter switch
        {
            EventFilter.Read => -1,
            EventFilter.Write => -2,
            EventFilter.Vnode => -4,
            EventFilter.Process => -5,
            EventFilter.Signal => -6,
            EventFilter.Timer => -7,
            EventFilter.ProcessDescriptor => -8,
            EventFilter.User => -11,
            _ => -13,
        };

        /// <summary>Nanoseconds of NOTE_SECONDS, NOTE_MSECONDS (and none), NOTE_USECONDS, NOTE_NSECONDS; 0 for more than one.</summary>
        private static long UnitOf(uint unit) => unit switch
        {
            1 => 1_000_000_000,
            0 or 2 => 1_000_000,
            4 => 1000,
            8 => 1,
            _ => 0,
        };
    }
}
