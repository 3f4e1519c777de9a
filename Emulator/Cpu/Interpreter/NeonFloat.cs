using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Executes AArch64's floating-point micro-ops by SoftFloat, under FPCR (Arm ARM, A1.5 and shared pseudocode).</summary>
internal static class NeonFloat
{
    public static void Execute(ref CpuState state, in MicroOp op)
    {
        var unit = new NeonFloatUnit(Arm64State.GetControl(state));
        Vector128<byte> a = state.Vectors[op.A & 63], b = state.Vectors[op.B & 63], c = state.Vectors[op.C & 63];
        switch (op.Code)
        {
            case OpCode.NeonFloatCompare:
                Compare(ref state, op, ref unit, NeonInterpreter.Lane(a, SizeOf(op.Size), 0), NeonInterpreter.Lane(b, SizeOf(op.Size), 0));
                break;
            case OpCode.NeonFloatToInteger:
                state.Registers[op.Destination] = ToInteger(ref unit, FormatOf(op.Size), op.Immediate, NeonInterpreter.Lane(a, SizeOf(op.Size), 0), 8 << op.C);
                break;
            case OpCode.NeonFloatFromInteger:
                ulong integer = state.Registers[op.A];
                state.Vectors[op.Destination] = Vector128.CreateScalar(FromInteger(ref unit, FormatOf(op.Size), op.Immediate, integer, op.C)).AsByte();
                break;
            default:
                state.Vectors[op.Destination] = op.Code switch
                {
                    OpCode.NeonFloat => Each(op, ref unit, a, b, c),
                    OpCode.NeonFloatPairs => Pairs(op, ref unit, a, b),
                    OpCode.NeonFloatAcross => Across(op, ref unit, a),
                    _ => Convert(op, ref unit, a, b),
                };
                break;
        }
        state.Registers[Arm64State.StatusSlot] |= unit.Status;
    }

    private static int SizeOf(int kind) => kind switch { (int)LaneKind.Float64 => 3, (int)LaneKind.Float32 => 2, _ => 1 };

    private static FloatFormat FormatOf(int kind) => kind switch
    {
        (int)LaneKind.Float64 => FloatFormat.Binary64,
        (int)LaneKind.Float32 => FloatFormat.Binary32,
        _ => FloatFormat.Binary16,
    };

    private static Vector128<byte> Each(in MicroOp op, ref NeonFloatUnit unit, Vector128<byte> a, Vector128<byte> b, Vector128<byte> c)
    {
        int size = SizeOf(op.Size), count = NeonForm.Count(op.Immediate);
        FloatFormat format = FormatOf(op.Size);
        Vector128<byte> result = default;
        for (int i = 0; i < count; i++)
        {
            ulong lane = Compute(ref unit, format, op.Immediate, NeonInterpreter.Lane(a, size, i), NeonInterpreter.Lane(b, size, i), NeonInterpreter.Lane(c, size, i));
            result = NeonInterpreter.WithLane(result, size, i, lane);
        }
        return result;
    }

    private static Vector128<byte> Pairs(in MicroOp op, ref NeonFloatUnit unit, Vector128<byte> a, Vector128<byte> b)
    {
        int size = SizeOf(op.Size), count = NeonForm.Count(op.Immediate), half = Math.Max(count / 2, 1);
        Vector128<byte> result = default;
        for (int i = 0; i < count; i++)
        {
            Vector128<byte> from = i < half ? a : b;
            int pair = 2 * (i < half ? i : i - half);
            ulong lane = Compute(ref unit, FormatOf(op.Size), op.Immediate, NeonInterpreter.Lane(from, size, pair), NeonInterpreter.Lane(from, size, pair + 1), 0);
            result = NeonInterpreter.WithLane(result, size, i, lane);
        }
        return result;
    }

    /// <summary>Four singles: both halves first.</summary>
    private static Vector128<byte> Across(in MicroOp op, ref NeonFloatUnit unit, Vector128<byte> a)
    {
        Vector128<uint> lanes = a.AsUInt32();
        ulong low = Compute(ref unit, FloatFormat.Binary32, op.Immediate, lanes.GetElement(0), lanes.GetElement(1), 0);
        ulong high = Compute(ref unit, FloatFormat.Binary32, op.Immediate, lanes.GetElement(2), lanes.GetElement(3), 0);
        return Vector128.CreateScalar(Compute(ref unit, FloatFormat.Binary32, op.Immediate, low, high, 0)).AsByte();
    }

    // ---- one lane ----------------------------------------------------------------------------------------------------

