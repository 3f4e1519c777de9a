using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.RiscV;
using Vivarium.Emulator.Cpu.X86;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.Blocks;

/// <summary>
/// Decodes a run of a guest's instructions and lowers them to one block: one for each architecture, and each thread has its own,
/// whose buffers serve all its blocks.
/// </summary>
internal abstract class BlockBuilder
{
    /// <summary>Conditional jumps forward within a block: the way on is likely enough, and one block costs less than two.</summary>
    private const int MostSideExits = 4;

    [ThreadStatic]
    private static BlockBuilder?[]? _ofThread;

    private int _sideExits;

    protected CodeBuffer Code { get; } = new();

    protected LoweredBlock Block { get; } = new();

    /// <summary>The thread's builder for a mode.</summary>
    public static BlockBuilder Of(ExecutionMode mode)
    {
        BlockBuilder?[] builders = _ofThread ??= new BlockBuilder?[ExecutionMode.Count];
        return builders[mode.Key] ??= mode.Architecture switch
        {
            Architecture.X64 => new X86BlockBuilder(),
            Architecture.RiscV64 => new RiscVBlockBuilder(),
            Architecture.Arm64 => new Arm64BlockBuilder(ignoresTags: mode.Variant == ExecutionMode.Interpreted),
            _ => throw new NotSupportedException($"no lowering of {mode.Architecture}"),
        };
    }

    /// <summary>The arithmetic flags that the architecture has: what a block must leave in them.</summary>
    protected abstract FlagMask Flags { get; }

    /// <summary>Whether a loop that begins within a block begins one of its own, so that all its rounds are in that.</summary>
    protected virtual bool EndsAtLoops => false;

    /// <summary>The block at an address from a cache, lowered and kept there when it is not in it; null when its first instruction is cut off by the end of <paramref name="code"/>.</summary>
    public Block? FindOrLower(BlockCache cache, ExecutionMode mode, ulong pc, ReadOnlySpan<byte> code, int instructions = LoweredBlock.MostInstructions)
    {
        Block? block = cache.Find(mode, pc, code);
        if (block is not null)
            return block;
        Code.Begin(code);
        if (!TryBuild(pc, instructions))
            return null;
        block = Block.ToBlock(Code.Bytes);
        cache.Add(mode, block);
        return block;
    }

    /// <summary>
    /// The block at an address, of code before <paramref name="end"/>; null when not all of its first instruction can be fetched. Good
    /// until the thread lowers another.
    /// </summary>
    public LoweredBlock? Lower(AddressSpace memory, ulong pc, ulong end)
    {
        Code.Begin(memory, pc, end);
        bool isBuilt = TryBuild(pc, LoweredBlock.MostInstructions);
        Code.End();
        return isBuilt ? Block : null;
    }

    private bool TryBuild(ulong pc, int instructions)
    {
        Block.Begin(pc, Flags);
        _sideExits = 0;
        BeginAt(pc);
        bool isOpen = true;
        while (isOpen && Block.InstructionCount < instructions)
        {
            if (!TryFetch())
                break;
            int first = Block.OpCount;
            Block.BeginInstruction(pc);
            isOpen = LowerFetched(out pc);
            // Hints too: every instruction has a micro-op.
            if (Block.OpCount == first)
                Block.Add(new MicroOp { Code = OpCode.Nop });
            Block.EndInstruction(pc);
        }
        if (!isOpen && EndsAtLoops)
            Block.EndAtLoop();
        Block.FindLiveFlags();
        return Block.InstructionCount > 0;
    }

    /// <summary>Whether a conditional jump may stay within the block.</summary>
    protected bool IsSideExit(ulong pc, ulong target) => target > pc && _sideExits++ < MostSideExits;

    /// <summary>The instructions that follow are at an address.</summary>
    protected abstract void BeginAt(ulong pc);

    /// <summary>Reads the next instruction; false when not all of it can be fetched.</summary>
    protected abstract bool TryFetch();

    /// <summary>Lowers what was read, which ends at <paramref name="next"/>. False when it ends the block.</summary>
    protected abstract bool LowerFetched(out ulong next);
}
