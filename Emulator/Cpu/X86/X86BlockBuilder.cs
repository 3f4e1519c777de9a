using Iced.Intel;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>x86-64, decoded by Iced.</summary>
internal sealed class X86BlockBuilder : BlockBuilder
{
    /// <summary>No <see cref="Code"/> is as large.</summary>
    internal const int Codes = 1 << 13;

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
        ref byte family = ref _families[(int)instruction.Code];
        bool endsBlock = false;
        if (family != 0 && TryLower((Family)family, instruction, out endsBlock))
            return !endsBlock;
        for (Family other = Family.Arithmetic; other <= Family.X87; other++)
        {
            if (!TryLower(other, instruction, out endsBlock))
                continue;
            family = (byte)other;
            return !endsBlock;
        }
        return Undefined();
    }

    /// <summary>In the order in which they are asked for an instruction that was not met before.</summary>
    private enum Family : byte
    {
        None,
        Arithmetic,
        Move,
        Shift,
        Bits,
        Control,
        String,
        System,
        Sse,
        X87,
    }

    /// <summary>The family of each <see cref="Code"/> that was met: it is asked first.</summary>
    private readonly byte[] _families = new byte[Codes];

    private bool TryLower(Family family, in Instruction instruction, out bool endsBlock)
    {
        endsBlock = false;
        return family switch
        {
            Family.Arithmetic => IntegerLowering.TryLowerArithmetic(_emitter, instruction),
            Family.Move => IntegerLowering.TryLowerMove(_emitter, instruction),
            Family.Shift => IntegerLowering.TryLowerShift(_emitter, instruction),
            Family.Bits => IntegerLowering.TryLowerBits(_emitter, instruction),
            Family.Control => IntegerLowering.TryLowerControl(_emitter, instruction, out endsBlock),
            Family.String => IntegerLowering.TryLowerString(_emitter, instruction, out endsBlock),
            Family.System => IntegerLowering.TryLowerSystem(_emitter, instruction, out endsBlock),
            Family.Sse => SseLowering.TryLower(_emitter, instruction),
            _ => X87Lowering.TryLower(_emitter, instruction),
        };
    }

    private bool Undefined()
    {
        _emitter.Emit(new MicroOp { Code = OpCode.Trap, C = (byte)ExitReason.InvalidInstruction });
        return false;
    }

    /// <summary>LOCK needs a memory destination (SDM Vol. 2, LOCK); the decoder already refuses other instructions.</summary>
    private static bool IsForbiddenLock(in Instruction instruction) => instruction.HasLockPrefix && instruction.Op0Kind != OpKind.Memory;
}
