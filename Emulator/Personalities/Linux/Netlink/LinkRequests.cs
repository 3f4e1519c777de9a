using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Emulator.Personalities.Linux.Netlink;

/// <summary>RTM_NEWLINK, RTM_SETLINK and RTM_DELLINK: changing, making and removing devices.</summary>
internal static class LinkRequests
{
    private const ushort CablePeer = 1;
    private const int LongestName = 15;

    public static Errno Change(CallContext call, Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        if (request.Body.Length < LinkMessages.FixedSize)
            return Errno.EINVAL;
        NetlinkAttributes attributes = request.Attributes(LinkMessages.FixedSize);
        if (attributes.Text(LinkMessages.Name) is { Length: > LongestName })
            return reply.Fail(Errno.ERANGE, "Attribute failed policy validation");
        if (LinkMessages.Find(network, request) is { } device)
        {
            if (request.Has(NetlinkRequest.Exclusive))
                return Errno.EEXIST;
            return Modify(call, device, request, attributes, reply);
        }
        if (request.Type != RouteProtocol.NewLink || !request.Has(NetlinkRequest.Create))
            return Errno.ENODEV;
        return Make(call, network, request, attributes, reply);
    }

    private static Errno Modify(CallContext call, NetDevice device, in NetlinkRequest request, NetlinkAttributes attributes, NetlinkReply reply)
    {
        Network network = device.Network;
        if (attributes.Has(LinkMessages.NetworkProcess) || attributes.Has(LinkMessages.NetworkDescriptor))
        {
            if (FindNetwork(call, attributes) is not { } target)
                return Errno.ESRCH;
            if (device.Kind == LinkKind.Loopback)
                return reply.Fail(Errno.EINVAL, "The interface is NETNS_LOCAL");
            network.Move(device, target);
            network = target;
        }
        if (attributes.Value<int>(LinkMessages.Mtu) is { } mtu)
        {
            if (mtu < 68)
                return reply.Fail(Errno.EINVAL, "mtu less than device minimum");
            if (mtu > 65_536)
                return reply.Fail(Errno.EINVAL, "mtu greater than device maximum");
            device.Mtu = mtu;
        }
        if (attributes.TryFind(LinkMessages.Address, out ReadOnlySpan<byte> hardware))
        {
            if (device.HardwareAddress.Length != hardware.Length || device.Kind == LinkKind.Loopback)
                return Errno.EOPNOTSUPP;
            device.HardwareAddress = hardware.ToArray();
        }
        if (attributes.Value<int>(LinkMessages.QueueLength) is { } length)
            device.QueueLength = length;
        if (attributes.Text(LinkMessages.Name) is { Length: > 0 } name && name != device.Name)
        {
            if (network.FindDevice(name) is not null)
                return Errno.EEXIST;
            device.Name = name;
        }
        SetFlags(device, BitConverter.ToUInt32(request.Body[8..]), BitConverter.ToUInt32(request.Body[12..]));
        return Errno.None;
    }

    private static void SetFlags(NetDevice device, uint flags, uint mask)
    {
        if (mask == 0 && flags != 0)
            mask = uint.MaxValue;
        const uint settable = (uint)(DeviceFlags.Promiscuous | DeviceFlags.AllMulticast | DeviceFlags.Multicast | DeviceFlags.NoArp);
        device.Flags = (DeviceFlags)(((uint)device.Flags & ~(mask & settable)) | (flags & mask & settable));
        if ((mask & (uint)DeviceFlags.Up) != 0)
            device.Network.SetUp(device, (flags & (uint)DeviceFlags.Up) != 0);
        else
            device.Network.Tell(device, device);
    }

    /// <summary>The network of a process or of a descriptor of one.</summary>
    private static Network? FindNetwork(CallContext call, NetlinkAttributes attributes)
    {
        if (attributes.Value<int>(LinkMessages.NetworkProcess) is { } id)
            return call.World.FindThread(id)?.Namespaces.Network;
        return attributes.Value<int>(LinkMessages.NetworkDescriptor) is { } descriptor && call.File(descriptor) is NamespaceFile { Space: NetworkSpace space } ? space.Network : null;
    }

    private static Errno Make(CallContext call, Network network, in NetlinkRequest request, NetlinkAttributes attributes, NetlinkReply reply)
    {
        NetlinkAttributes info = attributes.Nested(LinkMessages.Info);
        if (info.Text(LinkMessages.InfoKind) is not { } kind)
            return reply.Fail(Errno.EOPNOTSUPP, "Unknown device type");
        string name = network.FreeName(attributes.Text(LinkMessages.Name) ?? kind + "%d");
        Network home = attributes.Has(LinkMessages.NetworkProcess) || attributes.Has(LinkMessages.NetworkDescriptor) ? FindNetwork(call, attributes) ?? network : network;
        switch (kind)
        {
            case "dummy":
                home.Add(new DummyDevice(home, name));
                break;
            case "veth":
                Errno error = MakeCable(call, home, name, info.Nested(LinkMessages.InfoData), reply);
                if (error != Errno.None)
                    return error;
                break;
            default:
                return reply.Fail(Errno.EOPNOTSUPP, "Unknown device type");
        }
        NetDevice made = home.FindDevice(name)!;
        if (attributes.Value<int>(LinkMessages.Mtu) is { } mtu)
            made.Mtu = mtu;
        if (attributes.TryFind(LinkMessages.Address, out ReadOnlySpan<byte> hardware) && hardware.Length == made.HardwareAddress.Length)
            made.HardwareAddress = hardware.ToArray();
        SetFlags(made, BitConverter.ToUInt32(request.Body[8..]), BitConverter.ToUInt32(request.Body[12..]));
        return Errno.None;
    }

    /// <summary>VETH_INFO_PEER holds an ifinfomsg and attributes of the other end.</summary>
    private static Errno MakeCable(CallContext call, Network network, string name, NetlinkAttributes data, NetlinkReply reply)
    {
        Network peerNetwork = network;
        string peerName = network.FreeName("veth%d");
        if (data.TryFind(CablePeer, out ReadOnlySpan<byte> peer) && peer.Length >= LinkMessages.FixedSize)
        {
            var attributes = new NetlinkAttributes(peer[LinkMessages.FixedSize..]);
            if (attributes.Has(LinkMessages.NetworkProcess) || attributes.Has(LinkMessages.NetworkDescriptor))
                peerNetwork = FindNetwork(call, attributes) ?? network;
            peerName = peerNetwork.FreeName(attributes.Text(LinkMessages.Name) ?? "veth%d");
        }
        if (peerName == name && peerNetwork == network)
            peerName = peerNetwork.FreeName("veth%d") is { } free && free != name ? free : name + "p";
        if (peerNetwork.FindDevice(peerName) is not null || network.FindDevice(name) is not null)
            return Errno.EEXIST;
        if (network.IsFull || peerNetwork.IsFull)
            return Errno.ENOBUFS;
        (CableDevice one, CableDevice two) = CableDevice.MakePair(network, name, peerNetwork, peerName);
        peerNetwork.Add(two);
        network.Add(one);
        return Errno.None;
    }

    public static Errno Delete(Network network, in NetlinkRequest request)
    {
        if (LinkMessages.Find(network, request) is not { } device)
            return Errno.ENODEV;
        if (!device.IsRemovable)
            return Errno.EOPNOTSUPP;
        network.Remove(device);
        return Errno.None;
    }
}
