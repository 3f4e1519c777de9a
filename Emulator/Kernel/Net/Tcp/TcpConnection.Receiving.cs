using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net.Packets;

namespace Vivarium.Emulator.Kernel.Net.Tcp;

/// <summary>Receiving: order, windows, and the states that lead to the end (RFC 9293 section 3.10.7).</summary>
internal sealed partial class TcpConnection
{
    private const int MostEarly = 256;

    /// <summary>Segments that came before their turn, by their place from what is expected.</summary>
    private readonly List<(uint Sequence, byte[] Data)> _early = [];

    /// <summary>In order, but not yet taken by the socket.</summary>
    private readonly Queue<byte[]> _in = new();
    private int _inCount;
    private uint _expected;
    private int _receiveScale = OurScale;
    private int _toldWindow;
    private bool _isFinishedByPeer;

    private int ReceiveRoom => _far is null ? MessageQueue.DefaultCapacity : Math.Max(0, _far.RoomAtPeer - _inCount);

    internal void Receive(in TcpSegment segment, ReadOnlySpan<byte> data)
    {
        if (State == TcpState.SynSent)
            ReceiveAnswer(segment);
        else if (State == TcpState.TimeWait)
            Acknowledge();
        else
            ReceiveOrdinary(segment, data);
    }

    private void ReceiveAnswer(in TcpSegment segment)
    {
        bool acknowledges = segment.Has(TcpFlags.Acknowledge);
        if (acknowledges && segment.Acknowledged != _next)
            return;
        if (segment.Has(TcpFlags.Reset))
        {
            if (acknowledges)
                End(Errno.ECONNREFUSED);
            return;
        }
        if (!segment.Has(TcpFlags.Synchronize))
            return;
        TakeOptions(segment);
        _expected = segment.Sequence + 1;
        if (!acknowledges)
        {
            // Both called at once.
            State = TcpState.SynReceived;
            _receiveScale = segment.WindowScale is null ? 0 : OurScale;
            Send(TcpFlags.Synchronize | TcpFlags.Acknowledge, _unacknowledged, default, OwnLargestSegment(), OurScale);
            return;
        }
        _unacknowledged = segment.Acknowledged;
        _timer?.Cancel();
        Acknowledge();
        Establish();
        Pump();
    }

    private void ReceiveOrdinary(in TcpSegment segment, ReadOnlySpan<byte> data)
    {
        int ahead = Distance(_expected, segment.Sequence);
        int length = (int)segment.SequenceLength(data.Length);
        bool isInWindow = ahead + length > 0 || (ahead == 0 && length == 0);
        if (!isInWindow || ahead > Math.Max(_toldWindow, 1) + MessageQueue.DefaultCapacity)
        {
            if (!segment.Has(TcpFlags.Reset))
                Acknowledge();
            return;
        }
        if (segment.Has(TcpFlags.Reset))
        {
            End(State == TcpState.SynReceived ? Errno.ECONNREFUSED : Errno.ECONNRESET);
            return;
        }
        if (!segment.Has(TcpFlags.Acknowledge) || segment.Has(TcpFlags.Synchronize))
        {
            Acknowledge();
            return;
        }
        if (!TakeAcknowledgement(segment, data.Length > 0))
        {
            Acknowledge();
            return;
        }
        if (State == TcpState.SynReceived && segment.Acknowledged == _next)
        {
            if (!_listener!.TakesMore)
                return;
            _window = segment.Window << _sendScale;
            Establish();
        }
        if (TakeData(segment, data) || length > 0)
            Acknowledge();
        NoteFinishAcknowledged();
        if (State != TcpState.Closed)
            Pump();
    }

