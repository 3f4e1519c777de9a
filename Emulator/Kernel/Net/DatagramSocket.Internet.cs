using System.Net;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Kernel.Net.Packets;

namespace Vivarium.Emulator.Kernel.Net;

/// <summary>UDP (udp(7)).</summary>
public sealed partial class DatagramSocket
{
    /// <summary>The largest payload over IPv4 and IPv6.</summary>
    private const int Largest4 = 65_507, Largest6 = 65_527;

    private IOutsideDatagrams? _outside;

    private Errno BindInternet(CallContext call, InternetAddress internet, out SocketAddress bound)
    {
        bound = internet;
        bool exists = IpPrefix.IsAny(internet.Address) || BindsFreely || IpPrefix.IsMulticast(internet.Address)
            || Network.IsLocal(internet.Address) || Network.IsBroadcast(internet.Address);
        if (!exists)
            return Errno.EADDRNOTAVAIL;
        Errno error = Network.Ports.Bind(this, call.Thread.Credentials.Has(Capability.BindLowPorts), ref internet);
        bound = internet;
        return error;
    }

    private Errno ConnectInternet(InternetAddress address)
    {
        InternetAddress target = Concrete(address);
        if (IsVersion6Only && IpPrefix.Is4(target.Address))
            return Errno.ENETUNREACH;
        if (!Network.Internet.TryRoute(target.Address, BoundDevice, out Hop hop, out Errno error))
        {
            if (Network.Outside is null)
                return error;
            hop = default;
        }
        if (hop.Kind == RouteKind.Broadcast && !MayBroadcast)
            return Errno.EACCES;
        if (Local is null && !TryAssign(target))
            return Errno.EAGAIN;
        Remote = target;
        return Errno.None;
    }

    private bool TryAssign(InternetAddress target)
    {
        IPAddress any = Family == SocketFamily.Internet6 && !IpPrefix.Is4(target.Address) ? IPAddress.IPv6Any : IPAddress.Any;
        Local = Network.Ports.Assign(this, any);
        return Local is not null;
    }

    /// <summary>Sending to "any" reaches the loopback address.</summary>
    private static InternetAddress Concrete(InternetAddress address) => address.IsAny ? address with { Address = IpPrefix.LoopbackOf(address.Address) } : address;

    private IoResult SendInternet(ReadOnlySpan<byte> bytes, InternetAddress to, PacketInfo? wishes)
    {
        if (to.Port == 0)
            return Errno.EINVAL;
        InternetAddress target = Concrete(to);
        bool is4 = IpPrefix.Is4(target.Address), isGroup = IpPrefix.IsMulticast(target.Address);
        if (bytes.Length > (is4 ? Largest4 : Largest6))
            return Errno.EMSGSIZE;
        if (IsVersion6Only && is4)
            return Errno.ENETUNREACH;
        int device = wishes is { Device: > 0 } ? wishes.Device : BoundDevice != 0 ? BoundDevice : isGroup ? Groups.Device : (int)ScopeOf(target.Address);
        if (!Network.Internet.TryRoute(target.Address, device, out Hop hop, out Errno error))
            return Network.Outside is null ? error : SendOutside(bytes, target);
        if ((hop.Kind == RouteKind.Broadcast || target.Address.Equals(IPAddress.Broadcast)) && !MayBroadcast)
            return Errno.EACCES;
        if (Local is null && !TryAssign(target))
            return Errno.EAGAIN;
        var local = (InternetAddress)Local!;
        IPAddress source = wishes is not null && !IpPrefix.IsAny(wishes.Destination) ? wishes.Destination
            : IpPrefix.IsAny(local.Address) || IpPrefix.IsMulticast(local.Address) ? hop.Source : local.Address;
        InternetAddress from = new(source, local.Port);
        target = target with { Address = IpPrefix.WithoutScope(target.Address) };
        if (hop.Kind == RouteKind.Local && Network.Watchers == 0)
            return SendInside(bytes, from, target, wishes);
        if (isGroup && Groups.Loops && hop.Device != Network.Loopback)
            LoopGroup(bytes, from, target, hop.Device);
        return SendPacket(bytes, from, target, hop.Device, wishes, isGroup);
    }

