using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Personalities.Linux.Abi;

/// <summary>Blocks of the third layout (TPACKET_V3): struct tpacket_block_desc, then frames one behind the other.</summary>
internal sealed partial class PacketRings
{
    /// <summary>Where the words of a block's head are.</summary>
    private const int BlockHead = 48, BlockVersion = 0, PrivateAt = 4, BlockStatus = 8, FrameCountAt = 12, FirstFrameAt = 16, UsedAt = 20, NumberAt = 24, FirstTime = 32, LastTime = 40;

    private const uint IsOld = 0x20;
    private const uint UsualTimeout = 8;

    private uint _block;
    private ulong _nextNumber;
    private long _next, _last;
    private bool _isFrozen;
    private WorldTimer? _timer;

    /// <summary>Times that all blocks were the user's.</summary>
    public uint Freezes { get; private set; }

    public uint TakeFreezes()
    {
        uint freezes = Freezes;
        Freezes = 0;
        return freezes;
    }

    private static ulong BlockStart(uint privateSize) => BlockHead + (((ulong)privateSize + 7) & ~7ul);

    private long PlaceOfBlock(uint block) => (long)block * _receiving.BlockSize;

    private bool IsOfUser(uint block) => (Word(PlaceOfBlock(block) + BlockStatus) & OfUser) != 0;

    private bool HasFinishedBlock => IsOfUser((_block == 0 ? _receiving.BlockCount : _block) - 1);

    private bool HasRoomInBlocks => !_isFrozen || !IsOfUser(_block);

    private void BeginBlocks()
    {
        (_block, _nextNumber, _isFrozen, Freezes) = (0, 1, false, 0);
        Open();
    }

    private void EndBlocks()
    {
        _timer?.Cancel();
        _timer = null;
    }

    private void Open()
    {
        long place = PlaceOfBlock(_block);
        ulong start = BlockStart(_receiving.PrivateSize);
        Span<byte> head = stackalloc byte[BlockHead];
        head.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(head[BlockVersion..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(head[PrivateAt..], BlockHead);
        BinaryPrimitives.WriteUInt32LittleEndian(head[FirstFrameAt..], (uint)start);
        BinaryPrimitives.WriteUInt32LittleEndian(head[UsedAt..], (uint)start);
        BinaryPrimitives.WriteUInt64LittleEndian(head[NumberAt..], _nextNumber++);
        WriteTime(head[FirstTime..]);
        _content!.Write(place, head);
        _next = _last = place + (long)start;
        _isFrozen = false;
    }

    private void WriteTime(Span<byte> at)
    {
        long now = world.Clock.Realtime;
        BinaryPrimitives.WriteUInt32LittleEndian(at, (uint)(now / 1_000_000_000));
        BinaryPrimitives.WriteUInt32LittleEndian(at[4..], (uint)(now % 1_000_000_000));
    }

    /// <summary>A place for a frame in the block that is open, or in the next one; below 0 when the user has all.</summary>
    private long TakePlace(long length)
    {
        length = (length + 7) & ~7L;
        if (_isFrozen)
        {
            if (IsOfUser(_block))
                return -1;
            Open();
        }
        if (_next + length >= PlaceOfBlock(_block) + _receiving.BlockSize)
        {
            Retire(0);
            if (!OpenNext())
                return -1;
        }
        long place = _next, block = PlaceOfBlock(_block);
        SetWord(place, (uint)length);
        (_last, _next) = (place, place + length);
        SetWord(block + UsedAt, Word(block + UsedAt) + (uint)length);
        SetWord(block + FrameCountAt, Word(block + FrameCountAt) + 1);
        // A block that is not filled is handed over when its time has come: an empty one needs no time.
        if (_timer is null)
            StartTimer();
        return place;
    }

    private void StartTimer()
    {
        uint milliseconds = _receiving.Timeout != 0 ? _receiving.Timeout : UsualTimeout;
        _timer = world.Schedule(world.Clock.Monotonic + (milliseconds * 1_000_000L), OnTime);
    }

    private void OnTime()
    {
        _timer = null;
        if (!Receives || _isFrozen || Word(PlaceOfBlock(_block) + FrameCountAt) == 0)
            return;
        Retire(IsOld);
        OpenNext();
    }

    /// <summary>Hands the open block over.</summary>
    private void Retire(uint why)
    {
        long place = PlaceOfBlock(_block);
        EndBlocks();
        SetWord(_last, 0);
        SetWord(place + LastTime, Word(_last + 4));
        SetWord(place + LastTime + 4, Word(_last + 8));
        SetWord(place + BlockStatus, OfUser | why | (socket.HasLost ? IsLosing : 0));
        _block = (_block + 1) % _receiving.BlockCount;
        socket.Source.Pulse(Readiness.In);
    }

    private bool OpenNext()
    {
        if (IsOfUser(_block))
        {
            _isFrozen = true;
            Freezes++;
            return false;
        }
        Open();
        return true;
    }
}
