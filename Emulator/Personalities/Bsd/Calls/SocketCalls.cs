using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd.Routing;
using Vivarium.Emulator.Personalities.Linux.Calls;
using LinuxSockets = Vivarium.Emulator.Personalities.Linux.Calls.SocketCalls;

namespace Vivarium.Emulator.Personalities.Bsd.Calls;

/// <summary>Sockets: families, types, options and flags turned into the shared handlers' (socket(2)).</summary>
public static class SocketCalls
{
    /// <summary>SOL_LOCAL.</summary>
    private const int LocalLevel = 0;

    /// <summary>SO_USELOOPBACK.</summary>
    private const int UseLoopback = 0x40;

    public static CallResult Socket(CallContext call, int family, int type, int protocol)
    {
        RoutingFormat routing = BsdPersonality.Of(call).Routing;
        int linux = BsdSocketNames.FamilyToLinux(family, BsdPersonality.Of(call).AddressFamily6), kind = BsdSocketNames.TypeToLinux(type);
        if (family == routing.RouteFamily)
            return MakeRouting(call, routing, kind, protocol);
        if (linux <= 0)
            return Errno.EAFNOSUPPORT;
        return kind < 0 ? Errno.EPROTOTYPE : LinuxSockets.Socket(call, linux, kind, protocol);
    }

    /// <summary>A socket to the routing table; it has one type.</summary>
    private static CallResult MakeRouting(CallContext call, RoutingFormat routing, int kind, int protocol)
    {
        const int raw = 3, nonBlocking = 0x800, closeOnExec = 0x80000;
        if ((kind & ~(nonBlocking | closeOnExec)) != raw)
            return protocol == 0 ? Errno.EPROTOTYPE : Errno.EPROTONOSUPPORT;
        OpenFlags flags = (kind & nonBlocking) != 0 ? OpenFlags.NonBlocking : OpenFlags.None;
        var socket = new RoutingSocket(call.Thread.Namespaces.Network, routing, protocol, flags) { Owner = call.Thread.Credentials.FileUser };
        return PipeCalls.Install(call, socket, (kind & closeOnExec) != 0);
    }

    public static CallResult Socketpair(CallContext call, int family, int type, int protocol, GuestAddress descriptors)
    {
        int linux = BsdSocketNames.FamilyToLinux(family, BsdPersonality.Of(call).AddressFamily6), kind = BsdSocketNames.TypeToLinux(type);
        if (linux <= 0)
            return Errno.EAFNOSUPPORT;
        return kind < 0 ? Errno.EPROTOTYPE : LinuxSockets.Socketpair(call, linux, kind, protocol, descriptors);
    }

    public static CallResult Accept4(CallContext call, int fd, GuestAddress address, GuestAddress length, int flags)
    {
        int linux = BsdSocketNames.TypeToLinux(flags);
        return linux < 0 || (linux & 0xF) != 0 ? Errno.EINVAL : LinuxSockets.Accept4(call, fd, address, length, linux);
    }

    public static CallResult Setsockopt(CallContext call, int fd, int level, int name, GuestAddress value, int length)
    {
        if (level == LocalLevel && call.File(fd) is Socket { Family: SocketFamily.Unix } local)
            return BsdPersonality.Of(call).Messages.Control.SetLocal(call, local, name, value, length);
        if (level == BsdSocketOptions.Socket && name == UseLoopback && call.File(fd) is RoutingSocket routing)
            return SetHearing(call, routing, value, length);
        (int linuxLevel, int linuxName) = BsdSocketOptions.ToLinux(level, name);
        if (linuxName >= 0)
            return SocketOptionCalls.Setsockopt(call, fd, linuxLevel, linuxName, value, length);
        Errno error = LinuxSockets.Find(call, fd, out _);
        return error != Errno.None ? error : linuxName == BsdSocketOptions.Ignored ? Errno.None : Errno.ENOPROTOOPT;
    }

