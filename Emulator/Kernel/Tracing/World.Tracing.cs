using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Debugging;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Tracing;

namespace Vivarium.Emulator.Kernel;

/// <summary>Where threads stop for their tracers (ptrace(2)).</summary>
public sealed partial class World
{
    private Stepper? _stepper;

    /// <summary>Begins to trace a thread: EPERM when somebody does already.</summary>
    public Errno Trace(GuestThread thread, Process tracer, bool isSeized, TraceOptions options)
    {
        if (thread.Tracee is not null || thread.Process == tracer)
            return Errno.EPERM;
        thread.Tracee = new Tracee(thread, tracer, isSeized) { Options = options };
        tracer.Tracees.Add(thread.Tracee);
        return Errno.None;
    }

    /// <summary>Ends tracing; a thread that stands still goes on.</summary>
    public void Untrace(Tracee tracee)
    {
        tracee.Tracer.Tracees.Remove(tracee);
        GuestThread thread = tracee.Thread;
        if (thread.Tracee != tracee)
            return;
        thread.Tracee = null;
        if (thread.IsAlive && thread.State == ThreadState.Traced)
            thread.GoOnForTracer();
    }

    /// <summary>Runs one instruction for a tracer, or many with the debug registers watched.</summary>
    private EngineExit Step(GuestThread thread, ref long budget)
    {
        _stepper ??= new Stepper();
        thread.Debug ??= new DebugRegisters();
        return _stepper.Run(thread.Cpu, thread.Process.Memory, thread.Debug, thread.Tracee is { Mode: TraceMode.Step }, ref budget);
    }

    /// <summary>A call was entered: a tracer that follows calls sees it first. True when the thread stands still.</summary>
    private bool StopAtEntry(GuestThread thread)
    {
        if (thread.Tracee is { Session: { } session } whole)
            return StopAtEntry(session, whole);
        if (thread.Tracee is not { Mode: TraceMode.Calls, IsInsideCall: false } tracee)
            return false;
        tracee.IsInsideCall = true;
        tracee.StandStill(CallStop(TraceStopKind.CallEntry, tracee));
        return true;
    }

    private void StopAtExit(GuestThread thread, in CallResult result)
    {
        if (thread.Tracee is not { } tracee)
            return;
        bool wasShown = tracee.IsInsideCall;
        tracee.LeftCall = thread.Call.Asked;
        tracee.LeftResult = result;
        if (tracee.Session is { } session)
        {
            StopAtExit(session, tracee);
            return;
        }
        (tracee.IsInsideCall, tracee.SkipsCall) = (false, false);
        if (tracee.Mode == TraceMode.Calls && wasShown)
            tracee.StandStill(CallStop(TraceStopKind.CallExit, tracee));
        else if (tracee.Mode == TraceMode.Step)
            tracee.StandStill(new TraceStop(TraceStopKind.Signal, Signal.Trap, new SignalInfo(Signal.Trap, Signal.Trap)));
    }

    /// <summary>A call that a signal interrupts is left for its tracer before the signal is shown. True when the thread stands still.</summary>
    private static bool StopAtInterruption(GuestThread thread)
    {
        if (thread.Tracee is { Session: { } session, IsInsideCall: true } whole && thread is { InCall: true, Interruption: { } restart })
        {
            whole.LeftResult = CallResult.Interrupted(restart);
            bool isShown = session.Wants(TraceEvents.CallExit) && !whole.WasLeft && (session.TellsAtExit || whole.WasShown);
            if (isShown)
                whole.StandStill(EventStop(TraceEvents.CallExit, 0));
            whole.IsInsideCall = false;
            return isShown;
        }
        if (thread.Tracee is not { Mode: TraceMode.Calls, IsInsideCall: true } tracee || !thread.InCall || thread.Interruption is null)
            return false;
        tracee.IsInsideCall = false;
        tracee.StandStill(CallStop(TraceStopKind.CallExit, tracee));
        return true;
    }

    /// <summary>The signal that the tracer lets through, or the next that is due unless the tracer must see it first.</summary>
    private bool TakeForDelivery(GuestThread thread, out SignalInfo info)
    {
        if (thread.Tracee is { Injected: { } injected } tracee)
        {
            tracee.Injected = null;
            info = injected;
            return true;
        }
        return TakeSignal(thread, out info) && !StopForSignal(thread, info);
    }

    /// <summary>The group of a traced thread stops.</summary>
    public void StopForGroup(Tracee tracee, int signal = Signal.Stop)
    {
        tracee.GroupSignal = signal;
        if (tracee.IsSeized)
            StopOnDemand(tracee, signal);
        else
            tracee.StandStill(new TraceStop(TraceStopKind.Group, signal, new SignalInfo(signal)));
    }

