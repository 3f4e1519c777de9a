using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>Urgent bytes (tcp(7), sockatmark(3)): one at a time, beside the stream, with a mark where it would have been.</summary>
public sealed partial class StreamSocket
{
    /// <summary>Bytes of the stream that were read so far, and where in it the mark is.</summary>
    private long _consumed;
    private long _mark = -1;
    private byte? _urgent;

    public override bool IsAtUrgentMark => _mark >= 0 && _consumed == _mark;

    public override IoResult SendUrgent(CallContext call, ReadOnlySpan<byte> bytes)
    {
        if (Kind != SocketKind.Stream)
            return Errno.EOPNOTSUPP;
        if (bytes.IsEmpty)
            return 0;
        IoResult result = Send(call, bytes, null, Ancillary.None);
        if (result.Error != Errno.None || result.Count < bytes.Length || _peer is not { } peer)
            return result;
        peer.TakeUrgent(bytes[^1]);
        return result;
    }

    /// <summary>The byte that arrived last is urgent.</summary>
    internal void TakeUrgent(byte value)
    {
        _mark = _consumed + Queue.Bytes - 1;
        _urgent = value;
        SignalOwner?.RaiseUrgent(World);
        Source.Pulse(Readiness.Priority | Readiness.In);
    }

    public override Received ReceiveUrgent(Span<byte> destination, bool peek)
    {
        if (Kind != SocketKind.Stream)
            return Errno.EOPNOTSUPP;
        if (KeepsUrgentInline || _mark < 0 || _urgent is not { } value)
            return Errno.EINVAL;
        if (!peek)
            _urgent = null;
        if (destination.IsEmpty)
            return new Received(0, 0, null, Ancillary.None, Errno.None);
        destination[0] = value;
        return new Received(1, 1, null, Ancillary.None, Errno.None);
    }

    /// <summary>Reads up to the mark; over it only when the reading begins there, without the urgent byte unless that stays inline.</summary>
    private int ReadStream(Span<byte> destination, bool peek, out Ancillary ancillary)
    {
        if (_mark < 0 || destination.IsEmpty)
            return Consume(Queue.ReadStream(destination, peek, out ancillary), peek);
        if (_consumed < _mark)
            return Consume(Queue.ReadStream(destination[..(int)Math.Min(destination.Length, _mark - _consumed)], peek, out ancillary), peek);
        if (!KeepsUrgentInline && !peek)
        {
            Span<byte> skipped = stackalloc byte[1];
            Consume(Queue.ReadStream(skipped, peek: false, out _), peek: false);
        }
        (_mark, _urgent) = (-1, null);
        return Consume(Queue.ReadStream(destination, peek, out ancillary), peek);
    }

    private int Consume(int count, bool peek)
    {
        _consumed += peek ? 0 : count;
        return count;
    }
}
