using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>Data processing with one source: reversals and counts (Arm ARM, C4.1.94).</summary>
internal static class UnaryLowering
{
    public static bool TryLower(Arm64Emitter emitter, Arm64Word word)
    {
        uint operation = word.Field(10, 6);
        int size = word.Size;
        if (word.Bit(29) || word.Rm != 0 || operation > 5 || (operation == 3 && size == 2))
            return false;
        if (word.Rd == 31)
            return true;
        byte from = emitter.Read(word.Rn);
        switch (operation)
        {
            case 0:
                emitter.Emit(OpCode.ReverseBits, size, word.Rd, from);
                break;
            case 1:
                ReverseHalves(emitter, size, word.Rd, from);
                break;
            case 2 when size == 3:
                emitter.Emit(OpCode.RotateRightImmediate, 3, word.Rd, emitter.Compute(OpCode.ByteSwap, 3, from), immediate: 32);
                break;
            case 2 or 3:
                emitter.Emit(OpCode.ByteSwap, size, word.Rd, from);
                break;
            case 4:
                emitter.Emit(OpCode.LeadingZeros, size, word.Rd, from);
                break;
            default:
                CountSigns(emitter, size, word.Rd, from);
                break;
        }
        return true;
    }

    /// <summary>REV16: the bytes of each half word change places.</summary>
    private static void ReverseHalves(Arm64Emitter emitter, int size, byte to, byte from)
    {
        ulong low = size == 3 ? 0x00FF_00FF_00FF_00FF : 0x00FF_00FFul;
        byte down = emitter.Compute(OpCode.ShiftRightImmediate, size, from, immediate: 8);
        byte lower = emitter.ComputeImmediate(OpCode.And, size, down, (long)low);
        byte rest = emitter.ComputeImmediate(OpCode.And, size, from, (long)low);
        byte upper = emitter.Compute(OpCode.ShiftLeftImmediate, size, rest, immediate: 8);
        emitter.Emit(OpCode.Or, size, to, lower, upper);
    }

    /// <summary>CLS: bits below the top one that equal it. They are zeros of the value and itself shifted by one.</summary>
    private static void CountSigns(Arm64Emitter emitter, int size, byte to, byte from)
    {
        byte shifted = emitter.Compute(OpCode.ShiftRightArithmeticImmediate, size, from, immediate: 1);
        byte changes = emitter.Compute(OpCode.Xor, size, from, shifted);
        byte zeros = emitter.Compute(OpCode.LeadingZeros, size, changes);
        emitter.Emit(OpCode.AddImmediate, size, to, zeros, immediate: -1);
    }
}
