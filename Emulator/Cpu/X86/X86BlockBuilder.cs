using Iced.Intel;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>Decodes a run of x86-64 instructions and lowers them to one block. Each thread has one, whose buffers serve all its blocks.</summary>
internal sealed class X86BlockBuilder
{
    /// <summary>Conditional jumps forward within a block: the way on is likely enough, and one block costs less than two.</summary>
    private const int MostSideExits = 4;

    [ThreadStatic]
    private static X86BlockBuilder? _ofThread;

    private readonly CodeBuffer _code = new();
    private readonly LoweredBlock _block = new();
    private readonly X86Emitter _emitter;
    private readonly Decoder _decoder;

    private X86BlockBuilder()
    {
        _emitter = new X86Emitter(_block);
        _decoder = Decoder.Create(64, _code);
    }

    private static X86BlockBuilder OfThread => _ofThread ??= new X86BlockBuilder();

    /// <summary>The block at an address from a cache, lowered and kept there when it is not in it; null when its first instruction is cut off by the end of <paramref name="code"/>.</summary>
    public static Block? FindOrLower(BlockCache cache, ulong pc, ReadOnlySpan<byte> code, int instructions = LoweredBlock.MostInstructions)
    {
        Block? block = cache.Find(pc, code);
        if (block is not null)
            return block;
        X86BlockBuilder builder = OfThread;
        builder._code.Begin(code);
        if (!builder.TryBuild(pc, instructions))
            return null;
        block = builder._block.ToBlock(builder._code.Bytes);
        cache.Add(block);
        return block;
    }

    /// <summary>
    /// The block at an address, of code before <paramref name="end"/>; null when not all of its first instruction can be fetched. Good
    /// until the thread lowers another.
    /// </summary>
    public static LoweredBlock? Lower(AddressSpace memory, ulong pc, ulong end)
    {
        X86BlockBuilder builder = OfThread;
        builder._code.Begin(memory, pc, end);
        bool isBuilt = builder.TryBuild(pc, LoweredBlock.MostInstructions);
        builder._code.End();
        return isBuilt ? builder._block : null;
    }

    private bool TryBuild(ulong pc, int instructions)
    {
        _block.Begin(pc);
        _decoder.IP = pc;
        bool isOpen = true;
        int sideExits = 0;
        while (isOpen && _block.InstructionCount < instructions)
        {
            _decoder.Decode(out Instruction instruction);
            if (instruction.IsInvalid && _decoder.LastError == DecoderError.NoMoreBytes)
                break;
            int first = _block.OpCount;
            _block.BeginInstruction(instruction.IP);
            isOpen = LowerOne(instruction) || IsSideExit(instruction, ref sideExits);
            // Hints too: every instruction has a micro-op.
            if (_block.OpCount == first)
                _emitter.Emit(new MicroOp { Code = OpCode.Nop });
            _block.EndInstruction(instruction.NextIP);
        }
        FlagUse.RemoveDead(_block.Ops.AsSpan(0, _block.OpCount));
        return _block.InstructionCount > 0;
    }

    private static bool IsSideExit(in Instruction instruction, ref int sideExits) =>
        instruction.IsJccShortOrNear && instruction.NearBranchTarget > instruction.IP && sideExits++ < MostSideExits;

    /// <summary>False when the instruction ends the block.</summary>
    private bool LowerOne(in Instruction instruction)
    {
        _emitter.Begin();
        if (instruction.IsInvalid || IsForbiddenLock(instruction))
            return Undefined();
        if (IntegerLowering.TryLower(_emitter, instruction, out bool endsBlock))
            return !endsBlock;
        if (SseLowering.TryLower(_emitter, instruction) || X87Lowering.TryLower(_emitter, instruction))
            return true;
        return Undefined();
    }

    private bool Undefined()
    {
        _emitter.Emit(new MicroOp { Code = OpCode.Trap, C = (byte)ExitReason.InvalidInstruction });
        return false;
    }

    /// <summary>LOCK needs a memory destination (SDM Vol. 2, LOCK); the decoder already refuses other instructions.</summary>
    private static bool IsForbiddenLock(in Instruction instruction) => instruction.HasLockPrefix && instruction.Op0Kind != OpKind.Memory;
}
