using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>
/// Executes the floating-point vector micro-ops exactly: results, NaN payloads and MXCSR flags. Ordinary arithmetic in the
/// default environment takes the fast path of <see cref="HostFloat"/>; all else is computed by SoftFloat.
/// </summary>
internal static class VectorFloat
{
    /// <summary>False when the instruction must exit with <paramref name="exit"/>.</summary>
    public static bool Execute(ref CpuState state, in MicroOp op, ref ExitReason exit)
    {
        switch (op.Code)
        {
            case <= OpCode.FloatDivide:
            case OpCode.FloatSquareRoot:
                if (HostFloat.TryArithmetic(ref state, op))
                    return true;
                return LaneByLane(ref state, op, state.Vectors[op.A], state.Vectors[op.B]);
            case OpCode.FloatMin:
            case OpCode.FloatMax:
            case OpCode.FloatCompare:
                if (HostFloat.TryOrder(ref state, op))
                    return true;
                return LaneByLane(ref state, op, state.Vectors[op.A], state.Vectors[op.B]);
            case OpCode.FloatRound:
            case OpCode.FloatAddSubtract:
                return LaneByLane(ref state, op, state.Vectors[op.A], state.Vectors[op.B]);
            case OpCode.FloatCompareFlags:
                return HostFloat.TryCompareFlags(ref state, op) || VectorFloatConversion.CompareFlags(ref state, op);
            case OpCode.FloatHorizontalAdd:
            case OpCode.FloatHorizontalSubtract:
                return Horizontal(ref state, op);
            case OpCode.FloatDot:
                return Dot(ref state, op);
            case OpCode.FloatReciprocal:
            case OpCode.FloatReciprocalSquareRoot:
                Approximate(ref state, op);
                return true;
            case OpCode.FloatSetControl:
                exit = ExitReason.GeneralProtection;
                return SetControl(ref state, op);
            case OpCode.FloatGetControl:
                state.Registers[op.Destination] = state.Mxcsr;
                return true;
            default:
                return HostFloat.TryConvert(ref state, op) || VectorFloatConversion.Execute(ref state, op);
        }
    }

    /// <summary>
    /// Moves the flags raised into MXCSR. False for an unmasked exception; when it was detected before computing, flags of
    /// rounding do not appear (SDM Vol. 1, 11.5.3).
    /// </summary>
    public static bool Finish(ref CpuState state, ref FloatContext context)
    {
        var unmasked = context.Raised & context.Unmasked;
        var visible = (unmasked & FloatFlags.PreComputation) != 0 ? context.Raised & FloatFlags.PreComputation : context.Raised;
        state.Mxcsr |= (uint)visible;
        context.Raised = FloatFlags.None;
        return unmasked == 0;
    }

    public static int LaneCount(in MicroOp op, int all) => op.C == 0 ? all : op.C;

    private static bool LaneByLane(ref CpuState state, in MicroOp op, Vector128<byte> a, Vector128<byte> b)
    {
        var context = FloatContext.FromMxcsr(state.Mxcsr);
        Vector128<byte> result;
        if ((LaneKind)op.Size == LaneKind.Float64)
        {
            var lanes = a.AsUInt64();
            for (var i = 0; i < LaneCount(op, 2); i++)
                lanes = lanes.WithElement(i, Lane(op, i, FloatFormat.Binary64, a.AsUInt64().GetElement(i), b.AsUInt64().GetElement(i), ref context));
            result = lanes.AsByte();
        }
        else
        {
            var lanes = a.AsUInt32();
            for (var i = 0; i < LaneCount(op, 4); i++)
                lanes = lanes.WithElement(i, (uint)Lane(op, i, FloatFormat.Binary32, a.AsUInt32().GetElement(i), b.AsUInt32().GetElement(i), ref context));
            result = lanes.AsByte();
        }

        if (!Finish(ref state, ref context))
            return false;
        state.Vectors[op.Destination] = result;
        return true;
    }

