using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.RiscV;

/// <summary>Zba, Zbb and Zbs (the B extension, unprivileged ISA manual, chapter 29).</summary>
internal static class BitLowering
{
    public static bool TryLower(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        if (opcode is < RiscVOpcode.Add_Uw or > RiscVOpcode.Bseti)
            return false;
        // None of them does anything but write rd.
        if (word.Rd == 0)
            return true;
        if (!TryAddress(emitter, opcode, word) && !TryLogic(emitter, opcode, word) && !TryCount(emitter, opcode, word) && !TryRotate(emitter, opcode, word))
            SingleBit(emitter, opcode, word);
        return true;
    }

    private static bool TryAddress(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        byte a = emitter.Read(word.Rs1);
        (int shift, bool isUnsigned) = opcode switch
        {
            RiscVOpcode.Add_Uw => (0, true),
            RiscVOpcode.Sh1add => (1, false),
            RiscVOpcode.Sh1add_Uw => (1, true),
            RiscVOpcode.Sh2add => (2, false),
            RiscVOpcode.Sh2add_Uw => (2, true),
            RiscVOpcode.Sh3add => (3, false),
            RiscVOpcode.Sh3add_Uw => (3, true),
            RiscVOpcode.Slli_Uw => (word.Shift, true),
            _ => (-1, false),
        };
        if (shift < 0)
            return false;
        if (isUnsigned)
        {
            byte low = emitter.Temporary();
            emitter.Emit(OpCode.ZeroExtend, 2, low, a);
            a = low;
        }
        if (opcode == RiscVOpcode.Slli_Uw)
            emitter.Emit(OpCode.ShiftLeftImmediate, 3, word.Rd, a, immediate: shift);
        else
            emitter.Emit(OpCode.AddressOf, 3, word.Rd, emitter.Read(word.Rs2), a, c: (byte)shift);
        return true;
    }

    private static bool TryLogic(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        byte rd = word.Rd, rs1 = word.Rs1, rs2 = word.Rs2;
        switch (opcode)
        {
            case RiscVOpcode.Andn: emitter.Binary(OpCode.AndNot, rd, rs1, rs2); return true;
            case RiscVOpcode.Orn: WithComplement(emitter, OpCode.Or, word); return true;
            case RiscVOpcode.Xnor: WithComplement(emitter, OpCode.Xor, word); return true;
            case RiscVOpcode.Max: Choose(emitter, word, Condition.GreaterOrEqual); return true;
            case RiscVOpcode.Maxu: Choose(emitter, word, Condition.AboveOrEqual); return true;
            case RiscVOpcode.Min: Choose(emitter, word, Condition.Less); return true;
            case RiscVOpcode.Minu: Choose(emitter, word, Condition.Below); return true;
            case RiscVOpcode.Sext_B: emitter.Emit(OpCode.SignExtend, 0, rd, emitter.Read(rs1)); return true;
            case RiscVOpcode.Sext_H: emitter.Emit(OpCode.SignExtend, 1, rd, emitter.Read(rs1)); return true;
            case RiscVOpcode.Zext_H: emitter.Emit(OpCode.ZeroExtend, 1, rd, emitter.Read(rs1)); return true;
            default: return false;
        }
    }

    private static void WithComplement(RiscVEmitter emitter, OpCode code, RiscVWord word)
    {
        byte complement = emitter.Temporary();
        emitter.Emit(OpCode.Not, 3, complement, emitter.Read(word.Rs2));
        emitter.Emit(code, 3, word.Rd, emitter.Read(word.Rs1), complement);
    }

    private static void Choose(RiscVEmitter emitter, RiscVWord word, Condition condition)
    {
        byte a = emitter.Read(word.Rs1), b = emitter.Read(word.Rs2);
        emitter.Emit(new MicroOp { Code = OpCode.Subtract, Size = 3, Destination = MicroOp.Discard, A = a, B = b, Flags = FlagMask.All });
        emitter.Emit(OpCode.Select, 3, word.Rd, a, b, c: (byte)condition);
    }

    private static bool TryCount(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        byte rd = word.Rd, a = emitter.Read(word.Rs1);
        switch (opcode)
        {
            case RiscVOpcode.Clz: emitter.Emit(OpCode.LeadingZeros, 3, rd, a); return true;
            case RiscVOpcode.Clzw: emitter.Emit(OpCode.LeadingZeros, 2, rd, a); return true;
            case RiscVOpcode.Ctz: emitter.Emit(OpCode.TrailingZeros, 3, rd, a); return true;
            case RiscVOpcode.Ctzw: emitter.Emit(OpCode.TrailingZeros, 2, rd, a); return true;
            case RiscVOpcode.Cpop: emitter.Emit(OpCode.PopulationCount, 3, rd, a); return true;
            case RiscVOpcode.Cpopw: emitter.Emit(OpCode.PopulationCount, 2, rd, a); return true;
            case RiscVOpcode.Rev8: emitter.Emit(OpCode.ByteSwap, 3, rd, a); return true;
            case RiscVOpcode.Orc_B: CombineBytes(emitter, rd, a); return true;
            default: return false;
        }
    }

