using System.Net;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Emulator.Personalities.Linux.Netlink;

/// <summary>RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH: struct ndmsg and NDA attributes.</summary>
internal static class NeighbourMessages
{
    private const int FixedSize = 12;
    private const ushort Destination = 1, Hardware = 2, CacheInfo = 3, Probes = 4;
    private const byte Unicast = 1;

    public static Errno Get(Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        byte family = request.Body[0];
        int index = request.Body.Length >= FixedSize ? BitConverter.ToInt32(request.Body[4..]) : 0;
        IPAddress? wanted = request.IsDump ? null : request.Attributes(FixedSize).Address(Destination);
        bool found = false;
        foreach (NetDevice device in network.Devices)
        {
            if (device is not EthernetDevice ethernet || (index != 0 && index != device.Index))
                continue;
            foreach (Neighbour neighbour in ethernet.Neighbours.All)
            {
                if ((family != 0 && family != RouteProtocol.FamilyOf(neighbour.Address)) || (wanted is not null && !wanted.Equals(neighbour.Address)))
                    continue;
                reply.Add(Write(request.Answer(RouteProtocol.NewNeighbour, request.IsDump), device, neighbour));
                found = true;
            }
        }
        return found || request.IsDump ? Errno.None : Errno.ENOENT;
    }

    private static NetlinkWriter Write(NetlinkWriter message, NetDevice device, Neighbour neighbour)
    {
        message.Put(RouteProtocol.FamilyOf(neighbour.Address)).Put((byte)0).Put((ushort)0).Put(device.Index).Put((ushort)neighbour.State).Put((byte)0).Put(Unicast);
        message.Attribute(Destination, neighbour.Address.GetAddressBytes());
        if (neighbour.HardwareAddress.Length != 0)
            message.Attribute(Hardware, neighbour.HardwareAddress);
        return message.Attribute(Probes, 0).Attribute(CacheInfo, new byte[16]);
    }

    private static Errno Parse(Network network, in NetlinkRequest request, NetlinkReply reply, out EthernetDevice? device, out IPAddress? address)
    {
        (device, address) = (null, null);
        if (request.Body.Length < FixedSize)
            return Errno.EINVAL;
        address = request.Attributes(FixedSize).Address(Destination);
        if (address is null)
            return reply.Fail(Errno.EINVAL, "Network address not specified");
        device = network.FindDevice(BitConverter.ToInt32(request.Body[4..])) as EthernetDevice;
        return device is null ? Errno.ENODEV : Errno.None;
    }

    public static Errno Add(Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        Errno error = Parse(network, request, reply, out EthernetDevice? device, out IPAddress? address);
        if (error != Errno.None)
            return error;
        bool isKnown = device!.Neighbours.Find(address!) is not null;
        if (isKnown && request.Has(NetlinkRequest.Exclusive))
            return Errno.EEXIST;
        if (!isKnown && !request.Has(NetlinkRequest.Create))
            return Errno.ENOENT;
        bool isGiven = request.Attributes(FixedSize).TryFind(Hardware, out ReadOnlySpan<byte> hardware);
        if (isGiven && hardware.Length < EthernetFrame.AddressLength)
            return reply.Fail(Errno.EINVAL, "Invalid link address");
        Neighbour neighbour = device.Neighbours.FindOrAdd(address!);
        if (isGiven)
            neighbour.HardwareAddress = hardware[..EthernetFrame.AddressLength].ToArray();
        neighbour.State = (NeighbourState)BitConverter.ToUInt16(request.Body[8..]);
        return Errno.None;
    }

    public static Errno Delete(Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        Errno error = Parse(network, request, reply, out EthernetDevice? device, out IPAddress? address);
        return error != Errno.None ? error : device!.Neighbours.Remove(address!) ? Errno.None : Errno.ENOENT;
    }
}
