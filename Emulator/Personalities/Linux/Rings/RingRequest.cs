using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Rings;

/// <summary>
/// One submission under way. Links make chains: the next request starts when this one ended well, and is cancelled with all behind it
/// when it did not (io_uring_enter(2), IOSQE_IO_LINK).
/// </summary>
public sealed class RingRequest
{
    private readonly IoRing _ring;
    private readonly DetachedCall _call;
    private readonly LinkedListNode<RingRequest> _node;
    private WorldTimer? _timeLimit;
    private bool _isAbandoned;

    public RingRequest(IoRing ring, GuestThread thread, in IoUringSqe entry)
    {
        _ring = ring;
        Entry = entry;
        _node = new LinkedListNode<RingRequest>(this);
        IoUringSqe copy = entry;
        _call = new DetachedCall(thread, call => RingOperations.Run(this, call, copy), OnEnd);
    }

    public IoUringSqe Entry { get; }

    public IoRing Ring => _ring;

    /// <summary>What runs when this one is over.</summary>
    public RingRequest? Next { get; set; }

    /// <summary>The LINK_TIMEOUT behind this request: what it may take, in nanoseconds, and whom to tell.</summary>
    public (ulong UserData, long Nanoseconds)? Limit { get; set; }

    /// <summary>Counted from when the request was made, for time-outs by count.</summary>
    public ulong CompletedBefore { get; private set; }

    public bool IsUnder(ulong userData) => Entry.UserData == userData;

    /// <summary>Takes its place among the pending ones without starting.</summary>
    public void Enlist() => _ring.Requests.AddLast(_node);

    public void Start()
    {
        CompletedBefore = _ring.Completed;
        if (_node.List is null)
            Enlist();
        if (Limit is { } limit)
        {
            CallContext call = _call.Call;
            _timeLimit = call.World.Schedule(call.World.Clock.Monotonic + limit.Nanoseconds, () => call.World.Defer(OnLimit));
        }
        _call.Run();
    }

    /// <summary>One result of several (multishot); the request goes on.</summary>
    public void Tell(int result, uint flags = 0)
    {
        HasTold = true;
        _ring.Complete(Entry.UserData, result, IoUringCqe.More | flags);
    }

    /// <summary>It had a result already.</summary>
    public bool HasTold { get; private set; }

    /// <summary>What its end tells beside the result.</summary>
    public uint EndFlags { get; set; }

    /// <summary>Cancels the request when the operation that asks for it is told; false when it is over.</summary>
    public bool Cancel()
    {
        if (_call.IsOver)
            return false;
        _call.Call.World.Defer(() => _call.Cancel());
        return true;
    }

    /// <summary>The ring is gone: nothing is told any more.</summary>
    public void Abandon()
    {
        _isAbandoned = true;
        if (!_call.Cancel() && _node.List is not null)
            _ring.Requests.Remove(_node);
    }

    /// <summary>Ends a request that never started.</summary>
    public void Skip()
    {
        if (_node.List is not null)
            _ring.Requests.Remove(_node);
        if (_isAbandoned)
            return;
        _ring.Complete(Entry.UserData, -(int)Errno.ECANCELED, 0);
        TellLimit(-(int)Errno.ECANCELED);
        Next?.Skip();
    }

    private void OnLimit()
    {
        if (_call.IsOver)
            return;
        ulong userData = Limit!.Value.UserData;
        Limit = null;
        _call.Cancel();
        _ring.Complete(userData, -(int)Errno.ETIME, 0);
    }

    private void OnEnd(CallResult result)
    {
        _timeLimit?.Cancel();
        if (_node.List is not null)
            _ring.Requests.Remove(_node);
        if (_isAbandoned)
            return;
        int value = result.Outcome == CallOutcome.Value ? (int)result.Value
            : result.Outcome == CallOutcome.Interrupted ? -(int)Errno.EINTR : -(int)result.Error;
        bool isGood = value >= 0 && !RingOperations.IsShort(Entry, value);
        if (!isGood || (Entry.Flags & IoUringSqe.SkipSuccess) == 0)
            _ring.Complete(Entry.UserData, value, EndFlags);
        TellLimit(-(int)Errno.ECANCELED);
        if (Next is not { } next)
            return;
        // What follows comes after all that is submitted with it (io_queue_next queues it as task work).
        bool goesOn = isGood || (Entry.Flags & IoUringSqe.HardLink) != 0;
        _call.Call.World.Defer(goesOn ? next.Start : next.Skip);
    }

    private void TellLimit(int result)
    {
        if (Limit is { } limit)
            _ring.Complete(limit.UserData, result, 0);
    }
}