    /// <summary>Each byte that is not zero becomes all ones: its top bit is found by a sum that cannot carry out of it.</summary>
    private static void CombineBytes(RiscVEmitter emitter, byte rd, byte a)
    {
        byte low = emitter.Constant(0x7F7F_7F7F_7F7F_7F7F);
        byte sum = emitter.Temporary(), ones = emitter.Temporary(), all = emitter.Temporary();
        emitter.Emit(OpCode.And, 3, sum, a, low);
        emitter.Emit(OpCode.Add, 3, sum, sum, low);
        emitter.Emit(OpCode.Or, 3, sum, sum, a);
        emitter.Emit(OpCode.ShiftRightImmediate, 3, sum, sum, immediate: 7);
        emitter.Emit(OpCode.And, 3, ones, sum, emitter.Constant(0x0101_0101_0101_0101));
        emitter.Emit(OpCode.ShiftLeftImmediate, 3, all, ones, immediate: 8);
        emitter.Emit(OpCode.Subtract, 3, rd, all, ones);
    }

    private static bool TryRotate(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        switch (opcode)
        {
            case RiscVOpcode.Rol: Rotate(emitter, word, 3, OpCode.ShiftLeft, OpCode.ShiftRight); return true;
            case RiscVOpcode.Rolw: Rotate(emitter, word, 2, OpCode.ShiftLeft, OpCode.ShiftRight); return true;
            case RiscVOpcode.Ror: Rotate(emitter, word, 3, OpCode.ShiftRight, OpCode.ShiftLeft); return true;
            case RiscVOpcode.Rorw: Rotate(emitter, word, 2, OpCode.ShiftRight, OpCode.ShiftLeft); return true;
            case RiscVOpcode.Rori: emitter.WithImmediate(OpCode.RotateRightImmediate, word.Rd, word.Rs1, word.Shift); return true;
            case RiscVOpcode.Roriw: emitter.WordWithImmediate(OpCode.RotateRightImmediate, word.Rd, word.Rs1, word.Shift); return true;
            default: return false;
        }
    }

    /// <summary>The bits shifted out come back by a shift the other way; counts are taken modulo the width.</summary>
    private static void Rotate(RiscVEmitter emitter, RiscVWord word, int size, OpCode there, OpCode back)
    {
        byte a = emitter.Read(word.Rs1), count = emitter.Read(word.Rs2);
        byte first = emitter.Temporary(), rest = emitter.Temporary(), second = emitter.Temporary();
        emitter.Emit(there, size, first, a, count);
        emitter.Emit(OpCode.Negate, 3, rest, count);
        emitter.Emit(back, size, second, a, rest);
        if (size == 3)
        {
            emitter.Emit(OpCode.Or, 3, word.Rd, first, second);
            return;
        }
        byte both = emitter.Temporary();
        emitter.Emit(OpCode.Or, size, both, first, second);
        emitter.Emit(OpCode.SignExtend, 2, word.Rd, both);
    }

    private static void SingleBit(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        byte a = emitter.Read(word.Rs1);
        bool isImmediate = opcode is RiscVOpcode.Bclri or RiscVOpcode.Bexti or RiscVOpcode.Binvi or RiscVOpcode.Bseti;
        byte index = isImmediate ? emitter.Constant((ulong)word.Shift) : emitter.Read(word.Rs2);
        switch (opcode)
        {
            case RiscVOpcode.Bclr or RiscVOpcode.Bclri: emitter.Emit(OpCode.BitReset, 3, word.Rd, a, index); break;
            case RiscVOpcode.Binv or RiscVOpcode.Binvi: emitter.Emit(OpCode.BitComplement, 3, word.Rd, a, index); break;
            case RiscVOpcode.Bset or RiscVOpcode.Bseti: emitter.Emit(OpCode.BitSet, 3, word.Rd, a, index); break;
            default:
                byte shifted = emitter.Temporary();
                emitter.Emit(isImmediate ? OpCode.ShiftRightImmediate : OpCode.ShiftRight, 3, shifted, a, index, word.Shift);
                emitter.Emit(OpCode.AndImmediate, 3, word.Rd, shifted, immediate: 1);
                break;
        }
    }
}
