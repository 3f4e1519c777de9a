namespace Vivarium.Emulator.Cpu.SoftFloat;

/// <summary>
/// The exact operations. Each takes operands apart already and returns the exact (or sticky) result, to be rounded by
/// <see cref="FloatRounding"/>; flags that do not depend on rounding are raised here.
/// </summary>
public static class FloatArithmetic
{
    public static FloatValue Add(in FloatValue a, in FloatValue b, ref FloatContext context)
    {
        if (a.IsNaN || b.IsNaN)
            return FloatNaN.Propagate(a, b, ref context);
        if (a.IsInfinity && b.IsInfinity && a.Sign != b.Sign)
            return FloatNaN.Invalid(ref context);
        RaiseDenormal(a, b, ref context);
        if (a.IsInfinity || b.IsInfinity)
            return a.IsInfinity ? a : b;
        if (a.IsZero && b.IsZero)
            return FloatValue.Zero(a.Sign == b.Sign ? a.Sign : context.Rounding == RoundingMode.Down);
        if (a.IsZero || b.IsZero)
            return a.IsZero ? b : a;
        return a.Sign == b.Sign ? AddMagnitudes(a, b) : SubtractMagnitudes(a, b, ref context);
    }

    public static FloatValue Subtract(in FloatValue a, in FloatValue b, ref FloatContext context)
    {
        // A NaN operand keeps its sign.
        return b.IsNaN ? FloatNaN.Propagate(a, b, ref context) : Add(a, b.Negated(), ref context);
    }

    private static FloatValue AddMagnitudes(in FloatValue a, in FloatValue b)
    {
        var swap = a.Exponent < b.Exponent;
        ref readonly var large = ref swap ? ref b : ref a;
        ref readonly var small = ref swap ? ref a : ref b;
        // One bit of headroom for the carry; operands have 64 free bits below.
        var sum = (large.Significand >> 1) + FloatRounding.ShiftRightSticky(small.Significand, large.Exponent - small.Exponent + 1);
        return FloatValue.Normalized(a.Sign, large.Exponent + 1, sum);
    }

    private static FloatValue SubtractMagnitudes(in FloatValue a, in FloatValue b, ref FloatContext context)
    {
        var swap = a.Exponent < b.Exponent || (a.Exponent == b.Exponent && a.Significand < b.Significand);
        ref readonly var large = ref swap ? ref b : ref a;
        ref readonly var small = ref swap ? ref a : ref b;
        var difference = large.Significand - FloatRounding.ShiftRightSticky(small.Significand, large.Exponent - small.Exponent);
        if (difference == UInt128.Zero)
            return FloatValue.Zero(context.Rounding == RoundingMode.Down);
        return FloatValue.Normalized(large.Sign, large.Exponent, difference);
    }

    public static FloatValue Multiply(in FloatValue a, in FloatValue b, ref FloatContext context)
    {
        if (a.IsNaN || b.IsNaN)
            return FloatNaN.Propagate(a, b, ref context);
        if ((a.IsInfinity && b.IsZero) || (a.IsZero && b.IsInfinity))
            return FloatNaN.Invalid(ref context);
        RaiseDenormal(a, b, ref context);
        var sign = a.Sign != b.Sign;
        if (a.IsInfinity || b.IsInfinity)
            return FloatValue.Infinity(sign);
        if (a.IsZero || b.IsZero)
            return FloatValue.Zero(sign);
        var high = Math.BigMul(a.Upper, b.Upper, out var low);
        return FloatValue.Normalized(sign, a.Exponent + b.Exponent + 1, new UInt128(high, low));
    }

    public static FloatValue Divide(in FloatValue a, in FloatValue b, ref FloatContext context)
    {
        if (a.IsNaN || b.IsNaN)
            return FloatNaN.Propagate(a, b, ref context);
        if ((a.IsInfinity && b.IsInfinity) || (a.IsZero && b.IsZero))
            return FloatNaN.Invalid(ref context);
        var sign = a.Sign != b.Sign;
        if (b.IsZero && a.IsFinite)
        {
            context.Raise(FloatFlags.DivideByZero);
            return FloatValue.Infinity(sign);
        }

        RaiseDenormal(a, b, ref context);
        if (a.IsInfinity)
            return FloatValue.Infinity(sign);
        if (a.IsZero || b.IsInfinity)
            return FloatValue.Zero(sign);
        return DivideMagnitudes(sign, a, b);
    }

    private static FloatValue DivideMagnitudes(bool sign, in FloatValue a, in FloatValue b)
    {
        var divisor = (UInt128)b.Upper;
        var smaller = a.Upper < b.Upper;
        // Scaled so that the first digit (of 64 bits) has its top bit set.
        var dividend = (UInt128)a.Upper << (smaller ? 64 : 63);
        var (high, remainder) = UInt128.DivRem(dividend, divisor);
        var (low, rest) = UInt128.DivRem(remainder << 64, divisor);
        var quotient = (high << 64) | low;
        if (rest != UInt128.Zero)
            quotient |= UInt128.One;
        return new FloatValue(FloatClass.Finite, sign, a.Exponent - b.Exponent - (smaller ? 1 : 0), quotient);
    }

    public static FloatValue SquareRoot(in FloatValue a, ref FloatContext context)
    {
        if (a.IsNaN)
            return FloatNaN.Propagate(a, ref context);
        if (a.IsZero)
            return a;
        if (a.Sign)
            return FloatNaN.Invalid(ref context);
        if (a.IsInfinity)
            return a;
        if (a.IsDenormal)
            context.Raise(FloatFlags.Denormal);

        // a = radicand × 2^(exponent − 127) with the radicand in [2^126, 2^128) and an even scale.
        var isOdd = (a.Exponent & 1) != 0;
        var radicand = isOdd ? a.Significand : a.Significand >> 1;
        var root = IntegerSquareRoot(radicand);
        var remainder = radicand - (UInt128)root * root;
        var significand = (UInt128)root << 64;
        // The next bit is set when radicand × 4 >= (2 × root + 1)²; what is below it is never zero then.
        if (remainder > root)
            significand |= UInt128.One << 63 | UInt128.One;
        else if (remainder != UInt128.Zero)
            significand |= UInt128.One;
        return new FloatValue(FloatClass.Finite, false, a.Exponent >> 1, significand);
    }

    /// <summary>Floor of the square root of a value of at least 2^126.</summary>
    public static ulong IntegerSquareRoot(UInt128 value)
    {
        var estimate = Math.Sqrt((double)value);
        var root = estimate >= 18446744073709551615.0 ? ulong.MaxValue : (ulong)estimate;
        // One Newton step from 50 good bits gives 64, give or take one.
        var refined = ((UInt128)root + value / root) >> 1;
        root = refined > ulong.MaxValue ? ulong.MaxValue : (ulong)refined;
        while ((UInt128)root * root > value)
            root--;
        while (root != ulong.MaxValue && (UInt128)(root + 1) * (root + 1) <= value)
            root++;
        return root;
    }

    internal static void RaiseDenormal(in FloatValue a, in FloatValue b, ref FloatContext context)
    {
        if (a.IsDenormal || b.IsDenormal)
            context.Raise(FloatFlags.Denormal);
    }
}
