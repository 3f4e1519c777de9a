using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Conversions between lane kinds, and the comparison into flags.</summary>
internal static class VectorFloatConversion
{
    public static bool Execute(ref CpuState state, in MicroOp op) => op.Code switch
    {
        OpCode.FloatConvert => Convert(ref state, op),
        OpCode.FloatFromInteger32 => FromIntegers(ref state, op),
        OpCode.FloatToInteger32 => ToIntegers(ref state, op),
        OpCode.FloatFromIntegerRegister => FromRegister(ref state, op),
        OpCode.FloatToIntegerRegister => ToRegister(ref state, op),
        _ => throw new InvalidOperationException($"not a floating-point operation: {op.Code}"),
    };

    public static bool CompareFlags(ref CpuState state, in MicroOp op)
    {
        var context = FloatContext.FromMxcsr(state.Mxcsr);
        var a = Lane(state.Vectors[op.A], op.Size, 0, context);
        var b = Lane(state.Vectors[op.B], op.Size, 0, context);
        var order = FloatComparison.Compare(a, b, op.C == 1, ref context);
        if (!VectorFloat.Finish(ref state, ref context))
            return false;
        X86Flags.Replace(ref state, FlagsOf(order));
        return true;
    }

    /// <summary>The flags that COMISD and FCOMI set.</summary>
    public static ulong FlagsOf(FloatOrder order) => order switch
    {
        FloatOrder.Less => X86Flags.Carry,
        FloatOrder.Equal => X86Flags.Zero,
        FloatOrder.Greater => 0,
        _ => X86Flags.Carry | X86Flags.Zero | X86Flags.Parity,
    };

    private static FloatFormat Format(int kind) => (LaneKind)kind == LaneKind.Float64 ? FloatFormat.Binary64 : FloatFormat.Binary32;

    private static FloatValue Lane(Vector128<byte> value, int kind, int index, in FloatContext context) => FloatValue.Unpack(
        Format(kind),
        (LaneKind)kind == LaneKind.Float64 ? value.AsUInt64().GetElement(index) : value.AsUInt32().GetElement(index),
        context.DenormalsAreZero);

    private static Vector128<byte> WithLane(Vector128<byte> into, int kind, int index, ulong bits) => (LaneKind)kind == LaneKind.Float64
        ? into.AsUInt64().WithElement(index, bits).AsByte()
        : into.AsUInt32().WithElement(index, (uint)bits).AsByte();

    private static bool Convert(ref CpuState state, in MicroOp op)
    {
        var context = FloatContext.FromMxcsr(state.Mxcsr);
        var target = (LaneKind)op.Size == LaneKind.Float64 ? LaneKind.Float32 : LaneKind.Float64;
        var source = state.Vectors[op.B];
        var result = op.C == 0 ? default : state.Vectors[op.A];
        for (var i = 0; i < VectorFloat.LaneCount(op, 2); i++)
        {
            var value = FloatConversion.Convert(Lane(source, op.Size, i, context), ref context);
            result = WithLane(result, (int)target, i, FloatRounding.Pack(Format((int)target), value, ref context));
        }

        if (!VectorFloat.Finish(ref state, ref context))
            return false;
        state.Vectors[op.Destination] = result;
        return true;
    }

    private static bool FromIntegers(ref CpuState state, in MicroOp op)
    {
        var context = FloatContext.FromMxcsr(state.Mxcsr);
        var source = state.Vectors[op.B].AsInt32();
        var result = op.C == 0 ? default : state.Vectors[op.A];
        for (var i = 0; i < VectorFloat.LaneCount(op, (LaneKind)op.Size == LaneKind.Float64 ? 2 : 4); i++)
        {
            var value = FloatValue.FromInteger(source.GetElement(i));
            result = WithLane(result, op.Size, i, FloatRounding.Pack(Format(op.Size), value, ref context));
        }

        if (!VectorFloat.Finish(ref state, ref context))
            return false;
        state.Vectors[op.Destination] = result;
        return true;
    }

    private static bool ToIntegers(ref CpuState state, in MicroOp op)
    {
        var context = FloatContext.FromMxcsr(state.Mxcsr);
        var mode = op.Immediate == 1 ? RoundingMode.TowardZero : context.Rounding;
        var source = state.Vectors[op.B];
        var result = Vector128<int>.Zero;
        for (var i = 0; i < VectorFloat.LaneCount(op, (LaneKind)op.Size == LaneKind.Float64 ? 2 : 4); i++)
        {
            var value = Lane(source, op.Size, i, context);
            result = result.WithElement(i, (int)FloatConversion.ToInteger(value, 32, mode, ref context, out _));
        }

        if (!VectorFloat.Finish(ref state, ref context))
            return false;
        state.Vectors[op.Destination] = result.AsByte();
        return true;
    }

    private static bool FromRegister(ref CpuState state, in MicroOp op)
    {
        var context = FloatContext.FromMxcsr(state.Mxcsr);
        var integer = op.C == 3 ? (long)state.Registers[op.B] : (int)state.Registers[op.B];
        var bits = FloatRounding.Pack(Format(op.Size), FloatValue.FromInteger(integer), ref context);
        if (!VectorFloat.Finish(ref state, ref context))
            return false;
        state.Vectors[op.Destination] = WithLane(state.Vectors[op.A], op.Size, 0, bits);
        return true;
    }

    private static bool ToRegister(ref CpuState state, in MicroOp op)
    {
        var context = FloatContext.FromMxcsr(state.Mxcsr);
        var mode = op.Immediate == 1 ? RoundingMode.TowardZero : context.Rounding;
        var value = Lane(state.Vectors[op.B], op.Size, 0, context);
        var integer = FloatConversion.ToInteger(value, op.C == 3 ? 64 : 32, mode, ref context, out _);
        if (!VectorFloat.Finish(ref state, ref context))
            return false;
        // A 32-bit destination clears the upper half.
        state.Registers[op.Destination] = op.C == 3 ? (ulong)integer : (uint)integer;
        return true;
    }
}
