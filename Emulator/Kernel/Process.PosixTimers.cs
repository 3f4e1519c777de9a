using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel;

/// <summary>A POSIX timer of a process (timer_create(2)): it sends a signal, and counts the expirations that found it still pending.</summary>
public sealed class PosixTimer
{
    private readonly Process _process;
    private readonly GuestThread? _thread;
    private readonly int _signal;
    private readonly ulong _value;

    internal PosixTimer(Process process, GuestThread? thread, int id, int signal, ulong value, bool isRealtime, ITimeBase clock)
    {
        (_process, _thread, _signal, _value) = (process, thread, signal, value);
        Id = id;
        IsRealtime = isRealtime;
        IsOnProcessorTime = clock is ProcessorClock;
        Timer = new IntervalTimer(clock, OnExpiration);
    }

    public int Id { get; }

    public bool IsRealtime { get; }

    /// <summary>Absolute times are on the clock that counts time asleep too.</summary>
    public bool IsBootTime { get; init; }

    public bool IsOnProcessorTime { get; }

    /// <summary>The user whose queue of signals it counts in.</summary>
    internal uint Payer { get; init; }

    public IntervalTimer Timer { get; }

    /// <summary>Expirations beyond the first since the signal was sent last.</summary>
    public int Overrun { get; private set; }

    private void OnExpiration()
    {
        int count = (int)Math.Min(int.MaxValue, Timer.TakeExpirations());
        if (_signal == 0)
            return;
        if (_thread?.Pending.HasTimer(Id) ?? _process.Pending.HasTimer(Id))
        {
            Overrun = Math.Min(int.MaxValue - count, Overrun) + count;
            return;
        }
        const int timerCode = -2;
        Overrun = count - 1;
        var info = new SignalInfo(_signal, timerCode) { IsTimer = true, Timer = Id, Overrun = Overrun, Value = _value };
        if (_thread is null)
            _process.World.Send(_process, info);
        else
            _process.World.Send(_thread, info);
    }
}

/// <summary>The process's POSIX timers.</summary>
public sealed partial class Process
{
    // In order of id.
    private readonly List<PosixTimer> _posixTimers = [];
    private int _nextTimer;

    /// <summary>Makes a timer, whose signal the user pays for at once; null past the limit (EAGAIN).</summary>
    public PosixTimer? AddPosixTimer(GuestThread? thread, int signal, ulong? value, bool isRealtime, bool isBootTime, ITimeBase? clock = null)
    {
        uint payer = Credentials.User;
        if (!World.SignalQuota.TryCharge(payer, SoftLimit(Resource.PendingSignals)))
            return null;
        int id = _nextTimer++;
        var timer = new PosixTimer(this, thread, id, signal, value ?? (ulong)id, isRealtime, clock ?? World.TimeBase) { Payer = payer, IsBootTime = isBootTime };
        _posixTimers.Add(timer);
        return timer;
    }

    public PosixTimer? FindPosixTimer(int id) => _posixTimers.Find(timer => timer.Id == id);

    public bool RemovePosixTimer(int id)
    {
        if (FindPosixTimer(id) is not { } timer)
            return false;
        _posixTimers.Remove(timer);
        timer.Timer.Arm(null, 0);
        World.SignalQuota.Release(timer.Payer);
        return true;
    }

    /// <summary>They do not outlive the process or its program.</summary>
    internal void DropPosixTimers()
    {
        while (_posixTimers.Count > 0)
            RemovePosixTimer(_posixTimers[0].Id);
        _nextTimer = 0;
    }
}
