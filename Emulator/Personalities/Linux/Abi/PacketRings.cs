using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>struct tpacket_req and tpacket_req3: what a ring is to be like.</summary>
internal readonly record struct RingRequirements(uint BlockSize, uint BlockCount, uint FrameSize, uint FrameCount, uint Timeout, uint PrivateSize, uint Features);

/// <summary>
/// PACKET_RX_RING and PACKET_TX_RING of packet(7), in their three layouts (include/uapi/linux/if_packet.h): of the first two, frames of one size each with a word that says
/// whose it is; of the third, blocks that are handed over when they are full or their time has come.
/// </summary>
internal sealed partial class PacketRings(World world, PacketSocket socket) : FrameRings
{
    public const int Version1 = 0, Version3 = 2;

    /// <summary>TPACKET_HDRLEN and its like: the header before a frame, and the address behind it (struct sockaddr_ll).</summary>
    private const int AddressSize = 20, ShortHeader = 32, LongHeader = 48, Alignment = 16, LeastLink = 16;

    private const uint OfKernel = 0, OfUser = 1, IsLosing = 4, IsChecked = 0x80;
    private const uint IsAvailable = 0, IsRequested = 1, IsWrong = 4;

    private AnonymousObject? _content;
    private RingRequirements _receiving, _sending;
    private uint _head, _sendHead;

    public int Version { get; set; }

    /// <summary>PACKET_RESERVE: room before each frame.</summary>
    public uint Reserve { get; set; }

    /// <summary>PACKET_LOSS: frames that cannot be sent are skipped.</summary>
    public bool SkipsWrong { get; set; }

    /// <summary>PACKET_TX_HAS_OFF: where a frame's bytes are is said in its header.</summary>
    public bool HasOffsets { get; set; }

    public override MemoryObject? Content => _content;

    public override long Length => SizeOf(_receiving) + SizeOf(_sending);

    public override bool Receives => _receiving.BlockCount != 0;

    public override bool Sends => _sending.BlockCount != 0;

    public bool Exist => Receives || Sends;

    private bool HasBlocks => Version == Version3;

    private static long SizeOf(in RingRequirements ring) => (long)ring.BlockSize * ring.BlockCount;

    private int HeaderOf => (HasBlocks ? LongHeader : ShortHeader) + AddressSize;

    /// <summary>Makes a ring, or takes it away when it is to have no blocks (packet_set_ring in net/packet/af_packet.c).</summary>
    public Errno Set(in RingRequirements wanted, bool isSending)
    {
        if (_content is { Mappings: > 0 })
            return Errno.EBUSY;
        if (wanted.BlockCount != 0 && Check(wanted, isSending) is not Errno.None and var refused)
            return refused;
        if (wanted.BlockCount == 0 && wanted.FrameCount != 0)
            return Errno.EINVAL;
        RingRequirements receiving = isSending ? _receiving : wanted, sending = isSending ? wanted : _sending;
        AnonymousObject? made = null;
        if (SizeOf(receiving) + SizeOf(sending) is > 0 and var length)
        {
            made = new AnonymousObject(world.Accountant);
            if (!made.SetLength(length))
            {
                made.Release();
                return Errno.ENOMEM;
            }
        }
        if (isSending && _content is not null && made is not null)
            Copy(_content, made, SizeOf(_receiving));
        _content?.Release();
        (_content, _receiving, _sending) = (made, receiving, sending);
        if (isSending)
            _sendHead = 0;
        else
            Begin();
        return Errno.None;
    }

    private Errno Check(in RingRequirements wanted, bool isSending)
    {
        if (isSending ? Sends : Receives)
            return Errno.EBUSY;
        ulong least = (ulong)HeaderOf + Reserve;
        if ((int)wanted.BlockSize <= 0 || wanted.BlockSize % GuestAddress.PageSize != 0)
            return Errno.EINVAL;
        if (HasBlocks && wanted.BlockSize < BlockStart(wanted.PrivateSize) + least)
            return Errno.EINVAL;
        if (wanted.FrameSize < least || wanted.FrameSize % Alignment != 0)
            return Errno.EINVAL;
        uint frames = wanted.BlockSize / wanted.FrameSize;
        if (frames == 0 || frames > uint.MaxValue / wanted.BlockCount || frames * wanted.BlockCount != wanted.FrameCount)
            return Errno.EINVAL;
        return HasBlocks && isSending && (wanted.Timeout | wanted.PrivateSize | wanted.Features) != 0 ? Errno.EINVAL : Errno.None;
    }

    private static void Copy(MemoryObject from, MemoryObject to, long length)
    {
        byte[] bytes = new byte[length];
        from.Read(0, bytes);
        to.Write(0, bytes);
    }

    /// <summary>The ring of received frames starts anew.</summary>
    private void Begin()
    {
        _head = 0;
        EndBlocks();
        if (Receives && HasBlocks)
            BeginBlocks();
    }

    public override void Close()
    {
        EndBlocks();
        _content?.Release();
        _content = null;
        (_receiving, _sending) = (default, default);
    }

    private static long PlaceOf(in RingRequirements ring, uint frame)
    {
        uint perBlock = ring.BlockSize / ring.FrameSize;
        return ((long)(frame / perBlock) * ring.BlockSize) + ((long)(frame % perBlock) * ring.FrameSize);
    }

    private uint Word(long at)
    {
        Span<byte> word = stackalloc byte[sizeof(uint)];
        _content!.Read(at, word);
        return BinaryPrimitives.ReadUInt32LittleEndian(word);
    }

    private void SetWord(long at, uint value)
    {
        Span<byte> word = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(word, value);
        _content!.Write(at, word);
    }

