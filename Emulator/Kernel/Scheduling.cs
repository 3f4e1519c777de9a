namespace Vivarium.Emulator.Kernel;

/// <summary>Scheduling policies (sched(7)), by Linux's numbers.</summary>
public enum SchedulingPolicy : byte
{
    Other = 0,
    Fifo = 1,
    RoundRobin = 2,
    Batch = 3,
    Idle = 5,
    Deadline = 6,
}

/// <summary>
/// How a thread is scheduled. Real-time priorities come before all others; nice values, processors, deadlines and I/O priorities are kept and
/// told, and change nothing: one worker runs a world.
/// </summary>
public sealed record Scheduling
{
    public SchedulingPolicy Policy { get; init; }

    /// <summary>1 to 99 for <see cref="SchedulingPolicy.Fifo"/> and <see cref="SchedulingPolicy.RoundRobin"/>, else 0.</summary>
    public int Priority { get; init; }

    /// <summary>-20 (favoured) to 19.</summary>
    public int Nice { get; init; }

    /// <summary>Children go back to <see cref="SchedulingPolicy.Other"/>.</summary>
    public bool ResetsOnFork { get; init; }

    /// <summary>Nanoseconds: runtime, deadline and period of <see cref="SchedulingPolicy.Deadline"/>.</summary>
    public (ulong Runtime, ulong Deadline, ulong Period) Reservation { get; init; }

    /// <summary>Processors it may run on; null = all.</summary>
    public ulong? Processors { get; init; }

    /// <summary>The I/O priority as ioprio_set(2) has it: class and level; 0 = follows the nice value.</summary>
    public int IoPriority { get; init; }

    public ulong TimerSlack { get; init; } = DefaultTimerSlack;

    /// <summary>What 0 sets it back to: what the thread began with.</summary>
    public ulong FirstTimerSlack { get; init; } = DefaultTimerSlack;

    public const ulong DefaultTimerSlack = 50_000;

    public bool IsRealTime => Policy is SchedulingPolicy.Fifo or SchedulingPolicy.RoundRobin;

    /// <summary>What a child gets (sched(7), "Resetting scheduling policy for child processes").</summary>
    public Scheduling Inherited()
    {
        if (!ResetsOnFork)
            return this with { FirstTimerSlack = TimerSlack };
        return this with
        {
            FirstTimerSlack = TimerSlack,
            Policy = IsRealTime || Policy == SchedulingPolicy.Deadline ? SchedulingPolicy.Other : Policy,
            Priority = 0, Nice = IsRealTime ? 0 : Math.Max(0, Nice), ResetsOnFork = false, Reservation = default,
        };
    }
}
