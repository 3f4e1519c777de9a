namespace Vivarium.Emulator.Cpu.RiscV;

/// <summary>Expands the C extension's instructions to the 32-bit ones that they stand for (unprivileged ISA manual, chapter 27; RV64DC).</summary>
internal static class RiscVCompressed
{
    private const uint Load = 0x03, LoadFloat = 0x07, OpImmediate = 0x13, OpImmediate32 = 0x1B, Store = 0x23, StoreFloat = 0x27;
    private const uint Op = 0x33, Lui = 0x37, Op32 = 0x3B, Branch = 0x63, Jalr = 0x67, Jal = 0x6F;
    private const uint Word = 2, Double = 3;
    private const uint Sp = 2;

    /// <summary>The 32-bit form; 0, which is none, for what is reserved or illegal.</summary>
    public static uint Expand(uint half) => (half & 3) switch
    {
        0 => Quadrant0(half),
        1 => Quadrant1(half),
        _ => Quadrant2(half),
    };

    private static uint Bits(uint half, int from, int count, int to) => ((half >> from) & ((1u << count) - 1)) << to;

    /// <summary>x8..x15 and f8..f15, in three bits.</summary>
    private static uint Near(uint half, int at) => 8 + ((half >> at) & 7);

    private static uint Quadrant0(uint half)
    {
        uint rd = Near(half, 2), rs1 = Near(half, 7);
        uint wordOffset = Bits(half, 10, 3, 3) | Bits(half, 6, 1, 2) | Bits(half, 5, 1, 6);
        uint doubleOffset = Bits(half, 10, 3, 3) | Bits(half, 5, 2, 6);
        switch (half >> 13)
        {
            case 0: // C.ADDI4SPN
                uint offset = Bits(half, 11, 2, 4) | Bits(half, 7, 4, 6) | Bits(half, 6, 1, 2) | Bits(half, 5, 1, 3);
                return offset == 0 ? 0 : I(OpImmediate, 0, rd, Sp, offset);
            case 1: return I(LoadFloat, Double, rd, rs1, doubleOffset); // C.FLD
            case 2: return I(Load, Word, rd, rs1, wordOffset); // C.LW
            case 3: return I(Load, Double, rd, rs1, doubleOffset); // C.LD
            case 5: return S(StoreFloat, Double, rs1, rd, doubleOffset); // C.FSD
            case 6: return S(Store, Word, rs1, rd, wordOffset); // C.SW
            case 7: return S(Store, Double, rs1, rd, doubleOffset); // C.SD
            default: return 0;
        }
    }

    private static uint Quadrant1(uint half)
    {
        uint rd = (half >> 7) & 31;
        uint immediate = SignExtend(Bits(half, 12, 1, 5) | Bits(half, 2, 5, 0), 6);
        switch (half >> 13)
        {
            case 0: return I(OpImmediate, 0, rd, rd, immediate); // C.ADDI, C.NOP
            case 1: return rd == 0 ? 0 : I(OpImmediate32, 0, rd, rd, immediate); // C.ADDIW
            case 2: return I(OpImmediate, 0, rd, 0, immediate); // C.LI
            case 3: return rd == Sp ? AddToStack(half) : immediate == 0 ? 0 : Lui | (rd << 7) | (immediate << 12); // C.ADDI16SP, C.LUI
            case 4: return Arithmetic(half, immediate);
            case 5: return J(half); // C.J
            case 6: return B(half, 0); // C.BEQZ
            default: return B(half, 1); // C.BNEZ
        }
    }

    private static uint AddToStack(uint half)
    {
        uint immediate = SignExtend(Bits(half, 12, 1, 9) | Bits(half, 6, 1, 4) | Bits(half, 5, 1, 6) | Bits(half, 3, 2, 7) | Bits(half, 2, 1, 5), 10);
        return immediate == 0 ? 0 : I(OpImmediate, 0, Sp, Sp, immediate);
    }

    private static uint Arithmetic(uint half, uint immediate)
    {
        const uint shiftRight = 5, and = 7, arithmetic = 0x400;
        uint rd = Near(half, 7), rs2 = Near(half, 2);
        switch ((half >> 10) & 3)
        {
            case 0: return I(OpImmediate, shiftRight, rd, rd, immediate & 63); // C.SRLI
            case 1: return I(OpImmediate, shiftRight, rd, rd, (immediate & 63) | arithmetic); // C.SRAI
            case 2: return I(OpImmediate, and, rd, rd, immediate); // C.ANDI
        }
        const uint subtract = 0x20;
        return (((half >> 10) & 4) | ((half >> 5) & 3)) switch
        {
            0 => R(Op, 0, subtract, rd, rd, rs2), // C.SUB
            1 => R(Op, 4, 0, rd, rd, rs2), // C.XOR
            2 => R(Op, 6, 0, rd, rd, rs2), // C.OR
            3 => R(Op, 7, 0, rd, rd, rs2), // C.AND
            4 => R(Op32, 0, subtract, rd, rd, rs2), // C.SUBW
            5 => R(Op32, 0, 0, rd, rd, rs2), // C.ADDW
            _ => 0,
        };
    }

