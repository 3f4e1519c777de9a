using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Personalities.Bsd.Routing;

namespace Vivarium.Emulator.Personalities.FreeBsd;

/// <summary>Routing messages as FreeBSD writes them since 13.</summary>
internal sealed class FreeBsdRouting : RoutingFormat
{
    /// <summary>RTF_PINNED.</summary>
    private const uint Pinned = 0x100000;

    public static FreeBsdRouting Instance { get; } = new();

    public override byte Version => 5;

    public override byte RouteFamily => 17;

    public override byte Family6 => FreeBsdPersonality.InternetFamily6;

    public override byte DeviceMessage => 0xE;

    public override byte ArrivalMessage => 0x11;

    public override (byte Came, byte Went)? GroupMessages => (0xF, 0x10);

    public override int Places => 8;

    public override IReadOnlyList<AddressLayout> AddressLayouts { get; } = [new(Came: 0xC, Went: 0xD, Header: 20, IndexAt: 12, FollowingAt: 4)];

    public override int RouteHeader => 152;

    public override int ShortestName => 54;

    /// <summary>struct sockaddr_dl_short.</summary>
    public override int ShortestLink => 16;

    public override uint LinkFlags => Pinned;

    public override uint LocalFlags => Static | Pinned;

    public override bool KeepsOwnRoutes => true;

    public override bool NeedsMask => true;

    public override Errno Refusal => Errno.EPERM;

    /// <summary>struct rt_metrics: locks, MTU, ..., weight as the eleventh.</summary>
    public override void WriteMetrics(Span<byte> metrics, RouteEntry entry)
    {
        const int mtuAt = 8, weightAt = 80;
        if (entry.Origin.Hints is { } hints)
            WriteHints(metrics, hints);
        BinaryPrimitives.WriteInt64LittleEndian(metrics[mtuAt..], entry.Origin.Mtu != 0 ? entry.Origin.Mtu : entry.Device.Mtu);
        if (BinaryPrimitives.ReadInt64LittleEndian(metrics[weightAt..]) == 0)
            BinaryPrimitives.WriteInt64LittleEndian(metrics[weightAt..], 1);
    }

    public override uint KeptHints => 1 << (int)RouteHint.Expiry | 1 << (int)RouteHint.Weight;

    /// <summary>Hop count, expiry, pipes, threshold, round trips, packets sent, weight.</summary>
    public override int HintPlace(RouteHint hint) => hint == RouteHint.Weight ? 10 : hint switch
    {
        RouteHint.Expiry => 3,
        RouteHint.HopCount => 2,
        _ => (int)hint + 1,
    };

    /// <summary>RT_MAX_WEIGHT.</summary>
    public override ulong TakeHint(RouteHint hint, ulong value) => hint == RouteHint.Weight ? Math.Min(value, 0xFFFFFF) : value;

    public override byte[] MaskName(int prefix, bool is4)
    {
        byte[] name = new byte[is4 ? 16 : 28];
        (name[0], name[1]) = ((byte)name.Length, is4 ? Family4 : Family6);
        for (int bit = 0; bit < prefix; bit++)
            name[(is4 ? 4 : 8) + (bit / 8)] |= (byte)(0x80 >> (bit % 8));
        return name;
    }

    /// <summary>sin6_scope_id.</summary>
    protected override void Scope(Span<byte> name, int device) => BinaryPrimitives.WriteInt32LittleEndian(name[ScopeAt..], device);

    public override int TakeScope(Span<byte> name) => BinaryPrimitives.ReadInt32LittleEndian(name[ScopeAt..]);

    private const int ScopeAt = 24;

    private const int Size = 152;

    /// <summary>Type, physical, lengths of address and header, state of the link, a pad, length 2, MTU 4, metric 4, speed, then counters, the time of the last change.</summary>
    public override byte[] DataOf(NetDevice device)
    {
        byte[] data = new byte[Size];
        data[0] = TypeOf(device);
        data[2] = AddressLengthOf(device);
        data[3] = device.Kind == LinkKind.Ethernet ? (byte)14 : (byte)0;
        data[4] = LinkState(device);
        BinaryPrimitives.WriteUInt16LittleEndian(data.AsSpan(6), Size);
        BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(8), (uint)device.Mtu);
        ReadOnlySpan<long> counters =
        [
            device.Counters.ReceivedPackets, 0, device.Counters.SentPackets, 0, 0, device.Counters.ReceivedBytes, device.Counters.SentBytes, 0, 0, device.Counters.Dropped,
        ];
        for (int i = 0; i < counters.Length; i++)
            BinaryPrimitives.WriteInt64LittleEndian(data.AsSpan(24 + (8 * i)), counters[i]);
        return data;
    }

    /// <summary>LINK_STATE_DOWN, LINK_STATE_UP.</summary>
    private static byte LinkState(NetDevice device) => device.IsUp && device.HasCarrier ? (byte)2 : (byte)1;
}
