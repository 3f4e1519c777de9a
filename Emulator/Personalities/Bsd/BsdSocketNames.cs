using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>
/// struct sockaddr of the BSDs: a byte of length and a byte of family where Linux has two of family; the rest is the same. Families but
/// for IPv6's have the same numbers.
/// </summary>
internal static class BsdSocketNames
{
    public static void ReadHead(Span<byte> address, byte family6)
    {
        byte family = address[1];
        address[0] = family == family6 ? (byte)SocketNames.Internet6 : family == SocketNames.Internet6 ? byte.MaxValue : family;
        address[1] = 0;
    }

    public static void WriteHead(Span<byte> address, byte family6)
    {
        address[1] = address[0] == SocketNames.Internet6 ? family6 : address[0];
        address[0] = (byte)address.Length;
    }

    public static int FamilyToLinux(int family, byte family6) =>
        family == family6 ? SocketNames.Internet6 : family is SocketNames.Internet6 or SocketNames.Netlink or SocketNames.Packet ? -1 : family;

    private const int CloseOnExec = 0x10000000, NonBlocking = 0x20000000;
    private const int LinuxCloseOnExec = 0x80000, LinuxNonBlocking = 0x800;

    /// <summary>A socket's type with SOCK_CLOEXEC and SOCK_NONBLOCK, or accept4's flags; -1 when it has other bits.</summary>
    public static int TypeToLinux(int type)
    {
        int kind = type & ~(CloseOnExec | NonBlocking);
        if ((kind & ~0xF) != 0)
            return -1;
        return kind | ((type & CloseOnExec) != 0 ? LinuxCloseOnExec : 0) | ((type & NonBlocking) != 0 ? LinuxNonBlocking : 0);
    }

    /// <summary>MSG_ flags: those whose bits differ.</summary>
    public static int MessageFlagsToLinux(int flags, int noSignal, int closeOnExec)
    {
        int linux = flags & 7; // OOB, PEEK, DONTROUTE
        linux |= (flags & 0x08) != 0 ? 0x80 : 0; // EOR
        linux |= (flags & 0x10) != 0 ? 0x20 : 0; // TRUNC
        linux |= (flags & 0x40) != 0 ? 0x100 : 0; // WAITALL
        linux |= (flags & 0x80) != 0 ? 0x40 : 0; // DONTWAIT
        linux |= (flags & noSignal) != 0 ? 0x4000 : 0;
        return linux | ((flags & closeOnExec) != 0 ? 0x40000000 : 0);
    }

    /// <summary>What recvmsg(2) tells back.</summary>
    public static int MessageFlagsFromLinux(int flags) =>
        (flags & 1) | ((flags & 0x80) != 0 ? 0x08 : 0) | ((flags & 0x20) != 0 ? 0x10 : 0) | ((flags & 0x08) != 0 ? 0x20 : 0);
}
