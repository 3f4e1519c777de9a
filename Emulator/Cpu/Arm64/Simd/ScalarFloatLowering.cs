using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>Scalar floating point: "Conversion between floating-point and ..." and "Floating-point ..." of C4.1.96.</summary>
internal static class ScalarFloatLowering
{
    private const int HalfType = 3;
    private const int UpperType = 2;

    public static bool TryLower(Arm64Emitter emitter, SimdWord word)
    {
        bool hasKind = word.Size < UpperType && !word.Has(29);
        byte kind = word.Size == 1 ? SimdEmit.Double : SimdEmit.Single;
        if (word.Has(24))
            return hasKind && !word.Has(31) && LowerMultiplyAdd(emitter, word, kind);
        if (!word.Has(21))
            return hasKind && TryLowerFixedPoint(emitter, word, kind);
        if (word.Field(10, 6) == 0)
            return !word.Has(29) && TryLowerInteger(emitter, word, kind);
        if (word.Has(31) || word.Has(29))
            return false;
        if (word.Field(10, 5) == 0x10)
            return TryLowerOne(emitter, word, kind);
        if (!hasKind)
            return false;
        if (word.Field(10, 4) == 8)
            return TryLowerCompare(emitter, word, kind);
        if (word.Field(10, 3) == 4)
            return word.Field(5, 5) == 0 && LowerImmediate(emitter, word);
        return word.Field(10, 2) switch
        {
            1 => LowerConditionalCompare(emitter, word, kind),
            2 => TryLowerTwo(emitter, word, kind),
            _ => LowerSelect(emitter, word),
        };
    }

    private static bool LowerMultiplyAdd(Arm64Emitter emitter, SimdWord word, byte kind)
    {
        // FMADD, FMSUB, FNMADD, FNMSUB.
        bool o1 = word.Has(21), o0 = word.Has(15);
        long properties = (o0 != o1 ? NeonForm.NegateProduct : 0) | (o1 ? NeonForm.NegateAddend : 0);
        return emitter.Vectors(OpCode.NeonFloat, kind, word.Rd, word.Rn, word.Rm, word.Ra, NeonForm.Make(NeonOperation.FusedMultiplyAdd, 1, properties));
    }

    private static bool TryLowerTwo(Arm64Emitter emitter, SimdWord word, byte kind)
    {
        NeonOperation? operation = word.Field(12, 4) switch
        {
            0 or 8 => NeonOperation.Multiply,
            1 => NeonOperation.Divide,
            2 => NeonOperation.Add,
            3 => NeonOperation.Subtract,
            4 => NeonOperation.Max,
            5 => NeonOperation.Min,
            6 => NeonOperation.MaxNumber,
            7 => NeonOperation.MinNumber,
            _ => null,
        };
        if (operation is not { } found)
            return false;
        if (word.Field(12, 4) != 8)
            return emitter.Float(found, kind, 1, word.Rd, word.Rn, word.Rm);
        // FNMUL. The product must not be seen when its host instruction stops.
        emitter.Float(found, kind, 1, SimdEmit.FirstTemporary, word.Rn, word.Rm);
        return emitter.Float(NeonOperation.Negate, kind, 1, word.Rd, SimdEmit.FirstTemporary, SimdEmit.FirstTemporary);
    }

    private static bool TryLowerOne(Arm64Emitter emitter, SimdWord word, byte kind)
    {
        int opcode = word.Field(15, 6), d = word.Rd, n = word.Rn;
        if (opcode is >= 4 and <= 7)
            return TryLowerConversion(emitter, word, opcode & 3);
        if (word.Size >= UpperType)
            return false;
        switch (opcode)
        {
            case 0: return emitter.Truncate(word.Size == 1 ? 3 : 2, d, n);
            case 1: return emitter.Float(NeonOperation.Absolute, kind, 1, d, n, n);
            case 2: return emitter.Float(NeonOperation.Negate, kind, 1, d, n, n);
            case 3: return emitter.Float(NeonOperation.SquareRoot, kind, 1, d, n, n);
        }
        int rounding = opcode switch
        {
            8 => (int)RoundingMode.NearestEven,
            9 => (int)RoundingMode.Up,
            10 => (int)RoundingMode.Down,
            11 => (int)RoundingMode.TowardZero,
            12 => (int)RoundingMode.NearestAway,
            14 or 15 => NeonForm.Dynamic,
            _ => -1,
        };
        return rounding >= 0 && emitter.Float(NeonOperation.RoundToIntegral, kind, 1, d, n, n, opcode == 14 ? NeonForm.Round : 0, rounding);
    }

    private static byte KindOf(int type) => type switch { 0 => SimdEmit.Single, 1 => SimdEmit.Double, _ => SimdEmit.Half };

    private static bool TryLowerConversion(Arm64Emitter emitter, SimdWord word, int to)
    {
        if (word.Size == UpperType || to == UpperType || to == word.Size)
            return false;
        emitter.Emit(OpCode.NeonFloatConvert, KindOf(word.Size), SimdEmit.V(word.Rd), SimdEmit.V(word.Rn), SimdEmit.V(word.Rn), NeonForm.Make(default, 1), KindOf(to));
        return true;
    }

    private static bool LowerImmediate(Arm64Emitter emitter, SimdWord word)
    {
        uint bits = (uint)word.Field(13, 8);
        return emitter.Immediate(word.Rd, word.Size == 1 ? ImmediateLowering.ExpandDouble(bits) : ImmediateLowering.ExpandSingle(bits), isWhole: false);
    }

