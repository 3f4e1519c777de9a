using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>Advanced SIMD and scalar "two-register miscellaneous".</summary>
internal static class TwoRegisterLowering
{
    private const int Zeros = SimdEmit.FirstTemporary;
    private const int Widest = 3;

    public static bool TryLower(Arm64Emitter emitter, SimdWord word)
    {
        int opcode = word.Field(12, 5);
        if (opcode is >= 0x0C and <= 0x0F or >= 0x16)
            return TryLowerFloat(emitter, word, opcode);
        if (!word.IsScalar && TryLowerVector(emitter, word, opcode, out bool isThere))
            return isThere;
        return TryLowerInteger(emitter, word, opcode);
    }

    /// <summary>What is not there for one lane. True when it is such an opcode.</summary>
    private static bool TryLowerVector(Arm64Emitter emitter, SimdWord word, int opcode, out bool isThere)
    {
        int size = word.Size, d = word.Rd, n = word.Rn;
        long unsigned = word.U ? NeonForm.Unsigned : 0;
        isThere = (opcode, word.U) switch
        {
            (0, false) => size < 3 && Reverse(emitter, word, 3),
            (0, true) => size < 2 && Reverse(emitter, word, 2),
            (1, false) => size == 0 && Reverse(emitter, word, 1),
            (2, _) => size < 3 && Pairs(emitter, word, NeonOperation.AddLong, unsigned),
            (6, _) => size < 3 && Pairs(emitter, word, NeonOperation.AddLongAccumulate, unsigned),
            (4, _) => size < 3 && emitter.Lanes(word.U ? NeonOperation.LeadingZeros : NeonOperation.LeadingSigns, size, word.Lanes(size), d, n, n),
            (5, false) => size == 0 && emitter.Lanes(NeonOperation.CountBits, 0, word.Lanes(0), d, n, n),
            (5, true) => size < 2 && emitter.Lanes(size == 0 ? NeonOperation.Not : NeonOperation.ReverseBits, 0, word.Lanes(0), d, n, n),
            (0x12, false) => size < 3 && Narrow(emitter, word, 0),
            (0x13, true) => size < 3 && emitter.Vectors(OpCode.NeonWiden, size, d, n, n, d, NeonForm.Make(NeonOperation.ShiftLeft, 8 >> size, word.Q ? NeonForm.Upper : 0, 8 << size)),
            _ => false,
        };
        return opcode is 0 or 1 or 2 or 4 or 5 or 6 or 0x13 || (opcode == 0x12 && !word.U);
    }

    private static bool Reverse(Arm64Emitter emitter, SimdWord word, int container) =>
        emitter.Permute(NeonOperation.Reverse, word.Size, word.Lanes(word.Size), word.Rd, word.Rn, word.Rn, container);

    private static bool Pairs(Arm64Emitter emitter, SimdWord word, NeonOperation operation, long properties) =>
        emitter.Vectors(OpCode.NeonPairs, word.Size, word.Rd, word.Rn, word.Rn, word.Rd, NeonForm.Make(operation, word.Lanes(word.Size + 1), properties));

    private static bool Narrow(Arm64Emitter emitter, SimdWord word, long properties)
    {
        if (word.Q && !word.IsScalar)
            properties |= NeonForm.Upper;
        return emitter.Vectors(OpCode.NeonNarrow, word.Size, word.Rd, word.Rn, word.Rn, word.Rd, NeonForm.Make(NeonOperation.ShiftRight, word.IsScalar ? 1 : 8 >> word.Size, properties));
    }

