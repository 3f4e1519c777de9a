namespace Vivarium.Emulator.Cpu.SoftFloat;

/// <summary>Conversions to integers and between formats.</summary>
public static class FloatConversion
{
    /// <summary>
    /// Rounds to a signed integer of <paramref name="bits"/> bits. NaNs and values out of range raise invalid alone and give the
    /// most negative integer, x86's "integer indefinite"; <paramref name="isValid"/> is false then.
    /// </summary>
    public static long ToInteger(in FloatValue value, int bits, RoundingMode mode, ref FloatContext context, out bool isValid)
    {
        context.RoundedUp = false;
        isValid = true;
        if (value.IsZero)
            return 0;
        if (value.IsFinite && value.Exponent < bits)
        {
            var magnitude = RoundToInteger(value, mode, out var inexact, out var roundedUp);
            var limit = UInt128.One << (bits - 1);
            if (magnitude < limit || (magnitude == limit && value.Sign))
            {
                context.RoundedUp = roundedUp;
                if (inexact)
                    context.Raise(FloatFlags.Inexact);
                return value.Sign ? (long)(0UL - (ulong)magnitude) : (long)(ulong)magnitude;
            }
        }

        isValid = false;
        context.Raise(FloatFlags.Invalid);
        return long.MinValue >> (64 - bits);
    }

    /// <summary>
    /// Rounds to an integer of <paramref name="bits"/> bits, which fills the result's upper bits by its sign or zeros. Values out of range
    /// raise invalid alone and give the nearest integer there is, NaNs the largest (RISC-V; unprivileged ISA, table 28).
    /// </summary>
    public static ulong ToNearest(in FloatValue value, int bits, bool isUnsigned, RoundingMode mode, ref FloatContext context)
    {
        if (value.IsZero)
            return 0;
        bool isNegative = value.Sign && !value.IsNaN;
        UInt128 limit = !isUnsigned ? (UInt128.One << (bits - 1)) - (isNegative ? UInt128.Zero : UInt128.One)
            : isNegative ? UInt128.Zero : (UInt128.One << bits) - UInt128.One;
        if (value.IsFinite && value.Exponent < bits)
        {
            var magnitude = RoundToInteger(value, mode, out var inexact, out _);
            if (magnitude <= limit)
            {
                if (inexact)
                    context.Raise(FloatFlags.Inexact);
                return isNegative ? 0UL - (ulong)magnitude : (ulong)magnitude;
            }
        }

        context.Raise(FloatFlags.Invalid);
        return isNegative ? 0UL - (ulong)limit : (ulong)limit;
    }

    /// <summary>Rounds to an integral value of the same format; raises inexact when <paramref name="signalsInexact"/> and the value changed.</summary>
    public static FloatValue RoundToIntegral(in FloatValue value, RoundingMode mode, bool signalsInexact, ref FloatContext context)
    {
        context.RoundedUp = false;
        if (value.IsNaN)
            return FloatNaN.Propagate(value, ref context);
        // A significand has at most 64 bits, so from 2^63 on every value is integral.
        if (!value.IsFinite || value.Exponent >= 63)
            return value;
        var magnitude = RoundToInteger(value, mode, out var inexact, out var roundedUp);
        if (inexact && signalsInexact)
            context.Raise(FloatFlags.Inexact);
        var rounded = FloatValue.Normalized(value.Sign, 127, magnitude);
        context.RoundedUp = roundedUp;
        return rounded;
    }

    /// <summary>The magnitude, below 2^64 before rounding, as an integer.</summary>
    private static UInt128 RoundToInteger(in FloatValue value, RoundingMode mode, out bool inexact, out bool roundedUp)
    {
        // Keep 64 fraction bits, sticky below.
        var fixedPoint = FloatRounding.ShiftRightSticky(value.Significand, 63 - value.Exponent);
        var lost = fixedPoint & ulong.MaxValue;
        var kept = fixedPoint >> 64;
        inexact = lost != UInt128.Zero;
        roundedUp = inexact && FloatRounding.RoundsUp(mode, value.Sign, lost, UInt128.One << 63, (kept & UInt128.One) != UInt128.Zero);
        return roundedUp ? kept + UInt128.One : kept;
    }

    /// <summary>Prepares a value for rounding into another format: signalling NaNs become quiet, denormals are noted.</summary>
    public static FloatValue Convert(in FloatValue value, ref FloatContext context)
    {
        if (value.IsNaN)
            return FloatNaN.Propagate(value, ref context);
        if (value.IsDenormal)
            context.Raise(FloatFlags.Denormal);
        return value;
    }
}
