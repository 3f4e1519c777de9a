using System.Buffers.Binary;
using System.Net;
using System.Text;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Emulator.Personalities.Bsd.Routing;

/// <summary>Messages of devices, their addresses and their groups (route(4)), and the lists of them that sysctl(3) gives (NET_RT_IFLIST and its kin).</summary>
internal static class InterfaceMessages
{
    private const int DeviceHeader = 16, GroupHeader = 16, AddressesAt = 4, FlagsAt = 8, IndexAt = 12;

    /// <summary>The list; of one device, or of all for 0.</summary>
    /// <param name="layout">How addresses are told.</param>
    /// <param name="family">AF_ of the addresses; 0 for all.</param>
    /// <param name="isLong">With lengths in the headers, and the device's data in each (NET_RT_IFLISTL).</param>
    public static byte[] List(RoutingFormat format, AddressLayout layout, Network network, int family, int index, bool isLong = false)
    {
        var list = new List<byte>();
        foreach (NetDevice device in network.Devices)
        {
            if (index != 0 && device.Index != index)
                continue;
            list.AddRange(OfDevice(format, device, hasName: true, isLong));
            foreach (InterfaceAddress address in device.Addresses)
            {
                if (family == 0 || family == format.FamilyOf(address.Address))
                    list.AddRange(OfAddress(format, layout, device, address, isGone: false, hasDevice: false, isLong));
            }
        }
        return [.. list];
    }

    /// <summary>RTM_IFINFO.</summary>
    /// <param name="hasName">Lists name the device; messages of its changes do not.</param>
    public static byte[] OfDevice(RoutingFormat format, NetDevice device, bool hasName, bool isLong = false)
    {
        byte[] header = new byte[isLong ? LongHeader : DeviceHeader];
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(FlagsAt), FlagsOf(device));
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(IndexAt), (ushort)device.Index);
        byte[] data = format.DataOf(device);
        if (isLong)
            WriteLengths(header, data.Length);
        return format.Compose(format.DeviceMessage, [.. header, .. data], AddressesAt, null, null, null, null, hasName ? format.NameOf(device) : null);
    }

    /// <summary>An address that is there, or came or went.</summary>
    /// <param name="hasDevice">Messages of changes name the device; lists do not.</param>
    public static byte[] OfAddress(
        RoutingFormat format, AddressLayout layout, NetDevice device, InterfaceAddress address, bool isGone, bool hasDevice, bool isLong = false)
    {
        byte[] header = new byte[isLong ? LongHeader : layout.Header];
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(isLong ? IndexAt : layout.IndexAt), (ushort)device.Index);
        byte[] data = isLong ? format.DataOf(device) : [];
        if (isLong)
            WriteLengths(header, data.Length);
        IPAddress mask = IpPrefix.Mask(address.Is4 ? IPAddress.Broadcast : AllOnes, address.Prefix);
        IPAddress? other = address.Peer ?? address.Broadcast;
        return format.Compose(
            isGone ? layout.Went : layout.Came, [.. header, .. data], layout.FollowingAt, null, null, format.NameOf(mask), null, hasDevice ? format.NameOf(device) : null,
            format.NameOf(address.Address, device.Index), null, other is null ? null : format.NameOf(other));
    }

    private static IPAddress AllOnes { get; } = new([.. Enumerable.Repeat(byte.MaxValue, 16)]);

    private const int LongHeader = 24;

    /// <summary>Bytes up to the addresses, and where the data begins (struct if_msghdrl, struct ifa_msghdrl).</summary>
    private static void WriteLengths(Span<byte> header, int data)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(header[16..], (ushort)(LongHeader + data));
        BinaryPrimitives.WriteUInt16LittleEndian(header[18..], LongHeader);
    }

    /// <summary>RTM_IFANNOUNCE: index 2, name 16, what 2 (IFAN_ARRIVAL 0, IFAN_DEPARTURE 1).</summary>
    public static byte[] OfArrival(RoutingFormat format, NetDevice device, bool isGone)
    {
        const int length = 24, nameAt = 6, nameRoom = 15, whatAt = 22;
        byte[] message = new byte[length];
        BinaryPrimitives.WriteUInt16LittleEndian(message, length);
        message[2] = format.Version;
        message[3] = format.ArrivalMessage;
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(4), (ushort)device.Index);
        ReadOnlySpan<byte> name = Encoding.UTF8.GetBytes(device.Name);
        name[..Math.Min(name.Length, nameRoom)].CopyTo(message.AsSpan(nameAt));
        message[whatAt] = isGone ? (byte)1 : (byte)0;
        return message;
    }

    /// <summary>NET_RT_IFMALIST: the groups that devices listen to, with the link's address of each (RTM_NEWMADDR).</summary>
    public static byte[] Groups(RoutingFormat format, Network network, int family, int index, byte type)
    {
        var list = new List<byte>();
        foreach (NetDevice device in network.Devices)
        {
            if (index != 0 && device.Index != index)
                continue;
            foreach (IPAddress group in GroupMembership.Of(network, device))
            {
                if (family == 0 || family == format.FamilyOf(group))
                    list.AddRange(OfGroup(format, device, group, type));
                if (LinkOf(format, device, group) is { } link && family is 0 or RoutingFormat.FamilyLink)
                    list.AddRange(format.Compose(type, HeaderOf(device), AddressesAt, null, null, null, null, format.NameOf(device), link));
            }
        }
        return [.. list];
    }

    /// <summary>RTM_NEWMADDR, RTM_DELMADDR: a group that a device listens to.</summary>
    public static byte[] OfGroup(RoutingFormat format, NetDevice device, IPAddress group, byte type) => format.Compose(
        type, HeaderOf(device), AddressesAt, null, LinkOf(format, device, group), null, null, format.NameOf(device), format.NameOf(group, device.Index));

    private static byte[]? LinkOf(RoutingFormat format, NetDevice device, IPAddress group) =>
        device.Kind == LinkKind.Ethernet ? format.LinkOf(device, EthernetFrame.GroupOf(group)) : null;

    /// <summary>struct ifma_msghdr.</summary>
    private static byte[] HeaderOf(NetDevice device)
    {
        byte[] header = new byte[GroupHeader];
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(IndexAt), (ushort)device.Index);
        return header;
    }

    /// <summary>IFF_ of net/if.h: Linux's, but for MULTICAST.</summary>
    private static uint FlagsOf(NetDevice device)
    {
        const uint shared = 0x3DF, multicast = 0x8000;
        DeviceFlags flags = device.ToldFlags;
        return ((uint)flags & shared) | ((flags & DeviceFlags.Multicast) != 0 ? multicast : 0);
    }
}
