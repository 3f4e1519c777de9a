using System.Buffers.Binary;
using System.Net;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Emulator.Personalities.Bsd.Routing;

/// <summary>Messages of routes (struct rt_msghdr), and the table as sysctl(3) gives it (NET_RT_DUMP, NET_RT_FLAGS).</summary>
internal static class RouteMessages
{
    // struct rt_msghdr: index 2 at 4, flags 4, addresses 4, process 4, sequence 4, error 4, fmask or use 4, which metrics 8, metrics.
    public const int IndexAt = 4, FlagsAt = 8, AddressesAt = 12, ProcessAt = 16, ErrorAt = 24, WhichAt = 32, MetricsAt = 40;

    /// <summary>The table of a family, or of all for 0.</summary>
    /// <param name="flags">RTF_ of which an entry must have one; 0 for all entries.</param>
    public static byte[] Table(RoutingFormat format, Network network, int family, uint flags)
    {
        var list = new List<byte>();
        foreach (RouteEntry entry in RouteEntry.TableOf(network, format))
        {
            bool fits = (family == 0 || family == format.FamilyOf(entry.Origin.Destination)) && (flags == 0 || (entry.Flags & flags) != 0);
            if (fits)
                list.AddRange(Write(format, entry, RoutingFormat.Get, new byte[format.RouteHeader], hasDevice: true, entry.Flags));
        }
        return [.. list];
    }

    /// <summary>What is known of neighbours, as hosts with hardware addresses (arp(8), ndp(8)).</summary>
    public static byte[] Neighbours(RoutingFormat format, Network network, int family)
    {
        var list = new List<byte>();
        foreach (NetDevice device in network.Devices)
        {
            foreach (Neighbour neighbour in device is EthernetDevice ethernet ? ethernet.Neighbours.All : [])
            {
                if (neighbour.HardwareAddress.Length == 0 || family != format.FamilyOf(neighbour.Address))
                    continue;
                byte[] header = new byte[format.RouteHeader];
                uint flags = RoutingFormat.Host | RoutingFormat.LinkData | (neighbour.State == NeighbourState.Permanent ? RoutingFormat.Static : 0);
                BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(IndexAt), (ushort)device.Index);
                BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(FlagsAt), flags);
                list.AddRange(format.Compose(RoutingFormat.Get, header, AddressesAt, format.NameOf(neighbour.Address, device.Index), format.LinkOf(device, neighbour.HardwareAddress)));
            }
        }
        return [.. list];
    }

    /// <summary>A message of a route.</summary>
    /// <param name="header">What stays of it: process and sequence.</param>
    /// <param name="hasDevice">It names device and source.</param>
    /// <param name="gateway">Instead of the route's own.</param>
    public static byte[] Write(RoutingFormat format, RouteEntry entry, byte type, Span<byte> header, bool hasDevice, uint flags, byte[]? gateway = null)
    {
        Route route = entry.Origin;
        BinaryPrimitives.WriteUInt16LittleEndian(header[IndexAt..], (ushort)entry.Device.Index);
        BinaryPrimitives.WriteUInt32LittleEndian(header[FlagsAt..], flags);
        header[MetricsAt..].Clear();
        format.WriteMetrics(header[MetricsAt..], entry);
        bool isPointToPoint = (entry.Device.Flags & DeviceFlags.PointToPoint) != 0;
        return format.Compose(
            type, header, AddressesAt, format.NameOf(route.Destination, entry.Link.Index), gateway ?? GatewayOf(format, entry), entry.IsHost ? null : format.MaskName(route.Prefix, route.Is4), null,
            hasDevice ? format.NameOf(entry.Device) : null, hasDevice && entry.Address is { } own ? format.NameOf(own.Address, entry.Link.Index) : null, null,
            hasDevice && isPointToPoint && entry.Address?.Peer is { } peer ? format.NameOf(peer) : null);
    }

    private static byte[] GatewayOf(RoutingFormat format, RouteEntry entry)
    {
        if (entry.Origin.Gateway is { } gateway)
            return format.NameOf(gateway, entry.Link.Index);
        // What is refused goes to lo0.
        const uint refused = RoutingFormat.Blackhole | RoutingFormat.Reject;
        return (entry.Flags & refused) != 0 ? format.NameOf(entry.Origin.Is4 ? IPAddress.Loopback : IPAddress.IPv6Loopback) : format.LinkOf(entry.Link);
    }
}
