using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Tracing;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>What a world wants after a quantum.</summary>
public enum WorldState : byte
{
    /// <summary>Has more to do now.</summary>
    Ready,

    /// <summary>Waits for its next deadline or for something posted.</summary>
    Idle,

    /// <summary>Its first process is gone.</summary>
    Over,
}

/// <summary>The scheduler, and the loop between engine and kernel.</summary>
public sealed partial class World
{
    /// <summary>Instructions of a thread's turn.</summary>
    private const int Slice = 400_000;

    /// <summary>The same for a thread that no other waits for: long, as the end of a turn costs translated code a signal.</summary>
    private const int LoneSlice = 1_000_000;

    /// <summary>What a call counts for in a turn and in virtual time, in instructions.</summary>
    private const int CallCost = 200;

    /// <summary>Passes over the head of the queue, for each thread in it, after which chance no longer decides.</summary>
    private const int MostPasses = 2;
    private const int OthersTurn = 20;

    private readonly List<GuestThread> _ready = [];
    private PriorityQueue<WorldTimer, (long Deadline, long Order)>? _timers;
    private readonly WorldRandom _schedule;
    private long _timerOrder;
    private int _passedOver;
    private int _urgentTurns;

    /// <summary>True when the first process has ended.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Instructions retired by all threads.</summary>
    public ulong Instructions { get; private set; }

    /// <summary>The world's time of the next deadline; null = none.</summary>
    public long? NextDeadline
    {
        get
        {
            if (_timers is null)
                return null;
            while (_timers.TryPeek(out WorldTimer? timer, out _) && !timer.IsPending)
                _timers.Dequeue();
            return _timers.TryPeek(out WorldTimer? next, out _) ? next.Deadline : null;
        }
    }

    /// <summary>Runs an action when the monotonic clock reaches a time.</summary>
    public WorldTimer Schedule(long deadline, Action action)
    {
        var timer = new WorldTimer(deadline, action);
        // The end of time is never: a clock that jumped there would fire its timers for ever.
        if (deadline == long.MaxValue)
            return timer;
        _timers ??= new PriorityQueue<WorldTimer, (long Deadline, long Order)>();
        _timers.Enqueue(timer, (deadline, _timerOrder++));
        return timer;
    }

    /// <summary>Runs threads for about <paramref name="quantum"/> instructions.</summary>
    public WorldState Run(long quantum)
    {
        foreach (ClockPage page in _clockPages)
            page.Refresh();
        while (quantum > 0 && !IsOver)
        {
            RunPosted();
            FireTimers();
            RunDeferred();
            if (_ready.Count == 0)
            {
                if (!_clock.IsVirtual || NextDeadline is not { } next)
                    return WorldState.Idle;
                _clock.AdvanceTo(next);
                // A timer that nobody heeds may fire for ever: even then the worker gets its turn.
                quantum -= CallCost;
                continue;
            }
            GuestThread thread = TakeNext();
            int slice = _spec.ShufflesThreads ? (Slice / 2) + _schedule.Below(Slice) : Slice;
            long budget = Math.Min(quantum, _ready.Count == 0 ? LoneSlice : slice);
            long before = budget;
            RunThread(thread, ref budget, Math.Max(0, budget - slice));
            quantum -= Math.Max(1, before - budget);
            if (thread.State == ThreadState.Ready)
                Enqueue(thread);
        }
        return IsOver ? WorldState.Over : WorldState.Ready;
    }

    internal void Enqueue(GuestThread thread)
    {
        if (thread.Process.IsStopped)
            thread.State = ThreadState.Stopped;
        else
            _ready.Add(thread);
    }

    internal void Forget(GuestThread thread) => _ready.Remove(thread);

    private GuestThread TakeNext()
    {
        int index = MostUrgent() ?? (_spec.ShufflesThreads ? Shuffle() : 0);
        GuestThread thread = _ready[index];
        _ready.RemoveAt(index);
        return thread;
    }

    /// <summary>Chance decides, but none is passed over for ever.</summary>
    private int Shuffle()
    {
        int index = _passedOver < MostPasses * _ready.Count ? _schedule.Below(_ready.Count) : 0;
        _passedOver = index == 0 ? 0 : _passedOver + 1;
        return index;
    }

    /// <summary>
    /// The first thread of the highest real-time priority (sched(7)); null when none has one, or when it is the others' turn: as
    /// on Linux they keep a twentieth of the time (sched_rt_runtime_us).
    /// </summary>
    private int? MostUrgent()
    {
        int best = -1, highest = 0;
        for (int i = 0; i < _ready.Count; i++)
        {
            if (_ready[i].EffectivePriority > highest)
                (best, highest) = (i, _ready[i].EffectivePriority);
        }
        return best < 0 || ++_urgentTurns % OthersTurn == 0 ? null : best;
    }

