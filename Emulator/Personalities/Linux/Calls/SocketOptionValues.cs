using System.Runtime.InteropServices;
using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Tcp;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>What getsockopt(2) tells.</summary>
internal static class SocketOptionValues
{
    /// <summary>The most bytes an option takes.</summary>
    public const int Largest = 512;

    public const int SmallestReceiveBuffer = 2304;
    public const int SmallestSendBuffer = 4608;
    private const int TcpSendBuffer = 16_384;
    private const int TcpReceiveBuffer = 131_072;
    private const int InfoSize = 256;

    public static ReadOnlySpan<byte> CongestionControl => "cubic"u8;

    /// <summary>Encodes an option; <paramref name="whole"/> is how long it is. ERANGE when <paramref name="room"/> must be as large and is not.</summary>
    public static Errno Encode(PidSpace reader, Socket socket, int level, int name, int room, Span<byte> bytes, out int whole)
    {
        whole = sizeof(int);
        if (socket is PacketSocket packet && level == SocketOptions.Packet)
            return PacketOptionCalls.Encode(packet, name, room, bytes, ref whole) ?? Errno.ENOPROTOOPT;
        bytes.Clear();
        if (Structure(reader, socket, level, name, room, bytes, ref whole) is { } error)
            return error;
        if (!SocketOptions.TryFind(socket, level, name, out SocketOption option) || option.Rule == OptionRule.WriteOnly)
            return SocketOptionCalls.UnknownOption(socket, level);
        if (option.Rule == OptionRule.Opaque && (level, name) != (SocketOptions.Socket, 14))
        {
            whole = 0;
            return Errno.None;
        }
        int value = Number(socket, level, name, option);
        MemoryMarshal.Write(bytes, value);
        // ip(7)'s small numbers fit in one byte when that is all there is room for.
        if (level == SocketOptions.Ip && room is > 0 and < sizeof(int) && value is >= 0 and <= byte.MaxValue)
            whole = 1;
        if (level == SocketOptions.Socket && name is 37 or 47)
        {
            whole = Math.Min(room, 8) == 8 ? 8 : 4;
            MemoryMarshal.Write(bytes, (long)value);
        }
        return Errno.None;
    }

    private static Errno? Structure(PidSpace reader, Socket socket, int level, int name, int room, Span<byte> bytes, ref int whole)
    {
        switch (level, name)
        {
            case (SocketOptions.Socket, 13):
                MemoryMarshal.Write(bytes, socket.Linger.IsOn ? 1 : 0);
                MemoryMarshal.Write(bytes[4..], socket.Linger.Seconds);
                whole = 8;
                return Errno.None;
            case (SocketOptions.Socket, 17):
                (KeptId? process, uint user, uint group) = socket.PeerCredentials;
                MemoryMarshal.Write(bytes, process?.In(reader) ?? 0);
                MemoryMarshal.Write(bytes[4..], user);
                MemoryMarshal.Write(bytes[8..], group);
                whole = 12;
                return Errno.None;
            case (SocketOptions.Socket, 20 or 21 or 66 or 67):
                long time = name is 20 or 66 ? socket.ReceiveTimeout : socket.SendTimeout;
                MemoryMarshal.Write(bytes, time / 1_000_000_000);
                MemoryMarshal.Write(bytes[8..], time % 1_000_000_000 / 1000);
                whole = 16;
                return Errno.None;
            case (SocketOptions.Socket, 25):
                return DeviceName(socket, room, bytes, out whole);
            case (SocketOptions.Socket, 28):
                if (socket.Remote is null)
                    return Errno.ENOTCONN;
                whole = SocketNames.Encode(socket.Family, socket.Remote, bytes);
                return room < whole ? Errno.EINVAL : Errno.None;
            case (SocketOptions.Socket, 55):
                whole = 36;
                MemoryMarshal.Write(bytes[4..], ReceiveBuffer(socket));
                MemoryMarshal.Write(bytes[12..], SendBuffer(socket));
                return Errno.None;
            case (SocketOptions.Socket, 57):
                whole = 8;
                MemoryMarshal.Write(bytes, socket.Number);
                return room < whole ? Errno.EINVAL : Errno.None;
            case (SocketOptions.Socket, 59):
                return PeerGroups(socket, room, bytes, out whole);
            case (SocketOptions.Socket, 77):
                return Errno.ENODATA;
            case (SocketOptions.Ip, 4) when socket.Family != SocketFamily.Unix:
                whole = 0;
                return Errno.None;
            case (SocketOptions.Ip, 14) or (SocketOptions.Ip6, 24) when socket.Family != SocketFamily.Unix && socket.Remote is null:
                return Errno.ENOTCONN;
            case (SocketOptions.Tcp, 11) when socket is StreamSocket { Family: not SocketFamily.Unix } stream:
                bytes[0] = (byte)StateOf(stream);
                whole = InfoSize;
                return Errno.None;
            case (SocketOptions.Tcp, 13) when socket is StreamSocket { Family: not SocketFamily.Unix }:
                CongestionControl.CopyTo(bytes);
                whole = 16;
                return Errno.None;
            case (SocketOptions.Raw, 1) or (SocketOptions.Icmp6, 1) when socket is RawSocket raw:
                whole = level == SocketOptions.Raw ? 4 : 32;
                MemoryMarshal.AsBytes(raw.Filter.AsSpan())[..whole].CopyTo(bytes);
                return Errno.None;
            case (SocketOptions.Netlink, 9) when socket is Netlink.NetlinkSocket netlink:
                return netlink.EncodeMemberships(bytes, out whole);
            default:
                return null;
        }
    }

