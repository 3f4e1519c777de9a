using Vivarium.Emulator.Kernel.Net.Packets;
using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Emulator.Kernel.Net.Tcp;

/// <summary>Sending: windows, retransmission (RFC 6298), congestion control in its plainest form (RFC 5681).</summary>
internal sealed partial class TcpConnection
{
    private const int SendCapacity = 256 * 1024;
    private const int MostRetries = 15;
    private const int MostOpeningRetries = 6;
    private const long FirstTimeout = 200_000_000, OpeningTimeout = 1_000_000_000, LongestTimeout = 120_000_000_000;
    private const long TimeWaitNanoseconds = 1_000_000_000;

    /// <summary>Bytes sent but not acknowledged, then bytes not sent: a ring that begins at <see cref="_unacknowledged"/>.</summary>
    private byte[] _out = [];
    private int _outStart;
    private int _outCount;

    /// <summary>RFC 9293's SND.UNA, SND.NXT, and the furthest that was ever sent.</summary>
    private uint _unacknowledged;
    private uint _next;
    private uint _highest;
    private int _window;
    private int _sendScale;
    private int _largestSegment;
    private int _congestion = 4096;
    private int _threshold = int.MaxValue;
    private int _duplicates;
    private int _retries;
    private bool _hasFinished;
    private readonly TcpWriters _writers = new();
    private WorldTimer? _timer;

    private static int Distance(uint from, uint to) => unchecked((int)(to - from));

    private void SendSynchronize(TcpFlags flags)
    {
        _next = _unacknowledged + 1;
        _highest = _next;
        bool scales = State == TcpState.SynSent || _receiveScale != 0;
        Errno error = Send(flags, _unacknowledged, default, OwnLargestSegment(), scales ? OurScale : null);
        if (error is not (Errno.None or Errno.EMSGSIZE) && State == TcpState.SynSent)
            End(error);
        else
            StartTimer();
    }

    private Errno Send(TcpFlags flags, uint sequence, ReadOnlySpan<byte> data, int largest = 0, int? scale = null)
    {
        int window = (flags & TcpFlags.Synchronize) != 0 ? Math.Min(ReceiveRoom, ushort.MaxValue) : Math.Min(ReceiveRoom >> _receiveScale, ushort.MaxValue);
        var segment = new TcpSegment
        {
            SourcePort = Local.Port, TargetPort = Remote.Port, Sequence = sequence, Acknowledged = (flags & TcpFlags.Acknowledge) != 0 ? _expected : 0,
            Flags = flags, Window = window, LargestSegment = largest, WindowScale = scale,
        };
        if ((flags & TcpFlags.Acknowledge) != 0)
            _toldWindow = window << _receiveScale;
        CallOrigin? before = World.Sender;
        World.Sender = (flags & TcpFlags.Finish) != 0 && data.IsEmpty ? _writers.Closer : data.IsEmpty ? before : _writers.Of(sequence);
        Errno error = _owner.Send(Local, Remote, segment, data);
        World.Sender = before;
        return error;
    }

    private void Acknowledge() => Send(TcpFlags.Acknowledge, _next, default);

    private void SendReset() => Send(TcpFlags.Reset | TcpFlags.Acknowledge, _next, default);

    /// <summary>Takes what the socket wrote, as far as there is room.</summary>
    private void TakeFromSocket(StreamSocket far)
    {
        while (far.Unread > 0 && _outCount < SendCapacity)
        {
            Reserve(Math.Min(far.Unread, SendCapacity - _outCount));
            int at = (_outStart + _outCount) % _out.Length;
            int room = Math.Min(Math.Min(_out.Length - at, _out.Length - _outCount), SendCapacity - _outCount);
            int count = far.Receive(_out.AsSpan(at, room), peek: false).Count;
            if (count <= 0)
                break;
            _outCount += count;
            _writers.Add(unchecked(_unacknowledged + (uint)_outCount), World.Origin());
        }
        if (far.PeerHasEnded)
            _writers.Closer ??= World.Origin();
    }

