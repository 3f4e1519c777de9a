namespace Vivarium.Emulator.Kernel.Events;

/// <summary>A timer that fires once or at an interval and counts (timerfd_create(2), timer_create(2)).</summary>
public sealed class IntervalTimer(ITimeBase clock, Action fired)
{
    private WorldTimer? _timer;

    /// <summary>Nanoseconds between expirations; 0 = only one.</summary>
    public long Interval { get; private set; }

    /// <summary>Nanoseconds to the next expiration; 0 = not armed.</summary>
    public long Left => _timer is { IsPending: true } timer ? Math.Max(1, timer.Deadline - clock.Now) : 0;

    /// <summary>Expirations since <see cref="TakeExpirations"/> or arming.</summary>
    public ulong Expirations { get; private set; }

    /// <summary>The time of the clock it runs on.</summary>
    public long Now => clock.Now;

    /// <summary>Arms for a time of its clock; null disarms.</summary>
    public void Arm(long? deadline, long interval)
    {
        _timer?.Cancel();
        Expirations = 0;
        Interval = interval;
        _timer = deadline is { } time ? clock.Schedule(time, OnTime) : null;
    }

    public ulong TakeExpirations()
    {
        ulong taken = Expirations;
        Expirations = 0;
        return taken;
    }

    private void OnTime()
    {
        long due = _timer!.Deadline, now = clock.Now;
        ulong count = 1;
        if (Interval > 0)
        {
            // A worker that comes late has missed whole periods.
            count += (ulong)((now - due) / Interval);
            long next = due + ((long)count * Interval);
            _timer = next > due ? clock.Schedule(next, OnTime) : null;
        }
        Expirations += count;
        fired();
    }
}
