using System.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Kernel.Net.Packets;
using Vivarium.Emulator.Kernel.Net.Tcp;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>What changed in a network, for those who watch it (rtnetlink(7)).</summary>
public readonly record struct NetworkChange(object What, NetDevice? Device, bool IsGone);

/// <summary>A network as a name space.</summary>
public sealed class NetworkSpace : Namespace
{
    private readonly World _world;
    private readonly Action<Network>? _setUp;
    private Network? _network;

    /// <param name="setUp">What else a new one has.</param>
    public NetworkSpace(World world, UserSpace? owner, Action<Network>? setUp = null)
        : base(world, "net", owner)
    {
        (_world, _setUp) = (world, setUp);
    }

    /// <summary>Made when it is first asked for: most programs never do.</summary>
    public Network Network => _network ?? Make();

    internal override void OnLeft() => _network?.OnLeft();

    private Network Make()
    {
        _network = new Network(_world, this);
        _setUp?.Invoke(_network);
        return _network;
    }
}

/// <summary>A network of a world (network_namespaces(7)): its devices, addresses and routes, and who is bound where.</summary>
public sealed class Network
{
    // Of each of these a program may have as many as an administrator's tools would make; all are looked through for each packet.
    private const int MostRoutes = 8192, MostAddresses = 1024, MostDevices = 1024;

    private readonly List<NetDevice> _devices = [];
    private int _lastIndex;

    internal Network(World world, NetworkSpace space)
    {
        World = world;
        Space = space;
        Ports = new PortTable(this);
        Names = new UnixNames(world);
        Routes = new RouteTable(this);
        Internet = new InternetLayer(this);
        Connections = new TcpConnections(this);
        Loopback = new LoopbackDevice(this);
        Add(Loopback);
    }

    public World World { get; }

    /// <summary>How others name it.</summary>
    public NetworkSpace Space { get; }

    public PortTable Ports { get; }

    public UnixNames Names { get; }

    public RouteTable Routes { get; }

    public InternetLayer Internet { get; }

    public TcpConnections Connections { get; }

    public NetDevice Loopback { get; }

    /// <summary>In order of index.</summary>
    public IReadOnlyList<NetDevice> Devices => _devices;

    /// <summary>Live sockets of every kind, the oldest first, for /proc/net and sock_diag(7).</summary>
    public List<Socket> Sockets { get; } = [];

    /// <summary>How many sockets watch packets: while there are none, what stays inside need not become packets.</summary>
    internal int Watchers { get; set; }

    /// <summary>The packet socket that sends now: it does not see its own frames.</summary>
    internal PacketSocket? FrameSender { get; set; }

    /// <summary>Packet sockets that share their frames, by number.</summary>
    public SortedDictionary<int, FrameFanout> Fanouts { get; } = [];

    /// <summary>net.ipv4.ip_forward: packets for others are passed on.</summary>
    public bool Forwards { get; set; }

    private readonly SortedDictionary<string, Setting> _tags = new(StringComparer.Ordinal);

    /// <summary>A number that administrators give an interface (net.ipv4.conf.NAME.tag).</summary>
    public Setting TagOf(string device)
    {
        if (!_tags.TryGetValue(device, out Setting? tag))
            _tags.Add(device, tag = new Setting(0, int.MinValue));
        return tag;
    }

    /// <summary>net.ipv4.ping_group_range.</summary>
    public (uint First, uint Last) PingGroups { get; set; } = (1, 0);

    /// <summary>net.ipv4.ip_unprivileged_port_start.</summary>
    public int FirstFreePort { get; set; } = 1024;

    /// <summary>Where connections to addresses outside go, when the world may reach the host's network.</summary>
    public IOutsideNetwork? Outside { get; set; }

    public event Action<NetworkChange>? Changed;

    public NetDevice? FindDevice(int index) => _devices.Find(device => device.Index == index);

    public NetDevice? FindDevice(string name) => _devices.Find(device => device.Name == name);