    /// <summary>PTRACE_INTERRUPT.</summary>
    public void Interrupt(Tracee tracee)
    {
        GuestThread thread = tracee.Thread;
        if (tracee.Stop is not null)
            return;
        if (thread.State == ThreadState.Stopped)
        {
            StopOnDemand(tracee, tracee.GroupSignal = Signal.Stop);
            return;
        }
        tracee.MustStop = true;
        thread.Wake();
    }

    /// <summary>PTRACE_LISTEN: false unless its group is stopped and it was seized.</summary>
    public bool Listen(Tracee tracee)
    {
        if (!tracee.IsSeized || tracee.Stop is not { } stop || stop.Code >> 8 != (int)TraceEvent.Stop)
            return false;
        tracee.IsListening = true;
        if (tracee.WasContinued)
            RenewStop(tracee);
        return true;
    }

    private void RenewStop(Tracee tracee)
    {
        tracee.WasContinued = false;
        tracee.IsListening = false;
        tracee.LeaveStop();
        StopOnDemand(tracee);
    }

    /// <summary>SIGCONT ends a group's stop, which listeners are told.</summary>
    private void TellContinued(Process process)
    {
        foreach (GuestThread thread in process.Threads)
        {
            if (thread.Tracee is not { GroupSignal: not 0 } tracee)
                continue;
            tracee.GroupSignal = 0;
            tracee.WasContinued = true;
            if (tracee.IsListening)
                RenewStop(tracee);
        }
    }

    /// <summary>Lets a tracee go on, or go.</summary>
    public void Resume(Tracee tracee, bool ends)
    {
        tracee.WasContinued = false;
        if (tracee.Thread.Process.IsStopped)
            tracee.Thread.Process.EndStop();
        if (ends)
        {
            SignalInfo? injected = tracee.Injected;
            Untrace(tracee);
            if (injected is { } signal)
                Send(tracee.Thread, signal);
            return;
        }
        tracee.GoOn();
    }

    private static TraceStop CallStop(TraceStopKind kind, Tracee tracee)
    {
        int code = Signal.Trap | (tracee.Wants(TraceOptions.MarksCalls) ? 0x80 : 0);
        return new TraceStop(kind, code, new SignalInfo(Signal.Trap, code));
    }

    /// <summary>Tells a tracer of an event, when it asked for it; false when it did not.</summary>
    public bool TellTracer(GuestThread thread, TraceEvent what, TraceOptions option, ulong message)
    {
        if (thread.Tracee is not { } tracee || !tracee.Wants(option))
            return false;
        int code = Signal.Trap | ((int)what << 8);
        tracee.StandStill(new TraceStop(TraceStopKind.Event, code, new SignalInfo(Signal.Trap, code), message));
        return true;
    }

    /// <summary>A filter leaves the call to the tracer: false when none asked for that. It was shown then, and its end is to be shown next.</summary>
    internal bool AskTracer(GuestThread thread, ulong message)
    {
        if (!TellTracer(thread, TraceEvent.Seccomp, TraceOptions.Seccomp, message))
            return false;
        thread.IsCallAsked = true;
        thread.Tracee!.IsInsideCall = true;
        return true;
    }

    /// <summary>Stops a seized thread: on demand, or because its group stops.</summary>
    internal void StopOnDemand(Tracee tracee, int signal = Signal.Trap)
    {
        tracee.MustStop = false;
        if (tracee.Session is not null)
        {
            tracee.StandStill(tracee.Due);
            return;
        }
        int code = signal | ((int)TraceEvent.Stop << 8);
        TraceStopKind kind = signal == Signal.Trap ? TraceStopKind.Event : TraceStopKind.Group;
        tracee.StandStill(new TraceStop(kind, code, new SignalInfo(Signal.Trap, code)));
    }

    /// <summary>A signal ends a process; threads whose tracers asked for that stop first where they are, the killed a second time do not.</summary>
    private void KillBy(Process process, int signal, bool dumpedCore = false)
    {
        WaitStatus status = WaitStatus.OfSignal(signal, dumpedCore);
        GuestThread[] seen = process.Doom is null ? [.. process.Threads.Where(static thread => thread.Tracee is { } tracee && tracee.Wants(TraceOptions.Exit))] : [];
        if (seen.Length == 0)
        {
            process.Exit(status);
            return;
        }
        process.Doom = status;
        foreach (GuestThread thread in (GuestThread[])[.. process.Threads.Except(seen)])
            process.Die(thread, status);
        foreach (GuestThread thread in seen)
        {
            thread.Tracee!.LeaveStops();
            TellTracer(thread, TraceEvent.Exit, TraceOptions.Exit, (ulong)signal);
        }
    }

    /// <summary>A signal is about to be delivered: its tracer decides. True when the thread stands still.</summary>
    private bool StopForSignal(GuestThread thread, in SignalInfo info)
    {
        if (thread.Tracee is { Session: { } session } whole)
            return StopForSignal(session, whole, info);
        if (thread.Tracee is not { } tracee || info.Signal == Signal.Kill)
            return false;
        tracee.StandStill(new TraceStop(TraceStopKind.Signal, info.Signal, info));
        return true;
    }