    public override bool HasRoom => HasBlocks ? HasRoomInBlocks : Word(PlaceOf(_receiving, _head)) == OfKernel;

    public override Readiness Poll()
    {
        Readiness ready = Readiness.None;
        if (Receives && (HasBlocks ? HasFinishedBlock : Word(PlaceOf(_receiving, (_head == 0 ? _receiving.FrameCount : _head) - 1)) != OfKernel))
            ready |= Readiness.In;
        if (Sends && Word(PlaceOf(_sending, _sendHead) + SizeOf(_receiving) + StatusAt) == IsAvailable)
            ready |= Readiness.Out;
        return ready;
    }

    private int StatusAt => HasBlocks ? 20 : 0;

    public override bool Take(ReadOnlySpan<byte> frame, int kept, int header, LinkAddress from)
    {
        long network = socket.IsRaw
            ? Align(HeaderOf + Math.Max(header, LeastLink)) + Reserve + socket.OffloadHeader
            : Align(HeaderOf) + LeastLink + Reserve;
        long start = network - header;
        if (network > ushort.MaxValue)
            return false;
        long most = HasBlocks ? _receiving.BlockSize - (long)BlockStart(_receiving.PrivateSize) : _receiving.FrameSize;
        if (start + kept > most)
            kept = (int)Math.Max(0, most - start);
        if (start > most)
            return false;
        long place = HasBlocks ? TakePlace(start + kept) : TakeFrame();
        if (place < 0)
            return false;
        uint status = OfUser | (HasBlocks || !socket.HasLost ? 0 : IsLosing);
        if (from.PacketType != 4 && from.HardwareType == 772)
            status |= IsChecked;
        if (socket.OffloadHeader != 0 && start >= socket.OffloadHeader)
            _content!.Write(place + start - socket.OffloadHeader, new byte[socket.OffloadHeader]);
        _content!.Write(place + start, frame[..kept]);
        WriteHeader(place, status, (uint)frame.Length, (uint)kept, (ushort)start, (ushort)network, from);
        if (!HasBlocks)
        {
            SetWord(place, status);
            socket.Source.Pulse(Readiness.In);
        }
        return true;
    }

    private static long Align(long length) => (length + Alignment - 1) & -Alignment;

    private long TakeFrame()
    {
        long place = PlaceOf(_receiving, _head);
        if (Word(place) != OfKernel)
            return -1;
        _head = (_head + 1) % _receiving.FrameCount;
        return place;
    }

    /// <summary>All but the word that hands a frame over, which is written last.</summary>
    private void WriteHeader(long place, uint status, uint length, uint kept, ushort start, ushort network, LinkAddress from)
    {
        long now = world.Clock.Realtime;
        (uint seconds, uint rest) = ((uint)(now / 1_000_000_000), (uint)(now % 1_000_000_000));
        Span<byte> bytes = stackalloc byte[LongHeader + AddressSize];
        bytes.Clear();
        int size = HasBlocks ? LongHeader : ShortHeader;
        ReadOnlySpan<uint> words = Version switch
        {
            Version1 => [0, 0, length, kept, (uint)start | (uint)network << 16, seconds, rest / 1000],
            Version3 => [0, seconds, rest, kept, length, status, (uint)start | (uint)network << 16],
            _ => [0, length, kept, (uint)start | (uint)network << 16, seconds, rest],
        };
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[(4 * i)..], words[i]);
        SocketNames.Encode(SocketFamily.Packet, from, bytes[size..]);
        // The distance to the next frame of a block is there already.
        int skipped = HasBlocks ? sizeof(uint) : 0;
        _content!.Write(place + skipped, bytes[skipped..(size + AddressSize)]);
    }

    public override IoResult Send(PacketSocket sender, NetDevice device, LinkAddress? target)
    {
        long total = 0;
        while (true)
        {
            long place = PlaceOf(_sending, _sendHead) + SizeOf(_receiving);
            if (Word(place + StatusAt) != IsRequested)
                return (int)total;
            IoResult sent = SendFrame(sender, device, target, place);
            if (sent.Error != Errno.None && !SkipsWrong)
            {
                SetWord(place + StatusAt, IsWrong);
                return total != 0 ? (int)total : sent.Error;
            }
            total += sent.Error == Errno.None ? sent.Count : 0;
            SetWord(place + StatusAt, IsAvailable);
            _sendHead = (_sendHead + 1) % _sending.FrameCount;
        }
    }

    /// <summary>A frame's bytes are behind its header, or where that says (tpacket_parse_header).</summary>
    private IoResult SendFrame(PacketSocket sender, NetDevice device, LinkAddress? target, long place)
    {
        uint length = Word(place + (Version switch { Version1 => 8, Version3 => 16, _ => 4 }));
        uint offsets = Word(place + (Version switch { Version1 => 16, Version3 => 24, _ => 12 }));
        int start = HeaderOf - AddressSize;
        if (HasOffsets)
        {
            int given = (int)(socket.IsRaw ? offsets & 0xFFFF : offsets >> 16), last = (int)_sending.FrameSize - (int)Math.Min(length, int.MaxValue);
            if (given != 0 && (given < start || given > last))
                return Errno.EINVAL;
            start = given != 0 ? given : start;
        }
        if (length > _sending.FrameSize - (uint)start)
            return Errno.EMSGSIZE;
        byte[] bytes = new byte[length];
        _content!.Read(place + start, bytes);
        return bytes.Length < socket.OffloadHeader ? Errno.EINVAL : sender.SendFrame(device, bytes.AsSpan(socket.OffloadHeader), target);
    }
}
