using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Multiplications, horizontal sums and the other odd ones.</summary>
internal static partial class VectorLanes
{
    private static Vector128<byte> Arithmetic(in MicroOp op, Vector128<byte> a, Vector128<byte> b) => op.Code switch
    {
        OpCode.VectorMultiplyLow => op.Size == 1 ? (a.AsInt16() * b.AsInt16()).AsByte() : (a.AsInt32() * b.AsInt32()).AsByte(),
        OpCode.VectorMultiplyHighSigned => Vector128.Narrow(
            WideProducts(a.AsInt16(), b.AsInt16(), false) >> 16, WideProducts(a.AsInt16(), b.AsInt16(), true) >> 16).AsByte(),
        OpCode.VectorMultiplyHighUnsigned => Vector128.Narrow(
            Vector128.WidenLower(a.AsUInt16()) * Vector128.WidenLower(b.AsUInt16()) >>> 16,
            Vector128.WidenUpper(a.AsUInt16()) * Vector128.WidenUpper(b.AsUInt16()) >>> 16).AsByte(),
        OpCode.VectorMultiplyHighRounded => Vector128.Narrow(
            RoundedProducts(a.AsInt16(), b.AsInt16(), false), RoundedProducts(a.AsInt16(), b.AsInt16(), true)).AsByte(),
        OpCode.VectorMultiplyWideSigned => ((a.AsInt64() << 32 >> 32) * (b.AsInt64() << 32 >> 32)).AsByte(),
        OpCode.VectorMultiplyWideUnsigned => ((a.AsUInt64() << 32 >>> 32) * (b.AsUInt64() << 32 >>> 32)).AsByte(),
        OpCode.VectorMultiplyAddPairs => MultiplyAddPairs(a.AsInt32(), b.AsInt32()),
        OpCode.VectorMultiplyAddBytes => MultiplyAddBytes(a, b),
        OpCode.VectorApplySign => ApplySign(op.Size, a, b),
        OpCode.VectorSumDifferences => SumDifferences(a, b),
        OpCode.VectorSlidingDifferences => SlidingDifferences(a, b, (int)op.Immediate),
        OpCode.VectorMultiplyCarryless => MultiplyCarryless(a.AsUInt64(), b.AsUInt64(), (int)op.Immediate),
        OpCode.VectorHorizontalAdd => Add(op.Size, EvenLanes(op.Size, a, b), OddLanes(op.Size, a, b)),
        OpCode.VectorHorizontalSubtract => Subtract(op.Size, EvenLanes(op.Size, a, b), OddLanes(op.Size, a, b)),
        OpCode.VectorHorizontalAddSaturate => AddSaturate(op.Size, true, EvenLanes(op.Size, a, b), OddLanes(op.Size, a, b)),
        OpCode.VectorHorizontalSubtractSaturate => SubtractSaturate(op.Size, true, EvenLanes(op.Size, a, b), OddLanes(op.Size, a, b)),
        _ => throw new InvalidOperationException($"not a vector operation: {op.Code}"),
    };

    private static Vector128<int> WideProducts(Vector128<short> a, Vector128<short> b, bool upper) => upper
        ? Vector128.WidenUpper(a) * Vector128.WidenUpper(b)
        : Vector128.WidenLower(a) * Vector128.WidenLower(b);

    private static Vector128<int> RoundedProducts(Vector128<short> a, Vector128<short> b, bool upper) =>
        (WideProducts(a, b, upper) + Vector128.Create(0x4000)) >> 15;

    private static Vector128<byte> MultiplyAddPairs(Vector128<int> a, Vector128<int> b) =>
        ((a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16)).AsByte();

    private static Vector128<byte> MultiplyAddBytes(Vector128<byte> a, Vector128<byte> b)
    {
        // Each product fits 16 bits; their sum may not, and saturates.
        var even = (a.AsInt16() & Vector128.Create((short)0xFF)) * (b.AsInt16() << 8 >> 8);
        var odd = (a.AsInt16() >>> 8) * (b.AsInt16() >> 8);
        return Vector128.AddSaturate(even, odd).AsByte();
    }

    private static Vector128<byte> EvenLanes(int size, Vector128<byte> a, Vector128<byte> b) => size == 1
        ? Vector128.Narrow(a.AsInt32(), b.AsInt32()).AsByte()
        : Vector128.Narrow(a.AsInt64(), b.AsInt64()).AsByte();

    private static Vector128<byte> OddLanes(int size, Vector128<byte> a, Vector128<byte> b) => size == 1
        ? Vector128.Narrow(a.AsInt32() >> 16, b.AsInt32() >> 16).AsByte()
        : Vector128.Narrow(a.AsInt64() >> 32, b.AsInt64() >> 32).AsByte();

    private static Vector128<byte> ApplySign(int size, Vector128<byte> a, Vector128<byte> b)
    {
        var isZero = CompareEqual(size, b, default);
        var isNegative = CompareGreater(size, default, b);
        var signed = Vector128.ConditionalSelect(isNegative, Subtract(size, default, a), a);
        return Vector128.AndNot(signed, isZero);
    }

    private static Vector128<byte> SumDifferences(Vector128<byte> a, Vector128<byte> b)
    {
        var differences = Vector128.Max(a, b) - Vector128.Min(a, b);
        ulong low = 0, high = 0;
        for (var i = 0; i < 8; i++)
        {
            low += differences.GetElement(i);
            high += differences.GetElement(i + 8);
        }

        return Vector128.Create(low, high).AsByte();
    }

    private static Vector128<byte> SlidingDifferences(Vector128<byte> a, Vector128<byte> b, int immediate)
    {
        var start = immediate & 4;
        var block = (immediate & 3) * 4;
        var result = Vector128<ushort>.Zero;
        for (var i = 0; i < 8; i++)
        {
            var sum = 0;
            for (var j = 0; j < 4; j++)
                sum += Math.Abs(a.GetElement(start + i + j) - b.GetElement(block + j));
            result = result.WithElement(i, (ushort)sum);
        }

        return result.AsByte();
    }

    private static Vector128<byte> MinPosition(Vector128<ushort> a)
    {
        var position = 0;
        for (var i = 1; i < 8; i++)
        {
            if (a.GetElement(i) < a.GetElement(position))
                position = i;
        }

        return Vector128.Create(a.GetElement(position), (ushort)position, 0, 0, 0, 0, 0, 0).AsByte();
    }

    private static Vector128<byte> MultiplyCarryless(Vector128<ulong> a, Vector128<ulong> b, int immediate)
    {
        UInt128 left = a.GetElement(immediate & 1), product = 0;
        var right = b.GetElement((immediate >> 4) & 1);
        for (var i = 0; i < 64; i++)
        {
            if ((right >> i & 1) != 0)
                product ^= left << i;
        }

        return Vector128.Create((ulong)product, (ulong)(product >> 64)).AsByte();
    }
}
