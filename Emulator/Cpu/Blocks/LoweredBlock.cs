using System.Runtime.CompilerServices;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Blocks;

/// <summary>A block that was just lowered, in arrays that the next one will use: they are longer than what is in them.</summary>
internal sealed class LoweredBlock
{
    public ulong Pc { get; private set; }

    /// <summary>Guest bytes.</summary>
    public int Length { get; private set; }

    public ulong End => Pc + (ulong)Length;

    /// <summary>The arithmetic flags that are read behind it, and by whatever an instruction may exit to.</summary>
    public FlagMask Flags { get; private set; }

    public MicroOp[] Ops { get; private set; } = new MicroOp[256];

    public int OpCount { get; private set; }

    /// <summary>The flags that something reads behind each micro-op; a possible fault or exit reads all.</summary>
    public FlagMask[] LiveFlags { get; private set; } = [];

    public InstructionStart[] Instructions { get; } = new InstructionStart[MostInstructions];

    public int InstructionCount { get; private set; }

    /// <summary>The most instructions of a block.</summary>
    public const int MostInstructions = 64;

    public void Begin(ulong pc, FlagMask flags) => (Pc, Flags, Length, OpCount, InstructionCount) = (pc, flags, 0, 0, 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(in MicroOp op)
    {
        int at = OpCount;
        if (at == Ops.Length)
            Grow();
        Ops[at] = op;
        OpCount = at + 1;
    }

    private void Grow()
    {
        MicroOp[] longer = new MicroOp[2 * OpCount];
        Ops.CopyTo(longer, 0);
        Ops = longer;
    }

    /// <summary>Other micro-ops for the same instructions, whose starts the caller sets; returns the array of the old ones.</summary>
    public MicroOp[] ExchangeOps(MicroOp[] ops, int count)
    {
        MicroOp[] old = Ops;
        (Ops, OpCount) = (ops, count);
        return old;
    }

    /// <summary>The next micro-op is the first of an instruction.</summary>
    public void BeginInstruction(ulong pc) => Instructions[InstructionCount++] = new InstructionStart(OpCount, pc);

    /// <summary>The instruction is complete; the next one is at an address.</summary>
    public void EndInstruction(ulong next) => Length = (int)(next - Pc);

    /// <summary>When the last instruction jumps to one behind the first, the block ends in front of that.</summary>
    public void EndAtLoop()
    {
        MicroOp last = Ops[OpCount - 1];
        if (last.Code is not (OpCode.Branch or OpCode.Jump))
            return;
        for (int at = 1; at < InstructionCount; at++)
        {
            if (Instructions[at].Pc != (ulong)last.Immediate)
                continue;
            (OpCount, InstructionCount, Length) = (Instructions[at].Op, at, (int)(Instructions[at].Pc - Pc));
            return;
        }
    }

    /// <summary>Removes flags that nothing reads, and finds those that something does, anew whenever the micro-ops change.</summary>
    public void FindLiveFlags()
    {
        if (LiveFlags.Length < OpCount)
            LiveFlags = new FlagMask[Ops.Length];
        FlagUse.RemoveDead(Ops.AsSpan(0, OpCount), LiveFlags, Flags);
    }

    /// <summary>A copy to keep.</summary>
    public Block ToBlock(ReadOnlySpan<byte> code) =>
        new(Pc, code[..Length].ToArray(), Ops.AsSpan(0, OpCount).ToArray(), Instructions.AsSpan(0, InstructionCount).ToArray());
}
