using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>getsockopt(2) and setsockopt(2): socket(7), tcp(7), ip(7), ipv6(7).</summary>
public static class SocketOptionCalls
{
    private const int SocketLevel = 1;
    private const int ReuseAddress = 2;
    private const int Type = 3;
    private const int Error = 4;
    private const int SendBuffer = 7;
    private const int ReceiveBuffer = 8;
    private const int Linger = 13;
    private const int ReusePort = 15;
    private const int PassCredentials = 16;
    private const int PeerCredentials = 17;
    private const int ReceiveTimeout = 20;
    private const int SendTimeout = 21;
    private const int AcceptsConnections = 30;
    private const int SendBufferForce = 32;
    private const int ReceiveBufferForce = 33;
    private const int Protocol = 38;
    private const int Domain = 39;
    private const int SmallestBuffer = 2304;

    public static CallResult Setsockopt(CallContext call, int fd, int level, int name, GuestAddress value, int length)
    {
        Errno error = SocketCalls.Find(call, fd, out Socket socket);
        if (error != Errno.None)
            return error;
        if (length < 0)
            return Errno.EINVAL;
        if (level == SocketLevel && name is ReceiveTimeout or SendTimeout)
            return SetTimeout(call, socket, name, value, length);
        if (level == SocketLevel && name == Linger)
            return SetLinger(call, socket, value, length);
        if (!IsKnown(level, name, socket))
            return level is SocketLevel or 0 or 6 or 17 or 41 ? Errno.ENOPROTOOPT : Errno.EOPNOTSUPP;
        if (length < sizeof(int) && level == SocketLevel)
            return Errno.EINVAL;
        int number = 0;
        if (length >= sizeof(int) ? !call.Memory.TryRead(value, out number) : !call.Memory.TryRead(value, MemoryMarshal.AsBytes(new Span<int>(ref number))[..length]))
            return Errno.EFAULT;
        Set(socket, level, name, number);
        return 0;
    }

    private static bool IsKnown(int level, int name, Socket socket) => level switch
    {
        SocketLevel => name is > 0 and < 80 and not (Type or Error or PeerCredentials or AcceptsConnections or Protocol or Domain),
        0 => socket.Family != SocketFamily.Unix && name is > 0 and < 60,
        6 => socket.Protocol == 6 && name is > 0 and < 50,
        17 => socket.Protocol == 17 && name is > 0 and < 110,
        41 => socket.Family == SocketFamily.Internet6 && name is > 0 and < 90,
        _ => false,
    };

    private static void Set(Socket socket, int level, int name, int number)
    {
        switch (level, name)
        {
            case (SocketLevel, ReuseAddress):
                socket.ReuseAddress = number != 0;
                break;
            case (SocketLevel, ReusePort):
                socket.ReusePort = number != 0;
                break;
            case (SocketLevel, PassCredentials):
                socket.PassCredentials = number != 0;
                break;
            case (SocketLevel, SendBuffer or ReceiveBuffer or SendBufferForce or ReceiveBufferForce):
                // The kernel doubles what is asked for, to have room for its own records.
                int plain = name is SendBuffer or SendBufferForce ? SendBuffer : ReceiveBuffer;
                socket.OtherOptions[(level, plain)] = Math.Max(SmallestBuffer, 2 * Math.Min(number, MessageQueue.DefaultCapacity));
                break;
            default:
                socket.OtherOptions[(level, name)] = level == SocketLevel && number != 0 && name is 5 or 6 or 9 or 10 ? 1 : number;
                break;
        }
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

    private static CallResult SetTimeout(CallContext call, Socket socket, int name, GuestAddress value, int length)
    {
        if (length < 16)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, out long seconds) || !call.Memory.TryRead(value + 8, out long microseconds))
            return Errno.EFAULT;
        if (microseconds is < 0 or >= 1_000_000)
            return Errno.EDOM;
        long nanoseconds = seconds < 0 ? 0 : Math.Min(seconds, int.MaxValue) * 1_000_000_000 + (microseconds * 1000);
        if (name == ReceiveTimeout)
            socket.ReceiveTimeout = nanoseconds;
        else
            socket.SendTimeout = nanoseconds;
        return 0;
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
        Span<byte> bytes = stackalloc byte[16];
        int whole = Encode(socket, level, name, bytes);
        if (whole < 0)
            return level is SocketLevel or 0 or 6 or 17 or 41 ? Errno.ENOPROTOOPT : Errno.EOPNOTSUPP;
        length = Math.Min(length, whole);
        return call.Memory.TryWrite(value, bytes[..length]) && call.Memory.TryWrite(lengthAt, length) ? 0 : Errno.EFAULT;
    }

    private static int Encode(Socket socket, int level, int name, Span<byte> bytes)
    {
        bytes.Clear();
        Span<int> ints = MemoryMarshal.Cast<byte, int>(bytes);
        Span<long> longs = MemoryMarshal.Cast<byte, long>(bytes);
        switch (level, name)
        {
            case (SocketLevel, PeerCredentials):
                (ints[0], ints[1], ints[2]) = (socket.PeerCredentials.Process, (int)socket.PeerCredentials.User, (int)socket.PeerCredentials.Group);
                return 12;
            case (SocketLevel, ReceiveTimeout or SendTimeout):
                long time = name == ReceiveTimeout ? socket.ReceiveTimeout : socket.SendTimeout;
                (longs[0], longs[1]) = (time / 1_000_000_000, time % 1_000_000_000 / 1000);
                return 16;
            case (SocketLevel, Linger):
                (ints[0], ints[1]) = (socket.Linger.IsOn ? 1 : 0, socket.Linger.Seconds);
                return 8;
            default:
                if (Number(socket, level, name) is not { } number)
                    return -1;
                ints[0] = number;
                return sizeof(int);
        }
    }

    private static int? Number(Socket socket, int level, int name) => (level, name) switch
    {
        (SocketLevel, ReuseAddress) => socket.ReuseAddress ? 1 : 0,
        (SocketLevel, ReusePort) => socket.ReusePort ? 1 : 0,
        (SocketLevel, PassCredentials) => socket.PassCredentials ? 1 : 0,
        (SocketLevel, Type) => socket.Kind switch { SocketKind.Stream => 1, SocketKind.Datagram => 2, _ => 5 },
        (SocketLevel, Error) => (int)socket.TakeError(),
        (SocketLevel, AcceptsConnections) => socket.IsListening ? 1 : 0,
        (SocketLevel, Protocol) => socket.Protocol,
        (SocketLevel, Domain) => socket.Family switch { SocketFamily.Unix => SocketNames.Unix, SocketFamily.Internet4 => SocketNames.Internet4, _ => SocketNames.Internet6 },
        (SocketLevel, SendBuffer or ReceiveBuffer) => socket.OtherOptions.GetValueOrDefault((level, name), MessageQueue.DefaultCapacity),
        _ => IsKnown(level, name, socket) ? socket.OtherOptions.GetValueOrDefault((level, name), 0) : null,
    };
}
