using Vivarium.Emulator.Kernel.Net;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>What a socket option's value may be.</summary>
internal enum OptionRule : byte
{
    /// <summary>0 or 1: anything else counts as 1.</summary>
    Flag,

    Number,

    /// <summary>0 to 255; -1 gives the default back.</summary>
    Byte,

    /// <summary>Cannot be set: ENOPROTOOPT.</summary>
    ReadOnly,

    /// <summary>Cannot be read: ENOPROTOOPT.</summary>
    WriteOnly,

    /// <summary>A string or structure that is kept by its owner alone; reads as nothing.</summary>
    Opaque,
}

/// <summary>Which sockets have an option.</summary>
[Flags]
internal enum OptionOwners : byte
{
    Unix = 1,
    Tcp = 2,
    Udp = 4,
    Raw = 8,
    Netlink = 16,
    Packet = 32,
    Internet = Tcp | Udp | Raw,
    All = 0xFF,
}

/// <summary>One socket option.</summary>
internal readonly record struct SocketOption(OptionRule Rule, int Default, OptionOwners Owners, int Size);

/// <summary>The options of socket(7), ip(7), ipv6(7), tcp(7) and udp(7) with their defaults.</summary>
internal static class SocketOptions
{
    public const int Socket = 1, Ip = 0, Tcp = 6, Udp = 17, Ip6 = 41, Icmp6 = 58, Raw = 255, Packet = 263, Netlink = 270;

    private static readonly Dictionary<(int Level, int Name), SocketOption> _all = Build();

    public static bool TryFind(Socket socket, int level, int name, out SocketOption option) =>
        _all.TryGetValue((level, name), out option) && (option.Owners & OwnerOf(socket)) != 0 && (level != Ip6 || socket.Family == SocketFamily.Internet6);

    public static OptionOwners OwnerOf(Socket socket) => socket.Family switch
    {
        SocketFamily.Unix => OptionOwners.Unix,
        SocketFamily.Netlink => OptionOwners.Netlink,
        SocketFamily.Packet => OptionOwners.Packet,
        _ => socket.Kind switch { SocketKind.Stream => OptionOwners.Tcp, SocketKind.Datagram => OptionOwners.Udp, _ => OptionOwners.Raw },
    };

