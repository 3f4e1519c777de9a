using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Interval timers of a process: alarm(2), setitimer(2).</summary>
public static class TimerCalls
{
    private const long Second = 1_000_000_000;

    public static CallResult Alarm(CallContext call, uint seconds)
    {
        (long left, _) = call.Process.RealTimerState();
        call.Process.SetRealTimer((long)seconds * Second, 0);
        // Rounded to the nearest second, but never to "no alarm" (alarm(2)).
        return CallResult.Ok(left == 0 ? 0 : Math.Max(1, (left + (Second / 2)) / Second));
    }

    public static CallResult Getitimer(CallContext call, int which, GuestAddress value)
    {
        if (which is < 0 or > 2)
            return Errno.EINVAL;
        return WriteTimer(call, value, StateOf(call.Process, which)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Setitimer(CallContext call, int which, GuestAddress value, GuestAddress old)
    {
        if (which is < 0 or > 2)
            return Errno.EINVAL;
        long first = 0, interval = 0;
        if (!value.IsNull && (!ReadTimeval(call, value, out interval) || !ReadTimeval(call, value + 16, out first)))
            return Errno.EFAULT;
        if (first < 0 || interval < 0)
            return Errno.EINVAL;
        (long, long) before = StateOf(call.Process, which);
        if (which == 0)
            call.Process.SetRealTimer(first, interval);
        else if (TimerOf(call.Process, which) is var timer)
            timer.Arm(first == 0 ? null : timer.Now + first, interval);
        return old.IsNull || WriteTimer(call, old, before) ? CallResult.Ok() : Errno.EFAULT;
    }

    private static IntervalTimer TimerOf(Process process, int which) => which == 1 ? process.VirtualTimer : process.ProfileTimer;

    private static (long Left, long Interval) StateOf(Process process, int which)
    {
        if (which == 0)
            return process.RealTimerState();
        IntervalTimer timer = TimerOf(process, which);
        return (timer.Left, timer.Interval);
    }

    private static bool ReadTimeval(CallContext call, GuestAddress address, out long nanoseconds)
    {
        nanoseconds = 0;
        if (!call.Memory.TryRead(address, out FileTime time))
            return false;
        nanoseconds = time.Seconds < 0 || time.Nanoseconds is < 0 or >= 1_000_000 ? -1 : (time.Seconds * Second) + (time.Nanoseconds * 1000);
        return true;
    }

    private static bool WriteTimer(CallContext call, GuestAddress address, (long Left, long Interval) timer) =>
        call.Memory.TryWrite(address, new FileTime { Seconds = timer.Interval / Second, Nanoseconds = timer.Interval % Second / 1000 })
        && call.Memory.TryWrite(address + 16, new FileTime { Seconds = timer.Left / Second, Nanoseconds = timer.Left % Second / 1000 });
}
