using System.Net;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>Address families that worlds have.</summary>
public enum SocketFamily : byte
{
    Unix,
    Internet4,
    Internet6,

    /// <summary>Talks to the kernel itself (netlink(7)).</summary>
    Netlink,

    /// <summary>Frames of devices (packet(7)).</summary>
    Packet,

    /// <summary>Messages about routes (route(4) of the BSDs).</summary>
    Routing,
}

/// <summary>How a socket moves data.</summary>
public enum SocketKind : byte
{
    Stream,
    Datagram,

    /// <summary>A stream of whole messages.</summary>
    SequencedPacket,

    /// <summary>Packets of one protocol, with what surrounds them (raw(7)).</summary>
    Raw,
}

/// <summary>A socket's name.</summary>
public abstract record SocketAddress;

/// <summary>A name in the file tree, as it was given; empty for an unnamed socket.</summary>
public sealed record UnixPath(byte[] Path) : SocketAddress
{
    public static UnixPath Unnamed { get; } = new([]);
}

/// <summary>A name apart from the file tree (unix(7), abstract), compared by its bytes.</summary>
public sealed record UnixAbstract(string Name) : SocketAddress;

/// <summary>An internet address and port. IPv4 addresses in IPv6 form are kept as IPv4.</summary>
public sealed record InternetAddress(IPAddress Address, int Port) : SocketAddress
{
    public bool IsAny => Address.Equals(IPAddress.Any) || Address.Equals(IPAddress.IPv6Any);

    public override string ToString() => IpPrefix.Is4(Address) ? $"{Address}:{Port}" : $"[{Address}]:{Port}";
}

/// <summary>A device, and for frames the address on its link (packet(7)).</summary>
public sealed record LinkAddress(ushort Protocol, int Device, byte[] Hardware) : SocketAddress
{
    public ushort HardwareType { get; init; }

    public byte PacketType { get; init; }
}

/// <summary>The routing table, which has no name but its family's number.</summary>
public sealed record RoutingAddress(byte Family) : SocketAddress;

/// <summary>A netlink socket's number and groups (netlink(7)).</summary>
public sealed record NetlinkAddress(uint Port, uint Groups) : SocketAddress;
