using System.Numerics;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>Advanced SIMD and scalar "shift by immediate". The highest bit of immh is the element size; immh:immb the amount, from it or up to it.</summary>
internal static class ShiftLowering
{
    private const int Widest = 3;

    public static bool TryLower(Arm64Emitter emitter, SimdWord word)
    {
        int opcode = word.Field(11, 5), immediate = word.Field(16, 7), size = BitOperations.Log2((uint)immediate >> 3);
        int right = (16 << size) - immediate, left = immediate - (8 << size);
        return opcode switch
        {
            < 0x10 => TryLowerSame(emitter, word, opcode, size, right, left),
            < 0x14 => TryLowerNarrow(emitter, word, opcode, size, right),
            0x14 => TryLowerLong(emitter, word, size, left),
            0x1C or 0x1F => TryLowerFixedPoint(emitter, word, opcode == 0x1F, size, right),
            _ => false,
        };
    }

    private static bool TryLowerSame(Arm64Emitter emitter, SimdWord word, int opcode, int size, int right, int left)
    {
        bool u = word.U, saturates = opcode is 0x0C or 0x0E;
        if (word.IsScalar ? size != Widest && !saturates : size == Widest && !word.Q)
            return false;
        (NeonOperation Operation, int Amount, long Properties)? form = (opcode, u) switch
        {
            (0x00, _) => (NeonOperation.ShiftRight, right, 0L),
            (0x02, _) => (NeonOperation.ShiftRightAdd, right, 0),
            (0x04, _) => (NeonOperation.ShiftRight, right, NeonForm.Round),
            (0x06, _) => (NeonOperation.ShiftRightAdd, right, NeonForm.Round),
            (0x08, true) => (NeonOperation.ShiftRightInsert, right, 0),
            (0x0A, false) => (NeonOperation.ShiftLeft, left, 0),
            (0x0A, true) => (NeonOperation.ShiftLeftInsert, left, 0),
            (0x0C, true) => (NeonOperation.ShiftLeftUnsigned, left, NeonForm.Saturate),
            (0x0E, _) => (NeonOperation.ShiftLeft, left, NeonForm.Saturate),
            _ => null,
        };
        if (form is not var (found, amount, properties))
            return false;
        // Of the others that have U it is another operation.
        if (u && opcode is <= 0x08 or 0x0E)
            properties |= NeonForm.Unsigned;
        return emitter.Lanes(found, size, word.Lanes(size), word.Rd, word.Rn, word.Rn, properties, amount);
    }

    private static bool TryLowerNarrow(Arm64Emitter emitter, SimdWord word, int opcode, int size, int right)
    {
        // With U the first two saturate too, to unsigned.
        bool saturates = opcode >= 0x12 || word.U;
        if (size == Widest || (word.IsScalar && !saturates))
            return false;
        long properties = (opcode & 1) != 0 ? NeonForm.Round : 0;
        if (saturates)
            properties |= NeonForm.Saturate | (opcode < 0x12 ? NeonForm.ToUnsigned : word.U ? NeonForm.Unsigned : 0);
        if (word.Q && !word.IsScalar)
            properties |= NeonForm.Upper;
        return emitter.Vectors(OpCode.NeonNarrow, size, word.Rd, word.Rn, word.Rn, word.Rd,
            NeonForm.Make(NeonOperation.ShiftRight, word.IsScalar ? 1 : 8 >> size, properties, right));
    }

    private static bool TryLowerLong(Arm64Emitter emitter, SimdWord word, int size, int left)
    {
        if (size == Widest || word.IsScalar)
            return false;
        long properties = (word.U ? NeonForm.Unsigned : 0) | (word.Q ? NeonForm.Upper : 0);
        return emitter.Vectors(OpCode.NeonWiden, size, word.Rd, word.Rn, word.Rn, word.Rd, NeonForm.Make(NeonOperation.ShiftLeft, 8 >> size, properties, left));
    }

    private static bool TryLowerFixedPoint(Arm64Emitter emitter, SimdWord word, bool isToInteger, int size, int fraction)
    {
        if (size < 2 || (size == Widest && !word.IsScalar && !word.Q))
            return false;
        NeonOperation operation = isToInteger ? NeonOperation.ToInteger : NeonOperation.FromInteger;
        long form = NeonForm.Make(operation, word.Lanes(size), word.U ? NeonForm.Unsigned : 0, fraction, (int)RoundingMode.TowardZero);
        return emitter.Vectors(OpCode.NeonFloat, size == Widest ? SimdEmit.Double : SimdEmit.Single, word.Rd, word.Rn, word.Rn, word.Rd, form);
    }
}
