using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net.Tcp;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>A connection that is being made and may still be given up.</summary>
internal interface IConnectAttempt
{
    void Abort();
}

/// <summary>How streams come about: names, listeners, connecting.</summary>
public sealed partial class StreamSocket
{
    private const int LargestBacklog = 4096;

    private readonly Queue<StreamSocket> _waiting = new();
    private readonly Queue<StreamSocket> _refused = new();
    private int _backlog = -1;
    private IConnectAttempt? _attempt;
    private bool _isConnecting;

    /// <summary>A connect is done that its caller only knows as under way: the next one tells (connect(2)).</summary>
    private bool _isAnnounced;

    public override bool IsListening => _backlog >= 0;

    public int Backlog => _backlog;

    /// <summary>Connections that can be accepted.</summary>
    public int WaitingConnections => _waiting.Count;

    /// <summary>Connections that wait to be accepted.</summary>
    public int Waiting => _waiting.Count;

    public bool IsConnected => _wasConnected;

    public bool IsConnecting => _isConnecting;

    /// <summary>The socket at the other end when it is in this network.</summary>
    public StreamSocket? Peer => _peer;

    /// <summary>True when a listener takes no more for now.</summary>
    private bool IsFull => _waiting.Count > _backlog;

    public override Errno Bind(CallContext call, SocketAddress address)
    {
        if (Local is not null)
            return Errno.EINVAL;
        Errno error = address is InternetAddress internet ? BindInternet(call, internet, out address) : Network.Names.Bind(call, this, ref address);
        if (error == Errno.None)
            (Local, _boundTo) = (address, address as InternetAddress);
        return error;
    }

    private Errno BindInternet(CallContext call, InternetAddress internet, out SocketAddress bound)
    {
        bound = internet;
        if (!IpPrefix.IsAny(internet.Address) && !BindsFreely && !Network.IsLocal(internet.Address))
            return Errno.EADDRNOTAVAIL;
        Errno error = Network.Ports.Bind(this, call.Thread.Credentials.Has(Capability.BindLowPorts), ref internet);
        bound = internet;
        return error;
    }

    public override Errno Listen(CallContext call, int backlog)
    {
        if (_peer is not null || _wasConnected || _isConnecting)
            return Errno.EINVAL;
        if (Local is null && !IsInternet)
            return Errno.EINVAL;
        if (Local is null)
        {
            Local = Network.Ports.Assign(this, Family == SocketFamily.Internet4 ? System.Net.IPAddress.Any : System.Net.IPAddress.IPv6Any);
            if (Local is null)
                return Errno.EADDRINUSE;
        }
        if (IsInternet && !IsListening && Network.Ports.IsListenedOn(this))
            return Errno.EADDRINUSE;
        _backlog = Math.Min(backlog < 0 ? LargestBacklog : backlog, LargestBacklog);
        PeerCredentials = Identity(call);
        PeerGroups = call.Thread.Credentials.Groups;
        return Errno.None;
    }

    /// <summary>Supplementary groups of who is at the other end (SO_PEERGROUPS).</summary>
    public uint[] PeerGroups { get; private set; } = [];

    public override Errno Accept(out Socket? accepted)
    {
        accepted = null;
        if (!IsListening)
            return Errno.EINVAL;
        if (!_waiting.TryDequeue(out StreamSocket? next))
            return Errno.EAGAIN;
        accepted = next;
        while (!IsFull && _refused.TryDequeue(out StreamSocket? client))
        {
            if (client._isConnecting)
                client.JoinListener(this);
        }
        Source.Pulse(Readiness.Out);
        return Errno.None;
    }

    private void StopListening()
    {
        _backlog = -1;
        while (_waiting.TryDequeue(out StreamSocket? waiting))
            waiting.Abandon();
        while (_refused.TryDequeue(out StreamSocket? client))
            client.FailConnect(Errno.ECONNREFUSED);
    }

