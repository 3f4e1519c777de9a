using System.Net;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>The groups that a socket joined, and how it sends to groups (ip(7), ipv6(7)).</summary>
public sealed class MulticastGroups
{
    private readonly List<(IPAddress Group, int Device)> _joined = [];

    public IReadOnlyList<(IPAddress Group, int Device)> Joined => _joined;

    /// <summary>IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS.</summary>
    public byte Hops { get; set; } = 1;

    /// <summary>IP_MULTICAST_LOOP: what is sent is also received here.</summary>
    public bool Loops { get; set; } = true;

    /// <summary>IP_MULTICAST_IF: the index of the device to send over; 0 = the routes' choice.</summary>
    public int Device { get; set; }

    /// <summary>IP_MULTICAST_ALL: groups that others of the system joined are taken as well.</summary>
    public bool TakesAll { get; set; } = true;

    public Errno Join(IPAddress group, int device)
    {
        if (_joined.Contains((group, device)))
            return Errno.EADDRINUSE;
        _joined.Add((group, device));
        return Errno.None;
    }

    public Errno Leave(IPAddress group, int device)
    {
        int at = _joined.FindIndex(entry => entry.Group.Equals(group) && (device == 0 || entry.Device == device));
        if (at < 0)
            return Errno.EADDRNOTAVAIL;
        _joined.RemoveAt(at);
        return Errno.None;
    }

    /// <summary>True when a socket takes what arrived for a group over a device; broadcasts go to all.</summary>
    public bool Takes(IPAddress target, int device)
    {
        if (!IpPrefix.IsMulticast(target))
            return true;
        foreach ((IPAddress group, int joined) in _joined)
        {
            if (group.Equals(target) && (joined == 0 || joined == device))
                return true;
        }
        return TakesAll && IpPrefix.Is4(target) && _joined.Count == 0 && target.Equals(AllHosts);
    }

    /// <summary>Everybody is in the group of all hosts (RFC 1112).</summary>
    private static IPAddress AllHosts { get; } = new([224, 0, 0, 1]);
}
