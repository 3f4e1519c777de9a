using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>Atomic operations on memory of the LSE extension (Arm ARM, C4.1.96): LDADD, LDCLR, LDEOR, LDSET, LDSMAX.. and SWP.</summary>
internal static class AtomicLowering
{
    public static bool TryLower(Arm64Emitter emitter, Arm64Word word)
    {
        int scale = (int)word.Field(30, 2);
        uint operation = word.Field(12, 3);
        bool swaps = word.Bit(15);
        if (swaps && operation != 0)
            return false;
        Arm64Address address = emitter.Address(word.Rn);
        if (scale != 0)
            emitter.Emit(OpCode.CheckAlignment, scale, 0, address.Register, c: (byte)ExitReason.Misaligned);
        byte old = emitter.Temporary(), operand = emitter.Read(word.Rs);
        byte saved = operation >= 4 ? emitter.SaveFlags() : (byte)0;
        emitter.Emit(OpCode.Load, scale, old, address.Register);
        byte result = swaps ? operand : Compute(emitter, operation, scale, old, operand);
        if (saved != 0)
            emitter.RestoreFlags(saved);
        emitter.Emit(OpCode.StoreIfUnchanged, scale, 0, address.Register, result, c: old);
        emitter.Move(3, word.Rt, old);
        return true;
    }

    private static byte Compute(Arm64Emitter emitter, uint operation, int scale, byte old, byte operand)
    {
        int size = Math.Max(scale, 2);
        if (operation < 4)
            return emitter.Compute(operation switch { 0 => OpCode.Add, 1 => OpCode.AndNot, 2 => OpCode.Xor, _ => OpCode.Or }, size, old, operand);
        Condition keeps = operation switch
        {
            4 => Condition.Greater,
            5 => Condition.Less,
            6 => Condition.Above,
            _ => Condition.Below,
        };
        emitter.EmitFlags(OpCode.Subtract, scale, MicroOp.Discard, old, operand);
        return emitter.Compute(OpCode.Select, 3, old, operand, c: (byte)keeps);
    }
}
