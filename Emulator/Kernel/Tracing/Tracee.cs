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
public readonly record struct TraceStop(TraceStopKind Kind, int Code, SignalInfo Info, ulong Message = 0);

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

    /// <summary>The call it has just come out of, until it runs on; -1 = none.</summary>
    public int LeftCall { get; internal set; } = -1;

    /// <summary>The call under way was shown at its entry.</summary>
    internal bool IsInsideCall { get; set; }

    internal bool Wants(TraceOptions option) => (Options & option) != 0;

    /// <summary>Stands still now; if it does already, right after.</summary>
    internal void StandStill(in TraceStop stop)
    {
        if (Stop is not null)
        {
            _next.Enqueue(stop);
            return;
        }
        Stop = stop;
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
