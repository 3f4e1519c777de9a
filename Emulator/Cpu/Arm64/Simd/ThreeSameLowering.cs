using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64.Simd;

/// <summary>Advanced SIMD and scalar "three same".</summary>
internal static class ThreeSameLowering
{
    private const int Logical = 3;
    private const int FirstFloat = 0x18;

    public static bool TryLower(Arm64Emitter emitter, SimdWord word)
    {
        int opcode = word.Field(11, 5);
        if (opcode >= FirstFloat)
            return TryLowerFloat(emitter, word, opcode);
        return opcode == Logical ? !word.IsScalar && LowerLogical(emitter, word) : TryLowerInteger(emitter, word, opcode);
    }

    private static bool LowerLogical(Arm64Emitter emitter, SimdWord word)
    {
        int d = word.Rd, n = word.Rn, m = word.Rm, count = word.Q ? 2 : 1;
        switch (word.U, word.Size)
        {
            case (false, 0): return emitter.Lanes(NeonOperation.And, 3, count, d, n, m);
            case (false, 1): return emitter.Lanes(NeonOperation.BitClear, 3, count, d, n, m);
            case (false, 2) when n == m: return emitter.Truncate(word.Q ? 4 : 3, d, n);
            case (false, 2): return emitter.Lanes(NeonOperation.Or, 3, count, d, n, m);
            case (false, _): return emitter.Lanes(NeonOperation.OrNot, 3, count, d, n, m);
            case (true, 0): return emitter.Lanes(NeonOperation.ExclusiveOr, 3, count, d, n, m);
        }
        // BSL, BIT, BIF: the mask is the destination, or M.
        (int ones, int zeros, int mask) = word.Size switch { 1 => (n, m, d), 2 => (n, d, m), _ => (d, n, m) };
        emitter.Vectors(OpCode.NeonSelectBits, 3, d, ones, zeros, mask, 0);
        return word.Q || emitter.Truncate(3, d, d);
    }

    /// <summary>Which element sizes there are.</summary>
    [Flags]
    private enum Sizes : byte
    {
        None,
        Byte = 1,
        Half = 2,
        Word = 4,
        Long = 8,
        Narrow = Byte | Half | Word,
        Middle = Half | Word,
        All = 15,
    }

    private readonly record struct Form(NeonOperation Operation, Sizes Vector, Sizes Scalar, long Properties = 0, bool IsPairs = false);

    private static Form Integer(int opcode, bool u) => opcode switch
    {
        0x00 => new(NeonOperation.HalvingAdd, Sizes.Narrow, Sizes.None),
        0x01 => new(NeonOperation.Add, Sizes.All, Sizes.All, NeonForm.Saturate),
        0x02 => new(NeonOperation.HalvingAdd, Sizes.Narrow, Sizes.None, NeonForm.Round),
        0x04 => new(NeonOperation.HalvingSubtract, Sizes.Narrow, Sizes.None),
        0x05 => new(NeonOperation.Subtract, Sizes.All, Sizes.All, NeonForm.Saturate),
        0x06 => new(NeonOperation.CompareGreater, Sizes.All, Sizes.Long),
        0x07 => new(NeonOperation.CompareGreaterOrEqual, Sizes.All, Sizes.Long),
        0x08 => new(NeonOperation.ShiftBy, Sizes.All, Sizes.Long),
        0x09 => new(NeonOperation.ShiftBy, Sizes.All, Sizes.All, NeonForm.Saturate),
        0x0A => new(NeonOperation.ShiftBy, Sizes.All, Sizes.Long, NeonForm.Round),
        0x0B => new(NeonOperation.ShiftBy, Sizes.All, Sizes.All, NeonForm.Round | NeonForm.Saturate),
        0x0C => new(NeonOperation.Max, Sizes.Narrow, Sizes.None),
        0x0D => new(NeonOperation.Min, Sizes.Narrow, Sizes.None),
        0x0E => new(NeonOperation.AbsoluteDifference, Sizes.Narrow, Sizes.None),
        0x0F => new(NeonOperation.AccumulateDifference, Sizes.Narrow, Sizes.None),
        0x10 => new(u ? NeonOperation.Subtract : NeonOperation.Add, Sizes.All, Sizes.Long),
        0x11 => new(u ? NeonOperation.CompareEqual : NeonOperation.CompareTest, Sizes.All, Sizes.Long),
        0x12 => new(u ? NeonOperation.MultiplySubtract : NeonOperation.MultiplyAdd, Sizes.Narrow, Sizes.None),
        0x13 => u ? new(NeonOperation.MultiplyPolynomial, Sizes.Byte, Sizes.None) : new(NeonOperation.Multiply, Sizes.Narrow, Sizes.None),
        0x14 => new(NeonOperation.Max, Sizes.Narrow, Sizes.None, IsPairs: true),
        0x15 => new(NeonOperation.Min, Sizes.Narrow, Sizes.None, IsPairs: true),
        0x16 => new(NeonOperation.DoublingMultiplyHigh, Sizes.Middle, Sizes.Middle, NeonForm.Saturate | (u ? NeonForm.Round : 0)),
        0x17 when !u => new(NeonOperation.Add, Sizes.All, Sizes.None, IsPairs: true),
        _ => default,
    };

