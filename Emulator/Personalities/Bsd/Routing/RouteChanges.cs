using System.Net;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Emulator.Personalities.Bsd.Routing;

/// <summary>What routing sockets are asked: RTM_GET, RTM_ADD, RTM_DELETE, RTM_CHANGE (route(4)).</summary>
internal static class RouteChanges
{
    /// <summary>Does what is asked.</summary>
    /// <param name="found">The route that the answer tells of; null when the answer is the request itself.</param>
    public static Errno Apply(Network network, RoutingFormat format, RouteRequest request, out RouteEntry? found)
    {
        found = null;
        if ((request.Flags & RoutingFormat.LinkData) != 0 && request.Link is { } link && request.Type is RoutingFormat.Add or RoutingFormat.Change or RoutingFormat.Delete)
            return ChangeNeighbour(network, request, link.Index);
        switch (request.Type)
        {
            case RoutingFormat.Get:
                found = Find(network, format, request);
                return found is null ? Errno.ESRCH : Errno.None;
            case RoutingFormat.Add:
                return request.HasGateway ? Add(network, format, request) : Errno.EINVAL;
            case RoutingFormat.Delete:
                found = FindItself(network, format, request);
                return found is null ? Errno.ESRCH : Remove(network, format, found);
            case RoutingFormat.Change:
                return FindItself(network, format, request) is { } old ? Replace(network, format, request, old) : Errno.ESRCH;
            case RoutingFormat.Lock:
                return FindItself(network, format, request) is { } kept ? Lock(network, format, request, kept) : Errno.ESRCH;
            default:
                return Errno.EOPNOTSUPP;
        }
    }

    /// <summary>What arp(8) and ndp(8) set and delete: the hardware address of a neighbour.</summary>
    /// <param name="index">Of the device; 0 = the one that leads there.</param>
    private static Errno ChangeNeighbour(Network network, RouteRequest request, int index)
    {
        NetDevice? device = index != 0 ? network.FindDevice(index) : network.Routes.TryFind(request.Destination!, out Hop hop, out _) ? hop.Device : null;
        if (device is not EthernetDevice ethernet)
            return Errno.EINVAL;
        if (request.Type == RoutingFormat.Delete)
            return ethernet.Neighbours.Remove(request.Destination!) ? Errno.None : Errno.ENOENT;
        if (request.Hardware.Length != EthernetFrame.AddressLength)
            return Errno.EINVAL;
        Neighbour neighbour = ethernet.Neighbours.FindOrAdd(request.Destination!);
        neighbour.HardwareAddress = request.Hardware;
        neighbour.State = request.Expires ? NeighbourState.Reachable : NeighbourState.Permanent;
        return Errno.None;
    }

    /// <summary>With a mask FreeBSD wants the very route; NetBSD always the one that a packet would take.</summary>
    private static RouteEntry? Find(Network network, RoutingFormat format, RouteRequest request) =>
        request.Prefix is not null && format.KeepsOwnRoutes ? FindItself(network, format, request) : RouteEntry.Find(network, format, request.Destination!);

    private static int PrefixOf(RouteRequest request) => request.Prefix ?? (IpPrefix.Is4(request.Destination!) ? 32 : 128);

    private static RouteEntry? FindItself(Network network, RoutingFormat format, RouteRequest request) =>
        RouteEntry.Find(network, format, request.Destination!, PrefixOf(request));

    private static Errno Add(Network network, RoutingFormat format, RouteRequest request)
    {
        if (format.NeedsMask && request.Prefix is null && (request.Flags & RoutingFormat.Host) == 0)
            return Errno.EINVAL;
        if (FindItself(network, format, request) is not null)
            return Errno.EEXIST;
        bool is4 = IpPrefix.Is4(request.Destination!);
        var route = new Route(request.Destination!, PrefixOf(request)) { Protocol = Route.ByAdministrator, Metric = is4 ? 0u : 1024, Mtu = request.Mtu ?? 0, Hints = request.HintsOver(format, null, takesValues: true, takesLocks: false) };
        Errno error = Lead(network, request, ref route);
        return error != Errno.None ? error : network.AddRoute(route);
    }

    /// <summary>Finds where a route leads: ENETUNREACH when nothing here is that way.</summary>
    private static Errno Lead(Network network, RouteRequest request, ref Route route)
    {
        const uint refuses = RoutingFormat.Reject | RoutingFormat.Blackhole;
        if ((request.Flags & refuses) != 0)
        {
            RouteKind kind = (request.Flags & RoutingFormat.Blackhole) != 0 ? RouteKind.Blackhole : RouteKind.Unreachable;
            route = route with { Kind = kind, Gateway = null, Source = null, Device = route.Is4 ? null : network.Loopback };
            return Errno.None;
        }
        NetDevice? device = request.Link is not { } link ? null : link.Name.Length != 0 ? network.FindDevice(link.Name) : network.FindDevice(link.Index);
        if (request.Gateway is { } gateway)
        {
            bool isFar = (request.Flags & RoutingFormat.Gateway) != 0;
            if (!isFar)
                device ??= OwnerOf(network, gateway);
            else if (network.Routes.TryFind(gateway, out Hop hop, out _) && hop.Next.Equals(gateway))
                device ??= hop.Device;
            route = route with { Gateway = isFar ? gateway : null };
        }
        if (device is not { IsUp: true })
            return Errno.ENETUNREACH;
        bool isLink = route.Is4 && route.Gateway is null;
        IPAddress? source = route.Is4 && isLink ? network.SourceOn(device, route.Destination) : null;
        route = route with { Kind = RouteKind.Unicast, Device = device, Source = source, Scope = isLink ? InterfaceAddress.ScopeLink : (byte)0 };
        return Errno.None;
    }

    private static NetDevice? OwnerOf(Network network, IPAddress address)
    {
        foreach (NetDevice device in network.Devices)
        {
            foreach (InterfaceAddress own in device.Addresses)
            {
                if (own.Address.Equals(address))
                    return device;
            }
        }
        return null;
    }

    private static Errno Remove(Network network, RoutingFormat format, RouteEntry entry)
    {
        if (format.KeepsOwnRoutes && entry.Origin.Protocol == Route.ByKernel)
            return Errno.EADDRINUSE;
        network.Routes.Remove(entry.Origin);
        network.Tell(entry.Origin, entry.Origin.Device, isGone: true);
        return Errno.None;
    }

    /// <summary>Says which metrics are not to change by themselves; here none does.</summary>
    private static Errno Lock(Network network, RoutingFormat format, RouteRequest request, RouteEntry kept)
    {
        RouteHints? hints = request.HintsOver(format, kept.Origin.Hints, takesValues: false, takesLocks: true);
        if (ReferenceEquals(hints, kept.Origin.Hints))
            return Errno.None;
        network.Routes.Remove(kept.Origin);
        return network.AddRoute(kept.Origin with { Hints = hints });
    }

    private static Errno Replace(Network network, RoutingFormat format, RouteRequest request, RouteEntry old)
    {
        RouteHints? hints = request.HintsOver(format, old.Origin.Hints, takesValues: true, takesLocks: true);
        Route route = old.Origin with { Mtu = request.Mtu ?? old.Origin.Mtu, Hints = hints };
        Errno error = request.HasGateway ? Lead(network, request, ref route) : Errno.None;
        if (error != Errno.None)
            return error;
        network.Routes.Remove(old.Origin);
        return network.AddRoute(route);
    }
}
