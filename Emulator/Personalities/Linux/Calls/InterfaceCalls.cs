using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>ioctl(2) on sockets: netdevice(7), and what socket(7), tcp(7) and udp(7) list.</summary>
internal static class InterfaceCalls
{
    private const int NameSize = 16;
    private const int RequestSize = 40;

    private const uint OutputQueue = 0x5411, AtMark = 0x8905, StampTime = 0x8906, StampNanoseconds = 0x8907;
    private const uint AddRoute = 0x890B, DeleteRoute = 0x890C;
    private const uint GetName = 0x8910, GetConfiguration = 0x8912, GetFlags = 0x8913, SetFlags = 0x8914, GetAddress = 0x8915, SetAddress = 0x8916;
    private const uint GetPeer = 0x8917, GetBroadcast = 0x8919, SetBroadcast = 0x891A, GetMask = 0x891B, SetMask = 0x891C, GetMetric = 0x891D;
    private const uint GetMtu = 0x8921, SetMtu = 0x8922, GetHardware = 0x8927, SetHardware = 0x8924, GetIndex = 0x8933, GetQueue = 0x8942, SetQueue = 0x8943;
    private const uint Ethtool = 0x8946, GetArp = 0x8954;

    /// <summary>Null when the request is none of sockets'.</summary>
    public static CallResult? Control(CallContext call, Socket socket, uint request, GuestAddress argument)
    {
        switch (request)
        {
            case OutputQueue:
                return call.Memory.TryWrite(argument, socket is StreamSocket { Peer: { } peer } ? peer.Pending ?? 0 : 0) ? 0 : Errno.EFAULT;
            case AtMark:
                if (socket is not StreamSocket { Kind: SocketKind.Stream })
                    return Errno.ENOTTY;
                return call.Memory.TryWrite(argument, socket.IsAtUrgentMark ? 1 : 0) ? 0 : Errno.EFAULT;
            case StampTime or StampNanoseconds:
                return Errno.ENOENT;
            case GetConfiguration:
                return List(call, socket.Network, argument);
            case GetName:
                return Name(call, socket.Network, argument);
            case AddRoute or DeleteRoute:
                return RouteRequests.Control(call, socket.Network, request == AddRoute, argument);
            case >= 0x8910 and < 0x8970:
                return Device(call, socket, request, argument);
            default:
                return null;
        }
    }

    private static CallResult Name(CallContext call, Network network, GuestAddress argument)
    {
        if (!call.Memory.TryRead(argument + NameSize, out int index))
            return Errno.EFAULT;
        if (network.FindDevice(index) is not { } device)
            return Errno.ENODEV;
        Span<byte> name = stackalloc byte[NameSize];
        name.Clear();
        Encoding.Latin1.GetBytes(device.Name, name);
        return call.Memory.TryWrite(argument, name) ? 0 : Errno.EFAULT;
    }

    /// <summary>Struct ifconf: the IPv4 addresses of all devices.</summary>
    private static CallResult List(CallContext call, Network network, GuestAddress argument)
    {
        if (!call.Memory.TryRead(argument, out int room) || !call.Memory.TryRead(argument + 8, out ulong buffer))
            return Errno.EFAULT;
        int used = 0;
        Span<byte> entry = stackalloc byte[RequestSize];
        foreach (NetDevice device in network.Devices)
        {
            foreach (InterfaceAddress address in device.Addresses)
            {
                if (!address.Is4 || (buffer != 0 && used + RequestSize > room))
                    continue;
                entry.Clear();
                Encoding.Latin1.GetBytes(address.Label.Length != 0 ? address.Label : device.Name, entry);
                PutAddress(entry[NameSize..], address.Address);
                if (buffer != 0 && !call.Memory.TryWrite(new GuestAddress(buffer + (ulong)used), entry))
                    return Errno.EFAULT;
                used += RequestSize;
            }
        }
        return call.Memory.TryWrite(argument, used) ? 0 : Errno.EFAULT;
    }

    private static void PutAddress(Span<byte> at, IPAddress address)
    {
        MemoryMarshal.Write(at, SocketNames.Internet4);
        address.TryWriteBytes(at[4..], out _);
    }

    private static CallResult Device(CallContext call, Socket socket, uint request, GuestAddress argument)
    {
        Span<byte> bytes = stackalloc byte[RequestSize];
        if (!call.Memory.TryRead(argument, bytes))
            return Errno.EFAULT;
        int end = bytes[..NameSize].IndexOf((byte)0);
        string name = Encoding.Latin1.GetString(bytes[..(end < 0 ? NameSize - 1 : end)]);
        if (request is GetArp or (> 0x8947 and < 0x8970))
            return Errno.EOPNOTSUPP;
        if (socket.Network.FindDevice(name) is not { } device)
            return Errno.ENODEV;
        bool sets = request is SetFlags or SetAddress or SetBroadcast or SetMask or SetMtu or SetHardware or SetQueue;
        if (sets && !call.MayInNetwork(socket.Network, Capability.AdministerNetwork))
            return Errno.EPERM;
        Span<byte> value = bytes[NameSize..];
        Errno error = sets ? Set(device, request, value) : Get(device, request, value);
        return error != Errno.None || sets ? error : call.Memory.TryWrite(argument, bytes) ? 0 : Errno.EFAULT;
    }

