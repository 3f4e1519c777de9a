using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel.Tracing;

/// <summary>What the tracer of a whole process is told beside signals; of a stop, what it is for. Several may come together.</summary>
[Flags]
public enum TraceEvents : ushort
{
    None = 0,
    Execute = 1,
    CallEntry = 1 << 1,
    CallExit = 1 << 2,
    Fork = 1 << 3,
    Vfork = 1 << 4,
    VforkDone = 1 << 5,
    ThreadStart = 1 << 6,
    ThreadEnd = 1 << 7,

    /// <summary>Of a stop alone: the first of a child that is followed.</summary>
    Child = 1 << 8,
}

/// <summary>
/// A process that is traced as a whole, as the BSDs do it (ptrace(2)): when one of its threads stands still they all do, one stop is told at a time, and its
/// end is told to its parent when its tracer has waited for it.
/// </summary>
/// <param name="tellsAtExit">Events of a call are told when it is left, all as one stop; else at once, each by itself.</param>
public sealed class ProcessTrace(Process process, Process tracer, bool tellsAtExit)
{
    public Process Process { get; } = process;

    public Process Tracer { get; } = tracer;

    public bool TellsAtExit { get; } = tellsAtExit;

    public TraceEvents Events { get; set; } = TraceEvents.Execute;

    /// <summary>Signals that are delivered without a stop.</summary>
    public SignalSet Passed { get; set; }

    /// <summary>The thread whose stop is told; null while the process runs.</summary>
    public Tracee? Reporter { get; private set; }

    /// <summary>The stop, or the end, was waited for.</summary>
    public bool IsReported { get; private set; } = true;

    /// <summary>How it ended, until its parent is told; null while it lives.</summary>
    public WaitStatus? End { get; private set; }

    /// <summary>It asked for it while its parent waits after vfork, and is not seen to stop before that goes on.</summary>
    internal bool WaitsForExecution { get; set; }

    internal bool Wants(TraceEvents events) => (Events & events) != 0;

    /// <summary>A thread of the process is traced with it.</summary>
    internal void Join(GuestThread thread) => thread.Tracee = new Tracee(thread, Tracer, isSeized: false) { Session = this };

    /// <summary>A thread has a stop to tell: now, or when what is told now is over.</summary>
    internal void Stand(Tracee tracee)
    {
        tracee.Thread.StopForTracer();
        if (Reporter is null)
            Report(tracee);
    }

    private void Report(Tracee tracee)
    {
        Reporter = tracee;
        foreach (GuestThread thread in Process.Threads)
            thread.StopForTracer();
        Renew(tracee.Stop!.Value.Code);
    }

    /// <summary>Tells a stop, again if it was waited for.</summary>
    /// <param name="signal">That the status names.</param>
    public void Renew(int signal)
    {
        const int trapped = 4;
        Tracee reporter = Reporter!;
        reporter.Rename(signal);
        IsReported = false;
        TellTracer(trapped, (ulong)signal);
    }

    /// <summary>SIGCHLD, and whoever waits.</summary>
    private void TellTracer(int code, ulong status)
    {
        const int stopped = 4;
        if (code < stopped || !Tracer.Actions[Signal.Child].NoChildStops)
        {
            Tracer.World.Send(Tracer, new SignalInfo(Signal.Child, code)
            {
                IsChild = true, SenderProcess = Tracer.Space.Inside(Process.Id), SenderUser = Process.Credentials.User, Value = status,
            });
        }
        Tracer.ChildSource.Pulse();
    }

    /// <summary>Its tracer has seen the stop, or the end: then its parent is told.</summary>
    public void TakeReport()
    {
        IsReported = true;
        if (End is not null)
            Release();
    }

    /// <summary>Lets its threads go on but those that are held; or tells the next stop there is.</summary>
    /// <param name="only">The one that goes on; null for all.</param>
    internal void GoOn(Tracee? only = null)
    {
        Reporter!.LeaveOneStop();
        Reporter = null;
        foreach (GuestThread thread in Process.Threads)
        {
            if (thread.Tracee is { Stop: not null, IsHeld: false } next)
            {
                Report(next);
                return;
            }
        }
        foreach (GuestThread thread in Process.Threads)
        {
            if (thread.Tracee is { IsHeld: false } tracee && (only ?? tracee) == tracee)
                thread.GoOnForTracer();
        }
    }

    /// <summary>Nothing is traced any more; what stands still goes on.</summary>
    internal void Dissolve()
    {
        Tracer.Traced.Remove(this);
        Process.Trace = null;
        Reporter = null;
        foreach (GuestThread thread in Process.Threads)
        {
            thread.Tracee = null;
            thread.GoOnForTracer();
        }
    }

    /// <summary>The process ended. True when its parent is another than its tracer, who is to know it first.</summary>
    internal bool Finish(WaitStatus status)
    {
        const int exited = 1, killed = 2, dumped = 3;
        Reporter = null;
        SignalAction action = Tracer.Actions[Signal.Child];
        if (ReferenceEquals(Tracer, Process.Parent) || action.Handler == SignalAction.Ignore || action.NoChildZombies)
        {
            Tracer.Traced.Remove(this);
            Process.Trace = null;
            return false;
        }
        End = status;
        IsReported = false;
        TellTracer(status.Change == ChildChange.Exited ? exited : status.DumpedCore ? dumped : killed, (ulong)status.Value);
        return true;
    }

    /// <summary>Its end is its parent's matter.</summary>
    internal void Release()
    {
        Tracer.Traced.Remove(this);
        Process.Trace = null;
        Process.TellEnd(End!.Value);
    }
}
