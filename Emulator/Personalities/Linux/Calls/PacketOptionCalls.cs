using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>The options of packet(7).</summary>
internal static class PacketOptionCalls
{
    private const int AddMembership = 1, DropMembership = 2, ReceiveRing = 5, Statistics = 6, CopyThreshold = 7, AuxiliaryData = 8, OriginalDevice = 9, Version = 10;
    private const int HeaderLength = 11, Reserve = 12, SendRing = 13, Loss = 14, OffloadHeader = 15, TimeStamp = 17, Fanout = 18, HasOffsets = 19, BypassesQueue = 20;
    private const int FanoutData = 22, IgnoreOutgoing = 23, OffloadHeaderSize = 24;

    private const int SmallOffloadHeader = 10;

    public static CallResult Set(CallContext call, PacketSocket socket, int name, GuestAddress value, int length) => name switch
    {
        AddMembership or DropMembership => SetMembership(call, socket, name == AddMembership, value, length),
        ReceiveRing or SendRing => SetRing(call, socket, name == SendRing, value, length),
        Fanout => SetFanout(call, socket, value, length),
        FanoutData => SetChooser(call, socket, value, length),
        Version or Reserve or Loss or HasOffsets or OffloadHeader or OffloadHeaderSize or CopyThreshold or AuxiliaryData or OriginalDevice or TimeStamp or BypassesQueue or IgnoreOutgoing =>
            SetNumber(call, socket, name, value, length),
        _ => Errno.ENOPROTOOPT,
    };

    private static PacketRings RingsOf(PacketSocket socket) => (PacketRings)(socket.Rings ??= new PacketRings(socket.World, socket));

