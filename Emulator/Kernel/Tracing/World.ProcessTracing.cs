using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Kernel.Tracing;

namespace Vivarium.Emulator.Kernel;

/// <summary>Where threads of processes that are traced as a whole stop (ptrace(2) of FreeBSD and NetBSD).</summary>
public sealed partial class World
{
    /// <summary>Begins to trace a process: EBUSY when somebody does already.</summary>
    public Errno Trace(Process process, Process tracer, bool tellsAtExit)
    {
        if (process.IsTraced)
            return Errno.EBUSY;
        // A child of vfork cannot stop: who would have to let it go on waits for it.
        var trace = new ProcessTrace(process, tracer, tellsAtExit) { WaitsForExecution = process.HoldsParent && ReferenceEquals(process.Parent, tracer) };
        process.Trace = trace;
        tracer.Traced.Add(trace);
        foreach (GuestThread thread in process.Threads)
            trace.Join(thread);
        return Errno.None;
    }

    /// <summary>Stops a process that runs, before any other signal of its: as if <paramref name="info"/> had come.</summary>
    public void Halt(ProcessTrace trace, in SignalInfo info)
    {
        trace.Process.Thaw();
        trace.Process.MainThread.Tracee!.StopSoon(new TraceStop(TraceStopKind.Signal, info.Signal, info));
    }

    /// <summary>Ends tracing; the process goes on, with the signals its threads were given.</summary>
    public void Untrace(ProcessTrace trace)
    {
        List<(GuestThread Thread, SignalInfo Signal)> given = [];
        foreach (GuestThread thread in trace.Process.Threads)
        {
            if (thread.Tracee?.Injected is { } signal)
                given.Add((thread, signal));
        }
        trace.Dissolve();
        foreach ((GuestThread thread, SignalInfo signal) in given)
            Send(thread, signal);
    }

    /// <summary>Lets a process that stands still go on.</summary>
    public void Resume(ProcessTrace trace, Tracee? only = null) => trace.GoOn(only);

    /// <summary>A thread that was shown the entry of a call comes out of it without the call being made: its tracer did what it wanted.</summary>
    public void CancelCall(Tracee tracee)
    {
        tracee.LeaveCall();
        tracee.Thread.DropCall();
    }

    /// <summary>A thread other than the last of its process is about to end: true when its tracer sees it first. The call is run again.</summary>
    public bool TellThreadEnd(CallContext call)
    {
        if (call.State is not null || call.Thread.Tracee is not { Session: { } trace } tracee || call.Process.Threads.Count == 1 || !trace.Wants(TraceEvents.ThreadEnd))
            return false;
        call.State = call.Thread;
        tracee.StandStill(EventStop(TraceEvents.ThreadEnd, (ulong)trace.Tracer.Space.Inside(call.Thread.Id)));
        return true;
    }

    private static TraceStop EventStop(TraceEvents events, ulong message, int signal = Signal.Trap)
    {
        TraceStopKind kind = (events & TraceEvents.CallEntry) != 0 ? TraceStopKind.CallEntry : (events & TraceEvents.CallExit) != 0 ? TraceStopKind.CallExit : TraceStopKind.Event;
        return new TraceStop(kind, signal, new SignalInfo(signal), message) { Events = events };
    }

    /// <summary>Tells of something that happens in a call: now, or when it is left.</summary>
    private static void Tell(Tracee tracee, TraceEvents what, ulong message)
    {
        if (tracee.Session!.TellsAtExit)
            (tracee.News, tracee.NewsMessage) = (tracee.News | what, message);
        else
            tracee.StandStill(EventStop(what, message));
    }

    /// <summary>A traced process made a thread or a process.</summary>
    private void FollowNew(ProcessTrace trace, GuestThread maker, GuestThread made, TraceEvent what)
    {
        Tracee tracee = maker.Tracee!;
        PidSpace numbers = trace.Tracer.Space;
        if (ReferenceEquals(made.Process, maker.Process))
        {
            TraceEvents born = TraceEvents.ThreadStart | (trace.TellsAtExit ? TraceEvents.CallExit : 0);
            if (trace.Wants(TraceEvents.ThreadStart))
                made.Tracee!.StopSoon(EventStop(born, (ulong)numbers.Inside(made.Id)));
            return;
        }
        TraceEvents wanted = what == TraceEvent.Vfork ? TraceEvents.Vfork : TraceEvents.Fork;
        ulong child = (ulong)numbers.Inside(made.Process.Id);
        if (trace.Wants(wanted) && Trace(made.Process, trace.Tracer, trace.TellsAtExit) == Errno.None)
        {
            made.Process.Trace!.WaitsForExecution = false;
            made.Tracee!.StopSoon(trace.TellsAtExit
                ? EventStop(TraceEvents.Child | TraceEvents.CallExit, 0, Signal.Stop)
                : EventStop(wanted, (ulong)numbers.Inside(maker.Process.Id)));
            Tell(tracee, wanted, child);
        }
        if (what != TraceEvent.Vfork)
            return;
        tracee.VforkedChild = child;
        // The call is shown as left before it waits for its child (syscallret in FreeBSD's kernel).
        if (trace.TellsAtExit && (tracee.News != TraceEvents.None || trace.Wants(TraceEvents.CallExit)))
        {
            maker.Process.Personality.Encode(maker, CallResult.Ok(maker.Process.Space.Inside(made.Process.Id)));
            tracee.LeftResult = CallResult.Ok((long)child);
            tracee.StandStill(EventStop(tracee.TakeNews(out ulong message) | TraceEvents.CallExit, message));
            tracee.WasLeft = true;
        }
    }

