using System.Net;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Emulator.Personalities.Bsd.Routing;

/// <summary>A line of the routing table as the BSDs show it: own addresses are hosts behind lo0, links are gateways of their own.</summary>
/// <param name="Origin">The network's line that it shows.</param>
/// <param name="Flags">RTF_ of the system.</param>
/// <param name="Device">Where packets go.</param>
/// <param name="Link">The device whose link, or own address, it is.</param>
/// <param name="Address">The address that packets come from; null for a device without any.</param>
internal sealed record RouteEntry(Route Origin, uint Flags, NetDevice Device, NetDevice Link, InterfaceAddress? Address)
{
    public bool IsHost => (Flags & RoutingFormat.Host) != 0;

    /// <summary>The table, in order of addresses, narrow ones first.</summary>
    public static List<RouteEntry> TableOf(Network network, RoutingFormat format)
    {
        List<RouteEntry> table = Collect(network, format);
        table.Sort(static (one, two) => Compare(one.Origin, two.Origin));
        return table;
    }

    /// <summary>Of several ways to one destination the best, which the network has before the others.</summary>
    private static List<RouteEntry> Collect(Network network, RoutingFormat format)
    {
        var entries = new List<RouteEntry>();
        var known = new HashSet<(IPAddress, int)>();
        foreach (Route route in network.Routes.All)
        {
            if (Describe(network, format, route) is { } entry && known.Add((route.Destination, route.Prefix)))
                entries.Add(entry);
        }
        return entries;
    }

    private static int Compare(Route one, Route two)
    {
        int order = (one.Is4 ? 0 : 1).CompareTo(two.Is4 ? 0 : 1);
        order = order != 0 ? order : one.Destination.GetAddressBytes().AsSpan().SequenceCompareTo(two.Destination.GetAddressBytes());
        return order != 0 ? order : two.Prefix.CompareTo(one.Prefix);
    }

    /// <summary>Null for lines that the BSDs have none for: broadcast addresses, loopback's whole network.</summary>
    public static RouteEntry? Describe(Network network, RoutingFormat format, Route route)
    {
        bool isHost = route.Prefix == (route.Is4 ? 32 : 128);
        uint host = isHost ? RoutingFormat.Host : 0;
        NetDevice link = route.Device ?? network.Loopback;
        if (route.Table is not (Route.MainTable or Route.LocalTable))
            return null;
        switch (route.Kind)
        {
            case RouteKind.Local:
                return isHost ? new RouteEntry(route, RoutingFormat.Up | host | format.LocalFlags, network.Loopback, link, Owner(link, route)) : null;
            case RouteKind.Unicast:
                uint flags = route.Gateway is not null ? RoutingFormat.Gateway : route.Protocol == Route.ByKernel ? format.LinkFlags : 0;
                flags |= route.Protocol == Route.ByKernel ? 0 : RoutingFormat.Static;
                return new RouteEntry(route, RoutingFormat.Up | host | flags, link, link, Owner(link, route));
            case RouteKind.Blackhole or RouteKind.Unreachable or RouteKind.Prohibit:
                uint refusal = route.Kind == RouteKind.Blackhole ? RoutingFormat.Blackhole : RoutingFormat.Reject;
                return new RouteEntry(route, RoutingFormat.Up | host | RoutingFormat.Static | refusal, network.Loopback, network.Loopback, Owner(network.Loopback, route));
            default:
                return null;
        }
    }

    private static InterfaceAddress? Owner(NetDevice device, Route route)
    {
        IPAddress near = route.Gateway ?? route.Destination;
        InterfaceAddress? best = null;
        foreach (InterfaceAddress address in device.Addresses)
        {
            if (address.Is4 != route.Is4)
                continue;
            if (address.Address.Equals(route.Source) || address.Address.Equals(route.Destination))
                return address;
            if (best is null || (!best.Covers(near) && address.Covers(near)))
                best = address;
        }
        return best;
    }

    /// <summary>The line for an address: the narrowest that holds it; null when there is none.</summary>
    public static RouteEntry? Find(Network network, RoutingFormat format, IPAddress target)
    {
        RouteEntry? best = null;
        foreach (RouteEntry entry in Collect(network, format))
        {
            if (IpPrefix.Matches(entry.Origin.Destination, entry.Origin.Prefix, target) && (best is null || entry.Origin.Prefix > best.Origin.Prefix))
                best = entry;
        }
        return best;
    }

    /// <summary>The line of a destination itself.</summary>
    public static RouteEntry? Find(Network network, RoutingFormat format, IPAddress destination, int prefix) =>
        Collect(network, format).Find(entry => entry.Origin.Prefix == prefix && entry.Origin.Destination.Equals(destination));
}
