using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.RiscV;

/// <summary>RV64GC with Zba, Zbb and Zbs.</summary>
internal sealed class RiscVBlockBuilder : BlockBuilder
{
    private const int CompressedLength = 2;

    private readonly RiscVEmitter _emitter;
    private ulong _pc;
    private int _length;
    private uint _word;

    public RiscVBlockBuilder() => _emitter = new RiscVEmitter(Block);

    protected override FlagMask Flags => FlagMask.None;

    protected override bool EndsAtLoops => true;

    protected override void BeginAt(ulong pc) => (_pc, _length) = (pc, 0);

    protected override bool TryFetch()
    {
        _pc += (ulong)_length;
        int low = Code.ReadHalf();
        if (low < 0)
            return false;
        if ((low & 3) != 3)
        {
            (_word, _length) = (RiscVCompressed.Expand((uint)low), CompressedLength);
            return true;
        }
        int high = Code.ReadHalf();
        (_word, _length) = ((uint)low | ((uint)high << 16), 4);
        return high >= 0;
    }

    protected override bool LowerFetched(out ulong next)
    {
        next = _pc + (ulong)_length;
        _emitter.Begin(_pc, next);
        var word = new RiscVWord(_word);
        RiscVOpcode opcode = RiscVEncodings.Decode(_word);
        if (ControlLowering.TryLower(_emitter, opcode, word, out bool endsBlock))
            return !endsBlock || (ControlLowering.IsBranch(opcode) && IsSideExit(_pc, _pc + (ulong)(long)word.ImmediateB));
        if (IntegerLowering.TryLower(_emitter, opcode, word) || BitLowering.TryLower(_emitter, opcode, word)
            || AtomicLowering.TryLower(_emitter, opcode, word) || FloatLowering.TryLower(_emitter, opcode, word))
            return true;
        _emitter.Emit(new MicroOp { Code = OpCode.Trap, C = (byte)ExitReason.InvalidInstruction });
        return false;
    }
}