    private static uint Quadrant2(uint half)
    {
        const uint shiftLeft = 1;
        uint rd = (half >> 7) & 31, rs2 = (half >> 2) & 31;
        uint wordOffset = Bits(half, 12, 1, 5) | Bits(half, 4, 3, 2) | Bits(half, 2, 2, 6);
        uint doubleOffset = Bits(half, 12, 1, 5) | Bits(half, 5, 2, 3) | Bits(half, 2, 3, 6);
        switch (half >> 13)
        {
            case 0: return I(OpImmediate, shiftLeft, rd, rd, Bits(half, 12, 1, 5) | rs2); // C.SLLI
            case 1: return I(LoadFloat, Double, rd, Sp, doubleOffset); // C.FLDSP
            case 2: return rd == 0 ? 0 : I(Load, Word, rd, Sp, wordOffset); // C.LWSP
            case 3: return rd == 0 ? 0 : I(Load, Double, rd, Sp, doubleOffset); // C.LDSP
            case 4: return MoveOrJump(half, rd, rs2);
            case 5: return S(StoreFloat, Double, Sp, rs2, Bits(half, 10, 3, 3) | Bits(half, 7, 3, 6)); // C.FSDSP
            case 6: return S(Store, Word, Sp, rs2, Bits(half, 9, 4, 2) | Bits(half, 7, 2, 6)); // C.SWSP
            default: return S(Store, Double, Sp, rs2, Bits(half, 10, 3, 3) | Bits(half, 7, 3, 6)); // C.SDSP
        }
    }

    private static uint MoveOrJump(uint half, uint rd, uint rs2)
    {
        const uint ebreak = 0x00100073;
        bool isSecond = ((half >> 12) & 1) != 0;
        if (rs2 != 0)
            return R(Op, 0, 0, rd, isSecond ? rd : 0, rs2); // C.ADD, C.MV
        if (rd == 0)
            return isSecond ? ebreak : 0; // C.EBREAK
        return I(Jalr, 0, isSecond ? 1u : 0, rd, 0); // C.JALR, C.JR
    }

    private static uint SignExtend(uint value, int bits) => (uint)((int)(value << (32 - bits)) >> (32 - bits));

    private static uint R(uint opcode, uint funct3, uint funct7, uint rd, uint rs1, uint rs2) =>
        opcode | (rd << 7) | (funct3 << 12) | (rs1 << 15) | (rs2 << 20) | (funct7 << 25);

    private static uint I(uint opcode, uint funct3, uint rd, uint rs1, uint immediate) =>
        opcode | (rd << 7) | (funct3 << 12) | (rs1 << 15) | (immediate << 20);

    private static uint S(uint opcode, uint funct3, uint rs1, uint rs2, uint offset) =>
        opcode | ((offset & 31) << 7) | (funct3 << 12) | (rs1 << 15) | (rs2 << 20) | (offset >> 5 << 25);

    /// <summary>C.BEQZ and C.BNEZ.</summary>
    private static uint B(uint half, uint funct3)
    {
        uint offset = SignExtend(Bits(half, 12, 1, 8) | Bits(half, 10, 2, 3) | Bits(half, 5, 2, 6) | Bits(half, 3, 2, 1) | Bits(half, 2, 1, 5), 9);
        return Branch | (funct3 << 12) | (Near(half, 7) << 15) | Bits(offset, 11, 1, 7) | Bits(offset, 1, 4, 8) | Bits(offset, 5, 6, 25) | Bits(offset, 12, 1, 31);
    }

    /// <summary>C.J.</summary>
    private static uint J(uint half)
    {
        uint offset = SignExtend(
            Bits(half, 12, 1, 11) | Bits(half, 11, 1, 4) | Bits(half, 9, 2, 8) | Bits(half, 8, 1, 10) | Bits(half, 7, 1, 6) | Bits(half, 6, 1, 7) | Bits(half, 3, 3, 1) | Bits(half, 2, 1, 5), 12);
        return Jal | Bits(offset, 12, 8, 12) | Bits(offset, 11, 1, 20) | Bits(offset, 1, 10, 21) | Bits(offset, 20, 1, 31);
    }
}
