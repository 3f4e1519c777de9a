using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Comparisons and scalar conversions whose operands are normal or zero, so that at most inexact is raised.</summary>
internal static partial class HostFloat
{
    public static bool TryCompareFlags(ref CpuState state, in MicroOp op)
    {
        double a, b;
        if ((LaneKind)op.Size == LaneKind.Float64)
        {
            a = state.Vectors[op.A].AsDouble().ToScalar();
            b = state.Vectors[op.B].AsDouble().ToScalar();
            if (!IsNormalOrZero(a) || !IsNormalOrZero(b))
                return false;
        }
        else
        {
            var (left, right) = (state.Vectors[op.A].AsSingle().ToScalar(), state.Vectors[op.B].AsSingle().ToScalar());
            if (!IsNormalOrZero(left) || !IsNormalOrZero(right))
                return false;
            (a, b) = (left, right);
        }

        X86Flags.Replace(ref state, a < b ? X86Flags.Carry : a == b ? X86Flags.Zero : 0);
        return true;
    }

    /// <summary>Scalar MINSD, MAXSD and CMPSD of doubles.</summary>
    public static bool TryOrder(ref CpuState state, in MicroOp op)
    {
        if (op.C != 1 || (LaneKind)op.Size != LaneKind.Float64)
            return false;
        var vector = state.Vectors[op.A];
        double a = vector.AsDouble().ToScalar(), b = state.Vectors[op.B].AsDouble().ToScalar();
        if (!IsNormalOrZero(a) || !IsNormalOrZero(b))
            return false;
        if (op.Code == OpCode.FloatCompare)
        {
            var holds = (op.Immediate & 3) switch { 0 => a == b, 1 => a < b, 2 => a <= b, _ => false };
            var mask = holds != ((op.Immediate & 4) != 0) ? ulong.MaxValue : 0;
            state.Vectors[op.Destination] = vector.AsUInt64().WithElement(0, mask).AsByte();
            return true;
        }

        var takesFirst = op.Code == OpCode.FloatMin ? a < b : a > b;
        state.Vectors[op.Destination] = vector.AsDouble().WithElement(0, takesFirst ? a : b).AsByte();
        return true;
    }

    public static bool TryConvert(ref CpuState state, in MicroOp op)
    {
        if (!IsDefault(state))
            return false;
        return op.Code switch
        {
            OpCode.FloatFromIntegerRegister => TryFromInteger(ref state, op),
            OpCode.FloatToIntegerRegister => TryToInteger(ref state, op),
            OpCode.FloatConvert when op.C == 1 => TryConvertScalar(ref state, op),
            _ => false,
        };
    }

    private static bool TryFromInteger(ref CpuState state, in MicroOp op)
    {
        if ((LaneKind)op.Size != LaneKind.Float64)
            return false;
        var integer = op.C == 3 ? (long)state.Registers[op.B] : (int)state.Registers[op.B];
        // Up to 2^53 every integer is a double.
        if (integer >> 53 is not (0 or -1))
            return false;
        state.Vectors[op.Destination] = state.Vectors[op.A].AsDouble().WithElement(0, (double)integer).AsByte();
        return true;
    }

    private static bool TryToInteger(ref CpuState state, in MicroOp op)
    {
        if ((LaneKind)op.Size != LaneKind.Float64)
            return false;
        var value = state.Vectors[op.B].AsDouble().ToScalar();
        var limit = op.C == 3 ? 9.2e18 : 2147483647.0;
        if (!(Math.Abs(value) < limit) || !IsNormalOrZero(value))
            return false;
        var rounded = op.Immediate == 1 ? Math.Truncate(value) : Math.Round(value);
        if (rounded != value)
            state.Mxcsr |= Inexact;
        state.Registers[op.Destination] = op.C == 3 ? (ulong)(long)rounded : (uint)(int)rounded;
        return true;
    }

    private static bool TryConvertScalar(ref CpuState state, in MicroOp op)
    {
        if ((LaneKind)op.Size == LaneKind.Float32)
        {
            var single = state.Vectors[op.B].AsSingle().ToScalar();
            if (!IsNormalOrZero(single))
                return false;
            state.Vectors[op.Destination] = state.Vectors[op.A].AsDouble().WithElement(0, single).AsByte();
            return true;
        }

        var value = state.Vectors[op.B].AsDouble().ToScalar();
        var narrow = (float)value;
        if (!IsNormalOrZero(value) || !IsSafelyNormal(narrow))
            return false;
        if (narrow != value)
            state.Mxcsr |= Inexact;
        state.Vectors[op.Destination] = state.Vectors[op.A].AsSingle().WithElement(0, narrow).AsByte();
        return true;
    }
}
