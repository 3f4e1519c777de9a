using Iced.Intel;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>The regular instructions of MMX and SSE..SSE4.2: one micro-op each, by mnemonic (in the order of SDM Vol. 2).</summary>
internal static class SseTables
{
    /// <summary>The shape of a regular instruction.</summary>
    internal enum Shape : byte
    {
        None,

        /// <summary>destination = destination op source, all lanes, an immediate if there is one.</summary>
        Binary,

        /// <summary>destination = op source, all lanes.</summary>
        Unary,

        /// <summary>Lane 0 of the destination = lane 0 of destination op source.</summary>
        ScalarBinary,

        /// <summary>Lane 0 of the destination = op lane 0 of source.</summary>
        ScalarUnary,

        /// <summary>A floating-point operation of one operand on all lanes.</summary>
        FloatUnary,
    }

    internal readonly record struct Entry(Shape Shape, OpCode Code, LaneKind Kind);

    private static readonly Entry[] Entries = Build();

    public static Entry Find(Mnemonic mnemonic) => Entries[(int)mnemonic];

    private static Entry[] Build()
    {
        var table = new Entry[Enum.GetValues<Mnemonic>().Length];
        Integers(table);
        Widths(table);
        Shuffles(table);
        Floats(table);
        return table;
    }

    private static void Add(Entry[] table, Shape shape, OpCode code, LaneKind first, params ReadOnlySpan<Mnemonic> mnemonics)
    {
        // Mnemonics are given in ascending lane width.
        for (var i = 0; i < mnemonics.Length; i++)
            table[(int)mnemonics[i]] = new Entry(shape, code, (LaneKind)((int)first + i));
    }

    private static void Integers(Entry[] table)
    {
        Add(table, Shape.Binary, OpCode.VectorAdd, LaneKind.Int8, Mnemonic.Paddb, Mnemonic.Paddw, Mnemonic.Paddd, Mnemonic.Paddq);
        Add(table, Shape.Binary, OpCode.VectorSubtract, LaneKind.Int8, Mnemonic.Psubb, Mnemonic.Psubw, Mnemonic.Psubd, Mnemonic.Psubq);
        Add(table, Shape.Binary, OpCode.VectorAddSaturateSigned, LaneKind.Int8, Mnemonic.Paddsb, Mnemonic.Paddsw);
        Add(table, Shape.Binary, OpCode.VectorAddSaturateUnsigned, LaneKind.Int8, Mnemonic.Paddusb, Mnemonic.Paddusw);
        Add(table, Shape.Binary, OpCode.VectorSubtractSaturateSigned, LaneKind.Int8, Mnemonic.Psubsb, Mnemonic.Psubsw);
        Add(table, Shape.Binary, OpCode.VectorSubtractSaturateUnsigned, LaneKind.Int8, Mnemonic.Psubusb, Mnemonic.Psubusw);
        Add(table, Shape.Binary, OpCode.VectorAverage, LaneKind.Int8, Mnemonic.Pavgb, Mnemonic.Pavgw);
        Add(table, Shape.Binary, OpCode.VectorMinSigned, LaneKind.Int8, Mnemonic.Pminsb, Mnemonic.Pminsw, Mnemonic.Pminsd);
        Add(table, Shape.Binary, OpCode.VectorMinUnsigned, LaneKind.Int8, Mnemonic.Pminub, Mnemonic.Pminuw, Mnemonic.Pminud);
        Add(table, Shape.Binary, OpCode.VectorMaxSigned, LaneKind.Int8, Mnemonic.Pmaxsb, Mnemonic.Pmaxsw, Mnemonic.Pmaxsd);
        Add(table, Shape.Binary, OpCode.VectorMaxUnsigned, LaneKind.Int8, Mnemonic.Pmaxub, Mnemonic.Pmaxuw, Mnemonic.Pmaxud);
        Add(table, Shape.Binary, OpCode.VectorCompareEqual, LaneKind.Int8, Mnemonic.Pcmpeqb, Mnemonic.Pcmpeqw, Mnemonic.Pcmpeqd, Mnemonic.Pcmpeqq);
        Add(table, Shape.Binary, OpCode.VectorCompareGreater, LaneKind.Int8, Mnemonic.Pcmpgtb, Mnemonic.Pcmpgtw, Mnemonic.Pcmpgtd, Mnemonic.Pcmpgtq);
        Add(table, Shape.Binary, OpCode.VectorMultiplyLow, LaneKind.Int16, Mnemonic.Pmullw, Mnemonic.Pmulld);
        Add(table, Shape.Binary, OpCode.VectorMultiplyHighSigned, LaneKind.Int16, Mnemonic.Pmulhw);
        Add(table, Shape.Binary, OpCode.VectorMultiplyHighUnsigned, LaneKind.Int16, Mnemonic.Pmulhuw);
        Add(table, Shape.Binary, OpCode.VectorMultiplyHighRounded, LaneKind.Int16, Mnemonic.Pmulhrsw);
        Add(table, Shape.Binary, OpCode.VectorMultiplyWideSigned, LaneKind.Int64, Mnemonic.Pmuldq);
        Add(table, Shape.Binary, OpCode.VectorMultiplyWideUnsigned, LaneKind.Int64, Mnemonic.Pmuludq);
        Add(table, Shape.Binary, OpCode.VectorMultiplyAddPairs, LaneKind.Int32, Mnemonic.Pmaddwd);
        Add(table, Shape.Binary, OpCode.VectorMultiplyAddBytes, LaneKind.Int16, Mnemonic.Pmaddubsw);
        Add(table, Shape.Binary, OpCode.VectorSumDifferences, LaneKind.Int64, Mnemonic.Psadbw);
        Add(table, Shape.Binary, OpCode.VectorSlidingDifferences, LaneKind.Int16, Mnemonic.Mpsadbw);
        Add(table, Shape.Binary, OpCode.VectorApplySign, LaneKind.Int8, Mnemonic.Psignb, Mnemonic.Psignw, Mnemonic.Psignd);
        Add(table, Shape.Binary, OpCode.VectorHorizontalAdd, LaneKind.Int16, Mnemonic.Phaddw, Mnemonic.Phaddd);
        Add(table, Shape.Binary, OpCode.VectorHorizontalAddSaturate, LaneKind.Int16, Mnemonic.Phaddsw);
        Add(table, Shape.Binary, OpCode.VectorHorizontalSubtract, LaneKind.Int16, Mnemonic.Phsubw, Mnemonic.Phsubd);
        Add(table, Shape.Binary, OpCode.VectorHorizontalSubtractSaturate, LaneKind.Int16, Mnemonic.Phsubsw);
        Add(table, Shape.Binary, OpCode.VectorMultiplyCarryless, LaneKind.Int64, Mnemonic.Pclmulqdq);
        Add(table, Shape.Unary, OpCode.VectorAbsolute, LaneKind.Int8, Mnemonic.Pabsb, Mnemonic.Pabsw, Mnemonic.Pabsd);
        Add(table, Shape.Unary, OpCode.VectorMinPosition, LaneKind.Int16, Mnemonic.Phminposuw);
        Add(table, Shape.Binary, OpCode.VectorShiftLeft, LaneKind.Int16, Mnemonic.Psllw, Mnemonic.Pslld, Mnemonic.Psllq);
        Add(table, Shape.Binary, OpCode.VectorShiftRight, LaneKind.Int16, Mnemonic.Psrlw, Mnemonic.Psrld, Mnemonic.Psrlq);
        Add(table, Shape.Binary, OpCode.VectorShiftRightArithmetic, LaneKind.Int16, Mnemonic.Psraw, Mnemonic.Psrad);
    }

