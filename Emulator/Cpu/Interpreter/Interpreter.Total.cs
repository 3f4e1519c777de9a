using System.Buffers.Binary;
using System.Numerics;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Interpreter;

/// <summary>The integer operations of processors that load and store: total functions without flags.</summary>
public sealed partial class Interpreter
{
    private static ExitReason ExecuteTotal(ref CpuState state, in MicroOp op)
    {
        ulong a = state.Registers[op.A] & Alu.Mask(op.Size);
        ulong b = state.Registers[op.B] & Alu.Mask(op.Size);
        state.Registers[op.Destination] = Alu.Mask(op.Size) & op.Code switch
        {
            OpCode.MultiplyHigh => (ulong)((UInt128)a * b >> (8 << op.Size)),
            OpCode.MultiplyHighSigned => (ulong)((Int128)Alu.SignExtend(a, op.Size) * Alu.SignExtend(b, op.Size) >> (8 << op.Size)),
            OpCode.MultiplyHighSignedUnsigned => (ulong)((Int128)Alu.SignExtend(a, op.Size) * b >> (8 << op.Size)),
            OpCode.Quotient => b == 0 ? (ulong)op.Immediate : a / b,
            OpCode.Remainder => b == 0 ? a : a % b,
            OpCode.QuotientSigned => b == 0 ? (ulong)op.Immediate : Quotient(Alu.SignExtend(a, op.Size), Alu.SignExtend(b, op.Size)),
            OpCode.RemainderSigned => b == 0 ? a : Remainder(Alu.SignExtend(a, op.Size), Alu.SignExtend(b, op.Size)),
            OpCode.AndNot => a & ~b,
            OpCode.LeadingZeros => (ulong)(BitOperations.LeadingZeroCount(a) - 64 + (8 << op.Size)),
            OpCode.ReverseBits => ReverseBits(a) >> (64 - (8 << op.Size)),
            OpCode.TrailingZeros => (ulong)Math.Min(BitOperations.TrailingZeroCount(a), 8 << op.Size),
            _ => throw Unknown(op),
        };
        return ExitReason.Budget;
    }

    private static ulong ReverseBits(ulong value)
    {
        value = ((value >> 1) & 0x5555_5555_5555_5555) | ((value & 0x5555_5555_5555_5555) << 1);
        value = ((value >> 2) & 0x3333_3333_3333_3333) | ((value & 0x3333_3333_3333_3333) << 2);
        value = ((value >> 4) & 0x0F0F_0F0F_0F0F_0F0F) | ((value & 0x0F0F_0F0F_0F0F_0F0F) << 4);
        return BinaryPrimitives.ReverseEndianness(value);
    }

    // The host traps where the most negative number is divided by -1.
    private static ulong Quotient(long a, long b) => b == -1 ? 0 - (ulong)a : (ulong)(a / b);

    private static ulong Remainder(long a, long b) => b == -1 ? 0 : (ulong)(a % b);
}