    // ---- conditions --------------------------------------------------------------------------------------------------

    private static bool TryLowerCompare(Arm64Emitter emitter, SimdWord word, byte kind)
    {
        const int signals = 0x10, withZero = 8;
        int opcode = word.Field(0, 5);
        if (word.Field(14, 2) != 0 || (opcode & 7) != 0)
            return false;
        int second = word.Rm;
        if ((opcode & withZero) != 0)
            emitter.Zero(second = SimdEmit.FirstTemporary);
        emitter.EmitFlags(OpCode.NeonFloatCompare, kind, MicroOp.Discard, SimdEmit.V(word.Rn), SimdEmit.V(second), c: (byte)((opcode & signals) != 0 ? NeonForm.Signaling : 0));
        return true;
    }

    private static bool LowerConditionalCompare(Arm64Emitter emitter, SimdWord word, byte kind)
    {
        long otherwise = 0;
        int form = word.Field(4, 1);
        if (Arm64Emitter.ConditionOf((uint)word.Field(12, 4)) is { } condition)
        {
            form |= NeonForm.Conditional;
            otherwise = (byte)condition | ((long)Arm64State.HostFlags((uint)word.Field(0, 4)) << 8);
        }
        emitter.EmitFlags(OpCode.NeonFloatCompare, kind, MicroOp.Discard, SimdEmit.V(word.Rn), SimdEmit.V(word.Rm), otherwise, (byte)form);
        return true;
    }

    private static bool LowerSelect(Arm64Emitter emitter, SimdWord word)
    {
        int size = word.Size == 1 ? 3 : 2;
        if (Arm64Emitter.ConditionOf((uint)word.Field(12, 4)) is not { } condition)
            return emitter.Truncate(size, word.Rd, word.Rn);
        emitter.Emit(OpCode.NeonSelect, size, SimdEmit.V(word.Rd), SimdEmit.V(word.Rn), SimdEmit.V(word.Rm), c: (byte)condition);
        return true;
    }

    // ---- integer registers -------------------------------------------------------------------------------------------

    private static bool TryLowerFixedPoint(Arm64Emitter emitter, SimdWord word, byte kind)
    {
        int fraction = 64 - word.Field(10, 6), operation = word.Field(16, 5);
        if (!word.Has(31) && fraction > 32)
            return false;
        return operation switch
        {
            2 or 3 => LowerFromInteger(emitter, word, kind, fraction),
            0x18 or 0x19 => LowerToInteger(emitter, word, kind, RoundingMode.TowardZero, fraction),
            _ => false,
        };
    }

    /// <summary>The odd ones of conversions are unsigned.</summary>
    private static long Unsigned(SimdWord word) => word.Has(16) ? NeonForm.Unsigned : 0;

    private static bool LowerFromInteger(Arm64Emitter emitter, SimdWord word, byte kind, int fraction)
    {
        emitter.Emit(OpCode.NeonFloatFromInteger, kind, SimdEmit.V(word.Rd), emitter.Read((byte)word.Rn),
            immediate: NeonForm.Make(default, 1, Unsigned(word), fraction), c: word.Has(31) ? (byte)3 : (byte)2);
        return true;
    }

    private static bool LowerToInteger(Arm64Emitter emitter, SimdWord word, byte kind, RoundingMode rounding, int fraction)
    {
        emitter.Emit(OpCode.NeonFloatToInteger, kind, emitter.Write((byte)word.Rd), SimdEmit.V(word.Rn),
            immediate: NeonForm.Make(default, 1, Unsigned(word), fraction, (int)rounding), c: word.Has(31) ? (byte)3 : (byte)2);
        return true;
    }

    private static bool TryLowerInteger(Arm64Emitter emitter, SimdWord word, byte kind)
    {
        int mode = word.Field(19, 2), opcode = word.Field(16, 3);
        if (opcode >= 6)
            return TryLowerMove(emitter, word, mode, isToInteger: opcode == 6);
        if (word.Size >= UpperType || (mode != 0 && opcode > 1))
            return false;
        return opcode switch
        {
            2 or 3 => LowerFromInteger(emitter, word, kind, 0),
            4 or 5 => LowerToInteger(emitter, word, kind, RoundingMode.NearestAway, 0),
            _ => LowerToInteger(emitter, word, kind, mode switch { 0 => RoundingMode.NearestEven, 1 => RoundingMode.Up, 2 => RoundingMode.Down, _ => RoundingMode.TowardZero }, 0),
        };
    }

    /// <summary>FMOV, to and from a register or the upper half of one.</summary>
    private static bool TryLowerMove(Arm64Emitter emitter, SimdWord word, int mode, bool isToInteger)
    {
        bool isLong = word.Has(31), isUpper = word.Size == UpperType;
        if (word.Size == HalfType || mode != (isUpper ? 1 : 0) || isLong != (word.Size != 0))
            return false;
        int size = isLong ? 3 : 2;
        byte lane = isUpper ? (byte)1 : (byte)0;
        if (isToInteger)
            emitter.Emit(OpCode.VectorToInteger, size, emitter.Write((byte)word.Rd), SimdEmit.V(word.Rn), c: lane);
        else if (isUpper)
            emitter.Emit(OpCode.VectorInsertInteger, size, SimdEmit.V(word.Rd), SimdEmit.V(word.Rd), emitter.Read((byte)word.Rn), c: lane);
        else
            emitter.Emit(OpCode.VectorFromInteger, size, SimdEmit.V(word.Rd), emitter.Read((byte)word.Rn));
        return true;
    }
}
