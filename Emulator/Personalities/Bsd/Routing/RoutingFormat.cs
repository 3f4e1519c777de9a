using System.Buffers.Binary;
using System.Net;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;

namespace Vivarium.Emulator.Personalities.Bsd.Routing;

/// <summary>A layout of struct ifa_msghdr: RTM_ of an address that came or went, bytes, where the device's index is, and where what follows.</summary>
internal readonly record struct AddressLayout(byte Came, byte Went, int Header, int IndexAt, int FollowingAt);

/// <summary>How a system writes routing messages (route(4)): the numbers and sizes that it has of its own, and names of addresses and devices.</summary>
internal abstract class RoutingFormat
{
    /// <summary>RTM_ of what is asked.</summary>
    public const byte Add = 1, Delete = 2, Change = 3, Get = 4, Lock = 8;

    /// <summary>RTF_ that both systems have.</summary>
    public const uint Up = 1, Gateway = 2, Host = 4, Reject = 8, Done = 0x40, LinkData = 0x400, Static = 0x800, Blackhole = 0x1000;

    /// <summary>Places of addresses in a message, in order (RTAX_).</summary>
    public const int DestinationPlace = 0, GatewayPlace = 1, MaskPlace = 2, DevicePlace = 4, AddressPlace = 5, OtherEndPlace = 7;

    public const byte Family4 = 2, FamilyLink = 18;

    /// <summary>RTM_VERSION.</summary>
    public abstract byte Version { get; }

    /// <summary>AF_ROUTE, AF_INET6.</summary>
    public abstract byte RouteFamily { get; }

    public abstract byte Family6 { get; }

    /// <summary>RTM_IFINFO, RTM_IFANNOUNCE.</summary>
    public abstract byte DeviceMessage { get; }

    public abstract byte ArrivalMessage { get; }

    /// <summary>Types of the messages of a group that a device begins or ceases to listen to; null where there are none.</summary>
    public virtual (byte Came, byte Went)? GroupMessages => null;

    /// <summary>How many places addresses have (RTAX_MAX).</summary>
    public abstract int Places { get; }

    /// <summary>How addresses are told, the oldest way first; changes are told in each.</summary>
    public abstract IReadOnlyList<AddressLayout> AddressLayouts { get; }

    /// <summary>Bytes of struct rt_msghdr.</summary>
    public abstract int RouteHeader { get; }

    /// <summary>Bytes of a struct sockaddr_dl at the least, of a device, and of one that only says which.</summary>
    public abstract int ShortestName { get; }

    public abstract int ShortestLink { get; }

    /// <summary>RTF_ of a way to a device's own link, and of an own address.</summary>
    public abstract uint LinkFlags { get; }

    public abstract uint LocalFlags { get; }

    /// <summary>Routes that follow from addresses cannot be deleted.</summary>
    public abstract bool KeepsOwnRoutes { get; }

    /// <summary>A new route has a mask unless it says that it is a host's (RTF_HOST).</summary>
    public abstract bool NeedsMask { get; }

    /// <summary>What those are told who may not change routes.</summary>
    public abstract Errno Refusal { get; }

    /// <summary>The gateway to tell instead of a route's own, for who asks for a neighbour's hardware address (arp(8)); null for others.</summary>
    public virtual byte[]? LinkAsked(RouteRequest request, RouteEntry found) => null;

    /// <summary>struct if_data.</summary>
    public abstract byte[] DataOf(NetDevice device);

    /// <summary>What a route's metrics are, behind the header's 40 bytes.</summary>
    public abstract void WriteMetrics(Span<byte> metrics, RouteEntry entry);

    /// <summary>Which metrics beside the MTU a route keeps: bits of <see cref="RouteHint"/>.</summary>
    public abstract uint KeptHints { get; }

    /// <summary>A route keeps which of its metrics are locked.</summary>
    public virtual bool KeepsLocks => false;

    /// <summary>The word of struct rt_metrics that a metric has.</summary>
    public abstract int HintPlace(RouteHint hint);

    /// <summary>What a route makes of a metric that it is given.</summary>
    public virtual ulong TakeHint(RouteHint hint, ulong value) => value;

