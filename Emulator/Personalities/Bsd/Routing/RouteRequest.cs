using System.Buffers.Binary;
using System.Net;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Emulator.Personalities.Bsd.Routing;

/// <summary>What a program wrote to a routing socket: a header and the addresses that it says follow.</summary>
/// <param name="Type">RTM_ of it.</param>
/// <param name="Flags">RTF_ of the route.</param>
/// <param name="Asked">Which addresses follow, or are to be told (RTA_).</param>
internal sealed record RouteRequest(byte Type, uint Flags, uint Asked)
{
    private const uint WhichMtu = 1, WhichExpiry = 4;

    public IPAddress? Destination { get; private set; }

    /// <summary>Null when no mask was given.</summary>
    public int? Prefix { get; private set; }

    public IPAddress? Gateway { get; private set; }

    /// <summary>The device that the gateway, or the place of devices, names: by number or by name.</summary>
    public (int Index, string Name)? Link { get; private set; }

    /// <summary>The address on that link; empty when there is none.</summary>
    public byte[] Hardware { get; private set; } = [];

    public uint? Mtu { get; private set; }

    /// <summary>The metrics that are given (RTV_), and all their words.</summary>
    private uint _which;
    private ulong[] _metrics = [];

    /// <summary>What a route keeps of the metrics, over what it had.</summary>
    public RouteHints? HintsOver(RoutingFormat format, RouteHints? before, bool takesValues, bool takesLocks)
    {
        uint given = takesValues ? _which & format.KeptHints : 0;
        bool locks = takesLocks && format.KeepsLocks && _which != 0;
        if (given == 0 && !locks)
            return before;
        ulong[] values = before is null ? new ulong[(int)RouteHint.Count] : [.. before.Values];
        for (RouteHint hint = RouteHint.HopCount; hint < RouteHint.Count; hint++)
        {
            if ((given >> (int)hint & 1) != 0)
                values[(int)hint] = format.TakeHint(hint, _metrics[format.HintPlace(hint)]);
        }
        ulong locked = before?.Locked ?? 0;
        return new RouteHints(values, locks ? (locked & ~(ulong)_which) | (_which & _metrics[0]) : locked);
    }

    /// <summary>It is for a while.</summary>
    public bool Expires { get; private set; }

    public bool HasGateway => Gateway is not null || Link is not null;

    /// <summary>EINVAL for addresses that do not fit, or that are no route's.</summary>
    public static Errno Parse(RoutingFormat format, ReadOnlySpan<byte> message, out RouteRequest request)
    {
        request = new RouteRequest(
            message[3], BinaryPrimitives.ReadUInt32LittleEndian(message[RouteMessages.FlagsAt..]), BinaryPrimitives.ReadUInt32LittleEndian(message[RouteMessages.AddressesAt..]));
        uint which = BinaryPrimitives.ReadUInt32LittleEndian(message[RouteMessages.WhichAt..]);
        request.Expires = (which & WhichExpiry) != 0;
        request._which = which;
        request._metrics = MemoryMarshal.Cast<byte, ulong>(message[RouteMessages.MetricsAt..format.RouteHeader]).ToArray();
        if ((which & WhichMtu) != 0)
            request.Mtu = (uint)BinaryPrimitives.ReadUInt64LittleEndian(message[(RouteMessages.MetricsAt + 8)..]);
        ReadOnlySpan<byte> rest = message[format.RouteHeader..];
        for (int place = 0; place < format.Places && !rest.IsEmpty; place++)
        {
            if ((request.Asked >> place & 1) == 0)
                continue;
            int length = rest[0];
            if (length > rest.Length)
                return Errno.EINVAL;
            Errno error = request.Take(format, place, rest[..length]);
            if (error != Errno.None)
                return error;
            rest = rest[Math.Min(rest.Length, RoutingFormat.Padded(length))..];
        }
        return request.Destination is null ? Errno.EINVAL : request.Complete();
    }

    private Errno Take(RoutingFormat format, int place, ReadOnlySpan<byte> name)
    {
        switch (place)
        {
            case RoutingFormat.DestinationPlace:
                Destination = ReadAddress(format, name, out _);
                return Destination is null ? Errno.EINVAL : Errno.None;
            case RoutingFormat.GatewayPlace when name.Length > 1 && name[1] == RoutingFormat.FamilyLink:
            case RoutingFormat.DevicePlace when name.Length > 1 && name[1] == RoutingFormat.FamilyLink:
                Link ??= ReadLink(name);
                Hardware = place == RoutingFormat.GatewayPlace ? ReadHardware(name) : Hardware;
                return Errno.None;
            case RoutingFormat.GatewayPlace:
                Gateway = ReadAddress(format, name, out int device);
                if (device != 0)
                    Link ??= (device, "");
                return Gateway is null ? Errno.EINVAL : Errno.None;
            case RoutingFormat.MaskPlace:
                Prefix = Destination is null ? null : ReadMask(name, IpPrefix.Is4(Destination));
                return Prefix is null ? Errno.EINVAL : Errno.None;
            default:
                return Errno.None;
        }
    }

    /// <summary>A host has no mask; what a mask hides is no part of the destination.</summary>
    private Errno Complete()
    {
        if ((Flags & RoutingFormat.Host) != 0)
            Prefix = null;
        if (Prefix is { } prefix)
            Destination = IpPrefix.Mask(Destination!, prefix);
        if (Gateway is not null && IpPrefix.Is4(Gateway) != IpPrefix.Is4(Destination!))
            return Errno.EINVAL;
        return Errno.None;
    }

    /// <summary>Null when it is no internet address.</summary>
    /// <param name="device">The link that it says it is on; 0 = none.</param>
    private static IPAddress? ReadAddress(RoutingFormat format, ReadOnlySpan<byte> name, out int device)
    {
        const int size4 = 16, size6 = 28;
        device = 0;
        if (name.Length >= size4 && name[1] == RoutingFormat.Family4)
            return new IPAddress(name.Slice(4, 4));
        if (name.Length < size6 || name[1] != format.Family6)
            return null;
        byte[] copy = name.ToArray();
        device = format.TakeScope(copy);
        return new IPAddress(copy.AsSpan(8, 16));
    }

    private static (int, string) ReadLink(ReadOnlySpan<byte> name)
    {
        const int dataAt = 8;
        int index = name.Length >= 4 ? BinaryPrimitives.ReadUInt16LittleEndian(name[2..]) : 0, length = name.Length > 5 ? name[5] : 0;
        return (index, length != 0 && dataAt + length <= name.Length ? Encoding.UTF8.GetString(name.Slice(dataAt, length)) : "");
    }

    private static byte[] ReadHardware(ReadOnlySpan<byte> name)
    {
        const int dataAt = 8;
        if (name.Length < dataAt || dataAt + name[5] + name[6] > name.Length)
            return [];
        return name.Slice(dataAt + name[5], name[6]).ToArray();
    }

    /// <summary>Bits of a mask whose last bytes may be missing; null when there are holes in it.</summary>
    private static int? ReadMask(ReadOnlySpan<byte> name, bool is4)
    {
        int at = is4 ? 4 : 8, size = is4 ? 4 : 16, bits = 0;
        bool hasEnded = false;
        for (int i = at; i < at + size; i++)
        {
            byte next = i < name.Length ? name[i] : (byte)0;
            int ones = BitOperations.LeadingZeroCount((uint)(byte)~next) - 24;
            if ((byte)(next << ones) != 0 || (hasEnded && next != 0))
                return null;
            hasEnded |= ones < 8;
            bits += ones;
        }
        return bits;
    }
}
