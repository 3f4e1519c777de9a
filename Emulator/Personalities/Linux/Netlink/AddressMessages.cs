using System.Net;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Netlink;

/// <summary>RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR: struct ifaddrmsg and IFA attributes.</summary>
internal static class AddressMessages
{
    private const int FixedSize = 8;
    private const ushort Address = 1, Local = 2, Label = 3, Broadcast = 4, CacheInfo = 6, Flags = 8;
    private const byte Permanent = 0x80;

    public static Errno Get(Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        byte family = request.Body[0];
        int index = request.Body.Length >= FixedSize ? BitConverter.ToInt32(request.Body[4..]) : 0;
        foreach (byte each in (byte[])[(byte)SocketNames.Internet4, (byte)SocketNames.Internet6])
        {
            foreach (NetDevice device in network.Devices)
            {
                foreach (InterfaceAddress address in device.Addresses)
                {
                    if (RouteProtocol.FamilyOf(address.Address) == each && (family == 0 || family == each) && (index == 0 || index == device.Index))
                        reply.Add(Write(request.Answer(RouteProtocol.NewAddress, isPart: true), device, address));
                }
            }
        }
        return Errno.None;
    }

    public static NetlinkWriter Write(NetlinkWriter message, NetDevice device, InterfaceAddress address)
    {
        message.Put(RouteProtocol.FamilyOf(address.Address)).Put((byte)address.Prefix).Put((byte)(address.Flags | Permanent)).Put(address.Scope).Put(device.Index);
        message.Attribute(Address, (address.Peer ?? address.Address).GetAddressBytes());
        if (address.Is4 || address.Peer is not null)
            message.Attribute(Local, address.Address.GetAddressBytes());
        if (address.Broadcast is not null)
            message.Attribute(Broadcast, address.Broadcast.GetAddressBytes());
        if (address.Is4)
            message.Attribute(Label, address.Label.Length != 0 ? address.Label : device.Name);
        message.Attribute(Flags, (uint)(address.Flags | Permanent));
        // Preferred and valid for ever.
        return message.Attribute(CacheInfo, (ReadOnlySpan<byte>)[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    private static Errno Parse(Network network, in NetlinkRequest request, NetlinkReply reply, out NetDevice? device, out InterfaceAddress? address)
    {
        (device, address) = (null, null);
        if (request.Body.Length < FixedSize)
            return Errno.EINVAL;
        NetlinkAttributes attributes = request.Attributes(FixedSize);
        IPAddress? given = attributes.Address(Address), local = attributes.Address(Local) ?? given;
        if (local is null)
            return reply.Fail(Errno.EINVAL, "ipv4: Local address not supplied");
        if (request.Body[1] > (IpPrefix.Is4(local) ? 32 : 128))
            return reply.Fail(Errno.EINVAL, "ipv4: Invalid prefix length");
        device = network.FindDevice(BitConverter.ToInt32(request.Body[4..]));
        if (device is null)
            return Errno.ENODEV;
        bool hasPeer = given is not null && !given.Equals(local);
        address = new InterfaceAddress(local, request.Body[1])
        {
            Scope = IpPrefix.Is4(local) || !local.IsIPv6LinkLocal ? IPAddress.IsLoopback(local) && !IpPrefix.Is4(local) ? InterfaceAddress.ScopeHost : request.Body[3] : InterfaceAddress.ScopeLink,
            Label = attributes.Text(Label) ?? device.Name,
            Broadcast = attributes.Address(Broadcast),
            Peer = hasPeer ? given : null,
            Flags = (byte)((attributes.Value<uint>(Flags) ?? request.Body[2]) | Permanent),
        };
        return Errno.None;
    }

    public static Errno Add(Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        Errno error = Parse(network, request, reply, out NetDevice? device, out InterfaceAddress? address);
        if (error != Errno.None)
            return error;
        error = network.AddAddress(device!, address!);
        if (error == Errno.EEXIST && !request.Has(NetlinkRequest.Replace))
            return reply.Fail(error, address!.Is4 ? "ipv4: Address already assigned" : "ipv6: address already assigned");
        return error == Errno.EEXIST ? Errno.None : error;
    }

    public static Errno Delete(Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        Errno error = Parse(network, request, reply, out NetDevice? device, out InterfaceAddress? like);
        if (error != Errno.None)
            return error;
        foreach (InterfaceAddress address in device!.Addresses)
        {
            if (address.Address.Equals(like!.Address) && (address.Prefix == like.Prefix || request.Body[1] == 32))
            {
                network.RemoveAddress(device, address);
                return Errno.None;
            }
        }
        return reply.Fail(Errno.EADDRNOTAVAIL, IpPrefix.Is4(like!.Address) ? "ipv4: Address not found" : "ipv6: address not found");
    }
}