    private static ulong Lane(in MicroOp op, int index, FloatFormat format, ulong a, ulong b, ref FloatContext context)
    {
        var left = FloatValue.Unpack(format, a, context.DenormalsAreZero);
        var right = FloatValue.Unpack(format, b, context.DenormalsAreZero);
        switch (op.Code)
        {
            case OpCode.FloatMin:
            case OpCode.FloatMax:
                return TakesFirst(op.Code, left, right, ref context) ? Flushed(left, format, a) : Flushed(right, format, b);
            case OpCode.FloatCompare:
                return Holds((int)op.Immediate, left, right, ref context) ? ulong.MaxValue : 0;
            case OpCode.FloatRound:
                var mode = (op.Immediate & 4) != 0 ? context.Rounding : (RoundingMode)(op.Immediate & 3);
                var integral = FloatConversion.RoundToIntegral(right, mode, (op.Immediate & 8) == 0, ref context);
                return FloatRounding.Pack(format, integral, ref context);
        }

        var result = op.Code switch
        {
            OpCode.FloatAdd => FloatArithmetic.Add(left, right, ref context),
            OpCode.FloatSubtract => FloatArithmetic.Subtract(left, right, ref context),
            OpCode.FloatMultiply => FloatArithmetic.Multiply(left, right, ref context),
            OpCode.FloatDivide => FloatArithmetic.Divide(left, right, ref context),
            OpCode.FloatSquareRoot => FloatArithmetic.SquareRoot(right, ref context),
            _ when (index & 1) == 0 => FloatArithmetic.Subtract(left, right, ref context),
            _ => FloatArithmetic.Add(left, right, ref context),
        };
        return FloatRounding.Pack(format, result, ref context);
    }

    /// <summary>A denormal that counted as zero comes out as one.</summary>
    private static ulong Flushed(in FloatValue value, FloatFormat format, ulong bits) =>
        value.IsZero ? (value.Sign ? 1UL : 0) << (format.FractionBits + format.ExponentBits) : bits;

    /// <summary>MINPS and MAXPS give the second operand unless the first is strictly smaller or larger.</summary>
    private static bool TakesFirst(OpCode code, in FloatValue a, in FloatValue b, ref FloatContext context) =>
        FloatComparison.Compare(a, b, true, ref context) == (code == OpCode.FloatMin ? FloatOrder.Less : FloatOrder.Greater);

    private static bool Holds(int predicate, in FloatValue a, in FloatValue b, ref FloatContext context)
    {
        // LT, LE and their negations are the signalling ones.
        var order = FloatComparison.Compare(a, b, (predicate & 3) is 1 or 2, ref context);
        var holds = (predicate & 3) switch
        {
            0 => order == FloatOrder.Equal,
            1 => order == FloatOrder.Less,
            2 => order is FloatOrder.Less or FloatOrder.Equal,
            _ => order == FloatOrder.Unordered,
        };
        return holds != ((predicate & 4) != 0);
    }

    private static bool Horizontal(ref CpuState state, in MicroOp op)
    {
        // Gather the even and odd lanes of both operands, then add or subtract lane by lane.
        Vector128<byte> a = state.Vectors[op.A], b = state.Vectors[op.B], even, odd;
        if ((LaneKind)op.Size == LaneKind.Float64)
        {
            even = Vector128.Create(a.GetLower(), b.GetLower());
            odd = Vector128.Create(a.GetUpper(), b.GetUpper());
        }
        else
        {
            even = Vector128.Narrow(a.AsUInt64(), b.AsUInt64()).AsByte();
            odd = Vector128.Narrow(a.AsUInt64() >>> 32, b.AsUInt64() >>> 32).AsByte();
        }

        var lanes = op with { Code = op.Code == OpCode.FloatHorizontalAdd ? OpCode.FloatAdd : OpCode.FloatSubtract };
        return LaneByLane(ref state, lanes, even, odd);
    }

