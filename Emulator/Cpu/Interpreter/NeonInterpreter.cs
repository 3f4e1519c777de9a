using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Executes the micro-ops of AArch64's vectors (Arm ARM, C7.2): lanes of integers here, the rest in the files beside it.</summary>
internal static class NeonInterpreter
{
    public static ExitReason Execute(ref CpuState state, in MicroOp op)
    {
        if (op.Code >= OpCode.NeonFloat)
            NeonFloat.Execute(ref state, op);
        else if (op.Code >= OpCode.NeonPermute)
            Move(ref state, op);
        else
            ComputeIntegers(ref state, op);
        return ExitReason.Budget;
    }

    private static void ComputeIntegers(ref CpuState state, in MicroOp op)
    {
        bool isSaturated = false;
        Vector128<byte> a = state.Vectors[op.A], b = state.Vectors[op.B], c = state.Vectors[op.C];
        state.Vectors[op.Destination] = op.Code switch
        {
            OpCode.NeonLanes => Each(op, a, b, c, ref isSaturated),
            OpCode.NeonWiden => Widen(op, a, b, c, ref isSaturated),
            OpCode.NeonNarrow => Narrow(op, a, b, c, ref isSaturated),
            OpCode.NeonPairs => Pairs(op, a, b, c),
            _ => Across(op, a),
        };
        if (isSaturated)
            state.Registers[Arm64State.StatusSlot] |= Arm64State.Saturated;
    }

    private static void Move(ref CpuState state, in MicroOp op)
    {
        Vector128<byte> a = state.Vectors[op.A & 63], b = state.Vectors[op.B & 63], c = state.Vectors[op.C & 63];
        int count = NeonForm.Count(op.Immediate);
        state.Vectors[op.Destination] = op.Code switch
        {
            OpCode.NeonPermute => NeonPermutation.Permute(op, a, b),
            OpCode.NeonTable => NeonPermutation.LookUp(state, op, b, c),
            OpCode.NeonDuplicate => Duplicate(op.Size, count, Lane(a, op.Size, NeonForm.Amount(op.Immediate))),
            OpCode.NeonDuplicateInteger => Duplicate(op.Size, count, state.Registers[op.A]),
            OpCode.NeonImmediate => Vector128.Create((ulong)op.Immediate, op.C != 0 ? (ulong)op.Immediate : 0).AsByte(),
            OpCode.NeonTruncate => Truncate(a, op.Size),
            OpCode.NeonSelectBits => Vector128.ConditionalSelect(c, a, b),
            OpCode.NeonSelect => Truncate(Alu.Holds((Condition)op.C, state.Flags) ? a : b, op.Size),
            _ => NeonCiphers.Compute((NeonCipher)op.Immediate, a, b, c),
        };
    }

    private static Vector128<byte> Truncate(Vector128<byte> value, int size) =>
        size >= 4 ? value : Vector128.CreateScalar(Lane(value, size, 0)).AsByte();

    private static Vector128<byte> Duplicate(int size, int count, ulong value)
    {
        Vector128<byte> result = default;
        for (int i = 0; i < count; i++)
            result = WithLane(result, size, i, value);
        return result;
    }

    // ---- lanes -----------------------------------------------------------------------------------------------------

    public static ulong Lane(Vector128<byte> value, int size, int lane) => size switch
    {
        0 => value.GetElement(lane),
        1 => value.AsUInt16().GetElement(lane),
        2 => value.AsUInt32().GetElement(lane),
        _ => value.AsUInt64().GetElement(lane),
    };

    public static Vector128<byte> WithLane(Vector128<byte> into, int size, int lane, ulong value) => size switch
    {
        0 => into.WithElement(lane, (byte)value),
        1 => into.AsUInt16().WithElement(lane, (ushort)value).AsByte(),
        2 => into.AsUInt32().WithElement(lane, (uint)value).AsByte(),
        _ => into.AsUInt64().WithElement(lane, value).AsByte(),
    };

    private static Int128 Integer(Vector128<byte> value, int size, int lane, bool isUnsigned)
    {
        ulong bits = Lane(value, size, lane);
        return isUnsigned ? bits : Alu.SignExtend(bits, size);
    }

    private static Vector128<byte> Each(in MicroOp op, Vector128<byte> a, Vector128<byte> b, Vector128<byte> c, ref bool isSaturated)
    {
        bool isUnsigned = NeonForm.Has(op.Immediate, NeonForm.Unsigned);
        bool isOther = NeonForm.Operation(op.Immediate) == NeonOperation.AddMixed ? !isUnsigned : isUnsigned;
        int size = op.Size, count = NeonForm.Count(op.Immediate);
        Vector128<byte> result = default;
        for (int i = 0; i < count; i++)
        {
            Int128 value = NeonIntegers.Compute(op.Immediate, 8 << size, Integer(a, size, i, isOther), Integer(b, size, i, isUnsigned), Integer(c, size, i, isUnsigned), ref isSaturated);
            result = WithLane(result, size, i, (ulong)value);
        }
        return result;
    }

