using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>What one receive came to.</summary>
public readonly record struct Received(int Count, int Whole, SocketAddress? From, Ancillary Ancillary, Errno Error)
{
    /// <summary>The end of input.</summary>
    public static Received Nothing => new(0, 0, null, Ancillary.None, Errno.None);

    public static implicit operator Received(Errno error) => new(0, 0, null, Ancillary.None, error);
}

/// <summary>
/// A socket of a world's network (socket(7)): names, options, and what streams and datagrams have in common. Operations do not
/// block; EAGAIN means to wait for <see cref="OpenFile.Source"/>.
/// </summary>
public abstract class Socket : OpenFile
{
    /// <summary>What is said when something arrived: whoever watches for urgent data alone is told, too (sock_def_readable in net/core/sock.c).</summary>
    private protected const Readiness Arrival = Readiness.In | Readiness.Priority;

    private readonly Inode _inode;

    protected Socket(Network network, SocketFamily family, SocketKind kind, int protocol, OpenFlags flags)
        : base(flags | OpenFlags.ReadWrite)
    {
        Network = network;
        Family = family;
        Kind = kind;
        Protocol = protocol;
        _inode = new AnonymousInode(network.World, FileKind.Socket, 0x1FF);
        SendBuffer = new SendBuffer(Source);
        Queue = new MessageQueue(network.World.Accountant);
        Domain = network.World.Current?.Domain;
        network.Sockets.Add(this);
    }

    /// <summary>The network it was made in, where it stays.</summary>
    public Network Network { get; }

    public World World => Network.World;

    /// <summary>The number that /proc and sock_diag(7) know it by.</summary>
    public ulong Number => _inode.Status.Inode;

    /// <summary>Who made it.</summary>
    public uint Owner { get; set; }

    /// <summary>What its maker had left itself then.</summary>
    internal AccessDomain? Domain { get; }

    public SocketFamily Family { get; private protected set; }

    public SocketKind Kind { get; }

    public int Protocol { get; }

    public override Source AsyncSource => Source;

    /// <summary>Room is news only to who had none, or no connection yet.</summary>
    private protected bool LacksRoom { get; set; }

    private protected IoResult LackRoom()
    {
        LacksRoom = true;
        return IoResult.WouldBlock;
    }

    public override Readiness AsyncNews(Readiness edges)
    {
        Readiness news = Poll() & edges;
        if (!LacksRoom)
            return news & ~Readiness.Out;
        LacksRoom = (news & Readiness.Out) == 0;
        return news;
    }

    public override Inode Inode => _inode;

    public override string Description => $"socket:[{_inode.Status.Inode}]";

    /// <summary>Its peer, or where it listens; a name that is final only then.</summary>
    private protected override string? NameForRecord =>
        Remote is { } peer ? "socket:" + Name(peer) : IsListening ? "listen:" + Name(Local) : null;

    private protected string Name(SocketAddress? address) => address switch
    {
        UnixPath { Path.Length: > 0 } path => "unix:" + System.Text.Encoding.Latin1.GetString(path.Path),
        UnixAbstract name => "unix:@" + name.Name,
        InternetAddress internet => internet.ToString(),
        _ => $"[{_inode.Status.Inode}]",
    };

    public SocketAddress? Local { get; protected set; }

    public SocketAddress? Remote { get; protected set; }

    /// <summary>SO_ERROR: what went wrong behind the caller's back; reading clears it.</summary>
    public Errno PendingError { get; set; }

    public bool ReadShut { get; protected set; }

    public bool WriteShut { get; protected set; }

    public virtual bool IsListening => false;

    public bool ReuseAddress { get; set; }

    public bool ReusePort { get; set; }

    public bool PassCredentials { get; set; }

    /// <summary>What decides which messages it takes; null for all.</summary>
    public IMessageFilter? MessageFilter
    {
        get;
        set
        {
            value?.Join();
            field?.Leave();
            field = value;
        }
    }

    /// <summary>SO_LOCK_FILTER: that stays as it is.</summary>
    public bool IsFilterLocked { get; set; }

    /// <summary>FreeBSD's LOCAL_CREDS_PERSISTENT: each message tells of its sender, not only the first.</summary>
    public bool KeepsPassingCredentials { get; set; }

    public bool PassSecurity { get; set; }

    /// <summary>SO_BROADCAST: datagrams may go to all of a link.</summary>
    public bool MayBroadcast { get; set; }

    /// <summary>SO_BINDTODEVICE: the index of the only device it talks over; 0 = any.</summary>
    public int BoundDevice { get; set; }

    /// <summary>SO_OOBINLINE: urgent bytes stay in the stream.</summary>
    public bool KeepsUrgentInline { get; set; }

    /// <summary>IPV6_V6ONLY: an IPv6 socket without IPv4's addresses.</summary>
    public bool IsVersion6Only { get; set; }

    /// <summary>IP_FREEBIND: addresses that nobody has may be bound.</summary>
    public bool BindsFreely { get; set; }

    /// <summary>IP_TTL and IPV6_UNICAST_HOPS; null = the network's default.</summary>
    public byte? Hops { get; set; }