    /// <summary>Operations whose lane width does not matter; the kinds of the logical ones tell what their lanes are used as.</summary>
    private static void Widths(Entry[] table)
    {
        Logic(table, OpCode.VectorAnd, Mnemonic.Pand, Mnemonic.Andps, Mnemonic.Andpd);
        Logic(table, OpCode.VectorAndNot, Mnemonic.Pandn, Mnemonic.Andnps, Mnemonic.Andnpd);
        Logic(table, OpCode.VectorOr, Mnemonic.Por, Mnemonic.Orps, Mnemonic.Orpd);
        Logic(table, OpCode.VectorXor, Mnemonic.Pxor, Mnemonic.Xorps, Mnemonic.Xorpd);
        Add(table, Shape.Binary, OpCode.VectorShuffleBytes, LaneKind.Int8, Mnemonic.Pshufb);
        Add(table, Shape.Binary, OpCode.VectorAlignRight, LaneKind.Int8, Mnemonic.Palignr);
    }

    private static void Logic(Entry[] table, OpCode code, Mnemonic integers, Mnemonic ps, Mnemonic pd)
    {
        Add(table, Shape.Binary, code, LaneKind.Int8, integers);
        Add(table, Shape.Binary, code, LaneKind.Float32, ps, pd);
    }

    private static void Shuffles(Entry[] table)
    {
        Add(table, Shape.Binary, OpCode.VectorInterleaveLow, LaneKind.Int8, Mnemonic.Punpcklbw, Mnemonic.Punpcklwd, Mnemonic.Punpckldq, Mnemonic.Punpcklqdq);
        Add(table, Shape.Binary, OpCode.VectorInterleaveHigh, LaneKind.Int8, Mnemonic.Punpckhbw, Mnemonic.Punpckhwd, Mnemonic.Punpckhdq, Mnemonic.Punpckhqdq);
        Add(table, Shape.Binary, OpCode.VectorInterleaveLow, LaneKind.Float32, Mnemonic.Unpcklps, Mnemonic.Unpcklpd);
        Add(table, Shape.Binary, OpCode.VectorInterleaveHigh, LaneKind.Float32, Mnemonic.Unpckhps, Mnemonic.Unpckhpd);
        Add(table, Shape.Binary, OpCode.VectorPackSigned, LaneKind.Int16, Mnemonic.Packsswb, Mnemonic.Packssdw);
        Add(table, Shape.Binary, OpCode.VectorPackUnsigned, LaneKind.Int16, Mnemonic.Packuswb, Mnemonic.Packusdw);
        Add(table, Shape.Binary, OpCode.VectorShufflePairs, LaneKind.Float32, Mnemonic.Shufps, Mnemonic.Shufpd);
        Add(table, Shape.Binary, OpCode.VectorBlend, LaneKind.Float32, Mnemonic.Blendps, Mnemonic.Blendpd);
        Add(table, Shape.Binary, OpCode.VectorBlend, LaneKind.Int16, Mnemonic.Pblendw);
        Add(table, Shape.Unary, OpCode.VectorShuffle32, LaneKind.Int32, Mnemonic.Pshufd);
        Add(table, Shape.Unary, OpCode.VectorShuffleLow16, LaneKind.Int16, Mnemonic.Pshuflw);
        Add(table, Shape.Unary, OpCode.VectorShuffleLow16, LaneKind.Int16, Mnemonic.Pshufw);
        Add(table, Shape.Unary, OpCode.VectorShuffleHigh16, LaneKind.Int16, Mnemonic.Pshufhw);
    }

