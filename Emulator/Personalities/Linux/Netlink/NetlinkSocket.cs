using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Netlink;

/// <summary>What a protocol says to one request: messages, and an error that ends it.</summary>
internal sealed class NetlinkReply
{
    public List<NetlinkWriter> Messages { get; } = [];

    /// <summary>A sentence for people, sent to those who asked for such (NETLINK_EXT_ACK).</summary>
    public string? Explanation { get; private set; }

    public void Add(NetlinkWriter message) => Messages.Add(message);

    public Errno Fail(Errno error, string explanation)
    {
        Explanation = explanation;
        return error;
    }
}

/// <summary>A part of the kernel that is talked to over netlink sockets.</summary>
internal interface INetlinkProtocol
{
    /// <summary>Does what a request asks and adds its answers.</summary>
    Errno Handle(CallContext call, Network network, in NetlinkRequest request, NetlinkReply reply);
}

/// <summary>A socket to the kernel (netlink(7)): requests are answered at once, what happens is told to members of groups.</summary>
internal sealed class NetlinkSocket : PacketQueueSocket
{
    private const ushort ErrorMessage = 2, DoneMessage = 3, FirstOwnType = 16;
    private const ushort Capped = 0x100, HasAttributes = 0x200;
    private const int ExtendedErrors = 11, CapAcknowledge = 10;
    private const ushort MessageAttribute = 1;
    private const int DumpSize = 16_384;
    private const int Route = 0, Diagnosis = 4, Events = 15, Generic = 16;

    private readonly INetlinkProtocol? _protocol;
    private readonly SortedSet<uint> _groups = [];

    private NetlinkSocket(Network network, SocketKind kind, int protocol, OpenFlags flags, INetlinkProtocol? handler)
        : base(network, SocketFamily.Netlink, kind, protocol, flags)
    {
        _protocol = handler;
        Queue.Capacity = MessageQueue.DefaultCapacity * 8;
        if (protocol == Route)
            network.Changed += OnChange;
    }

    /// <summary>Null for protocols this kernel does not have.</summary>
    public static NetlinkSocket? Make(Network network, SocketKind kind, int protocol, OpenFlags flags) => protocol switch
    {
        Route => new NetlinkSocket(network, kind, protocol, flags, RouteProtocol.Instance),
        Diagnosis => new NetlinkSocket(network, kind, protocol, flags, SocketDiagnosis.Instance),
        Events => new NetlinkSocket(network, kind, protocol, flags, null),
        Generic => new NetlinkSocket(network, kind, protocol, flags, GenericProtocol.Instance),
        _ => null,
    };

    private uint Port => (Local as NetlinkAddress)?.Port ?? 0;

    public override Errno Bind(CallContext call, SocketAddress address)
    {
        if (address is not NetlinkAddress wish)
            return Errno.EINVAL;
        if (Local is not null && wish.Port != Port)
            return Errno.EINVAL;
        if (Local is null)
        {
            uint port = wish.Port != 0 ? wish.Port : FreePort(call);
            if (IsTaken(port))
                return Errno.EADDRINUSE;
            Local = new NetlinkAddress(port, wish.Groups);
        }
        for (int bit = 0; bit < 32; bit++)
        {
            if ((wish.Groups >> bit & 1) != 0)
                _groups.Add((uint)bit + 1);
        }
        return Errno.None;
    }

    private bool IsTaken(uint port) => Network.Sockets.Exists(other => other is NetlinkSocket netlink && netlink != this && netlink.Protocol == Protocol && netlink.Local is not null && netlink.Port == port);

    /// <summary>The process's id, or for its other sockets numbers that no process has.</summary>
    private uint FreePort(CallContext? call)
    {
        uint port = (uint)(call?.Process.Id ?? World.Current?.Process.Id ?? 1);
        for (uint other = unchecked((uint)-4097); IsTaken(port); other--)
            port = other;
        return port;
    }

    public override Errno Connect(CallContext call, SocketAddress? address)
    {
        if (address is not NetlinkAddress)
            return Errno.EINVAL;
        Local ??= new NetlinkAddress(FreePort(call), 0);
        Remote = address;
        return Errno.None;
    }