    public override Errno Connect(CallContext call, SocketAddress? address)
    {
        if (address is null && IsInternet)
            return Disconnect();
        _hasLeft = false;
        if (IsListening)
            return IsInternet ? Errno.EISCONN : Errno.EINVAL;
        if (_isConnecting)
            return Errno.EALREADY;
        if (_isAnnounced)
        {
            _isAnnounced = false;
            return Errno.None;
        }
        if (_hasFailed)
        {
            _hasFailed = false;
            return TakeError() is not Errno.None and Errno failure ? failure : Errno.ECONNABORTED;
        }
        if (_wasConnected)
            return Errno.EISCONN;
        if (address is null)
            return Errno.EINVAL;
        return address is InternetAddress target ? ConnectInternet(target) : ConnectUnix(call, address);
    }

    private Errno ConnectUnix(CallContext call, SocketAddress address)
    {
        Errno error = FindUnixListener(call, address, out StreamSocket? listener);
        if (error != Errno.None)
            return error;
        if (listener!.IsFull)
            return Errno.EAGAIN;
        var server = new StreamSocket(Network, Family, Kind, Protocol, OpenFlags.None) { Local = listener.Local };
        Join(this, server, call);
        Remote = listener.Local;
        server.Remote = Local;
        (PeerCredentials, PeerGroups) = (listener.PeerCredentials, listener.PeerGroups);
        (server.PassCredentials, server.KeepsPassingCredentials) = (listener.PassCredentials, listener.KeepsPassingCredentials);
        listener.Admit(server);
        Source.Pulse(Readiness.Out);
        return Errno.None;
    }

    private Errno FindUnixListener(CallContext call, SocketAddress address, out StreamSocket? listener)
    {
        listener = null;
        Errno error = Network.Names.Find(call, address, out Socket? other);
        if (error != Errno.None)
            return error;
        if (other!.Kind != Kind)
            return Errno.EPROTOTYPE;
        listener = other as StreamSocket;
        if (listener is not { IsListening: true })
            return Errno.ECONNREFUSED;
        return UnixNames.MayReach(call, listener) ? Errno.None : Errno.EPERM;
    }

    /// <summary>The listener to wait for when <see cref="Connect"/> said EAGAIN.</summary>
    public Source WaitSource(CallContext call, SocketAddress address) =>
        FindUnixListener(call, address, out StreamSocket? listener) == Errno.None ? listener!.Source : Source;

    private Errno ConnectInternet(InternetAddress asked)
    {
        InternetAddress target = asked.IsAny ? asked with { Address = IpPrefix.LoopbackOf(asked.Address) } : asked;
        if ((IsVersion6Only && IpPrefix.Is4(target.Address)) || IpPrefix.IsMulticast(target.Address) || target.Address.Equals(System.Net.IPAddress.Broadcast))
            return Errno.ENETUNREACH;
        bool hasRoute = Network.Internet.TryRoute(target.Address, BoundDevice, out Hop hop, out Errno error);
        if (!hasRoute && Network.Outside is null)
            return error;
        if (hasRoute && hop.Kind == RouteKind.Broadcast)
            return Errno.EACCES;
        target = target with { Address = IpPrefix.WithoutScope(target.Address) };
        if (!TryName(hasRoute ? hop.Source : IpPrefix.LoopbackOf(target.Address)))
            return Errno.EADDRNOTAVAIL;
        Remote = target;
        _isConnecting = true;
        if (!hasRoute)
            _attempt = OutsideLink.Open(this, target);
        else if (hop.Kind != RouteKind.Local)
            _attempt = Network.Connections.Open(this);
        else
            ConnectInside(target);
        // It may be done already.
        _attempt = _isConnecting ? _attempt : null;
        return Errno.EINPROGRESS;
    }

