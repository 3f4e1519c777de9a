using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Kernel.Net.Packets;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>Sees and sends the frames of devices (packet(7)).</summary>
public sealed class PacketSocket : PacketQueueSocket
{
    private const ushort AllTypes = 0x0003;
    private const byte ToUs = 0, ToAll = 1, ToGroup = 2, ToOther = 3, FromUs = 4;

    private ushort _type;

    public PacketSocket(Network network, bool isRaw, ushort type, OpenFlags flags)
        : base(network, SocketFamily.Packet, isRaw ? SocketKind.Raw : SocketKind.Datagram, type, flags)
    {
        _type = type;
        Local = new LinkAddress(type, 0, []);
    }

    /// <summary>Frames come and go whole; otherwise without their header.</summary>
    private bool IsRaw => Kind == SocketKind.Raw;

    public override Errno Bind(CallContext call, SocketAddress address)
    {
        if (address is not LinkAddress link)
            return Errno.EINVAL;
        NetDevice? device = Network.FindDevice(link.Device);
        if (link.Device != 0 && device is null)
            return Errno.ENODEV;
        BoundDevice = link.Device;
        _type = link.Protocol != 0 ? link.Protocol : _type;
        Local = new LinkAddress(_type, BoundDevice, device?.HardwareAddress ?? []) { HardwareType = device is null ? (ushort)0 : HardwareTypeOf(device) };
        return device is { IsUp: false } ? Errno.ENETDOWN : Errno.None;
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
        // Those who listen to one type do not see what is sent.
        if (_type != AllTypes && (_type != actual || isOutgoing))
            return;
        ReadOnlySpan<byte> to = hasHeader ? frame[..EthernetFrame.AddressLength] : default;
        byte kind = isOutgoing ? FromUs : !hasHeader || to.SequenceEqual(device.HardwareAddress) ? ToUs : to.SequenceEqual(EthernetFrame.Broadcast) ? ToAll
            : EthernetFrame.IsGroup(to) ? ToGroup : ToOther;
        byte[] sender = hasHeader ? frame.Slice(EthernetFrame.AddressLength, EthernetFrame.AddressLength).ToArray() : [];
        var from = new LinkAddress(actual, device.Index, sender) { HardwareType = HardwareTypeOf(device), PacketType = kind };
        Take(hasHeader && !IsRaw ? frame[EthernetFrame.HeaderLength..] : frame, from, null);
    }

    public override IoResult Send(CallContext call, ReadOnlySpan<byte> bytes, SocketAddress? to, Ancillary ancillary)
    {
        var target = to as LinkAddress;
        int index = target?.Device ?? BoundDevice;
        if (Network.FindDevice(index) is not { } device)
            return Errno.ENXIO;
        if (!device.IsUp)
            return Errno.ENETDOWN;
        int header = device.Kind != LinkKind.None && IsRaw ? EthernetFrame.HeaderLength : 0;
        if (bytes.Length < header)
            return Errno.EINVAL;
        if (bytes.Length > device.Mtu + header)
            return Errno.EMSGSIZE;
        ushort type = target is { Protocol: not 0 } ? target.Protocol : _type;
        if (device is EthernetDevice ethernet && IsRaw)
            ethernet.SendFrame(bytes.ToArray());
        else if (device is EthernetDevice cooked)
            cooked.SendFrame(target?.Hardware is { Length: EthernetFrame.AddressLength } hardware ? hardware : EthernetFrame.Broadcast, type, bytes);
        else if (IpPacket.TryParse(bytes[header..].ToArray(), out IpPacket packet))
            device.Send(packet, packet.Destination);
        return bytes.Length;
    }
}
