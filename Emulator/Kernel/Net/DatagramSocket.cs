using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>A connectionless socket: AF_UNIX datagrams, UDP.</summary>
public sealed partial class DatagramSocket(Network network, SocketFamily family, int protocol, OpenFlags flags) : Socket(network, family, SocketKind.Datagram, protocol, flags)
{
    /// <summary>net.unix.max_dgram_qlen.</summary>
    private const int MostQueued = 10;

    private readonly List<DatagramSocket> _refused = [];
    private DatagramSocket? _peer;

    private bool IsInternet => Family != SocketFamily.Unix;

    public static void Join(DatagramSocket one, DatagramSocket two)
    {
        (one._peer, two._peer) = (two, one);
        one.Remote = two.Remote = UnixPath.Unnamed;
    }

    private bool IsClosed { get; set; }

    public override Errno Bind(CallContext call, SocketAddress address)
    {
        if (Local is not null)
            return Errno.EINVAL;
        Errno error = address is InternetAddress internet ? BindInternet(call, internet, out address) : Network.Names.Bind(call, this, ref address);
        if (error == Errno.None)
            Local = address;
        return error;
    }

    /// <summary>Fixes where datagrams go and whose are taken; null lets go of it.</summary>
    public override Errno Connect(CallContext call, SocketAddress? address)
    {
        if (address is null)
        {
            Disconnect();
            return Errno.None;
        }
        if (address is InternetAddress internet)
            return ConnectInternet(internet);
        Errno error = Network.Names.FindDatagram(call, address, out DatagramSocket? peer);
        if (error == Errno.None && !UnixNames.MayReach(call, peer!))
            error = Errno.EPERM;
        if (error == Errno.None)
            (_peer, Remote) = (peer, address);
        return error;
    }

    /// <summary>A socket connected to an address of IPv4 becomes one that never was of IPv6 (ipv6(7), IPV6_ADDRFORM).</summary>
    public Errno BecomeVersion4()
    {
        if (IsHolding)
            return Errno.EBUSY;
        if (Remote is not InternetAddress { Address: var address })
            return Errno.ENOTCONN;
        if (!IpPrefix.Is4(address) || IsVersion6Only)
            return Errno.EADDRNOTAVAIL;
        Family = SocketFamily.Internet4;
        return Errno.None;
    }

    /// <summary>Ends a connection; of UNIX sockets what the peer sent is lost, and a peer that lives is told.</summary>
    private void Disconnect()
    {
        DatagramSocket? peer = _peer;
        (_peer, Remote) = (null, null);
        if (peer is null || IsInternet || Queue.Count == 0)
            return;
        Queue.Clear();
        TellRefused();
        if (peer.IsClosed || peer._peer != this)
            return;
        peer.PendingError = Errno.ECONNRESET;
        peer.Source.Pulse(Readiness.Error);
    }

    private SocketAddress? _partner;
    private byte[]? _partnerName;
    private bool _isPartnerNew;

    /// <summary>Whom a datagram went to or came from; only a socket without a peer has others than that.</summary>
    private void Note(SocketAddress? partner)
    {
        if (Remote is not null || partner is null)
            return;
        if (!partner.Equals(_partner))
            (_partner, _partnerName) = (partner, null);
        _isPartnerNew = true;
    }

    internal override byte[]? TakeRecordPeer()
    {
        if (!_isPartnerNew)
            return null;
        _isPartnerNew = false;
        return _partnerName ??= System.Text.Encoding.UTF8.GetBytes("socket:" + Name(_partner));
    }

    public override IoResult Send(CallContext call, ReadOnlySpan<byte> bytes, SocketAddress? to, Ancillary ancillary)
    {
        IoResult result = IsHolding ? SendWithHeld(call, bytes, ancillary) : SendTo(call, bytes, to, ancillary);
        if (result.Error == Errno.None)
            Note(to);
        return result;
    }

    private readonly List<byte> _held = [];
    private SocketAddress? _heldFor;

    /// <summary>Takes bytes of a datagram that more will follow (MSG_MORE, udp(7)): it goes where the first of them are sent to.</summary>
    public IoResult Hold(ReadOnlySpan<byte> bytes, SocketAddress? to)
    {
        const int most = 65_507;
        if (to is null && Remote is null && _held.Count == 0)
            return Errno.EDESTADDRREQ;
        if (_held.Count + bytes.Length > most)
            return Errno.EMSGSIZE;
        if (_held.Count == 0)
            _heldFor = to;
        _held.AddRange(bytes);
        return bytes.Length;
    }

    /// <summary>A datagram that bytes are held of.</summary>
    public bool IsHolding => _held.Count > 0;

    private IoResult SendWithHeld(CallContext call, ReadOnlySpan<byte> bytes, Ancillary ancillary)
    {
        byte[] whole = [.. _held, .. bytes];
        SocketAddress? to = _heldFor;
        _held.Clear();
        IoResult sent = SendTo(call, whole, to, ancillary);
        return sent.Error == Errno.None ? bytes.Length : sent;
    }