    protected void WriteHints(Span<byte> metrics, RouteHints hints)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(metrics, hints.Locked);
        for (RouteHint hint = RouteHint.HopCount; hint < RouteHint.Count; hint++)
        {
            if ((KeptHints >> (int)hint & 1) != 0)
                BinaryPrimitives.WriteUInt64LittleEndian(metrics[(HintPlace(hint) * sizeof(ulong))..], hints.Values[(int)hint]);
        }
    }

    /// <summary>A mask of so many bits, as the routing table has it.</summary>
    public abstract byte[] MaskName(int prefix, bool is4);

    /// <summary>Says which device an address of a link's own belongs to, where the system says it.</summary>
    protected abstract void Scope(Span<byte> name, int device);

    /// <summary>Takes that back out of the bytes of an address; 0 when it says no device.</summary>
    public abstract int TakeScope(Span<byte> name);

    /// <summary>A message: its length, version, type and which addresses follow its header; each is padded to 8 bytes, an empty one too.</summary>
    /// <param name="addressesAt">Where the header says which follow.</param>
    /// <param name="names">By place; null for none.</param>
    public byte[] Compose(byte type, ReadOnlySpan<byte> header, int addressesAt, params ReadOnlySpan<byte[]?> names)
    {
        const int alignment = 8;
        int length = header.Length;
        uint following = 0;
        for (int place = 0; place < names.Length; place++)
        {
            if (names[place] is not { } name)
                continue;
            following |= 1u << place;
            length += Padded(name.Length);
        }
        byte[] message = new byte[(length + alignment - 1) & ~(alignment - 1)];
        header.CopyTo(message);
        int at = header.Length;
        foreach (byte[]? name in names)
        {
            if (name is null)
                continue;
            name.CopyTo(message, at);
            at += Padded(name.Length);
        }
        BinaryPrimitives.WriteUInt16LittleEndian(message, (ushort)message.Length);
        message[2] = Version;
        message[3] = type;
        BinaryPrimitives.WriteUInt32LittleEndian(message.AsSpan(addressesAt), following);
        return message;
    }

    /// <summary>Bytes that an address takes in a message (SA_SIZE, RT_ROUNDUP).</summary>
    public static int Padded(int length) => length == 0 ? 8 : (length + 7) & ~7;

    public byte FamilyOf(IPAddress address) => IpPrefix.Is4(address) ? Family4 : Family6;

    /// <summary>IFT_ of net/if_types.h.</summary>
    public static byte TypeOf(NetDevice device) => device.Kind switch
    {
        LinkKind.Loopback => 24,
        LinkKind.Ethernet => 6,
        _ => 1,
    };

    public static byte AddressLengthOf(NetDevice device) => device.Kind == LinkKind.Ethernet ? (byte)device.HardwareAddress.Length : (byte)0;

    /// <summary>struct sockaddr_dl of a device: length, family, index 2, type, lengths of name, address and selector, name, address.</summary>
    public byte[] NameOf(NetDevice device) => LinkName(device, Encoding.UTF8.GetBytes(device.Name), device.HardwareAddress.AsSpan(0, AddressLengthOf(device)), ShortestName);

    /// <summary>The same without its name: what a route to a link has for a gateway.</summary>
    public byte[] LinkOf(NetDevice device) => LinkName(device, [], [], ShortestLink);

    /// <summary>The same with a hardware address on its link.</summary>
    public byte[] LinkOf(NetDevice device, ReadOnlySpan<byte> hardware) => LinkName(device, [], hardware, ShortestName);

    private static byte[] LinkName(NetDevice device, ReadOnlySpan<byte> name, ReadOnlySpan<byte> hardware, int shortest)
    {
        const int dataAt = 8;
        byte[] link = new byte[Math.Max(shortest, dataAt + name.Length + hardware.Length)];
        link[0] = (byte)link.Length;
        link[1] = FamilyLink;
        BinaryPrimitives.WriteUInt16LittleEndian(link.AsSpan(2), (ushort)device.Index);
        link[4] = TypeOf(device);
        link[5] = (byte)name.Length;
        link[6] = (byte)hardware.Length;
        name.CopyTo(link.AsSpan(dataAt));
        hardware.CopyTo(link.AsSpan(dataAt + name.Length));
        return link;
    }

    /// <summary>struct sockaddr_in, struct sockaddr_in6.</summary>
    /// <param name="device">The link that it is on; 0 = not said.</param>
    public byte[] NameOf(IPAddress address, int device = 0)
    {
        byte[] bytes = address.GetAddressBytes();
        bool is4 = bytes.Length == 4;
        byte[] name = new byte[is4 ? 16 : 28];
        name[0] = (byte)name.Length;
        name[1] = is4 ? Family4 : Family6;
        bytes.CopyTo(name, is4 ? 4 : 8);
        if (device != 0 && !is4 && (address.IsIPv6LinkLocal || IsLinkGroup(bytes)))
            Scope(name, device);
        return name;
    }

    /// <summary>ff01:: and ff02::.</summary>
    private static bool IsLinkGroup(byte[] bytes) => bytes[0] == 0xFF && (bytes[1] & 15) is 1 or 2;
}