    private static bool TryLowerInteger(Arm64Emitter emitter, SimdWord word, int opcode)
    {
        int size = word.Size, count = word.Lanes(size), d = word.Rd, n = word.Rn;
        bool narrows = opcode is 0x12 or 0x14, saturates = opcode is 3 or 7;
        if (narrows ? size == Widest : word.IsScalar ? !saturates && size != Widest : size == Widest && !word.Q)
            return false;
        switch (opcode, word.U)
        {
            case (3, _): return emitter.Lanes(NeonOperation.AddMixed, size, count, d, n, d, NeonForm.Saturate | (word.U ? NeonForm.Unsigned : 0));
            case (7, _): return emitter.Lanes(word.U ? NeonOperation.Negate : NeonOperation.Absolute, size, count, d, n, n, NeonForm.Saturate);
            case (11, _): return emitter.Lanes(word.U ? NeonOperation.Negate : NeonOperation.Absolute, size, count, d, n, n);
            case (8, false): return WithZero(emitter, NeonOperation.CompareGreater, size, count, d, n, isFirst: false);
            case (8, true): return WithZero(emitter, NeonOperation.CompareGreaterOrEqual, size, count, d, n, isFirst: false);
            case (9, false): return WithZero(emitter, NeonOperation.CompareEqual, size, count, d, n, isFirst: false);
            case (9, true): return WithZero(emitter, NeonOperation.CompareGreaterOrEqual, size, count, d, n, isFirst: true);
            case (10, false): return WithZero(emitter, NeonOperation.CompareGreater, size, count, d, n, isFirst: true);
            case (0x12, true): return Narrow(emitter, word, NeonForm.Saturate | NeonForm.ToUnsigned);
            case (0x14, _): return Narrow(emitter, word, NeonForm.Saturate | (word.U ? NeonForm.Unsigned : 0));
            default: return false;
        }
    }

    private static bool WithZero(Arm64Emitter emitter, NeonOperation operation, int size, int count, int d, int n, bool isFirst)
    {
        emitter.Zero(Zeros);
        return isFirst ? emitter.Lanes(operation, size, count, d, Zeros, n) : emitter.Lanes(operation, size, count, d, n, Zeros);
    }

    // ---- floating point ----------------------------------------------------------------------------------------------

    private static bool TryLowerFloat(Arm64Emitter emitter, SimdWord word, int opcode)
    {
        bool isDouble = word.Has(22), a = word.Has(23);
        if (opcode is 0x16 or 0x17)
            return !a && TryLowerConversion(emitter, word, opcode, isDouble);
        if (!word.IsScalar && isDouble && !word.Q)
            return false;
        byte kind = isDouble ? SimdEmit.Double : SimdEmit.Single;
        int count = word.Lanes(isDouble ? 3 : 2), d = word.Rd, n = word.Rn;
        if (a && opcode is >= 0x0C and <= 0x0E)
            return TryLowerCompare(emitter, word, opcode, kind, count);
        if (TryToInteger(word, opcode, a) is { } rounding)
            return emitter.Float(NeonOperation.ToInteger, kind, count, d, n, n, word.U ? NeonForm.Unsigned : 0, (int)rounding);
        if (TryLowerEstimate(emitter, word, opcode, a, isDouble, kind, count, out bool isThere))
            return isThere;
        return !word.IsScalar && TryLowerVectorFloat(emitter, word, opcode, a, kind, count);
    }

    private static RoundingMode? TryToInteger(SimdWord word, int opcode, bool a) => (opcode, a) switch
    {
        (0x1A, false) => RoundingMode.NearestEven,
        (0x1A, true) => RoundingMode.Up,
        (0x1B, false) => RoundingMode.Down,
        (0x1B, true) => RoundingMode.TowardZero,
        (0x1C, false) => RoundingMode.NearestAway,
        _ => null,
    };

    private static bool TryLowerCompare(Arm64Emitter emitter, SimdWord word, int opcode, byte kind, int count)
    {
        (NeonOperation operation, bool isFirst) = (opcode, word.U) switch
        {
            (0x0C, false) => (NeonOperation.CompareGreater, false),
            (0x0C, true) => (NeonOperation.CompareGreaterOrEqual, false),
            (0x0D, false) => (NeonOperation.CompareEqual, false),
            (0x0D, true) => (NeonOperation.CompareGreaterOrEqual, true),
            _ => (NeonOperation.CompareGreater, true),
        };
        if (opcode == 0x0E && word.U)
            return false;
        emitter.Zero(Zeros);
        return isFirst ? emitter.Float(operation, kind, count, word.Rd, Zeros, word.Rn) : emitter.Float(operation, kind, count, word.Rd, word.Rn, Zeros);
    }

