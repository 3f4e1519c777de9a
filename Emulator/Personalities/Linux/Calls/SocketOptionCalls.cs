using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Kernel.Net.Packets;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>setsockopt(2): socket(7), tcp(7), udp(7), ip(7), ipv6(7), packet(7). Reading them is <see cref="SocketOptionValues"/>'s.</summary>
public static class SocketOptionCalls
{
    private const int LongestName = 15;

    public static CallResult Setsockopt(CallContext call, int fd, int level, int name, GuestAddress value, int length)
    {
        Errno error = SocketCalls.Find(call, fd, out Socket socket);
        if (error != Errno.None)
            return error;
        if (length < 0)
            return Errno.EINVAL;
        if (SetStructure(call, socket, level, name, value, length) is { } done)
            return done;
        if (!SocketOptions.TryFind(socket, level, name, out SocketOption option) || option.Rule == OptionRule.ReadOnly)
            return socket.Family == SocketFamily.Unix && level != SocketOptions.Socket ? Errno.EOPNOTSUPP : Errno.ENOPROTOOPT;
        if (option.Rule == OptionRule.Opaque)
            return 0;
        int number = 0;
        if (length < sizeof(int) && level is not SocketOptions.Ip)
            return Errno.EINVAL;
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<int>(ref number));
        // ip(7)'s small numbers may come as one byte.
        if (!call.Memory.TryRead(value, length >= sizeof(int) ? bytes : bytes[..Math.Min(length, 1)]))
            return Errno.EFAULT;
        return Set(call, socket, level, name, option, number);
    }

    /// <summary>Of an option to be read: ENOPROTOOPT where the socket has options of the level at all, else EOPNOTSUPP.</summary>
    internal static Errno UnknownOption(Socket socket, int level)
    {
        bool hasLevel = level switch
        {
            SocketOptions.Socket => true,
            _ when socket.Family is SocketFamily.Unix => false,
            _ when socket.Family is not SocketFamily.Internet4 => true,
            SocketOptions.Ip => true,
            SocketOptions.Tcp => socket is StreamSocket,
            SocketOptions.Udp => socket is DatagramSocket,
            SocketOptions.Raw => socket is RawSocket,
            _ => false,
        };
        return hasLevel ? Errno.ENOPROTOOPT : Errno.EOPNOTSUPP;
    }

    private static CallResult? SetStructure(CallContext call, Socket socket, int level, int name, GuestAddress value, int length) => (level, name) switch
    {
        (SocketOptions.Socket, 20 or 21 or 66 or 67) => SetTimeout(call, socket, name is 20 or 66, value, length),
        (SocketOptions.Socket, 13) => SetLinger(call, socket, value, length),
        (SocketOptions.Socket, _) when FilterOptionCalls.Set(call, socket, name, value, length) is { } filtered => filtered,
        (SocketOptions.Ip6, 1) when socket is { Family: SocketFamily.Internet6 } and (StreamSocket or DatagramSocket) => SetForm(call, socket, value, length),
        (SocketOptions.Packet, _) when socket is PacketSocket packet => PacketOptionCalls.Set(call, packet, name, value, length),
        (SocketOptions.Socket, 25) => BindToDevice(call, socket, value, length),
        (SocketOptions.Ip or SocketOptions.Ip6, _) when MembershipOptions.Set(call, socket, level, name, value, length) is { } joined => joined,
        (SocketOptions.Tcp, 13) when socket is StreamSocket { Family: not SocketFamily.Unix } => SetCongestionControl(call, value, length),
        (SocketOptions.Raw, 1) or (SocketOptions.Icmp6, 1) when socket is RawSocket raw => SetFilter(call, raw, level, value, length),
        (SocketOptions.Netlink, 1 or 2) when socket is Netlink.NetlinkSocket netlink => netlink.SetMembership(call, value, length, joins: name == 1),
        _ => null,
    };

    private static Errno Set(CallContext call, Socket socket, int level, int name, in SocketOption option, int number)
    {
        if (option.Rule == OptionRule.Flag)
            number = number != 0 ? 1 : 0;
        if (option.Rule == OptionRule.Byte && number is < -1 or > byte.MaxValue)
            return Errno.EINVAL;
        Errno error = Check(call, socket, level, name, number);
        if (error != Errno.None)
            return error;
        if (option.Rule == OptionRule.Byte && number == -1)
            number = option.Default;
        // The lowest bits of a stream's class are the network's own (ECN).
        if ((level, name) == (SocketOptions.Ip, 1) && socket.Kind == SocketKind.Stream)
            number &= ~3;
        Apply(socket, level, name, number);
        return Errno.None;
    }

    private static Errno Check(CallContext call, Socket socket, int level, int name, int number)
    {
        bool isPrivileged = call.Thread.Credentials.Has(Capability.AdministerNetwork);
        return (level, name) switch
        {
            (SocketOptions.Socket, 12) when number is < 0 or > 6 && !isPrivileged => Errno.EPERM,
            (SocketOptions.Socket, 1 or 32 or 33 or 36) when !isPrivileged && (name != 1 || number != 0) => name == 1 ? Errno.EACCES : Errno.EPERM,
            (SocketOptions.Socket, 62) when number != 0 && call.Thread.Namespaces.Network.FindDevice(number) is null => Errno.ENODEV,
            (SocketOptions.Socket, 15) when socket.Family == SocketFamily.Unix => Errno.EOPNOTSUPP,
            (SocketOptions.Ip, 2) when number == 0 => Errno.EINVAL,
            (SocketOptions.Ip, 3 or 22) when socket.Kind != SocketKind.Raw => Errno.ENOPROTOOPT,
            (SocketOptions.Ip, 5) when socket.Kind != SocketKind.Raw => Errno.EINVAL,
            (SocketOptions.Ip, 25) when socket.Kind == SocketKind.Stream => Errno.EINVAL,
            (SocketOptions.Ip, 32 or 33) when socket.Kind == SocketKind.Stream => Errno.EINVAL,
            (SocketOptions.Ip, 10) when number is < 0 or > 5 => Errno.EINVAL,
            (SocketOptions.Ip, 19) when number != 0 && !isPrivileged => Errno.EPERM,
            (SocketOptions.Ip, 50) => Errno.EADDRNOTAVAIL,
            (SocketOptions.Ip6, 17 or 18) when socket.Kind == SocketKind.Stream => Errno.ENOPROTOOPT,
            (SocketOptions.Ip6, 26) when socket.Local is not null || socket.Kind == SocketKind.Raw => Errno.EINVAL,
            (SocketOptions.Ip6, 7) when number != -1 && number % 2 != 0 => Errno.EINVAL,
            (SocketOptions.Ip6, 76) => Errno.EADDRNOTAVAIL,
            (SocketOptions.Tcp, 2) when number is not 0 and (< 88 or > 32767) => Errno.EINVAL,
            (SocketOptions.Tcp, 4 or 5) when number is < 1 or > 32767 => Errno.EINVAL,
            (SocketOptions.Tcp, 6 or 7) when number is < 1 or > 127 => Errno.EINVAL,
            _ => Errno.None,
        };
    }

    private static void Apply(Socket socket, int level, int name, int number)
    {
        switch (level, name)
        {
            case (SocketOptions.Socket, 2):
                socket.ReuseAddress = number != 0;
                break;
            case (SocketOptions.Socket, 15):
                socket.ReusePort = number != 0;
                break;
            case (SocketOptions.Socket, 6):
                socket.MayBroadcast = number != 0;
                break;
            case (SocketOptions.Socket, 10):
                socket.KeepsUrgentInline = number != 0;
                break;
            case (SocketOptions.Socket, 16):
                socket.PassCredentials = number != 0;
                break;
            case (SocketOptions.Socket, 62):
                socket.BoundDevice = number;
                break;
            case (SocketOptions.Socket, 7 or 32):
                // The kernel doubles what is asked for, to have room for its own records.
                socket.SendBufferSize = Math.Max(SocketOptionValues.SmallestSendBuffer, 2 * Math.Clamp(number, 0, MessageQueue.DefaultCapacity));
                break;
            case (SocketOptions.Socket, 8 or 33):
                socket.ReceiveBufferSize = Math.Max(SocketOptionValues.SmallestReceiveBuffer, 2 * Math.Clamp(number, 0, MessageQueue.DefaultCapacity));
                break;
            case (SocketOptions.Ip6, 26):
                socket.IsVersion6Only = number != 0;
                break;
            case (SocketOptions.Ip, 15) or (SocketOptions.Ip6, 78):
                socket.BindsFreely = number != 0;
                break;
            case (SocketOptions.Ip, 3) when socket is RawSocket raw:
                raw.HeaderIncluded = number != 0;
                break;
            case (SocketOptions.Ip6, 7) when socket is RawSocket raw:
                raw.ChecksumOffset = number;
                break;
            default:
                ApplyPacketOption(socket, level, name, number);
                socket.OtherOptions[(level, name)] = number;
                break;
        }
    }

    private static void ApplyPacketOption(Socket socket, int level, int name, int number)
    {
        switch (level, name)
        {
            case (SocketOptions.Ip, 1) or (SocketOptions.Ip6, 67):
                socket.TrafficClass = (byte)number;
                break;
            case (SocketOptions.Ip, 2) or (SocketOptions.Ip6, 16):
                socket.Hops = (byte)number;
                break;
            case (SocketOptions.Ip, 33) or (SocketOptions.Ip6, 18):
                socket.Groups.Hops = (byte)number;
                break;
            case (SocketOptions.Ip, 34) or (SocketOptions.Ip6, 19):
                socket.Groups.Loops = number != 0;
                break;
            case (SocketOptions.Ip, 49) or (SocketOptions.Ip6, 29):
                socket.Groups.TakesAll = number != 0;
                break;
            case (SocketOptions.Ip6, 17):
                socket.Groups.Device = number;
                break;
            case (SocketOptions.Ip, 11) or (SocketOptions.Ip6, 25) when socket is DatagramSocket udp:
                udp.WantsErrors = number != 0;
                break;
        }
    }

    private static CallResult SetTimeout(CallContext call, Socket socket, bool isReceive, GuestAddress value, int length)
    {
        if (length < 16)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, out long seconds) || !call.Memory.TryRead(value + 8, out long microseconds))
            return Errno.EFAULT;
        if (microseconds is < 0 or >= 1_000_000)
            return Errno.EDOM;
        long nanoseconds = seconds < 0 ? 0 : Math.Min(seconds, int.MaxValue) * 1_000_000_000 + (microseconds * 1000);
        if (isReceive)
            socket.ReceiveTimeout = nanoseconds;
        else
            socket.SendTimeout = nanoseconds;
        return 0;
    }

    /// <summary>IPV6_ADDRFORM: the one form there is to change to is IPv4's.</summary>
    private static CallResult SetForm(CallContext call, Socket socket, GuestAddress value, int length)
    {
        if (length < sizeof(int))
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, out int family))
            return Errno.EFAULT;
        if (family != SocketNames.Internet4)
            return Errno.EINVAL;
        return socket is StreamSocket stream ? stream.BecomeVersion4() : ((DatagramSocket)socket).BecomeVersion4();
    }

    private static CallResult SetLinger(CallContext call, Socket socket, GuestAddress value, int length)
    {
        if (length < 8)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, out int isOn) || !call.Memory.TryRead(value + 4, out int seconds))
            return Errno.EFAULT;
        socket.Linger = isOn != 0 ? (true, seconds) : (false, socket.Linger.Seconds);
        return 0;
    }

    private static CallResult BindToDevice(CallContext call, Socket socket, GuestAddress value, int length)
    {
        Span<byte> bytes = stackalloc byte[LongestName];
        bytes = bytes[..Math.Min(length, LongestName)];
        if (!call.Memory.TryRead(value, bytes))
            return Errno.EFAULT;
        int end = bytes.IndexOf((byte)0);
        string name = System.Text.Encoding.Latin1.GetString(end < 0 ? bytes : bytes[..end]);
        NetDevice? device = name.Length == 0 ? null : socket.Network.FindDevice(name);
        if (name.Length != 0 && device is null)
            return Errno.ENODEV;
        socket.BoundDevice = device?.Index ?? 0;
        return 0;
    }

    private static CallResult SetCongestionControl(CallContext call, GuestAddress value, int length)
    {
        Span<byte> bytes = stackalloc byte[LongestName];
        bytes = bytes[..Math.Min(length, LongestName)];
        if (length < 1)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, bytes))
            return Errno.EFAULT;
        return bytes.SequenceEqual(SocketOptionValues.CongestionControl) || bytes.StartsWith((ReadOnlySpan<byte>)[.. SocketOptionValues.CongestionControl, 0]) ? 0 : Errno.ENOENT;
    }

    private static CallResult SetFilter(CallContext call, RawSocket socket, int level, GuestAddress value, int length)
    {
        int size = level == SocketOptions.Icmp6 ? 32 : 4;
        if (level == SocketOptions.Raw && socket.Protocol != IpProtocol.Icmp)
            return Errno.EOPNOTSUPP;
        return call.Memory.TryRead(value, MemoryMarshal.AsBytes(socket.Filter.AsSpan())[..Math.Min(length, size)]) ? 0 : Errno.EFAULT;
    }

    public static CallResult Getsockopt(CallContext call, int fd, int level, int name, GuestAddress value, GuestAddress lengthAt)
    {
        Errno error = SocketCalls.Find(call, fd, out Socket socket);
        if (error != Errno.None)
            return error;
        if (!call.Memory.TryRead(lengthAt, out int length))
            return Errno.EFAULT;
        if (length < 0)
            return Errno.EINVAL;
        Span<byte> bytes = stackalloc byte[SocketOptionValues.Largest];
        bytes.Clear();
        // Of packet(7), one option's value is a question.
        if (socket is PacketSocket && level == SocketOptions.Packet && !call.Memory.TryRead(value, bytes[..Math.Min(length, sizeof(int))]))
            return Errno.EFAULT;
        error = SocketOptionValues.Encode(call.Pids, socket, level, name, length, bytes, out int whole);
        // What does not fit is told by its length.
        if (error != Errno.None)
            return error == Errno.ERANGE && !call.Memory.TryWrite(lengthAt, whole) ? Errno.EFAULT : error;
        length = Math.Min(length, whole);
        return call.Memory.TryWrite(value, bytes[..length]) && call.Memory.TryWrite(lengthAt, length) ? 0 : Errno.EFAULT;
    }
}
