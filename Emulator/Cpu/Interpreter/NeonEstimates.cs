using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Estimates of reciprocals and of reciprocal square roots, eight bits of each (Arm ARM, shared pseudocode: RecipEstimate, RecipSqrtEstimate).</summary>
internal static class NeonEstimates
{
    /// <summary>Of 256..511, as 1 to 2 with eight fraction bits.</summary>
    private static uint Reciprocal(uint value)
    {
        uint twice = (value * 2) + 1, quotient = (1u << 19) / twice;
        return (quotient + 1) / 2;
    }

    /// <summary>Of 128..511, a quarter to 1.</summary>
    private static uint SquareRoot(uint value)
    {
        value = value < 256 ? (value * 2) + 1 : ((value & ~1u) + 1) * 2;
        uint root = 512;
        while (value * (root + 1) * (root + 1) < 1u << 28)
            root++;
        return (root + 1) / 2;
    }

    /// <summary>URECPE and URSQRTE, of fixed-point numbers below 1.</summary>
    public static ulong Unsigned(bool isSquareRoot, uint value)
    {
        if (value >> (isSquareRoot ? 30 : 31) == 0)
            return uint.MaxValue;
        return isSquareRoot ? (ulong)SquareRoot(value >> 23) << 23 : (ulong)Reciprocal(value >> 23) << 23;
    }

    /// <summary>FPRecipEstimate.</summary>
    public static ulong Reciprocal(ref NeonFloatUnit unit, FloatFormat format, ulong bits)
    {
        FloatValue value = unit.Unpack(format, bits);
        if (value.IsNaN)
            return unit.Pack(format, FloatNaN.Propagate(value, ref unit.Context));
        if (value.IsInfinity)
            return unit.Pack(format, FloatValue.Zero(value.Sign));
        if (value.IsZero)
        {
            unit.Context.Raise(FloatFlags.DivideByZero);
            return unit.Pack(format, FloatValue.Infinity(value.Sign));
        }
        if (value.Exponent < -format.Bias - 1)
            return Overflow(ref unit, format, value.Sign);
        uint estimate = Reciprocal((uint)(value.Upper >> 55));
        return unit.Pack(format, FloatValue.Normalized(value.Sign, -value.Exponent - 1 + (127 - 8), estimate));
    }

    /// <summary>The reciprocal of what is below 2^-(bias + 1).</summary>
    private static ulong Overflow(ref NeonFloatUnit unit, FloatFormat format, bool sign)
    {
        unit.Context.Raise(FloatFlags.Overflow | FloatFlags.Inexact);
        bool toInfinity = unit.Context.Rounding switch
        {
            RoundingMode.NearestEven => true,
            RoundingMode.Up => !sign,
            RoundingMode.Down => sign,
            _ => false,
        };
        ulong infinity = unit.Pack(format, FloatValue.Infinity(sign));
        return toInfinity ? infinity : infinity - 1;
    }

    /// <summary>FPRSqrtEstimate.</summary>
    public static ulong SquareRoot(ref NeonFloatUnit unit, FloatFormat format, ulong bits)
    {
        FloatValue value = unit.Unpack(format, bits);
        if (value.IsNaN)
            return unit.Pack(format, FloatNaN.Propagate(value, ref unit.Context));
        if (value.IsZero)
        {
            unit.Context.Raise(FloatFlags.DivideByZero);
            return unit.Pack(format, FloatValue.Infinity(value.Sign));
        }
        if (value.Sign)
            return unit.Pack(format, FloatNaN.Invalid(ref unit.Context));
        if (value.IsInfinity)
            return 0;
        // An even exponent: 256..511 stand for a half to 1, 128..255 for a quarter to a half.
        bool isOdd = (value.Exponent & 1) != 0;
        uint estimate = SquareRoot((uint)(value.Upper >> (isOdd ? 55 : 56)));
        int exponent = -((value.Exponent + (isOdd ? 1 : 2)) >> 1);
        return unit.Pack(format, FloatValue.Normalized(false, exponent + (127 - 8), estimate));
    }

    /// <summary>FPRecpX: the exponent's complement.</summary>
    public static ulong ReciprocalExponent(ref NeonFloatUnit unit, FloatFormat format, ulong bits)
    {
        FloatValue value = unit.Unpack(format, bits);
        if (value.IsNaN)
            return unit.Pack(format, FloatNaN.Propagate(value, ref unit.Context));
        ulong sign = bits & (1ul << (format.FractionBits + format.ExponentBits)), special = (ulong)format.SpecialExponent;
        ulong exponent = (bits >> format.FractionBits) & special;
        return sign | ((exponent == 0 ? special - 1 : ~exponent & special) << format.FractionBits);
    }
}
