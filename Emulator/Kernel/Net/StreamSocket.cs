using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>
/// A connection-oriented socket: AF_UNIX streams and sequenced packets, TCP. Connections inside a network join two sockets; one that
/// leaves it is joined to a far end that <see cref="Tcp.TcpConnection"/> or <see cref="OutsideLink"/> speaks for.
/// </summary>
public sealed partial class StreamSocket : Socket
{
    private StreamSocket? _peer;
    private bool _wasConnected;
    private bool _peerClosed;
    private bool _peerWriteShut;

    /// <summary>TCP: the peer said that there is no connection, or never was (RFC 9293, 3.5.2).</summary>
    private bool _isReset;

    public StreamSocket(Network network, SocketFamily family, SocketKind kind, int protocol, OpenFlags flags)
        : base(network, family, kind, protocol, flags)
    {
    }

    private bool IsInternet => Family != SocketFamily.Unix;

    /// <summary>Two sockets connected to each other (socketpair(2)).</summary>
    public static void Join(StreamSocket one, StreamSocket two, CallContext call)
    {
        (one._peer, two._peer) = (two, one);
        one._wasConnected = two._wasConnected = true;
        one.Remote = two.Local;
        two.Remote = one.Local;
        one.PeerCredentials = two.PeerCredentials = Identity(call);
        one.PeerGroups = two.PeerGroups = call.Thread.Credentials.Groups;
    }

    private static (KeptId, uint, uint) Identity(CallContext call) =>
        (call.Process.KeptId, call.Thread.Credentials.EffectiveUser, call.Thread.Credentials.EffectiveGroup);

    public override IoResult Send(CallContext call, ReadOnlySpan<byte> bytes, SocketAddress? to, Ancillary ancillary)
    {
        // A UNIX stream's writer learns of the broken pipe; the error waits for a reader.
        if ((IsInternet || Kind == SocketKind.SequencedPacket) && TakeError() is not Errno.None and Errno pending)
            return pending;
        if (_isConnecting)
            return IoResult.WouldBlock;
        if (to is not null && !IsInternet)
            return _wasConnected ? Errno.EISCONN : Errno.EOPNOTSUPP;
        if (WriteShut || _isReset || (!_wasConnected && IsInternet))
            return Errno.EPIPE;
        if (!_wasConnected)
            return Errno.ENOTCONN;
        if (IsInternet)
            return _held.Count == 0 || SendHeld(call) ? SendInternet(call, bytes) : IoResult.WouldBlock;
        if (_peerClosed || _peer is null || _peer.ReadShut)
            return Errno.EPIPE;
        if (Kind == SocketKind.SequencedPacket)
            return SendMessage(call, bytes, ancillary);
        if (bytes.IsEmpty)
            return 0;
        return SendUnix(call, bytes, ancillary);
    }

    private IoResult SendInternet(CallContext call, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
            return 0;
        if (_peer is null)
        {
            OnReset();
            return bytes.Length;
        }
        int count = Math.Min(bytes.Length, _peer.Queue.Room);
        if (count == 0)
            return LackRoom();
        _peer.Queue.Add(bytes[..count], null, WithSender(call, Ancillary.None));
        _peer.Source.Pulse(Arrival);
        return count;
    }

    /// <summary>Descriptors travel with the first byte.</summary>
    private IoResult SendUnix(CallContext call, ReadOnlySpan<byte> bytes, Ancillary ancillary)
    {
        int done = 0;
        while (done < bytes.Length && SendBuffer.HasRoom && _peer!.Queue.HasMemory)
        {
            (int length, int charge) = SendBuffer.ChargeStream(bytes.Length - done);
            _peer!.Queue.Add(bytes.Slice(done, length), null, WithSender(call, done == 0 ? ancillary : Ancillary.None), SendBuffer, charge);
            done += length;
        }
        if (done == 0)
            return _peer!.Queue.HasMemory ? LackRoom() : Errno.ENOBUFS;
        _peer!.Source.Pulse(Arrival);
        return done;
    }

    private IoResult SendMessage(CallContext call, ReadOnlySpan<byte> bytes, Ancillary ancillary)
    {
        if (bytes.Length > SendBuffer.LongestMessage)
            return Errno.EMSGSIZE;
        if (!_peer!.Queue.HasMemory)
            return Errno.ENOBUFS;
        if (!SendBuffer.HasRoom)
            return LackRoom();
        _peer.Queue.Add(bytes, null, WithSender(call, ancillary), SendBuffer, SendBuffer.ChargeMessage(bytes.Length));
        _peer.Source.Pulse(Arrival);
        return bytes.Length;
    }

    public override Received Receive(Span<byte> destination, bool peek)
    {
        if (_isConnecting)
            return Errno.EAGAIN;
        // An error goes before messages, and after a stream's bytes.
        if (Kind == SocketKind.SequencedPacket && TakeError() is not Errno.None and Errno pending)
            return pending;
        if (Queue.Count == 0 || IsListening)
            return ReceiveNothing(destination.IsEmpty);
        int count, whole;
        Ancillary ancillary;
        if (Kind == SocketKind.Stream)
            whole = count = ReadStream(destination, peek, out ancillary);
        else
        {
            whole = Queue.ReadMessage(destination, peek, out _, out ancillary);
            count = Math.Min(whole, destination.Length);
        }
        if (!peek && IsInternet)
            _peer?.Source.Pulse(Readiness.Out);
        return new Received(count, whole, null, ancillary, Errno.None);
    }

    private Received ReceiveNothing(bool asksNothing)
    {
        // TCP's end was promised to come in order, whatever happened after it.
        if (IsInternet && _peerWriteShut)
            return Received.Nothing;
        if (TakeError() is not Errno.None and Errno pending)
            return pending;
        if (!_wasConnected)
            return IsInternet ? Errno.ENOTCONN : Errno.EINVAL;
        return HasInputEnded || asksNothing && Kind == SocketKind.Stream ? Received.Nothing : Errno.EAGAIN;
    }
}
