using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Blocks;

/// <summary>Where a guest instruction begins in a block: its micro-op and its address.</summary>
public readonly record struct InstructionStart(int Op, ulong Pc);

/// <summary>A run of guest instructions with one entry, lowered; conditional jumps within it lead out. Immutable, shared by all worlds.</summary>
public sealed class Block(ulong pc, byte[] code, MicroOp[] ops, InstructionStart[] instructions)
{
    public ulong Pc { get; } = pc;

    /// <summary>The guest bytes it was made of.</summary>
    public byte[] Code { get; } = code;

    public MicroOp[] Ops { get; } = ops;

    public InstructionStart[] Instructions { get; } = instructions;

    public ulong End => Pc + (ulong)Code.Length;

    /// <summary>The index of the instruction that a micro-op belongs to.</summary>
    public int InstructionOf(int op)
    {
        int low = 0, high = Instructions.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (Instructions[middle].Op <= op)
                low = middle;
            else
                high = middle - 1;
        }
        return low;
    }
}