    /// <summary>Products, then sums, each step checked for unmasked exceptions before the next.</summary>
    private static bool Dot(ref CpuState state, in MicroOp op)
    {
        var context = FloatContext.FromMxcsr(state.Mxcsr);
        var isDouble = (LaneKind)op.Size == LaneKind.Float64;
        var format = isDouble ? FloatFormat.Binary64 : FloatFormat.Binary32;
        var count = isDouble ? 2 : 4;
        Span<ulong> products = stackalloc ulong[4];
        Vector128<byte> a = state.Vectors[op.A], b = state.Vectors[op.B];
        for (var i = 0; i < count; i++)
        {
            products[i] = (op.Immediate >> (4 + i) & 1) == 0
                ? 0
                : Operate(format, GetLane(a, isDouble, i), GetLane(b, isDouble, i), FloatArithmetic.Multiply, ref context);
        }

        if (!Finish(ref state, ref context))
            return false;
        var sum = Operate(format, products[0], products[1], FloatArithmetic.Add, ref context);
        if (!isDouble)
        {
            var upper = Operate(format, products[2], products[3], FloatArithmetic.Add, ref context);
            if (!Finish(ref state, ref context))
                return false;
            sum = Operate(format, sum, upper, FloatArithmetic.Add, ref context);
        }

        if (!Finish(ref state, ref context))
            return false;
        state.Vectors[op.Destination] = Broadcast(sum, isDouble, (int)op.Immediate);
        return true;
    }

    private static ulong GetLane(Vector128<byte> value, bool isDouble, int index) =>
        isDouble ? value.AsUInt64().GetElement(index) : value.AsUInt32().GetElement(index);

    private static Vector128<byte> Broadcast(ulong value, bool isDouble, int mask)
    {
        if (isDouble)
            return Vector128.Create((mask & 1) != 0 ? value : 0, (mask & 2) != 0 ? value : 0).AsByte();
        var single = (uint)value;
        return Vector128.Create((mask & 1) != 0 ? single : 0, (mask & 2) != 0 ? single : 0, (mask & 4) != 0 ? single : 0, (mask & 8) != 0 ? single : 0).AsByte();
    }

    private delegate FloatValue Operation(in FloatValue a, in FloatValue b, ref FloatContext context);

    private static ulong Operate(FloatFormat format, ulong a, ulong b, Operation operation, ref FloatContext context)
    {
        var left = FloatValue.Unpack(format, a, context.DenormalsAreZero);
        var right = FloatValue.Unpack(format, b, context.DenormalsAreZero);
        return FloatRounding.Pack(format, operation(left, right, ref context), ref context);
    }

    /// <summary>
    /// RCPPS and RSQRTPS: the architecture asks for a relative error below 1.5 × 2^-12 and leaves the bits to the processor;
    /// here the value is rounded to 12 fraction bits. No flags; denormals count as zeros.
    /// </summary>
    private static void Approximate(ref CpuState state, in MicroOp op)
    {
        var result = state.Vectors[op.A].AsUInt32();
        var source = state.Vectors[op.B].AsUInt32();
        for (var i = 0; i < LaneCount(op, 4); i++)
            result = result.WithElement(i, Approximate(op.Code, source.GetElement(i)));
        state.Vectors[op.Destination] = result.AsByte();
    }

    private static uint Approximate(OpCode code, uint bits)
    {
        var context = FloatContext.FromMxcsr(0x9FC0);
        var value = FloatValue.Unpack(FloatFormat.Binary32, bits, true);
        if (code == OpCode.FloatReciprocalSquareRoot && !value.IsNaN)
        {
            if (value.IsZero)
                return (bits & 0x8000_0000) | 0x7F80_0000;
            value = FloatArithmetic.SquareRoot(value, ref context);
        }

        var exact = FloatArithmetic.Divide(FloatValue.FromInteger(1), value, ref context);
        if (!exact.IsFinite)
            return (uint)FloatRounding.Pack(FloatFormat.Binary32, exact, ref context);
        var significand = FloatRounding.RoundSignificand(exact.Significand, 13, exact.Sign, ref context, out var carry, out _);
        var rounded = new FloatValue(FloatClass.Finite, exact.Sign, exact.Exponent + carry, (UInt128)significand << 64);
        return (uint)FloatRounding.Pack(FloatFormat.Binary32, rounded, ref context);
    }

    private static bool SetControl(ref CpuState state, in MicroOp op)
    {
        var value = (uint)state.Registers[op.A];
        if ((value & 0xFFFF_0000) != 0)
            return false;
        state.Mxcsr = value;
        return true;
    }
}
