using System.Buffers.Binary;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;
using static Vivarium.Emulator.Kernel.Programs.ProgramCodes;

namespace Vivarium.Emulator.Kernel.Programs;

/// <summary>
/// A program that was verified, over a message. Its pointers are numbers of regions with offsets, and each access is held against its region: what the verifier overlooked would end the
/// program, not reach beyond it.
/// </summary>
public sealed class LoadedProgram : IMessageFilter
{
    private readonly World _world;
    private readonly ProgramInstruction[] _instructions;
    private readonly Dictionary<int, ProgramMap> _maps;

    private LoadedProgram(World world, ProgramInstruction[] instructions, Dictionary<int, ProgramMap> maps) => (_world, _instructions, _maps) = (world, instructions, maps);

    public int Length => _instructions.Length;

    /// <summary>Verifies a program: what is wrong with it, and what the verifier says.</summary>
    /// <param name="isPrivileged">It may jump back, read what it did not write of its stack, and return pointers.</param>
    public static Errno TryLoad(World world, ProgramInstruction[] instructions, Dictionary<int, ProgramMap> maps, bool isPrivileged, out string log, out LoadedProgram? program)
    {
        var verifier = new ProgramVerifier(instructions, maps.GetValueOrDefault, isPrivileged);
        Errno error = verifier.Verify();
        log = verifier.Log;
        program = error == Errno.None ? new LoadedProgram(world, instructions, maps) : null;
        return error;
    }

    private int _users;

    public void Join()
    {
        if (_users++ != 0)
            return;
        foreach (ProgramMap map in _maps.Values)
            _world.JoinMap(map);
    }

    /// <summary>The last of its users lets its maps go.</summary>
    public void Leave()
    {
        if (--_users != 0)
            return;
        foreach (ProgramMap map in _maps.Values)
            _world.LeaveMap(map);
    }

    public uint Run(ReadOnlySpan<byte> message, in FilterFacts facts) => new ProgramRun(_world, _instructions, _maps).Run(message, facts);
}

/// <summary>A program by a descriptor.</summary>
public sealed class ProgramFile : OpenFile
{
    private readonly Inode _inode;

    public ProgramFile(World world, LoadedProgram program, OpenFlags flags)
        : base(flags)
    {
        (Program, _inode) = (program, new AnonymousInode(world, FileKind.Unknown, 0x180));
        program.Join();
    }

    public LoadedProgram Program { get; }

    public override Inode Inode => _inode;

    public override string Description => "anon_inode:bpf-prog";

    protected override void OnLastClose() => Program.Leave();
}