    /// <summary>The entry of a call of a process that is traced as a whole. True when the thread stands still.</summary>
    private static bool StopAtEntry(ProcessTrace trace, Tracee tracee)
    {
        if (tracee.IsInsideCall)
            return false;
        tracee.IsInsideCall = true;
        tracee.WasShown = trace.Wants(TraceEvents.CallEntry) && !trace.WaitsForExecution;
        if (tracee.WasShown)
            tracee.StandStill(EventStop(TraceEvents.CallEntry, 0));
        return tracee.WasShown;
    }

    private static void StopAtExit(ProcessTrace trace, Tracee tracee)
    {
        TraceEvents news = tracee.TakeNews(out ulong message);
        bool showsExit = tracee is { IsInsideCall: true, WasLeft: false } && trace.Wants(TraceEvents.CallExit) && (trace.TellsAtExit || tracee.WasShown) && !trace.WaitsForExecution;
        bool isDone = tracee.VforkedChild != 0 && trace.Wants(TraceEvents.VforkDone);
        TraceStop done = EventStop(TraceEvents.VforkDone, tracee.VforkedChild), exit = EventStop(TraceEvents.CallExit | news, message);
        tracee.LeaveCall();
        if (isDone && !trace.TellsAtExit)
            tracee.StandStill(done);
        if (showsExit || news != TraceEvents.None)
            tracee.StandStill(exit);
        if (isDone && trace.TellsAtExit)
            tracee.StandStill(done);
        if (tracee.Mode == TraceMode.Step)
            tracee.StandStill(new TraceStop(TraceStopKind.Signal, Signal.Trap, FaultSignals.Of(Signal.Trap, FaultSignals.Stepped, tracee.Thread.Cpu.State.Pc)));
    }

    private bool StopForSignal(ProcessTrace trace, Tracee tracee, in SignalInfo info)
    {
        if (info.Signal == Signal.Kill || trace.WaitsForExecution || trace.Passed.Contains(info.Signal))
            return false;
        // What a signal interrupts for good has failed before the signal is looked at.
        GuestThread thread = tracee.Thread;
        if (thread.InCall && thread.Interruption == RestartKind.Never)
            FinishCall(thread, CallResult.Fail(Errno.EINTR));
        tracee.StandStill(new TraceStop(TraceStopKind.Signal, info.Signal, info));
        return true;
    }
}

public sealed partial class Process
{
    /// <summary>How it is traced as a whole; null when it is not.</summary>
    public ProcessTrace? Trace { get; internal set; }

    /// <summary>Processes that this one traces as a whole, the oldest first.</summary>
    public List<ProcessTrace> Traced { get; } = [];

    /// <summary>Whether others may begin to trace it, and whether a new program changes that (procctl(2), PROC_TRACE_CTL).</summary>
    public TraceDenial TraceDenial { get; set; }

    /// <summary>A stop of its own is over, and nobody is told: its tracer keeps it now.</summary>
    internal void Thaw()
    {
        if (!IsStopped)
            return;
        IsStopped = false;
        Reported = null;
        foreach (GuestThread thread in _threads)
        {
            if (thread.State != ThreadState.Stopped)
                continue;
            thread.State = ThreadState.Ready;
            World.Enqueue(thread);
        }
    }

    /// <summary>Its parent learns of its end, which its tracer was to know first.</summary>
    internal void TellEnd(WaitStatus status)
    {
        // Without an heir nothing was left of it when its parent ended.
        if (!ReferenceEquals(World.FindProcess(Id), this))
            return;
        Reported = status;
        TellParent(status);
    }

    /// <summary>What this process traced as a whole is killed with it, and the ended are left to their parents.</summary>
    private void KillTraced()
    {
        foreach (ProcessTrace trace in (ProcessTrace[])[.. Traced])
        {
            if (trace.End is not null)
            {
                trace.Release();
                continue;
            }
            trace.Dissolve();
            World.Send(trace.Process, new SignalInfo(Signal.Kill));
        }
    }
}

/// <summary>Whether a process refuses to be traced.</summary>
public enum TraceDenial : byte
{
    None,
    UntilExecution,
    Always,
}