    private static Errno DeviceName(Socket socket, int room, Span<byte> bytes, out int whole)
    {
        const int nameSize = 16;
        whole = 0;
        if (socket.BoundDevice == 0 || socket.Network.FindDevice(socket.BoundDevice) is not { } device)
            return Errno.None;
        if (room < nameSize)
            return Errno.EINVAL;
        whole = Encoding.Latin1.GetBytes(device.Name, bytes) + 1;
        return Errno.None;
    }

    private static Errno PeerGroups(Socket socket, int room, Span<byte> bytes, out int whole)
    {
        whole = 0;
        if (socket is not StreamSocket { PeerCredentials.Process: not null, Family: SocketFamily.Unix } stream)
            return Errno.ENODATA;
        whole = Math.Min(stream.PeerGroups.Length * sizeof(uint), bytes.Length);
        MemoryMarshal.AsBytes(stream.PeerGroups.AsSpan())[..whole].CopyTo(bytes);
        return room < whole ? Errno.ERANGE : Errno.None;
    }

    internal static TcpState StateOf(StreamSocket socket)
    {
        if (socket.IsListening)
            return TcpState.Listen;
        if (socket.IsConnecting)
            return TcpState.SynSent;
        if (!socket.IsConnected)
            return TcpState.Closed;
        bool hasEnded = socket.WriteShut, peerEnded = socket.PeerHasEnded;
        return (hasEnded, peerEnded) switch
        {
            (false, false) => TcpState.Established,
            (false, true) => TcpState.CloseWait,
            (true, false) => TcpState.FinWait2,
            _ => TcpState.Closed,
        };
    }

    internal static int ReceiveBuffer(Socket socket) =>
        socket.ReceiveBufferSize != 0 ? socket.ReceiveBufferSize : socket is StreamSocket { Protocol: 6 } ? TcpReceiveBuffer : MessageQueue.DefaultCapacity;

    internal static int SendBuffer(Socket socket) =>
        socket.SendBufferSize != 0 ? socket.SendBufferSize : socket is StreamSocket { Protocol: 6 } ? TcpSendBuffer : MessageQueue.DefaultCapacity;

    private static int Number(Socket socket, int level, int name, in SocketOption option) => (level, name) switch
    {
        (SocketOptions.Socket, 2) => socket.ReuseAddress ? 1 : 0,
        (SocketOptions.Socket, 3) => socket.Kind switch { SocketKind.Stream => 1, SocketKind.Datagram => 2, SocketKind.Raw => 3, _ => 5 },
        (SocketOptions.Socket, 4) => (int)socket.TakeError(),
        (SocketOptions.Socket, 6) => socket.MayBroadcast ? 1 : 0,
        (SocketOptions.Socket, 7) => SendBuffer(socket),
        (SocketOptions.Socket, 8) => ReceiveBuffer(socket),
        (SocketOptions.Socket, 10) => socket.KeepsUrgentInline ? 1 : 0,
        (SocketOptions.Socket, 15) => socket.ReusePort ? 1 : 0,
        (SocketOptions.Socket, 16) => socket.PassCredentials ? 1 : 0,
        (SocketOptions.Socket, 30) => socket.IsListening ? 1 : 0,
        (SocketOptions.Socket, 38) => socket.Protocol,
        (SocketOptions.Socket, 39) => SocketNames.FamilyOf(socket.Family),
        (SocketOptions.Socket, FilterOptionCalls.Lock) => socket.IsFilterLocked ? 1 : 0,
        (SocketOptions.Socket, 62) => socket.BoundDevice,
        (SocketOptions.Ip, 3) => socket is RawSocket { HeaderIncluded: true } ? 1 : 0,
        (SocketOptions.Ip, 15) or (SocketOptions.Ip6, 78) => socket.BindsFreely ? 1 : 0,
        (SocketOptions.Ip6, 26) => socket.IsVersion6Only ? 1 : 0,
        (SocketOptions.Ip6, 7) => (socket as RawSocket)?.ChecksumOffset ?? -1,
        (SocketOptions.Ip, 14) or (SocketOptions.Ip6, 24) => 65_535,
        _ => socket.OtherOptions.GetValueOrDefault((level, name), option.Default),
    };
}
