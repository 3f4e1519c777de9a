using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Cpu.RiscV;
using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Executes the scalar floating-point micro-ops by SoftFloat, under RISC-V's rules.</summary>
internal static class ScalarInterpreter
{
    private const ulong SingleBox = 0xFFFF_FFFF_0000_0000;
    private const uint CanonicalSingle = 0x7FC0_0000;

    /// <summary>The flags that RISC-V has.</summary>
    private const FloatFlags Accrued = FloatFlags.All & ~FloatFlags.Denormal;

    public static ExitReason Execute(ref CpuState state, in MicroOp op)
    {
        switch (op.Code)
        {
            case OpCode.ScalarBox:
                Write(ref state, op.Destination, SingleBox | Low(state, op.A));
                return ExitReason.Budget;
            case OpCode.ScalarGetControl:
                state.Registers[op.Destination] = GetControl(state, op.Immediate);
                return ExitReason.Budget;
            case OpCode.ScalarSetControl:
                SetControl(ref state, op.Immediate, (uint)state.Registers[op.A]);
                return ExitReason.Budget;
            case OpCode.ScalarSignInject:
                InjectSign(ref state, op);
                return ExitReason.Budget;
            case OpCode.ScalarClassify:
                state.Registers[op.Destination] = Classify(Read(state, op.Size, op.A));
                return ExitReason.Budget;
        }
        var context = new FloatContext { NaNs = NaNRule.Default };
        if (TakesRounding(op.Code) && !TryRounding(state, op.Immediate & ScalarForm.RoundingMask, out context.Rounding))
            return ExitReason.InvalidInstruction;
        Compute(ref state, op, ref context);
        state.Mxcsr |= (uint)(context.Raised & Accrued);
        return ExitReason.Budget;
    }

    private static bool TakesRounding(OpCode code) => code is not (OpCode.ScalarMin or OpCode.ScalarMax or OpCode.ScalarCompare);

    private static bool TryRounding(in CpuState state, long form, out RoundingMode mode)
    {
        uint dynamic = (uint)state.Registers[RiscVState.RoundingSlot];
        mode = form == ScalarForm.Dynamic ? RiscVState.ModeOf(dynamic) : (RoundingMode)form;
        return form != ScalarForm.Dynamic || dynamic <= 4;
    }

    private static void Compute(ref CpuState state, in MicroOp op, ref FloatContext context)
    {
        switch (op.Code)
        {
            case OpCode.ScalarCompare:
                state.Registers[op.Destination] = Relates(state, op, ref context) ? 1ul : 0;
                break;
            case OpCode.ScalarMin or OpCode.ScalarMax:
                WriteBits(ref state, op.Size, op.Destination, Choose(state, op, ref context));
                break;
            case OpCode.ScalarToInteger:
                state.Registers[op.Destination] = ToInteger(state, op, ref context);
                break;
            case OpCode.ScalarFromInteger:
                Pack(ref state, op.Size, op.Destination, FromInteger(state.Registers[op.A], op), ref context);
                break;
            case OpCode.ScalarConvert:
                Pack(ref state, op.C, op.Destination, FloatConversion.Convert(Read(state, op.Size, op.A), ref context), ref context);
                break;
            default:
                Pack(ref state, op.Size, op.Destination, Arithmetic(state, op, ref context), ref context);
                break;
        }
    }

    private static FloatValue Arithmetic(in CpuState state, in MicroOp op, ref FloatContext context)
    {
        FloatValue a = Read(state, op.Size, op.A), b = Read(state, op.Size, op.B);
        switch (op.Code)
        {
            case OpCode.ScalarAdd: return FloatArithmetic.Add(a, b, ref context);
            case OpCode.ScalarSubtract: return FloatArithmetic.Subtract(a, b, ref context);
            case OpCode.ScalarMultiply: return FloatArithmetic.Multiply(a, b, ref context);
            case OpCode.ScalarDivide: return FloatArithmetic.Divide(a, b, ref context);
            case OpCode.ScalarSquareRoot: return FloatArithmetic.SquareRoot(a, ref context);
        }
        FloatValue addend = Read(state, op.Size, op.C);
        // The product is exact in 128 bits; a NaN that it is or the addend is has been made the default one.
        FloatValue product = FloatArithmetic.Multiply((op.Immediate & ScalarForm.NegateProduct) != 0 ? a.Negated() : a, b, ref context);
        return FloatArithmetic.Add(product, (op.Immediate & ScalarForm.NegateAddend) != 0 ? addend.Negated() : addend, ref context);
    }

    private static bool Relates(in CpuState state, in MicroOp op, ref FloatContext context)
    {
        int kind = ScalarForm.Kind(op.Immediate);
        FloatOrder order = FloatComparison.Compare(Read(state, op.Size, op.A), Read(state, op.Size, op.B), kind != ScalarForm.Equal, ref context);
        return (long)kind switch
        {
            ScalarForm.Equal => order == FloatOrder.Equal,
            ScalarForm.Less => order == FloatOrder.Less,
            _ => order is FloatOrder.Less or FloatOrder.Equal,
        };
    }