    /// <summary>A name that is free, of a pattern such as tun%d.</summary>
    public string FreeName(string pattern)
    {
        int place = pattern.IndexOf("%d", StringComparison.Ordinal);
        for (int number = 0; place >= 0; number++)
        {
            string name = $"{pattern[..place]}{number}{pattern[(place + 2)..]}";
            if (FindDevice(name) is null)
                return name;
        }
        return pattern;
    }

    /// <summary>No further device is made: ENOBUFS.</summary>
    public bool IsFull => _devices.Count >= MostDevices;

    public void Add(NetDevice device)
    {
        device.Network = this;
        device.Index = ++_lastIndex;
        _devices.Add(device);
        Tell(device, device);
    }

    /// <summary>Takes a device away with its addresses and routes.</summary>
    public void Remove(NetDevice device)
    {
        if (!_devices.Remove(device))
            return;
        Leave(device);
        device.OnRemoved();
    }

    /// <summary>Hands a device to another network: it arrives down and without addresses (ip-link(8), netns).</summary>
    public void Move(NetDevice device, Network target)
    {
        _devices.Remove(device);
        Leave(device);
        device.Flags &= ~DeviceFlags.Up;
        int index = device.Index;
        target.Add(device);
        if (target._devices.TrueForAll(other => other == device || other.Index != index))
        {
            device.Index = index;
            target._lastIndex = Math.Max(index, target._lastIndex - 1);
            target._devices.Sort(static (one, two) => one.Index.CompareTo(two.Index));
        }
    }

    private void Leave(NetDevice device)
    {
        foreach (InterfaceAddress address in (InterfaceAddress[])[.. device.Addresses])
            RemoveAddress(device, address);
        Routes.RemoveAll(route => route.Device == device);
        Tell(device, device, isGone: true);
    }

    /// <summary>
    /// A network that nobody is in ends: virtual devices go, others go back to the first network. Threads, sockets, descriptors and mounts
    /// keep it (network_namespaces(7)).
    /// </summary>
    internal void OnLeft()
    {
        Network first = World.FirstNamespaces.Network;
        if (this == first || Space.Holders != 0 || Sockets.Count != 0 || HasThreads())
            return;
        foreach (NetDevice device in (NetDevice[])[.. _devices])
        {
            if (device.IsRemovable || device == Loopback)
                Remove(device);
            else
                Move(device, first);
        }
    }

    private bool HasThreads()
    {
        foreach (Process process in World.Processes())
        {
            foreach (GuestThread thread in process.Threads)
            {
                if (thread.IsAlive && thread.Namespaces.NetworkSpace == Space)
                    return true;
            }
        }
        return false;
    }

    internal void Tell(object what, NetDevice? device, bool isGone = false) => Changed?.Invoke(new NetworkChange(what, device, isGone));

    /// <summary>Turns a device on or off, with the routes that follow from its addresses.</summary>
    public void SetUp(NetDevice device, bool isUp)
    {
        if (device.IsUp == isUp)
            return;
        device.Flags = isUp ? device.Flags | DeviceFlags.Up : device.Flags & ~DeviceFlags.Up;
        if (isUp)
            AutomaticAddresses(device);
        else
            Routes.RemoveAll(route => route.Device == device);
        if (isUp)
        {
            foreach (InterfaceAddress address in device.Addresses)
                AddRoutesOf(device, address);
        }
        else if (device is EthernetDevice ethernet)
        {
            ethernet.Neighbours.Clear();
        }
        device.OnStateChange();
        Tell(device, device);
    }

    internal void OnCarrierChange(NetDevice device) => Tell(device, device);

    /// <summary>Loopback gets its addresses, links with hardware addresses their link-local one (RFC 4291).</summary>
    private void AutomaticAddresses(NetDevice device)
    {
        if (device == Loopback)
        {
            AddIfMissing(device, new InterfaceAddress(IPAddress.Loopback, 8) { Scope = InterfaceAddress.ScopeHost, Label = device.Name });
            AddIfMissing(device, new InterfaceAddress(IPAddress.IPv6Loopback, 128) { Scope = InterfaceAddress.ScopeHost });
        }
        else if (device.Kind == LinkKind.Ethernet)
        {
            byte[] hardware = device.HardwareAddress;
            IPAddress local = new([0xFE, 0x80, 0, 0, 0, 0, 0, 0, (byte)(hardware[0] ^ 2), hardware[1], hardware[2], 0xFF, 0xFE, hardware[3], hardware[4], hardware[5]]);
            AddIfMissing(device, new InterfaceAddress(local, 64) { Scope = InterfaceAddress.ScopeLink });
        }
    }

