using System.Runtime.Intrinsics.X86;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>How a vector micro-op's operands are those of its host instruction.</summary>
internal enum VectorShape : byte
{
    /// <summary>There is no such host instruction.</summary>
    None,

    /// <summary>D = A op B: the host's register operand is A and the destination.</summary>
    Binary,

    /// <summary>D = op A.</summary>
    UnaryA,

    /// <summary>D = op B.</summary>
    UnaryB,

    /// <summary>D = A op immediate: the host's opcode has an extension in place of the register operand.</summary>
    ByImmediate,
}

/// <summary>
/// The host instruction of a vector micro-op that has exactly one. Opcodes are written as <see cref="Assembler"/> takes them,
/// <paramref name="MemorySize"/> is log2 of the bytes of a memory operand.
/// </summary>
internal readonly record struct VectorEncoding(VectorShape Shape, int Prefix, int Opcode, int MemorySize, int Extension, bool HasImmediate)
{
    private const int Kinds = 6;

    /// <summary>Forms of one micro-op and kind: what <see cref="Variant"/> tells apart.</summary>
    private const int Variants = 2;

    private static readonly VectorEncoding[] Table = Build();

    /// <summary>The encoding of a micro-op; its shape is None when it has none.</summary>
    public static VectorEncoding Find(in MicroOp op)
    {
        int variant = Variant(op);
        if (op.Code is < OpCode.VectorAnd or >= OpCode.X87Load || op.Size >= Kinds || (uint)variant >= Variants)
            return default;
        return Table[Index(op.Code, op.Size, variant)];
    }

    private static int Variant(in MicroOp op) => op.Code switch
    {
        OpCode.VectorDuplicate => (int)op.Immediate,
        OpCode.FloatToInteger32 => op.C == 0 ? (int)op.Immediate : Variants,
        >= OpCode.FloatAdd => op.C,
        // The selector is XMM0, which keeps its host register.
        OpCode.VectorBlendVariable => op.C == 0 ? 0 : Variants,
        _ => 0,
    };

    private static int Index(OpCode code, int kind, int variant) => (((code - OpCode.VectorAnd) * Kinds) + kind) * Variants + variant;

    private static VectorEncoding[] Build()
    {
        var table = new VectorEncoding[Index(OpCode.X87Load, 0, 0)];
        Logic(table);
        Integers(table);
        Multiplications(table);
        Comparisons(table);
        Shifts(table);
        Shuffles(table);
        FloatArithmetic(table);
        FloatConversions(table);
        return table;
    }

    // ---- integers: the prefix is 66, lanes in ascending width (SDM Vol. 2) -------------------------------------------

    private static void Add(VectorEncoding[] table, OpCode code, LaneKind first, params ReadOnlySpan<int> opcodes) =>
        Add(table, VectorShape.Binary, code, first, false, opcodes);

    private static void Add(VectorEncoding[] table, VectorShape shape, OpCode code, LaneKind first, bool hasImmediate, params ReadOnlySpan<int> opcodes)
    {
        for (int i = 0; i < opcodes.Length; i++)
            table[Index(code, (int)first + i, 0)] = new VectorEncoding(shape, 0x66, opcodes[i], 4, 0, hasImmediate);
    }

    /// <summary>Integer or floating-point form as the guest chose: processors may forward results late between the two.</summary>
    private static void Logic(VectorEncoding[] table)
    {
        Add(table, OpCode.VectorAnd, LaneKind.Int8, 0x0FDB);
        Add(table, OpCode.VectorAndNot, LaneKind.Int8, 0x0FDF);
        Add(table, OpCode.VectorOr, LaneKind.Int8, 0x0FEB);
        Add(table, OpCode.VectorXor, LaneKind.Int8, 0x0FEF);
        Packed(table, VectorShape.Binary, OpCode.VectorAnd, 0x0F54);
        Packed(table, VectorShape.Binary, OpCode.VectorAndNot, 0x0F55);
        Packed(table, VectorShape.Binary, OpCode.VectorOr, 0x0F56);
        Packed(table, VectorShape.Binary, OpCode.VectorXor, 0x0F57);
        Packed(table, VectorShape.Binary, OpCode.VectorInterleaveLow, 0x0F14);
        Packed(table, VectorShape.Binary, OpCode.VectorInterleaveHigh, 0x0F15);
    }

    private static void Integers(VectorEncoding[] table)
    {
        Add(table, OpCode.VectorAdd, LaneKind.Int8, 0x0FFC, 0x0FFD, 0x0FFE, 0x0FD4);
        Add(table, OpCode.VectorSubtract, LaneKind.Int8, 0x0FF8, 0x0FF9, 0x0FFA, 0x0FFB);
        Add(table, OpCode.VectorAddSaturateSigned, LaneKind.Int8, 0x0FEC, 0x0FED);
        Add(table, OpCode.VectorAddSaturateUnsigned, LaneKind.Int8, 0x0FDC, 0x0FDD);
        Add(table, OpCode.VectorSubtractSaturateSigned, LaneKind.Int8, 0x0FE8, 0x0FE9);
        Add(table, OpCode.VectorSubtractSaturateUnsigned, LaneKind.Int8, 0x0FD8, 0x0FD9);
        Add(table, OpCode.VectorAverage, LaneKind.Int8, 0x0FE0, 0x0FE3);
        Add(table, OpCode.VectorHorizontalAdd, LaneKind.Int16, 0x0F3801, 0x0F3802);
        Add(table, OpCode.VectorHorizontalAddSaturate, LaneKind.Int16, 0x0F3803);
        Add(table, OpCode.VectorHorizontalSubtract, LaneKind.Int16, 0x0F3805, 0x0F3806);
        Add(table, OpCode.VectorHorizontalSubtractSaturate, LaneKind.Int16, 0x0F3807);
        Add(table, OpCode.VectorApplySign, LaneKind.Int8, 0x0F3808, 0x0F3809, 0x0F380A);
        Add(table, OpCode.VectorSumDifferences, LaneKind.Int64, 0x0FF6);
        Add(table, VectorShape.Binary, OpCode.VectorSlidingDifferences, LaneKind.Int16, true, 0x0F3A42);
        Add(table, VectorShape.UnaryA, OpCode.VectorAbsolute, LaneKind.Int8, false, 0x0F381C, 0x0F381D, 0x0F381E);
        Add(table, VectorShape.UnaryA, OpCode.VectorMinPosition, LaneKind.Int16, false, 0x0F3841);
    }

    private static void Multiplications(VectorEncoding[] table)
    {
        Add(table, OpCode.VectorMultiplyLow, LaneKind.Int16, 0x0FD5, 0x0F3840);
        Add(table, OpCode.VectorMultiplyHighSigned, LaneKind.Int16, 0x0FE5);
        Add(table, OpCode.VectorMultiplyHighUnsigned, LaneKind.Int16, 0x0FE4);
        Add(table, OpCode.VectorMultiplyHighRounded, LaneKind.Int16, 0x0F380B);
        Add(table, OpCode.VectorMultiplyWideSigned, LaneKind.Int64, 0x0F3828);
        Add(table, OpCode.VectorMultiplyWideUnsigned, LaneKind.Int64, 0x0FF4);
        Add(table, OpCode.VectorMultiplyAddPairs, LaneKind.Int32, 0x0FF5);
        Add(table, OpCode.VectorMultiplyAddBytes, LaneKind.Int16, 0x0F3804);
        if (Pclmulqdq.IsSupported)
            Add(table, VectorShape.Binary, OpCode.VectorMultiplyCarryless, LaneKind.Int64, true, 0x0F3A44);
    }

    private static void Comparisons(VectorEncoding[] table)
    {
        Add(table, OpCode.VectorMinSigned, LaneKind.Int8, 0x0F3838, 0x0FEA, 0x0F3839);
        Add(table, OpCode.VectorMinUnsigned, LaneKind.Int8, 0x0FDA, 0x0F383A, 0x0F383B);
        Add(table, OpCode.VectorMaxSigned, LaneKind.Int8, 0x0F383C, 0x0FEE, 0x0F383D);
        Add(table, OpCode.VectorMaxUnsigned, LaneKind.Int8, 0x0FDE, 0x0F383E, 0x0F383F);
        Add(table, OpCode.VectorCompareEqual, LaneKind.Int8, 0x0F74, 0x0F75, 0x0F76, 0x0F3829);
        Add(table, OpCode.VectorCompareGreater, LaneKind.Int8, 0x0F64, 0x0F65, 0x0F66, 0x0F3837);
    }

    private static void Shifts(VectorEncoding[] table)
    {
        Add(table, OpCode.VectorShiftLeft, LaneKind.Int16, 0x0FF1, 0x0FF2, 0x0FF3);
        Add(table, OpCode.VectorShiftRight, LaneKind.Int16, 0x0FD1, 0x0FD2, 0x0FD3);
        Add(table, OpCode.VectorShiftRightArithmetic, LaneKind.Int16, 0x0FE1, 0x0FE2);
        // Groups 12, 13 and 14.
        ByImmediate(table, OpCode.VectorShiftLeftBy, LaneKind.Int16, 6, 0x0F71, 0x0F72, 0x0F73);
        ByImmediate(table, OpCode.VectorShiftRightBy, LaneKind.Int16, 2, 0x0F71, 0x0F72, 0x0F73);
        ByImmediate(table, OpCode.VectorShiftRightArithmeticBy, LaneKind.Int16, 4, 0x0F71, 0x0F72);
        ByImmediate(table, OpCode.VectorShiftBytesLeft, LaneKind.Int8, 7, 0x0F73);
        ByImmediate(table, OpCode.VectorShiftBytesRight, LaneKind.Int8, 3, 0x0F73);
    }

    private static void ByImmediate(VectorEncoding[] table, OpCode code, LaneKind first, int extension, params ReadOnlySpan<int> opcodes)
    {
        for (int i = 0; i < opcodes.Length; i++)
            table[Index(code, (int)first + i, 0)] = new VectorEncoding(VectorShape.ByImmediate, 0x66, opcodes[i], 4, extension, true);
    }

    private static void Shuffles(VectorEncoding[] table)
    {
        Add(table, OpCode.VectorInterleaveLow, LaneKind.Int8, 0x0F60, 0x0F61, 0x0F62, 0x0F6C);
        Add(table, OpCode.VectorInterleaveHigh, LaneKind.Int8, 0x0F68, 0x0F69, 0x0F6A, 0x0F6D);
        Add(table, OpCode.VectorPackSigned, LaneKind.Int16, 0x0F63, 0x0F6B);
        Add(table, OpCode.VectorPackUnsigned, LaneKind.Int16, 0x0F67, 0x0F382B);
        Add(table, OpCode.VectorShuffleBytes, LaneKind.Int8, 0x0F3800);
        Add(table, VectorShape.Binary, OpCode.VectorAlignRight, LaneKind.Int8, true, 0x0F3A0F);
        Add(table, VectorShape.Binary, OpCode.VectorBlend, LaneKind.Float32, true, 0x0F3A0C, 0x0F3A0D);
        Add(table, VectorShape.Binary, OpCode.VectorBlend, LaneKind.Int16, true, 0x0F3A0E);
        Add(table, OpCode.VectorBlendVariable, LaneKind.Int8, 0x0F3810);
        Add(table, OpCode.VectorBlendVariable, LaneKind.Float32, 0x0F3814, 0x0F3815);
        Add(table, VectorShape.UnaryA, OpCode.VectorShuffle32, LaneKind.Int32, true, 0x0F70);
        Set(table, OpCode.VectorShuffleLow16, LaneKind.Int16, 0, new VectorEncoding(VectorShape.UnaryA, 0xF2, 0x0F70, 4, 0, true));
        Set(table, OpCode.VectorShuffleHigh16, LaneKind.Int16, 0, new VectorEncoding(VectorShape.UnaryA, 0xF3, 0x0F70, 4, 0, true));
        Packed(table, VectorShape.Binary, OpCode.VectorShufflePairs, 0x0FC6, hasImmediate: true);
        // MOVSLDUP, MOVSHDUP, MOVDDUP.
        Set(table, OpCode.VectorDuplicate, LaneKind.Float32, 0, new VectorEncoding(VectorShape.UnaryA, 0xF3, 0x0F12, 4, 0, false));
        Set(table, OpCode.VectorDuplicate, LaneKind.Float32, 1, new VectorEncoding(VectorShape.UnaryA, 0xF3, 0x0F16, 4, 0, false));
        Set(table, OpCode.VectorDuplicate, LaneKind.Float64, 0, new VectorEncoding(VectorShape.UnaryA, 0xF2, 0x0F12, 3, 0, false));
    }

    private static void Set(VectorEncoding[] table, OpCode code, LaneKind kind, int variant, VectorEncoding encoding) =>
        table[Index(code, (int)kind, variant)] = encoding;

    // ---- floating point: the prefix tells PS, PD, SS and SD ---------------------------------------------------------

    private static void FloatArithmetic(VectorEncoding[] table)
    {
        Float(table, VectorShape.Binary, OpCode.FloatAdd, 0x0F58);
        Float(table, VectorShape.Binary, OpCode.FloatMultiply, 0x0F59);
        Float(table, VectorShape.Binary, OpCode.FloatSubtract, 0x0F5C);
        Float(table, VectorShape.Binary, OpCode.FloatMin, 0x0F5D);
        Float(table, VectorShape.Binary, OpCode.FloatDivide, 0x0F5E);
        Float(table, VectorShape.Binary, OpCode.FloatMax, 0x0F5F);
        Float(table, VectorShape.Binary, OpCode.FloatCompare, 0x0FC2, hasImmediate: true);
        Float(table, VectorShape.UnaryB, OpCode.FloatSquareRoot, 0x0F51);
        Single(table, OpCode.FloatReciprocalSquareRoot, 0x0F52);
        Single(table, OpCode.FloatReciprocal, 0x0F53);
        Horizontal(table, OpCode.FloatHorizontalAdd, 0x0F7C);
        Horizontal(table, OpCode.FloatHorizontalSubtract, 0x0F7D);
        Horizontal(table, OpCode.FloatAddSubtract, 0x0FD0);
        Add(table, VectorShape.Binary, OpCode.FloatDot, LaneKind.Float32, true, 0x0F3A40, 0x0F3A41);
        Add(table, VectorShape.UnaryB, OpCode.FloatRound, LaneKind.Float32, true, 0x0F3A08, 0x0F3A09);
        Set(table, OpCode.FloatRound, LaneKind.Float32, 1, new VectorEncoding(VectorShape.Binary, 0x66, 0x0F3A0A, 2, 0, true));
        Set(table, OpCode.FloatRound, LaneKind.Float64, 1, new VectorEncoding(VectorShape.Binary, 0x66, 0x0F3A0B, 3, 0, true));
    }

    /// <summary>PS, PD, SS, SD; the scalar forms keep the destination's other lanes, so they are binary in any case.</summary>
    private static void Float(VectorEncoding[] table, VectorShape packed, OpCode code, int opcode, bool hasImmediate = false)
    {
        Packed(table, packed, code, opcode, hasImmediate);
        Set(table, code, LaneKind.Float32, 1, new VectorEncoding(VectorShape.Binary, 0xF3, opcode, 2, 0, hasImmediate));
        Set(table, code, LaneKind.Float64, 1, new VectorEncoding(VectorShape.Binary, 0xF2, opcode, 3, 0, hasImmediate));
    }

    private static void Packed(VectorEncoding[] table, VectorShape shape, OpCode code, int opcode, bool hasImmediate = false)
    {
        Set(table, code, LaneKind.Float32, 0, new VectorEncoding(shape, 0, opcode, 4, 0, hasImmediate));
        Set(table, code, LaneKind.Float64, 0, new VectorEncoding(shape, 0x66, opcode, 4, 0, hasImmediate));
    }

    private static void Single(VectorEncoding[] table, OpCode code, int opcode)
    {
        Set(table, code, LaneKind.Float32, 0, new VectorEncoding(VectorShape.UnaryB, 0, opcode, 4, 0, false));
        Set(table, code, LaneKind.Float32, 1, new VectorEncoding(VectorShape.Binary, 0xF3, opcode, 2, 0, false));
    }

    private static void Horizontal(VectorEncoding[] table, OpCode code, int opcode)
    {
        Set(table, code, LaneKind.Float32, 0, new VectorEncoding(VectorShape.Binary, 0xF2, opcode, 4, 0, false));
        Set(table, code, LaneKind.Float64, 0, new VectorEncoding(VectorShape.Binary, 0x66, opcode, 4, 0, false));
    }

    private static void FloatConversions(VectorEncoding[] table)
    {
        // CVTPS2PD, CVTPD2PS, CVTSS2SD, CVTSD2SS: the kind is the source's.
        Set(table, OpCode.FloatConvert, LaneKind.Float32, 0, new VectorEncoding(VectorShape.UnaryB, 0, 0x0F5A, 3, 0, false));
        Set(table, OpCode.FloatConvert, LaneKind.Float64, 0, new VectorEncoding(VectorShape.UnaryB, 0x66, 0x0F5A, 4, 0, false));
        Set(table, OpCode.FloatConvert, LaneKind.Float32, 1, new VectorEncoding(VectorShape.Binary, 0xF3, 0x0F5A, 2, 0, false));
        Set(table, OpCode.FloatConvert, LaneKind.Float64, 1, new VectorEncoding(VectorShape.Binary, 0xF2, 0x0F5A, 3, 0, false));
        // CVTDQ2PS, CVTDQ2PD.
        Set(table, OpCode.FloatFromInteger32, LaneKind.Float32, 0, new VectorEncoding(VectorShape.UnaryB, 0, 0x0F5B, 4, 0, false));
        Set(table, OpCode.FloatFromInteger32, LaneKind.Float64, 0, new VectorEncoding(VectorShape.UnaryB, 0xF3, 0x0FE6, 3, 0, false));
        // CVTPS2DQ, CVTTPS2DQ, CVTPD2DQ, CVTTPD2DQ.
        Set(table, OpCode.FloatToInteger32, LaneKind.Float32, 0, new VectorEncoding(VectorShape.UnaryB, 0x66, 0x0F5B, 4, 0, false));
        Set(table, OpCode.FloatToInteger32, LaneKind.Float32, 1, new VectorEncoding(VectorShape.UnaryB, 0xF3, 0x0F5B, 4, 0, false));
        Set(table, OpCode.FloatToInteger32, LaneKind.Float64, 0, new VectorEncoding(VectorShape.UnaryB, 0xF2, 0x0FE6, 4, 0, false));
        Set(table, OpCode.FloatToInteger32, LaneKind.Float64, 1, new VectorEncoding(VectorShape.UnaryB, 0x66, 0x0FE6, 4, 0, false));
    }
}
