using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>Data processing with three sources, and with two: products, quotients, shifts by registers, CRC32 (Arm ARM, C4.1.94).</summary>
internal static class MultiplyLowering
{
    public static bool TryLower(Arm64Emitter emitter, Arm64Word word)
    {
        uint operation = word.Field(21, 3);
        bool subtracts = word.Bit(15);
        if (word.Field(29, 2) != 0 || (operation != 0 && word.Size == 2))
            return false;
        switch (operation)
        {
            case 0:
                Accumulate(emitter, word, word.Size, emitter.Read(word.Rn), emitter.Read(word.Rm), subtracts);
                return true;
            case 1 or 5:
                OpCode extension = operation == 1 ? OpCode.SignExtend : OpCode.ZeroExtend;
                Accumulate(emitter, word, 3, emitter.Compute(extension, 2, emitter.Read(word.Rn)), emitter.Compute(extension, 2, emitter.Read(word.Rm)), subtracts);
                return true;
            case 2 or 6 when !subtracts:
                if (word.Rd != 31)
                    emitter.Emit(operation == 2 ? OpCode.MultiplyHighSigned : OpCode.MultiplyHigh, 3, word.Rd, emitter.Read(word.Rn), emitter.Read(word.Rm));
                return true;
            default:
                return false;
        }
    }

    private static void Accumulate(Arm64Emitter emitter, Arm64Word word, int size, byte a, byte b, bool subtracts)
    {
        if (word.Rd == 31)
            return;
        if (word.Ra == 31 && !subtracts)
        {
            emitter.Emit(OpCode.Multiply, size, word.Rd, a, b);
            return;
        }
        byte product = emitter.Compute(OpCode.Multiply, size, a, b);
        emitter.Emit(subtracts ? OpCode.Subtract : OpCode.Add, size, word.Rd, emitter.Read(word.Ra), product);
    }

    /// <summary>Two sources.</summary>
    public static bool TryBinary(Arm64Emitter emitter, Arm64Word word)
    {
        uint operation = word.Field(10, 6);
        if (word.Bit(29))
            return false;
        if (operation >= 16)
            return TryChecksum(emitter, word, operation);
        OpCode? code = operation switch
        {
            2 => OpCode.Quotient,
            3 => OpCode.QuotientSigned,
            8 => OpCode.ShiftLeft,
            9 => OpCode.ShiftRight,
            10 => OpCode.ShiftRightArithmetic,
            11 => OpCode.RotateRight,
            _ => null,
        };
        if (code is not { } known)
            return false;
        if (word.Rd == 31)
            return true;
        // A division by zero has a quotient of zero; counts are taken modulo the width.
        byte a = emitter.Read(word.Rn), b = emitter.Read(word.Rm);
        if (known == OpCode.RotateRight)
            Rotate(emitter, word.Size, word.Rd, a, b);
        else
            emitter.Emit(known, word.Size, word.Rd, a, b);
        return true;
    }

    /// <summary>The bits shifted out come back by a shift the other way.</summary>
    private static void Rotate(Arm64Emitter emitter, int size, byte to, byte a, byte count)
    {
        byte first = emitter.Compute(OpCode.ShiftRight, size, a, count);
        // -count is ~count + 1.
        byte rest = emitter.ComputeImmediate(OpCode.Add, 3, emitter.Compute(OpCode.Not, 3, count), 1);
        byte second = emitter.Compute(OpCode.ShiftLeft, size, a, rest);
        emitter.Emit(OpCode.Or, size, to, first, second);
    }

    /// <summary>CRC32B, H, W, X (polynomial 0x04C11DB7) and CRC32CB.. (0x1EDC6F41).</summary>
    private static bool TryChecksum(Arm64Emitter emitter, Arm64Word word, uint operation)
    {
        int size = (int)(operation & 3);
        if (operation >= 24 || (size == 3) != (word.Size == 3))
            return false;
        if (word.Rd != 31)
            emitter.Emit(OpCode.Crc32, size, word.Rd, emitter.Read(word.Rn), emitter.Read(word.Rm), c: (byte)((operation & 4) != 0 ? 0 : 1));
        return true;
    }
}
