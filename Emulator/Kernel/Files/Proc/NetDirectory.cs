namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>/proc/PID/net: the tables of a network with a loopback device only.</summary>
internal static class NetDirectory
{
    private const string SocketHeader =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    internal static ProcDirectory Create(ProcFileSystem owner) => new ProcDirectory(owner)
        .AddText("dev", static () =>
            "Inter-|   Receive                                                |  Transmit\n"
            + " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n"
            + "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n")
        .AddText("tcp", static () => SocketHeader)
        .AddText("udp", static () => SocketHeader)
        .AddText("tcp6", static () => SocketHeader)
        .AddText("udp6", static () => SocketHeader)
        .AddText("unix", static () => "Num       RefCount Protocol Flags    Type St Inode Path\n")
        .AddText("route", static () => "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n")
        .AddText("if_inet6", static () => "00000000000000000000000000000001 01 80 10 80       lo\n")
        .AddText("arp", static () => "IP address       HW type     Flags       HW address            Mask     Device\n");
}
