namespace Vivarium.Emulator.Kernel;

/// <summary>What clocks since boot show (time_namespaces(7)): the world's, moved by offsets that are fixed once a process is inside.</summary>
public sealed class TimeSpace(World world, UserSpace? owner) : Namespace(world, "time", owner)
{
    /// <summary>What CLOCK_MONOTONIC and its kin are ahead of the world's, nanoseconds.</summary>
    public long MonotonicOffset { get; set; }

    /// <summary>The same for CLOCK_BOOTTIME.</summary>
    public long BootOffset { get; set; }

    /// <summary>A process has entered: the offsets stay as they are.</summary>
    public bool IsFrozen { get; internal set; }

    /// <summary>A space with the same offsets, which can still be changed.</summary>
    public TimeSpace Copy(World world, UserSpace owner) => new(world, owner) { MonotonicOffset = MonotonicOffset, BootOffset = BootOffset };

    /// <summary>Where programs inside read their clocks without a call: one for each code that reads them.</summary>
    internal List<ClockPage> Pages { get; } = [];
}

public sealed partial class GuestThread
{
    /// <summary>Enters the space of clocks that was meant for children: a new process, and a thread that executes a program.</summary>
    public void EnterTime()
    {
        Namespaces spaces = Namespaces;
        if (spaces.TimeOfChildren == spaces.Time)
            return;
        Namespaces = spaces with { Time = spaces.TimeOfChildren };
        spaces.TimeOfChildren.IsFrozen = true;
        Process.Personality.OnTimeChanged(this);
    }
}
