using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Personalities.Bsd.Routing;

namespace Vivarium.Emulator.Personalities.NetBsd;

/// <summary>Routing messages as NetBSD writes them since 8, and as it does for programs of 7.</summary>
internal sealed class NetBsdRouting : RoutingFormat
{
    public static NetBsdRouting Instance { get; } = new();

    public override byte Version => 4;

    public override byte RouteFamily => 34;

    public override byte Family6 => NetBsdPersonality.InternetFamily6;

    public override byte DeviceMessage => 0x14;

    public override byte ArrivalMessage => 0x10;

    public override int Places => 9;

    /// <summary>RTM_ONEWADDR of programs built before 8, and RTM_NEWADDR.</summary>
    public override IReadOnlyList<AddressLayout> AddressLayouts { get; } =
    [
        new(Came: 0xC, Went: 0xD, Header: 24, IndexAt: 16, FollowingAt: 4), new(Came: 0x16, Went: 0x17, Header: 32, IndexAt: 4, FollowingAt: 12),
    ];

    public override int RouteHeader => 120;

    public override int ShortestName => 20;

    public override int ShortestLink => 20;

    /// <summary>RTF_CONNECTED, RTF_LOCAL.</summary>
    public override uint LinkFlags => 0x100;

    public override uint LocalFlags => 0x40000;

    public override bool KeepsOwnRoutes => false;

    public override bool NeedsMask => false;

    public override Errno Refusal => Errno.EACCES;

    /// <summary>Who asks for what is not a route's own destination, without RTF_UP, asks for the neighbour (route_output in sys/net/rtsock_shared.c).</summary>
    public override byte[]? LinkAsked(RouteRequest request, RouteEntry found)
    {
        bool asks = request.Type == Get && ((request.Flags & LinkData) != 0 || (request.Flags & Up) == 0);
        if (!asks || found.Origin.Destination.Equals(request.Destination))
            return null;
        Neighbour? neighbour = (found.Device as EthernetDevice)?.Neighbours.Find(request.Destination!);
        return LinkOf(found.Device, neighbour is { HardwareAddress.Length: > 0 } ? neighbour.HardwareAddress : new byte[AddressLengthOf(found.Device)]);
    }

    /// <summary>struct rt_metrics: locks, MTU.</summary>
    public override void WriteMetrics(Span<byte> metrics, RouteEntry entry)
    {
        const int mtuAt = 8;
        if (entry.Origin.Hints is { } hints)
            WriteHints(metrics, hints);
        BinaryPrimitives.WriteInt64LittleEndian(metrics[mtuAt..], entry.Origin.Mtu);
    }

    public override uint KeptHints => (1 << (int)RouteHint.Weight) - 2;

    public override bool KeepsLocks => true;

    /// <summary>Hop count, pipes, threshold, round trips, expiry.</summary>
    public override int HintPlace(RouteHint hint) => hint switch
    {
        RouteHint.HopCount => 2,
        RouteHint.Expiry => 8,
        _ => (int)hint,
    };

    /// <summary>As the radix tree has masks: without the zeros at their ends, ones where the address does not begin yet (rn_addmask in sys/net/radix.c).</summary>
    public override byte[] MaskName(int prefix, bool is4)
    {
        int at = is4 ? 4 : 8;
        if (prefix == 0)
            return [];
        byte[] name = new byte[at + ((prefix + 7) / 8)];
        name.AsSpan(1, at - 1).Fill(byte.MaxValue);
        name[0] = (byte)name.Length;
        for (int bit = 0; bit < prefix; bit++)
            name[at + (bit / 8)] |= (byte)(0x80 >> (bit % 8));
        return name;
    }

    /// <summary>Within the address, in its second two bytes.</summary>
    protected override void Scope(Span<byte> name, int device) => BinaryPrimitives.WriteUInt16BigEndian(name[ScopeAt..], (ushort)device);

    public override int TakeScope(Span<byte> name)
    {
        const byte link = 0xFE, group = 0xFF;
        if (name[8] is not (link or group) || (name[8] == link && (name[9] & 0xC0) != 0x80))
            return 0;
        int device = BinaryPrimitives.ReadUInt16BigEndian(name[ScopeAt..]);
        BinaryPrimitives.WriteUInt16BigEndian(name[ScopeAt..], 0);
        return device;
    }

    private const int ScopeAt = 10;

    private const int Size = 136;

    /// <summary>Type, lengths of address and header, a pad, state of the link 4, then words: MTU, metric, speed, counters, the time of the last change.</summary>
    public override byte[] DataOf(NetDevice device)
    {
        const int linkDown = 1, linkUp = 2;
        byte[] data = new byte[Size];
        data[0] = TypeOf(device);
        data[1] = AddressLengthOf(device);
        data[2] = device.Kind == LinkKind.Ethernet ? (byte)14 : (byte)0;
        BinaryPrimitives.WriteInt32LittleEndian(data.AsSpan(4), device.IsUp && device.HasCarrier ? linkUp : linkDown);
        ReadOnlySpan<long> words =
        [
            device.Mtu, 0, 0, device.Counters.ReceivedPackets, 0, device.Counters.SentPackets, 0, 0, device.Counters.ReceivedBytes, device.Counters.SentBytes,
            0, 0, device.Counters.Dropped,
        ];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteInt64LittleEndian(data.AsSpan(8 + (8 * i)), words[i]);
        return data;
    }
}