    private void ConnectInside(InternetAddress target)
    {
        if (Network.Ports.FindListener(target, (InternetAddress)Local!, Network.Loopback.Index) is not { } listener)
            FailConnect(Errno.ECONNREFUSED);
        else if (listener.IsFull)
            listener._refused.Enqueue(this);
        else
            JoinListener(listener);
    }

    /// <summary>Fixes the address that a connection comes from.</summary>
    private bool TryName(System.Net.IPAddress source)
    {
        if (Local is not InternetAddress local)
        {
            Local = Network.Ports.Assign(this, source);
            return Local is not null;
        }
        if (IpPrefix.IsAny(local.Address))
        {
            Network.Ports.Remove(this);
            Local = local with { Address = source };
            Network.Ports.Add(this, local with { Address = source });
        }
        return true;
    }

    private void JoinListener(StreamSocket listener)
    {
        StreamSocket server = listener.MakeAccepted((InternetAddress)Remote!, (InternetAddress)Local!);
        server.PeerCredentials = (null, uint.MaxValue, uint.MaxValue);
        CompleteConnect(server);
        listener.Admit(server);
    }

    /// <summary>The socket that a listener will hand out for a caller; not joined to it yet.</summary>
    internal StreamSocket MakeAccepted(InternetAddress local, InternetAddress remote)
    {
        var server = new StreamSocket(Network, Family, Kind, Protocol, OpenFlags.None) { Local = local, Remote = remote };
        server.InheritOptions(this);
        Network.Ports.Add(server, local);
        return server;
    }

    /// <summary>Queues a connection for accept.</summary>
    internal void Admit(StreamSocket server)
    {
        _waiting.Enqueue(server);
        Source.Pulse(Arrival);
    }

    internal bool TakesMore => IsListening && !IsFull;

    /// <summary>A connect was answered by <paramref name="far"/>.</summary>
    internal void CompleteConnect(StreamSocket far)
    {
        (_attempt, _isConnecting, _isAnnounced) = (null, false, true);
        Link(this, far);
        LacksRoom = true;
        Source.Pulse(Readiness.Out);
    }

    private static void Link(StreamSocket one, StreamSocket two)
    {
        (one._peer, two._peer) = (two, one);
        one._wasConnected = two._wasConnected = true;
    }

    private bool _hasFailed;

    /// <summary>A connect found nobody.</summary>
    internal void FailConnect(Errno error)
    {
        if (!_isConnecting)
            return;
        (_attempt, _isConnecting, _hasFailed) = (null, false, true);
        PendingError = error;
        Remote = null;
        Source.Pulse(Failed);
    }

    /// <summary>An end of a connection that leaves the network: nobody has a descriptor of it.</summary>
    internal static StreamSocket MakeFarEnd(StreamSocket near)
    {
        var far = new StreamSocket(near.Network, near.Family, near.Kind, near.Protocol, OpenFlags.NonBlocking);
        near.Network.Sockets.Remove(far);
        return far;
    }

    /// <summary>Joins a socket that was accepted to its far end.</summary>
    internal void Attach(StreamSocket far) => Link(this, far);

    /// <summary>Bytes that the near end takes now.</summary>
    internal int RoomAtPeer => _peer?.Queue.Room ?? 0;

    /// <summary>Bytes that the near end wrote and nobody took yet.</summary>
    internal int Unread => Queue.Bytes;

    /// <summary>The near end will write no more.</summary>
    internal bool PeerHasEnded => _peerClosed || _peerWriteShut || _isReset;

    /// <summary>The near end was closed.</summary>
    internal bool PeerIsGone => _wasConnected && _peer is null;

    /// <summary>The near end was closed without reading all, or asked for a reset.</summary>
    internal bool WasReset => _isReset;

    /// <summary>Breaks a connection: the near end is told why.</summary>
    internal void Break(Errno error)
    {
        if (_peer is not { } near)
            return;
        near.PendingError = error;
        near._isReset = true;
        (near._peer, _peer) = (null, null);
        near.Source.Pulse(Failed);
    }
}
