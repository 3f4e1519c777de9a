using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Text;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Kernel.Net.Packets;
using Vivarium.Emulator.Kernel.Net.Tcp;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>/proc/PID/net: the tables of a process's network (proc(5)).</summary>
internal static class NetDirectory
{
    private const int LineLength = 149;

    internal static ProcDirectory Create(ProcFileSystem owner, Func<Network?> find) => new(owner) { Filler = directory => Fill(directory, find) };

    private static void Fill(ProcDirectory directory, Func<Network?> find)
    {
        void Add(string name, Action<StringBuilder, Network> write) => directory.AddText(name, () =>
        {
            var text = new StringBuilder();
            if (find() is { } network)
                write(text, network);
            return text.ToString();
        });

        Add("arp", WriteNeighbours);
        Add("dev", WriteDevices);
        Add("dev_mcast", static (_, _) => { });
        Add("fib_trie", static (_, _) => { });
        Add("icmp", static (text, network) => WriteSockets(text, network, SocketFamily.Internet4, static socket => socket is PingSocket, isUdp: true));
        Add("if_inet6", WriteAddresses6);
        Add("igmp", WriteGroups);
        Add("ipv6_route", WriteRoutes6);
        Add("netlink", static (text, _) => text.Append("sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"));
        Add("netstat", static (_, _) => { });
        Add("packet", static (text, network) => WritePackets(text, network));
        Add("protocols", static (_, _) => { });
        Add("raw", static (text, network) => WriteSockets(text, network, SocketFamily.Internet4, static socket => socket is RawSocket, isUdp: true));
        Add("raw6", static (text, network) => WriteSockets(text, network, SocketFamily.Internet6, static socket => socket is RawSocket, isUdp: true));
        Add("route", WriteRoutes4);
        Add("snmp", WriteCounters);
        Add("sockstat", WriteCounts);
        Add("tcp", static (text, network) => WriteSockets(text, network, SocketFamily.Internet4, static socket => socket is StreamSocket, isUdp: false));
        Add("tcp6", static (text, network) => WriteSockets(text, network, SocketFamily.Internet6, static socket => socket is StreamSocket, isUdp: false));
        Add("udp", static (text, network) => WriteSockets(text, network, SocketFamily.Internet4, static socket => socket is DatagramSocket, isUdp: true));
        Add("udp6", static (text, network) => WriteSockets(text, network, SocketFamily.Internet6, static socket => socket is DatagramSocket, isUdp: true));
        Add("unix", WriteUnix);
    }

    private static void WriteDevices(StringBuilder text, Network network)
    {
        text.Append("Inter-|   Receive                                                |  Transmit\n")
            .Append(" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n");
        foreach (NetDevice device in network.Devices)
        {
            DeviceCounters counters = device.Counters;
            text.Append(CultureInfo.InvariantCulture,
                $"{device.Name,6}: {counters.ReceivedBytes,7} {counters.ReceivedPackets,7}    0 {counters.Dropped,4}    0     0          0         0 {counters.SentBytes,8} {counters.SentPackets,7}    0    0    0     0       0          0\n");
        }
    }

    /// <summary>What no part of the network counts is 0.</summary>
    private static void WriteCounters(StringBuilder text, Network network)
    {
        long received = 0, sent = 0;
        foreach (NetDevice device in network.Devices)
            (received, sent) = (received + device.Counters.ReceivedPackets, sent + device.Counters.SentPackets);
        int established = network.Sockets.Count(static socket => socket is StreamSocket { IsConnected: true } && socket.Family is SocketFamily.Internet4 or SocketFamily.Internet6);
        text.Append("Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates\n")
            .Append(CultureInfo.InvariantCulture, $"Ip: 2 64 {received} 0 0 0 0 0 {received} {sent} 0 0 0 0 0 0 0 0 0\n")
            .Append("Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n")
            .Append(CultureInfo.InvariantCulture, $"Tcp: 1 200 120000 -1 0 0 0 0 {established} 0 0 0 0 0 0\n")
            .Append("Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n")
            .Append("Udp: 0 0 0 0 0 0 0 0 0\n");
    }