    private void AddIfMissing(NetDevice device, InterfaceAddress address)
    {
        if (!device.Addresses.Any(known => known.Address.Equals(address.Address)))
        {
            device.Add(address);
            Tell(address, device);
        }
    }

    /// <summary>Gives a device an address: EEXIST when it has it, ENOBUFS when it has too many.</summary>
    public Errno AddAddress(NetDevice device, InterfaceAddress address)
    {
        if (device.Addresses.Count >= MostAddresses)
            return Errno.ENOBUFS;
        foreach (InterfaceAddress known in device.Addresses)
        {
            if (known.Address.Equals(address.Address) && known.Prefix == address.Prefix)
                return Errno.EEXIST;
        }
        device.Add(address);
        if (device.IsUp)
            AddRoutesOf(device, address);
        Tell(address, device);
        return Errno.None;
    }

    public void RemoveAddress(NetDevice device, InterfaceAddress address)
    {
        if (!device.Remove(address))
            return;
        IPAddress subnet = IpPrefix.Mask(address.Peer ?? address.Address, address.Prefix);
        bool isShared = device.Addresses.Any(other => other.Prefix == address.Prefix && IpPrefix.Matches(subnet, other.Prefix, other.Address));
        Routes.RemoveAll(route => route.Device == device && (route.Table == Route.LocalTable
            ? route.Destination.Equals(address.Address) || route.Destination.Equals(address.Broadcast)
            : route.Protocol == Route.ByKernel && !isShared && route.Prefix == address.Prefix && route.Destination.Equals(subnet)));
        // A device without an address of IPv4 has none of its routes.
        if (address.Is4 && !device.Addresses.Any(static other => other.Is4))
            Routes.RemoveAll(route => route.Device == device && route.Is4);
        Tell(address, device, isGone: true);
    }

    private void AddRoutesOf(NetDevice device, InterfaceAddress address)
    {
        bool isLoopback = device == Loopback, is4 = address.Is4;
        IPAddress subnet = IpPrefix.Mask(address.Peer ?? address.Address, address.Prefix);
        int full = is4 ? 32 : 128;
        AddOwnRoute(LocalRoute(device, address.Address, full, RouteKind.Local, InterfaceAddress.ScopeHost, is4 ? address.Address : null));
        if (is4 && isLoopback && address.Prefix < full)
            AddOwnRoute(LocalRoute(device, subnet, address.Prefix, RouteKind.Local, InterfaceAddress.ScopeHost, address.Address));
        if (is4 && address.Prefix < 31)
        {
            IPAddress last = address.Broadcast ?? IpPrefix.Mask(subnet, address.Prefix, setHostBits: true);
            if ((device.Flags & DeviceFlags.Broadcast) != 0 || isLoopback)
                AddOwnRoute(LocalRoute(device, last, full, RouteKind.Broadcast, InterfaceAddress.ScopeLink, address.Address));
        }
        if (isLoopback && is4)
            return;
        if (is4 && address.Prefix == full && address.Peer is null)
            return;
        AddOwnRoute(new Route(subnet, address.Prefix)
        {
            Device = device, Source = is4 ? address.Address : null, Protocol = Route.ByKernel, Metric = is4 ? 0u : 256,
            Scope = is4 ? InterfaceAddress.ScopeLink : (byte)0,
        });
    }

    private static Route LocalRoute(NetDevice device, IPAddress address, int prefix, RouteKind kind, byte scope, IPAddress? source) => new(address, prefix)
    {
        Device = device, Source = source, Kind = kind, Table = Route.LocalTable, Protocol = Route.ByKernel, Scope = source is null ? (byte)0 : scope,
    };

