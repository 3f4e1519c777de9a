using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Reading clocks and sleeping on them.</summary>
public static class TimeCalls
{
    private const int Realtime = 0;
    private const int Monotonic = 1;
    private const int ProcessCpu = 2;
    private const int ThreadCpu = 3;
    private const long Second = 1_000_000_000;

    /// <summary>The resolution of the coarse clocks: a tick of 250 a second.</summary>
    private const long Tick = 4_000_000;

    public static CallResult ClockGettime(CallContext call, int clock, GuestAddress time) =>
        Read(call, clock) is { } now ? WriteTime(call, time, now) : Errno.EINVAL;

    public static CallResult ClockGetres(CallContext call, int clock, GuestAddress time)
    {
        if (Read(call, clock) is null)
            return Errno.EINVAL;
        return time.IsNull ? 0 : WriteTime(call, time, clock is 5 or 6 ? Tick : 1);
    }

    public static CallResult ClockSettime(CallContext call, int clock, GuestAddress time)
    {
        Errno error = call.ReadTime(time, out _);
        // A world's clocks are its node's: nobody in it may set them.
        return clock != Realtime ? Errno.EINVAL : error != Errno.None ? error : Errno.EPERM;
    }

    /// <summary>Nanoseconds of a clock; null for one that does not exist (clock_getres(2)).</summary>
    internal static long? Read(CallContext call, int clock)
    {
        IClock time = call.World.Clock;
        switch (clock)
        {
            case Realtime or 8:
                return time.Realtime;
            case 5:
                return time.Realtime / Tick * Tick;
            case 6:
                return time.Monotonic / Tick * Tick;
            case Monotonic or 4 or 7 or 9:
                return time.Monotonic;
            case 11:
                return time.Realtime + (37 * Second);
            case ProcessCpu:
                return CpuTime(call.Process);
            case ThreadCpu:
                return (long)call.Thread.Cpu.Instructions;
            default:
                return clock < 0 ? OtherCpuClock(call, clock) : null;
        }
    }

    /// <summary>An instruction counts for a nanosecond.</summary>
    internal static long CpuTime(Process process)
    {
        ulong instructions = process.PastInstructions;
        foreach (GuestThread thread in process.Threads)
            instructions += thread.Cpu.Instructions;
        return (long)instructions;
    }

    /// <summary>Negative ids name the CPU clock of a process or thread: ~id in the upper bits, bit 2 for threads (clock_getcpuclockid(3)).</summary>
    private static long? OtherCpuClock(CallContext call, int clock)
    {
        int id = ~(clock >> 3);
        bool isThread = (clock & 4) != 0;
        if ((clock & 3) == 3)
            return null;
        if (isThread)
            return id == 0 ? (long)call.Thread.Cpu.Instructions : call.World.FindThread(id) is { } thread ? (long)thread.Cpu.Instructions : null;
        return id == 0 ? CpuTime(call.Process) : call.World.FindProcess(id) is { } process ? CpuTime(process) : null;
    }

    internal static CallResult WriteTime(CallContext call, GuestAddress address, long nanoseconds) =>
        call.Memory.TryWrite(address, nanoseconds / Second) && call.Memory.TryWrite(address + 8, nanoseconds % Second) ? 0 : Errno.EFAULT;

    public static CallResult Gettimeofday(CallContext call, GuestAddress time, GuestAddress zone)
    {
        long now = call.World.Clock.Realtime;
        if (!time.IsNull && !(call.Memory.TryWrite(time, now / Second) && call.Memory.TryWrite(time + 8, now % Second / 1000)))
            return Errno.EFAULT;
        return zone.IsNull || call.Memory.TryWrite(zone, 0ul) ? 0 : Errno.EFAULT;
    }

    public static CallResult Time(CallContext call, GuestAddress time)
    {
        long now = call.World.Clock.Realtime / Second;
        return time.IsNull || call.Memory.TryWrite(time, now) ? now : Errno.EFAULT;
    }

    public static CallResult Nanosleep(CallContext call, GuestAddress request, GuestAddress remaining)
    {
        Errno error = call.SetTimeout(request);
        if (request.IsNull)
            error = Errno.EFAULT;
        return error != Errno.None ? error : Sleep(call, remaining);
    }

    public static CallResult ClockNanosleep(CallContext call, int clock, int flags, GuestAddress request, GuestAddress remaining)
    {
        const int absolute = 1;
        if (clock == ThreadCpu || Read(call, clock) is not { } now)
            return Errno.EINVAL;
        Errno error = call.ReadTime(request, out long time);
        if (error != Errno.None)
            return error;
        if ((flags & absolute) == 0)
        {
            call.SetTimeout(time);
            return Sleep(call, remaining);
        }
        // The time left on that clock, from now, on the monotonic one.
        call.SetDeadline(call.World.Clock.Monotonic + Math.Max(0, time - now));
        return Sleep(call, GuestAddress.Null);
    }

    private static CallResult Sleep(CallContext call, GuestAddress remaining)
    {
        if (call.DeadlinePassed)
            return 0;
        CallResult result = call.Wait(RestartKind.IfNoHandler);
        if (result.Outcome == CallOutcome.Interrupted && !remaining.IsNull && call.TimeLeft() is { } left && WriteTime(call, remaining, left).Error != Errno.None)
            return Errno.EFAULT;
        return result;
    }
}