    /// <summary>Takes bytes in order, keeps those that came early; true when something new was taken.</summary>
    private bool TakeData(in TcpSegment segment, ReadOnlySpan<byte> data)
    {
        if (data.Length > 0 && _far is not null)
        {
            if (_far.PeerIsGone)
            {
                // Nobody is left to read it.
                SendReset();
                End(Errno.None);
                return false;
            }
            Keep(segment.Sequence, data);
        }
        bool any = DeliverInOrder();
        uint end = segment.Sequence + (uint)data.Length;
        if (segment.Has(TcpFlags.Finish) && Distance(_expected, end) == 0 && !_isFinishedByPeer)
        {
            _isFinishedByPeer = true;
            _expected++;
            State = State switch
            {
                TcpState.Established => TcpState.CloseWait,
                TcpState.FinWait1 => TcpState.Closing,
                TcpState.FinWait2 => StartTimeWait(),
                _ => State,
            };
            any = true;
        }
        GiveToSocket();
        return any;
    }

    private void Keep(uint sequence, ReadOnlySpan<byte> data)
    {
        int behind = Distance(sequence, _expected);
        if (behind >= data.Length)
            return;
        if (behind > 0)
        {
            sequence = _expected;
            data = data[behind..];
        }
        if (Distance(_expected, sequence) > 0 && _early.Count >= MostEarly)
            return;
        int at = _early.FindIndex(other => Distance(_expected, other.Sequence) > Distance(_expected, sequence));
        _early.Insert(at < 0 ? _early.Count : at, (sequence, data.ToArray()));
    }

    private bool DeliverInOrder()
    {
        bool any = false;
        while (_early.Count > 0 && Distance(_expected, _early[0].Sequence) <= 0)
        {
            (uint sequence, byte[] bytes) = _early[0];
            _early.RemoveAt(0);
            int behind = Distance(sequence, _expected);
            if (behind >= bytes.Length)
                continue;
            byte[] fresh = bytes[behind..];
            _in.Enqueue(fresh);
            _inCount += fresh.Length;
            _expected += (uint)fresh.Length;
            any = true;
        }
        return any;
    }

    /// <summary>Writes what arrived to the socket, as far as it takes it; then the end.</summary>
    private void GiveToSocket()
    {
        if (_far is not { PeerIsGone: false } far)
            return;
        while (_in.TryPeek(out byte[]? bytes))
        {
            IoResult written = far.Send(null!, bytes, null, Ancillary.None);
            if (written.Error != Errno.None || written.Count == 0)
            {
                // A socket that shut down reading takes and forgets.
                if (written.Error != Errno.EPIPE)
                    return;
                written = bytes.Length;
            }
            _inCount -= (int)written.Count;
            _in.Dequeue();
            if (written.Count < bytes.Length)
            {
                PutBack(bytes[(int)written.Count..]);
                return;
            }
        }
        if (_isFinishedByPeer && !far.WriteShut)
            far.Shutdown(read: false, write: true);
    }

    private void PutBack(byte[] rest)
    {
        byte[][] others = [.. _in];
        _in.Clear();
        _in.Enqueue(rest);
        foreach (byte[] other in others)
            _in.Enqueue(other);
    }

    /// <summary>The socket made room: a sender that was stopped is told.</summary>
    private void UpdateWindow()
    {
        if (State is TcpState.Established or TcpState.FinWait1 or TcpState.FinWait2 && _toldWindow < _largestSegment && ReceiveRoom >= 2 * _largestSegment)
            Acknowledge();
    }

    private void NoteFinishAcknowledged()
    {
        if (!_hasFinished || _outCount > 0 || _unacknowledged != _highest)
            return;
        switch (State)
        {
            case TcpState.FinWait1:
                State = TcpState.FinWait2;
                break;
            case TcpState.Closing:
                State = StartTimeWait();
                break;
            case TcpState.LastAck:
                End(Errno.None);
                break;
        }
    }

    private TcpState StartTimeWait()
    {
        _timer?.Cancel();
        World.Schedule(World.Clock.Monotonic + TimeWaitNanoseconds, () => End(Errno.None));
        return TcpState.TimeWait;
    }
}
