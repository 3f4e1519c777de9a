using System.Runtime.InteropServices;
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
    private static readonly IKeventLayout Version50 = new Layout(40);

    /// <summary>Since 2023: with ext[4] behind.</summary>
    private static readonly IKeventLayout Version100 = new Layout(72);

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

    /// <summary>struct kevent since NetBSD 5.0: ident 8, filter 4, flags 4, fflags 4, data 8 at 24, udata 8. Filters count from 0.</summary>
    private sealed class Layout(int size) : IKeventLayout
    {
        public int Size => size;

        private static ReadOnlySpan<EventFilter> Filters =>
        [
            EventFilter.Read, EventFilter.Write, None, EventFilter.Vnode, EventFilter.Process, EventFilter.Signal, EventFilter.Timer, None, EventFilter.User, EventFilter.Empty,
        ];

        private const EventFilter None = (EventFilter)byte.MaxValue;

        public Errno Read(CallContext call, ReadOnlySpan<byte> bytes, out QueueEvent change)
        {
            uint number = MemoryMarshal.Read<uint>(bytes[8..]);
            EventFilter filter = number < (uint)Filters.Length ? Filters[(int)number] : None;
            change = new QueueEvent(
                MemoryMarshal.Read<ulong>(bytes), filter, (EventFlags)(ushort)MemoryMarshal.Read<uint>(bytes[12..]), MemoryMarshal.Read<uint>(bytes[16..]),
                MemoryMarshal.Read<long>(bytes[24..]), MemoryMarshal.Read<ulong>(bytes[32..]));
            if (filter == None)
                return Errno.EINVAL;
            return filter == EventFilter.Timer && (change.Flags & EventFlags.Add) != 0 ? KeventCall.TimeOf(ref change, UnitOf(change.Notes & 0xF)) : Errno.None;
        }

        public void Write(CallContext call, in QueueEvent report, Span<byte> bytes)
        {
            bytes.Clear();
            MemoryMarshal.Write(bytes, report.Ident);
            MemoryMarshal.Write(bytes[8..], (uint)Filters.IndexOf(report.Filter));
            MemoryMarshal.Write(bytes[12..], (uint)report.Flags);
            MemoryMarshal.Write(bytes[16..], report.Notes);
            MemoryMarshal.Write(bytes[24..], report.Data);
            MemoryMarshal.Write(bytes[32..], report.UserData);
        }

        /// <summary>Nanoseconds of NOTE_MSECONDS 0, NOTE_SECONDS 1, NOTE_USECONDS 2, NOTE_NSECONDS 3.</summary>
        private static long UnitOf(uint unit) => unit switch
        {
            0 => 1_000_000,
            1 => 1_000_000_000,
            2 => 1000,
            3 => 1,
            _ => 0,
        };
    }
}
