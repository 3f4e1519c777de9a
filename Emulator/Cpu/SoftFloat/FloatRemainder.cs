namespace Vivarium.Emulator.Cpu.SoftFloat;

/// <summary>The remainder instructions of x87 (SDM Vol. 2, FPREM and FPREM1).</summary>
public static class FloatRemainder
{
    /// <summary>
    /// One step of a remainder. When the exponents differ by less than 64 it is complete: <paramref name="quotient"/> holds the low
    /// bits of the integer quotient. Otherwise <paramref name="isPartial"/> is set and the result is the dividend made smaller by a
    /// multiple of the divisor.
    /// </summary>
    /// <param name="nearest">Rounds the quotient to nearest (FPREM1, IEEE remainder) instead of towards zero (FPREM).</param>
    public static FloatValue Remainder(
        in FloatValue a, in FloatValue b, bool nearest, ref FloatContext context, out ulong quotient, out bool isPartial)
    {
        quotient = 0;
        isPartial = false;
        if (a.IsNaN || b.IsNaN)
            return FloatNaN.Propagate(a, b, ref context);
        if (a.IsInfinity || b.IsZero)
            return FloatNaN.Invalid(ref context);
        FloatArithmetic.RaiseDenormal(a, b, ref context);
        if (a.IsZero || b.IsInfinity)
            return a;

        var difference = a.Exponent - b.Exponent;
        if (difference < -1)
            return a;
        if (difference >= 64)
        {
            isPartial = true;
            return ReducePartially(a, b, difference);
        }

        // Align both to the smaller exponent; the dividend has at most 128 bits then.
        var (dividend, divisor, exponent) = difference < 0
            ? ((UInt128)a.Upper, (UInt128)b.Upper << 1, a.Exponent)
            : ((UInt128)a.Upper << difference, (UInt128)b.Upper, b.Exponent);
        var (whole, rest) = UInt128.DivRem(dividend, divisor);
        var sign = a.Sign;
        if (nearest && RoundsAway(rest, divisor, whole))
        {
            whole++;
            rest = divisor - rest;
            sign = !sign;
        }

        quotient = (ulong)whole;
        return rest == UInt128.Zero ? FloatValue.Zero(a.Sign) : FloatValue.Normalized(sign, exponent + 64, rest);
    }

    private static bool RoundsAway(UInt128 rest, UInt128 divisor, UInt128 quotient)
    {
        var complement = divisor - rest;
        return rest > complement || (rest == complement && (quotient & UInt128.One) != UInt128.Zero);
    }

    /// <summary>Subtracts divisor × 2^(difference − 63) × an integer, leaving a dividend with an exponent smaller by up to 63.</summary>
    private static FloatValue ReducePartially(in FloatValue a, in FloatValue b, int difference)
    {
        // A step that leaves the remaining difference a multiple of 32 plus a rest keeps later steps exact; 32..63 are allowed.
        var step = 32 + (difference & 31);
        var rest = ((UInt128)a.Upper << step) % b.Upper;
        return rest == UInt128.Zero
            ? FloatValue.Zero(a.Sign)
            : FloatValue.Normalized(a.Sign, a.Exponent - step + 64, rest);
    }
}
