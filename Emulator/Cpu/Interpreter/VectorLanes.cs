using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>The integer vector operations as functions of their operands.</summary>
internal static partial class VectorLanes
{
    public static Vector128<byte> Compute(in MicroOp op, Vector128<byte> a, Vector128<byte> b) => op.Code switch
    {
        OpCode.VectorAnd => a & b,
        OpCode.VectorAndNot => Vector128.AndNot(b, a),
        OpCode.VectorOr => a | b,
        OpCode.VectorXor => a ^ b,
        OpCode.VectorAdd => Add(op.Size, a, b),
        OpCode.VectorSubtract => Subtract(op.Size, a, b),
        OpCode.VectorAverage => Average(op.Size, a, b),
        OpCode.VectorMinSigned or OpCode.VectorMinUnsigned => Min(op.Size, op.Code == OpCode.VectorMinSigned, a, b),
        OpCode.VectorMaxSigned or OpCode.VectorMaxUnsigned => Max(op.Size, op.Code == OpCode.VectorMaxSigned, a, b),
        OpCode.VectorCompareEqual => CompareEqual(op.Size, a, b),
        OpCode.VectorCompareGreater => CompareGreater(op.Size, a, b),
        OpCode.VectorInterleaveLow => InterleaveLow(op.Size, a, b),
        OpCode.VectorInterleaveHigh => InterleaveHigh(op.Size, a, b),
        OpCode.VectorPackSigned => PackSigned(op.Size, a, b),
        OpCode.VectorPackUnsigned => PackUnsigned(op.Size, a, b),
        OpCode.VectorAddSaturateSigned or OpCode.VectorAddSaturateUnsigned => AddSaturate(op.Size, op.Code == OpCode.VectorAddSaturateSigned, a, b),
        OpCode.VectorSubtractSaturateSigned or OpCode.VectorSubtractSaturateUnsigned =>
            SubtractSaturate(op.Size, op.Code == OpCode.VectorSubtractSaturateSigned, a, b),
        >= OpCode.VectorShiftLeft and <= OpCode.VectorShiftRightArithmetic => Shift(op.Code, op.Size, a, b.AsUInt64().ToScalar()),
        >= OpCode.VectorShiftLeftBy and <= OpCode.VectorShiftRightArithmeticBy =>
            Shift(op.Code - (OpCode.VectorShiftLeftBy - OpCode.VectorShiftLeft), op.Size, a, (ulong)op.Immediate),
        >= OpCode.VectorShiftBytesLeft and <= OpCode.VectorBlend => Permute(op, a, b),
        >= OpCode.VectorAbsolute and <= OpCode.VectorMinPosition => Unary(op, a),
        _ => Arithmetic(op, a, b),
    };

    private static Vector128<byte> Unary(in MicroOp op, Vector128<byte> a) => op.Code switch
    {
        OpCode.VectorAbsolute => Absolute(op.Size, a),
        OpCode.VectorSignExtend => Extend(op.Size, op.C, true, a),
        OpCode.VectorZeroExtend => Extend(op.Size, op.C, false, a),
        _ => MinPosition(a.AsUInt16()),
    };

    private static Vector128<byte> Add(int size, Vector128<byte> a, Vector128<byte> b) => size switch
    {
        0 => a + b,
        1 => (a.AsInt16() + b.AsInt16()).AsByte(),
        2 => (a.AsInt32() + b.AsInt32()).AsByte(),
        _ => (a.AsInt64() + b.AsInt64()).AsByte(),
    };

    private static Vector128<byte> Subtract(int size, Vector128<byte> a, Vector128<byte> b) => size switch
    {
        0 => a - b,
        1 => (a.AsInt16() - b.AsInt16()).AsByte(),
        2 => (a.AsInt32() - b.AsInt32()).AsByte(),
        _ => (a.AsInt64() - b.AsInt64()).AsByte(),
    };

    private static Vector128<byte> AddSaturate(int size, bool signed, Vector128<byte> a, Vector128<byte> b) => (size, signed) switch
    {
        (0, true) => Vector128.AddSaturate(a.AsSByte(), b.AsSByte()).AsByte(),
        (0, false) => Vector128.AddSaturate(a, b),
        (_, true) => Vector128.AddSaturate(a.AsInt16(), b.AsInt16()).AsByte(),
        _ => Vector128.AddSaturate(a.AsUInt16(), b.AsUInt16()).AsByte(),
    };

    private static Vector128<byte> SubtractSaturate(int size, bool signed, Vector128<byte> a, Vector128<byte> b) => (size, signed) switch
    {
        (0, true) => Vector128.SubtractSaturate(a.AsSByte(), b.AsSByte()).AsByte(),
        (0, false) => Vector128.SubtractSaturate(a, b),
        (_, true) => Vector128.SubtractSaturate(a.AsInt16(), b.AsInt16()).AsByte(),
        _ => Vector128.SubtractSaturate(a.AsUInt16(), b.AsUInt16()).AsByte(),
    };

