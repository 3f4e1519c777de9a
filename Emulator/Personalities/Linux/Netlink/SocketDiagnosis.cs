using System.Buffers.Binary;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Packets;
using Vivarium.Emulator.Kernel.Net.Tcp;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.Linux.Netlink;

/// <summary>sock_diag(7): lists sockets, as ss(8) asks for them.</summary>
internal sealed class SocketDiagnosis : INetlinkProtocol
{
    private const ushort ByFamily = 20;
    private const int InternetRequest = 56, UnixRequest = 24;

    public static SocketDiagnosis Instance { get; } = new();

    public Errno Handle(CallContext call, Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        if (request.Type != ByFamily)
            return Errno.EINVAL;
        if (request.Body.Length < 2)
            return Errno.EINVAL;
        switch ((ushort)request.Body[0])
        {
            case SocketNames.Internet4 or SocketNames.Internet6 when request.Body.Length >= InternetRequest:
                return ListInternet(network, request, reply);
            case SocketNames.Unix when request.Body.Length >= UnixRequest:
                return ListUnix(network, request, reply);
            // Families that have sockets here, but tell no details of them.
            case SocketNames.Netlink or SocketNames.Packet when request.IsDump:
                return Errno.None;
            default:
                return Errno.ENOENT;
        }
    }

    private static Errno ListInternet(Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        SocketFamily family = request.Body[0] == SocketNames.Internet4 ? SocketFamily.Internet4 : SocketFamily.Internet6;
        byte protocol = request.Body[1];
        uint states = BinaryPrimitives.ReadUInt32LittleEndian(request.Body[4..]);
        if (protocol is not (IpProtocol.Tcp or IpProtocol.Udp or IpProtocol.Raw))
            return Errno.ENOENT;
        foreach (Socket socket in network.Sockets)
        {
            bool isOfKind = protocol == IpProtocol.Raw ? socket is RawSocket : socket.Protocol == protocol && socket is StreamSocket or DatagramSocket;
            if (!isOfKind || socket.Family != family || (socket.Local is null && socket is not RawSocket))
                continue;
            byte state = StateOf(socket);
            if ((states >> state & 1) != 0)
                reply.Add(WriteInternet(request, socket, state));
        }
        return Errno.None;
    }

    /// <summary>Datagram sockets count as closed until they are connected.</summary>
    public static byte StateOf(Socket socket) =>
        (byte)(socket is StreamSocket stream ? SocketOptionValues.StateOf(stream) : socket.Remote is null ? TcpState.Closed : TcpState.Established);

    private static NetlinkWriter WriteInternet(in NetlinkRequest request, Socket socket, byte state)
    {
        Span<byte> addresses = stackalloc byte[36];
        addresses.Clear();
        WriteEnd(socket, socket.Local as InternetAddress, addresses, addresses[4..]);
        WriteEnd(socket, socket.Remote as InternetAddress, addresses[2..], addresses[20..]);
        bool listens = socket.IsListening;
        return request.Answer(ByFamily, request.IsDump)
            .Put((ReadOnlySpan<byte>)[(byte)SocketNames.FamilyOf(socket.Family), state, 0, 0]).Put(addresses).Put(socket.BoundDevice).Put(socket.Number)
            .Put(0u).Put((uint)(listens ? ((StreamSocket)socket).Waiting : socket.Pending ?? 0)).Put((uint)(listens ? ((StreamSocket)socket).Backlog : 0))
            .Put(socket.Owner).Put((uint)socket.Number).Attribute(8, (byte)0);
    }

    private static void WriteEnd(Socket socket, InternetAddress? address, Span<byte> port, Span<byte> host)
    {
        if (address is null)
            return;
        BinaryPrimitives.WriteUInt16BigEndian(port, (ushort)address.Port);
        (socket.Family == SocketFamily.Internet6 ? address.Address.MapToIPv6() : address.Address).TryWriteBytes(host, out _);
    }

    private static Errno ListUnix(Network network, in NetlinkRequest request, NetlinkReply reply)
    {
        const ushort name = 0, peer = 2, queue = 4;
        uint states = BinaryPrimitives.ReadUInt32LittleEndian(request.Body[4..]);
        foreach (Socket socket in network.Sockets)
        {
            if (socket.Family != SocketFamily.Unix)
                continue;
            byte state = socket is StreamSocket { IsListening: true } ? (byte)TcpState.Listen
                : socket is StreamSocket { IsConnected: true } || socket.Remote is not null ? (byte)TcpState.Established : (byte)TcpState.Closed;
            if ((states >> state & 1) == 0)
                continue;
            byte kind = socket.Kind switch { SocketKind.Stream => 1, SocketKind.Datagram => 2, _ => 5 };
            NetlinkWriter message = request.Answer(ByFamily, request.IsDump).Put((ReadOnlySpan<byte>)[(byte)SocketNames.Unix, kind, state, 0]).Put((uint)socket.Number).Put(socket.Number);
            if (socket.Local is UnixPath { Path.Length: > 0 } path)
                message.Attribute(name, path.Path);
            else if (socket.Local is UnixAbstract hidden)
                message.Attribute(name, [0, .. Encoding.Latin1.GetBytes(hidden.Name)]);
            if (socket is StreamSocket { Peer: { } other })
                message.Attribute(peer, (uint)other.Number);
            message.Attribute(queue, (ulong)(uint)(socket is StreamSocket { IsListening: true } listener ? listener.Waiting : socket.Pending ?? 0));
            reply.Add(message);
        }
        return Errno.None;
    }
}
