using System.Net;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Control messages about packets: how one arrived, how one is to be sent (ip(7), ipv6(7), socket(7)).</summary>
internal static class PacketMessages
{
    private const int Class4 = 1, Hops4 = 2, Info4 = 8;
    private const int Info6 = 50, Hops6 = 52, Class6 = 67;
    private const int TimeStamp = 29, TimeStampNanoseconds = 35, TimeStamping = 37;
    private const int WantsInfo4 = 8, WantsHops4 = 12, WantsClass4 = 13;
    private const int WantsInfo6 = 49, WantsHops6 = 51, WantsClass6 = 66;

    /// <summary>As of RFC 2292: what is asked for and what comes have one number.</summary>
    private const int OldInfo6 = 2, OldHops6 = 8;

    /// <summary>Reads what a sender wishes for one packet.</summary>
    public static Errno Read(Socket socket, int level, int type, ReadOnlySpan<byte> data, ref Ancillary ancillary)
    {
        if (socket.Family is not (SocketFamily.Internet4 or SocketFamily.Internet6) || socket.Kind == SocketKind.Stream)
            return Errno.None;
        PacketInfo wish = ancillary.Packet ?? new PacketInfo(IPAddress.Any, 0, 0, socket.TrafficClass, 0);
        switch (level, type)
        {
            case (SocketOptions.Ip, Info4) when data.Length == 12:
                wish = wish with { Device = MemoryMarshal.Read<int>(data), Destination = new IPAddress(data.Slice(4, 4)) };
                break;
            case (SocketOptions.Ip6, Info6) when data.Length >= 20:
                var address = new IPAddress(data[..16]);
                wish = wish with { Device = MemoryMarshal.Read<int>(data[16..]), Destination = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address };
                break;
            case (SocketOptions.Ip, Hops4) or (SocketOptions.Ip6, Hops6) when data.Length == 4:
                wish = wish with { Hops = (byte)MemoryMarshal.Read<int>(data) };
                break;
            case (SocketOptions.Ip, Class4) or (SocketOptions.Ip6, Class6) when data.Length is 1 or 4:
                wish = wish with { Class = data[0] };
                break;
            case (SocketOptions.Ip or SocketOptions.Ip6, _):
                return Errno.EINVAL;
        }
        ancillary = ancillary with { Packet = wish };
        return Errno.None;
    }

    /// <summary>Tells how a packet arrived, as far as the socket asked; false when it did not fit.</summary>
    public static bool Write(Socket socket, PacketInfo packet, ref ControlWriter writer)
    {
        bool Wants(int level, int name) => socket.OtherOptions.GetValueOrDefault((level, name)) != 0;
        bool fits = true;
        Span<long> time = [packet.Time / 1_000_000_000, packet.Time % 1_000_000_000];
        if (Wants(SocketOptions.Socket, TimeStampNanoseconds))
            fits &= writer.Put(SocketOptions.Socket, TimeStampNanoseconds, MemoryMarshal.AsBytes(time));
        time[1] /= 1000;
        if (Wants(SocketOptions.Socket, TimeStamp))
            fits &= writer.Put(SocketOptions.Socket, TimeStamp, MemoryMarshal.AsBytes(time));
        const int receives = 8, tells = 16;
        if ((socket.OtherOptions.GetValueOrDefault((SocketOptions.Socket, TimeStamping)) & (receives | tells)) == (receives | tells))
        {
            // Three times: of the system, one that is no more, of the device.
            Span<long> stamps = [packet.Time / 1_000_000_000, packet.Time % 1_000_000_000, 0, 0, 0, 0];
            fits &= writer.Put(SocketOptions.Socket, TimeStamping, MemoryMarshal.AsBytes(stamps));
        }
        if (IpPrefix.Is4(packet.Destination))
            fits &= Write4(packet, Wants, ref writer);
        return socket.Family == SocketFamily.Internet6 ? fits & Write6(packet, Wants, ref writer) : fits;
    }

    /// <summary>struct sock_extended_err, and behind it the address of who told the error (ip(7), IP_RECVERR).</summary>
    public static bool WriteError(Socket socket, ReturnedError error, ref ControlWriter writer)
    {
        const int error4 = 11, error6 = 25, size = 16, size4 = 16, size6 = 28;
        const byte ofControl4 = 2, ofControl6 = 3;
        bool is4 = IpPrefix.Is4(error.Destination.Address), is4Socket = socket.Family == SocketFamily.Internet4;
        Span<byte> told = stackalloc byte[size + size6];
        told.Clear();
        MemoryMarshal.Write(told, (int)error.Error);
        (told[4], told[5], told[6]) = (is4 ? ofControl4 : ofControl6, error.Type, error.Code);
        MemoryMarshal.Write(told[8..], error.Information);
        Span<byte> name = stackalloc byte[128];
        SocketNames.Encode(socket.Family, new InternetAddress(error.Teller, 0), name);
        int nameSize = is4Socket ? size4 : size6;
        name[..nameSize].CopyTo(told[size..]);
        told = told[..(size + nameSize)];
        return is4Socket ? writer.Put(SocketOptions.Ip, error4, told) : writer.Put(SocketOptions.Ip6, error6, told);
    }

    private static bool Write4(PacketInfo packet, Func<int, int, bool> wants, ref ControlWriter writer)
    {
        bool fits = true;
        if (wants(SocketOptions.Ip, WantsInfo4))
        {
            Span<byte> info = stackalloc byte[12];
            MemoryMarshal.Write(info, packet.Device);
            packet.Destination.TryWriteBytes(info[4..], out _);
            packet.Destination.TryWriteBytes(info[8..], out _);
            fits &= writer.Put(SocketOptions.Ip, Info4, info);
        }
        if (wants(SocketOptions.Ip, WantsHops4))
            fits &= writer.Put(SocketOptions.Ip, Hops4, BitConverter.GetBytes((int)packet.Hops));
        if (wants(SocketOptions.Ip, WantsClass4))
            fits &= writer.Put(SocketOptions.Ip, Class4, [packet.Class]);
        return fits;
    }

    private static bool Write6(PacketInfo packet, Func<int, int, bool> wants, ref ControlWriter writer)
    {
        bool fits = true, is6 = !IpPrefix.Is4(packet.Destination);
        Span<byte> info = stackalloc byte[20];
        packet.Destination.MapToIPv6().TryWriteBytes(info, out _);
        MemoryMarshal.Write(info[16..], packet.Device);
        if (wants(SocketOptions.Ip6, WantsInfo6))
            fits &= writer.Put(SocketOptions.Ip6, Info6, info);
        if (is6 && wants(SocketOptions.Ip6, WantsHops6))
            fits &= writer.Put(SocketOptions.Ip6, Hops6, BitConverter.GetBytes((int)packet.Hops));
        if (is6 && wants(SocketOptions.Ip6, WantsClass6))
            fits &= writer.Put(SocketOptions.Ip6, Class6, BitConverter.GetBytes((int)packet.Class));
        if (is6 && wants(SocketOptions.Ip6, OldInfo6))
            fits &= writer.Put(SocketOptions.Ip6, OldInfo6, info);
        if (is6 && wants(SocketOptions.Ip6, OldHops6))
            fits &= writer.Put(SocketOptions.Ip6, OldHops6, BitConverter.GetBytes((int)packet.Hops));
        return fits;
    }
}
