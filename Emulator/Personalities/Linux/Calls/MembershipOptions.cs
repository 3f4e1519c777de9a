using System.Net;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Joining multicast groups: struct ip_mreq, ip_mreqn, ipv6_mreq, group_req (ip(7), ipv6(7)).</summary>
internal static class MembershipOptions
{
    private const int MulticastInterface = 32, Join4 = 35, Leave4 = 36, JoinGroup = 42, LeaveGroup = 45;
    private const int Join6 = 20, Leave6 = 21;

    /// <summary>Null for other options.</summary>
    public static CallResult? Set(CallContext call, Socket socket, int level, int name, GuestAddress value, int length) => (level, name) switch
    {
        (SocketOptions.Ip, Join4 or Leave4) => Set4(call, socket, name == Join4, value, length),
        (SocketOptions.Ip, MulticastInterface) when socket.Kind != SocketKind.Stream => SetInterface(call, socket, value, length),
        (SocketOptions.Ip6, Join6 or Leave6) => Set6(call, socket, name == Join6, value, length),
        (_, JoinGroup or LeaveGroup) => SetGeneral(call, socket, name == JoinGroup, value, length),
        _ => null,
    };

    private static Errno Set4(CallContext call, Socket socket, bool joins, GuestAddress value, int length)
    {
        if (length < 8)
            return Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[12];
        if (!call.Memory.TryRead(value, bytes[..Math.Min(length, 12)]))
            return Errno.EFAULT;
        int index = length >= 12 ? BitConverter.ToInt32(bytes[8..]) : 0;
        return socket.Kind == SocketKind.Stream ? Errno.EPROTO : Change(socket, new IPAddress(bytes[..4]), index, new IPAddress(bytes.Slice(4, 4)), joins);
    }

    private static Errno Set6(CallContext call, Socket socket, bool joins, GuestAddress value, int length)
    {
        if (length < 20)
            return Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[20];
        if (!call.Memory.TryRead(value, bytes))
            return Errno.EFAULT;
        return socket.Kind == SocketKind.Stream ? Errno.EPROTO : Change(socket, new IPAddress(bytes[..16]), BitConverter.ToInt32(bytes[16..]), IPAddress.IPv6Any, joins);
    }

    /// <summary>Struct group_req: the interface, then an address of any family.</summary>
    private static Errno SetGeneral(CallContext call, Socket socket, bool joins, GuestAddress value, int length)
    {
        const int size = 136, addressAt = 8;
        if (length < size)
            return Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[size];
        if (!call.Memory.TryRead(value, bytes))
            return Errno.EFAULT;
        bool is4 = BitConverter.ToUInt16(bytes[addressAt..]) == SocketNames.Internet4;
        var group = new IPAddress(is4 ? bytes.Slice(addressAt + 4, 4) : bytes.Slice(addressAt + 8, 16));
        return Change(socket, group, BitConverter.ToInt32(bytes), IpPrefix.AnyOf(group), joins);
    }

    private static Errno Change(Socket socket, IPAddress group, int index, IPAddress own, bool joins)
    {
        if (!IpPrefix.IsMulticast(group))
            return Errno.EINVAL;
        NetDevice? device = index != 0 ? socket.Network.FindDevice(index) : FindBy(socket.Network, own, group);
        if (device is null)
            return Errno.ENODEV;
        return joins ? GroupMembership.Join(socket, group, device) : GroupMembership.Leave(socket, group, device);
    }

    private static NetDevice? FindBy(Network network, IPAddress own, IPAddress group)
    {
        foreach (NetDevice device in network.Devices)
        {
            foreach (InterfaceAddress address in device.Addresses)
            {
                if (address.Address.Equals(own))
                    return device;
            }
        }
        if (!IpPrefix.IsAny(own))
            return null;
        if (network.Routes.TryFind(group, out Hop hop, out _))
            return hop.Device;
        foreach (NetDevice device in network.Devices)
        {
            if (device.IsUp && (device.Flags & DeviceFlags.Multicast) != 0)
                return device;
        }
        return null;
    }

    /// <summary>IP_MULTICAST_IF takes an address, an ip_mreq or an ip_mreqn.</summary>
    private static Errno SetInterface(CallContext call, Socket socket, GuestAddress value, int length)
    {
        if (length < 4)
            return Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[12];
        if (!call.Memory.TryRead(value, bytes[..Math.Min(length, 12)]))
            return Errno.EFAULT;
        int index = length >= 12 ? BitConverter.ToInt32(bytes[8..]) : 0;
        var own = new IPAddress(length >= 8 ? bytes.Slice(4, 4) : bytes[..4]);
        if (index == 0 && IpPrefix.IsAny(own))
        {
            socket.Groups.Device = 0;
            return Errno.None;
        }
        NetDevice? device = index != 0 ? socket.Network.FindDevice(index) : socket.Network.Devices.FirstOrDefault(each => each.Addresses.Any(address => address.Address.Equals(own)));
        if (device is null)
            return Errno.EADDRNOTAVAIL;
        socket.Groups.Device = device.Index;
        return Errno.None;
    }
}
