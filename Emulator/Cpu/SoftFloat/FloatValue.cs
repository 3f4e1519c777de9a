using System.Numerics;

namespace Vivarium.Emulator.Cpu.SoftFloat;

public enum FloatClass : byte
{
    Zero,
    Finite,
    Infinity,
    QuietNaN,
    SignalingNaN,

    /// <summary>An x87 encoding with a clear integer bit that no current processor accepts (SDM Vol. 1, 8.2.2).</summary>
    Unsupported,
}

/// <summary>
/// A floating-point number taken apart, with room for the exact result of one operation. A finite value is
/// Significand × 2^(Exponent − 127), bit 127 set; bit 0 is sticky: set when lower bits were lost. Operands have their bits in
/// the upper half. A NaN keeps its payload as the x87 format does, left-aligned with the integer bit at 127 and the quiet bit at 126.
/// </summary>
public readonly struct FloatValue
{
    public readonly UInt128 Significand;
    public readonly int Exponent;
    public readonly FloatClass Class;
    public readonly bool Sign;

    /// <summary>Was encoded as a denormal.</summary>
    public readonly bool IsDenormal;

    public FloatValue(FloatClass kind, bool sign, int exponent, UInt128 significand, bool isDenormal = false)
    {
        Class = kind;
        Sign = sign;
        Exponent = exponent;
        Significand = significand;
        IsDenormal = isDenormal;
    }

    public bool IsNaN => Class >= FloatClass.QuietNaN;

    public bool IsZero => Class == FloatClass.Zero;

    public bool IsInfinity => Class == FloatClass.Infinity;

    public bool IsFinite => Class == FloatClass.Finite;

    /// <summary>The upper 64 significand bits: all there is of an operand.</summary>
    public ulong Upper => (ulong)(Significand >> 64);

    public static FloatValue Zero(bool sign) => new(FloatClass.Zero, sign, 0, 0);

    public static FloatValue Infinity(bool sign) => new(FloatClass.Infinity, sign, 0, (UInt128)(1UL << 63) << 64);

    /// <summary>The finite value significand × 2^(exponent − 127), normalised; zero for a zero significand.</summary>
    public static FloatValue Normalized(bool sign, int exponent, UInt128 significand)
    {
        if (significand == UInt128.Zero)
            return Zero(sign);
        var shift = (int)UInt128.LeadingZeroCount(significand);
        return new FloatValue(FloatClass.Finite, sign, exponent - shift, significand << shift);
    }

    public static FloatValue FromInteger(long value) =>
        Normalized(value < 0, 127, (UInt128)(value < 0 ? 0UL - (ulong)value : (ulong)value));

    public static FloatValue FromUnsigned(ulong value) => Normalized(false, 127, value);

    public FloatValue Negated() => new(Class, !Sign, Exponent, Significand, IsDenormal);

    public FloatValue WithSign(bool sign) => new(Class, sign, Exponent, Significand, IsDenormal);

    /// <summary>Multiplies a finite value by 2^<paramref name="power"/>.</summary>
    public FloatValue Scaled(int power) => new(Class, Sign, Exponent + power, Significand);

    /// <summary>Takes apart a value of a format with an implied integer bit.</summary>
    public static FloatValue Unpack(FloatFormat format, ulong bits, bool denormalsAreZero = false)
    {
        var fractionBits = format.FractionBits;
        var sign = ((bits >> (fractionBits + format.ExponentBits)) & 1) != 0;
        var biased = (int)(bits >> fractionBits) & format.SpecialExponent;
        if (fractionBits > 31)
            biased = (int)((bits >> fractionBits) & (ulong)format.SpecialExponent);
        var fraction = (bits & ((1UL << fractionBits) - 1)) << (63 - fractionBits);
        if (biased == 0)
            return Subnormal(sign, format.Bias, fraction, denormalsAreZero);
        var significand = (UInt128)(fraction | (1UL << 63)) << 64;
        if (biased == format.SpecialExponent)
            return Special(sign, significand);
        return new FloatValue(FloatClass.Finite, sign, biased - format.Bias, significand);
    }

    /// <summary>Takes apart an x87 register.</summary>
    public static FloatValue Unpack(X87Register register)
    {
        var sign = (register.SignExponent & 0x8000) != 0;
        var biased = register.SignExponent & 0x7FFF;
        if (biased == 0)
            return Subnormal(sign, FloatFormat.Extended80.Bias, register.Significand, false);
        var significand = (UInt128)register.Significand << 64;
        if (register.Significand >> 63 == 0)
            return new FloatValue(FloatClass.Unsupported, sign, 0, significand);
        if (biased == 0x7FFF)
            return Special(sign, significand);
        return new FloatValue(FloatClass.Finite, sign, biased - FloatFormat.Extended80.Bias, significand);
    }

    private static FloatValue Subnormal(bool sign, int bias, ulong significand, bool denormalsAreZero)
    {
        if (significand == 0 || denormalsAreZero)
            return Zero(sign);
        var shift = BitOperations.LeadingZeroCount(significand);
        return new FloatValue(FloatClass.Finite, sign, 1 - bias - shift, (UInt128)(significand << shift) << 64, true);
    }

    private static FloatValue Special(bool sign, UInt128 significand)
    {
        if (significand << 1 == UInt128.Zero)
            return new FloatValue(FloatClass.Infinity, sign, 0, significand);
        var quiet = (significand >> 126 & UInt128.One) != UInt128.Zero;
        return new FloatValue(quiet ? FloatClass.QuietNaN : FloatClass.SignalingNaN, sign, 0, significand);
    }
}
