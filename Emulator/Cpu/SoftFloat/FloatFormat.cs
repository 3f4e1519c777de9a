namespace Vivarium.Emulator.Cpu.SoftFloat;

/// <summary>A binary interchange format, or x87's extended one, by its two sizes.</summary>
/// <param name="ExponentBits">Width of the exponent field.</param>
/// <param name="Precision">Significand bits including the integer bit.</param>
public readonly record struct FloatFormat(int ExponentBits, int Precision)
{
    public static FloatFormat Binary16 => new(5, 11);

    public static FloatFormat Binary32 => new(8, 24);

    public static FloatFormat Binary64 => new(11, 53);

    /// <summary>x87's 80-bit format; its integer bit is explicit.</summary>
    public static FloatFormat Extended80 => new(15, 64);

    public int Bias => (1 << (ExponentBits - 1)) - 1;

    /// <summary>The biased exponent of infinities and NaNs.</summary>
    public int SpecialExponent => (1 << ExponentBits) - 1;

    /// <summary>Stored significand bits when the integer bit is implied.</summary>
    public int FractionBits => Precision - 1;

    /// <summary>This exponent range with another precision: what x87 precision control selects.</summary>
    public FloatFormat WithPrecision(int precision) => this with { Precision = precision };
}
