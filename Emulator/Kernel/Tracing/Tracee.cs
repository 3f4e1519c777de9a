using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel.Tracing;

/// <summary>What a tracer asked to be told of beside signals and calls (ptrace(2), PTRACE_SETOPTIONS), in its bits.</summary>
[Flags]
public enum TraceOptions : uint
{
    None = 0,
    MarksCalls = 1,
    Fork = 1 << 1,
    Vfork = 1 << 2,
    Clone = 1 << 3,
    Execute = 1 << 4,
    VforkDone = 1 << 5,
    Exit = 1 << 6,
    Seccomp = 1 << 7,
    ExitKill = 1 << 20,
    SuspendsSeccomp = 1 << 21,
}

/// <summary>PTRACE_EVENT_*.</summary>
public enum TraceEvent : byte
{
    None = 0,
    Fork = 1,
    Vfork = 2,
    Clone = 3,
    Execute = 4,
    VforkDone = 5,
    Exit = 6,
    Seccomp = 7,
    Stop = 128,
}

/// <summary>How far a traced thread goes when it is let go on.</summary>
public enum TraceMode : byte
{
    Continue,

    /// <summary>To the next entry or exit of a call.</summary>
    Calls,

    /// <summary>One instruction.</summary>
    Step,
}

/// <summary>Why a traced thread stands still.</summary>
public enum TraceStopKind : byte
{
    Signal,
    CallEntry,
    CallExit,
    Event,
    Group,
}

/// <summary>One stop of a traced thread: what wait(2) tells of it.</summary>
/// <param name="Code">The signal, with an event in the second byte or 0x80 for calls: bits 8 and up of the status word.</param>
public readonly record struct TraceStop(TraceStopKind Kind, int Code, SignalInfo Info, ulong Message = 0)
{
    /// <summary>What it is for, in a process that is traced as a whole.</summary>
    public TraceEvents Events { get; init; }
}

/// <summary>A thread that is traced, as its tracer sees it.</summary>
public sealed class Tracee(GuestThread thread, Process tracer, bool isSeized)
{
    private readonly Queue<TraceStop> _next = new();

    public GuestThread Thread { get; } = thread;

    /// <summary>Its id, which stays when the thread is gone.</summary>
    public int Id { get; private set; } = thread.Id;

    public Process Tracer { get; } = tracer;

    public bool IsSeized { get; } = isSeized;

    public TraceOptions Options { get; set; }

    public TraceMode Mode { get; set; }

    /// <summary>Why it stands still; null while it runs.</summary>
    public TraceStop? Stop { get; private set; }

    /// <summary>The stop was not waited for yet.</summary>
    public bool IsReported { get; set; } = true;

    /// <summary>How a thread that is not its process's first ended; null while it lives.</summary>
    public WaitStatus? End { get; private set; }

    /// <summary>PTRACE_GETEVENTMSG.</summary>
    public ulong Message { get; private set; }

    /// <summary>It is to stop as soon as it can (PTRACE_INTERRUPT).</summary>
    public bool MustStop { get; set; }

    /// <summary>Its group is stopped, and the tracer wants it to stay so until that ends (PTRACE_LISTEN).</summary>
    public bool IsListening { get; set; }

    /// <summary>The signal that stopped its group; 0 = it is not stopped.</summary>
    internal int GroupSignal { get; set; }

    /// <summary>SIGCONT came while it stood still for its group's stop.</summary>
    internal bool WasContinued { get; set; }

    /// <summary>The signal to go on with after a stop for one; null when there was none.</summary>
    public SignalInfo? Injected { get; set; }

    /// <summary>The call it has just come out of, until it runs on; null = none.</summary>
    public int? LeftCall { get; internal set; }

    /// <summary>The call under way was shown at its entry; in a process that is traced as a whole, could have been.</summary>
    internal bool IsInsideCall { get; set; }

    /// <summary>It stands still before a call is made: at its entry, or where a filter leaves it to the tracer.</summary>
    public bool IsBeforeCall => Stop is { Kind: TraceStopKind.CallEntry } || Stop is { Kind: TraceStopKind.Event } stop && stop.Code >> 8 == (int)TraceEvent.Seccomp;

    /// <summary>The tracer made the call under way none: its result is what is left in the registers.</summary>
    public bool SkipsCall { get; set; }