    private static Dictionary<(int, int), SocketOption> Build()
    {
        Dictionary<(int, int), SocketOption> all = [];
        void Add(int level, OptionRule rule, OptionOwners owners, int value, params ReadOnlySpan<int> names)
        {
            foreach (int name in names)
                all[(level, name)] = new SocketOption(rule, value, owners, sizeof(int));
        }

        // DEBUG, REUSEADDR, DONTROUTE, BROADCAST, KEEPALIVE, OOBINLINE, NO_CHECK, REUSEPORT, TIMESTAMP, TIMESTAMPNS, RXQ_OVFL, WIFI_STATUS, NOFCS,
        // LOCK_FILTER, SELECT_ERR_QUEUE, TIMESTAMP_NEW, TIMESTAMPNS_NEW, PREFER_BUSY_POLL, RCVMARK
        Add(Socket, OptionRule.Flag, OptionOwners.All, 0, 1, 2, 5, 6, 9, 10, 11, 29, 35, 40, 41, 43, 44, 45, 63, 64, 69, 75);
        Add(Socket, OptionRule.Flag, OptionOwners.All, 0, 15);
        Add(Socket, OptionRule.Flag, OptionOwners.Unix | OptionOwners.Netlink, 0, 16, 34);
        Add(Socket, OptionRule.Flag, OptionOwners.Unix, 0, 76);
        // PRIORITY, TIMESTAMPING, MARK, BUSY_POLL, BINDTOIFINDEX
        Add(Socket, OptionRule.Number, OptionOwners.All, 0, 12, 37, 36, 46, 62);
        Add(Socket, OptionRule.Number, OptionOwners.All, 1, 18);
        Add(Socket, OptionRule.Number, OptionOwners.All, -1, 42, 47, 49);
        Add(Socket, OptionRule.Number, OptionOwners.All, 3, 72);
        Add(Socket, OptionRule.Flag, OptionOwners.Tcp | OptionOwners.Udp, 0, 60);
        Add(Socket, OptionRule.ReadOnly, OptionOwners.All, 0, 3, 4, 17, 28, 30, 38, 39, 55, 56, 57, 59, 77);
        Add(Socket, OptionRule.ReadOnly, OptionOwners.All, 1, 19);
        Add(Socket, OptionRule.ReadOnly, OptionOwners.All, 64, 48);
        Add(Socket, OptionRule.WriteOnly, OptionOwners.All, 0, 32, 33);
        Add(Socket, OptionRule.Number, OptionOwners.Tcp, 1, 74);
        Add(Socket, OptionRule.Number, OptionOwners.All, 0, 7, 8);
        // BSDCOMPAT is taken and forgotten; filters are told to nobody.
        Add(Socket, OptionRule.Opaque, OptionOwners.All, 0, 14, 26, 27, 50);

        // IP: TOS, OPTIONS, RECVOPTS, RETOPTS, PKTINFO, PKTOPTIONS, MTU_DISCOVER, RECVERR, RECVTTL, RECVTOS, FREEBIND, PASSSEC, TRANSPARENT,
        // ORIGDSTADDR, MINTTL, NODEFRAG, CHECKSUM, BIND_ADDRESS_NO_PORT, RECVFRAGSIZE, RECVERR_RFC4884, MULTICAST_*
        Add(Ip, OptionRule.Byte, OptionOwners.Internet, 0, 1, 21);
        Add(Ip, OptionRule.Byte, OptionOwners.Internet, 64, 2);
        Add(Ip, OptionRule.Flag, OptionOwners.Internet, 0, 5, 6, 7, 8, 11, 12, 13, 15, 18, 19, 20, 22, 23, 24, 25, 26, 51);
        Add(Ip, OptionRule.Flag, OptionOwners.Internet, 0, 3);
        Add(Ip, OptionRule.Number, OptionOwners.Internet, 1, 10, 33);
        Add(Ip, OptionRule.Flag, OptionOwners.Internet, 1, 34, 49);
        Add(Ip, OptionRule.Number, OptionOwners.Internet, 0, 32, 50);
        Add(Ip, OptionRule.ReadOnly, OptionOwners.Internet, 0, 14);
        Add(Ip, OptionRule.Opaque, OptionOwners.Internet, 0, 4, 35, 36, 37, 38, 39, 40, 42, 43, 44, 45, 46, 47);

        // IPv6: 2292 and RFC 3542's receive flags, hops, membership.
        Add(Ip6, OptionRule.Flag, OptionOwners.Internet, 0, 2, 3, 4, 5, 8, 11, 25, 26, 30, 31, 33, 36, 49, 51, 53, 56, 58, 60, 62, 66, 73, 74, 75, 77, 78);
        Add(Ip6, OptionRule.Flag, OptionOwners.Internet, 1, 19, 29, 70);
        Add(Ip6, OptionRule.Byte, OptionOwners.Internet, 64, 16);
        Add(Ip6, OptionRule.Byte, OptionOwners.Internet, 1, 18);
        Add(Ip6, OptionRule.Byte, OptionOwners.Internet, 0, 67);
        Add(Ip6, OptionRule.Number, OptionOwners.Internet, 0, 17, 76);
        Add(Ip6, OptionRule.Number, OptionOwners.Internet, 1, 23);
        Add(Ip6, OptionRule.Number, OptionOwners.Internet, 1280, 72);
        Add(Ip6, OptionRule.Number, OptionOwners.Raw, 2, 7);
        Add(Ip6, OptionRule.ReadOnly, OptionOwners.Internet, 0, 22, 24);
        Add(Ip6, OptionRule.Opaque, OptionOwners.Internet, 0, 20, 21, 27, 28, 42, 43, 44, 45, 46, 47, 50, 54, 55, 57, 59);

        // TCP: NODELAY, CORK, KEEP*, SYNCNT, LINGER2, DEFER_ACCEPT, WINDOW_CLAMP, INFO, QUICKACK, CONGESTION, USER_TIMEOUT, FASTOPEN …
        Add(Tcp, OptionRule.Flag, OptionOwners.Tcp, 0, 1, 3, 16, 17, 19, 20, 27, 30, 34, 36);
        Add(Tcp, OptionRule.Number, OptionOwners.Tcp, 0, 9, 10, 18, 23, 24, 25, 37);
        Add(Tcp, OptionRule.Number, OptionOwners.Tcp, 7200, 4);
        Add(Tcp, OptionRule.Number, OptionOwners.Tcp, 75, 5);
        Add(Tcp, OptionRule.Number, OptionOwners.Tcp, 9, 6);
        Add(Tcp, OptionRule.Number, OptionOwners.Tcp, 6, 7);
        Add(Tcp, OptionRule.Number, OptionOwners.Tcp, 60, 8);
        Add(Tcp, OptionRule.Flag, OptionOwners.Tcp, 1, 12);
        Add(Tcp, OptionRule.Number, OptionOwners.Tcp, 536, 2);
        Add(Tcp, OptionRule.ReadOnly, OptionOwners.Tcp, 0, 11);
        Add(Tcp, OptionRule.Opaque, OptionOwners.Tcp, 0, 13, 31);

        // UDP: CORK, ENCAP, NO_CHECK6_TX/RX, SEGMENT, GRO
        Add(Udp, OptionRule.Flag, OptionOwners.Udp, 0, 1, 101, 102, 104);
        Add(Udp, OptionRule.Number, OptionOwners.Udp, 0, 100, 103);
        // UDP-Lite's coverage can be read of any UDP socket.
        Add(Udp, OptionRule.ReadOnly, OptionOwners.Udp, 0, 10, 11);

        Add(Raw, OptionRule.Opaque, OptionOwners.Raw, 0, 1);
        Add(Icmp6, OptionRule.Opaque, OptionOwners.Raw, 0, 1);

        // Netlink: PKTINFO, BROADCAST_ERROR, NO_ENOBUFS, LISTEN_ALL_NSID, CAP_ACK, EXT_ACK, GET_STRICT_CHK; memberships are handled apart.
        Add(Netlink, OptionRule.Flag, OptionOwners.Netlink, 0, 3, 4, 5, 8, 10, 11, 12);
        Add(Netlink, OptionRule.WriteOnly, OptionOwners.Netlink, 0, 1, 2);
        Add(Netlink, OptionRule.ReadOnly, OptionOwners.Netlink, 0, 9);

        return all;
    }
}
