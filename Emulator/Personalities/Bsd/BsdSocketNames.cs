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
}
