using System.Buffers.Binary;
using System.Net;
using Vivarium.Emulator.Kernel.Net.Packets;
using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Emulator.Kernel.Net.Devices;

/// <summary>How much is known of a neighbour, in rtnetlink(7)'s NUD values.</summary>
public enum NeighbourState : ushort
{
    Incomplete = 0x01,
    Reachable = 0x02,
    Stale = 0x04,
    Failed = 0x20,
    Permanent = 0x80,
}

/// <summary>A neighbour on a link.</summary>
public sealed class Neighbour(IPAddress address)
{
    public IPAddress Address { get; } = address;

    public byte[] HardwareAddress { get; set; } = [];

    public NeighbourState State { get; set; } = NeighbourState.Incomplete;

    /// <summary>Packets, and the call that sent each.</summary>
    internal List<(IpPacket Packet, CallOrigin? Sender)> Waiting { get; } = [];

    internal int Asked { get; set; }
}

/// <summary>Finds the hardware addresses of a link's neighbours: ARP (RFC 826), neighbour discovery (RFC 4861).</summary>
public sealed class NeighbourTable(EthernetDevice device)
{
    private const int MostAsked = 3;
    private const int MostWaiting = 101;

    /// <summary>gc_thresh3 of arp(7): each packet to a neighbour looks at all.</summary>
    private const int MostNeighbours = 1024;

    private const long AskInterval = 1_000_000_000;
    private const int ArpLength = 28;
    private const ushort Request = 1, Reply = 2;

    private readonly List<Neighbour> _neighbours = [];

    public IReadOnlyList<Neighbour> All => _neighbours;

    public Neighbour? Find(IPAddress address) => _neighbours.Find(neighbour => neighbour.Address.Equals(address));

    public Neighbour FindOrAdd(IPAddress address)
    {
        if (Find(address) is { } known)
            return known;
        if (_neighbours.Count >= MostNeighbours)
            _neighbours.RemoveAt(Math.Max(0, _neighbours.FindIndex(static other => other.State != NeighbourState.Permanent)));
        Neighbour made = new(address);
        _neighbours.Add(made);
        return made;
    }

    public bool Remove(IPAddress address) => _neighbours.RemoveAll(neighbour => neighbour.Address.Equals(address)) > 0;

    public void Clear() => _neighbours.Clear();

    /// <summary>Sends a packet to a neighbour, now or once its address is known.</summary>
    public void Send(in IpPacket packet, IPAddress address)
    {
        Neighbour neighbour = FindOrAdd(address);
        if (neighbour.HardwareAddress.Length != 0 && neighbour.State != NeighbourState.Failed)
        {
            device.SendFrame(neighbour.HardwareAddress, packet.Is4 ? EthernetFrame.Ip4 : EthernetFrame.Ip6, packet.Whole);
            return;
        }
        if (neighbour.Waiting.Count < MostWaiting)
            neighbour.Waiting.Add((packet, device.Network.World.Origin()));
        if (neighbour.Waiting.Count > 1)
            return;
        neighbour.State = NeighbourState.Incomplete;
        neighbour.Asked = 0;
        Ask(neighbour);
    }

    private void Ask(Neighbour neighbour)
    {
        if (neighbour.State != NeighbourState.Incomplete)
            return;
        if (neighbour.Asked++ == MostAsked || !device.IsUp)
        {
            GiveUp(neighbour);
            return;
        }
        if (IpPrefix.Is4(neighbour.Address))
            SendArp(Request, EthernetFrame.Broadcast, new byte[EthernetFrame.AddressLength], neighbour.Address);
        else
            Solicit(neighbour.Address);
        World world = device.Network.World;
        world.Schedule(world.Clock.Monotonic + AskInterval, () => Ask(neighbour));
    }

    private void GiveUp(Neighbour neighbour)
    {
        neighbour.State = NeighbourState.Failed;
        (IpPacket Packet, CallOrigin?)[] lost = [.. neighbour.Waiting];
        neighbour.Waiting.Clear();
        foreach ((IpPacket packet, _) in lost)
            device.Network.Internet.TellUnreachable(packet);
    }

    /// <summary>Notes where a neighbour is, and sends what waited for that.</summary>
    internal void Learn(IPAddress address, ReadOnlySpan<byte> hardware, bool addNew)
    {
        Neighbour? neighbour = addNew ? FindOrAdd(address) : Find(address);
        if (neighbour is null || neighbour.State == NeighbourState.Permanent)
            return;
        neighbour.HardwareAddress = hardware.ToArray();
        neighbour.State = NeighbourState.Reachable;
        (IpPacket Packet, CallOrigin? Sender)[] waiting = [.. neighbour.Waiting];
        neighbour.Waiting.Clear();
        World world = device.Network.World;
        CallOrigin? before = world.Sender;
        foreach ((IpPacket packet, CallOrigin? sender) in waiting)
        {
            world.Sender = sender;
            Send(packet, address);
        }
        world.Sender = before;
    }

