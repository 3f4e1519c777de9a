using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.Bsd.Routing;

/// <summary>A socket to the routing table (route(4)): requests are answered to all who listen, and so is told what changes in the network.</summary>
internal sealed class RoutingSocket : PacketQueueSocket
{
    private readonly RoutingFormat _format;
    private readonly RoutingAddress _name;
    private readonly SortedSet<int> _known = [];
    private bool _isMuted;

    /// <param name="protocol">The AF_ whose messages it wants; 0 for all.</param>
    public RoutingSocket(Network network, RoutingFormat format, int protocol, OpenFlags flags)
        : base(network, SocketFamily.Routing, SocketKind.Raw, protocol, flags)
    {
        _format = format;
        _name = new RoutingAddress(format.RouteFamily);
        Local = Remote = _name;
        foreach (NetDevice device in network.Devices)
            _known.Add(device.Index);
        network.Changed += OnChange;
    }

    /// <summary>SO_USELOOPBACK: it gets the answers to its own requests.</summary>
    public bool HearsItself { get; set; } = true;

    public override Errno Bind(CallContext call, SocketAddress address) => Errno.EINVAL;

    public override Errno Connect(CallContext call, SocketAddress? address) => Errno.EINVAL;

    public override IoResult Send(CallContext call, ReadOnlySpan<byte> bytes, SocketAddress? to, Ancillary ancillary)
    {
        if (WriteShut)
            return Errno.EPIPE;
        if (bytes.Length < _format.RouteHeader || BinaryPrimitives.ReadUInt16LittleEndian(bytes) != bytes.Length)
            return Errno.EINVAL;
        CallContext asker = call ?? World.Current!.Call;
        byte[] answer = bytes.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(answer.AsSpan(RouteMessages.ProcessAt), asker.ProcessNumber);
        Errno error = Handle(asker, ref answer, out int family);
        if (error == Errno.None)
            answer[RouteMessages.FlagsAt] |= (byte)RoutingFormat.Done;
        else
            BinaryPrimitives.WriteInt32LittleEndian(answer.AsSpan(RouteMessages.ErrorAt), asker.Process.Personality.ErrorNumber(error));
        foreach (RoutingSocket listener in Listeners())
        {
            if (listener != this || HearsItself)
                listener.Hear(answer, family);
        }
        return error == Errno.None ? bytes.Length : error;
    }

    private Errno Handle(CallContext call, ref byte[] message, out int family)
    {
        family = 0;
        if (message[2] != _format.Version)
            return Errno.EPROTONOSUPPORT;
        Errno error = RouteRequest.Parse(_format, message, out RouteRequest request);
        if (error != Errno.None)
            return error;
        family = _format.FamilyOf(request.Destination!);
        if (request.Type != RoutingFormat.Get && !call.MayInNetwork(Network, Capability.AdministerNetwork))
            return _format.Refusal;
        Mute(true);
        error = RouteChanges.Apply(Network, _format, request, out RouteEntry? found);
        Mute(false);
        if (error == Errno.None && found is not null)
            message = Report(message, request, found);
        return error;
    }

    /// <summary>The route instead of what was asked; its device and source when they were asked for.</summary>
    private byte[] Report(byte[] message, RouteRequest request, RouteEntry found)
    {
        const uint device = 1 << RoutingFormat.DevicePlace, source = 1 << RoutingFormat.AddressPlace;
        byte[] header = message[.._format.RouteHeader];
        byte[]? gateway = _format.LinkAsked(request, found);
        uint flags = gateway is null ? found.Flags : (found.Flags & ~_format.LinkFlags) | RoutingFormat.LinkData;
        return RouteMessages.Write(_format, found, request.Type, header, (request.Asked & (device | source)) != 0, flags, gateway);
    }

    /// <summary>Those of one system: a request's answer is all that they are told of it.</summary>
    private List<RoutingSocket> Listeners()
    {
        var listeners = new List<RoutingSocket>();
        foreach (Socket socket in Network.Sockets)
        {
            if (socket is RoutingSocket other && other._format == _format)
                listeners.Add(other);
        }
        return listeners;
    }

    private void Mute(bool isMuted)
    {
        foreach (RoutingSocket listener in Listeners())
            listener._isMuted = isMuted;
    }

    private void Hear(byte[] message, int family)
    {
        if (Protocol == 0 || family == 0 || Protocol == family)
            Take(message, _name, null);
    }

    private void OnChange(NetworkChange change)
    {
        switch (change.What)
        {
            case NetDevice device when change.IsGone ? _known.Remove(device.Index) : _known.Add(device.Index):
                Hear(InterfaceMessages.OfArrival(_format, device, change.IsGone), 0);
                break;
            case NetDevice device:
                Hear(InterfaceMessages.OfDevice(_format, device, hasName: false), 0);
                break;
            case InterfaceAddress address:
                foreach (AddressLayout layout in _format.AddressLayouts)
                    Hear(InterfaceMessages.OfAddress(_format, layout, change.Device!, address, change.IsGone, hasDevice: true), _format.FamilyOf(address.Address));
                break;
            case GroupMembership membership when _format.GroupMessages is var (came, went):
                Hear(InterfaceMessages.OfGroup(_format, change.Device!, membership.Group, change.IsGone ? went : came), _format.FamilyOf(membership.Group));
                break;
            case Route route when !_isMuted && RouteEntry.Describe(Network, _format, route) is { } entry:
                byte what = change.IsGone ? RoutingFormat.Delete : RoutingFormat.Add;
                Hear(RouteMessages.Write(_format, entry, what, new byte[_format.RouteHeader], hasDevice: false, entry.Flags | RoutingFormat.Done), _format.FamilyOf(route.Destination));
                break;
        }
    }

    protected override void OnLastClose()
    {
        Network.Changed -= OnChange;
        base.OnLastClose();
    }
}
