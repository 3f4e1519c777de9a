using System.Net;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Netlink;

/// <summary>RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE: struct rtmsg and RTA attributes.</summary>
internal static class RouteMessages
{
    private const int FixedSize = 12;
    private const ushort Destination = 1, Output = 4, Gateway = 5, Priority = 6, PreferredSource = 7, Metrics = 8, CacheInfo = 12, Table = 15, Preference = 20, User = 25;
    private const ushort MtuMetric = 2;
    private const uint Cloned = 0x200;
    private const byte ScopeNowhere = 255;

    /// <param name="user">Who asks.</param>
    public static Errno Get(Network network, in NetlinkRequest request, NetlinkReply reply, uint user)
    {
        if (request.Body.Length < FixedSize)
            return request.IsDump ? Dump(network, request, reply, request.Body[0], 0, 0, 0) : Errno.EINVAL;
        NetlinkAttributes attributes = request.Attributes(FixedSize);
        if (request.IsDump)
            return Dump(network, request, reply, request.Body[0], attributes.Value<uint>(Table) ?? request.Body[4], request.Body[7], attributes.Value<int>(Output) ?? 0);
        return Find(network, request, attributes, reply, user);
    }

    private static Errno Dump(Network network, in NetlinkRequest request, NetlinkReply reply, byte family, uint table, byte kind, int device)
    {
        foreach (Route route in network.Routes.All)
        {
            bool fits = (family == 0 || family == RouteProtocol.FamilyOf(route.Destination)) && (table == 0 || table == route.Table)
                && (kind == 0 || kind == (byte)route.Kind) && (device == 0 || device == route.Device?.Index);
            // A device that is down has lost its routes.
            if (fits)
                reply.Add(Write(request.Answer(RouteProtocol.NewRoute, isPart: true), route));
        }
        return Errno.None;
    }

    /// <summary>What would a packet to an address do? (ip-route(8), get)</summary>
    private static Errno Find(Network network, in NetlinkRequest request, NetlinkAttributes attributes, NetlinkReply reply, uint user)
    {
        IPAddress target = attributes.Address(Destination) ?? (request.Body[0] == SocketNames.Internet6 ? IPAddress.IPv6Any : IPAddress.Any);
        if (!network.Internet.TryRoute(target, attributes.Value<int>(Output) ?? 0, out Hop hop, out Errno error))
            return error;
        bool isLocal = hop.Kind == RouteKind.Local, is4 = IpPrefix.Is4(target);
        NetDevice device = isLocal ? network.Loopback : hop.Device;
        uint table = isLocal ? Route.LocalTable : Route.MainTable;
        NetlinkWriter message = request.Answer(RouteProtocol.NewRoute)
            .Put((ReadOnlySpan<byte>)[RouteProtocol.FamilyOf(target), (byte)(is4 ? 32 : 128), 0, 0, (byte)table, is4 ? (byte)0 : Route.ByKernel, 0, (byte)hop.Kind]).Put(is4 ? Cloned : 0)
            .Attribute(Table, table).Attribute(Destination, target.GetAddressBytes()).Attribute(Output, device.Index);
        if (!hop.Next.Equals(target))
            message.Attribute(Gateway, hop.Next.GetAddressBytes());
        message.Attribute(PreferredSource, (isLocal && !is4 ? target : hop.Source).GetAddressBytes());
        if (is4)
            message.Attribute(User, attributes.Value<uint>(User) ?? user);
        else
            message.Attribute(Priority, 0u);
        reply.Add(message.Attribute(CacheInfo, new byte[32]));
        return Errno.None;
    }

    public static NetlinkWriter Write(NetlinkWriter message, Route route)
    {
        message.Put(RouteProtocol.FamilyOf(route.Destination)).Put((byte)route.Prefix).Put((byte)0).Put((byte)0)
            .Put((byte)Math.Min(route.Table, 255)).Put(route.Protocol).Put(route.Scope).Put((byte)route.Kind).Put(0u);
        message.Attribute(Table, route.Table);
        if (route.Prefix != 0)
            message.Attribute(Destination, route.Destination.GetAddressBytes());
        if (route.Metric != 0 || !route.Is4)
            message.Attribute(Priority, route.Metric);
        if (route.Mtu != 0)
            message.Nested(Metrics, metrics => metrics.Attribute(MtuMetric, route.Mtu));
        if (route.Source is not null)
            message.Attribute(PreferredSource, route.Source.GetAddressBytes());
        if (route.Gateway is not null)
            message.Attribute(Gateway, route.Gateway.GetAddressBytes());
        if (route.Device is not null)
            message.Attribute(Output, route.Device.Index);
        if (!route.Is4)
            message.Attribute(CacheInfo, new byte[32]).Attribute(Preference, (byte)0);
        return message;
    }

