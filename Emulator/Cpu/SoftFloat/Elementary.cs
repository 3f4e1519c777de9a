namespace Vivarium.Emulator.Cpu.SoftFloat;

/// <summary>
/// Elementary functions to about 120 bits, by argument reduction and power series. Rounding their results to x87's 64 bits
/// gives the correctly rounded value but in one of some 2^50 cases.
/// </summary>
internal static class Elementary
{
    private static readonly WideFloat Ln2 = new(false, -1, new UInt128(0xB172_17F7_D1CF_79AB, 0xC9E3_B398_03F2_F6AF));
    private static readonly WideFloat Log2E = new(false, 0, new UInt128(0xB8AA_3B29_5C17_F0BB, 0xBE87_FED0_691D_3E88));

    /// <summary>The circle's half, and its quarter.</summary>
    public static readonly WideFloat Pi = new(false, 1, new UInt128(0xC90F_DAA2_2168_C234, 0xC4C6_628B_80DC_1CD1));
    public static readonly WideFloat HalfPi = Pi.Scaled(-1);

    // atan(k / 8) for k = 0..8.
    private static readonly WideFloat[] Arctangents = BuildArctangents();

    /// <summary>2^x − 1 for |x| &lt;= 1.</summary>
    public static WideFloat TwoToXMinus1(WideFloat x)
    {
        // exp(y) − 1 = y + y²/2! + y³/3! + …
        var y = x * Ln2;
        var (term, sum) = (y, y);
        for (uint n = 2; IsSignificant(term, sum); n++)
        {
            term = (term * y).DividedBy(n);
            sum += term;
        }

        return sum;
    }

    /// <summary>log2 of a positive number.</summary>
    public static WideFloat Log2(WideFloat x)
    {
        // x = m × 2^e with m in [√½, √2).
        var exponent = x.Exponent;
        var m = x.Scaled(-exponent);
        if (m.Significand >> 64 > 0xB504_F333_F9DE_6484)
        {
            m = m.Scaled(-1);
            exponent++;
        }

        return WideFloat.FromInteger(exponent) + LogOfRatio(m - WideFloat.One, m + WideFloat.One) * Log2E;
    }

    /// <summary>log2(1 + x) for x &gt; −1.</summary>
    public static WideFloat Log2OnePlus(WideFloat x)
    {
        // Near 1 the sum would lose x's low bits.
        return x.Exponent < -2 ? LogOfRatio(x, WideFloat.FromInteger(2) + x) * Log2E : Log2(WideFloat.One + x);
    }

    /// <summary>ln((1 + z) / (1 − z)) = 2 (z + z³/3 + z⁵/5 + …) for z = numerator / denominator, |z| &lt; 0.18.</summary>
    private static WideFloat LogOfRatio(WideFloat numerator, WideFloat denominator) => OddSeries(numerator / denominator, false).Scaled(1);

    /// <summary>z ± z³/3 + z⁵/5 ± …: the inverse hyperbolic tangent, or with alternating signs the inverse tangent.</summary>
    private static WideFloat OddSeries(WideFloat z, bool alternates)
    {
        var square = z * z;
        if (alternates)
            square = -square;
        var (power, sum) = (z, z);
        for (uint n = 3; IsSignificant(power, sum); n += 2)
        {
            power *= square;
            sum += power.DividedBy(n);
        }

        return sum;
    }

    private static bool IsSignificant(WideFloat term, WideFloat sum) => !term.IsZero && sum.Exponent - term.Exponent < 130;

    /// <summary>The angle of the point (x, y), both finite and y not zero, in (−π, π).</summary>
    public static WideFloat Arctangent(WideFloat y, WideFloat x)
    {
        var (top, right) = (y.Magnitude, x.Magnitude);
        var isSteep = WideFloat.CompareMagnitudes(top, right) > 0;
        var angle = isSteep ? HalfPi - ArctangentOfRatio(right, top) : ArctangentOfRatio(top, right);
        if (x.Sign)
            angle = Pi - angle;
        return y.Sign ? -angle : angle;
    }

    /// <summary>atan(a / b) for 0 &lt;= a &lt;= b.</summary>
    private static WideFloat ArctangentOfRatio(WideFloat a, WideFloat b)
    {
        if (a.IsZero)
            return a;
        var ratio = a / b;
        // The nearest eighth: atan(t) = atan(c) + atan((t − c) / (1 + t c)).
        var eighths = ratio.Exponent < -4 ? 0 : (int)((ulong)(ratio.Significand >> 64) >> (59 - ratio.Exponent)) + 1 >> 1;
        if (eighths == 0)
            return OddSeries(ratio, true);
        var center = WideFloat.FromInteger(eighths).Scaled(-3);
        return Arctangents[eighths] + OddSeries((ratio - center) / (WideFloat.One + ratio * center), true);
    }

    private static WideFloat[] BuildArctangents()
    {
        // atan(k/8) − atan((k − 1)/8) = atan(8 / (64 + k (k − 1))).
        var table = new WideFloat[9];
        for (var k = 1; k <= 8; k++)
            table[k] = table[k - 1] + OddSeries(WideFloat.FromInteger(8) / WideFloat.FromInteger(64 + k * (k - 1)), true);
        return table;
    }

    /// <summary>
    /// Sine and cosine of |x| &lt; 2^63, with π rounded to 66 bits as x87 processors reduce by (SDM Vol. 1, 8.3.8).
    /// </summary>
    public static (WideFloat Sine, WideFloat Cosine) SineCosine(WideFloat x)
    {
        var (rest, quadrant) = Reduce(x.Magnitude);
        var sine = SineSeries(rest);
        var cosine = CosineSeries(rest);
        (sine, cosine) = (quadrant & 3) switch
        {
            0 => (sine, cosine),
            1 => (cosine, -sine),
            2 => (-sine, -cosine),
            _ => (-cosine, sine),
        };
        return (x.Sign ? -sine : sine, cosine);
    }

    /// <summary>A non-negative x less the nearest multiple of π/2, exactly, and that multiple's low bits.</summary>
    private static (WideFloat Remainder, int Quadrant) Reduce(WideFloat x)
    {
        // π/2 × 2^65.
        var quarter = new UInt128(0x3, 0x243F_6A88_85A3_08D3);
        if (x.Exponent < -1)
            return (x, 0);
        var scaled = x.Significand >> 62 - x.Exponent;
        var (quotient, rest) = UInt128.DivRem(scaled, quarter);
        var quadrant = (int)(quotient & 3);
        return rest > quarter >> 1
            ? (WideFloat.Normalized(true, 62, quarter - rest), quadrant + 1)
            : (WideFloat.Normalized(false, 62, rest), quadrant);
    }

    private static WideFloat SineSeries(WideFloat x)
    {
        var square = -(x * x);
        var (term, sum) = (x, x);
        for (uint n = 2; IsSignificant(term, sum); n += 2)
        {
            term = (term * square).DividedBy(n * (n + 1));
            sum += term;
        }

        return sum;
    }

    private static WideFloat CosineSeries(WideFloat x)
    {
        var square = -(x * x);
        var (term, sum) = (WideFloat.One, WideFloat.One);
        for (uint n = 1; IsSignificant(term, sum); n += 2)
        {
            term = (term * square).DividedBy(n * (n + 1));
            sum += term;
        }

        return sum;
    }
}
