using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>
/// Hints, barriers, system registers and cache maintenance (Arm ARM, C4.1.93 and D19), as far as programs may use them. Identification registers read as
/// Linux lets programs see them (Documentation/arch/arm64/cpu-feature-registers.rst).
/// </summary>
internal static class SystemLowering
{
    /// <summary>log2 of the words that DC ZVA clears.</summary>
    private const int ZeroBlockWords = 4;

    /// <summary>Counts of CNTVCT_EL0 a second: those of the world's clock, in nanoseconds.</summary>
    private const ulong CounterFrequency = 1_000_000_000;

    public static bool TryLower(Arm64Emitter emitter, Arm64Word word)
    {
        bool reads = word.Bit(21);
        uint register = word.Field(5, 14) | (word.Field(19, 2) << 14);
        switch (word.Field(19, 2))
        {
            case 0 when !reads:
                return TryBarrier(emitter, word);
            case 1 when !reads:
                return TryMaintain(emitter, word, register);
            case 2 or 3:
                return reads ? TryRead(emitter, word.Rt, register) : TryWrite(emitter, word.Rt, register);
            default:
                return false;
        }
    }

    private static uint Register(uint op0, uint op1, uint n, uint m, uint op2) => (op0 << 14) | (op1 << 11) | (n << 7) | (m << 3) | op2;

    /// <summary>All hints may be ignored. Memory is in order, and writes to code are noticed as they happen.</summary>
    private static bool TryBarrier(Arm64Emitter emitter, Arm64Word word)
    {
        if (word.Field(16, 3) != 3 || word.Rt != 31)
            return false;
        const uint hint = 2, barrier = 3;
        if (word.Field(12, 4) == hint)
            return true;
        if (word.Field(12, 4) != barrier)
            return false;
        const uint clearExclusive = 2, synchronize = 4, order = 5, synchronizeInstructions = 6;
        uint operation = word.Field(5, 3);
        if (operation == clearExclusive)
            emitter.Emit(OpCode.MoveImmediate, 3, Arm64State.Monitor, 0, immediate: -1);
        return operation is clearExclusive or synchronize or order or synchronizeInstructions;
    }

    private static bool TryMaintain(Arm64Emitter emitter, Arm64Word word, uint register)
    {
        if (register == Register(1, 3, 7, 4, 1))
        {
            ZeroBlockAt(emitter, word.Rt);
            return true;
        }
        // IC IVAU, DC CVAC, DC CVAU, DC CIVAC: there is nothing to maintain.
        return register == Register(1, 3, 7, 5, 1) || register == Register(1, 3, 7, 10, 1) || register == Register(1, 3, 7, 11, 1) || register == Register(1, 3, 7, 14, 1);
    }

    private static void ZeroBlockAt(Arm64Emitter emitter, byte register)
    {
        Arm64Address address = register == 31 ? emitter.KnownAddress(0) : emitter.Address(register);
        emitter.Emit(OpCode.ClearBlock, ZeroBlockWords + 2, 0, address.Register, immediate: address.Displacement);
    }

    private static bool TryRead(Arm64Emitter emitter, byte to, uint register)
    {
        if (TryConstant(register, out ulong value))
        {
            emitter.SetImmediate(to, value);
            return true;
        }
        if (register == Register(3, 3, 4, 2, 0))
            ReadFlags(emitter, to);
        else if (register == Register(3, 3, 4, 4, 0))
            ReadControl(emitter, to, ScalarForm.Arm64Control);
        else if (register == Register(3, 3, 4, 4, 1))
            ReadControl(emitter, to, ScalarForm.Arm64Status);
        else if (register == Register(3, 3, 13, 0, 2))
            emitter.Move(3, to, Arm64State.ThreadPointer);
        else if (register == Register(3, 3, 14, 0, 2))
            emitter.Emit(OpCode.TimeStamp, 3, emitter.Write(to), 0);
        else
            return false;
        return true;
    }

    private static void ReadControl(Arm64Emitter emitter, byte to, long part) =>
        emitter.Emit(OpCode.ScalarGetControl, 3, emitter.Write(to), 0, immediate: part);