    private static Errno Parse(Network network, in NetlinkRequest request, NetlinkReply reply, out Route? route)
    {
        route = null;
        if (request.Body.Length < FixedSize)
            return Errno.EINVAL;
        byte family = request.Body[0];
        int prefix = request.Body[1];
        NetlinkAttributes attributes = request.Attributes(FixedSize);
        bool is4 = family == SocketNames.Internet4;
        if (prefix > (is4 ? 32 : 128))
            return reply.Fail(Errno.EINVAL, "Invalid prefix length");
        IPAddress target = attributes.Address(Destination) ?? (is4 ? IPAddress.Any : IPAddress.IPv6Any);
        if (!IpPrefix.Mask(target, prefix).Equals(target))
        {
            if (is4)
                return reply.Fail(Errno.EINVAL, "Invalid prefix for given prefix length");
            target = IpPrefix.Mask(target, prefix);
        }
        int? output = attributes.Value<int>(Output);
        NetDevice? device = output is { } index ? network.FindDevice(index) : null;
        if (output is not null && device is null)
            return Errno.ENODEV;
        var kind = (RouteKind)request.Body[7];
        route = new Route(target, prefix)
        {
            Gateway = attributes.Address(Gateway), Device = device, Source = attributes.Address(PreferredSource), Metric = attributes.Value<uint>(Priority) ?? (is4 ? 0u : 1024),
            Table = attributes.Value<uint>(Table) ?? request.Body[4], Protocol = request.Body[5], Scope = is4 ? request.Body[6] : (byte)0,
            Kind = kind == 0 ? RouteKind.Unicast : kind, Mtu = attributes.Nested(Metrics).Value<uint>(MtuMetric) ?? 0,
        };
        if (route.Table == 0)
            route = route with { Table = Route.MainTable };
        return Errno.None;
    }

    public static Errno Add(Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        Errno error = Parse(network, request, reply, out Route? route);
        if (error != Errno.None)
            return error;
        error = Complete(network, reply, ref route!);
        if (error != Errno.None)
            return error;
        Route? known = network.Routes.Find(route);
        if (known is not null && (request.Has(NetlinkRequest.Exclusive) || !request.Has(NetlinkRequest.Replace)))
            return Errno.EEXIST;
        if (known is null && !request.Has(NetlinkRequest.Create))
            return Errno.ENOENT;
        if (known is not null)
            network.Routes.Remove(known);
        return network.AddRoute(route);
    }

    /// <summary>Finds the device behind a gateway, and refuses routes that lead nowhere.</summary>
    private static Errno Complete(Network network, NetlinkReply reply, ref Route route)
    {
        if (route.Kind is RouteKind.Blackhole or RouteKind.Unreachable or RouteKind.Prohibit)
        {
            route = route with { Device = route.Is4 ? null : network.Loopback };
            return Errno.None;
        }
        if (route.Gateway is { } gateway)
        {
            bool isNear = network.Routes.TryFind(gateway, out Hop hop, out _) && hop.Kind == RouteKind.Unicast && hop.Next.Equals(gateway);
            if (!isNear && (route.Device is null || !gateway.IsIPv6LinkLocal))
                return reply.Fail(route.Is4 ? Errno.ENETUNREACH : Errno.EHOSTUNREACH, "Nexthop has invalid gateway");
            route = route with { Device = route.Device ?? hop.Device };
        }
        if (route.Device is null)
            return reply.Fail(Errno.ENODEV, "No egress device");
        if (!route.Device.IsUp)
            return reply.Fail(Errno.ENETDOWN, route.Is4 ? "Device for nexthop is not up" : "Nexthop device is not up");
        if (route.Source is { } source && !network.IsLocal(source))
            return reply.Fail(Errno.EINVAL, "Invalid prefsrc address");
        return Errno.None;
    }

    public static Errno Delete(Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        Errno error = Parse(network, request, reply, out Route? like);
        if (error != Errno.None)
            return error;
        NetlinkAttributes attributes = request.Attributes(FixedSize);
        bool anyMetric = !attributes.Has(Priority), anyKind = request.Body[7] == 0, anyScope = request.Body[6] == ScopeNowhere;
        foreach (Route route in network.Routes.All)
        {
            bool fits = route.Destination.Equals(like!.Destination) && route.Prefix == like.Prefix && route.Table == like.Table
                && (anyMetric || route.Metric == like.Metric) && (anyKind || route.Kind == like.Kind) && (anyScope || !route.Is4 || route.Scope == like.Scope)
                && (like.Device is null || route.Device == like.Device) && (like.Gateway is null || like.Gateway.Equals(route.Gateway));
            if (!fits)
                continue;
            network.Routes.Remove(route);
            network.Tell(route, route.Device, isGone: true);
            return Errno.None;
        }
        return Errno.ESRCH;
    }
}