    private static ulong Compute(ref NeonFloatUnit unit, FloatFormat format, long form, ulong a, ulong b, ulong c)
    {
        ulong sign = 1ul << (format.FractionBits + format.ExponentBits);
        switch (NeonForm.Operation(form))
        {
            case NeonOperation.Absolute: return a & ~sign;
            case NeonOperation.Negate: return a ^ sign;
            case NeonOperation.CompareEqual or NeonOperation.CompareGreater or NeonOperation.CompareGreaterOrEqual:
                return unit.Relates(format, NeonForm.Operation(form), a, b) ? ulong.MaxValue : 0;
            case NeonOperation.CompareAbsoluteGreater:
                return unit.Relates(format, NeonOperation.CompareGreater, a & ~sign, b & ~sign) ? ulong.MaxValue : 0;
            case NeonOperation.CompareAbsoluteGreaterOrEqual:
                return unit.Relates(format, NeonOperation.CompareGreaterOrEqual, a & ~sign, b & ~sign) ? ulong.MaxValue : 0;
            case NeonOperation.AbsoluteDifference: return unit.Arithmetic(format, NeonOperation.Subtract, a, b) & ~sign;
            case NeonOperation.FusedMultiplyAdd:
                return unit.MultiplyAdd(format, NeonForm.Has(form, NeonForm.NegateProduct) ? a ^ sign : a, b, NeonForm.Has(form, NeonForm.NegateAddend) ? c ^ sign : c);
            case NeonOperation.ReciprocalStep or NeonOperation.SquareRootStep: return unit.Step(format, NeonForm.Operation(form) == NeonOperation.SquareRootStep, a ^ sign, b);
            case NeonOperation.ReciprocalEstimate: return NeonEstimates.Reciprocal(ref unit, format, a);
            case NeonOperation.SquareRootEstimate: return NeonEstimates.SquareRoot(ref unit, format, a);
            case NeonOperation.ReciprocalExponent: return NeonEstimates.ReciprocalExponent(ref unit, format, a);
            case NeonOperation.RoundToIntegral: return unit.RoundToIntegral(format, a, ModeOf(ref unit, NeonForm.Rounding(form)), NeonForm.Has(form, NeonForm.Round));
            case NeonOperation.ToInteger: return ToInteger(ref unit, format, form, a, format == FloatFormat.Binary64 ? 64 : 32);
            case NeonOperation.FromInteger: return FromInteger(ref unit, format, form, a, format == FloatFormat.Binary64 ? 3 : 2);
            default: return unit.Arithmetic(format, NeonForm.Operation(form), a, b);
        }
    }

    private static RoundingMode ModeOf(ref NeonFloatUnit unit, int rounding) => rounding == NeonForm.Dynamic ? unit.Context.Rounding : (RoundingMode)rounding;

    /// <summary>FPToFixed: a NaN is 0, what does not fit the nearest that does.</summary>
    private static ulong ToInteger(ref NeonFloatUnit unit, FloatFormat format, long form, ulong bits, int width)
    {
        FloatValue value = unit.Unpack(format, bits);
        if (value.IsNaN)
        {
            unit.Context.Raise(FloatFlags.Invalid);
            return 0;
        }
        int fraction = NeonForm.Amount(form);
        if (value.IsFinite && fraction != 0)
            value = value.Scaled(fraction);
        ulong result = FloatConversion.ToNearest(value, width, NeonForm.Has(form, NeonForm.Unsigned), ModeOf(ref unit, NeonForm.Rounding(form)), ref unit.Context);
        return width == 64 ? result : (uint)result;
    }

    private static ulong FromInteger(ref NeonFloatUnit unit, FloatFormat format, long form, ulong integer, int size)
    {
        bool isUnsigned = NeonForm.Has(form, NeonForm.Unsigned);
        FloatValue value = isUnsigned ? FloatValue.FromUnsigned(integer & Alu.Mask(size)) : FloatValue.FromInteger(Alu.SignExtend(integer, size));
        if (value.IsFinite)
            value = value.Scaled(-NeonForm.Amount(form));
        return unit.Pack(format, value);
    }

    private static void Compare(ref CpuState state, in MicroOp op, ref NeonFloatUnit unit, ulong a, ulong b)
    {
        if ((op.C & NeonForm.Conditional) != 0 && !Alu.Holds((Condition)(byte)op.Immediate, state.Flags))
        {
            X86Flags.Replace(ref state, (ulong)op.Immediate >> 8);
            return;
        }
        FloatFormat format = FormatOf(op.Size);
        FloatOrder order = FloatComparison.Compare(unit.Unpack(format, a), unit.Unpack(format, b), (op.C & NeonForm.Signaling) != 0, ref unit.Context);
        // NZCV 1000, 0110, 0010, 0011; the carry flag is the inverse of C.
        X86Flags.Replace(ref state, order switch
        {
            FloatOrder.Less => X86Flags.Sign | X86Flags.Carry,
            FloatOrder.Equal => X86Flags.Zero,
            FloatOrder.Greater => 0,
            _ => X86Flags.Overflow,
        });
    }

    // ---- between formats ---------------------------------------------------------------------------------------------

    private static Vector128<byte> Convert(in MicroOp op, ref NeonFloatUnit unit, Vector128<byte> a, Vector128<byte> b)
    {
        int from = SizeOf(op.Size), to = SizeOf(op.C), count = NeonForm.Count(op.Immediate);
        bool isUpper = NeonForm.Has(op.Immediate, NeonForm.Upper);
        int readFrom = isUpper && to > from ? count : 0, writeFrom = isUpper && to < from ? count : 0;
        Vector128<byte> result = writeFrom == 0 ? default : Vector128.CreateScalar(NeonInterpreter.Lane(b, 3, 0)).AsByte();
        for (int i = 0; i < count; i++)
        {
            ulong bits = NeonInterpreter.Lane(a, from, readFrom + i);
            result = NeonInterpreter.WithLane(result, to, writeFrom + i, unit.Convert(FormatOf(op.Size), FormatOf(op.C), bits, NeonForm.Has(op.Immediate, NeonForm.Round)));
        }
        return result;
    }
}