    private static void Floats(Entry[] table)
    {
        Float(table, OpCode.FloatAdd, Mnemonic.Addps, Mnemonic.Addpd, Mnemonic.Addss, Mnemonic.Addsd);
        Float(table, OpCode.FloatSubtract, Mnemonic.Subps, Mnemonic.Subpd, Mnemonic.Subss, Mnemonic.Subsd);
        Float(table, OpCode.FloatMultiply, Mnemonic.Mulps, Mnemonic.Mulpd, Mnemonic.Mulss, Mnemonic.Mulsd);
        Float(table, OpCode.FloatDivide, Mnemonic.Divps, Mnemonic.Divpd, Mnemonic.Divss, Mnemonic.Divsd);
        Float(table, OpCode.FloatMin, Mnemonic.Minps, Mnemonic.Minpd, Mnemonic.Minss, Mnemonic.Minsd);
        Float(table, OpCode.FloatMax, Mnemonic.Maxps, Mnemonic.Maxpd, Mnemonic.Maxss, Mnemonic.Maxsd);
        Float(table, OpCode.FloatCompare, Mnemonic.Cmpps, Mnemonic.Cmppd, Mnemonic.Cmpss, Mnemonic.Cmpsd);
        Add(table, Shape.Binary, OpCode.FloatHorizontalAdd, LaneKind.Float32, Mnemonic.Haddps, Mnemonic.Haddpd);
        Add(table, Shape.Binary, OpCode.FloatHorizontalSubtract, LaneKind.Float32, Mnemonic.Hsubps, Mnemonic.Hsubpd);
        Add(table, Shape.Binary, OpCode.FloatAddSubtract, LaneKind.Float32, Mnemonic.Addsubps, Mnemonic.Addsubpd);
        Add(table, Shape.Binary, OpCode.FloatDot, LaneKind.Float32, Mnemonic.Dpps, Mnemonic.Dppd);
        Add(table, Shape.FloatUnary, OpCode.FloatSquareRoot, LaneKind.Float32, Mnemonic.Sqrtps, Mnemonic.Sqrtpd);
        Add(table, Shape.ScalarUnary, OpCode.FloatSquareRoot, LaneKind.Float32, Mnemonic.Sqrtss, Mnemonic.Sqrtsd);
        Add(table, Shape.FloatUnary, OpCode.FloatReciprocal, LaneKind.Float32, Mnemonic.Rcpps);
        Add(table, Shape.ScalarUnary, OpCode.FloatReciprocal, LaneKind.Float32, Mnemonic.Rcpss);
        Add(table, Shape.FloatUnary, OpCode.FloatReciprocalSquareRoot, LaneKind.Float32, Mnemonic.Rsqrtps);
        Add(table, Shape.ScalarUnary, OpCode.FloatReciprocalSquareRoot, LaneKind.Float32, Mnemonic.Rsqrtss);
        Add(table, Shape.FloatUnary, OpCode.FloatRound, LaneKind.Float32, Mnemonic.Roundps, Mnemonic.Roundpd);
        Add(table, Shape.ScalarUnary, OpCode.FloatRound, LaneKind.Float32, Mnemonic.Roundss, Mnemonic.Roundsd);
    }

    private static void Float(Entry[] table, OpCode code, Mnemonic ps, Mnemonic pd, Mnemonic ss, Mnemonic sd)
    {
        Add(table, Shape.Binary, code, LaneKind.Float32, ps, pd);
        Add(table, Shape.ScalarBinary, code, LaneKind.Float32, ss, sd);
    }
}
