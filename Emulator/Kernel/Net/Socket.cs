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
    private readonly Inode _inode;

    protected Socket(World world, SocketFamily family, SocketKind kind, int protocol, OpenFlags flags)
        : base(flags | OpenFlags.ReadWrite)
    {
        World = world;
        Family = family;
        Kind = kind;
        Protocol = protocol;
        _inode = new AnonymousInode(world, FileKind.Socket, 0x1FF);
        SendBuffer = new SendBuffer(Source);
    }

    public World World { get; }

    public SocketFamily Family { get; }

    public SocketKind Kind { get; }

    public int Protocol { get; }

    public override Inode Inode => _inode;

    public override string Description => $"socket:[{_inode.Status.Inode}]";

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

    /// <summary>SO_RCVTIMEO and SO_SNDTIMEO in nanoseconds; 0 = none.</summary>
    public long ReceiveTimeout { get; set; }

    public long SendTimeout { get; set; }

    /// <summary>SO_LINGER: whether close waits, and how many seconds; TCP takes 0 for "reset the connection".</summary>
    public (bool IsOn, int Seconds) Linger { get; set; }

    /// <summary>Options that are kept for their owner and change nothing in a world.</summary>
    public SortedDictionary<(int Level, int Name), int> OtherOptions { get; } = [];

    /// <summary>Process, user and group at the other end when it connected (SO_PEERCRED).</summary>
    public (int Process, uint User, uint Group) PeerCredentials { get; protected internal set; } = (0, uint.MaxValue, uint.MaxValue);

    protected MessageQueue Queue { get; } = new();

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

    public override IoResult Write(ReadOnlySpan<byte> source) => Send(null!, source, null, Ancillary.None);

    /// <summary>An accepted TCP connection has its listener's options (tcp(7)).</summary>
    protected void InheritOptions(Socket listener)
    {
        (ReuseAddress, ReusePort, Linger) = (listener.ReuseAddress, listener.ReusePort, listener.Linger);
        (ReceiveTimeout, SendTimeout) = (listener.ReceiveTimeout, listener.SendTimeout);
        foreach (((int Level, int Name) option, int value) in listener.OtherOptions)
            OtherOptions[option] = value;
    }

    protected Ancillary WithSender(CallContext? call, Ancillary ancillary) =>
        call is null ? ancillary : ancillary with { SenderProcess = call.Process.Id, SenderUser = call.Thread.Credentials.User, SenderGroup = call.Thread.Credentials.Group };
}
