using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>What an instruction does to the flow of control.</summary>
internal enum ControlFlow
{
    Goes,

    /// <summary>Perhaps elsewhere, to a place that the instruction names.</summary>
    Branches,
    Ends,
}

/// <summary>Branches and exception generation (Arm ARM, C4.1.93).</summary>
internal static class ControlLowering
{
    public static bool TryLower(Arm64Emitter emitter, Arm64Word word, out ControlFlow flow)
    {
        flow = ControlFlow.Ends;
        switch (word.Field(29, 3))
        {
            case 0 or 4:
                if (word.Bit(31))
                    emitter.SetImmediate(Arm64State.LinkRegister, emitter.Next);
                Jump(emitter, TargetOf(emitter, word));
                return true;
            case 1 or 5:
                flow = ControlFlow.Branches;
                if (word.Bit(25))
                    TestAndBranch(emitter, word);
                else
                    CompareAndBranch(emitter, word);
                return true;
            case 2 when word.Field(24, 2) == 0 && !word.Bit(4):
                flow = Conditional(emitter, word);
                return true;
            case 6 when word.Field(24, 2) == 0:
                return TryException(emitter, word);
            case 6 when word.Field(22, 4) == 4:
                flow = ControlFlow.Goes;
                return SystemLowering.TryLower(emitter, word);
            case 6 when word.Bit(25):
                return TryRegister(emitter, word);
            default:
                return false;
        }
    }

    /// <summary>Where a direct branch goes to.</summary>
    public static ulong TargetOf(Arm64Emitter emitter, Arm64Word word)
    {
        int words = word.Field(29, 2) == 0 ? word.SignedField(0, 26)
            : word.Field(29, 2) == 1 && word.Bit(25) ? word.SignedField(5, 14)
            : word.SignedField(5, 19);
        return emitter.Pc + (ulong)(words * 4L);
    }

    private static void Jump(Arm64Emitter emitter, ulong target) => emitter.Emit(OpCode.Jump, 3, 0, 0, immediate: (long)target);

    private static ControlFlow Conditional(Arm64Emitter emitter, Arm64Word word)
    {
        ulong target = TargetOf(emitter, word);
        if (Arm64Emitter.ConditionOf(word.Field(0, 4)) is not { } condition)
        {
            Jump(emitter, target);
            return ControlFlow.Ends;
        }
        emitter.Emit(OpCode.Branch, 3, 0, 0, immediate: (long)target, c: (byte)condition);
        return ControlFlow.Branches;
    }

    /// <summary>CBZ, CBNZ.</summary>
    private static void CompareAndBranch(Arm64Emitter emitter, Arm64Word word) =>
        emitter.Emit(word.Bit(24) ? OpCode.BranchIfNotZero : OpCode.BranchIfZero, word.Size, 0, emitter.Read(word.Rt), immediate: (long)TargetOf(emitter, word));

    /// <summary>TBZ, TBNZ.</summary>
    private static void TestAndBranch(Arm64Emitter emitter, Arm64Word word)
    {
        byte bit = (byte)((word.Field(31, 1) << 5) | word.Field(19, 5));
        emitter.Emit(word.Bit(24) ? OpCode.BranchIfBitSet : OpCode.BranchIfBitClear, 3, 0, emitter.Read(word.Rt), immediate: (long)TargetOf(emitter, word), c: bit);
    }

    /// <summary>BR, BLR, RET.</summary>
    private static bool TryRegister(Arm64Emitter emitter, Arm64Word word)
    {
        const uint fixedBits = 0xFF9F_FC1F, pattern = 0xD61F_0000;
        uint operation = word.Field(21, 2);
        if ((word.Bits & fixedBits & ~(3u << 21)) != (pattern & ~(3u << 21)) || operation == 3)
            return false;
        byte target = emitter.Read(word.Rn);
        if (operation == 1)
        {
            if (word.Rn == Arm64State.LinkRegister)
                target = emitter.Compute(OpCode.Move, 3, target);
            emitter.SetImmediate(Arm64State.LinkRegister, emitter.Next);
        }
        emitter.Emit(OpCode.JumpRegister, 3, 0, target, c: (byte)operation);
        return true;
    }

    /// <summary>SVC and BRK; HVC, SMC and HLT are undefined to programs.</summary>
    private static bool TryException(Arm64Emitter emitter, Arm64Word word)
    {
        const uint mask = 0xFFE0_001F, supervisorCall = 0xD400_0001, breakpoint = 0xD420_0000;
        switch (word.Bits & mask)
        {
            case supervisorCall:
                emitter.Emit(new MicroOp { Code = OpCode.SystemCall });
                return true;
            case breakpoint:
                emitter.Emit(new MicroOp { Code = OpCode.Trap, C = (byte)ExitReason.Breakpoint });
                return true;
            default:
                return false;
        }
    }
}