    public static CallResult Getsockopt(CallContext call, int fd, int level, int name, GuestAddress value, GuestAddress length)
    {
        if (level == LocalLevel && call.File(fd) is Socket { Family: SocketFamily.Unix } local)
            return GetLocal(call, local, name, value, length);
        if (level == BsdSocketOptions.Socket && name == UseLoopback && call.File(fd) is RoutingSocket routing)
            return Tell(call, BitConverter.GetBytes(routing.HearsItself ? UseLoopback : 0), value, length);
        (int linuxLevel, int linuxName) = BsdSocketOptions.ToLinux(level, name);
        if (linuxName < 0)
            return LinuxSockets.Find(call, fd, out _) is not Errno.None and var error ? error : Errno.ENOPROTOOPT;
        CallResult result = SocketOptionCalls.Getsockopt(call, fd, linuxLevel, linuxName, value, length);
        const int pendingError = 0x1007;
        // The error of a socket has a number of the system's own.
        if (name == pendingError && level == BsdSocketOptions.Socket && result.Outcome == CallOutcome.Value && call.Memory.TryRead(value, out int pending) && pending != 0)
            call.Memory.TryWrite(value, BsdPersonality.Of(call).ErrorNumber((Errno)pending));
        return result;
    }

    private static CallResult SetHearing(CallContext call, RoutingSocket socket, GuestAddress value, int length)
    {
        if (length < sizeof(int))
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, out int number))
            return Errno.EFAULT;
        socket.HearsItself = number != 0;
        return CallResult.Ok();
    }

    private static CallResult GetLocal(CallContext call, Socket socket, int name, GuestAddress value, GuestAddress length)
    {
        Errno error = BsdPersonality.Of(call).Messages.Control.GetLocal(call, socket, name, out byte[] told);
        return error != Errno.None ? error : Tell(call, told, value, length);
    }

    /// <summary>Writes an option's value, as much as there is room for.</summary>
    private static CallResult Tell(CallContext call, byte[] told, GuestAddress value, GuestAddress length)
    {
        if (!call.Memory.TryRead(length, out int room))
            return Errno.EFAULT;
        int given = Math.Min(Math.Max(0, room), told.Length);
        return call.Memory.TryWrite(value, told.AsSpan(0, given)) && call.Memory.TryWrite(length, given) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Sendto(CallContext call, int fd, GuestAddress buffer, ulong length, int flags, GuestAddress address, int addressLength) =>
        MessageCalls.Sendto(call, fd, buffer, length, ToLinux(call, flags), address, addressLength);

    public static CallResult Recvfrom(CallContext call, int fd, GuestAddress buffer, ulong length, int flags, GuestAddress address, GuestAddress addressLength) =>
        MessageCalls.Recvfrom(call, fd, buffer, length, ToLinux(call, flags), address, addressLength);

    public static CallResult Sendmsg(CallContext call, int fd, GuestAddress message, int flags)
    {
        if (LinuxSockets.Find(call, fd, out Socket socket) is not Errno.None and var error)
            return error;
        return call.Memory.TryRead(message, out BsdMessage given) ? MessageCalls.Send(call, socket, given.ToHeader(), ToLinux(call, flags), BsdPersonality.Of(call).Messages.Control) : Errno.EFAULT;
    }

    public static CallResult Recvmsg(CallContext call, int fd, GuestAddress message, int flags)
    {
        if (LinuxSockets.Find(call, fd, out Socket socket) is not Errno.None and var error)
            return error;
        if (!call.Memory.TryRead(message, out BsdMessage given))
            return Errno.EFAULT;
        MessageHeader header = given.ToHeader();
        CallResult result = MessageCalls.Receive(call, socket, ref header, ToLinux(call, flags), BsdPersonality.Of(call).Messages.Control);
        if (result.Outcome != CallOutcome.Value)
            return result;
        return call.Memory.TryWrite(message, given.With(header)) ? result : Errno.EFAULT;
    }

    private static int ToLinux(CallContext call, int flags) => BsdPersonality.Of(call).Messages.FlagsToLinux(flags);
}
