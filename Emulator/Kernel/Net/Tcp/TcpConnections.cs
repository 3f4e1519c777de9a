using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Kernel.Net.Packets;

namespace Vivarium.Emulator.Kernel.Net.Tcp;

/// <summary>A network's TCP connections to other networks, by their two ends.</summary>
public sealed class TcpConnections(Network network)
{
    private readonly Dictionary<(InternetAddress Local, InternetAddress Remote), TcpConnection> _all = [];

    internal Network Network => network;

    /// <summary>Begins a connection for a socket that has both its names.</summary>
    internal IConnectAttempt Open(StreamSocket socket)
    {
        var connection = new TcpConnection(this, (InternetAddress)socket.Local!, (InternetAddress)socket.Remote!);
        _all[(connection.Local, connection.Remote)] = connection;
        connection.Open(socket);
        return connection;
    }

    internal void Remove(TcpConnection connection) => _all.Remove((connection.Local, connection.Remote));

    internal void Receive(NetDevice device, in IpPacket packet)
    {
        if (!TcpSegment.TryParse(packet, out TcpSegment segment, out ReadOnlySpan<byte> data))
            return;
        var local = new InternetAddress(packet.Destination, segment.TargetPort);
        var remote = new InternetAddress(packet.Source, segment.SourcePort);
        bool isOpening = segment.Has(TcpFlags.Synchronize) && !segment.Has(TcpFlags.Acknowledge);
        if (_all.TryGetValue((local, remote), out TcpConnection? connection) && !(isOpening && connection.IsPast))
        {
            connection.Receive(segment, data);
            return;
        }
        if (isOpening && network.Ports.FindListener(local, remote, device.Index) is { } listener)
        {
            // A full listener does not answer: the caller tries again (tcp(7), tcp_abort_on_overflow).
            if (!listener.TakesMore)
                return;
            connection = new TcpConnection(this, local, remote);
            _all[(local, remote)] = connection;
            connection.Answer(listener, segment);
            return;
        }
        if (!segment.Has(TcpFlags.Reset))
            Refuse(local, remote, segment, data.Length);
    }

    /// <summary>Answers what belongs to no connection (RFC 9293 section 3.10.7.1).</summary>
    private void Refuse(InternetAddress local, InternetAddress remote, in TcpSegment segment, int length)
    {
        bool isAnswer = segment.Has(TcpFlags.Acknowledge);
        var reset = new TcpSegment
        {
            SourcePort = local.Port, TargetPort = remote.Port, Sequence = isAnswer ? segment.Acknowledged : 0,
            Acknowledged = isAnswer ? 0 : segment.Sequence + segment.SequenceLength(length), Flags = TcpFlags.Reset | (isAnswer ? 0 : TcpFlags.Acknowledge),
        };
        Send(local, remote, reset, default);
    }

    internal Errno Send(InternetAddress local, InternetAddress remote, in TcpSegment segment, ReadOnlySpan<byte> data, byte trafficClass = 0) =>
        network.Internet.Send(IpPacket.Make(local.Address, remote.Address, IpProtocol.Tcp, segment.ToBytes(local.Address, remote.Address, data), trafficClass: trafficClass));

    /// <summary>An ICMP error for a connection that is being made ends it; later ones are only hints (RFC 5461).</summary>
    internal void Fail(InternetAddress local, InternetAddress remote, Errno error)
    {
        if (_all.TryGetValue((local, remote), out TcpConnection? connection) && connection.State == TcpState.SynSent)
            connection.End(error);
    }
}
