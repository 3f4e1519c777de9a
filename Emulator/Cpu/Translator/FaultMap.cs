using System.Runtime.CompilerServices;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>What host code holds in place of the guest's state: host addresses in string instructions.</summary>
internal enum Rebasing : byte
{
    None,

    /// <summary>RDI is a host address.</summary>
    Destination,

    /// <summary>RDI and RSI are.</summary>
    Both,

    /// <summary>None, but the guest's flags are in the frame.</summary>
    ParkedFlags,
}

/// <summary>
/// Where the host code of an instruction begins, up to which instruction the budget is paid there, and which registers have only their low
/// halves, which one lacks the accrued flags, and what is to be added to the stack pointer.
/// </summary>
internal readonly record struct CodeStart(int Offset, int Instruction, int PaidTo, Rebasing Rebasing = Rebasing.None, uint Narrow = 0, byte FlagsIn = 0, int StackMove = 0, byte Round = 0, bool IsInVector = false)
{
    /// <summary>In <see cref="Round"/>: the counter is put off, too.</summary>
    public const int Counted = 1 << 6;
}

/// <summary>A pointer that an instruction of an unrolled loop moves, which is put off to the last round (<see cref="BlockTranslator.IsPutOff"/>).</summary>
internal readonly record struct Stride(byte Register, byte Instruction, int By, bool IsCounter = false)
{
    /// <summary>How far the register should be ahead at an instruction in one of so many rounds.</summary>
    public long Ahead(int round, int instruction, int rounds) => instruction <= Instruction ? (long)round * By : round == rounds - 1 ? 0 : (round + 1L) * By;
}

/// <summary>What rounds of an unrolled loop leave to the last one: pointers to move, and four registers to load, a byte each.</summary>
internal readonly ref struct RoundsMap(ReadOnlySpan<Stride> strides, int rounds, uint run)
{
    public ReadOnlySpan<Stride> Strides { get; } = strides;

    public int Rounds { get; } = rounds;

    public uint Run { get; } = run;

    public bool IsEmpty => Strides.Length == 0 && Run == 0;
}

/// <summary>
/// Which instruction a place in a block's host code belongs to, in bytes: the number of instructions and the length of each; the
/// number of starts, and each of these as its distance from the one before it, instruction and payment; where the stack pointer moves, also by
/// how much; where registers may be narrow, also these, the one for flags and the round of an unrolled loop, six bytes. In front of the starts are then the pointers that are put off.
/// </summary>
internal static unsafe class FaultMap
{
    private const int FlagBit = 7;
    private const int FlagMask = (1 << FlagBit) - 1;

    /// <summary>Beside the number of starts, like <see cref="FlagBit"/>: the stack pointer's moves are told.</summary>
    private const int MoveBit = 6;

    /// <summary>Of what a start tells of registers that are computed later.</summary>
    private const int LateSize = sizeof(uint) + 2;

    private const int StrideSize = 2 + sizeof(int), RunSize = sizeof(uint), RoundsSize = RunSize + 2;

    /// <summary>In the byte of the round.</summary>
    private const int VectorBit = 7;

    /// <summary>Moves of the stack pointer are multiples of this.</summary>
    public const int StackUnit = 8;

    /// <summary>The most bytes of a map.</summary>
    public static int SizeLimit(int instructions, int starts) => 48 + instructions + (starts * 14);

    /// <summary>
    /// The place of a host address: the guest's program counter, how many instructions behind it were paid for, which registers want their signs extended, which one the accrued
    /// flags, what is to be added to the stack pointer and to others, and which registers are in the scratch vector.
    /// </summary>
    internal readonly record struct Place(
        ulong Pc, int Unused, Rebasing Rebasing, bool IsInstruction, uint Narrow = 0, byte FlagsIn = 0, int StackMove = 0, (byte Register, long By)[]? Ahead = null, uint Run = 0);

    /// <summary>Writes a map for blocks of at most 127 instructions; returns where it ends.</summary>
    public static byte* Write(byte* at, ReadOnlySpan<Blocks.InstructionStart> instructions, ulong end, ReadOnlySpan<CodeStart> starts, RoundsMap late)
    {
        *at++ = (byte)instructions.Length;
        for (int i = 0; i < instructions.Length; i++)
            *at++ = (byte)((i + 1 < instructions.Length ? instructions[i + 1].Pc : end) - instructions[i].Pc);
        *at++ = (byte)starts.Length;
        (bool hasNarrow, bool hasMoves) = FindLate(starts);
        hasNarrow |= !late.IsEmpty;
        *at++ = (byte)((starts.Length >> 8) | (hasNarrow ? 1 << FlagBit : 0) | (hasMoves ? 1 << MoveBit : 0));
        if (hasNarrow)
            at = WriteRounds(at, late);
        int offset = 0;
        foreach (ref readonly CodeStart start in starts)
        {
            at = WriteNumber(at, start.Offset - offset);
            *at++ = (byte)(start.Instruction | (start.Rebasing is Rebasing.Destination or Rebasing.Both ? 1 << FlagBit : 0));
            *at++ = (byte)(start.PaidTo | (start.Rebasing >= Rebasing.Both ? 1 << FlagBit : 0));
            offset = start.Offset;
            if (hasMoves)
                *at++ = (byte)(start.StackMove / StackUnit);
            if (!hasNarrow)
                continue;
            Unsafe.WriteUnaligned(at, start.Narrow);
            at[sizeof(uint)] = start.FlagsIn;
            at[sizeof(uint) + 1] = (byte)(start.Round | (start.IsInVector ? 1 << VectorBit : 0));
            at += LateSize;
        }
        return at;
    }

