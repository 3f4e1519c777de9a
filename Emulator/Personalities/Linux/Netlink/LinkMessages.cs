using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Emulator.Personalities.Linux.Netlink;

/// <summary>RTM_NEWLINK as it tells of devices: struct ifinfomsg and IFLA attributes.</summary>
internal static class LinkMessages
{
    public const int FixedSize = 16;
    public const ushort Address = 1, Broadcast = 2, Name = 3, Mtu = 4, Link = 5, Queue = 6, Statistics = 7, Master = 10, QueueLength = 13, State = 16, LinkMode = 17,
        Info = 18, NetworkProcess = 19, Alias = 20, Statistics64 = 23, Group = 27, NetworkDescriptor = 28, Promiscuity = 30, SendQueues = 31, ReceiveQueues = 32,
        Carrier = 33, CarrierChanges = 35, LinkNetworkId = 37, ProtocolDown = 39, LargestSegments = 40, LargestSegmentSize = 41, SmallestMtu = 50, LargestMtu = 51, AlternativeName = 53;

    public const ushort InfoKind = 1, InfoData = 2;

    private const byte Unknown = 0, Down = 2, LowerDown = 3, Up = 6;

    public static Errno Get(Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        if (request.IsDump)
        {
            NetlinkAttributes filter = request.Attributes(FixedSize);
            string? kind = filter.Nested(Info).Text(InfoKind);
            foreach (NetDevice device in network.Devices)
            {
                if (kind is null || device.DriverName == kind)
                    reply.Add(Write(request.Answer(RouteProtocol.NewLink, isPart: true), device, 0));
            }
            return Errno.None;
        }
        if (Find(network, request) is not { } found)
            return Errno.ENODEV;
        reply.Add(Write(request.Answer(RouteProtocol.NewLink), found, 0));
        return Errno.None;
    }

    /// <summary>The device that a request names by index or name.</summary>
    public static NetDevice? Find(Network network, in NetlinkRequest request)
    {
        if (request.Body.Length < FixedSize)
            return null;
        int index = BitConverter.ToInt32(request.Body[4..]);
        NetlinkAttributes attributes = request.Attributes(FixedSize);
        if (index > 0)
            return network.FindDevice(index);
        return attributes.Text(Name) is { } name ? network.FindDevice(name) : attributes.Text(AlternativeName) is { } other ? network.FindDevice(other) : null;
    }

    public static string QueueName(NetDevice device) => !device.IsUp ? "noop"
        : device is DummyDevice or LoopbackDevice or CableDevice ? "noqueue" : "pfifo_fast";

    private static byte StateOf(NetDevice device)
    {
        if (!device.IsUp)
            return Down;
        if (device is LoopbackDevice or DummyDevice || device.Kind == LinkKind.None)
            return device.HasCarrier ? Unknown : Down;
        return device.HasCarrier ? Up : LowerDown;
    }

    public static NetlinkWriter Write(NetlinkWriter message, NetDevice device, uint changed)
    {
        message.Put((byte)0).Put((byte)0).Put(PacketSocket.HardwareTypeOf(device)).Put(device.Index).Put((uint)device.ToldFlags).Put(changed);
        message.Attribute(Name, device.Name).Attribute(QueueLength, device.QueueLength).Attribute(State, StateOf(device)).Attribute(LinkMode, (byte)0)
            .Attribute(Mtu, device.Mtu).Attribute(SmallestMtu, device.Kind == LinkKind.Loopback ? 0 : 68).Attribute(LargestMtu, device.Kind == LinkKind.Loopback ? 0 : 65_535)
            .Attribute(Group, 0).Attribute(Promiscuity, (device.Flags & DeviceFlags.Promiscuous) != 0 ? 1 : 0).Attribute(SendQueues, 1)
            .Attribute(LargestSegments, 65_535).Attribute(LargestSegmentSize, 65_536).Attribute(ReceiveQueues, 1)
            .Attribute(Carrier, (byte)(device.HasCarrier && device.IsUp ? 1 : 0)).Attribute(Queue, QueueName(device)).Attribute(CarrierChanges, 0).Attribute(ProtocolDown, (byte)0);
        if (device.Kind != LinkKind.None)
            message.Attribute(Address, device.HardwareAddress).Attribute(Broadcast, device.Kind == LinkKind.Loopback ? new byte[6] : EthernetFrame.Broadcast);
        WriteCounters(message, device.Counters);
        if (device is CableDevice { Peer: { } peer })
        {
            message.Attribute(Link, peer.Index);
            if (peer.Network != device.Network)
                message.Attribute(LinkNetworkId, 0);
        }
        if (device.DriverName is { } driver)
            message.Nested(Info, info => info.Attribute(InfoKind, driver));
        return message;
    }

    /// <summary>Struct rtnl_link_stats64 and its 32-bit form: packets, bytes, errors, dropped, then details that are all 0.</summary>
    private static void WriteCounters(NetlinkWriter message, DeviceCounters counters)
    {
        Span<long> wide = stackalloc long[25];
        wide.Clear();
        (wide[0], wide[1], wide[2], wide[3], wide[6]) = (counters.ReceivedPackets, counters.SentPackets, counters.ReceivedBytes, counters.SentBytes, counters.Dropped);
        message.Attribute(Statistics64, System.Runtime.InteropServices.MemoryMarshal.AsBytes(wide));
        Span<uint> narrow = stackalloc uint[24];
        for (int i = 0; i < narrow.Length; i++)
            narrow[i] = (uint)wide[i];
        message.Attribute(Statistics, System.Runtime.InteropServices.MemoryMarshal.AsBytes(narrow));
    }
}