    private static CallResult SetNumber(CallContext call, PacketSocket socket, int name, GuestAddress value, int length)
    {
        bool mayBeLonger = name is AuxiliaryData or OriginalDevice or OffloadHeader or OffloadHeaderSize;
        if (name is OffloadHeader or OffloadHeaderSize && !socket.IsRaw)
            return Errno.EINVAL;
        if (mayBeLonger ? length < sizeof(int) : length != sizeof(int))
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, out int number))
            return Errno.EFAULT;
        PacketRings rings = RingsOf(socket);
        switch (name)
        {
            case Version when number is < PacketRings.Version1 or > PacketRings.Version3:
            case Reserve when number < 0:
            case IgnoreOutgoing when number is < 0 or > 1:
            case OffloadHeaderSize when number is not (0 or SmallOffloadHeader or SmallOffloadHeader + 2):
                return Errno.EINVAL;
            case Version or Reserve or Loss or OffloadHeader or OffloadHeaderSize when rings.Exist:
                return Errno.EBUSY;
            case Version:
                rings.Version = number;
                return 0;
            case Reserve:
                rings.Reserve = (uint)number;
                return 0;
            case Loss:
                rings.SkipsWrong = number != 0;
                return 0;
            case HasOffsets:
                // With rings there it is too late, which is no error.
                rings.HasOffsets = rings.Exist ? rings.HasOffsets : number != 0;
                return 0;
            case OffloadHeader:
                socket.OffloadHeader = number != 0 ? SmallOffloadHeader : 0;
                return 0;
            case OffloadHeaderSize:
                socket.OffloadHeader = number;
                return 0;
            case IgnoreOutgoing:
                socket.IgnoresOutgoing = number != 0;
                return 0;
            default:
                socket.OtherOptions[(SocketOptions.Packet, name)] = name is TimeStamp or CopyThreshold ? number : number != 0 ? 1 : 0;
                return 0;
        }
    }

    /// <summary>Devices of a world show all that passes them; what is asked for is checked.</summary>
    private static CallResult SetMembership(CallContext call, PacketSocket socket, bool joins, GuestAddress value, int length)
    {
        const int size = 16, head = 8;
        if (length < size)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, out int index) || !call.Memory.TryRead(value + 6, out ushort addressLength))
            return Errno.EFAULT;
        if (length < addressLength + head)
            return Errno.EINVAL;
        if (!joins)
            return 0;
        if (socket.Network.FindDevice(index) is not { } device)
            return Errno.ENODEV;
        return addressLength > (device.Kind == Kernel.Net.Devices.LinkKind.None ? 0 : 6) ? Errno.EINVAL : 0;
    }

    private static CallResult SetRing(CallContext call, PacketSocket socket, bool isSending, GuestAddress value, int length)
    {
        PacketRings rings = RingsOf(socket);
        Span<uint> words = stackalloc uint[7];
        words.Clear();
        int count = rings.Version == PacketRings.Version3 ? 7 : 4;
        if (length < count * sizeof(uint))
            return Errno.EINVAL;
        if (!call.Memory.TryRead(value, MemoryMarshal.AsBytes(words[..count])))
            return Errno.EFAULT;
        return rings.Set(new RingRequirements(words[0], words[1], words[2], words[3], words[4], words[5], words[6]), isSending);
    }

    /// <summary>fanout_add in net/packet/af_packet.c.</summary>
    private static CallResult SetFanout(CallContext call, PacketSocket socket, GuestAddress value, int length)
    {
        const int rollsOver = 0x1000, uniqueNumber = 0x2000, usually = 256, atMost = 1 << 16;
        if (length is not (sizeof(int) or 2 * sizeof(int)))
            return Errno.EINVAL;
        uint most = 0;
        if (!call.Memory.TryRead(value, out uint wanted) || (length > sizeof(int) && !call.Memory.TryRead(value + sizeof(int), out most)))
            return Errno.EFAULT;
        int number = (int)(wanted & 0xFFFF), flags = (int)(wanted >> 16) & 0xFF00;
        var kind = (FanoutKind)(byte)(wanted >> 16);
        if (kind > FanoutKind.ExtendedFilter || (kind == FanoutKind.Rollover && (flags & rollsOver) != 0))
            return Errno.EINVAL;
        if (socket.Fanout is not null)
            return Errno.EALREADY;
        SortedDictionary<int, FrameFanout> all = socket.Network.Fanouts;
        if ((flags & uniqueNumber) != 0)
        {
            if (number != 0)
                return Errno.EINVAL;
            while (all.ContainsKey(number))
                number++;
            flags &= ~uniqueNumber;
        }
        bool isNew = !all.TryGetValue(number, out FrameFanout? fanout);
        if (isNew ? most > atMost : fanout!.Flags != flags || (most != 0 && most != fanout.Most))
            return Errno.EINVAL;
        fanout ??= new FrameFanout(socket.Network, number, kind, flags, most == 0 ? usually : (int)most, socket.FrameType, socket.BoundDevice);
        if (!fanout.Matches(socket, kind))
            return Errno.EINVAL;
        if (fanout.Count >= fanout.Most)
            return Errno.ENOSPC;
        all[number] = fanout;
        fanout.Join(socket);
        return 0;
    }

    private static CallResult SetChooser(CallContext call, PacketSocket socket, GuestAddress value, int length)
    {
        if (socket.Fanout is not { Kind: FanoutKind.Filter or FanoutKind.ExtendedFilter } fanout)
            return Errno.EINVAL;
        Errno error = fanout.Kind == FanoutKind.Filter ? FilterOptionCalls.ReadClassic(call, value, length, out IMessageFilter? filter) : FilterOptionCalls.ReadExtended(call, value, length, out filter);
        if (error == Errno.None)
            fanout.Chooser = filter;
        return error;
    }

    /// <summary>What getsockopt(2) tells; null for options that there are not.</summary>
    public static Errno? Encode(PacketSocket socket, int name, int room, Span<byte> bytes, ref int whole)
    {
        var rings = socket.Rings as PacketRings;
        int number;
        switch (name)
        {
            case Statistics:
                (uint taken, uint lost) = socket.TakeCounts();
                MemoryMarshal.Write(bytes, taken + lost);
                MemoryMarshal.Write(bytes[4..], lost);
                MemoryMarshal.Write(bytes[8..], rings?.TakeFreezes() ?? 0);
                whole = rings is { Version: PacketRings.Version3 } ? 12 : 8;
                return Errno.None;
            case HeaderLength:
                if (room < sizeof(int))
                    return Errno.EINVAL;
                number = MemoryMarshal.Read<int>(bytes);
                if (number is < PacketRings.Version1 or > PacketRings.Version3)
                    return Errno.EINVAL;
                number = number == PacketRings.Version3 ? 48 : 32;
                break;
            case Version:
                number = rings?.Version ?? 0;
                break;
            case Reserve:
                number = (int)(rings?.Reserve ?? 0);
                break;
            case Loss:
                number = rings is { SkipsWrong: true } ? 1 : 0;
                break;
            case HasOffsets:
                number = rings is { HasOffsets: true } ? 1 : 0;
                break;
            case OffloadHeader:
                number = socket.OffloadHeader != 0 ? 1 : 0;
                break;
            case OffloadHeaderSize:
                number = socket.OffloadHeader;
                break;
            case Fanout:
                number = socket.Fanout is { } fanout ? fanout.Number | (int)fanout.Kind << 16 | fanout.Flags << 16 : 0;
                break;
            case IgnoreOutgoing:
                number = socket.IgnoresOutgoing ? 1 : 0;
                break;
            case AuxiliaryData or OriginalDevice or TimeStamp or BypassesQueue or CopyThreshold:
                number = socket.OtherOptions.GetValueOrDefault((SocketOptions.Packet, name));
                break;
            default:
                return Errno.ENOPROTOOPT;
        }
        bytes.Clear();
        MemoryMarshal.Write(bytes, number);
        return Errno.None;
    }
}
