using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel;

/// <summary>A clock that timers run on.</summary>
public interface ITimeBase
{
    /// <summary>Nanoseconds.</summary>
    long Now { get; }

    /// <summary>Runs an action when the clock reaches a time.</summary>
    WorldTimer Schedule(long deadline, Action action);
}

/// <summary>Time that a process, or one thread of it, was given: a nanosecond an instruction, and what its calls count for.</summary>
public sealed class ProcessorClock(Process process, GuestThread? thread = null, bool isUserOnly = false) : ITimeBase
{
    public long Now => thread is null
        ? (long)(process.Instructions + (isUserOnly ? 0 : process.SystemTime))
        : (long)(thread.Cpu.Instructions + (isUserOnly ? 0 : thread.SystemTime));

    /// <summary>The thread whose time it is; null for all of the process.</summary>
    internal GuestThread? Thread => thread;

    public WorldTimer Schedule(long deadline, Action action)
    {
        var timer = new WorldTimer(deadline, action);
        process.AddProcessorTimer(this, timer);
        return timer;
    }
}

/// <summary>Timers on processor time: interval timers, RLIMIT_CPU, POSIX timers. They are looked at after each turn, which ends at the nearest.</summary>
public sealed partial class Process
{
    private const long Second = 1_000_000_000;

    private readonly List<(ProcessorClock Clock, WorldTimer Timer)> _processorTimers = [];
    private IntervalTimer? _virtualTimer;
    private IntervalTimer? _profileTimer;
    private WorldTimer? _processorLimit;

    /// <summary>Nanoseconds of calls, as <see cref="Instructions"/> are of programs.</summary>
    public ulong SystemTime
    {
        get
        {
            ulong sum = PastSystemTime;
            foreach (GuestThread thread in _threads)
                sum += thread.SystemTime;
            return sum;
        }
    }

    /// <summary>Of threads that are gone, and of reaped children.</summary>
    public ulong PastSystemTime { get; private set; }

    public ulong ChildSystemTime { get; private set; }

    private ulong _resident;

    /// <summary>
    /// The most bytes that were seen resident (ru_maxrss of getrusage(2)): it is looked at now, when a program is left for another and, unless a sibling
    /// surely had more, at the end.
    /// </summary>
    public ulong LargestResident
    {
        get
        {
            if (!IsZombie)
                NoteResident();
            return _resident;
        }
    }

    /// <summary>The most of any child that was waited for, and of theirs.</summary>
    public ulong ChildResident { get; private set; }

    private void NoteResident() => _resident = Math.Max(_resident, Memory.ResidentBytes());

    /// <summary>ITIMER_VIRTUAL: runs while the program does, and sends SIGVTALRM.</summary>
    public IntervalTimer VirtualTimer => _virtualTimer ??= MakeTimer(isUserOnly: true, Signal.VirtualAlarm);

    /// <summary>ITIMER_PROF: runs in its calls as well, and sends SIGPROF.</summary>
    public IntervalTimer ProfileTimer => _profileTimer ??= MakeTimer(isUserOnly: false, Signal.Profile);

    internal bool HasProcessorTimers => _processorTimers.Count > 0;

    internal void AddProcessorTimer(ProcessorClock clock, WorldTimer timer)
    {
        if (timer.Deadline != long.MaxValue)
            _processorTimers.Add((clock, timer));
    }

    /// <summary>Nanoseconds that a thread can run before a timer is due.</summary>
    internal long TimeToProcessorTimer(GuestThread running)
    {
        long least = long.MaxValue;
        foreach ((ProcessorClock clock, WorldTimer timer) in _processorTimers)
        {
            if (timer.IsPending && (clock.Thread is null || ReferenceEquals(clock.Thread, running)))
                least = Math.Min(least, Math.Max(1, timer.Deadline - clock.Now));
        }
        return least;
    }

    internal void FireProcessorTimers()
    {
        for (int i = 0; i < _processorTimers.Count && !IsZombie;)
        {
            (ProcessorClock clock, WorldTimer timer) = _processorTimers[i];
            if (timer.IsPending && clock.Now < timer.Deadline)
            {
                i++;
                continue;
            }
            _processorTimers.RemoveAt(i);
            // What it arms again comes to the end of the list, and its time is later.
            timer.Fire();
        }
    }

    /// <summary>Watches RLIMIT_CPU; a limit of 0 counts as a second (setrlimit(2)).</summary>
    internal void WatchProcessorLimit()
    {
        _processorLimit?.Cancel();
        _processorLimit = null;
        (ulong soft, ulong hard) = Limits[(int)Resource.ProcessorTime];
        ulong seconds = Math.Max(1, Math.Min(soft, hard));
        if (seconds < long.MaxValue / Second)
            _processorLimit = new ProcessorClock(this).Schedule((long)seconds * Second, OnProcessorLimit);
    }

    /// <summary>A second more each time, until the hard limit kills.</summary>
    private void OnProcessorLimit()
    {
        const int fromKernel = 0x80;
        (ulong soft, ulong hard) = Limits[(int)Resource.ProcessorTime];
        long now = new ProcessorClock(this).Now;
        if (hard < long.MaxValue / Second && now >= (long)Math.Max(1, hard) * Second)
        {
            World.Send(this, new SignalInfo(Signal.Kill, fromKernel));
            return;
        }
        World.Send(this, new SignalInfo(Signal.ProcessorLimit, fromKernel));
        Limits[(int)Resource.ProcessorTime] = (Math.Max(1, soft) + 1, hard);
        WatchProcessorLimit();
    }

    private IntervalTimer MakeTimer(bool isUserOnly, int signal)
    {
        const int fromKernel = 0x80;
        return new IntervalTimer(new ProcessorClock(this, isUserOnly: isUserOnly), () => World.Send(this, new SignalInfo(signal, fromKernel)));
    }

    private void KeepTimes(GuestThread ended)
    {
        PastInstructions += ended.Cpu.Instructions;
        PastSystemTime += ended.SystemTime;
    }
}
