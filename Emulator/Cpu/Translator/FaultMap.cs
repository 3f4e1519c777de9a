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
/// halves, and which one lacks the accrued flags.
/// </summary>
internal readonly record struct CodeStart(int Offset, int Instruction, int PaidTo, Rebasing Rebasing = Rebasing.None, uint Narrow = 0, byte FlagsIn = 0);

/// <summary>
/// Which instruction a place in a block's host code belongs to, in bytes: the number of instructions and the length of each; the
/// number of starts, and each of these as its distance from the one before it, instruction and payment; where registers may be narrow also these and the
/// one for flags, five bytes.
/// </summary>
internal static unsafe class FaultMap
{
    private const int FlagBit = 7;
    private const int FlagMask = (1 << FlagBit) - 1;

    /// <summary>Of what a start tells of registers that are computed later.</summary>
    private const int LateSize = sizeof(uint) + 1;

    /// <summary>The most bytes of a map.</summary>
    public static int SizeLimit(int instructions, int starts) => 3 + instructions + (starts * 12);

    /// <summary>The place of a host address: the guest's program counter, how many instructions behind it were paid for, which registers want their signs extended, and which one the accrued flags.</summary>
    internal readonly record struct Place(ulong Pc, int Unused, Rebasing Rebasing, bool IsInstruction, uint Narrow = 0, byte FlagsIn = 0);

    /// <summary>Writes a map for blocks of at most 127 instructions; returns where it ends.</summary>
    public static byte* Write(byte* at, ReadOnlySpan<Blocks.InstructionStart> instructions, ulong end, ReadOnlySpan<CodeStart> starts)
    {
        *at++ = (byte)instructions.Length;
        for (int i = 0; i < instructions.Length; i++)
            *at++ = (byte)((i + 1 < instructions.Length ? instructions[i + 1].Pc : end) - instructions[i].Pc);
        *at++ = (byte)starts.Length;
        bool hasNarrow = HasNarrow(starts);
        *at++ = (byte)((starts.Length >> 8) | (hasNarrow ? 1 << FlagBit : 0));
        int offset = 0;
        foreach (ref readonly CodeStart start in starts)
        {
            at = WriteNumber(at, start.Offset - offset);
            *at++ = (byte)(start.Instruction | (start.Rebasing is Rebasing.Destination or Rebasing.Both ? 1 << FlagBit : 0));
            *at++ = (byte)(start.PaidTo | (start.Rebasing >= Rebasing.Both ? 1 << FlagBit : 0));
            offset = start.Offset;
            if (!hasNarrow)
                continue;
            Unsafe.WriteUnaligned(at, start.Narrow);
            at[sizeof(uint)] = start.FlagsIn;
            at += LateSize;
        }
        return at;
    }

    private static bool HasNarrow(ReadOnlySpan<CodeStart> starts)
    {
        foreach (ref readonly CodeStart start in starts)
        {
            if (start.Narrow != 0 || start.FlagsIn != 0)
                return true;
        }
        return false;
    }

    /// <summary>The place of a host address in a translation; no instruction's before the first and behind the last one.</summary>
    public static Place Find(Translation translation, nint address)
    {
        byte* at = (byte*)translation.Entry + translation.MapAt;
        int instructions = *at++;
        byte* lengths = at;
        at += instructions;
        int starts = *at++;
        bool hasNarrow = *at >> FlagBit != 0;
        starts |= (*at++ & FlagMask) << 8;
        int left = (int)(address - translation.Entry);
        byte* found = null;
        for (; starts > 0; starts--)
        {
            left -= ReadNumber(ref at);
            if (left < 0)
                break;
            found = at;
            at += hasNarrow ? 2 + LateSize : 2;
        }
        if (found is null)
            return new Place(translation.Pc, 0, Rebasing.None, IsInstruction: false);
        int instruction = found[0] & FlagMask;
        ulong pc = translation.Pc;
        for (int i = 0; i < instruction; i++)
            pc += lengths[i];
        Rebasing rebasing = found[0] >> FlagBit == 0 ? (found[1] >> FlagBit == 0 ? Rebasing.None : Rebasing.ParkedFlags) : found[1] >> FlagBit == 0 ? Rebasing.Destination : Rebasing.Both;
        return new Place(pc, (found[1] & FlagMask) - instruction, rebasing, instruction < instructions, hasNarrow ? Unsafe.ReadUnaligned<uint>(found + 2) : 0, hasNarrow ? found[2 + sizeof(uint)] : (byte)0);
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