    private static void WriteSockets(StringBuilder text, Network network, SocketFamily family, Predicate<Socket> isListed, bool isUdp)
    {
        bool is4 = family == SocketFamily.Internet4;
        string header = (is4, isUdp) switch
        {
            (true, false) => "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
            (true, true) => "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops",
            (false, false) => "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
            _ => "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops",
        };
        text.Append(is4 ? header.PadRight(isUdp ? 127 : LineLength) : header).Append('\n');
        int line = 0;
        foreach (Socket socket in network.Sockets)
        {
            if (socket.Family != family || !isListed(socket) || (socket.Local is not InternetAddress && socket is not RawSocket))
                continue;
            string entry = Describe(socket, line++, is4, isUdp);
            text.Append(is4 ? entry.PadRight(isUdp ? 127 : LineLength) : entry).Append('\n');
        }
    }

    private static string Describe(Socket socket, int line, bool is4, bool isUdp)
    {
        TcpState state = socket switch
        {
            StreamSocket { IsListening: true } => TcpState.Listen,
            StreamSocket { IsConnecting: true } => TcpState.SynSent,
            StreamSocket { IsConnected: true } => socket.WriteShut ? TcpState.FinWait2 : TcpState.Established,
            StreamSocket => TcpState.Closed,
            _ => socket.Remote is null ? TcpState.Closed : TcpState.Established,
        };
        int waiting = socket is StreamSocket { IsListening: true } listener ? listener.Waiting : socket.Pending ?? 0;
        string common = string.Create(CultureInfo.InvariantCulture,
            $"{line,4}: {End(socket.Local, is4, socket.Protocol)} {End(socket.Remote, is4, 0)} {(int)state:X2} 00000000:{waiting:X8} 00:00000000 00000000 {socket.Owner,5}        0 {socket.Number}");
        return isUdp ? " " + common + " 2 0000000000000000 0" : common + " 1 0000000000000000 100 0 0 10 0";
    }

    private static string End(Net.SocketAddress? address, bool is4, int protocol)
    {
        var internet = address as InternetAddress;
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        (is4 ? internet?.Address : internet?.Address.MapToIPv6())?.TryWriteBytes(bytes, out _);
        var text = new StringBuilder();
        for (int i = 0; i < (is4 ? 4 : 16); i += 4)
            text.Append(CultureInfo.InvariantCulture, $"{BinaryPrimitives.ReadUInt32LittleEndian(bytes[i..]):X8}");
        int port = protocol is IpProtocol.Tcp or IpProtocol.Udp or 0 ? internet?.Port ?? 0 : protocol;
        return text.Append(CultureInfo.InvariantCulture, $":{port:X4}").ToString();
    }

    private static void WriteUnix(StringBuilder text, Network network)
    {
        text.Append("Num       RefCount Protocol Flags    Type St Inode Path\n");
        foreach (Socket socket in network.Sockets)
        {
            if (socket.Family != SocketFamily.Unix)
                continue;
            bool listens = socket.IsListening, isConnected = socket is StreamSocket { IsConnected: true } || socket.Remote is not null;
            int kind = socket.Kind switch { SocketKind.Stream => 1, SocketKind.Datagram => 2, _ => 5 };
            string name = socket.Local switch
            {
                UnixPath { Path.Length: > 0 } path => " " + Encoding.Latin1.GetString(path.Path),
                UnixAbstract hidden => " @" + hidden.Name.Replace('\0', '@'),
                _ => "",
            };
            text.Append(CultureInfo.InvariantCulture,
                $"0000000000000000: {(isConnected ? 3 : 2):X8} 00000000 {(listens ? 0x10000 : 0):X8} {kind:X4} {(isConnected ? 3 : 1):X2} {socket.Number,5}{name}\n");
        }
    }

    private static string Hexadecimal(IPAddress address)
    {
        byte[] bytes = address.GetAddressBytes();
        return bytes.Length == 4 ? BinaryPrimitives.ReadUInt32LittleEndian(bytes).ToString("X8", CultureInfo.InvariantCulture) : Convert.ToHexStringLower(bytes);
    }

    private static void WriteRoutes4(StringBuilder text, Network network)
    {
        const int width = 127;
        text.Append("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT".PadRight(width)).Append('\n');
        foreach (Route route in network.Routes.All)
        {
            if (!route.Is4 || route.Table != Route.MainTable)
                continue;
            int flags = 1 | (route.Gateway is null ? 0 : 2) | (route.Prefix == 32 ? 4 : 0) | (route.Kind is RouteKind.Unreachable or RouteKind.Prohibit ? 0x200 : 0);
            string mask = Hexadecimal(IpPrefix.Mask(IPAddress.Broadcast, route.Prefix));
            string line = string.Create(CultureInfo.InvariantCulture,
                $"{route.Device?.Name ?? "*"}\t{Hexadecimal(route.Destination)}\t{Hexadecimal(route.Gateway ?? IPAddress.Any)}\t{flags:X4}\t0\t0\t{route.Metric}\t{mask}\t{route.Mtu}\t0\t0");
            text.Append(line.PadRight(width)).Append('\n');
        }
    }