    /// <summary>A new thread or process of a traced one is traced as well, when its tracer follows.</summary>
    public void FollowNew(GuestThread maker, GuestThread made, TraceEvent what)
    {
        if (maker.Tracee is not { } tracee)
            return;
        if (tracee.Session is { } session)
        {
            FollowNew(session, maker, made, what);
            return;
        }
        TraceOptions option = what switch { TraceEvent.Fork => TraceOptions.Fork, TraceEvent.Vfork => TraceOptions.Vfork, _ => TraceOptions.Clone };
        if (!tracee.Wants(option))
            return;
        Trace(made, tracee.Tracer, tracee.IsSeized, tracee.Options);
        if (tracee.IsSeized)
            StopOnDemand(made.Tracee!);
        else
            made.Pending.Add(new SignalInfo(Signal.Stop), made.Credentials.User, ulong.MaxValue);
        TellTracer(maker, what, option, (ulong)tracee.Tracer.Space.Inside(made.Id));
    }

    /// <summary>A program was started: its tracer gets an event, or as of old a SIGTRAP.</summary>
    public void TellExecute(GuestThread thread, int formerId)
    {
        thread.Debug = null;
        if (thread.Process.TraceDenial == TraceDenial.UntilExecution)
            thread.Process.TraceDenial = TraceDenial.None;
        if (thread.Tracee is not { } tracee)
            return;
        if (tracee.Session is { } session)
        {
            session.WaitsForExecution = false;
            if (session.Wants(TraceEvents.Execute))
                Tell(tracee, TraceEvents.Execute, 0);
            return;
        }
        tracee.BecomeMain(thread.Id);
        if (!TellTracer(thread, TraceEvent.Execute, TraceOptions.Execute, (ulong)tracee.Tracer.Space.Inside(formerId)) && !tracee.IsSeized)
            Send(thread, new SignalInfo(Signal.Trap) { SenderProcess = thread.Process.Space.Inside(thread.Process.Id) });
    }
}

public sealed partial class Process
{
    /// <summary>Threads this process traces, the oldest first.</summary>
    public List<Tracee> Tracees { get; } = [];

    /// <summary>One of its threads is traced.</summary>
    internal bool IsTraced
    {
        get
        {
            foreach (GuestThread thread in _threads)
            {
                if (thread.Tracee is not null)
                    return true;
            }
            return false;
        }
    }

    /// <summary>A traced thread ended: its tracer is told, unless it is the parent, who learns it as parents do.</summary>
    private void EndTracing(GuestThread thread, WaitStatus status)
    {
        if (thread.Tracee is not { } tracee)
            return;
        thread.Tracee = null;
        if (tracee.Session is not null)
            return;
        if (tracee.Tracer == Parent && thread.Id == Id)
            tracee.Tracer.Tracees.Remove(tracee);
        else
            tracee.Finish(status);
    }

    /// <summary>What this process traced goes its own way, or down with it (PTRACE_O_EXITKILL).</summary>
    private void LetTraceesGo()
    {
        foreach (Tracee tracee in (Tracee[])[.. Tracees])
        {
            bool dies = tracee.Wants(TraceOptions.ExitKill);
            World.Untrace(tracee);
            if (dies && tracee.Thread.IsAlive)
                World.Send(tracee.Thread.Process, new SignalInfo(Signal.Kill));
        }
    }

    /// <summary>A stop that its tracer took over: the threads it does not trace go on.</summary>
    internal void EndStop() => IsStopped = false;
}

public sealed partial class GuestThread
{
    /// <summary>How it is traced; null when it is not.</summary>
    public Tracee? Tracee { get; internal set; }

    /// <summary>Its tracer was asked about the call under way, which a filter left to it.</summary>
    internal bool IsCallAsked { get; set; }

    /// <summary>Its debug registers; null until a tracer used them.</summary>
    public DebugRegisters? Debug { get; set; }

    /// <summary>It runs instruction by instruction.</summary>
    internal bool IsStepped => (Tracee is not null || Debug is not null) && IsSteppedFor();

    private bool IsSteppedFor() => Tracee is { Mode: TraceMode.Step } || Debug is { IsArmed: true };

    /// <summary>The call under way is none any more: its tracer put the thread elsewhere.</summary>
    public void DropCall()
    {
        Process.World.Calls?.Leave(Call, CallResult.NoReturn);
        InCall = false;
        Interruption = null;
        IsCallAsked = false;
        Call.State = null;
    }

    internal void StopForTracer()
    {
        if (State == ThreadState.Ready)
            Process.World.Forget(this);
        else if (State == ThreadState.Parked)
            LeaveSources();
        State = ThreadState.Traced;
    }

    internal void GoOnForTracer()
    {
        if (State != ThreadState.Traced)
            return;
        State = ThreadState.Ready;
        Process.World.Enqueue(this);
    }
}
