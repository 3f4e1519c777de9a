using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>Conditional comparisons and selections (Arm ARM, C4.1.94).</summary>
internal static class ConditionalLowering
{
    /// <summary>CCMN, CCMP: the flags of the comparison when the condition holds, else those of the instruction.</summary>
    public static bool TryCompare(Arm64Emitter emitter, Arm64Word word)
    {
        if (!word.Bit(29) || word.Bit(10) || word.Bit(4))
            return false;
        byte first = emitter.Read(word.Rn);
        byte second = word.Bit(11) ? emitter.Constant(word.Rm) : emitter.Read(word.Rm);
        bool subtracts = word.Bit(30);
        if (Arm64Emitter.ConditionOf(word.Field(12, 4)) is { } condition)
        {
            emitter.EmitFlags(subtracts ? OpCode.SubtractIf : OpCode.AddIf, word.Size, MicroOp.Discard, first, second, (long)Arm64State.HostFlags(word.Field(0, 4)), (byte)condition);
            return true;
        }
        emitter.EmitFlags(subtracts ? OpCode.Subtract : OpCode.Add, word.Size, MicroOp.Discard, first, second);
        if (!subtracts)
            emitter.ComplementCarry();
        return true;
    }

    /// <summary>CSEL, CSINC, CSINV, CSNEG.</summary>
    public static bool TrySelect(Arm64Emitter emitter, Arm64Word word)
    {
        if (word.Bit(29) || word.Bit(11))
            return false;
        if (word.Rd == 31)
            return true;
        bool inverts = word.Bit(30), increments = word.Bit(10);
        if (Arm64Emitter.ConditionOf(word.Field(12, 4)) is not { } condition)
            emitter.Move(word.Size, word.Rd, emitter.Read(word.Rn));
        else if (word.Rn == 31 && word.Rm == 31 && inverts != increments)
            SetCondition(emitter, word, condition, increments);
        else
            Select(emitter, word, condition, inverts, increments);
        return true;
    }

    /// <summary>CSET is 1, CSETM all ones where the condition does not hold, as it is encoded.</summary>
    private static void SetCondition(Arm64Emitter emitter, Arm64Word word, Condition condition, bool isOne)
    {
        if (isOne)
        {
            emitter.Emit(OpCode.SetCondition, 3, word.Rd, 0, c: (byte)Arm64Emitter.Inverse(condition));
            return;
        }
        byte holds = emitter.Compute(OpCode.SetCondition, 3, 0, c: (byte)condition);
        emitter.Emit(OpCode.AddImmediate, word.Size, word.Rd, holds, immediate: -1);
    }

    private static void Select(Arm64Emitter emitter, Arm64Word word, Condition condition, bool inverts, bool increments)
    {
        int size = word.Size;
        byte first = emitter.Read(word.Rn), second = emitter.Read(word.Rm);
        if (inverts)
            second = emitter.Compute(OpCode.Not, size, second);
        if (increments)
            second = emitter.Compute(OpCode.AddImmediate, size, second, immediate: 1);
        if (size == 3)
        {
            emitter.Emit(OpCode.Select, 3, word.Rd, first, second, c: (byte)condition);
            return;
        }
        byte chosen = emitter.Compute(OpCode.Select, 3, first, second, c: (byte)condition);
        emitter.Emit(OpCode.ZeroExtend, 2, word.Rd, chosen);
    }
}
