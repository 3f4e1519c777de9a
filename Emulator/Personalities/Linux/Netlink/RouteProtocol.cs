using System.Net;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.Linux.Netlink;

/// <summary>A message about a change, and the group it is for.</summary>
internal readonly record struct RouteNote(uint Group, NetlinkWriter Message);

/// <summary>rtnetlink(7): devices, addresses, routes, neighbours.</summary>
internal sealed class RouteProtocol : INetlinkProtocol
{
    public const ushort NewLink = 16, DeleteLink = 17, GetLink = 18, SetLink = 19;
    public const ushort NewAddress = 20, DeleteAddress = 21, GetAddress = 22;
    public const ushort NewRoute = 24, DeleteRoute = 25, GetRoute = 26;
    public const ushort NewNeighbour = 28, DeleteNeighbour = 29, GetNeighbour = 30;
    private const ushort GetRule = 34, NewRule = 32, GetQueue = 38, NewQueue = 36, GetNetworkId = 90, NewNetworkId = 88, GetConfiguration = 82;
    private const uint LinkGroup = 1, Address4Group = 5, Route4Group = 7, Address6Group = 9, Route6Group = 11;

    public static RouteProtocol Instance { get; } = new();

    public Errno Handle(CallContext call, Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        // Every third type asks; all others change something.
        bool changes = request.Type % 4 != 2;
        if (changes && !call.MayInNetwork(network, Capability.AdministerNetwork))
            return Errno.EPERM;
        if (request.Body.Length < 1)
            return Errno.EINVAL;
        return request.Type switch
        {
            GetLink => LinkMessages.Get(network, request, reply),
            NewLink or SetLink => LinkRequests.Change(call, network, request, reply),
            DeleteLink => LinkRequests.Delete(network, request),
            GetAddress => AddressMessages.Get(network, request, reply),
            NewAddress => AddressMessages.Add(network, request, reply),
            DeleteAddress => AddressMessages.Delete(network, request, reply),
            GetRoute => RouteMessages.Get(network, request, reply, call.Thread.Credentials.User),
            NewRoute => RouteMessages.Add(network, request, reply),
            DeleteRoute => RouteMessages.Delete(network, request, reply),
            GetNeighbour => NeighbourMessages.Get(network, request, reply),
            NewNeighbour => NeighbourMessages.Add(network, request, reply),
            DeleteNeighbour => NeighbourMessages.Delete(network, request, reply),
            GetRule => Rules(request, reply),
            GetQueue => Queues(network, request, reply),
            GetNetworkId => NetworkId(request, reply),
            GetConfiguration when request.IsDump => Errno.None,
            _ => Errno.EOPNOTSUPP,
        };
    }

    /// <summary>The three rules of a network whose policy nobody changed (ip-rule(8)).</summary>
    private static Errno Rules(in NetlinkRequest request, NetlinkReply reply)
    {
        const byte toTable = 1;
        byte family = request.Body[0];
        foreach ((uint priority, byte table) in ((uint, byte)[])[(0, 255), (32766, 254), (32767, 253)])
        {
            foreach (byte each in (byte[])[(byte)SocketNames.Internet4, (byte)SocketNames.Internet6])
            {
                bool isThere = each == SocketNames.Internet4 || table != 253;
                if (isThere && (family == each || family == 0))
                {
                    NetlinkWriter message = request.Answer(NewRule, isPart: true).Put((ReadOnlySpan<byte>)[each, 0, 0, 0, table, 0, 0, toTable, 0, 0, 0, 0]);
                    message.Attribute(15, (uint)table).Attribute(14, uint.MaxValue).Attribute(21, (byte)2);
                    reply.Add(priority != 0 ? message.Attribute(6, priority) : message);
                }
            }
        }
        return Errno.None;
    }

    private static Errno Queues(Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        foreach (NetDevice device in network.Devices)
        {
            NetlinkWriter message = request.Answer(NewQueue, isPart: true).Put(0).Put(device.Index).Put(0u).Put(uint.MaxValue).Put(2u);
            reply.Add(message.Attribute(1, LinkMessages.QueueName(device)));
        }
        return Errno.None;
    }

    private static Errno NetworkId(in NetlinkRequest request, NetlinkReply reply)
    {
        if (!request.IsDump)
            reply.Add(request.Answer(NewNetworkId).Put(0u).Attribute(1, -1));
        return Errno.None;
    }

    /// <summary>What members of groups are told of a change.</summary>
    public static RouteNote? Describe(in NetworkChange change) => change.What switch
    {
        NetDevice device => new RouteNote(LinkGroup, LinkMessages.Write(new NetlinkWriter(change.IsGone ? DeleteLink : NewLink, 0, 0, 0), device, change.IsGone ? 0 : uint.MaxValue)),
        InterfaceAddress address when change.Device is { } device => new RouteNote(
            address.Is4 ? Address4Group : Address6Group, AddressMessages.Write(new NetlinkWriter(change.IsGone ? DeleteAddress : NewAddress, 0, 0, 0), device, address)),
        Route route => new RouteNote(route.Is4 ? Route4Group : Route6Group, RouteMessages.Write(new NetlinkWriter(change.IsGone ? DeleteRoute : NewRoute, 0, 0, 0), route)),
        _ => null,
    };

    public static byte FamilyOf(IPAddress address) => (byte)(IpPrefix.Is4(address) ? SocketNames.Internet4 : SocketNames.Internet6);
}
