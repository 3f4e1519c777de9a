using System.Buffers.Binary;
using System.Net;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net.Packets;

namespace Vivarium.Emulator.Kernel.Net.Devices;

/// <summary>A device whose other side is a program (tun(4)).</summary>
public interface ITunnelDevice
{
    NetDevice Device { get; }

    /// <summary>Who reads and writes its packets; null while nobody does.</summary>
    TunnelFile? File { get; set; }

    /// <summary>It stays when nobody has it open (TUNSETPERSIST).</summary>
    bool IsPersistent { get; set; }
}

/// <summary>tun: a program sends and receives IP packets.</summary>
public sealed class TunDevice : NetDevice, ITunnelDevice
{
    public TunDevice(Network network, string name)
        : base(network, name, LinkKind.None, 1500)
    {
        Flags = DeviceFlags.PointToPoint | DeviceFlags.NoArp | DeviceFlags.Multicast;
        QueueLength = TunnelFile.MostWaiting;
    }

    public NetDevice Device => this;

    public TunnelFile? File { get; set; }

    public bool IsPersistent { get; set; }

    public override string? DriverName => "tun";

    public override bool HasCarrier => File is not null;

    public override bool IsRemovable => true;

    public override void Send(in IpPacket packet, IPAddress nextHop)
    {
        Counters.CountSent(packet.Length);
        if (!IsUp || File is null || !File.Queue(packet.Whole, packet.Is4 ? EthernetFrame.Ip4 : EthernetFrame.Ip6))
            Counters.CountDropped();
    }

    internal override void OnRemoved() => File?.Detach();
}

/// <summary>tap: a program sends and receives Ethernet frames.</summary>
public sealed class TapDevice : EthernetDevice, ITunnelDevice
{
    public TapDevice(Network network, string name)
        : base(network, name)
    {
    }

    public NetDevice Device => this;

    public TunnelFile? File { get; set; }

    public bool IsPersistent { get; set; }

    public override string? DriverName => "tun";

    public override bool HasCarrier => File is not null;

    public override bool IsRemovable => true;

    protected override void Transmit(byte[] frame)
    {
        if (File is null || !File.Queue(frame, EthernetFrame.TypeOf(frame)))
            Counters.CountDropped();
    }

    internal override void OnRemoved() => File?.Detach();
}

/// <summary>An open /dev/net/tun: packets come out by read and go in by write, one at a time.</summary>
public sealed class TunnelFile(World world, Network network, Inode inode, PathEntry path, OpenFlags flags) : OpenFile(flags)
{
    public const int MostWaiting = 500;

    private const int InformationLength = 4;
    private const ushort WasCut = 1;

    private readonly Queue<(byte[] Bytes, ushort Type)> _waiting = new();

    public Network Network { get; } = network;

    /// <summary>The device; null until it is chosen.</summary>
    public ITunnelDevice? Tunnel { get; private set; }

    /// <summary>Each packet comes behind its flags and protocol (not IFF_NO_PI).</summary>
    public bool HasInformation { get; set; }

    public override Inode Inode => inode;

    public override PathEntry? Path => path;

    public void Attach(ITunnelDevice tunnel)
    {
        Tunnel = tunnel;
        tunnel.File = this;
        tunnel.Device.Network.OnCarrierChange(tunnel.Device);
    }

    internal void Detach()
    {
        Tunnel = null;
        _waiting.Clear();
        Source.Pulse(Readiness.Any);
    }

    internal bool Queue(ReadOnlySpan<byte> packet, ushort type)
    {
        if (_waiting.Count >= MostWaiting)
            return false;
        _waiting.Enqueue((packet.ToArray(), type));
        Source.Pulse(Readiness.In);
        return true;
    }

    public override IoResult Read(Span<byte> destination)
    {
        if (Tunnel is null)
            return Errno.EBADFD;
        if (_waiting.Count == 0)
            return IoResult.WouldBlock;
        (byte[] packet, ushort type) = _waiting.Dequeue();
        int header = HasInformation ? InformationLength : 0;
        if (destination.Length < header)
            return Errno.EINVAL;
        int count = Math.Min(packet.Length, destination.Length - header);
        if (HasInformation)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(destination, count < packet.Length ? WasCut : (ushort)0);
            BinaryPrimitives.WriteUInt16BigEndian(destination[2..], type);
        }
        packet.AsSpan(0, count).CopyTo(destination[header..]);
        return header + count;
    }

    public override IoResult Write(ReadOnlySpan<byte> source)
    {
        if (Tunnel is not { } tunnel)
            return Errno.EBADFD;
        int header = HasInformation ? InformationLength : 0;
        ReadOnlySpan<byte> packet = source.Length < header ? default : source[header..];
        if (source.Length < header || packet.Length < (tunnel is TapDevice ? EthernetFrame.HeaderLength : 1))
            return Errno.EINVAL;
        if (tunnel is TunDevice && packet[0] >> 4 is not (4 or 6))
            return Errno.EINVAL;
        if (!tunnel.Device.IsUp)
            return Errno.EIO;
        world.Packets.Add(tunnel.Device, packet.ToArray());
        return source.Length;
    }

    public override Readiness Poll() => Tunnel is null ? Readiness.Error
        : (_waiting.Count > 0 ? Readiness.In : 0) | (Tunnel.Device.IsUp ? Readiness.Out : 0);

    protected override void OnLastClose()
    {
        if (Tunnel is not { } tunnel)
            return;
        tunnel.File = null;
        if (tunnel.IsPersistent)
            tunnel.Device.Network.OnCarrierChange(tunnel.Device);
        else
            tunnel.Device.Network.Remove(tunnel.Device);
    }

    /// <summary>Opens /dev/net/tun.</summary>
    public static Errno Open(Inode inode, PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        file = new TunnelFile(call.World, call.Thread.Namespaces.Network, inode, path, flags);
        return Errno.None;
    }
}
