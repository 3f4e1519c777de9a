using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>Data processing between registers (Arm ARM, C4.1.94).</summary>
internal static class RegisterLowering
{
    public static bool TryLower(Arm64Emitter emitter, Arm64Word word)
    {
        if (!word.Bit(28))
            return word.Bit(24) ? word.Bit(21) ? TryAddExtended(emitter, word) : TryAddShifted(emitter, word) : TryLogical(emitter, word);
        if (word.Bit(24))
            return MultiplyLowering.TryLower(emitter, word);
        return word.Field(21, 3) switch
        {
            0 => TryAddCarry(emitter, word),
            2 => ConditionalLowering.TryCompare(emitter, word),
            4 => ConditionalLowering.TrySelect(emitter, word),
            6 => word.Bit(30) ? UnaryLowering.TryLower(emitter, word) : MultiplyLowering.TryBinary(emitter, word),
            _ => false,
        };
    }

    /// <summary>A register shifted by a constant: LSL, LSR, ASR, ROR.</summary>
    private static byte Shifted(Arm64Emitter emitter, Arm64Word word, int size)
    {
        byte value = emitter.Read(word.Rm);
        int amount = (int)word.Field(10, 6);
        return amount == 0 ? value : emitter.Compute(ShiftOf(word.Field(22, 2)), size, value, immediate: amount);
    }

    private static OpCode ShiftOf(uint type) => type switch
    {
        0 => OpCode.ShiftLeftImmediate,
        1 => OpCode.ShiftRightImmediate,
        2 => OpCode.ShiftRightArithmeticImmediate,
        _ => OpCode.RotateRightImmediate,
    };

    // ---- logical ----------------------------------------------------------------------------------------------------

    private static bool TryLogical(Arm64Emitter emitter, Arm64Word word)
    {
        int size = word.Size;
        if (size == 2 && word.Field(10, 6) > 31)
            return false;
        bool inverts = word.Bit(21), setsFlags = word.Field(29, 2) == 3;
        if (word.Rd == 31 && !setsFlags)
            return true;
        byte second = Shifted(emitter, word, size);
        byte to = Arm64Emitter.WriteOrDiscard(word.Rd);
        if (setsFlags)
        {
            if (inverts)
                second = emitter.Compute(OpCode.Not, size, second);
            emitter.EmitFlags(OpCode.And, size, to, emitter.Read(word.Rn), second);
            emitter.ComplementCarry();
            return true;
        }
        uint operation = word.Field(29, 2);
        if (operation == 1 && word.Rn == 31)
        {
            // MOV and MVN.
            if (inverts)
                emitter.Emit(OpCode.Not, size, to, second);
            else
                emitter.Move(size, to, second);
            return true;
        }
        byte first = emitter.Read(word.Rn);
        if (operation == 0 && inverts)
        {
            emitter.Emit(OpCode.AndNot, size, to, first, second);
            return true;
        }
        if (inverts)
            second = emitter.Compute(OpCode.Not, size, second);
        emitter.Emit(operation switch { 0 => OpCode.And, 1 => OpCode.Or, _ => OpCode.Xor }, size, to, first, second);
        return true;
    }

    // ---- additions --------------------------------------------------------------------------------------------------

    private static bool TryAddShifted(Arm64Emitter emitter, Arm64Word word)
    {
        int size = word.Size, amount = (int)word.Field(10, 6);
        if (word.Field(22, 2) == 3 || (size == 2 && amount > 31))
            return false;
        bool subtracts = word.Bit(30);
        if (word.Bit(29))
        {
            SetFlags(emitter, size, Arm64Emitter.WriteOrDiscard(word.Rd), emitter.Read(word.Rn), Shifted(emitter, word, size), subtracts);
            return true;
        }
        if (word.Rd == 31)
            return true;
        if (!subtracts && size == 3 && word.Field(22, 2) == 0 && amount is > 0 and <= 3 && word.Rn != 31 && word.Rm != 31)
            emitter.Emit(OpCode.AddressOf, 3, word.Rd, word.Rn, word.Rm, c: (byte)amount);
        else if (subtracts && word.Rn == 31)
            emitter.Emit(OpCode.Negate, size, word.Rd, Shifted(emitter, word, size));
        else
            emitter.Emit(subtracts ? OpCode.Subtract : OpCode.Add, size, word.Rd, emitter.Read(word.Rn), Shifted(emitter, word, size));
        return true;
    }

    private static void SetFlags(Arm64Emitter emitter, int size, byte to, byte first, byte second, bool subtracts)
    {
        emitter.EmitFlags(subtracts ? OpCode.Subtract : OpCode.Add, size, to, first, second);
        if (!subtracts)
            emitter.ComplementCarry();
    }

    /// <summary>The first operand and the result may be the stack pointer.</summary>
    private static bool TryAddExtended(Arm64Emitter emitter, Arm64Word word)
    {
        int size = word.Size, amount = (int)word.Field(10, 3);
        if (word.Field(22, 2) != 0 || amount > 4)
            return false;
        byte second = emitter.Extend(word.Rm, word.Field(13, 3));
        if (amount != 0)
            second = emitter.Compute(OpCode.ShiftLeftImmediate, size, second, immediate: amount);
        bool subtracts = word.Bit(30);
        if (word.Bit(29))
            SetFlags(emitter, size, Arm64Emitter.WriteOrDiscard(word.Rd), word.Rn, second, subtracts);
        else
            emitter.Emit(subtracts ? OpCode.Subtract : OpCode.Add, size, word.Rd, word.Rn, second);
        return true;
    }

    /// <summary>ADC and SBC. The flags hold a borrow, and a + b + C is a - ~b - borrow.</summary>
    private static bool TryAddCarry(Arm64Emitter emitter, Arm64Word word)
    {
        if (word.Field(10, 6) != 0)
            return false;
        int size = word.Size;
        bool setsFlags = word.Bit(29);
        if (word.Rd == 31 && !setsFlags)
            return true;
        byte second = emitter.Read(word.Rm);
        if (!word.Bit(30))
            second = emitter.Compute(OpCode.Not, size, second);
        emitter.Emit(new MicroOp
        {
            Code = OpCode.SubtractBorrow, Size = (byte)size, Destination = Arm64Emitter.WriteOrDiscard(word.Rd),
            A = emitter.Read(word.Rn), B = second, Flags = setsFlags ? FlagMask.All : FlagMask.None,
        });
        return true;
    }
}