    public override IoResult Send(CallContext call, ReadOnlySpan<byte> bytes, SocketAddress? to, Ancillary ancillary)
    {
        if (to is NetlinkAddress { Port: not 0 } other)
            return SendTo(bytes, other);
        Local ??= new NetlinkAddress(FreePort(call), 0);
        CallContext context = call ?? World.Current!.Call;
        int sent = bytes.Length;
        while (bytes.Length >= NetlinkWriter.HeaderSize)
        {
            int length = (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(bytes), int.MaxValue);
            if (length < NetlinkWriter.HeaderSize || length > bytes.Length)
                break;
            var request = new NetlinkRequest(
                BinaryPrimitives.ReadUInt16LittleEndian(bytes[4..]), BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]),
                BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]), Port, bytes[NetlinkWriter.HeaderSize..length]);
            if (request.Has(NetlinkRequest.Wanted) && request.Type >= FirstOwnType)
                Handle(context, request, bytes[..length]);
            else if (request.Has(NetlinkRequest.WantsAck))
                Acknowledge(request, bytes[..length], Errno.None, null);
            bytes = bytes[Math.Min(bytes.Length, (length + 3) & ~3)..];
        }
        return sent;
    }

    private IoResult SendTo(ReadOnlySpan<byte> bytes, NetlinkAddress to)
    {
        foreach (Socket socket in Network.Sockets)
        {
            if (socket is NetlinkSocket target && target.Protocol == Protocol && target.Local is not null && target.Port == to.Port)
            {
                target.Take(bytes, Local, null);
                return bytes.Length;
            }
        }
        return Errno.ECONNREFUSED;
    }

    private void Handle(CallContext call, in NetlinkRequest request, ReadOnlySpan<byte> whole)
    {
        var reply = new NetlinkReply();
        Errno error = _protocol is null ? Errno.EOPNOTSUPP : _protocol.Handle(call, Network, request, reply);
        if (error != Errno.None)
        {
            Acknowledge(request, whole, error, reply.Explanation);
            return;
        }
        if (request.IsDump)
        {
            reply.Add(request.Answer(DoneMessage, isPart: true).Put(0));
            SendParts(reply.Messages);
            return;
        }
        foreach (NetlinkWriter message in reply.Messages)
            Answer(message.ToArray());
        if (request.Has(NetlinkRequest.WantsAck))
            Acknowledge(request, whole, Errno.None, null);
    }

    /// <summary>A dump comes in a few datagrams of many messages.</summary>
    private void SendParts(List<NetlinkWriter> messages)
    {
        var part = new List<byte>();
        foreach (NetlinkWriter message in messages)
        {
            if (part.Count > 0 && part.Count + message.Length > DumpSize)
            {
                Answer(CollectionsMarshal.AsSpan(part));
                part.Clear();
            }
            part.AddRange(message.ToArray());
            while (part.Count % 4 != 0)
                part.Add(0);
        }
        Answer(CollectionsMarshal.AsSpan(part));
    }

    /// <summary>Something that no request asked for.</summary>
    internal void Tell(ReadOnlySpan<byte> bytes) => Answer(bytes);

    private void Answer(ReadOnlySpan<byte> bytes) => Take(bytes, new NetlinkAddress(0, 0), null);

    /// <summary>NLMSG_ERROR: 0 or a negated errno, the request it is about, and what can be said of it.</summary>
    private void Acknowledge(in NetlinkRequest request, ReadOnlySpan<byte> whole, Errno error, string? explanation)
    {
        bool explains = explanation is not null && OtherOptions.GetValueOrDefault((SocketOptions.Netlink, ExtendedErrors)) != 0;
        bool isCapped = error == Errno.None || OtherOptions.GetValueOrDefault((SocketOptions.Netlink, CapAcknowledge)) != 0;
        ushort flags = (ushort)((isCapped ? Capped : 0) | (explains ? HasAttributes : 0));
        NetlinkWriter message = new NetlinkWriter(ErrorMessage, flags, request.Sequence, Port).Put(-(int)error).Put(isCapped ? whole[..NetlinkWriter.HeaderSize] : whole);
        Answer((explains ? message.Attribute(MessageAttribute, explanation!) : message).ToArray());
    }

    private void OnChange(NetworkChange change)
    {
        if (_groups.Count == 0 || RouteProtocol.Describe(change) is not { } note || !_groups.Contains(note.Group))
            return;
        Take(note.Message.ToArray(), new NetlinkAddress(0, 1u << ((int)note.Group - 1)), null);
    }

    internal Errno SetMembership(CallContext call, GuestAddress value, int length, bool joins)
    {
        if (length < sizeof(uint))
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, out uint group))
            return Errno.EFAULT;
        if (group is 0 or > 1024)
            return Errno.EINVAL;
        if (joins)
            _groups.Add(group);
        else
            _groups.Remove(group);
        return Errno.None;
    }

    internal Errno EncodeMemberships(Span<byte> bytes, out int whole)
    {
        whole = 8;
        foreach (uint group in _groups)
        {
            int at = (int)((group - 1) / 8);
            if (at < bytes.Length)
                bytes[at] |= (byte)(1 << (int)((group - 1) % 8));
            whole = Math.Max(whole, (at / 4 * 4) + 4);
        }
        return Errno.None;
    }

    protected override void OnLastClose()
    {
        Network.Changed -= OnChange;
        base.OnLastClose();
    }
}
