using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Packets;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Linux.Netlink;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Making, naming and connecting sockets.</summary>
public static class SocketCalls
{
    private const int NonBlocking = 0x800;
    private const int CloseOnExec = 0x80000;
    private const int TypeMask = 0xF;
    private const int Stream = 1;
    private const int Datagram = 2;
    private const int Raw = 3;
    private const int SequencedPacket = 5;
    private const int LastType = 10;
    private const int LastFamily = 45;

    public static CallResult Socket(CallContext call, int family, int type, int protocol)
    {
        Errno error = Make(call, family, type, protocol, out Socket? socket);
        if (socket is not null)
            socket.Owner = call.Thread.Credentials.FileUser;
        return error != Errno.None ? error : PipeCalls.Install(call, socket!, (type & CloseOnExec) != 0);
    }

    private static Errno Make(CallContext call, int family, int type, int protocol, out Socket? socket)
    {
        socket = null;
        if ((type & ~(TypeMask | NonBlocking | CloseOnExec)) != 0)
            return Errno.EINVAL;
        if (family is < 0 or > LastFamily)
            return Errno.EAFNOSUPPORT;
        int kind = type & TypeMask;
        if (kind > LastType)
            return Errno.EINVAL;
        OpenFlags flags = (type & NonBlocking) != 0 ? OpenFlags.NonBlocking : OpenFlags.None;
        return family switch
        {
            SocketNames.Unix => MakeUnix(call, kind, protocol, flags, out socket),
            SocketNames.Netlink => MakeNetlink(call, kind, protocol, flags, out socket),
            SocketNames.Packet => MakePacket(call, kind, protocol, flags, out socket),
            SocketNames.Internet4 => MakeInternet(call, SocketFamily.Internet4, kind, protocol, flags, out socket),
            SocketNames.Internet6 => MakeInternet(call, SocketFamily.Internet6, kind, protocol, flags, out socket),
            _ => Errno.EAFNOSUPPORT,
        };
    }

    private static Errno MakeUnix(CallContext call, int kind, int protocol, OpenFlags flags, out Socket? socket)
    {
        socket = null;
        if (protocol is not (0 or SocketNames.Unix))
            return Errno.EPROTONOSUPPORT;
        socket = kind switch
        {
            Stream => new StreamSocket(call.Thread.Namespaces.Network, SocketFamily.Unix, SocketKind.Stream, 0, flags),
            SequencedPacket => new StreamSocket(call.Thread.Namespaces.Network, SocketFamily.Unix, SocketKind.SequencedPacket, 0, flags),
            // Raw sockets of this family are datagram ones (unix(7)).
            Datagram or Raw => new DatagramSocket(call.Thread.Namespaces.Network, SocketFamily.Unix, 0, flags),
            _ => null,
        };
        return socket is null ? Errno.ESOCKTNOSUPPORT : Errno.None;
    }

    private static Errno MakeInternet(CallContext call, SocketFamily family, int kind, int protocol, OpenFlags flags, out Socket? socket)
    {
        const int lastProtocol = 262;
        Network network = call.Thread.Namespaces.Network;
        int control = family == SocketFamily.Internet4 ? IpProtocol.Icmp : IpProtocol.Icmp6;
        socket = null;
        if (protocol is < 0 or > lastProtocol)
            return Errno.EINVAL;
        switch (kind)
        {
            case Stream when protocol is 0 or IpProtocol.Tcp:
                socket = new StreamSocket(network, family, SocketKind.Stream, IpProtocol.Tcp, flags);
                return Errno.None;
            case Datagram when protocol is 0 or IpProtocol.Udp:
                socket = new DatagramSocket(network, family, IpProtocol.Udp, flags);
                return Errno.None;
            // Its coverage of checksums cannot be set.
            case Datagram when protocol == IpProtocol.UdpLite:
                socket = new DatagramSocket(network, family, IpProtocol.UdpLite, flags);
                return Errno.None;
            case Datagram when protocol == control:
                if (call.Thread.Credentials.EffectiveGroup < network.PingGroups.First || call.Thread.Credentials.EffectiveGroup > network.PingGroups.Last)
                    return Errno.EACCES;
                socket = new PingSocket(network, family, protocol, flags);
                return Errno.None;
            case Raw when protocol != 0:
                if (!call.MayInNetwork(call.Thread.Namespaces.Network, Capability.RawSockets))
                    return Errno.EPERM;
                socket = new RawSocket(network, family, protocol, flags);
                return Errno.None;
            case Stream or Datagram or Raw:
                return Errno.EPROTONOSUPPORT;
            default:
                return Errno.ESOCKTNOSUPPORT;
        }
    }

