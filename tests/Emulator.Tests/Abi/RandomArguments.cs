using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;
using ValueType = Vivarium.Emulator.Personalities.Tables.ValueType;

namespace Vivarium.Emulator.Tests.Abi;

/// <summary>Arguments for calls by their rows: mostly of the right kind, sometimes at an edge, sometimes absurd.</summary>
internal sealed class RandomArguments(ulong seed)
{
    /// <summary>Memory that calls are pointed to; the page behind it is not mapped.</summary>
    public const ulong Buffer = 0x100_0000;

    public const ulong BufferSize = 0x8000;

    private const ulong Strings = Buffer + 0x6000;
    private const int StringSlot = 64;

    private static readonly string[] Names =
        ["/", ".", "..", "/a", "/b", "/d", "/d/e", "a/../b", "/proc/self/maps", "/proc/self/fd", "/dev/null", "/dev/zero", "", "/link", "/d/", "user.x", "x", "/proc/1/stat", "/fifo", "/dev/ptmx"];

    private static readonly ulong[] Edges =
    [
        0, 1, 2, 7, 8, 4095, 4096, 65536, int.MaxValue, uint.MaxValue, 1UL << 32, long.MaxValue, 1UL << 63, ulong.MaxValue, ulong.MaxValue - 4095,
        Buffer, Buffer + 1, Buffer + BufferSize - 1, Buffer + BufferSize, 0xFFFF_8000_0000_0000, 0x7FFF_FFFF_F000, 0x400000,
    ];

    private readonly WorldRandom _random = new(seed);

    public int Below(int limit) => _random.Below(limit);

    /// <summary>Fills a process's memory with names and small numbers.</summary>
    public void Prepare(AddressSpace memory)
    {
        memory.Map(new MapRequest(new GuestAddress(Buffer), BufferSize, Protection.ReadWrite, Placement.Fixed), out _);
        Scramble(memory);
        for (int i = 0; i < Names.Length; i++)
            memory.TryWrite(new GuestAddress(Strings + (ulong)(i * StringSlot)), System.Text.Encoding.ASCII.GetBytes(Names[i] + "\0"));
    }

    /// <summary>New contents for structures that calls read.</summary>
    public void Scramble(AddressSpace memory)
    {
        Span<byte> word = stackalloc byte[8];
        for (ulong offset = 0; offset < 0x1000; offset += 8)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(word, _random.Below(4) == 0 ? Edge() : ((ulong)(uint)_random.Below(4) << 32) + (uint)_random.Below(16));
            memory.TryWrite(new GuestAddress(Buffer + offset), word);
        }
    }

    public ulong Next(ArgumentShape argument, AddressSpace memory)
    {
        if (_random.Below(8) == 0)
            return Edge();
        if (argument.Direction == Direction.None)
            return Value(argument.Type);
        ulong place = _random.Below(6) == 0 ? 0 : Buffer + (ulong)(_random.Below(0x1000) & ~7);
        if (place != 0 && argument.Direction != Direction.Out && argument.Type.Size > 0 && _random.Below(4) != 0)
            Fill(memory, place, argument);
        return place;
    }

    /// <summary>Puts what the call reads there: a few items whose members are of the right kinds.</summary>
    private void Fill(AddressSpace memory, ulong place, ArgumentShape argument)
    {
        int items = argument.CountKind == CountKind.One ? 1 : 1 + _random.Below(4);
        for (int i = 0; i < items; i++, place += (ulong)argument.Type.Size)
        {
            if (argument.Type.Struct is not { } structure)
            {
                Write(memory, place, argument.Type.Size, Value(argument.Type));
                continue;
            }
            foreach (MemberShape member in structure.Members)
            {
                for (int j = 0; j < Math.Min(member.Count, 4); j++)
                    Write(memory, place + (ulong)(member.Offset + (j * member.Type.Size)), member.Type.Size, _random.Below(10) == 0 ? Edge() : Value(member.Type));
            }
        }
    }

    private static void Write(AddressSpace memory, ulong place, int size, ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        if (size is > 0 and <= 8)
            memory.TryWrite(new GuestAddress(place), bytes[..size]);
    }

    private ulong Value(in ValueType type)
    {
        return type.Kind switch
        {
            ValueKind.Fd or ValueKind.Dirfd => _random.Below(5) == 0 ? unchecked((ulong)-100) : (ulong)_random.Below(24),
            ValueKind.Path or ValueKind.Str => Strings + (ulong)(_random.Below(Names.Length) * StringSlot),
            ValueKind.Set => Value(type.Set!),
            ValueKind.Signal => (ulong)_random.Below(66),
            ValueKind.Pid => (ulong)(_random.Below(3) == 0 ? _random.Below(8) : 100 + _random.Below(8)),
            ValueKind.Size or ValueKind.Ulong or ValueKind.Uint or ValueKind.Int or ValueKind.Long or ValueKind.Off => (ulong)_random.Below(64),
            ValueKind.Mode or ValueKind.CreatMode => (ulong)_random.Below(0x1000),
            ValueKind.Addr => _random.Below(2) == 0 ? Buffer + (ulong)(_random.Below(8) * 4096) : Buffer + (ulong)(_random.Below(0x1000) & ~3),
            _ => _random.Below(2) == 0 ? (ulong)_random.Below(32) : Buffer + (ulong)_random.Below(0x1000),
        };
    }

    private ulong Edge() => _random.Below(4) == 0 ? _random.Next() : Edges[_random.Below(Edges.Length)];

    private ulong Value(NamedSet set)
    {
        ulong value = set.Values[_random.Below(set.Values.Length)].Value;
        while (set.IsFlags && _random.Below(2) == 0)
            value |= set.Values[_random.Below(set.Values.Length)].Value;
        return value;
    }
}