    /// <summary>A number before a NaN; -0 below +0.</summary>
    private static ulong Choose(in CpuState state, in MicroOp op, ref FloatContext context)
    {
        FloatValue a = Read(state, op.Size, op.A), b = Read(state, op.Size, op.B);
        FloatOrder order = FloatComparison.Compare(a, b, false, ref context);
        bool isMin = op.Code == OpCode.ScalarMin;
        if (a.IsNaN && b.IsNaN)
            return FloatRounding.Pack(Format(op.Size), FloatNaN.Default(context), ref context);
        bool takesFirst = order switch
        {
            FloatOrder.Unordered => b.IsNaN,
            FloatOrder.Equal => a.Sign == isMin,
            _ => order == FloatOrder.Less == isMin,
        };
        return ReadBits(state, op.Size, takesFirst ? op.A : op.B);
    }

    private static ulong ToInteger(in CpuState state, in MicroOp op, ref FloatContext context)
    {
        int bits = 8 << op.C;
        bool isUnsigned = (op.Immediate & ScalarForm.Unsigned) != 0;
        ulong value = FloatConversion.ToNearest(Read(state, op.Size, op.A), bits, isUnsigned, context.Rounding, ref context);
        return op.C == 2 ? (ulong)(int)value : value;
    }

    private static FloatValue FromInteger(ulong value, in MicroOp op)
    {
        bool isUnsigned = (op.Immediate & ScalarForm.Unsigned) != 0;
        if (op.C == 2)
            return isUnsigned ? FloatValue.FromUnsigned((uint)value) : FloatValue.FromInteger((int)value);
        return isUnsigned ? FloatValue.FromUnsigned(value) : FloatValue.FromInteger((long)value);
    }

    private static void InjectSign(ref CpuState state, in MicroOp op)
    {
        ulong sign = op.Size == (byte)LaneKind.Float64 ? 1ul << 63 : 1ul << 31;
        ulong a = ReadBits(state, op.Size, op.A), b = ReadBits(state, op.Size, op.B);
        ulong made = (long)ScalarForm.Kind(op.Immediate) switch
        {
            ScalarForm.CopySign => b,
            ScalarForm.NegateSign => ~b,
            _ => a ^ b,
        };
        WriteBits(ref state, op.Size, op.Destination, (a & ~sign) | (made & sign));
    }

    private static ulong Classify(in FloatValue value)
    {
        int fromZero = value.Class switch
        {
            FloatClass.Zero => 0,
            FloatClass.Finite => value.IsDenormal ? 1 : 2,
            FloatClass.Infinity => 3,
            FloatClass.SignalingNaN => 4,
            _ => 5,
        };
        return 1ul << (fromZero >= 4 || !value.Sign ? 4 + fromZero : 3 - fromZero);
    }

    // ---- registers -------------------------------------------------------------------------------------------------

    private static FloatFormat Format(int kind) => kind == (int)LaneKind.Float64 ? FloatFormat.Binary64 : FloatFormat.Binary32;

    private static uint Low(in CpuState state, int vector) => state.Vectors[vector].AsUInt32().GetElement(0);

    private static ulong ReadBits(in CpuState state, int kind, int vector)
    {
        ulong bits = state.Vectors[vector].AsUInt64().GetElement(0);
        if (kind == (int)LaneKind.Float64)
            return bits;
        return (bits & SingleBox) == SingleBox ? (uint)bits : CanonicalSingle;
    }

    private static FloatValue Read(in CpuState state, int kind, int vector) => FloatValue.Unpack(Format(kind), ReadBits(state, kind, vector));

    private static void Write(ref CpuState state, int vector, ulong bits) => state.Vectors[vector] = Vector128.CreateScalar(bits).AsByte();

    private static void WriteBits(ref CpuState state, int kind, int vector, ulong bits) =>
        Write(ref state, vector, kind == (int)LaneKind.Float64 ? bits : SingleBox | bits);

    private static void Pack(ref CpuState state, int kind, int vector, in FloatValue value, ref FloatContext context) =>
        WriteBits(ref state, kind, vector, FloatRounding.Pack(Format(kind), value, ref context));

    // ---- the control register --------------------------------------------------------------------------------------

    private const uint FlagBits = 0x1F;
    private const int RoundingShift = 5;

    private static ulong GetControl(in CpuState state, long part)
    {
        if (part is ScalarForm.Arm64Control or ScalarForm.Arm64Status)
            return part == ScalarForm.Arm64Control ? Arm64State.GetControl(state) : Arm64State.GetStatus(state);
        uint whole = RiscVState.GetControl(state);
        return part == ScalarForm.ControlFlags ? whole & FlagBits : part == ScalarForm.ControlRounding ? whole >> RoundingShift : whole;
    }

    private static void SetControl(ref CpuState state, long part, uint value)
    {
        if (part == ScalarForm.Arm64Control)
        {
            Arm64State.SetControl(ref state, value);
            return;
        }
        if (part == ScalarForm.Arm64Status)
        {
            Arm64State.SetStatus(ref state, value);
            return;
        }
        uint whole = RiscVState.GetControl(state);
        RiscVState.SetControl(ref state, part switch
        {
            ScalarForm.ControlFlags => (whole & ~FlagBits) | (value & FlagBits),
            ScalarForm.ControlRounding => (whole & FlagBits) | (value << RoundingShift),
            _ => value,
        });
    }
}