    /// <summary>(a + b + 1) / 2 without losing the carry: a | b less half of a ^ b.</summary>
    private static Vector128<byte> Average(int size, Vector128<byte> a, Vector128<byte> b) => size == 0
        ? (a | b) - Vector128.ShiftRightLogical(a ^ b, 1)
        : ((a | b).AsUInt16() - Vector128.ShiftRightLogical((a ^ b).AsUInt16(), 1)).AsByte();

    private static Vector128<byte> Min(int size, bool signed, Vector128<byte> a, Vector128<byte> b) => (size, signed) switch
    {
        (0, true) => Vector128.Min(a.AsSByte(), b.AsSByte()).AsByte(),
        (0, false) => Vector128.Min(a, b),
        (1, true) => Vector128.Min(a.AsInt16(), b.AsInt16()).AsByte(),
        (1, false) => Vector128.Min(a.AsUInt16(), b.AsUInt16()).AsByte(),
        (_, true) => Vector128.Min(a.AsInt32(), b.AsInt32()).AsByte(),
        _ => Vector128.Min(a.AsUInt32(), b.AsUInt32()).AsByte(),
    };

    private static Vector128<byte> Max(int size, bool signed, Vector128<byte> a, Vector128<byte> b) => (size, signed) switch
    {
        (0, true) => Vector128.Max(a.AsSByte(), b.AsSByte()).AsByte(),
        (0, false) => Vector128.Max(a, b),
        (1, true) => Vector128.Max(a.AsInt16(), b.AsInt16()).AsByte(),
        (1, false) => Vector128.Max(a.AsUInt16(), b.AsUInt16()).AsByte(),
        (_, true) => Vector128.Max(a.AsInt32(), b.AsInt32()).AsByte(),
        _ => Vector128.Max(a.AsUInt32(), b.AsUInt32()).AsByte(),
    };

    private static Vector128<byte> CompareEqual(int size, Vector128<byte> a, Vector128<byte> b) => size switch
    {
        0 => Vector128.Equals(a, b),
        1 => Vector128.Equals(a.AsInt16(), b.AsInt16()).AsByte(),
        2 => Vector128.Equals(a.AsInt32(), b.AsInt32()).AsByte(),
        _ => Vector128.Equals(a.AsInt64(), b.AsInt64()).AsByte(),
    };

    private static Vector128<byte> CompareGreater(int size, Vector128<byte> a, Vector128<byte> b) => size switch
    {
        0 => Vector128.GreaterThan(a.AsSByte(), b.AsSByte()).AsByte(),
        1 => Vector128.GreaterThan(a.AsInt16(), b.AsInt16()).AsByte(),
        2 => Vector128.GreaterThan(a.AsInt32(), b.AsInt32()).AsByte(),
        _ => Vector128.GreaterThan(a.AsInt64(), b.AsInt64()).AsByte(),
    };

    private static Vector128<byte> Absolute(int size, Vector128<byte> a) => size switch
    {
        0 => Vector128.ConditionalSelect(Vector128.LessThan(a.AsSByte(), default), -a.AsSByte(), a.AsSByte()).AsByte(),
        1 => Vector128.ConditionalSelect(Vector128.LessThan(a.AsInt16(), default), -a.AsInt16(), a.AsInt16()).AsByte(),
        _ => Vector128.ConditionalSelect(Vector128.LessThan(a.AsInt32(), default), -a.AsInt32(), a.AsInt32()).AsByte(),
    };

    private static Vector128<byte> Shift(OpCode code, int size, Vector128<byte> a, ulong count)
    {
        var width = 8UL << size;
        if (code == OpCode.VectorShiftRightArithmetic)
            return ShiftArithmetic(size, a, (int)Math.Min(count, width - 1));
        if (count >= width)
            return default;
        var left = code == OpCode.VectorShiftLeft;
        var by = (int)count;
        return size switch
        {
            1 => (left ? a.AsUInt16() << by : a.AsUInt16() >>> by).AsByte(),
            2 => (left ? a.AsUInt32() << by : a.AsUInt32() >>> by).AsByte(),
            _ => (left ? a.AsUInt64() << by : a.AsUInt64() >>> by).AsByte(),
        };
    }

    private static Vector128<byte> ShiftArithmetic(int size, Vector128<byte> a, int count) => size switch
    {
        1 => (a.AsInt16() >> count).AsByte(),
        2 => (a.AsInt32() >> count).AsByte(),
        _ => (a.AsInt64() >> count).AsByte(),
    };
}