    private static long ScopeOf(IPAddress address) => IpPrefix.Is4(address) ? 0 : address.ScopeId;

    private IoResult SendPacket(ReadOnlySpan<byte> bytes, InternetAddress from, InternetAddress target, NetDevice device, PacketInfo? wishes, bool isGroup)
    {
        byte hops = wishes is { Hops: > 0 } ? wishes.Hops : isGroup ? Groups.Hops : Hops ?? IpPacket.DefaultHops;
        byte[] datagram = UdpDatagram.Make((byte)Protocol, from, target, bytes);
        IpPacket packet = IpPacket.Make(from.Address, target.Address, (byte)Protocol, datagram, hops, wishes?.Class ?? TrafficClass, Network.Internet.NextIdentifier());
        Errno error = Network.Internet.Send(packet, device);
        return error != Errno.None ? error : bytes.Length;
    }

    /// <summary>Without watchers a datagram that stays inside need not become a packet.</summary>
    private IoResult SendInside(ReadOnlySpan<byte> bytes, InternetAddress from, InternetAddress target, PacketInfo? wishes)
    {
        byte hops = wishes is { Hops: > 0 } ? wishes.Hops : Hops ?? IpPacket.DefaultHops;
        int device = Network.Loopback.Index;
        if (Network.Ports.FindDatagram(Protocol, target, from, device) is { } receiver)
            receiver.Deliver(bytes, from, new PacketInfo(target.Address, device, hops, wishes?.Class ?? TrafficClass, World.Clock.Realtime));
        else
            Refuse(bytes, target);
        return bytes.Length;
    }

    /// <summary>Members of a group on this system hear what it sends to it.</summary>
    private void LoopGroup(ReadOnlySpan<byte> bytes, InternetAddress from, InternetAddress target, NetDevice device)
    {
        var info = new PacketInfo(target.Address, device.Index, Groups.Hops, TrafficClass, World.Clock.Realtime);
        foreach (DatagramSocket member in Network.Ports.FindGroup(Protocol, target, from, device.Index))
            member.Deliver(bytes, from, info);
    }

    private IoResult SendOutside(ReadOnlySpan<byte> bytes, InternetAddress target)
    {
        if (Local is null && !TryAssign(target))
            return Errno.EAGAIN;
        _outside ??= Network.Outside!.OpenDatagrams((data, address, port) => World.Post(() =>
            Deliver(data, new InternetAddress(address, port), new PacketInfo(IPAddress.Any, 0, IpPacket.DefaultHops, 0, World.Clock.Realtime))));
        _outside.Send(bytes, target.Address, target.Port);
        return bytes.Length;
    }

    /// <summary>UDP drops what does not fit.</summary>
    internal void Deliver(ReadOnlySpan<byte> bytes, InternetAddress from, PacketInfo info)
    {
        if (IsClosed || Queue.Room < bytes.Length || (ReadShut && WriteShut))
            return;
        if (!Queue.HasMemory)
            return;
        if (MessageFilter is { } filter)
        {
            // It sees the header, too, which is never cut.
            const int header = 8;
            InternetAddress own = new(info.Destination, (Local as InternetAddress)?.Port ?? 0);
            byte[] datagram = UdpDatagram.Make((byte)Protocol, from, IpPrefix.Is4(own.Address) == IpPrefix.Is4(from.Address) ? own : own with { Address = from.Address }, bytes);
            uint kept = filter.Run(datagram, default);
            if (kept == 0)
                return;
            bytes = bytes[..(int)Math.Min((uint)bytes.Length, Math.Max(kept, header) - header)];
        }
        Queue.Add(bytes, from, Ancillary.None with { Packet = info });
        Source.Pulse(Arrival);
    }

    /// <summary>True when a connected socket takes datagrams of this sender.</summary>
    internal bool TakesFrom(InternetAddress sender) => Remote is not InternetAddress remote || remote == sender;
}
