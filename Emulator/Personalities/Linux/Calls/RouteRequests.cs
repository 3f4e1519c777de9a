using System.Net;
using System.Numerics;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>SIOCADDRT and SIOCDELRT with struct rtentry, as route(8) uses them.</summary>
internal static class RouteRequests
{
    private const int EntrySize = 120;
    private const int GatewayFlag = 0x2, HostFlag = 0x4;

    public static Errno Control(CallContext call, Network network, bool adds, GuestAddress argument)
    {
        Span<byte> entry = stackalloc byte[EntrySize];
        if (!call.MayInNetwork(network, Capability.AdministerNetwork))
            return Errno.EPERM;
        if (!call.Memory.TryRead(argument, entry))
            return Errno.EFAULT;
        ushort flags = BitConverter.ToUInt16(entry[56..]);
        var target = new IPAddress(entry.Slice(12, 4));
        int prefix = (flags & HostFlag) != 0 ? 32 : BitOperations.PopCount(BitConverter.ToUInt32(entry[44..]));
        IPAddress? gateway = (flags & GatewayFlag) != 0 ? new IPAddress(entry.Slice(28, 4)) : null;
        NetDevice? device = null;
        if (BitConverter.ToUInt64(entry[88..]) is not 0 and ulong nameAt)
        {
            device = ReadDevice(call, network, new GuestAddress(nameAt));
            if (device is null)
                return Errno.ENODEV;
        }
        if (device is null && gateway is not null && network.Routes.TryFind(gateway, out Hop hop, out _))
            device = hop.Device;
        var route = new Route(IpPrefix.Mask(target, prefix), prefix)
        {
            Gateway = gateway, Device = device, Metric = (uint)Math.Max(0, BitConverter.ToInt16(entry[80..]) - 1), Scope = gateway is null ? InterfaceAddress.ScopeLink : (byte)0,
        };
        return adds ? Add(network, route) : Delete(network, route);
    }

    private static NetDevice? ReadDevice(CallContext call, Network network, GuestAddress at)
    {
        Span<byte> bytes = stackalloc byte[16];
        if (!call.Memory.TryRead(at, bytes))
            return null;
        int end = bytes.IndexOf((byte)0);
        return network.FindDevice(Encoding.Latin1.GetString(bytes[..(end < 0 ? 15 : end)]));
    }

    private static Errno Add(Network network, Route route)
    {
        if (route.Device is null)
            return Errno.ENETUNREACH;
        return network.Routes.Find(route) is not null ? Errno.EEXIST : network.AddRoute(route);
    }

    private static Errno Delete(Network network, Route like)
    {
        foreach (Route route in network.Routes.All)
        {
            bool fits = route.Table == Route.MainTable && route.Destination.Equals(like.Destination) && route.Prefix == like.Prefix
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
