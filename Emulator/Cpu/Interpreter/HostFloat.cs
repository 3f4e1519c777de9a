using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>
/// Arithmetic with the host's own when that is exactly the guest's: default rounding, all exceptions masked, no flushing,
/// operands that are normal or zero, a result that is normal (so that no flag but inexact can be raised), and inexact already
/// raised or provably absent.
/// </summary>
internal static partial class HostFloat
{
    private const uint Inexact = 0x20;

    public static bool TryArithmetic(ref CpuState state, in MicroOp op)
    {
        if (!IsDefault(state))
            return false;
        var mayBeInexact = (state.Mxcsr & Inexact) != 0;
        if (op.C == 1)
        {
            return (LaneKind)op.Size == LaneKind.Float64
                ? TryDouble(ref state, op, mayBeInexact)
                : TrySingle(ref state, op, mayBeInexact);
        }

        return (LaneKind)op.Size == LaneKind.Float64
            ? TryDoubles(ref state, op, mayBeInexact)
            : TrySingles(ref state, op, mayBeInexact);
    }

    /// <summary>Whether all of MXCSR but the flags is as after reset.</summary>
    private static bool IsDefault(in CpuState state) => (state.Mxcsr & 0xFFC0) == 0x1F80;

    private static bool TryDouble(ref CpuState state, in MicroOp op, bool mayBeInexact)
    {
        var a = state.Vectors[op.A].AsDouble();
        if (!TryCompute(op.Code, a.ToScalar(), state.Vectors[op.B].AsDouble().ToScalar(), mayBeInexact, out var result))
            return false;
        state.Vectors[op.Destination] = a.WithElement(0, result).AsByte();
        return true;
    }

    private static bool TryDoubles(ref CpuState state, in MicroOp op, bool mayBeInexact)
    {
        var a = state.Vectors[op.A].AsDouble();
        var b = state.Vectors[op.B].AsDouble();
        if (mayBeInexact && TryPacked(op.Code, a, b, out var all))
        {
            state.Vectors[op.Destination] = all.AsByte();
            return true;
        }

        if (!TryCompute(op.Code, a.GetElement(0), b.GetElement(0), mayBeInexact, out var low)
            || !TryCompute(op.Code, a.GetElement(1), b.GetElement(1), mayBeInexact, out var high))
            return false;
        state.Vectors[op.Destination] = Vector128.Create(low, high).AsByte();
        return true;
    }

    private static bool TrySingle(ref CpuState state, in MicroOp op, bool mayBeInexact)
    {
        var a = state.Vectors[op.A].AsSingle();
        if (!TryCompute(op.Code, a.ToScalar(), state.Vectors[op.B].AsSingle().ToScalar(), mayBeInexact, out var result))
            return false;
        state.Vectors[op.Destination] = a.WithElement(0, result).AsByte();
        return true;
    }

    private static bool TrySingles(ref CpuState state, in MicroOp op, bool mayBeInexact)
    {
        var a = state.Vectors[op.A].AsSingle();
        var b = state.Vectors[op.B].AsSingle();
        if (mayBeInexact && TryPacked(op.Code, a, b, out var all))
        {
            state.Vectors[op.Destination] = all.AsByte();
            return true;
        }

        var result = Vector128<float>.Zero;
        for (var i = 0; i < 4; i++)
        {
            if (!TryCompute(op.Code, a.GetElement(i), b.GetElement(i), mayBeInexact, out var lane))
                return false;
            result = result.WithElement(i, lane);
        }

        state.Vectors[op.Destination] = result.AsByte();
        return true;
    }

    private static bool TryCompute(OpCode code, double a, double b, bool mayBeInexact, out double result)
    {
        result = code switch
        {
            OpCode.FloatAdd => a + b,
            OpCode.FloatSubtract => a - b,
            OpCode.FloatMultiply => a * b,
            OpCode.FloatDivide => a / b,
            _ => Math.Sqrt(b),
        };
        if (!IsNormalOrZero(b) || (code != OpCode.FloatSquareRoot && !IsNormalOrZero(a)))
            return false;
        if (!IsSafelyNormal(result))
            return result == 0 && IsExactZero(code, a);
        return mayBeInexact || IsExact(code, a, b, result);
    }

    /// <summary>Whether a zero result of normal or zero operands is exact: sums and differences always are.</summary>
    private static bool IsExactZero(OpCode code, double a) => code switch
    {
        OpCode.FloatAdd or OpCode.FloatSubtract => true,
        OpCode.FloatDivide => a == 0,
        _ => false,
    };

    private static bool IsExact(OpCode code, double a, double b, double result) => code switch
    {
        OpCode.FloatAdd => SumError(a, b, result) == 0,
        OpCode.FloatSubtract => SumError(a, -b, result) == 0,
        // The error terms must not underflow themselves.
        OpCode.FloatMultiply => Math.Abs(result) > 1e-200 && Math.FusedMultiplyAdd(a, b, -result) == 0,
        OpCode.FloatDivide => Math.Abs(a) > 1e-200 && Math.FusedMultiplyAdd(result, b, -a) == 0,
        _ => b > 1e-200 && Math.FusedMultiplyAdd(result, result, -b) == 0,
    };

    /// <summary>The rounding error of a sum (Knuth's two-sum).</summary>
    private static double SumError(double a, double b, double sum)
    {
        var part = sum - a;
        return (a - (sum - part)) + (b - part);
    }

    private static bool IsNormalOrZero(double value)
    {
        var bits = BitConverter.DoubleToUInt64Bits(value) << 1;
        return bits == 0 || (bits >> 53) - 1 < 0x7FE;
    }

    /// <summary>Normal, and not the smallest such binade, where a result may have been tiny.</summary>
    private static bool IsSafelyNormal(double value) => (BitConverter.DoubleToUInt64Bits(value) << 1 >> 53) - 2 < 0x7FD;

    private static bool TryCompute(OpCode code, float a, float b, bool mayBeInexact, out float result)
    {
        result = code switch
        {
            OpCode.FloatAdd => a + b,
            OpCode.FloatSubtract => a - b,
            OpCode.FloatMultiply => a * b,
            OpCode.FloatDivide => a / b,
            _ => MathF.Sqrt(b),
        };
        if (!IsNormalOrZero(b) || (code != OpCode.FloatSquareRoot && !IsNormalOrZero(a)))
            return false;
        if (!IsSafelyNormal(result))
            return result == 0 && IsExactZero(code, a);
        return mayBeInexact || IsExact(code, a, b, result);
    }

    private static bool IsExact(OpCode code, float a, float b, float result) => code switch
    {
        OpCode.FloatAdd => SumError(a, b, result) == 0,
        OpCode.FloatSubtract => SumError(a, -b, result) == 0,
        // Products of two singles are exact in double.
        OpCode.FloatMultiply => (double)a * b == result,
        OpCode.FloatDivide => (double)result * b == a,
        _ => (double)result * result == b,
    };

    private static float SumError(float a, float b, float sum)
    {
        var part = sum - a;
        return (a - (sum - part)) + (b - part);
    }

    private static bool IsNormalOrZero(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value) << 1;
        return bits == 0 || (bits >> 24) - 1 < 0xFE;
    }

    private static bool IsSafelyNormal(float value) => (BitConverter.SingleToUInt32Bits(value) << 1 >> 24) - 2 < 0xFD;
}
