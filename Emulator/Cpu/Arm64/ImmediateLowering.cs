using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>Data processing with an immediate (Arm ARM, C4.1.92).</summary>
internal static class ImmediateLowering
{
    public static bool TryLower(Arm64Emitter emitter, Arm64Word word) => word.Field(23, 3) switch
    {
        0 or 1 => PcRelative(emitter, word),
        2 => AddSubtract(emitter, word),
        4 => TryLogical(emitter, word),
        5 => TryMoveWide(emitter, word),
        6 => BitfieldLowering.TryLower(emitter, word),
        7 => BitfieldLowering.TryExtract(emitter, word),
        _ => false,
    };

    /// <summary>ADR, ADRP.</summary>
    private static bool PcRelative(Arm64Emitter emitter, Arm64Word word)
    {
        long offset = ((long)word.SignedField(5, 19) << 2) | word.Field(29, 2);
        const ulong pageMask = 0xFFF;
        emitter.SetImmediate(word.Rd, word.Bit(31) ? (emitter.Pc & ~pageMask) + (ulong)(offset << 12) : emitter.Pc + (ulong)offset);
        return true;
    }

    private static bool AddSubtract(Arm64Emitter emitter, Arm64Word word)
    {
        long immediate = word.Field(10, 12) << (word.Bit(22) ? 12 : 0);
        bool subtracts = word.Bit(30);
        int size = word.Size;
        if (word.Bit(29))
        {
            SetFlags(emitter, size, Arm64Emitter.WriteOrDiscard(word.Rd), word.Rn, subtracts, immediate);
            return true;
        }
        if (size == 3 && emitter.TryKnown(word.Rn, out ulong known) && word.Rd != Arm64State.StackPointer && word.Rn != Arm64State.StackPointer)
            emitter.SetImmediate(word.Rd, subtracts ? known - (ulong)immediate : known + (ulong)immediate);
        else if (immediate == 0)
            emitter.Emit(size == 3 ? OpCode.Move : OpCode.ZeroExtend, size, word.Rd, word.Rn);
        else
            emitter.Emit(subtracts ? OpCode.SubtractImmediate : OpCode.AddImmediate, size, word.Rd, word.Rn, immediate: immediate);
        return true;
    }

    /// <summary>ADDS and SUBS. The sum with n is the difference with -n, whose borrow is the inverse of its carry; but not with 0.</summary>
    private static void SetFlags(Arm64Emitter emitter, int size, byte to, byte from, bool subtracts, long immediate)
    {
        if (subtracts || immediate != 0)
        {
            emitter.EmitFlags(OpCode.SubtractImmediate, size, to, from, immediate: subtracts ? immediate : -immediate);
            return;
        }
        emitter.EmitFlags(OpCode.AddImmediate, size, to, from);
        emitter.ComplementCarry();
    }

    private static bool TryLogical(Arm64Emitter emitter, Arm64Word word)
    {
        if (!word.TryBitMask(out ulong mask))
            return false;
        int size = word.Size;
        byte from = emitter.Read(word.Rn);
        switch (word.Field(29, 2))
        {
            case 0:
                And(emitter, size, word.Rd, from, mask);
                break;
            case 1 when word.Rn == 31 && word.Rd != Arm64State.StackPointer:
                emitter.SetImmediate(word.Rd, mask);
                break;
            case 1:
                emitter.WithImmediate(OpCode.Or, size, word.Rd, from, (long)mask);
                break;
            case 2:
                emitter.WithImmediate(OpCode.Xor, size, word.Rd, from, (long)mask);
                break;
            default:
                if (size == 3 && (long)mask != (int)mask)
                    emitter.EmitFlags(OpCode.And, size, Arm64Emitter.WriteOrDiscard(word.Rd), from, emitter.Constant(mask));
                else
                    emitter.EmitFlags(OpCode.AndImmediate, size, Arm64Emitter.WriteOrDiscard(word.Rd), from, immediate: size == 2 ? (int)mask : (long)mask);
                emitter.ComplementCarry();
                break;
        }
        return true;
    }

    private static void And(Arm64Emitter emitter, int size, byte to, byte from, ulong mask)
    {
        int extension = mask switch { 0xFF => 0, 0xFFFF => 1, 0xFFFF_FFFF => 2, _ => -1 };
        if (extension >= 0)
            emitter.Emit(OpCode.ZeroExtend, extension, to, from);
        else
            emitter.WithImmediate(OpCode.And, size, to, from, (long)mask);
    }

    /// <summary>MOVN, MOVZ, MOVK.</summary>
    private static bool TryMoveWide(Arm64Emitter emitter, Arm64Word word)
    {
        uint operation = word.Field(29, 2);
        int shift = (int)word.Field(21, 2) * 16, size = word.Size;
        if (operation == 1 || (size == 2 && shift > 16))
            return false;
        ulong value = (ulong)word.Field(5, 16) << shift, all = size == 3 ? ulong.MaxValue : uint.MaxValue;
        if (operation != 3)
            emitter.SetImmediate(word.Rd, (operation == 0 ? ~value : value) & all);
        else if (word.Rd != 31)
            Keep(emitter, word.Rd, value, ~(0xFFFFul << shift) & all, size, shift);
        return true;
    }

    private static void Keep(Arm64Emitter emitter, byte register, ulong value, ulong kept, int size, int shift)
    {
        if (emitter.TryKnown(register, out ulong known))
        {
            emitter.SetImmediate(register, (known & kept) | value);
            return;
        }
        if (shift == 0 && size == 3)
        {
            emitter.Emit(OpCode.Insert, 1, register, emitter.Constant(value));
            return;
        }
        byte rest = emitter.ComputeImmediate(OpCode.And, size, register, (long)kept);
        emitter.WithImmediate(OpCode.Or, size, register, rest, (long)value);
    }
}