    private void Reserve(int count)
    {
        if (_out.Length - _outCount >= count)
            return;
        byte[] larger = new byte[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(_outCount + count, 4096))];
        CopyOut(0, larger.AsSpan(0, _outCount));
        (_out, _outStart) = (larger, 0);
    }

    private void CopyOut(int offset, Span<byte> destination)
    {
        if (destination.IsEmpty)
            return;
        int at = (_outStart + offset) % _out.Length;
        int first = Math.Min(destination.Length, _out.Length - at);
        _out.AsSpan(at, first).CopyTo(destination);
        _out.AsSpan(0, destination.Length - first).CopyTo(destination[first..]);
    }

    private bool MaySend => State is TcpState.Established or TcpState.CloseWait or TcpState.FinWait1 or TcpState.LastAck or TcpState.Closing;

    /// <summary>Sends what the windows allow, and the end when all is sent.</summary>
    private void SendSome()
    {
        if (!MaySend)
            return;
        while (true)
        {
            int limit = Math.Min(_window, _congestion);
            int inFlight = Distance(_unacknowledged, _next);
            int left = _outCount - inFlight;
            int count = Math.Min(Math.Min(left, _largestSegment), limit - inFlight);
            if (left <= 0 || count <= 0)
                break;
            // No small segments while others are under way, unless it is the last of what there is (RFC 9293 section 3.7.4, sender's side).
            if (count < _largestSegment && count < left && inFlight > 0)
                break;
            byte[] data = new byte[count];
            CopyOut(inFlight, data);
            // The answer may come before this returns.
            uint sequence = _next;
            _next += (uint)count;
            NoteHighest();
            StartTimer();
            Send(TcpFlags.Acknowledge | (count == left ? TcpFlags.Push : 0), sequence, data);
        }
        SendFinish();
        // A closed window is asked about (zero-window probes).
        if (_outCount > 0 && Distance(_unacknowledged, _next) == 0)
            StartTimer();
    }

    private void NoteHighest()
    {
        if (Distance(_highest, _next) > 0)
            _highest = _next;
    }

    private void SendFinish()
    {
        bool isAllSent = Distance(_unacknowledged, _next) == _outCount;
        if (!isAllSent || _far is not { PeerHasEnded: true, Unread: 0 } || (_hasFinished && State is not (TcpState.FinWait1 or TcpState.LastAck or TcpState.Closing)))
            return;
        if (!_hasFinished)
        {
            _hasFinished = true;
            State = State == TcpState.CloseWait ? TcpState.LastAck : TcpState.FinWait1;
        }
        uint sequence = _next++;
        NoteHighest();
        StartTimer();
        Send(TcpFlags.Finish | TcpFlags.Acknowledge, sequence, default);
    }

    /// <summary>Takes an acknowledgement into account; false when it is for something never sent.</summary>
    private bool TakeAcknowledgement(in TcpSegment segment, bool hasData)
    {
        int acknowledged = Distance(_unacknowledged, segment.Acknowledged);
        if (Distance(_highest, segment.Acknowledged) > 0)
            return false;
        int window = segment.Window << (segment.Has(TcpFlags.Synchronize) ? 0 : _sendScale);
        if (acknowledged > 0)
            Advance(acknowledged, segment.Acknowledged);
        else if (acknowledged == 0 && !hasData && window == _window && Distance(_unacknowledged, _next) > 0 && ++_duplicates == 3)
            RetransmitEarly();
        if (acknowledged >= 0)
            _window = window;
        return true;
    }

    private void Advance(int count, uint to)
    {
        _duplicates = 0;
        _retries = 0;
        int bytes = Math.Min(count, _outCount);
        if (_out.Length > 0)
            _outStart = (_outStart + bytes) % _out.Length;
        _outCount -= bytes;
        _unacknowledged = to;
        _writers.RemoveBefore(to);
        if (Distance(_next, to) > 0)
            _next = to;
        _congestion = Math.Min(SendCapacity, _congestion + (_congestion < _threshold ? Math.Min(count, _largestSegment) : Math.Max(1, _largestSegment * _largestSegment / _congestion)));
        _timer?.Cancel();
        _timer = null;
        if (Distance(_unacknowledged, _next) > 0)
            StartTimer();
    }

    private void RetransmitEarly()
    {
        _threshold = Math.Max(Distance(_unacknowledged, _next) / 2, 2 * _largestSegment);
        _congestion = _threshold;
        uint next = _next;
        SendOne();
        _next = Distance(_next, next) > 0 ? next : _next;
    }

    private void SendOne()
    {
        int count = Math.Min(_outCount, _largestSegment);
        byte[] data = new byte[count];
        CopyOut(0, data);
        bool ends = count == _outCount && _hasFinished;
        _next = _unacknowledged + (uint)count + (ends ? 1u : 0);
        NoteHighest();
        Send(TcpFlags.Acknowledge | TcpFlags.Push | (ends ? TcpFlags.Finish : 0), _unacknowledged, data);
    }

    private void StartTimer()
    {
        if (_timer is { IsPending: true })
            return;
        long first = State is TcpState.SynSent or TcpState.SynReceived ? OpeningTimeout : FirstTimeout;
        long timeout = Math.Min(first << Math.Min(_retries, 20), LongestTimeout);
        _timer = World.Schedule(World.Clock.Monotonic + timeout, OnTimeout);
    }

    private void OnTimeout()
    {
        if (State is TcpState.Closed or TcpState.TimeWait)
            return;
        bool isOpening = State is TcpState.SynSent or TcpState.SynReceived;
        if (!isOpening && Distance(_unacknowledged, _next) == 0 && _outCount == 0)
            return;
        if (++_retries > (isOpening ? MostOpeningRetries : MostRetries))
        {
            End(Errno.ETIMEDOUT);
            return;
        }
        if (isOpening)
        {
            SendSynchronize(State == TcpState.SynSent ? TcpFlags.Synchronize : TcpFlags.Synchronize | TcpFlags.Acknowledge);
            return;
        }
        // Everything from the first lost byte is sent again, slowly at first.
        _threshold = Math.Max(Distance(_unacknowledged, _next) / 2, 2 * _largestSegment);
        _congestion = _largestSegment;
        SendOne();
        StartTimer();
    }
}
