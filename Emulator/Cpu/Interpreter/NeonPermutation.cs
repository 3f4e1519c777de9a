using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>Lanes in another order: ZIP, UZP, TRN, REV, EXT, TBL, TBX.</summary>
internal static class NeonPermutation
{
    public static Vector128<byte> Permute(in MicroOp op, Vector128<byte> a, Vector128<byte> b)
    {
        int size = op.Size, count = NeonForm.Count(op.Immediate), amount = NeonForm.Amount(op.Immediate);
        NeonOperation operation = NeonForm.Operation(op.Immediate);
        Vector128<byte> result = default;
        for (int i = 0; i < count; i++)
        {
            int from = Source(operation, i, count, size, amount);
            ulong lane = from < count ? NeonInterpreter.Lane(a, size, from) : NeonInterpreter.Lane(b, size, from - count);
            result = NeonInterpreter.WithLane(result, size, i, lane);
        }
        return result;
    }

    /// <summary>Where lane i comes from: so many of A, then those of B.</summary>
    private static int Source(NeonOperation operation, int i, int count, int size, int amount) => operation switch
    {
        NeonOperation.InterleaveLow => (i >> 1) + ((i & 1) * count),
        NeonOperation.InterleaveHigh => (count / 2) + (i >> 1) + ((i & 1) * count),
        NeonOperation.Even => 2 * i,
        NeonOperation.Odd => (2 * i) + 1,
        NeonOperation.TransposeEven => (i & ~1) + ((i & 1) * count),
        NeonOperation.TransposeOdd => (i | 1) + ((i & 1) * count),
        NeonOperation.Reverse => i ^ ((1 << (amount - size)) - 1),
        _ => i + amount,
    };

    public static Vector128<byte> LookUp(in CpuState state, in MicroOp op, Vector128<byte> indices, Vector128<byte> otherwise)
    {
        int vectors = (int)(op.Immediate >> 32) & 0xFF, count = (int)(op.Immediate >> 48) & 0xFF;
        bool keeps = ((op.Immediate >> 40) & 0xFF) != 0;
        Vector128<byte> result = default;
        for (int i = 0; i < count; i++)
        {
            int index = indices.GetElement(i), vector = (int)(op.Immediate >> (8 * (index >> 4 & 3))) & 63;
            byte value = index < 16 * vectors ? state.Vectors[vector].GetElement(index & 15) : keeps ? otherwise.GetElement(i) : (byte)0;
            result = result.WithElement(i, value);
        }
        return result;
    }
}