    private static byte* WriteRounds(byte* at, RoundsMap late)
    {
        Unsafe.WriteUnaligned(at, late.Run);
        (at[RunSize], at[RunSize + 1]) = ((byte)late.Rounds, (byte)late.Strides.Length);
        at += RoundsSize;
        foreach (Stride stride in late.Strides)
        {
            (at[0], at[1]) = (stride.Register, (byte)(stride.Instruction | (stride.IsCounter ? 1 << FlagBit : 0)));
            Unsafe.WriteUnaligned(at + 2, stride.By);
            at += StrideSize;
        }
        return at;
    }

    private static (byte Register, long By)[] Ahead(byte* strides, int round, int instruction)
    {
        int rounds = strides[RunSize], count = strides[RunSize + 1];
        strides += RoundsSize;
        bool isCounted = (round & CodeStart.Counted) != 0;
        var ahead = new (byte Register, long By)[count];
        for (int i = 0; i < count; i++, strides += StrideSize)
        {
            bool isCounter = strides[1] >> FlagBit != 0;
            var stride = new Stride(strides[0], (byte)(strides[1] & FlagMask), Unsafe.ReadUnaligned<int>(strides + 2));
            ahead[i] = (stride.Register, isCounter && !isCounted ? 0 : stride.Ahead(round & (CodeStart.Counted - 1), instruction, rounds));
        }
        return ahead;
    }

    private static (bool HasNarrow, bool HasMoves) FindLate(ReadOnlySpan<CodeStart> starts)
    {
        (bool hasNarrow, bool hasMoves) = (false, false);
        foreach (ref readonly CodeStart start in starts)
        {
            hasNarrow |= start.Narrow != 0 || start.FlagsIn != 0;
            hasMoves |= start.StackMove != 0;
        }
        return (hasNarrow, hasMoves);
    }

    /// <summary>The place of a host address in a translation; no instruction's before the first and behind the last one.</summary>
    public static Place Find(Translation translation, nint address)
    {
        byte* at = (byte*)translation.Entry + translation.MapAt;
        int instructions = *at++;
        byte* lengths = at;
        at += instructions;
        int starts = *at++;
        bool hasNarrow = *at >> FlagBit != 0, hasMoves = ((*at >> MoveBit) & 1) != 0;
        starts |= (*at++ & ((1 << MoveBit) - 1)) << 8;
        byte* strides = at;
        if (hasNarrow)
            at += RoundsSize + (at[RunSize + 1] * StrideSize);
        int left = (int)(address - translation.Entry);
        byte* found = null;
        for (; starts > 0; starts--)
        {
            left -= ReadNumber(ref at);
            if (left < 0)
                break;
            found = at;
            at += 2 + (hasMoves ? 1 : 0) + (hasNarrow ? LateSize : 0);
        }
        if (found is null)
            return new Place(translation.Pc, 0, Rebasing.None, IsInstruction: false);
        int instruction = found[0] & FlagMask;
        ulong pc = translation.Pc;
        for (int i = 0; i < instruction; i++)
            pc += lengths[i];
        Rebasing rebasing = found[0] >> FlagBit == 0 ? (found[1] >> FlagBit == 0 ? Rebasing.None : Rebasing.ParkedFlags) : found[1] >> FlagBit == 0 ? Rebasing.Destination : Rebasing.Both;
        int stackMove = hasMoves ? (sbyte)found[2] * StackUnit : 0;
        byte* late = found + (hasMoves ? 3 : 2);
        var place = new Place(pc, (found[1] & FlagMask) - instruction, rebasing, instruction < instructions, StackMove: stackMove);
        if (!hasNarrow)
            return place;
        byte round = late[sizeof(uint) + 1];
        return place with
        {
            Narrow = Unsafe.ReadUnaligned<uint>(late),
            FlagsIn = late[sizeof(uint)],
            Ahead = strides[RunSize + 1] == 0 ? null : Ahead(strides, round & FlagMask, instruction),
            Run = round >> VectorBit == 0 ? 0 : Unsafe.ReadUnaligned<uint>(strides),
        };
    }

    /// <summary>Seven bits a byte, the lowest first.</summary>
    private static byte* WriteNumber(byte* at, int value)
    {
        for (; value >= 0x80; value >>= 7)
            *at++ = (byte)(value | 0x80);
        *at++ = (byte)value;
        return at;
    }

    private static int ReadNumber(ref byte* at)
    {
        int value = 0;
        for (int shift = 0; ; shift += 7)
        {
            int part = *at++;
            value |= (part & 0x7F) << shift;
            if (part < 0x80)
                return value;
        }
    }
}
