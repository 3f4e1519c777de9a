using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Linux.Calls;
using LinuxSockets = Vivarium.Emulator.Personalities.Linux.Calls.SocketCalls;

namespace Vivarium.Emulator.Personalities.NetBsd.Calls;

/// <summary>Sockets: families, types and flags of NetBSD turned into the shared handlers' (socket(2)).</summary>
public static class SocketCalls
{
    private const int NoSignal = 0x400, ControlCloseOnExec = 0x800;

    public static CallResult Socket30(CallContext call, int family, int type, int protocol)
    {
        int linux = BsdSocketNames.FamilyToLinux(family, NetBsdPersonality.AddressFamily6), kind = BsdSocketNames.TypeToLinux(type);
        if (linux <= 0)
            return Errno.EAFNOSUPPORT;
        return kind < 0 ? Errno.EPROTOTYPE : LinuxSockets.Socket(call, linux, kind, protocol);
    }

    public static CallResult Socketpair(CallContext call, int family, int type, int protocol, GuestAddress descriptors)
    {
        int linux = BsdSocketNames.FamilyToLinux(family, NetBsdPersonality.AddressFamily6), kind = BsdSocketNames.TypeToLinux(type);
        if (linux <= 0)
            return Errno.EAFNOSUPPORT;
        return kind < 0 ? Errno.EPROTOTYPE : LinuxSockets.Socketpair(call, linux, kind, protocol, descriptors);
    }

    /// <summary>paccept(2), without a mask of signals for its duration.</summary>
    public static CallResult Paccept(CallContext call, int fd, GuestAddress address, GuestAddress length, GuestAddress mask, int flags)
    {
        int linux = BsdSocketNames.TypeToLinux(flags);
        return linux < 0 || (linux & 0xF) != 0 || !mask.IsNull ? Errno.EINVAL : LinuxSockets.Accept4(call, fd, address, length, linux);
    }

    public static CallResult Sendto(CallContext call, int fd, GuestAddress buffer, ulong length, int flags, GuestAddress address, int addressLength) =>
        MessageCalls.Sendto(call, fd, buffer, length, BsdSocketNames.MessageFlagsToLinux(flags, NoSignal, ControlCloseOnExec), address, addressLength);

    public static CallResult Recvfrom(CallContext call, int fd, GuestAddress buffer, ulong length, int flags, GuestAddress address, GuestAddress addressLength) =>
        MessageCalls.Recvfrom(call, fd, buffer, length, BsdSocketNames.MessageFlagsToLinux(flags, NoSignal, ControlCloseOnExec), address, addressLength);
}