    private static void WriteRoutes6(StringBuilder text, Network network)
    {
        foreach (Route route in network.Routes.All)
        {
            if (route.Is4)
                continue;
            uint flags = route.Kind == RouteKind.Local ? 0x80200001 : route.Gateway is null ? 1u : 3;
            text.Append(CultureInfo.InvariantCulture,
                $"{Hexadecimal(route.Destination)} {route.Prefix:x2} {new string('0', 32)} 00 {Hexadecimal(route.Gateway ?? IPAddress.IPv6Any)} {route.Metric:x8} 00000001 00000000 {flags:x8} {route.Device?.Name ?? "lo",8}\n");
        }
    }

    private static void WriteAddresses6(StringBuilder text, Network network)
    {
        foreach (NetDevice device in network.Devices)
        {
            foreach (InterfaceAddress address in device.Addresses)
            {
                if (address.Is4)
                    continue;
                int scope = address.Scope switch { InterfaceAddress.ScopeHost => 0x10, InterfaceAddress.ScopeLink => 0x20, _ => 0 };
                text.Append(CultureInfo.InvariantCulture, $"{Hexadecimal(address.Address)} {device.Index:x2} {address.Prefix:x2} {scope:x2} {address.Flags | 0x80:x2} {device.Name,8}\n");
            }
        }
    }

    private static void WriteNeighbours(StringBuilder text, Network network)
    {
        text.Append("IP address       HW type     Flags       HW address            Mask     Device\n");
        foreach (NetDevice device in network.Devices)
        {
            foreach (Neighbour neighbour in (device as EthernetDevice)?.Neighbours.All ?? [])
            {
                if (!IpPrefix.Is4(neighbour.Address))
                    continue;
                byte[] hardware = neighbour.HardwareAddress.Length == 6 ? neighbour.HardwareAddress : new byte[6];
                int flags = neighbour.HardwareAddress.Length == 0 ? 0 : neighbour.State == NeighbourState.Permanent ? 6 : 2;
                text.Append(CultureInfo.InvariantCulture, $"{neighbour.Address,-16} 0x1         0x{flags:x}         {Convert.ToHexStringLower(hardware).Chunk(2).Aggregate("", static (all, pair) => all + (all.Length == 0 ? "" : ":") + new string(pair))}     *        {device.Name}\n");
            }
        }
    }

    private static void WriteGroups(StringBuilder text, Network network)
    {
        text.Append("Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
        foreach (NetDevice device in network.Devices)
            text.Append(CultureInfo.InvariantCulture, $"{device.Index}\t{device.Name,-10}:     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n");
    }

    private static void WritePackets(StringBuilder text, Network network)
    {
        text.Append("sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
        foreach (Socket socket in network.Sockets)
        {
            if (socket is PacketSocket packet)
                text.Append(CultureInfo.InvariantCulture, $"0000000000000000 3      {(packet.Kind == SocketKind.Raw ? 3 : 2)}    {packet.Protocol:x4}   {packet.BoundDevice,-5} 1 0      {packet.Owner,-6} {packet.Number,-6}\n");
        }
    }

    private static void WriteCounts(StringBuilder text, Network network)
    {
        int Count(Predicate<Socket> which) => network.Sockets.FindAll(which).Count;
        text.Append(CultureInfo.InvariantCulture, $"sockets: used {network.Sockets.Count}\n")
            .Append(CultureInfo.InvariantCulture, $"TCP: inuse {Count(static socket => socket is StreamSocket { Family: SocketFamily.Internet4 })} orphan 0 tw 0 alloc {Count(static socket => socket is StreamSocket { Protocol: IpProtocol.Tcp })} mem 0\n")
            .Append(CultureInfo.InvariantCulture, $"UDP: inuse {Count(static socket => socket is DatagramSocket { Family: SocketFamily.Internet4 })} mem 0\n")
            .Append("UDPLITE: inuse 0\n")
            .Append(CultureInfo.InvariantCulture, $"RAW: inuse {Count(static socket => socket is RawSocket { Family: SocketFamily.Internet4 })}\n")
            .Append("FRAG: inuse 0 memory 0\n");
    }
}
