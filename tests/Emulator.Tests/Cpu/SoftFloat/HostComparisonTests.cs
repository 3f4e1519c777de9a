using Vivarium.Emulator.Cpu.SoftFloat;
using Xunit;

namespace Vivarium.Emulator.Tests.Cpu.SoftFloat;

/// <summary>Compares with the host's own arithmetic at default rounding: values here, flags in the silicon tests.</summary>
public sealed class HostComparisonTests
{
    private const int Vectors = 400_000;

    [Fact]
    public void BinaryOperationsOfDoubles()
    {
        var vectors = new FloatVectors(20261121);
        for (var i = 0; i < Vectors; i++)
        {
            ulong left = vectors.Next64(), right = vectors.Next64();
            double a = BitConverter.UInt64BitsToDouble(left), b = BitConverter.UInt64BitsToDouble(right);
            Check64("add", left, right, a + b, Binary64(left, right, FloatArithmetic.Add));
            Check64("sub", left, right, a - b, Binary64(left, right, FloatArithmetic.Subtract));
            Check64("mul", left, right, a * b, Binary64(left, right, FloatArithmetic.Multiply));
            Check64("div", left, right, a / b, Binary64(left, right, FloatArithmetic.Divide));
            Check64("sqrt", left, 0, Math.Sqrt(a), Unary64(left, FloatArithmetic.SquareRoot));
        }
    }

    [Fact]
    public void BinaryOperationsOfSingles()
    {
        var vectors = new FloatVectors(20261122);
        for (var i = 0; i < Vectors; i++)
        {
            uint left = vectors.Next32(), right = vectors.Next32();
            float a = BitConverter.UInt32BitsToSingle(left), b = BitConverter.UInt32BitsToSingle(right);
            Check32("add", left, right, a + b, Binary32(left, right, FloatArithmetic.Add));
            Check32("sub", left, right, a - b, Binary32(left, right, FloatArithmetic.Subtract));
            Check32("mul", left, right, a * b, Binary32(left, right, FloatArithmetic.Multiply));
            Check32("div", left, right, a / b, Binary32(left, right, FloatArithmetic.Divide));
            Check32("sqrt", left, 0, MathF.Sqrt(a), Unary32(left, FloatArithmetic.SquareRoot));
        }
    }

    [Fact]
    public void Conversions()
    {
        var vectors = new FloatVectors(20261123);
        for (var i = 0; i < Vectors; i++)
        {
            var bits = vectors.Next64();
            var value = BitConverter.UInt64BitsToDouble(bits);
            var context = FloatContext.FromMxcsr(0x1F80);
            var unpacked = FloatValue.Unpack(FloatFormat.Binary64, bits);
            var narrow = FloatRounding.Pack(FloatFormat.Binary32, FloatConversion.Convert(unpacked, ref context), ref context);
            Check32("narrow", 0, 0, (float)value, (uint)narrow);
            var integer = (long)vectors.NextBits() >> vectors.Next(64);
            Check64("from integer", (ulong)integer, 0, integer, FloatRounding.Pack(FloatFormat.Binary64, FloatValue.FromInteger(integer), ref context));
            var back = FloatConversion.ToInteger(unpacked, 64, RoundingMode.TowardZero, ref context, out var isValid);
            if (isValid)
                Assert.Equal((long)value, back);
            else
                Assert.False(Math.Abs(value) < 9.2e18);
        }
    }

    [Theory]
    [InlineData(RoundingMode.NearestEven)]
    [InlineData(RoundingMode.Down)]
    [InlineData(RoundingMode.Up)]
    [InlineData(RoundingMode.TowardZero)]
    [InlineData(RoundingMode.NearestAway)]
    public void RoundsToIntegral(RoundingMode mode)
    {
        var vectors = new FloatVectors(20261124);
        for (var i = 0; i < Vectors / 4; i++)
        {
            var bits = i % 3 == 0 ? BitConverter.DoubleToUInt64Bits(vectors.Next(2000) / 4.0 - 250) : vectors.Next64();
            var value = BitConverter.UInt64BitsToDouble(bits);
            var expected = mode switch
            {
                RoundingMode.NearestEven => Math.Round(value),
                RoundingMode.Down => Math.Floor(value),
                RoundingMode.Up => Math.Ceiling(value),
                RoundingMode.TowardZero => Math.Truncate(value),
                _ => Math.Round(value, MidpointRounding.AwayFromZero),
            };
            var context = FloatContext.FromMxcsr(0x1F80);
            var rounded = FloatConversion.RoundToIntegral(FloatValue.Unpack(FloatFormat.Binary64, bits), mode, true, ref context);
            Check64("round", bits, 0, expected, FloatRounding.Pack(FloatFormat.Binary64, rounded, ref context));
        }
    }

