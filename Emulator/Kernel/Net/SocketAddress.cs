using System.Net;
using System.Net.Sockets;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>Address families that worlds have.</summary>
public enum SocketFamily : byte
{
    Unix,
    Internet4,
    Internet6,
}

/// <summary>How a socket moves data.</summary>
public enum SocketKind : byte
{
    Stream,
    Datagram,

    /// <summary>A stream of whole messages.</summary>
    SequencedPacket,
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

    /// <summary>A world reaches only itself.</summary>
    public bool IsLocal => IsAny || IPAddress.IsLoopback(Address);

    /// <summary>True when a socket bound to this takes what is sent to <paramref name="target"/>.</summary>
    public bool Takes(InternetAddress target)
    {
        if (Port != target.Port)
            return false;
        if (Address.Equals(target.Address) || Address.Equals(IPAddress.IPv6Any))
            return true;
        return Address.Equals(IPAddress.Any) && target.Address.AddressFamily == AddressFamily.InterNetwork;
    }

    /// <summary>Two sockets cannot both be bound so, without sharing.</summary>
    public bool Conflicts(InternetAddress other) => Port == other.Port && (Takes(other) || other.Takes(this));
}