    private static InterfaceAddress? First(NetDevice device) => device.Addresses.FirstOrDefault(static address => address.Is4);

    private static Errno Get(NetDevice device, uint request, Span<byte> value)
    {
        InterfaceAddress? address = First(device);
        if (request is GetAddress or GetPeer or GetBroadcast or GetMask && address is null)
            return Errno.EADDRNOTAVAIL;
        if (request is not (GetFlags or GetMtu or GetIndex or GetQueue or GetMetric))
            value[..16].Clear();
        switch (request)
        {
            case GetFlags:
                MemoryMarshal.Write(value, (ushort)device.ToldFlags);
                return Errno.None;
            case GetAddress:
                PutAddress(value, address!.Address);
                return Errno.None;
            case GetPeer:
                PutAddress(value, address!.Peer ?? address.Address);
                return Errno.None;
            case GetBroadcast:
                PutAddress(value, address!.Broadcast ?? IPAddress.Any);
                return Errno.None;
            case GetMask:
                PutAddress(value, IpPrefix.Mask(IPAddress.Broadcast, address!.Prefix));
                return Errno.None;
            case GetMtu:
                MemoryMarshal.Write(value, device.Mtu);
                return Errno.None;
            case GetIndex:
                MemoryMarshal.Write(value, device.Index);
                return Errno.None;
            case GetQueue:
                MemoryMarshal.Write(value, device.QueueLength);
                return Errno.None;
            case GetMetric:
                MemoryMarshal.Write(value, 0);
                return Errno.None;
            case GetHardware:
                MemoryMarshal.Write(value, PacketSocket.HardwareTypeOf(device));
                device.HardwareAddress.CopyTo(value[2..]);
                return Errno.None;
            default:
                return request == Ethtool ? Errno.EOPNOTSUPP : Errno.ENOTTY;
        }
    }

    private static Errno Set(NetDevice device, uint request, ReadOnlySpan<byte> value)
    {
        switch (request)
        {
            case SetFlags:
                device.Network.SetUp(device, (MemoryMarshal.Read<ushort>(value) & (ushort)DeviceFlags.Up) != 0);
                return Errno.None;
            case SetMtu:
                int mtu = MemoryMarshal.Read<int>(value);
                if (mtu is < 68 or > 65_536)
                    return Errno.EINVAL;
                device.Mtu = mtu;
                return Errno.None;
            case SetQueue:
                device.QueueLength = MemoryMarshal.Read<int>(value);
                return Errno.None;
            case SetHardware:
                if (device.HardwareAddress.Length == 0 || device.Kind == LinkKind.Loopback)
                    return Errno.EOPNOTSUPP;
                device.HardwareAddress = value.Slice(2, device.HardwareAddress.Length).ToArray();
                return Errno.None;
            default:
                return MemoryMarshal.Read<ushort>(value) == SocketNames.Internet4 ? SetInternet(device, request, new IPAddress(value.Slice(4, 4))) : Errno.EINVAL;
        }
    }

    /// <summary>Old programs set address, mask and broadcast one after the other: each replaces the address.</summary>
    private static Errno SetInternet(NetDevice device, uint request, IPAddress given)
    {
        InterfaceAddress? old = First(device);
        if (request != SetAddress && old is null)
            return Errno.EADDRNOTAVAIL;
        InterfaceAddress next = request switch
        {
            SetMask => old! with { Prefix = LengthOf(given) },
            SetBroadcast => old! with { Broadcast = given },
            _ => new InterfaceAddress(given, ClassPrefix(given)) { Label = device.Name },
        };
        if (old is not null)
            device.Network.RemoveAddress(device, old);
        if (IpPrefix.IsAny(next.Address))
            return Errno.None;
        if (request == SetAddress && (device.Flags & DeviceFlags.Broadcast) != 0 && next.Prefix < 31)
            next = next with { Broadcast = IpPrefix.Mask(next.Address, next.Prefix, setHostBits: true) };
        return device.Network.AddAddress(device, next);
    }

    private static int LengthOf(IPAddress mask)
    {
        Span<byte> bytes = stackalloc byte[4];
        mask.TryWriteBytes(bytes, out _);
        return System.Numerics.BitOperations.PopCount(BitConverter.ToUInt32(bytes));
    }

    /// <summary>The prefix that an address's class implies (RFC 791).</summary>
    private static int ClassPrefix(IPAddress address) => address.GetAddressBytes()[0] switch { < 128 => 8, < 192 => 16, < 224 => 24, _ => 32 };
}