    /// <summary>IP_TOS and IPV6_TCLASS.</summary>
    public byte TrafficClass { get; set; }

    /// <summary>Membership in groups, and how packets are sent to them.</summary>
    public MulticastGroups Groups { get; } = new();

    /// <summary>SO_RCVBUF and SO_SNDBUF, as they are told; 0 = the default.</summary>
    public int ReceiveBufferSize { get; set; }

    public int SendBufferSize { get; set; }

    /// <summary>SO_RCVTIMEO and SO_SNDTIMEO in nanoseconds; 0 = none.</summary>
    public long ReceiveTimeout { get; set; }

    public long SendTimeout { get; set; }

    /// <summary>SO_LINGER: whether close waits, and how many seconds; TCP takes 0 for "reset the connection".</summary>
    public (bool IsOn, int Seconds) Linger { get; set; }

    /// <summary>Options that are kept for their owner and change nothing in a world.</summary>
    public SortedDictionary<(int Level, int Name), int> OtherOptions { get; } = [];

    /// <summary>Process, user and group at the other end when it connected (SO_PEERCRED).</summary>
    public (KeptId? Process, uint User, uint Group) PeerCredentials { get; protected internal set; } = (null, uint.MaxValue, uint.MaxValue);

    protected MessageQueue Queue { get; }

    /// <summary>For UNIX sockets, whose messages are charged to who sent them.</summary>
    protected SendBuffer SendBuffer { get; }

    public override int? Pending => Kind == SocketKind.Datagram ? Queue.NextLength : Queue.Bytes;

    public Errno TakeError()
    {
        Errno error = PendingError;
        PendingError = Errno.None;
        return error;
    }

    public abstract Errno Bind(CallContext call, SocketAddress address);

    public virtual Errno Listen(CallContext call, int backlog) => Errno.EOPNOTSUPP;

    public virtual Errno Accept(out Socket? accepted)
    {
        accepted = null;
        return Errno.EOPNOTSUPP;
    }

    /// <summary>EAGAIN: the listener's queue is full.</summary>
    public abstract Errno Connect(CallContext call, SocketAddress? address);

    public abstract IoResult Send(CallContext call, ReadOnlySpan<byte> bytes, SocketAddress? to, Ancillary ancillary);

    public abstract Received Receive(Span<byte> destination, bool peek);

    /// <summary>Sends a byte that overtakes others where streams have such (MSG_OOB).</summary>
    public virtual IoResult SendUrgent(CallContext call, ReadOnlySpan<byte> bytes) => Errno.EOPNOTSUPP;

    public virtual Received ReceiveUrgent(Span<byte> destination, bool peek) => Errno.EOPNOTSUPP;

    /// <summary>SIOCATMARK: the next byte to read is where the urgent one was.</summary>
    public virtual bool IsAtUrgentMark => false;

    public abstract Errno Shutdown(bool read, bool write);

    public override IoResult Read(Span<byte> destination)
    {
        // Unlike recv, read of nothing says nothing (sock_read_iter in net/socket.c).
        if (destination.IsEmpty)
            return 0;
        Received received = Receive(destination, peek: false);
        received.Ancillary.Release();
        return received.Error != Errno.None ? received.Error : received.Count;
    }

    protected override void OnLastClose()
    {
        Network.Sockets.Remove(this);
        GroupMembership.LeaveAll(this);
        MessageFilter = null;
        if (Family == SocketFamily.Unix)
            Network.Names.Remove(this);
        else
            Network.Ports.Remove(this);
        Network.OnLeft();
    }

    public override IoResult Write(ReadOnlySpan<byte> source) => Send(null!, source, null, Ancillary.None);

    /// <summary>An accepted TCP connection has its listener's options (tcp(7)).</summary>
    protected void InheritOptions(Socket listener)
    {
        (ReuseAddress, ReusePort, Linger, KeepsUrgentInline) = (listener.ReuseAddress, listener.ReusePort, listener.Linger, listener.KeepsUrgentInline);
        (ReceiveTimeout, SendTimeout) = (listener.ReceiveTimeout, listener.SendTimeout);
        (ReceiveBufferSize, SendBufferSize, IsVersion6Only, Owner) = (listener.ReceiveBufferSize, listener.SendBufferSize, listener.IsVersion6Only, listener.Owner);
        (Hops, TrafficClass, BoundDevice) = (listener.Hops, listener.TrafficClass, listener.BoundDevice);
        foreach (((int Level, int Name) option, int value) in listener.OtherOptions)
            OtherOptions[option] = value;
    }

    /// <summary>Says who sends, unless the sender said so itself.</summary>
    protected Ancillary WithSender(CallContext? call, Ancillary ancillary)
    {
        if (ancillary.SenderProcess is not null || (call?.Thread ?? World.Current) is not { } sender)
            return ancillary;
        return ancillary with { SenderProcess = sender.Process.KeptId, SenderUser = sender.Credentials.User, SenderGroup = sender.Credentials.Group, Sender = sender.Credentials };
    }
}
