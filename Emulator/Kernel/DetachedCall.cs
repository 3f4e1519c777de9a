using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel;

/// <summary>
/// A call that is made for a thread without holding it up (io_uring, AIO): the same handlers as for calls, run again when what they
/// wait for happened (design decision 2), only that nobody is parked meanwhile.
/// </summary>
public sealed class DetachedCall : ISourceListener
{
    private readonly Func<CallContext, CallResult> _handler;
    private readonly Action<CallResult> _completed;
    private readonly List<Source> _attached = [];
    private WorldTimer? _timer;
    private bool _isQueued;

    public DetachedCall(GuestThread thread, Func<CallContext, CallResult> handler, Action<CallResult> completed)
    {
        Call = new CallContext(thread);
        Call.Begin(-1, -1, []);
        _handler = handler;
        _completed = completed;
    }

    public CallContext Call { get; }

    public bool IsOver { get; private set; }

    /// <summary>Runs the handler; when it would block, it is run again after its sources pulsed.</summary>
    public void Run()
    {
        _isQueued = false;
        if (IsOver)
            return;
        LetGo();
        Call.Sources.Clear();
        CallResult result = _handler(Call);
        if (result.Outcome != CallOutcome.Blocked)
        {
            Finish(result);
            return;
        }
        foreach (Source source in Call.Sources)
        {
            source.Attach(this);
            _attached.Add(source);
        }
        if (Call.Deadline is { } deadline)
            _timer = Call.World.Schedule(deadline, Queue);
    }

    /// <summary>Ends a call that waits; what it had done already counts. False when it is over.</summary>
    public bool Cancel()
    {
        if (IsOver)
            return false;
        LetGo();
        Call.Interrupted = true;
        CallResult result = _handler(Call);
        bool isDone = result.Outcome == CallOutcome.Value;
        Finish(isDone ? result : Errno.ECANCELED);
        return true;
    }

    public void OnPulse(Source source, Readiness edges) => Queue();

    private void Queue()
    {
        if (_isQueued || IsOver)
            return;
        _isQueued = true;
        Call.World.Defer(Run);
    }

    private void Finish(CallResult result)
    {
        IsOver = true;
        _completed(result);
    }

    private void LetGo()
    {
        foreach (Source source in _attached)
            source.Detach(this);
        _attached.Clear();
        _timer?.Cancel();
        _timer = null;
    }
}
