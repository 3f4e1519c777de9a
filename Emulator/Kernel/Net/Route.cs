using System.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>What a route does with a packet, in rtnetlink(7)'s values.</summary>
public enum RouteKind : byte
{
    Unicast = 1,
    Local = 2,
    Broadcast = 3,
    Multicast = 5,
    Blackhole = 6,
    Unreachable = 7,
    Prohibit = 8,
}

/// <summary>A line of a routing table.</summary>
public sealed record Route(IPAddress Destination, int Prefix)
{
    public const uint MainTable = 254, LocalTable = 255;

    /// <summary>Who added it (rtnetlink(7)): the kernel itself, somebody at boot, an administrator.</summary>
    public const byte ByKernel = 2, ByBoot = 3, ByAdministrator = 4;

    public IPAddress? Gateway { get; init; }

    public NetDevice? Device { get; init; }

    public IPAddress? Source { get; init; }

    public uint Metric { get; init; }

    public uint Table { get; init; } = MainTable;

    public byte Protocol { get; init; } = ByBoot;

    public byte Scope { get; init; }

    public RouteKind Kind { get; init; } = RouteKind.Unicast;

    public uint Mtu { get; init; }

    /// <summary>Null while nothing was said.</summary>
    public RouteHints? Hints { get; init; }

    public bool Is4 => IpPrefix.Is4(Destination);
}

/// <summary>Where a packet goes: over which device, to which neighbour, from which address.</summary>
public readonly record struct Hop(NetDevice Device, IPAddress Next, IPAddress Source, RouteKind Kind);

/// <summary>A network's routes.</summary>
public sealed class RouteTable(Network network)
{
    private readonly List<Route> _routes = [];

    public IReadOnlyList<Route> All => _routes;

    /// <summary>True when a route with this destination, metric and table is there.</summary>
    public Route? Find(Route like) => _routes.Find(route => IsSame(route, like));

    private static bool IsSame(Route route, Route like) =>
        route.Destination.Equals(like.Destination) && route.Prefix == like.Prefix && route.Metric == like.Metric && route.Table == like.Table && route.Kind == like.Kind;

    /// <summary>Keeps the order that dumps show: by prefix's address, then the longer, then the lower metric.</summary>
    public void Add(Route route)
    {
        int at = _routes.FindIndex(other => Compare(route, other) < 0);
        _routes.Insert(at < 0 ? _routes.Count : at, route);
    }

    private static int Compare(Route one, Route two)
    {
        int order = (one.Is4 ? 0 : 1).CompareTo(two.Is4 ? 0 : 1);
        order = order != 0 ? order : two.Table.CompareTo(one.Table);
        order = order != 0 ? order : one.Destination.GetAddressBytes().AsSpan().SequenceCompareTo(two.Destination.GetAddressBytes());
        order = order != 0 ? order : one.Is4 ? one.Prefix.CompareTo(two.Prefix) : two.Prefix.CompareTo(one.Prefix);
        return order != 0 ? order : one.Metric.CompareTo(two.Metric);
    }

    public void Remove(Route route) => _routes.Remove(route);

    public void RemoveAll(Predicate<Route> which) => _routes.RemoveAll(which);

    /// <summary>Finds the way to an address; false with the error when there is none.</summary>
    public bool TryFind(IPAddress target, out Hop hop, out Errno error)
    {
        target = IpPrefix.WithoutScope(target);
        (hop, error) = (default, Errno.ENETUNREACH);
        Route? best = null;
        foreach (Route route in _routes)
        {
            if (route.Device is { IsUp: false } || !IpPrefix.Matches(route.Destination, route.Prefix, target))
                continue;
            if (best is null || IsBetter(route, best))
                best = route;
        }
        if (best is null)
            return false;
        error = best.Kind switch
        {
            RouteKind.Unreachable => Errno.EHOSTUNREACH,
            RouteKind.Prohibit => Errno.EACCES,
            RouteKind.Blackhole => Errno.EINVAL,
            _ => Errno.None,
        };
        if (error != Errno.None)
            return false;
        IPAddress next = best.Gateway ?? target;
        IPAddress? source = best.Source ?? (best.Kind == RouteKind.Local ? target : network.SourceOn(best.Device!, next));
        hop = new Hop(best.Device!, next, source ?? IpPrefix.AnyOf(target), best.Kind);
        return true;
    }

    private static bool IsBetter(Route route, Route best)
    {
        // The local table comes first (ip-rule(8)).
        bool isLocal = route.Table == Route.LocalTable, wasLocal = best.Table == Route.LocalTable;
        if (isLocal != wasLocal)
            return isLocal;
        return route.Prefix != best.Prefix ? route.Prefix > best.Prefix : route.Metric < best.Metric;
    }
}
