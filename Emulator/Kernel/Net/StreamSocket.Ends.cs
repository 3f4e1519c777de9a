using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>How connections end: in turn (shutdown, close), or by a reset (tcp(7), RFC 9293).</summary>
public sealed partial class StreamSocket
{
    private const Readiness AllEnds = Readiness.In | Readiness.Out | Readiness.HangUp | Readiness.ReadHangUp;

    /// <summary>What poll tells of a connection that did not come about.</summary>
    private const Readiness Failed = AllEnds | Readiness.Error;

    private bool HasInputEnded => ReadShut || _peerClosed || _peerWriteShut || _isReset;

    /// <summary>TCP: nothing is left of the connection, on either side.</summary>
    private bool IsGone => IsInternet && (_isReset || WriteShut && _peerWriteShut);

    public override Errno Shutdown(bool read, bool write)
    {
        if (_isConnecting)
        {
            _attempt?.Abort();
            FailConnect(Errno.ECONNRESET);
            return Errno.None;
        }
        if (!_wasConnected && !IsListening || IsGone)
            return Errno.ENOTCONN;
        if (IsListening && read)
            StopListening();
        if (write)
            SendHeld(null);
        ReadShut |= read;
        WriteShut |= write;
        if (_peer is { } peer)
        {
            peer._peerWriteShut |= write;
            if (!IsInternet)
                peer.WriteShut |= read;
            peer.Source.Pulse(AllEnds);
        }
        Source.Pulse(AllEnds);
        return Errno.None;
    }

    public override Readiness Poll()
    {
        if (IsListening)
            return _waiting.Count > 0 ? Readiness.In : Readiness.None;
        if (_isConnecting)
            return Readiness.None;
        if (!_wasConnected)
            return PendingError != Errno.None && !_hasLeft ? Failed : Readiness.Out | Readiness.HangUp | (PendingError != Errno.None ? Readiness.Error : 0);
        Readiness ready = Queue.Count > 0 || HasInputEnded ? Readiness.In : Readiness.None;
        ready |= _urgent is not null ? Readiness.Priority : 0;
        ready |= HasInputEnded ? Readiness.ReadHangUp : 0;
        bool isOver = IsInternet ? _isReset || HasInputEnded && WriteShut : _peerClosed || HasInputEnded && WriteShut;
        ready |= isOver ? Readiness.HangUp : 0;
        ready |= PendingError != Errno.None ? Readiness.Error : 0;
        bool canWrite = IsInternet
            ? WriteShut || _peer is null || _peer.Queue.Room >= MessageQueue.DefaultCapacity / 3
            : SendBuffer.IsWritable;
        return ready | (canWrite ? Readiness.Out : 0);
    }

    protected override void OnLastClose()
    {
        StopListening();
        SendHeld(null);
        base.OnLastClose();
        _attempt?.Abort();
        if (_peer is { } peer)
        {
            // Data that was never read is lost, and the sender is told (tcp(7), unix(7)).
            bool resets = Queue.HasUnread || IsInternet && Linger is (true, 0);
            peer._peer = null;
            peer._peerClosed = !IsInternet;
            if (!resets)
                peer._peerWriteShut = true;
            else if (IsInternet)
                peer.OnReset();
            else
                peer.PendingError = Errno.ECONNRESET;
            peer.Source.Pulse(AllEnds | Readiness.Error);
            _peer = null;
        }
        Queue.Clear();
    }

    /// <summary>A connection that its listener did not live to accept.</summary>
    private void Abandon()
    {
        if (IsInternet)
            Linger = (true, 0);
        Release();
    }

    /// <summary>The peer's host answered a segment with a reset: a broken pipe for who knew of the peer's end, else a lost connection.</summary>
    private void OnReset()
    {
        if (IsGone)
            return;
        PendingError = _peerWriteShut ? Errno.EPIPE : Errno.ECONNRESET;
        _isReset = true;
        Source.Pulse(AllEnds | Readiness.Error);
    }
}
