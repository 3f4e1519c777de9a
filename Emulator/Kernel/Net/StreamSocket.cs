using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>A connection-oriented socket: AF_UNIX streams and sequenced packets, TCP over loopback.</summary>
public sealed partial class StreamSocket : Socket
{
    private readonly Queue<StreamSocket> _waiting = new();
    private StreamSocket? _peer;
    private int _backlog = -1;
    private bool _wasConnected;
    private bool _peerClosed;
    private bool _peerWriteShut;

    /// <summary>TCP: the peer said that there is no connection, or never was (RFC 9293, 3.5.2).</summary>
    private bool _isReset;

    /// <summary>A non-blocking connect is under way as far as the caller knows: the next one tells that it is done (connect(2)).</summary>
    private bool _isAnnounced;

    public StreamSocket(World world, SocketFamily family, SocketKind kind, int protocol, OpenFlags flags)
        : base(world, family, kind, protocol, flags)
    {
    }

    public override bool IsListening => _backlog >= 0;

    private bool IsInternet => Family != SocketFamily.Unix;

    /// <summary>Two sockets connected to each other (socketpair(2)).</summary>
    public static void Join(StreamSocket one, StreamSocket two, CallContext call)
    {
        (one._peer, two._peer) = (two, one);
        one._wasConnected = two._wasConnected = true;
        one.Remote = two.Local;
        two.Remote = one.Local;
        one.PeerCredentials = two.PeerCredentials = Identity(call);
    }

    private static (int, uint, uint) Identity(CallContext call) =>
        (call.Process.Id, call.Thread.Credentials.EffectiveUser, call.Thread.Credentials.EffectiveGroup);

    public override Errno Bind(CallContext call, SocketAddress address)
    {
        if (Local is not null)
            return Errno.EINVAL;
        Errno error = World.Network.Bind(call, this, ref address);
        if (error == Errno.None)
            Local = address;
        return error;
    }

    public override Errno Listen(CallContext call, int backlog)
    {
        if (_peer is not null || _wasConnected)
            return Errno.EINVAL;
        if (Local is null && !IsInternet)
            return Errno.EINVAL;
        if (Local is null)
        {
            SocketAddress any = World.Network.AnyPort(Family);
            Errno error = Bind(call, any);
            if (error != Errno.None)
                return error;
        }
        if (IsInternet && !IsListening && World.Network.IsListenedOn(this))
            return Errno.EADDRINUSE;
        _backlog = Math.Clamp(backlog < 0 ? 4096 : backlog, 0, 4096);
        PeerCredentials = Identity(call);
        return Errno.None;
    }

    public override Errno Accept(out Socket? accepted)
    {
        accepted = null;
        if (!IsListening)
            return Errno.EINVAL;
        if (!_waiting.TryDequeue(out StreamSocket? next))
            return Errno.EAGAIN;
        accepted = next;
        Source.Pulse(Readiness.Out);
        return Errno.None;
    }

    public override Errno Connect(CallContext call, SocketAddress? address)
    {
        if (IsListening)
            return IsInternet ? Errno.EISCONN : Errno.EINVAL;
        if (_isAnnounced)
        {
            _isAnnounced = false;
            return Errno.None;
        }
        if (_wasConnected)
            return Errno.EISCONN;
        if (address is null)
            return Errno.EINVAL;
        Errno error = World.Network.FindListener(call, this, address, out StreamSocket? listener);
        if (error != Errno.None)
            return error;
        if (listener!._waiting.Count > listener._backlog)
            return Errno.EAGAIN;
        if (Local is null && IsInternet)
            Local = World.Network.Assign(this, (InternetAddress)address);
        var server = new StreamSocket(World, listener.Family, Kind, listener.Protocol, OpenFlags.None) { Local = IsInternet ? Concrete(address) : listener.Local };
        if (IsInternet)
            server.InheritOptions(listener);
        Join(this, server, call);
        Remote = IsInternet ? Concrete(address) : listener.Local;
        server.Remote = Local;
        PeerCredentials = listener.PeerCredentials;
        listener._waiting.Enqueue(server);
        listener.Source.Pulse(Readiness.In);
        Source.Pulse(Readiness.Out);
        _isAnnounced = IsInternet && IsNonBlocking;
        return _isAnnounced ? Errno.EINPROGRESS : Errno.None;
    }

    /// <summary>Connecting to "any" reaches the loopback address.</summary>
    private static SocketAddress Concrete(SocketAddress address) => address is InternetAddress { IsAny: true } any
        ? any with { Address = any.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? System.Net.IPAddress.Loopback : System.Net.IPAddress.IPv6Loopback }
        : address;

    /// <summary>The listener to wait for when <see cref="Connect"/> said EAGAIN.</summary>
    public Source WaitSource(CallContext call, SocketAddress address) =>
        World.Network.FindListener(call, this, address, out StreamSocket? listener) == Errno.None ? listener!.Source : Source;

    public override IoResult Send(CallContext call, ReadOnlySpan<byte> bytes, SocketAddress? to, Ancillary ancillary)
    {
        // A UNIX stream's writer learns of the broken pipe; the error waits for a reader.
        if ((IsInternet || Kind == SocketKind.SequencedPacket) && TakeError() is not Errno.None and Errno pending)
            return pending;
        if (to is not null && !IsInternet)
            return _wasConnected ? Errno.EISCONN : Errno.EOPNOTSUPP;
        if (WriteShut || _isReset || (!_wasConnected && IsInternet))
            return Errno.EPIPE;
        if (!_wasConnected)
            return Errno.ENOTCONN;
        if (IsInternet)
            return SendInternet(call, bytes);
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
            return IoResult.WouldBlock;
        _peer.Queue.Add(bytes[..count], null, WithSender(call, Ancillary.None));
        _peer.Source.Pulse(Readiness.In);
        return count;
    }

    /// <summary>Descriptors travel with the first byte.</summary>
    private IoResult SendUnix(CallContext call, ReadOnlySpan<byte> bytes, Ancillary ancillary)
    {
        int done = 0;
        while (done < bytes.Length && SendBuffer.HasRoom)
        {
            (int length, int charge) = SendBuffer.ChargeStream(bytes.Length - done);
            _peer!.Queue.Add(bytes.Slice(done, length), null, WithSender(call, done == 0 ? ancillary : Ancillary.None), SendBuffer, charge);
            done += length;
        }
        if (done == 0)
            return IoResult.WouldBlock;
        _peer!.Source.Pulse(Readiness.In);
        return done;
    }

    private IoResult SendMessage(CallContext call, ReadOnlySpan<byte> bytes, Ancillary ancillary)
    {
        if (bytes.Length > SendBuffer.LongestMessage)
            return Errno.EMSGSIZE;
        if (!SendBuffer.HasRoom)
            return IoResult.WouldBlock;
        _peer!.Queue.Add(bytes, null, WithSender(call, ancillary), SendBuffer, SendBuffer.ChargeMessage(bytes.Length));
        _peer.Source.Pulse(Readiness.In);
        return bytes.Length;
    }

    public override Received Receive(Span<byte> destination, bool peek)
    {
        // An error goes before messages, and after a stream's bytes.
        if (Kind == SocketKind.SequencedPacket && TakeError() is not Errno.None and Errno pending)
            return pending;
        if (Queue.Count == 0 || IsListening)
            return ReceiveNothing(destination.IsEmpty);
        int count, whole;
        Ancillary ancillary;
        if (Kind == SocketKind.Stream)
            whole = count = Queue.ReadStream(destination, peek, out ancillary);
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
