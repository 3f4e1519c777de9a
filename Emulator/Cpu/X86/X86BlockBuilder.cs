using Iced.Intel;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>Decodes a run of x86-64 instructions and lowers them to one block.</summary>
internal sealed class X86BlockBuilder
{
    private const int MostInstructions = 64;

    /// <summary>Conditional jumps forward within a block: the way on is likely enough, and one block costs less than two.</summary>
    private const int MostSideExits = 4;

    private readonly X86Emitter _emitter = new();
    private readonly List<InstructionStart> _starts = [];

    /// <summary>The block at an address; null when its first instruction is cut off by the end of <paramref name="code"/>.</summary>
    public static Block? Lower(ulong pc, ReadOnlySpan<byte> code, int instructions = MostInstructions) => new X86BlockBuilder().Build(pc, code, instructions);

    /// <summary>The block at an address from a cache, lowered and kept there when it is not in it; null as <see cref="Lower"/>.</summary>
    public static Block? FindOrLower(BlockCache cache, ulong pc, ReadOnlySpan<byte> code, int instructions = MostInstructions)
    {
        Block? block = cache.Find(pc, code);
        if (block is not null)
            return block;
        block = Lower(pc, code, instructions);
        if (block is not null)
            cache.Add(block);
        return block;
    }

    private Block? Build(ulong pc, ReadOnlySpan<byte> code, int instructions)
    {
        byte[] bytes = code.ToArray();
        Decoder decoder = Decoder.Create(64, bytes, pc);
        int length = 0;
        bool isOpen = true;
        int sideExits = 0;
        while (isOpen && _starts.Count < instructions)
        {
            decoder.Decode(out Instruction instruction);
            if (instruction.IsInvalid && decoder.LastError == DecoderError.NoMoreBytes)
                break;
            _starts.Add(new InstructionStart(_emitter.Count, instruction.IP));
            isOpen = LowerOne(instruction) || IsSideExit(instruction, ref sideExits);
            // Hints too: every instruction has a micro-op.
            if (_emitter.Count == _starts[^1].Op)
                _emitter.Emit(new MicroOp { Code = OpCode.Nop });
            length = (int)(instruction.NextIP - pc);
        }
        if (_starts.Count == 0)
            return null;
        MicroOp[] ops = _emitter.Take();
        FlagUse.RemoveDead(ops);
        return new Block(pc, bytes[..length], ops, [.. _starts]);
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