    /// <summary>The process is traced as a whole; null when this thread is by itself.</summary>
    public ProcessTrace? Session { get; internal init; }

    /// <summary>It stays where it is when the process goes on.</summary>
    public bool IsHeld { get; set; }

    /// <summary>Each time it is let go on, it runs one instruction.</summary>
    public bool StepsAlways { get; set; }

    /// <summary>What the call it has just come out of returned.</summary>
    public CallResult LeftResult { get; internal set; }

    /// <summary>The entry of the call under way was shown.</summary>
    internal bool WasShown { get; set; }

    /// <summary>The call under way was shown as left, though it still waits.</summary>
    internal bool WasLeft { get; set; }

    /// <summary>The child that the call under way has made and waits for, as the tracer numbers it; 0 = none.</summary>
    internal ulong VforkedChild { get; set; }

    /// <summary>What is to be told when the call under way is left.</summary>
    internal TraceEvents News { get; set; }

    internal ulong NewsMessage { get; set; }

    /// <summary>The stop at its next turn, when <see cref="MustStop"/>.</summary>
    internal TraceStop Due { get; private set; }

    internal TraceEvents TakeNews(out ulong message)
    {
        TraceEvents news = News;
        message = NewsMessage;
        News = TraceEvents.None;
        return news;
    }

    internal void LeaveCall() => (IsInsideCall, WasShown, WasLeft, VforkedChild) = (false, false, false, 0);

    /// <summary>Stops at its next turn, before it does anything else.</summary>
    internal void StopSoon(in TraceStop stop)
    {
        Due = stop;
        MustStop = true;
        Thread.Wake();
    }

    /// <summary>The stop is told as one for another signal.</summary>
    internal void Rename(int signal)
    {
        if (Stop is { } stop)
            Stop = stop with { Code = signal };
    }

    /// <summary>Makes way for the next stop, if there is one.</summary>
    internal void LeaveOneStop() => Stop = _next.TryDequeue(out TraceStop next) ? next : null;

    internal bool Wants(TraceOptions option) => (Options & option) != 0;

    /// <summary>Stands still now; if it does already, right after.</summary>
    internal void StandStill(in TraceStop stop)
    {
        // One step is one stop.
        if (Session is not null && stop.Info is { Signal: Signal.Trap, Code: FaultSignals.Stepped, IsFault: true })
            Mode = TraceMode.Continue;
        if (Stop is not null)
        {
            _next.Enqueue(stop);
            return;
        }
        Stop = stop;
        if (Session is { } session)
        {
            session.Stand(this);
            return;
        }
        Message = stop.Kind == TraceStopKind.Event ? stop.Message : Message;
        IsReported = false;
        Thread.StopForTracer();
        TellTracer();
    }

    /// <summary>Goes on, or to the next stop that is due.</summary>
    internal void GoOn()
    {
        Stop = null;
        IsListening = false;
        if (_next.TryDequeue(out TraceStop next))
            StandStill(next);
        else
            Thread.GoOnForTracer();
    }

    /// <summary>Makes way for another stop.</summary>
    internal void LeaveStop() => Stop = null;

    /// <summary>Makes way for the last stop there is.</summary>
    internal void LeaveStops()
    {
        Stop = null;
        _next.Clear();
    }

    /// <summary>PTRACE_SETSIGINFO.</summary>
    public void ReplaceSignal(in SignalInfo info)
    {
        if (Stop is { } stop)
            Stop = stop with { Info = info };
    }

    internal void Finish(WaitStatus status)
    {
        End = status;
        Stop = null;
        _next.Clear();
        IsReported = false;
        TellTracer();
    }

    internal void BecomeMain(int id) => Id = id;

    /// <summary>SIGCHLD, and whoever waits.</summary>
    private void TellTracer()
    {
        if (Tracer.IsZombie)
            return;
        if (!Tracer.Actions[Signal.Child].NoChildStops)
        {
            int code = Stop is null ? 1 : 4;
            Tracer.World.Send(Tracer, new SignalInfo(Signal.Child, code) { IsChild = true, SenderProcess = Tracer.Space.Inside(Id), SenderUser = Thread.Credentials.User, Value = (ulong)(uint)((Stop?.Code ?? 0) & 0x7F) });
        }
        Tracer.ChildSource.Pulse();
    }
}