    /// <summary>Fires what is due. What a timer arms while it fires waits for the next turn, however short its span.</summary>
    private readonly Queue<Action> _deferred = new();

    /// <summary>Runs an action when the call under way, or whatever else is, is done: for what must not happen in its midst.</summary>
    public void Defer(Action action) => _deferred.Enqueue(action);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void RunDeferred()
    {
        if (_deferred.Count != 0)
            RunAllDeferred();
    }

    private void RunAllDeferred()
    {
        while (_deferred.Count != 0)
            _deferred.Dequeue()();
    }

    private void FireTimers()
    {
        long now = _clock.Monotonic;
        long last = _timerOrder;
        while (NextDeadline is { } deadline && deadline <= now && _timers!.TryPeek(out _, out (long, long Order) place) && place.Order < last)
            _timers.Dequeue().Fire();
    }

    /// <summary>The thread whose turn it is.</summary>
    public GuestThread? Current { get; private set; }

    /// <summary>A handler of the current thread's call is running: what it wakes, the call woke.</summary>
    internal bool IsInHandler { get; private set; }

    /// <param name="reserve">What of the budget is not for this turn if another thread is ready.</param>
    private void RunThread(GuestThread thread, ref long budget, long reserve)
    {
        Current = thread;
        if (thread.Process.Doom is { } doom)
        {
            thread.Process.Die(thread, doom);
            return;
        }
        while (budget > (_ready.Count == 0 ? 0 : reserve) && thread.State == ThreadState.Ready && !IsOver)
        {
            if (thread.Tracee is { MustStop: true } wanted)
            {
                StopOnDemand(wanted);
            }
            else if (thread.InCall && thread.Interruption is null && (thread.Tracee is null || !StopAtEntry(thread)))
            {
                ContinueCall(thread);
                RunDeferred();
            }
            if (thread.State != ThreadState.Ready)
                return;
            if (thread.Process.IsStopped)
                return;
            if (thread.Yields)
            {
                thread.Yields = false;
                return;
            }
            if (HasSignals(thread))
            {
                DeliverSignals(thread);
                if (thread.Process.IsStopped)
                    return;
                if (thread.State != ThreadState.Ready)
                    continue;
            }
            if (thread.InCall)
                continue;
            long kept = _ready.Count == 0 ? 0 : reserve;
            budget -= kept;
            RunEngine(thread, ref budget);
            budget += kept;
        }
    }