    private static Errno MakePacket(CallContext call, int kind, int protocol, OpenFlags flags, out Socket? socket)
    {
        socket = null;
        if (!call.MayInNetwork(call.Thread.Namespaces.Network, Capability.RawSockets))
            return Errno.EPERM;
        if (kind is not (Datagram or Raw))
            return Errno.ESOCKTNOSUPPORT;
        // The protocol is an Ethernet type in network order.
        ushort type = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness((ushort)protocol);
        socket = new PacketSocket(call.Thread.Namespaces.Network, kind == Raw, type, flags);
        return Errno.None;
    }

    private static Errno MakeNetlink(CallContext call, int kind, int protocol, OpenFlags flags, out Socket? socket)
    {
        socket = null;
        if (kind is not (Datagram or Raw))
            return Errno.ESOCKTNOSUPPORT;
        if (protocol is < 0 or >= 32)
            return Errno.EPROTONOSUPPORT;
        socket = NetlinkSocket.Make(call.Thread.Namespaces.Network, kind == Raw ? SocketKind.Raw : SocketKind.Datagram, protocol, flags);
        return socket is null ? Errno.EPROTONOSUPPORT : Errno.None;
    }

    public static CallResult Socketpair(CallContext call, int family, int type, int protocol, GuestAddress descriptors)
    {
        Errno error = Make(call, family, type, protocol, out Socket? one);
        if (error != Errno.None)
            return error;
        if (family != SocketNames.Unix)
        {
            one!.Release();
            return Errno.EOPNOTSUPP;
        }
        Make(call, family, type, protocol, out Socket? two);
        if (one is StreamSocket stream)
            StreamSocket.Join(stream, (StreamSocket)two!, call);
        else
            DatagramSocket.Join((DatagramSocket)one!, (DatagramSocket)two!);
        return PipeCalls.InstallPair(call, descriptors, one!, two!, (type & CloseOnExec) != 0);
    }

    /// <summary>The socket of a descriptor: EBADF, or ENOTSOCK for other files.</summary>
    internal static Errno Find(CallContext call, int fd, out Socket socket)
    {
        OpenFile? file = call.File(fd);
        socket = (file as Socket)!;
        return socket is not null ? Errno.None : file is null || (file.Flags & OpenFlags.PathOnly) != 0 ? Errno.EBADF : Errno.ENOTSOCK;
    }

    public static CallResult Bind(CallContext call, int fd, GuestAddress address, int length)
    {
        Errno error = Find(call, fd, out Socket socket);
        if (error != Errno.None)
            return error;
        error = LandlockCalls.CheckPort(call, socket, address, length, PortRights.Bind);
        if (error != Errno.None)
            return error;
        error = SocketNames.Read(call, socket.Family, address, length, out SocketAddress? name);
        if (error != Errno.None)
            return error;
        // AF_UNSPEC with the any-address is how old programs bind (ip(7)).
        name ??= socket.Family == SocketFamily.Internet4 ? ReadAny(call, address) : null;
        return name is null ? Errno.EINVAL : socket.Bind(call, name);
    }

    private static InternetAddress? ReadAny(CallContext call, GuestAddress address)
    {
        bool isAny = call.Memory.TryRead(address + 4, out uint host) && host == 0;
        return isAny && call.Memory.TryRead(address + 2, out ushort port)
            ? new InternetAddress(System.Net.IPAddress.Any, System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(port))
            : null;
    }

    public static CallResult Listen(CallContext call, int fd, int backlog)
    {
        Errno error = Find(call, fd, out Socket socket);
        return error != Errno.None ? error : socket.Listen(call, backlog);
    }

    public static CallResult Accept(CallContext call, int fd, GuestAddress address, GuestAddress length) => Accept4(call, fd, address, length, 0);

