using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Kernel.Net.Packets;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>Sees and sends the frames of devices (packet(7)).</summary>
public sealed class PacketSocket : PacketQueueSocket
{
    private const ushort AllTypes = 0x0003;
    private const byte ToUs = 0, ToAll = 1, ToGroup = 2, ToOther = 3, FromUs = 4;

    private ushort _type;
    private uint _taken, _lost;

    public PacketSocket(Network network, bool isRaw, ushort type, OpenFlags flags)
        : base(network, SocketFamily.Packet, isRaw ? SocketKind.Raw : SocketKind.Datagram, type, flags)
    {
        _type = type;
        Local = new LinkAddress(type, 0, []);
    }

    /// <summary>Frames come and go whole; otherwise without their header.</summary>
    public bool IsRaw => Kind == SocketKind.Raw;

    /// <summary>The type of frames that it takes; 0 = none.</summary>
    public ushort FrameType => _type;

    /// <summary>Rings of frames in memory that it shares with its user; null = none.</summary>
    public FrameRings? Rings { get; set; }

    /// <summary>Those it shares its frames with; null = none.</summary>
    public FrameFanout? Fanout { get; set; }

    /// <summary>What it sends itself, and others here do, is not shown to it.</summary>
    public bool IgnoresOutgoing { get; set; }

    /// <summary>Bytes before each frame that tell of offloading (struct virtio_net_hdr); 0 = none. All of them 0, as nothing is offloaded.</summary>
    public int OffloadHeader { get; set; }

    /// <summary>Frames taken and frames lost since this was last asked.</summary>
    public (uint Taken, uint Lost) TakeCounts()
    {
        (uint, uint) counts = (_taken, _lost);
        (_taken, _lost) = (0, 0);
        return counts;
    }

    /// <summary>Frames were lost and nobody was told.</summary>
    public bool HasLost => _lost != 0;

    public override Errno Bind(CallContext call, SocketAddress address)
    {
        if (address is not LinkAddress link)
            return Errno.EINVAL;
        if (Fanout is not null)
            return Errno.EINVAL;
        NetDevice? device = Network.FindDevice(link.Device);
        if (link.Device != 0 && device is null)
            return Errno.ENODEV;
        ushort type = link.Protocol != 0 ? link.Protocol : _type;
        bool isSame = type == _type && BoundDevice == link.Device;
        (BoundDevice, _type) = (link.Device, type);
        Local = new LinkAddress(_type, BoundDevice, device?.HardwareAddress ?? []) { HardwareType = device is null ? (ushort)0 : HardwareTypeOf(device) };
        if (isSame || type == 0 || device is not { IsUp: false })
            return Errno.None;
        // It is bound all the same: that nothing comes is told later (packet_do_bind in net/packet/af_packet.c).
        PendingError = Errno.ENETDOWN;
        Source.Pulse(Readiness.Error);
        return Errno.None;
    }

    public override Errno Connect(CallContext call, SocketAddress? address) => Errno.EOPNOTSUPP;

    /// <summary>ARPHRD_ETHER, ARPHRD_LOOPBACK, ARPHRD_NONE.</summary>
    public static ushort HardwareTypeOf(NetDevice device) => device.Kind switch { LinkKind.Ethernet => 1, LinkKind.Loopback => 772, _ => 0xFFFE };

    internal void Take(NetDevice device, ReadOnlySpan<byte> frame, bool isOutgoing, ushort? type = null)
    {
        if (_type == 0 || (BoundDevice != 0 && BoundDevice != device.Index))
            return;
        bool hasHeader = device.Kind != LinkKind.None;
        ushort actual = type ?? EthernetFrame.TypeOf(frame);
        // Those who listen to one type do not see what is sent, and nobody what it sent itself.
        if (_type != AllTypes && (_type != actual || isOutgoing))
            return;
        if (isOutgoing && (IgnoresOutgoing || Network.FrameSender == this))
            return;
        ReadOnlySpan<byte> to = hasHeader ? frame[..EthernetFrame.AddressLength] : default;
        byte kind = isOutgoing ? FromUs : !hasHeader || to.SequenceEqual(device.HardwareAddress) ? ToUs : to.SequenceEqual(EthernetFrame.Broadcast) ? ToAll
            : EthernetFrame.IsGroup(to) ? ToGroup : ToOther;
        byte[] sender = hasHeader ? frame.Slice(EthernetFrame.AddressLength, EthernetFrame.AddressLength).ToArray() : [];
        var from = new LinkAddress(actual, device.Index, sender) { HardwareType = HardwareTypeOf(device), PacketType = kind };
        if (Fanout is null)
            Take(frame, hasHeader ? EthernetFrame.HeaderLength : 0, from);
        else if (Fanout.IsFirst(this))
            Fanout.Choose(frame, hasHeader ? EthernetFrame.HeaderLength : 0)?.Take(frame, hasHeader ? EthernetFrame.HeaderLength : 0, from);
    }

