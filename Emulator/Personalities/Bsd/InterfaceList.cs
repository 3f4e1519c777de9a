using System.Buffers.Binary;
using System.Net;
using System.Text;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>
/// What sysctl(3) tells of the network's devices and their addresses (NET_RT_IFLIST; route(4)): a message of each device with its name, and one of
/// each of its addresses.
/// </summary>
/// <param name="version">RTM_VERSION.</param>
/// <param name="deviceMessage">RTM_IFINFO.</param>
/// <param name="addressHeader">Bytes of struct ifa_msghdr.</param>
/// <param name="addressIndex">Where the device's index is there.</param>
/// <param name="shortestName">Bytes of a struct sockaddr_dl at the least.</param>
/// <param name="family6">AF_INET6.</param>
internal abstract class InterfaceList(byte version, byte deviceMessage, int addressHeader, int addressIndex, int shortestName, byte family6)
{
    private const byte AddressMessage = 0xC;
    private const byte FamilyLink = 18, Family4 = 2;
    private const int DeviceHeader = 16;

    // RTA_ of what follows a message's header.
    private const uint Mask = 4, DeviceName = 0x10, Address = 0x20, BroadcastOrPeer = 0x80;

    /// <summary>struct if_data.</summary>
    protected abstract byte[] DataOf(NetDevice device);

    /// <summary>The list; of one device, or of all for 0.</summary>
    /// <param name="family">AF_ of the addresses; 0 for all.</param>
    public byte[] Write(Network network, int family, int index)
    {
        var list = new List<byte>();
        foreach (NetDevice device in network.Devices)
        {
            if (index != 0 && device.Index != index)
                continue;
            AddDevice(list, device);
            foreach (InterfaceAddress address in device.Addresses)
            {
                if (family == 0 || family == (address.Is4 ? Family4 : family6))
                    AddAddress(list, device, address);
            }
        }
        return [.. list];
    }

    private void AddDevice(List<byte> list, NetDevice device)
    {
        Span<byte> header = stackalloc byte[DeviceHeader];
        header.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], FlagsOf(device));
        BinaryPrimitives.WriteUInt16LittleEndian(header[12..], (ushort)device.Index);
        Add(list, deviceMessage, DeviceName, [.. header, .. DataOf(device)], NameOf(device));
    }

    private void AddAddress(List<byte> list, NetDevice device, InterfaceAddress address)
    {
        Span<byte> header = stackalloc byte[addressHeader];
        header.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(header[addressIndex..], (ushort)device.Index);
        byte[] own = NameOf(address.Address), mask = NameOf(IpPrefix.Mask(Ones(address), address.Prefix));
        if ((address.Peer ?? address.Broadcast) is { } other)
            Add(list, AddressMessage, Mask | Address | BroadcastOrPeer, header, mask, own, NameOf(other));
        else
            Add(list, AddressMessage, Mask | Address, header, mask, own);
    }

    private static IPAddress Ones(InterfaceAddress address) => address.Is4 ? IPAddress.Broadcast : IPAddress.Parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");

    /// <summary>A message: its length, version, type and what follows its header; each name is padded to 8 bytes.</summary>
    private void Add(List<byte> list, byte type, uint following, ReadOnlySpan<byte> header, params ReadOnlySpan<byte[]> names)
    {
        int start = list.Count;
        list.AddRange(header);
        foreach (byte[] name in names)
        {
            list.AddRange(name);
            while ((list.Count - start - header.Length) % 8 != 0)
                list.Add(0);
        }
        Span<byte> message = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(list)[start..];
        BinaryPrimitives.WriteUInt16LittleEndian(message, (ushort)message.Length);
        message[2] = version;
        message[3] = type;
        BinaryPrimitives.WriteUInt32LittleEndian(message[4..], following);
    }

    /// <summary>IFF_ of net/if.h: Linux's, but for MULTICAST.</summary>
    private static uint FlagsOf(NetDevice device)
    {
        const uint shared = 0x3DF, multicast = 0x8000;
        DeviceFlags flags = device.ToldFlags;
        return ((uint)flags & shared) | ((flags & DeviceFlags.Multicast) != 0 ? multicast : 0);
    }

    /// <summary>IFT_ of net/if_types.h.</summary>
    protected static byte TypeOf(NetDevice device) => device.Kind switch
    {
        LinkKind.Loopback => 24,
        LinkKind.Ethernet => 6,
        _ => 1,
    };

    protected static byte AddressLengthOf(NetDevice device) => device.Kind == LinkKind.Ethernet ? (byte)device.HardwareAddress.Length : (byte)0;

    /// <summary>struct sockaddr_dl: length, family, index 2, type, lengths of name, address and selector, name, address.</summary>
    private byte[] NameOf(NetDevice device)
    {
        byte[] name = Encoding.UTF8.GetBytes(device.Name);
        int addressLength = AddressLengthOf(device);
        byte[] link = new byte[Math.Max(shortestName, 8 + name.Length + addressLength)];
        link[0] = (byte)link.Length;
        link[1] = FamilyLink;
        BinaryPrimitives.WriteUInt16LittleEndian(link.AsSpan(2), (ushort)device.Index);
        link[4] = TypeOf(device);
        link[5] = (byte)name.Length;
        link[6] = (byte)addressLength;
        name.CopyTo(link, 8);
        device.HardwareAddress.AsSpan(0, addressLength).CopyTo(link.AsSpan(8 + name.Length));
        return link;
    }

    /// <summary>struct sockaddr_in, struct sockaddr_in6.</summary>
    private byte[] NameOf(IPAddress address)
    {
        byte[] bytes = address.GetAddressBytes();
        bool is4 = bytes.Length == 4;
        byte[] name = new byte[is4 ? 16 : 28];
        name[0] = (byte)name.Length;
        name[1] = is4 ? Family4 : family6;
        bytes.CopyTo(name, is4 ? 4 : 8);
        return name;
    }
}