    private void RunEngine(GuestThread thread, ref long budget)
    {
        // A turn ends where a timer on processor time is due.
        Process process = thread.Process;
        thread.LeavePage();
        long slice = process.HasProcessorTimers ? Math.Min(budget, process.TimeToProcessorTimer(thread)) : budget;
        long before = slice;
        if (thread.Tracee is { } tracee)
            tracee.LeftCall = null;
        EngineExit exit = thread.IsStepped ? Step(thread, ref slice) : _spec.Engine.Run(thread.Cpu, process.Memory, ref slice);
        long retired = before - slice;
        budget -= retired;
        Instructions += (ulong)Math.Max(0, retired);
        _clock.Advance(retired);
        if (exit.Reason == ExitReason.SystemCall)
        {
            budget -= CallCost;
            EnterCall(thread);
        }
        else
        {
            Heed(thread, exit);
        }
        if (process.HasProcessorTimers)
            process.FireProcessorTimers();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void EnterCall(GuestThread thread)
    {
        _clock.Advance(CallCost);
        thread.SystemTime += CallCost;
        thread.Process.Personality.Decode(thread);
        thread.InCall = true;
        Calls?.Enter(thread.Call);
        Observer?.OnEnter(thread);
    }

    /// <summary>What else than a call an engine ended with.</summary>
    private void Heed(GuestThread thread, EngineExit exit)
    {
        switch (exit.Reason)
        {
            case ExitReason.Budget:
                thread.Process.Personality.OnPreempted(thread);
                break;
            case ExitReason.MemoryFault when IsMonitored(exit.Fault.Kind):
                WaitAtPage(thread, exit);
                break;
            case ExitReason.MemoryFault when exit.Fault.Kind == FaultKind.NoMemory:
                KillForMemory(thread.Process);
                break;
            default:
                if (exit.Reason == ExitReason.InvalidInstruction)
                    NoteInvalidInstruction(thread);
                ForceSignal(thread, thread.Process.Personality.FaultSignal(thread, exit));
                break;
        }
    }

    /// <summary>Processes that were killed because there was no memory for a page that they had been promised.</summary>
    public int KilledForMemory { get; private set; }

    /// <summary>As Linux' OOM killer does within a limit: the one that asks is the victim.</summary>
    private void KillForMemory(Process process)
    {
        KilledForMemory++;
        Log.Add($"Memory cgroup out of memory: Killed process {process.Id} ({process.MainThread.Name})");
        KillBy(process, Signal.Kill);
    }

    /// <summary>The last instruction that the engine did not know: its address and bytes. For whoever reports a SIGILL.</summary>
    public (ulong Address, byte[] Bytes, Cpu.Architecture Architecture)? InvalidInstruction { get; private set; }

    private void NoteInvalidInstruction(GuestThread thread)
    {
        const int Longest = 15;
        byte[] bytes = new byte[Longest];
        ulong pc = thread.Cpu.State.Pc;
        int length = thread.Process.Memory.Fetch(pc, bytes, out _);
        InvalidInstruction = (pc, bytes[..length], thread.Cpu.Architecture);
    }

    private readonly CallFaults? _faults;

    /// <summary>Runs the handler of the call under way, for the first time or again.</summary>
    private void ContinueCall(GuestThread thread)
    {
        thread.LeavePage();
        CallContext call = thread.Call;
        call.ClearSources();
        if (call.ParkedAt != 0)
            Calls?.Unpark(call);
        bool isPlain = !thread.Process.Memory.HasMonitors && !thread.HeldResult.HasValue && _faults is null;
        if (!isPlain && IsDoneWithout(thread))
            return;
        IsInHandler = true;
        CallResult result = thread.Process.Personality.Dispatch(call);
        if (result.Outcome == CallOutcome.Blocked && thread.HasDeliverableSignal && thread.IsAlive)
            result = Interrupt(call);
        IsInHandler = false;
        if (result.Outcome is CallOutcome.Blocked or CallOutcome.Interrupted || !thread.IsAlive)
            PutOff(thread, result);
        else if (!thread.Process.Memory.HasMonitors || !WaitsAtPage(thread, result))
            EndCall(thread, result);
    }

    /// <summary>True for a call whose result was held, or that a fault strikes: then its handler does not run.</summary>
    private bool IsDoneWithout(GuestThread thread)
    {
        if (thread.HeldResult is { } held)
        {
            EndCall(thread, held);
            return true;
        }
        if (thread.Process.Memory.HasMonitors)
            thread.Process.Memory.TakeHeldUp();
        if (_faults is null || !_faults.Strikes(thread, out CallResult fault))
            return false;
        if (fault.Outcome == CallOutcome.Error)
            FinishCall(thread, fault);
        return true;
    }

    /// <summary>Runs the handler a last time: a signal arrived.</summary>
    private static CallResult Interrupt(CallContext call)
    {
        call.ClearSources();
        call.Interrupted = true;
        CallResult result = call.Process.Personality.Dispatch(call);
        call.Interrupted = false;
        return result;
    }

    /// <summary>A call that did not end, unless its thread did.</summary>
    private void PutOff(GuestThread thread, CallResult result)
    {
        if (!thread.IsAlive)
        {
            Calls?.Leave(thread.Call, result);
            Observer?.OnExit(thread, result);
        }
        else if (result.Outcome == CallOutcome.Interrupted)
        {
            thread.Interruption = result.Restart;
        }
        else if (thread.State == ThreadState.Ready)
        {
            // An event of the call may have stopped it for its tracer: then it runs again after that.
            thread.Park();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void EndCall(GuestThread thread, in CallResult result)
    {
        if ((thread.Process.Memory.HasMonitors || thread.HeldResult.HasValue) && WaitsForReaders(thread, result))
            return;
        if (thread.HeldResult.HasValue)
            thread.HeldResult = null;
        FinishCall(thread, result);
        // A call that was not interrupted gives the mask back before any signal is looked at.
        if (thread.SavedMask.HasValue)
            RestoreMask(thread);
    }

    private static void RestoreMask(GuestThread thread)
    {
        thread.Blocked = thread.SavedMask!.Value;
        thread.SavedMask = null;
    }

    private void FinishCall(GuestThread thread, in CallResult result)
    {
        if (result.Outcome != CallOutcome.NoReturn)
            thread.Process.Personality.Encode(thread, result);
        Calls?.Leave(thread.Call, result);
        Observer?.OnExit(thread, result);
        thread.InCall = false;
        thread.Interruption = null;
        thread.Call.State = null;
        if (thread.Tracee is not null)
            StopAtExit(thread, result);
    }
}
