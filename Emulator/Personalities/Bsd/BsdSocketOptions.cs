namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>Socket options (setsockopt(2), ip(4), ip6(4), tcp(4)): from a system's level and name to Linux's.</summary>
internal static class BsdSocketOptions
{
    public const int Socket = 0xFFFF;
    private const int Ip = 0, Tcp = 6, Ip6 = 41;
    private const int LinuxSocket = 1;

    /// <summary>Options that are taken and change nothing.</summary>
    public const int Ignored = -2;

    /// <summary>Linux's level and name; a name of -1 when there is no such option.</summary>
    public static (int Level, int Name) ToLinux(int level, int name) => level switch
    {
        Socket => (LinuxSocket, OfSocket(name)),
        Ip => (Ip, OfIp(name)),
        Ip6 => (Ip6, OfIp6(name)),
        Tcp => (Tcp, OfTcp(name)),
        _ => (level, -1),
    };

    private static int OfSocket(int name) => name switch
    {
        0x0002 => 30, // SO_ACCEPTCONN
        0x0004 => 2, // SO_REUSEADDR
        0x0008 => 9, // SO_KEEPALIVE
        0x0010 => 5, // SO_DONTROUTE
        0x0020 => 6, // SO_BROADCAST
        0x0080 => 13, // SO_LINGER
        0x0100 => 10, // SO_OOBINLINE
        0x0200 => 15, // SO_REUSEPORT
        0x0800 => Ignored, // SO_NOSIGPIPE: writes that end in EPIPE still signal
        0x1001 => 7, // SO_SNDBUF
        0x1002 => 8, // SO_RCVBUF
        0x1004 => 18, // SO_RCVLOWAT
        0x1005 or 0x100B => 21, // SO_SNDTIMEO
        0x1006 or 0x100C => 20, // SO_RCVTIMEO
        0x1007 => 4, // SO_ERROR
        0x1008 => 3, // SO_TYPE
        _ => -1,
    };

    private static int OfIp(int name) => name switch
    {
        3 => 1, // IP_TOS
        4 => 2, // IP_TTL
        9 => 32, // IP_MULTICAST_IF
        10 => 33, // IP_MULTICAST_TTL
        11 => 34, // IP_MULTICAST_LOOP
        12 => 35, // IP_ADD_MEMBERSHIP
        13 => 36, // IP_DROP_MEMBERSHIP
        _ => -1,
    };

    private static int OfIp6(int name) => name switch
    {
        4 => 16, // IPV6_UNICAST_HOPS
        9 => 17, // IPV6_MULTICAST_IF
        10 => 18, // IPV6_MULTICAST_HOPS
        11 => 19, // IPV6_MULTICAST_LOOP
        12 => 20, // IPV6_JOIN_GROUP
        13 => 21, // IPV6_LEAVE_GROUP
        27 => 26, // IPV6_V6ONLY
        _ => -1,
    };

    private static int OfTcp(int name) => name switch
    {
        1 => 1, // TCP_NODELAY
        2 => 2, // TCP_MAXSEG
        3 or 256 => 4, // TCP_KEEPIDLE of NetBSD, of FreeBSD
        5 or 512 => 5, // TCP_KEEPINTVL
        6 or 1024 => 6, // TCP_KEEPCNT
        _ => -1,
    };
}
