using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel;

/// <summary>What one asynchronous request came to; <paramref name="Request"/> is where the guest described it.</summary>
public readonly record struct AsyncEvent(ulong Data, ulong Request, long Result);

/// <summary>A queue of finished requests of one process, and those under way (POSIX-like asynchronous I/O, io_setup(2)).</summary>
public sealed class AsyncContext(int capacity)
{
    private readonly Queue<AsyncEvent> _events = new();
    private readonly List<(ulong Request, bool CanCancel, DetachedCall Call)> _pending = [];
    private bool _isGone;

    /// <summary>Pulses when a request finished.</summary>
    public Source Source { get; } = new();

    public int Ready => _events.Count;

    public bool IsFull => _events.Count + _pending.Count >= capacity;

    /// <summary>Starts a request; its end is queued.</summary>
    public void Start(GuestThread thread, ulong data, ulong request, bool canCancel, Func<CallContext, CallResult> handler, Action? told)
    {
        DetachedCall? call = null;
        call = new DetachedCall(thread, handler, result =>
        {
            _pending.RemoveAll(pending => ReferenceEquals(pending.Call, call));
            if (_isGone)
                return;
            _events.Enqueue(new AsyncEvent(data, request, result.Outcome == CallOutcome.Value ? result.Value : -(long)result.Error));
            Source.Pulse(Readiness.In);
            told?.Invoke();
        });
        _pending.Add((request, canCancel, call));
        call.Run();
    }

    public bool TryTake(out AsyncEvent finished) => _events.TryDequeue(out finished);

    /// <summary>False when there is no such request, or none that can be cancelled.</summary>
    public bool Cancel(ulong request)
    {
        int index = _pending.FindIndex(pending => pending.Request == request && pending.CanCancel);
        return index >= 0 && _pending[index].Call.Cancel();
    }

    /// <summary>The context goes, with what is under way.</summary>
    public void Drop()
    {
        _isGone = true;
        while (_pending.Count > 0)
            _pending[^1].Call.Cancel();
        Source.Pulse();
    }
}