    private static bool TryLowerInteger(Arm64Emitter emitter, SimdWord word, int opcode)
    {
        Form form = Integer(opcode, word.U);
        var size = (Sizes)(1 << word.Size);
        if (((word.IsScalar ? form.Scalar : form.Vector) & size) == 0 || (word.Size == 3 && !word.IsScalar && !word.Q))
            return false;
        // In opcodes from 10000 on U is part of the operation, but for the pairs of maxima and minima.
        bool isUnsigned = word.U && (opcode < 0x10 || opcode is 0x14 or 0x15);
        long properties = NeonForm.Make(form.Operation, word.Lanes(word.Size), form.Properties | (isUnsigned ? NeonForm.Unsigned : 0));
        return emitter.Vectors(form.IsPairs ? OpCode.NeonPairs : OpCode.NeonLanes, word.Size, word.Rd, word.Rn, word.Rm, word.Rd, properties);
    }

    // ---- floating point ----------------------------------------------------------------------------------------------

    /// <summary>The operation of opcode, U and the upper bit of size; whether it is there for one lane; whether it takes pairs.</summary>
    private static (NeonOperation? Operation, bool HasScalar, bool IsPairs) Float(int opcode, bool u, bool a) => (opcode, u, a) switch
    {
        (0x18, _, _) => (a ? NeonOperation.MinNumber : NeonOperation.MaxNumber, false, u),
        (0x19, false, _) => (NeonOperation.FusedMultiplyAdd, false, false),
        (0x1A, false, _) => (a ? NeonOperation.Subtract : NeonOperation.Add, false, false),
        (0x1A, true, false) => (NeonOperation.Add, false, true),
        (0x1A, true, true) => (NeonOperation.AbsoluteDifference, true, false),
        (0x1B, false, false) => (NeonOperation.MultiplyExtended, true, false),
        (0x1B, true, false) => (NeonOperation.Multiply, false, false),
        (0x1C, false, false) => (NeonOperation.CompareEqual, true, false),
        (0x1C, true, _) => (a ? NeonOperation.CompareGreater : NeonOperation.CompareGreaterOrEqual, true, false),
        (0x1D, true, _) => (a ? NeonOperation.CompareAbsoluteGreater : NeonOperation.CompareAbsoluteGreaterOrEqual, true, false),
        (0x1E, _, _) => (a ? NeonOperation.Min : NeonOperation.Max, false, u),
        (0x1F, false, _) => (a ? NeonOperation.SquareRootStep : NeonOperation.ReciprocalStep, true, false),
        (0x1F, true, false) => (NeonOperation.Divide, false, false),
        _ => (null, false, false),
    };

    private static bool TryLowerFloat(Arm64Emitter emitter, SimdWord word, int opcode)
    {
        bool isDouble = word.Has(22), a = word.Has(23);
        (NeonOperation? operation, bool hasScalar, bool isPairs) = Float(opcode, word.U, a);
        if (operation is not { } found || (word.IsScalar ? !hasScalar : isDouble && !word.Q))
            return false;
        long properties = found == NeonOperation.FusedMultiplyAdd && a ? NeonForm.NegateProduct : 0;
        long form = NeonForm.Make(found, word.Lanes(isDouble ? 3 : 2), properties);
        return emitter.Vectors(isPairs ? OpCode.NeonFloatPairs : OpCode.NeonFloat, isDouble ? SimdEmit.Double : SimdEmit.Single, word.Rd, word.Rn, word.Rm, word.Rd, form);
    }
}
