using Vivarium.Emulator.Cpu.Arm64.Simd;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>AArch64: Armv8.0 with the CRC32 and LSE extensions (Arm Architecture Reference Manual, DDI 0487).</summary>
/// <param name="ignoresTags">The code is the interpreter's.</param>
internal sealed class Arm64BlockBuilder : BlockBuilder
{
    private const int Length = 4;

    private readonly Arm64Emitter _emitter;
    private ulong _pc;
    private int _length;
    private uint _word;

    public Arm64BlockBuilder(bool ignoresTags) => _emitter = new Arm64Emitter(Block, ignoresTags);

    protected override FlagMask Flags => FlagMask.Carry | FlagMask.Zero | FlagMask.Sign | FlagMask.Overflow;

    protected override void BeginAt(ulong pc)
    {
        (_pc, _length) = (pc, 0);
        _emitter.BeginBlock();
    }

    protected override bool TryFetch()
    {
        _pc += (ulong)_length;
        _length = Length;
        int low = Code.ReadHalf(), high = low < 0 ? -1 : Code.ReadHalf();
        _word = (uint)low | ((uint)high << 16);
        return high >= 0;
    }

    protected override bool LowerFetched(out ulong next)
    {
        next = _pc + Length;
        _emitter.Begin(_pc, next);
        if ((_pc & (Length - 1)) != 0)
            return Trap(ExitReason.Misaligned);
        var word = new Arm64Word(_word);
        if (IsBranchOrSystem(_word))
        {
            if (ControlLowering.TryLower(_emitter, word, out ControlFlow flow))
                return flow == ControlFlow.Goes || (flow == ControlFlow.Branches && IsSideExit(_pc, ControlLowering.TargetOf(_emitter, word)));
        }
        else if (TryLower(word))
            return true;
        return Trap(ExitReason.InvalidInstruction);
    }

    private static bool IsBranchOrSystem(uint word) => ((word >> 26) & 7) == 5;

    /// <summary>The encoding groups by op0, bits 28:25 (C4.1).</summary>
    private bool TryLower(Arm64Word word) => word.Field(25, 4) switch
    {
        8 or 9 => ImmediateLowering.TryLower(_emitter, word),
        5 or 13 => RegisterLowering.TryLower(_emitter, word),
        4 or 6 or 12 or 14 when word.IsVector => SimdLowering.TryLower(_emitter, word.Bits),
        4 or 6 or 12 or 14 => MemoryLowering.TryLower(_emitter, word),
        7 or 15 => SimdLowering.TryLower(_emitter, word.Bits),
        _ => false,
    };

    private bool Trap(ExitReason reason)
    {
        _emitter.Emit(new MicroOp { Code = OpCode.Trap, C = (byte)reason });
        return false;
    }
}