    /// <summary>It has room for a frame of usual length.</summary>
    internal bool HasRoom => Rings is { Receives: true } rings ? rings.HasRoom : Queue.Room > 2048;

    private void Take(ReadOnlySpan<byte> frame, int header, LinkAddress from)
    {
        ReadOnlySpan<byte> shown = IsRaw ? frame : frame[header..];
        int shownHeader = IsRaw ? header : 0;
        int kept = shown.Length;
        if (MessageFilter is { } filter)
        {
            kept = (int)Math.Min((uint)kept, filter.Run(shown, new FilterFacts(from.Protocol, from.PacketType, from.Device, from.HardwareType, shownHeader)));
            if (kept == 0)
                return;
        }
        bool isTaken = Rings is { Receives: true } rings ? rings.Take(shown, kept, shownHeader, from) : Enqueue(shown[..kept], from);
        _taken += isTaken ? 1u : 0;
        _lost += isTaken ? 0 : 1u;
        if (isTaken)
            return;
    }

    private bool Enqueue(ReadOnlySpan<byte> shown, LinkAddress from)
    {
        int size = shown.Length + OffloadHeader;
        if (Queue.Room < size || ReadShut || !Queue.HasMemory)
            return false;
        if (OffloadHeader == 0)
        {
            Take(shown, from, null);
            return true;
        }
        byte[] whole = new byte[size];
        shown.CopyTo(whole.AsSpan(OffloadHeader));
        Take(whole, from, null);
        return true;
    }

    public override Readiness Poll()
    {
        Readiness ready = base.Poll();
        return Rings is { } rings ? (rings.Receives ? ready | rings.Poll() : ready) : ready;
    }

    public override MemoryObject? MapObject(ref ulong offset) => Rings?.Content;

    public override Errno CheckMapping(ulong offset, ulong length) => offset == 0 && Rings is { } rings && rings.Content is not null && (ulong)rings.Length == length ? Errno.None : Errno.EINVAL;

    public override IoResult Send(CallContext call, ReadOnlySpan<byte> bytes, SocketAddress? to, Ancillary ancillary)
    {
        var target = to as LinkAddress;
        int index = target?.Device ?? BoundDevice;
        if (Network.FindDevice(index) is not { } device)
            return Errno.ENXIO;
        if (!device.IsUp)
            return Errno.ENETDOWN;
        if (Rings is { Sends: true } rings)
            return rings.Send(this, device, target);
        if (bytes.Length < OffloadHeader)
            return Errno.EINVAL;
        IoResult sent = SendFrame(device, bytes[OffloadHeader..], target);
        return sent.Error != Errno.None ? sent : bytes.Length;
    }

    /// <summary>Sends one frame, or what becomes one on the way to <paramref name="target"/>.</summary>
    public IoResult SendFrame(NetDevice device, ReadOnlySpan<byte> bytes, LinkAddress? target)
    {
        int header = device.Kind != LinkKind.None && IsRaw ? EthernetFrame.HeaderLength : 0;
        if (bytes.Length < header)
            return Errno.EINVAL;
        if (bytes.Length > device.Mtu + header)
            return Errno.EMSGSIZE;
        ushort type = target is { Protocol: not 0 } ? target.Protocol : _type;
        Network.FrameSender = this;
        if (device is EthernetDevice ethernet && IsRaw)
            ethernet.SendFrame(bytes.ToArray());
        else if (device is EthernetDevice cooked)
            cooked.SendFrame(target?.Hardware is { Length: EthernetFrame.AddressLength } hardware ? hardware : EthernetFrame.Broadcast, type, bytes);
        else if (IpPacket.TryParse(bytes[header..].ToArray(), out IpPacket packet))
            device.Send(packet, packet.Destination);
        else if (device.Kind == LinkKind.Loopback)
            Return(device, IsRaw ? bytes : EthernetFrame.Make(new byte[EthernetFrame.AddressLength], new byte[EthernetFrame.AddressLength], type, bytes));
        Network.FrameSender = null;
        return bytes.Length;
    }

    /// <summary>What is no packet comes back to those who look at frames, and to nobody else.</summary>
    private void Return(NetDevice device, ReadOnlySpan<byte> frame)
    {
        Network.TapFrame(device, frame, isOutgoing: true);
        Network.FrameSender = null;
        Network.TapFrame(device, frame, isOutgoing: false);
    }

    protected override void OnLastClose()
    {
        Fanout?.Leave(this);
        Rings?.Close();
        base.OnLastClose();
    }
}