    public static CallResult Accept4(CallContext call, int fd, GuestAddress address, GuestAddress length, int flags)
    {
        if ((flags & ~(NonBlocking | CloseOnExec)) != 0)
            return Errno.EINVAL;
        Errno error = Find(call, fd, out Socket socket);
        if (error != Errno.None)
            return error;
        error = socket.Accept(out Socket? accepted);
        if (error == Errno.EAGAIN)
            return Block(call, socket, socket.ReceiveTimeout, dontWait: false);
        if (error != Errno.None)
            return error;
        if ((flags & NonBlocking) != 0)
            accepted!.Flags |= OpenFlags.NonBlocking;
        if (!address.IsNull)
            error = SocketNames.Write(call, accepted!.Family, accepted.Remote, address, length);
        if (error == Errno.None)
            return PipeCalls.Install(call, accepted!, (flags & CloseOnExec) != 0);
        accepted!.Release();
        return error;
    }

    /// <summary>Waits for a socket unless it, or the call, does not block; a socket's own time-out ends in EAGAIN (socket(7), SO_RCVTIMEO).</summary>
    internal static CallResult Block(CallContext call, Socket socket, long timeout, bool dontWait)
    {
        if (socket.IsNonBlocking || dontWait)
            return Errno.EAGAIN;
        if (timeout > 0)
            call.SetTimeout(timeout);
        if (call.DeadlinePassed)
            return call.Progress != 0 ? call.Progress : Errno.EAGAIN;
        return call.Wait(socket.Source, timeout > 0 ? RestartKind.Never : RestartKind.IfHandlerAllows);
    }

    public static CallResult Connect(CallContext call, int fd, GuestAddress address, int length)
    {
        Errno error = Find(call, fd, out Socket socket);
        if (error != Errno.None)
            return error;
        error = LandlockCalls.CheckPort(call, socket, address, length, PortRights.Connect);
        if (error != Errno.None)
            return error;
        error = SocketNames.Read(call, socket.Family, address, length, out SocketAddress? name);
        if (error != Errno.None)
            return error;
        error = socket.Connect(call, name);
        if (socket is not StreamSocket stream)
            return error;
        if (error == Errno.EAGAIN)
            return socket.IsNonBlocking ? Errno.EAGAIN : call.Wait(stream.WaitSource(call, name!));
        if (socket.IsNonBlocking || error is not (Errno.EINPROGRESS or Errno.EALREADY))
            return error;
        // Inside a world most connections are there at once.
        if (!stream.IsConnecting)
            return stream.Connect(call, name);
        if (socket.SendTimeout > 0)
            call.SetTimeout(socket.SendTimeout);
        return call.DeadlinePassed ? Errno.EINPROGRESS : call.Wait(stream.Source, socket.SendTimeout > 0 ? RestartKind.Never : RestartKind.IfHandlerAllows);
    }

    public static CallResult Getsockname(CallContext call, int fd, GuestAddress address, GuestAddress length)
    {
        Errno error = Find(call, fd, out Socket socket);
        return error != Errno.None ? error : SocketNames.Write(call, socket.Family, NameOf(call, socket), address, length);
    }

    /// <summary>A connected UDP socket that was not bound shows the address it sends from.</summary>
    private static SocketAddress? NameOf(CallContext call, Socket socket) => socket is DatagramSocket { Local: InternetAddress { IsAny: true } local, Remote: InternetAddress remote }
        ? local with { Address = socket.Network.SourceFor(remote.Address) }
        : socket.Local;

    public static CallResult Getpeername(CallContext call, int fd, GuestAddress address, GuestAddress length)
    {
        Errno error = Find(call, fd, out Socket socket);
        if (error != Errno.None)
            return error;
        bool isConnected = socket.Remote is not null || socket is StreamSocket { PeerCredentials.Process: not null, IsListening: false };
        return isConnected ? SocketNames.Write(call, socket.Family, socket.Remote, address, length) : Errno.ENOTCONN;
    }

    public static CallResult Shutdown(CallContext call, int fd, int how)
    {
        Errno error = Find(call, fd, out Socket socket);
        if (error != Errno.None)
            return error;
        return how is 0 or 1 or 2 ? socket.Shutdown(how is 0 or 2, how is 1 or 2) : Errno.EINVAL;
    }
}