    /// <summary>From integers, estimates, roots. True when it is such an opcode.</summary>
    private static bool TryLowerEstimate(Arm64Emitter emitter, SimdWord word, int opcode, bool a, bool isDouble, byte kind, int count, out bool isThere)
    {
        int d = word.Rd, n = word.Rn;
        isThere = true;
        switch (opcode, a, word.U)
        {
            case (0x1D, false, _):
                return emitter.Float(NeonOperation.FromInteger, kind, count, d, n, n, word.U ? NeonForm.Unsigned : 0);
            case (0x1D, true, _):
                return emitter.Float(word.U ? NeonOperation.SquareRootEstimate : NeonOperation.ReciprocalEstimate, kind, count, d, n, n);
            case (0x1C, true, _):
                isThere = !word.IsScalar && !isDouble
                    && emitter.Lanes(word.U ? NeonOperation.SquareRootEstimate : NeonOperation.ReciprocalEstimate, 2, count, d, n, n, NeonForm.Unsigned);
                return true;
            case (0x1F, true, false):
                isThere = word.IsScalar && emitter.Float(NeonOperation.ReciprocalExponent, kind, count, d, n, n);
                return true;
            default:
                isThere = false;
                return false;
        }
    }

    private static bool TryLowerVectorFloat(Arm64Emitter emitter, SimdWord word, int opcode, bool a, byte kind, int count)
    {
        int d = word.Rd, n = word.Rn;
        switch (opcode, a, word.U)
        {
            case (0x0F, true, _): return emitter.Float(word.U ? NeonOperation.Negate : NeonOperation.Absolute, kind, count, d, n, n);
            case (0x1F, true, true): return emitter.Float(NeonOperation.SquareRoot, kind, count, d, n, n);
        }
        (int rounding, bool isExact) = (opcode, a, word.U) switch
        {
            (0x18, false, false) => ((int)RoundingMode.NearestEven, false),
            (0x18, true, false) => ((int)RoundingMode.Up, false),
            (0x19, false, false) => ((int)RoundingMode.Down, false),
            (0x19, true, false) => ((int)RoundingMode.TowardZero, false),
            (0x18, false, true) => ((int)RoundingMode.NearestAway, false),
            (0x19, false, true) => (NeonForm.Dynamic, true),
            (0x19, true, true) => (NeonForm.Dynamic, false),
            _ => (-1, false),
        };
        return rounding >= 0 && emitter.Float(NeonOperation.RoundToIntegral, kind, count, d, n, n, isExact ? NeonForm.Round : 0, rounding);
    }

    /// <summary>FCVTN, FCVTXN, FCVTL; size says which two kinds.</summary>
    private static bool TryLowerConversion(Arm64Emitter emitter, SimdWord word, int opcode, bool isDouble)
    {
        bool isToOdd = opcode == 0x16 && word.U, widens = opcode == 0x17;
        if (word.IsScalar ? !isToOdd : widens && word.U)
            return false;
        if (isToOdd && !isDouble)
            return false;
        (byte narrow, byte wide) = isDouble ? (SimdEmit.Single, SimdEmit.Double) : (SimdEmit.Half, SimdEmit.Single);
        int count = word.IsScalar ? 1 : isDouble ? 2 : 4;
        long properties = (isToOdd ? NeonForm.Round : 0) | (word.Q && !word.IsScalar ? NeonForm.Upper : 0);
        emitter.Emit(new MicroOp
        {
            Code = OpCode.NeonFloatConvert,
            Size = widens ? narrow : wide,
            C = widens ? wide : narrow,
            Destination = SimdEmit.V(word.Rd),
            A = SimdEmit.V(word.Rn),
            B = SimdEmit.V(word.Rd),
            Immediate = NeonForm.Make(default, count, properties),
        });
        return true;
    }
}