    [Fact]
    public void RemainderIsExact()
    {
        var vectors = new FloatVectors(20261125);
        for (var i = 0; i < Vectors; i++)
        {
            ulong left = vectors.Next64(), right = vectors.Next64();
            double a = BitConverter.UInt64BitsToDouble(left), b = BitConverter.UInt64BitsToDouble(right);
            Check64("fmod", left, right, a % b, Remainder(left, right, false));
            Check64("remainder", left, right, Math.IEEERemainder(a, b), Remainder(left, right, true));
        }
    }

    private static ulong Remainder(ulong left, ulong right, bool nearest)
    {
        var context = FloatContext.FromMxcsr(0x1F80);
        var a = FloatValue.Unpack(FloatFormat.Binary64, left);
        var b = FloatValue.Unpack(FloatFormat.Binary64, right);
        bool isPartial;
        do
        {
            a = FloatRemainder.Remainder(a, b, nearest, ref context, out _, out isPartial);
        }
        while (isPartial);
        return FloatRounding.Pack(FloatFormat.Binary64, a, ref context);
    }

    private delegate FloatValue Binary(in FloatValue a, in FloatValue b, ref FloatContext context);

    private delegate FloatValue Unary(in FloatValue a, ref FloatContext context);

    private static ulong Binary64(ulong a, ulong b, Binary operation)
    {
        var context = FloatContext.FromMxcsr(0x1F80);
        var result = operation(FloatValue.Unpack(FloatFormat.Binary64, a), FloatValue.Unpack(FloatFormat.Binary64, b), ref context);
        return FloatRounding.Pack(FloatFormat.Binary64, result, ref context);
    }

    private static ulong Unary64(ulong a, Unary operation)
    {
        var context = FloatContext.FromMxcsr(0x1F80);
        return FloatRounding.Pack(FloatFormat.Binary64, operation(FloatValue.Unpack(FloatFormat.Binary64, a), ref context), ref context);
    }

    private static uint Binary32(uint a, uint b, Binary operation)
    {
        var context = FloatContext.FromMxcsr(0x1F80);
        var result = operation(FloatValue.Unpack(FloatFormat.Binary32, a), FloatValue.Unpack(FloatFormat.Binary32, b), ref context);
        return (uint)FloatRounding.Pack(FloatFormat.Binary32, result, ref context);
    }

    private static uint Unary32(uint a, Unary operation)
    {
        var context = FloatContext.FromMxcsr(0x1F80);
        return (uint)FloatRounding.Pack(FloatFormat.Binary32, operation(FloatValue.Unpack(FloatFormat.Binary32, a), ref context), ref context);
    }

    // The host's compiler may swap operands, so which NaN comes out is left to the silicon tests.
    private static void Check64(string operation, ulong a, ulong b, double expected, ulong actual)
    {
        if (double.IsNaN(expected) ? double.IsNaN(BitConverter.UInt64BitsToDouble(actual)) : BitConverter.DoubleToUInt64Bits(expected) == actual)
            return;
        Assert.Fail($"{operation} {a:x16} {b:x16}: {BitConverter.DoubleToUInt64Bits(expected):x16}, got {actual:x16}");
    }

    private static void Check32(string operation, uint a, uint b, float expected, uint actual)
    {
        if (float.IsNaN(expected) ? float.IsNaN(BitConverter.UInt32BitsToSingle(actual)) : BitConverter.SingleToUInt32Bits(expected) == actual)
            return;
        Assert.Fail($"{operation} {a:x8} {b:x8}: {BitConverter.SingleToUInt32Bits(expected):x8}, got {actual:x8}");
    }
}