    private void AddOwnRoute(Route route)
    {
        if (Routes.Find(route) is null)
            Routes.Add(route);
    }

    /// <summary>Adds an administrator's route and tells of it: ENOBUFS when there are too many, since each packet looks at all.</summary>
    public Errno AddRoute(Route route)
    {
        if (Routes.All.Count >= MostRoutes)
            return Errno.ENOBUFS;
        Routes.Add(route);
        Tell(route, route.Device);
        return Errno.None;
    }

    /// <summary>True for addresses that are this network's own.</summary>
    public bool IsLocal(IPAddress address) => Routes.TryFind(address, out Hop hop, out _) && hop.Kind == RouteKind.Local;

    public bool IsBroadcast(IPAddress address) =>
        address.Equals(IPAddress.Broadcast) || (IpPrefix.Is4(address) && Routes.TryFind(address, out Hop hop, out _) && hop.Kind == RouteKind.Broadcast);

    /// <summary>A device's own address for talking to another; null when it has none of that family.</summary>
    public IPAddress? SourceOn(NetDevice device, IPAddress target)
    {
        InterfaceAddress? best = null;
        bool wantsLink = !IpPrefix.Is4(target) && target.IsIPv6LinkLocal;
        foreach (InterfaceAddress address in device.Addresses)
        {
            if (address.Is4 != IpPrefix.Is4(target))
                continue;
            if (address.Covers(target))
                return address.Address;
            if (best is null || (!address.Is4 && best.Address.IsIPv6LinkLocal && !wantsLink))
                best = address;
        }
        if (best is not null && !(best.Scope == InterfaceAddress.ScopeLink && !wantsLink))
            return best.Address;
        // A device without addresses borrows another's.
        foreach (NetDevice other in _devices)
        {
            foreach (InterfaceAddress address in other.Addresses)
            {
                if (other != device && other.IsUp && address.Is4 == IpPrefix.Is4(target) && address.Scope == InterfaceAddress.ScopeGlobal)
                    return address.Address;
            }
        }
        return best?.Address;
    }

    /// <summary>The address that a packet to <paramref name="target"/> would come from.</summary>
    public IPAddress SourceFor(IPAddress target)
    {
        if (IpPrefix.IsAny(target))
            return IpPrefix.LoopbackOf(target);
        return Routes.TryFind(target, out Hop hop, out _) ? hop.Source : IpPrefix.AnyOf(target);
    }

    /// <summary>Connects somebody outside of the world to who listens on a port of this network; false when nobody does.</summary>
    public bool AcceptFromOutside(IOutsideConnection connection, int port, InternetAddress caller) =>
        OutsideLink.Accept(this, connection, new InternetAddress(IPAddress.Loopback, port), caller);

    /// <summary>Shows packet sockets what passes a device.</summary>
    internal void TapFrame(NetDevice device, ReadOnlySpan<byte> frame, bool isOutgoing)
    {
        foreach (Socket socket in Watchers == 0 ? [] : Sockets)
        {
            if (socket is PacketSocket tap)
                tap.Take(device, frame, isOutgoing);
        }
    }

    /// <summary>Takes a packet from a device without frames.</summary>
    internal void Receive(NetDevice device, in IpPacket packet)
    {
        if (device != Loopback)
            device.Counters.CountReceived(packet.Length);
        TapPacket(device, packet, isOutgoing: false);
        Internet.Receive(device, packet);
    }

    internal void TapPacket(NetDevice device, in IpPacket packet, bool isOutgoing)
    {
        foreach (Socket socket in Watchers == 0 ? [] : Sockets)
        {
            if (socket is not PacketSocket tap)
                continue;
            ushort type = packet.Is4 ? EthernetFrame.Ip4 : EthernetFrame.Ip6;
            byte[] none = new byte[EthernetFrame.AddressLength];
            tap.Take(device, device.Kind == LinkKind.None ? packet.Whole : EthernetFrame.Make(none, none, type, packet.Whole), isOutgoing, type);
        }
    }
}
