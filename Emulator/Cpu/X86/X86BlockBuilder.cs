using Iced.Intel;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>x86-64, decoded by Iced.</summary>
internal sealed class X86BlockBuilder : BlockBuilder
{
    private readonly X86Emitter _emitter;
    private readonly Decoder _decoder;
    private Instruction _instruction;

    public X86BlockBuilder()
    {
        _emitter = new X86Emitter(Block);
        _decoder = Decoder.Create(64, Code);
    }

    protected override FlagMask Flags => FlagMask.All;

    protected override void BeginAt(ulong pc) => _decoder.IP = pc;

    protected override bool TryFetch()
    {
        _decoder.Decode(out _instruction);
        return !(_instruction.IsInvalid && _decoder.LastError == DecoderError.NoMoreBytes);
    }

    protected override bool LowerFetched(out ulong next)
    {
        next = _instruction.NextIP;
        return LowerOne(_instruction) || (_instruction.IsJccShortOrNear && IsSideExit(_instruction.IP, _instruction.NearBranchTarget));
    }

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