    private IoResult SendTo(CallContext call, ReadOnlySpan<byte> bytes, SocketAddress? to, Ancillary ancillary)
    {
        if (TakeError() is not Errno.None and Errno pending)
            return pending;
        if (WriteShut)
            return Errno.EPIPE;
        if (IsInternet && to is null && Remote is null)
            return Errno.EDESTADDRREQ;
        if (IsInternet)
            return SendInternet(bytes, (InternetAddress)(to ?? Remote!), ancillary.Packet);
        return bytes.Length > SendBuffer.LongestMessage ? Errno.EMSGSIZE : SendUnix(call, bytes, to, ancillary);
    }

    private IoResult SendUnix(CallContext call, ReadOnlySpan<byte> bytes, SocketAddress? to, Ancillary ancillary)
    {
        if (!SendBuffer.HasRoom)
            return IoResult.WouldBlock;
        IoResult result = DeliverUnix(call, bytes, to, ancillary);
        // A message that was made and not sent gives its room back, which is news to who waits for room (sock_wfree in net/core/sock.c).
        if (result.Error != Errno.None && (IsNonBlocking || !result.IsBlocked))
            Source.Pulse(Readiness.Out);
        return result;
    }

    private IoResult DeliverUnix(CallContext call, ReadOnlySpan<byte> bytes, SocketAddress? to, Ancillary ancillary)
    {
        if (to is null && Remote is null)
            return Errno.ENOTCONN;
        DatagramSocket? target = _peer;
        if (to is not null)
        {
            Errno error = Network.Names.FindDatagram(call, to, out target);
            if (error != Errno.None)
                return error;
        }
        if (target is null || target.IsClosed)
        {
            // Said once: the socket is connected no more.
            if (to is null)
                Disconnect();
            return Errno.ECONNREFUSED;
        }
        if (target.ReadShut)
            return Errno.EPIPE;
        if ((target._peer is not null && target._peer != this) || (target != _peer && !UnixNames.MayReach(call, target)))
            return Errno.EPERM;
        if (!target.Queue.HasMemory)
            return Errno.ENOBUFS;
        if (target.Refuses(this))
            return LackRoom();
        int whole = bytes.Length;
        // Who sends is not told that it was not taken.
        if (target.MessageFilter is { } filter && filter.Run(bytes, default) is var kept)
        {
            if (kept == 0)
                return whole;
            bytes = bytes[..(int)Math.Min((uint)whole, kept)];
        }
        target.Queue.Add(bytes, Local ?? UnixPath.Unnamed, WithSender(call, ancillary), SendBuffer, SendBuffer.ChargeMessage(bytes.Length));
        target.Source.Pulse(Arrival);
        return whole;
    }

    /// <summary>A queue of many senders takes few messages; those who found it full are told when one was taken.</summary>
    private bool Refuses(DatagramSocket sender)
    {
        if (_peer == sender || Queue.Count <= MostQueued)
            return false;
        if (!_refused.Contains(sender))
            _refused.Add(sender);
        return true;
    }

    private void TellRefused()
    {
        foreach (DatagramSocket sender in _refused)
            sender.Source.Pulse(Readiness.Out);
        _refused.Clear();
    }

    public override Received Receive(Span<byte> destination, bool peek)
    {
        if (TakeError() is not Errno.None and Errno pending)
            return pending;
        // Only who would wait is told of the end.
        if (Queue.Count == 0)
            return ReadShut && !IsNonBlocking ? Received.Nothing : Errno.EAGAIN;
        int whole = Queue.ReadMessage(destination, peek, out SocketAddress? from, out Ancillary ancillary);
        if (!peek)
            TellRefused();
        Note(from);
        return new Received(Math.Min(whole, destination.Length), whole, from, ancillary, Errno.None);
    }

    public override Errno Shutdown(bool read, bool write)
    {
        if (IsInternet && Remote is null)
            return Errno.ENOTCONN;
        ReadShut |= read;
        WriteShut |= write;
        Source.Pulse();
        return Errno.None;
    }

    public override Readiness Poll()
    {
        Readiness ready = Queue.Count > 0 || ReadShut ? Readiness.In : Readiness.None;
        ready |= ReadShut ? Readiness.ReadHangUp : 0;
        ready |= ReadShut && WriteShut ? Readiness.HangUp : 0;
        ready |= PendingError != Errno.None || _errors.Count > 0 ? Readiness.Error : 0;
        bool canWrite = IsInternet || SendBuffer.IsWritable && !(_peer is { IsClosed: false } peer && peer.Refuses(this));
        return ready | (canWrite ? Readiness.Out : 0);
    }

    protected override void OnLastClose()
    {
        IsClosed = true;
        _outside?.Dispose();
        base.OnLastClose();
        Queue.Clear();
        TellRefused();
    }
}