    private static Vector128<byte> Widen(in MicroOp op, Vector128<byte> a, Vector128<byte> b, Vector128<byte> c, ref bool isSaturated)
    {
        bool isUnsigned = NeonForm.Has(op.Immediate, NeonForm.Unsigned), isWide = NeonForm.Has(op.Immediate, NeonForm.Wide);
        int size = op.Size, count = NeonForm.Count(op.Immediate);
        int from = NeonForm.Has(op.Immediate, NeonForm.Upper) ? 8 >> size : 0;
        if (size == 3)
            return NeonIntegers.MultiplyPolynomial(Lane(a, 3, from), Lane(b, 3, from));
        Vector128<byte> result = default;
        for (int i = 0; i < count; i++)
        {
            Int128 left = isWide ? Integer(a, size + 1, i, isUnsigned) : Integer(a, size, from + i, isUnsigned);
            Int128 value = NeonIntegers.Compute(op.Immediate, 16 << size, left, Integer(b, size, from + i, isUnsigned), Integer(c, size + 1, i, isUnsigned), ref isSaturated);
            result = WithLane(result, size + 1, i, (ulong)value);
        }
        return result;
    }

    private static Vector128<byte> Narrow(in MicroOp op, Vector128<byte> a, Vector128<byte> b, Vector128<byte> c, ref bool isSaturated)
    {
        bool isUnsigned = NeonForm.Has(op.Immediate, NeonForm.Unsigned);
        int size = op.Size, count = NeonForm.Count(op.Immediate), wide = size + 1;
        int to = NeonForm.Has(op.Immediate, NeonForm.Upper) ? 8 >> size : 0;
        Vector128<byte> result = to == 0 ? default : Vector128.CreateScalar(Lane(c, 3, 0)).AsByte();
        for (int i = 0; i < count; i++)
        {
            Int128 value = Integer(a, wide, i, isUnsigned), other = Integer(b, wide, i, isUnsigned);
            value = NeonForm.Operation(op.Immediate) switch
            {
                NeonOperation.Add => value + other,
                NeonOperation.Subtract => value - other,
                _ => value,
            };
            value = NeonIntegers.ShiftRight(value, NeonForm.Amount(op.Immediate), NeonForm.Has(op.Immediate, NeonForm.Round));
            if (NeonForm.Has(op.Immediate, NeonForm.Saturate))
                value = NeonIntegers.Saturate(value, 8 << size, isUnsigned || NeonForm.Has(op.Immediate, NeonForm.ToUnsigned), ref isSaturated);
            result = WithLane(result, size, to + i, (ulong)value);
        }
        return result;
    }

    private static Vector128<byte> Pairs(in MicroOp op, Vector128<byte> a, Vector128<byte> b, Vector128<byte> c)
    {
        bool isUnsigned = NeonForm.Has(op.Immediate, NeonForm.Unsigned), isSaturated = false;
        NeonOperation operation = NeonForm.Operation(op.Immediate);
        bool isLong = operation is NeonOperation.AddLong or NeonOperation.AddLongAccumulate;
        int size = op.Size, count = NeonForm.Count(op.Immediate), ofA = isLong ? count : count / 2;
        Vector128<byte> result = default;
        for (int i = 0; i < count; i++)
        {
            Vector128<byte> from = i < ofA ? a : b;
            int pair = 2 * (i < ofA ? i : i - ofA);
            Int128 first = Integer(from, size, pair, isUnsigned), second = Integer(from, size, pair + 1, isUnsigned);
            if (isLong)
                result = WithLane(result, size + 1, i, (ulong)(first + second + (operation == NeonOperation.AddLong ? 0 : Lane(c, size + 1, i))));
            else
                result = WithLane(result, size, i, (ulong)NeonIntegers.Compute(op.Immediate, 8 << size, first, second, 0, ref isSaturated));
        }
        return result;
    }

    /// <summary>The count is that of A's lanes; a long sum is twice as wide.</summary>
    private static Vector128<byte> Across(in MicroOp op, Vector128<byte> a)
    {
        bool isUnsigned = NeonForm.Has(op.Immediate, NeonForm.Unsigned), isLong = NeonForm.Operation(op.Immediate) == NeonOperation.AddLong, isSaturated = false;
        int size = op.Size, count = NeonForm.Count(op.Immediate);
        Int128 result = Integer(a, size, 0, isUnsigned);
        for (int i = 1; i < count; i++)
        {
            Int128 lane = Integer(a, size, i, isUnsigned);
            result = isLong ? result + lane : NeonIntegers.Compute(op.Immediate, 8 << size, result, lane, 0, ref isSaturated);
        }
        return WithLane(default, isLong ? size + 1 : size, 0, (ulong)result);
    }
}
