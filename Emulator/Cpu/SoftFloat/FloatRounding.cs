namespace Vivarium.Emulator.Cpu.SoftFloat;

/// <summary>Rounds exact values into formats and encodes them.</summary>
public static class FloatRounding
{
    /// <summary>Rounds and encodes into a format with an implied integer bit; sets flags in <paramref name="context"/>.</summary>
    public static ulong Pack(FloatFormat format, in FloatValue value, ref FloatContext context)
    {
        var (biased, significand) = Round(format, value, ref context);
        var fraction = (significand & ~(1UL << 63)) >> (63 - format.FractionBits);
        var sign = value.Sign ? 1UL : 0;
        return (((sign << format.ExponentBits) | (uint)biased) << format.FractionBits) | fraction;
    }

    /// <summary>Rounds to <paramref name="precision"/> bits (24, 53, 64: x87 precision control) and encodes an 80-bit register.</summary>
    public static X87Register PackExtended(in FloatValue value, int precision, ref FloatContext context)
    {
        var (biased, significand) = Round(FloatFormat.Extended80.WithPrecision(precision), value, ref context);
        return new X87Register { Significand = significand, SignExponent = (ushort)(biased | (value.Sign ? 0x8000 : 0)) };
    }

    /// <summary>The biased exponent and left-aligned significand, integer bit included, of the rounded value.</summary>
    private static (int Biased, ulong Significand) Round(FloatFormat format, in FloatValue value, ref FloatContext context)
    {
        context.RoundedUp = false;
        switch (value.Class)
        {
            case FloatClass.Zero:
                return (0, 0);
            case FloatClass.Finite:
                break;
            default:
                return (format.SpecialExponent, value.Upper);
        }

        var biased = value.Exponent + format.Bias;
        if (biased <= 0)
            return RoundTiny(format, value, biased, ref context);
        var significand = RoundSignificand(value.Significand, format.Precision, value.Sign, ref context, out var carry, out var inexact);
        biased += carry;
        if (biased >= format.SpecialExponent)
            return Overflow(format, value.Sign, biased, significand, inexact, ref context);
        if (inexact)
            context.Raise(FloatFlags.Inexact);
        return (biased, significand);
    }

    private static (int Biased, ulong Significand) RoundTiny(FloatFormat format, in FloatValue value, int biased, ref FloatContext context)
    {
        // Tininess after rounding: would the value, rounded as if exponents had no bound, still be below the smallest normal?
        var rounded = RoundSignificand(value.Significand, format.Precision, value.Sign, ref context, out var carry, out var unboundedInexact);
        var isTiny = context.TinyBeforeRounding || biased + carry <= 0;
        if (isTiny && context.IsUnmasked(FloatFlags.Underflow))
        {
            context.Raise(FloatFlags.Underflow);
            return Wrap(format, biased + carry + context.WrapExponent, rounded, unboundedInexact, ref context);
        }
        else if (isTiny && context.FlushToZero)
        {
            context.Raise(FloatFlags.Underflow | FloatFlags.Inexact);
            return (0, 0);
        }

        var shifted = ShiftRightSticky(value.Significand, 1 - biased);
        var significand = RoundSignificand(shifted, format.Precision, value.Sign, ref context, out carry, out var inexact);
        if (inexact)
            context.Raise(isTiny ? FloatFlags.Underflow | FloatFlags.Inexact : FloatFlags.Inexact);
        return ((int)(significand >> 63), significand);
    }

    private static (int Biased, ulong Significand) Overflow(
        FloatFormat format, bool sign, int biased, ulong significand, bool inexact, ref FloatContext context)
    {
        context.Raise(FloatFlags.Overflow);
        if (context.IsUnmasked(FloatFlags.Overflow))
            return Wrap(format, biased - context.WrapExponent, significand, inexact, ref context);
        context.Raise(FloatFlags.Inexact);
        context.RoundedUp = context.Rounding switch
        {
            RoundingMode.Down => sign,
            RoundingMode.Up => !sign,
            RoundingMode.TowardZero => false,
            _ => true,
        };
        return context.RoundedUp
            ? (format.SpecialExponent, 1UL << 63)
            : (format.SpecialExponent - 1, ulong.MaxValue << (64 - format.Precision));
    }

    /// <summary>
    /// The result of unmasked overflow or underflow: rounded as if exponents had no bound, then the exponent wrapped; beyond even
    /// that (FSCALE), an infinity or zero. Without a wrap nothing is delivered; inexact tells of the rounding alone.
    /// </summary>
    private static (int Biased, ulong Significand) Wrap(
        FloatFormat format, int biased, ulong significand, bool inexact, ref FloatContext context)
    {
        if (context.WrapExponent != 0 && (biased >= format.SpecialExponent || biased <= 0))
        {
            context.Raise(FloatFlags.Inexact);
            context.RoundedUp = biased > 0;
            return biased > 0 ? (format.SpecialExponent, 1UL << 63) : (0, 0);
        }

        if (inexact)
            context.Raise(FloatFlags.Inexact);
        return (biased & format.SpecialExponent, significand);
    }

    /// <summary>
    /// Rounds to the upper <paramref name="precision"/> (at most 64) bits. A significand of all ones that rounds up becomes
    /// 1.0 with <paramref name="carry"/> 1; so does a denormal one that reaches the integer bit, without carry.
    /// </summary>
    public static ulong RoundSignificand(
        UInt128 significand, int precision, bool sign, ref FloatContext context, out int carry, out bool inexact)
    {
        carry = 0;
        var unit = UInt128.One << (128 - precision);
        var lost = significand & (unit - UInt128.One);
        inexact = lost != UInt128.Zero;
        var kept = significand - lost;
        context.RoundedUp = inexact && RoundsUp(context.Rounding, sign, lost, unit >> 1, (kept & unit) != UInt128.Zero);
        if (context.RoundedUp)
        {
            kept += unit;
            if (kept == UInt128.Zero)
            {
                carry = 1;
                return 1UL << 63;
            }
        }

        return (ulong)(kept >> 64);
    }

    /// <summary>Whether a magnitude with the non-zero lost part is rounded away from zero.</summary>
    public static bool RoundsUp(RoundingMode mode, bool sign, UInt128 lost, UInt128 half, bool isOdd) => mode switch
    {
        RoundingMode.NearestEven => lost > half || (lost == half && isOdd),
        RoundingMode.NearestAway => lost >= half,
        RoundingMode.Down => sign,
        RoundingMode.Up => !sign,
        _ => false,
    };

    /// <summary>Shifts right, keeping in bit 0 whether ones were lost.</summary>
    public static UInt128 ShiftRightSticky(UInt128 value, int count)
    {
        if (count <= 0)
            return value;
        if (count > 127)
            return value == UInt128.Zero ? UInt128.Zero : UInt128.One;
        var shifted = value >> count;
        return shifted << count == value ? shifted : shifted | UInt128.One;
    }
}