    private static bool TryWrite(Arm64Emitter emitter, byte from, uint register)
    {
        if (register == Register(3, 3, 4, 2, 0))
            WriteFlags(emitter, from);
        else if (register == Register(3, 3, 4, 4, 0))
            emitter.Emit(OpCode.ScalarSetControl, 3, 0, emitter.Read(from), immediate: ScalarForm.Arm64Control);
        else if (register == Register(3, 3, 4, 4, 1))
            emitter.Emit(OpCode.ScalarSetControl, 3, 0, emitter.Read(from), immediate: ScalarForm.Arm64Status);
        else if (register == Register(3, 3, 13, 0, 2))
            emitter.Emit(OpCode.Move, 3, Arm64State.ThreadPointer, emitter.Read(from));
        else
            return false;
        return true;
    }

    /// <summary>NZCV in bits 31:28, from x86's sign 7, zero 6, carry 0 (inverted) and overflow 11.</summary>
    private static void ReadFlags(Arm64Emitter emitter, byte to)
    {
        byte flags = emitter.SaveFlags();
        byte signs = Place(emitter, flags, 0xC0, 24);
        byte overflow = Place(emitter, flags, 0x800, 17);
        byte carry = Place(emitter, emitter.Compute(OpCode.Not, 3, flags), 1, 29);
        byte both = emitter.Compute(OpCode.Or, 3, signs, overflow);
        byte all = emitter.Compute(OpCode.Or, 3, both, carry);
        emitter.RestoreFlags(flags);
        emitter.Move(3, to, all);
    }

    private static byte Place(Arm64Emitter emitter, byte value, long mask, int shift)
    {
        byte bits = emitter.Compute(OpCode.AndImmediate, 3, value, immediate: mask);
        return emitter.Compute(OpCode.ShiftLeftImmediate, 3, bits, immediate: shift);
    }

    private static void WriteFlags(Arm64Emitter emitter, byte from)
    {
        byte value = emitter.Read(from);
        byte signs = Take(emitter, value, 24, 0xC0);
        byte overflow = Take(emitter, value, 17, 0x800);
        byte carry = Take(emitter, emitter.Compute(OpCode.Not, 3, value), 29, 1);
        byte both = emitter.Compute(OpCode.Or, 3, signs, overflow);
        emitter.RestoreFlags(emitter.Compute(OpCode.Or, 3, both, carry));
    }

    private static byte Take(Arm64Emitter emitter, byte value, int shift, long mask)
    {
        byte moved = emitter.Compute(OpCode.ShiftRightImmediate, 3, value, immediate: shift);
        return emitter.Compute(OpCode.AndImmediate, 3, moved, immediate: mask);
    }

    /// <summary>Registers that never change.</summary>
    private static bool TryConstant(uint register, out ulong value)
    {
        value = 0;
        if (register == Register(3, 3, 0, 0, 7))
            value = ZeroBlockWords; // DCZID_EL0
        else if (register == Register(3, 3, 0, 0, 1))
            value = 0x8444_C004; // CTR_EL0: lines of 64 bytes
        else if (register == Register(3, 3, 14, 0, 0))
            value = CounterFrequency;
        else if (register != Register(3, 3, 13, 0, 3)) // TPIDRRO_EL0 is 0
            return TryIdentification(register, out value);
        return true;
    }

    /// <summary>ID registers: op0 3, op1 0, CRn 0, CRm 0 and 4 to 7; what is not listed is 0.</summary>
    private static bool TryIdentification(uint register, out ulong value)
    {
        uint m = (register >> 3) & 15;
        value = 0;
        if ((register & ~0x7Fu) != Register(3, 0, 0, 0, 0) || m > 7 || (m == 0 && (register & 7) is not (0 or 5 or 6)))
            return false;
        if (register == Register(3, 0, 0, 0, 0))
            value = Arm64Features.MainId;
        else if (register == Register(3, 0, 0, 0, 5))
            value = 0x8000_0000; // MPIDR_EL1
        else if (register == Register(3, 0, 0, 4, 0))
            value = Arm64Features.ProcessorFeatures;
        else if (register == Register(3, 0, 0, 6, 0))
            value = Arm64Features.InstructionSet;
        else if (register == Register(3, 0, 0, 5, 0))
            value = 6; // ID_AA64DFR0_EL1: the debug architecture of Armv8.0
        return true;
    }
}