    private void SendArp(ushort operation, ReadOnlySpan<byte> to, ReadOnlySpan<byte> targetHardware, IPAddress target)
    {
        if (device.Network.SourceOn(device, target) is not { } source)
            return;
        byte[] arp = new byte[ArpLength];
        // Ethernet, IPv4, and their addresses' lengths.
        ((ReadOnlySpan<byte>)[0, 1, 8, 0, 6, 4]).CopyTo(arp);
        BinaryPrimitives.WriteUInt16BigEndian(arp.AsSpan(6), operation);
        device.HardwareAddress.CopyTo(arp, 8);
        source.TryWriteBytes(arp.AsSpan(14), out _);
        targetHardware.CopyTo(arp.AsSpan(18));
        target.TryWriteBytes(arp.AsSpan(24), out _);
        device.SendFrame(to, EthernetFrame.Arp, arp);
    }

    internal void ReceiveArp(ReadOnlySpan<byte> arp)
    {
        if (arp.Length < ArpLength || (device.Flags & DeviceFlags.NoArp) != 0 || !arp[..6].SequenceEqual((ReadOnlySpan<byte>)[0, 1, 8, 0, 6, 4]))
            return;
        ushort operation = BinaryPrimitives.ReadUInt16BigEndian(arp[6..]);
        ReadOnlySpan<byte> senderHardware = arp.Slice(8, 6);
        IPAddress sender = new(arp.Slice(14, 4)), target = new(arp.Slice(24, 4));
        bool isForUs = device.Network.IsLocal(target);
        Learn(sender, senderHardware, addNew: isForUs && operation == Request);
        if (operation != Request || !isForUs)
            return;
        byte[] answer = arp[..ArpLength].ToArray();
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(6), Reply);
        device.HardwareAddress.CopyTo(answer, 8);
        arp.Slice(24, 4).CopyTo(answer.AsSpan(14));
        arp.Slice(8, 10).CopyTo(answer.AsSpan(18));
        device.SendFrame(senderHardware, EthernetFrame.Arp, answer);
    }

    /// <summary>Asks for an IPv6 neighbour at its solicited-node group (RFC 4861 section 4.3).</summary>
    private void Solicit(IPAddress target)
    {
        if (device.Network.SourceOn(device, target) is not { } source)
            return;
        byte[] bytes = target.GetAddressBytes();
        IPAddress group = new([0xFF, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, bytes[13], bytes[14], bytes[15]]);
        byte[] message = [Icmp.NeighbourSolicitation, 0, 0, 0, 0, 0, 0, 0, .. bytes, 1, 1, .. device.HardwareAddress];
        SendDiscovery(message, source, group, EthernetFrame.GroupOf(group));
    }

    private void SendDiscovery(byte[] message, IPAddress source, IPAddress to, ReadOnlySpan<byte> hardware)
    {
        Icmp.Seal(message, is4: false, source, to);
        device.SendFrame(hardware, EthernetFrame.Ip6, IpPacket.Make(source, to, IpProtocol.Icmp6, message, hops: byte.MaxValue).Whole);
    }

    /// <summary>Takes neighbour discovery's messages; false for all others.</summary>
    internal bool ReceiveDiscovery(in IpPacket packet)
    {
        const int targetEnd = 24;
        if (packet.Is4 || packet.Protocol != IpProtocol.Icmp6 || packet.Payload.Length < targetEnd)
            return false;
        ReadOnlySpan<byte> message = packet.Payload;
        if (message[0] is not (Icmp.NeighbourSolicitation or Icmp.NeighbourAdvertisement))
            return false;
        // Only a neighbour can have sent it (RFC 4861 section 7.1).
        if (packet.Hops != byte.MaxValue || !Icmp.IsIntact(packet))
            return true;
        IPAddress target = new(message.Slice(8, 16));
        ReadOnlySpan<byte> hardware = message.Length >= targetEnd + 8 ? message.Slice(targetEnd + 2, EthernetFrame.AddressLength) : default;
        if (message[0] == Icmp.NeighbourAdvertisement)
        {
            if (hardware.Length > 0)
                Learn(target, hardware, addNew: false);
            return true;
        }
        if (!device.Network.IsLocal(target) || hardware.Length == 0)
            return true;
        Learn(packet.Source, hardware, addNew: true);
        byte[] answer = [Icmp.NeighbourAdvertisement, 0, 0, 0, 0x60, 0, 0, 0, .. message.Slice(8, 16), 2, 1, .. device.HardwareAddress];
        SendDiscovery(answer, target, packet.Source, hardware);
        return true;
    }
}
