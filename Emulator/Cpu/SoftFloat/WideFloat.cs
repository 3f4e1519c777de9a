namespace Vivarium.Emulator.Cpu.SoftFloat;

/// <summary>
/// A working number for elementary functions: 128 significant bits, results truncated, so that a chain of some dozens of
/// operations keeps about 120 good bits. Value = ±Significand × 2^(Exponent − 127), bit 127 set; or zero.
/// </summary>
internal readonly struct WideFloat
{
    public readonly UInt128 Significand;
    public readonly int Exponent;
    public readonly bool Sign;

    public WideFloat(bool sign, int exponent, UInt128 significand)
    {
        Sign = sign;
        Exponent = exponent;
        Significand = significand;
    }

    public static WideFloat One => FromInteger(1);

    public bool IsZero => Significand == UInt128.Zero;

    public static WideFloat Normalized(bool sign, int exponent, UInt128 significand)
    {
        if (significand == UInt128.Zero)
            return default;
        var shift = (int)UInt128.LeadingZeroCount(significand);
        return new WideFloat(sign, exponent - shift, significand << shift);
    }

    public static WideFloat FromInteger(long value) => Normalized(value < 0, 127, (UInt128)(ulong)Math.Abs(value));

    /// <summary>The exact value of a finite or zero operand.</summary>
    public static WideFloat From(in FloatValue value) => value.IsZero ? default : new WideFloat(value.Sign, value.Exponent, value.Significand);

    /// <summary>For rounding; the last bit is sticky, because results of elementary functions are never exact (callers sort out those that are).</summary>
    public FloatValue ToInexact() => new(FloatClass.Finite, Sign, Exponent, Significand | UInt128.One);

    public WideFloat Scaled(int power) => IsZero ? this : new WideFloat(Sign, Exponent + power, Significand);

    public WideFloat Magnitude => new(false, Exponent, Significand);

    public static WideFloat operator -(WideFloat a) => new(!a.Sign, a.Exponent, a.Significand);

    public static WideFloat operator -(WideFloat a, WideFloat b) => a + -b;

    public static WideFloat operator +(WideFloat a, WideFloat b)
    {
        if (a.IsZero || b.IsZero)
            return a.IsZero ? b : a;
        if (CompareMagnitudes(a, b) < 0)
            (a, b) = (b, a);
        var distance = a.Exponent - b.Exponent;
        var small = distance > 127 ? UInt128.Zero : b.Significand >> distance;
        // What vanishes below the last bit still makes a difference smaller, which directed rounding sees.
        if (a.Sign != b.Sign && distance > 127)
            small = UInt128.One;
        if (a.Sign != b.Sign)
            return Normalized(a.Sign, a.Exponent, a.Significand - small);
        var sum = a.Significand + small;
        // A carry out of the top bit wraps around.
        return sum < small
            ? new WideFloat(a.Sign, a.Exponent + 1, sum >> 1 | UInt128.One << 127)
            : new WideFloat(a.Sign, a.Exponent, sum);
    }

    public static WideFloat operator *(WideFloat a, WideFloat b) =>
        a.IsZero || b.IsZero ? default : Normalized(a.Sign != b.Sign, a.Exponent + b.Exponent + 1, MultiplyHigh(a.Significand, b.Significand));

    public static WideFloat operator /(WideFloat a, WideFloat b)
    {
        if (a.IsZero)
            return default;
        var reciprocal = Reciprocal(b);
        var quotient = a * reciprocal;
        // One correction brings the error from a few units to less than one.
        var rest = a - quotient * b;
        return quotient + rest * reciprocal;
    }

    /// <summary>1 / b by Newton's iteration from a double: 50, 100, then all bits.</summary>
    private static WideFloat Reciprocal(WideFloat b)
    {
        var leading = (double)(ulong)(b.Significand >> 64) / 9223372036854775808.0;
        var guess = 1 / leading;
        var bits = BitConverter.DoubleToUInt64Bits(guess);
        var exponent = (int)(bits >> 52) - 1023;
        var x = new WideFloat(b.Sign, exponent - b.Exponent, (UInt128)(bits << 11 | 1UL << 63) << 64);
        var two = FromInteger(2);
        x *= two - b * x;
        return x * (two - b * x);
    }

    /// <summary>Divides by a small integer.</summary>
    public WideFloat DividedBy(uint divisor)
    {
        if (IsZero)
            return this;
        // 64 more bits below the integer quotient, so that normalising loses nothing.
        var (high, remainder) = UInt128.DivRem(Significand, divisor);
        var low = (remainder << 64) / divisor;
        var normalize = (int)UInt128.LeadingZeroCount(high);
        var quotient = normalize == 0 ? high : high << normalize | low >> (64 - normalize);
        return new WideFloat(Sign, Exponent - normalize, quotient);
    }

    public static int CompareMagnitudes(in WideFloat a, in WideFloat b)
    {
        if (a.IsZero || b.IsZero)
            return (a.IsZero ? 0 : 1) - (b.IsZero ? 0 : 1);
        return a.Exponent != b.Exponent ? a.Exponent.CompareTo(b.Exponent) : a.Significand.CompareTo(b.Significand);
    }

    /// <summary>The upper half of the 256-bit product.</summary>
    private static UInt128 MultiplyHigh(UInt128 a, UInt128 b)
    {
        ulong a1 = (ulong)(a >> 64), a0 = (ulong)a, b1 = (ulong)(b >> 64), b0 = (ulong)b;
        var low = Product(a0, b0);
        var middle = Product(a1, b0) + (low >> 64);
        var other = Product(a0, b1) + (ulong)middle;
        return Product(a1, b1) + (middle >> 64) + (other >> 64);
    }

    private static UInt128 Product(ulong a, ulong b)
    {
        var high = Math.BigMul(a, b, out var low);
        return new UInt128(high, low);
    }
}