/// <summary>One run of a program.</summary>
internal ref struct ProgramRun
{
    private const int RegionShift = 40;
    private const long Middle = 1L << (RegionShift - 1);
    private const int ContextSize = 192;

    /// <summary>What pointers point to: bytes, a map, or a record of a ring that is not ended.</summary>
    private readonly record struct Region(byte[]? Store, int Start, int Length, ProgramMap? Map, ulong Position);

    private readonly World _world;
    private readonly ProgramInstruction[] _instructions;
    private readonly Dictionary<int, ProgramMap> _maps;
    private readonly List<Region> _regions = [];
    private readonly ulong[] _registers = new ulong[ProgramCodes.Registers];
    private ReadOnlySpan<byte> _message;
    private bool _hasFailed;

    public ProgramRun(World world, ProgramInstruction[] instructions, Dictionary<int, ProgramMap> maps)
    {
        (_world, _instructions, _maps) = (world, instructions, maps);
        _message = default;
        _hasFailed = false;
    }

    public uint Run(ReadOnlySpan<byte> message, in FilterFacts facts)
    {
        _message = message;
        byte[] context = new byte[ContextSize];
        BinaryPrimitives.WriteInt32LittleEndian(context, message.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(context.AsSpan(4), facts.PacketType);
        BinaryPrimitives.WriteUInt32LittleEndian(context.AsSpan(16), BinaryPrimitives.ReverseEndianness(facts.Type));
        BinaryPrimitives.WriteInt32LittleEndian(context.AsSpan(40), facts.Device);
        _registers[FramePointer] = Point(new Region(new byte[StackSize], -StackSize, StackSize, null, 0));
        _registers[1] = Point(new Region(context, 0, ContextSize, null, 0));
        int at = 0;
        while (!_hasFailed)
        {
            ProgramInstruction now = _instructions[at++];
            switch (now.Class)
            {
                case Alu32 or Alu64:
                    Calculate(now);
                    break;
                case Jump or Jump32 when now.Operation == Exit:
                    return (uint)_registers[0];
                case Jump or Jump32 when now.Operation == Call:
                    CallHelper((ProgramHelper)now.Immediate);
                    break;
                case Jump or Jump32:
                    ulong with = now.TakesRegister ? _registers[now.Source] : (ulong)now.Immediate;
                    if (now.Operation == Always || ProgramArithmetic.Holds(now.Operation, _registers[now.Destination], with, now.Class == Jump ? 64 : 32))
                        at += now.Offset;
                    break;
                case Load when now.Code == LoadConstant:
                    LoadsConstant(now, _instructions[at++]);
                    break;
                case Load:
                    LoadsPacket(now);
                    break;
                case LoadMemory:
                    _registers[now.Destination] = Get(_registers[now.Source], now.Offset, now.Width);
                    break;
                case StoreRegister when now.Mode == Atomic:
                    ChangeAtOnce(now);
                    break;
                default:
                    Put(_registers[now.Destination], now.Offset, now.Width, now.Class == Store ? (ulong)now.Immediate : _registers[now.Source]);
                    break;
            }
        }
        return 0;
    }

    private readonly ulong Point(in Region region, int offset = 0)
    {
        _regions.Add(region);
        return (((ulong)_regions.Count) << RegionShift) + (ulong)(Middle + offset);
    }

    private Span<byte> Bytes(ulong pointer, long offset, int size)
    {
        int number = (int)(pointer >> RegionShift) - 1;
        if (number >= 0 && number < _regions.Count && _regions[number] is { Store: { } store } region)
        {
            long at = (long)(pointer & ((1ul << RegionShift) - 1)) - Middle + offset - region.Start;
            if (at >= 0 && at + size <= region.Length)
                return store.AsSpan((int)at + (region.Start > 0 ? region.Start : 0), size);
        }
        _hasFailed = true;
        return new byte[size];
    }

    private ulong Get(ulong pointer, long offset, int width)
    {
        Span<byte> bytes = Bytes(pointer, offset, width);
        return width switch
        {
            1 => bytes[0],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            4 => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            _ => BinaryPrimitives.ReadUInt64LittleEndian(bytes),
        };
    }

    private void Put(ulong pointer, long offset, int width, ulong value)
    {
        Span<byte> whole = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(whole, value);
        whole[..width].CopyTo(Bytes(pointer, offset, width));
    }

    private readonly ProgramMap? MapAt(ulong pointer)
    {
        int number = (int)(pointer >> RegionShift) - 1;
        return number >= 0 && number < _regions.Count ? _regions[number].Map : null;
    }

    private readonly void Calculate(ProgramInstruction now)
    {
        int width = now.Class == Alu64 ? 64 : 32;
        ref ulong to = ref _registers[now.Destination];
        if (now.Operation == SwapBytes)
        {
            to = ProgramArithmetic.Swap(to, now.Immediate, now.TakesRegister);
            return;
        }
        ulong by = now.TakesRegister ? _registers[now.Source] : (ulong)now.Immediate;
        to = ProgramArithmetic.Calculate(now.Operation, to, by, width);
    }

    private readonly void LoadsConstant(ProgramInstruction now, ProgramInstruction second)
    {
        ulong value = (uint)now.Immediate | (ulong)(uint)second.Immediate << 32;
        if (now.Source != 0)
        {
            ProgramMap map = _maps[now.Immediate];
            if (now.Source == MapDescriptor)
                value = Point(new Region(null, 0, 0, map, 0));
            else
                value = map.TryFind(stackalloc byte[sizeof(uint)], out byte[] store, out int offset) ? PointToValue(map, store, offset, second.Immediate) : 0;
        }
        _registers[now.Destination] = value;
    }

    private readonly ulong PointToValue(ProgramMap map, byte[] store, int offset, int inside = 0) =>
        offset == 0 ? Point(new Region(store, 0, map.ValueSize, null, 0), inside) : Point(new Region(store, offset, map.ValueSize, null, 0), offset + inside);

    private void LoadsPacket(ProgramInstruction now)
    {
        long at = (int)((uint)now.Immediate + (now.Mode == Indirect ? (uint)_registers[now.Source] : 0));
        if (at < 0 || at + now.Width > _message.Length)
        {
            // The program ends, with 0.
            _hasFailed = true;
            return;
        }
        ReadOnlySpan<byte> bytes = _message[(int)at..];
        _registers[0] = now.Width switch { 1 => bytes[0], 2 => BinaryPrimitives.ReadUInt16BigEndian(bytes), _ => BinaryPrimitives.ReadUInt32BigEndian(bytes) };
    }

    private void ChangeAtOnce(ProgramInstruction now)
    {
        ulong pointer = _registers[now.Destination], old = Get(pointer, now.Offset, now.Width), value = _registers[now.Source];
        ulong with = now.Width == 4 ? (uint)_registers[0] : _registers[0];
        ulong changed = now.Immediate switch
        {
            Exchange => value,
            CompareExchange => old == with ? value : old,
            _ => ProgramArithmetic.Calculate(now.Immediate & ~Fetch, old, value, 64),
        };
        Put(pointer, now.Offset, now.Width, changed);
        if ((now.Immediate & Fetch) != 0)
            _registers[now.Immediate == CompareExchange ? 0 : now.Source] = old;
    }

    private void CallHelper(ProgramHelper helper)
    {
        ulong[] given = _registers;
        _registers[0] = helper switch
        {
            ProgramHelper.MapLookup => Lookup(),
            ProgramHelper.MapUpdate when MapAt(given[1]) is { } map => Number(given[4] > (ulong)MapUpdate.IfPresent
                ? Errno.EINVAL : map.Update(Bytes(given[2], 0, map.KeySize), Bytes(given[3], 0, map.ValueSize), (MapUpdate)given[4])),
            ProgramHelper.MapDelete when MapAt(given[1]) is { } map => Number(map.Delete(Bytes(given[2], 0, map.KeySize))),
            ProgramHelper.MonotonicTime or ProgramHelper.BootTime => (ulong)_world.Clock.Monotonic,
            ProgramHelper.RandomNumber => (uint)_world.Random.Next(),
            ProgramHelper.LoadBytes => LoadBytes(),
            ProgramHelper.RingReserve => Reserve(),
            ProgramHelper.RingOutput => Output(),
            ProgramHelper.RingSubmit or ProgramHelper.RingDiscard => EndRecord(helper == ProgramHelper.RingDiscard),
            ProgramHelper.RingQuery when MapAt(given[1]) is RingMap ring => ring.Query(given[2]),
            _ => 0,
        };
    }

    private static ulong Number(Errno error) => (ulong)-(long)error;

    private ulong Lookup() => MapAt(_registers[1]) is { } map && map.TryFind(Bytes(_registers[2], 0, map.KeySize), out byte[] store, out int offset) ? PointToValue(map, store, offset) : 0;

    private ulong LoadBytes()
    {
        int size = (int)_registers[4];
        long at = (uint)_registers[2];
        Span<byte> to = Bytes(_registers[3], 0, size);
        if (at + size > _message.Length)
        {
            to.Clear();
            return Number(Errno.EFAULT);
        }
        _message.Slice((int)at, size).CopyTo(to);
        return 0;
    }

    private readonly ulong Reserve()
    {
        int length = (int)_registers[2];
        return MapAt(_registers[1]) is RingMap ring && _registers[3] == 0 && ring.Reserve((ulong)length) is { } position ? Point(new Region(new byte[length], 0, length, ring, position)) : 0;
    }

    private ulong Output()
    {
        const ulong noWakeUp = 1, known = 3;
        int length = (int)_registers[3];
        Span<byte> bytes = Bytes(_registers[2], 0, length);
        if ((_registers[4] & ~known) != 0)
            return Number(Errno.EINVAL);
        if (MapAt(_registers[1]) is not RingMap ring || ring.Reserve((ulong)length) is not { } position)
            return Number(Errno.EAGAIN);
        ring.Commit(position, bytes, isDiscarded: false, wakes: (_registers[4] & noWakeUp) == 0);
        return 0;
    }

    private readonly ulong EndRecord(bool isDiscarded)
    {
        const ulong noWakeUp = 1;
        int number = (int)(_registers[1] >> RegionShift) - 1;
        if (number >= 0 && number < _regions.Count && _regions[number] is { Map: RingMap ring, Store: { } store } region)
        {
            ring.Commit(region.Position, store, isDiscarded, wakes: (_registers[2] & noWakeUp) == 0);
            _regions[number] = default;
        }
        return 0;
    }
}
