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
    private const int MonotonicRaw = 4;
    private const int RealTimeCoarse = 5;
    private const int MonotonicCoarse = 6;
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
                return (time.Monotonic + call.ClockOffset()) / Tick * Tick;
            case Monotonic or 4:
                return time.Monotonic + call.ClockOffset();
            case 7 or 9:
                return time.Monotonic + call.ClockOffset(isBootTime: true);
            case 11:
                return time.Realtime + (call.World.Discipline.AtomicOffset * Second);
            default:
                return ProcessorClockOf(call, clock)?.Now;
        }
    }

    /// <summary>
    /// The processor-time clock an id names, or null. Negative ids name that of another process or thread: ~id in the upper bits, bit 2 for
    /// threads (clock_getcpuclockid(3)); the lowest bits choose among all time (0, 2) and a program's own (1).
    /// </summary>
    internal static ProcessorClock? ProcessorClockOf(CallContext call, int clock)
    {
        if (clock == ProcessCpu)
            return new ProcessorClock(call.Process);
        if (clock == ThreadCpu)
            return new ProcessorClock(call.Process, call.Thread);
        if (clock >= 0 || (clock & 3) == 3)
            return null;
        int id = ~(clock >> 3);
        bool isUserOnly = (clock & 3) == 1;
        if ((clock & 4) == 0)
            return (id == 0 ? call.Process : call.FindProcess(id)) is { } process ? new ProcessorClock(process, isUserOnly: isUserOnly) : null;
        GuestThread? thread = id == 0 ? call.Thread : call.FindThread(id);
        // Threads of other processes keep theirs to themselves.
        return thread is not null && ReferenceEquals(thread.Process, call.Process) ? new ProcessorClock(call.Process, thread, isUserOnly) : null;
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
        if (Read(call, clock) is not { } now)
            return Errno.EINVAL;
        // One's own processor time does not pass in a sleep, and clocks that are only read wake nobody.
        if (clock is ThreadCpu or MonotonicRaw or RealTimeCoarse or MonotonicCoarse)
            return Errno.EOPNOTSUPP;
        Errno error = call.ReadTime(request, out long time);
        if (error != Errno.None)
            return error;
        if (ProcessorClockOf(call, clock) is { } processor)
            return SleepOnProcessorTime(call, processor, (flags & absolute) != 0 ? time : now + time);
        if ((flags & absolute) == 0)
        {
            call.SetTimeout(time);
            return Sleep(call, remaining);
        }
        // The time left on that clock, from now, on the monotonic one.
        call.SetDeadline(call.World.Clock.Monotonic + Math.Max(0, time - now));
        return Sleep(call, GuestAddress.Null);
    }

    /// <summary>Other threads must run for it to end.</summary>
    private static CallResult SleepOnProcessorTime(CallContext call, ProcessorClock clock, long deadline)
    {
        if (call.State is not ProcessorSleep sleep)
            call.State = sleep = new ProcessorSleep(clock, deadline);
        if (sleep.IsOver)
            return 0;
        CallResult result = call.Wait(sleep.Source, RestartKind.IfNoHandler);
        if (result.Outcome == CallOutcome.Interrupted)
            sleep.Abandon();
        return result;
    }

    private sealed class ProcessorSleep : IAbandonable
    {
        private readonly WorldTimer _timer;

        public ProcessorSleep(ProcessorClock clock, long deadline) => _timer = clock.Schedule(deadline, () => Source.Pulse());

        public Source Source { get; } = new();

        public bool IsOver => !_timer.IsPending;

        public void Abandon() => _timer.Cancel();
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
