using Vivarium.Emulator.Kernel.Tracing;
using Vivarium.Emulator.Personalities.FreeBsd.Abi;

namespace Vivarium.Emulator.Personalities.FreeBsd;

/// <summary>PTRACE_ and PL_FLAG_ of sys/ptrace.h.</summary>
internal static class FreeBsdTraceEvents
{
    private const int Known = 0x3F;

    /// <summary>PTRACE_EXEC, SCE, SCX, FORK, LWP, VFORK: the last tells when vfork's parent goes on.</summary>
    private static readonly (int Own, TraceEvents Neutral)[] Bits =
    [
        (1, TraceEvents.Execute), (2, TraceEvents.CallEntry), (4, TraceEvents.CallExit), (8, TraceEvents.Fork | TraceEvents.Vfork),
        (0x10, TraceEvents.ThreadStart | TraceEvents.ThreadEnd), (0x20, TraceEvents.VforkDone),
    ];

    private static readonly (int Own, TraceEvents Neutral)[] StopFlags =
    [
        (TraceThreadInfo.CallEntry, TraceEvents.CallEntry), (TraceThreadInfo.CallExit, TraceEvents.CallExit), (TraceThreadInfo.Executed, TraceEvents.Execute),
        (TraceThreadInfo.Forked, TraceEvents.Fork), (TraceThreadInfo.Forked | TraceThreadInfo.Vforked, TraceEvents.Vfork), (TraceThreadInfo.VforkDone, TraceEvents.VforkDone),
        (TraceThreadInfo.Child, TraceEvents.Child), (TraceThreadInfo.Born, TraceEvents.ThreadStart), (TraceThreadInfo.Exited, TraceEvents.ThreadEnd),
    ];

    public static int Mask(TraceEvents events) => Translate(Bits, events);

    /// <summary>Null when a bit is none of them.</summary>
    public static TraceEvents? FromMask(int mask)
    {
        if ((mask & ~Known) != 0)
            return null;
        TraceEvents events = TraceEvents.None;
        foreach ((int own, TraceEvents neutral) in Bits)
            events |= (mask & own) != 0 ? neutral : TraceEvents.None;
        return events;
    }

    public static int Flags(TraceEvents events) => Translate(StopFlags, events);

    private static int Translate((int Own, TraceEvents Neutral)[] table, TraceEvents events)
    {
        int bits = 0;
        foreach ((int own, TraceEvents neutral) in table)
            bits |= (events & neutral) != 0 ? own : 0;
        return bits;
    }
}
