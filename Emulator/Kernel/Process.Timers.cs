using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel;

/// <summary>The process's real-time interval timer (setitimer(2), alarm(2)).</summary>
public sealed partial class Process
{
    /// <summary>Nanoseconds left (0 = not armed) and the interval.</summary>
    public (long Left, long Interval) RealTimerState() => RealTimer is { IsPending: true } timer
        ? (Math.Max(1, timer.Deadline - World.Clock.Monotonic), RealTimerInterval)
        : (0, 0);

    /// <summary>Arms the timer to fire after <paramref name="first"/> nanoseconds and then at the interval; 0 disarms it.</summary>
    public void SetRealTimer(long first, long interval)
    {
        RealTimer?.Cancel();
        RealTimerInterval = interval;
        RealTimer = first == 0 ? null : World.Schedule(Later(World.Clock.Monotonic, first), OnRealTimer);
    }

    private void OnRealTimer()
    {
        long due = RealTimer!.Deadline;
        World.Send(this, new SignalInfo(Signal.Alarm, Code: 0x80));
        if (RealTimerInterval == 0 || IsZombie)
            return;
        // A worker that comes late has missed whole periods: they are one signal, as standard signals merge.
        long missed = Math.Max(0, World.Clock.Monotonic - due) / RealTimerInterval;
        RealTimer = World.Schedule(Later(due, (missed + 1) * RealTimerInterval), OnRealTimer);
    }

    /// <summary>A time plus a span, at the end of time at most.</summary>
    private static long Later(long time, long span) => span > long.MaxValue - time ? long.MaxValue : time + span;
}
