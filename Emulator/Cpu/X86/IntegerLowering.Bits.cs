using Iced.Intel;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>Shifts, rotates, bits and bytes (SDM Vol. 1, 5.1.5 and 5.1.6).</summary>
internal static partial class IntegerLowering
{
    private const byte Rcx = 1;

    public static bool TryLowerShift(X86Emitter e, in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Shl or Mnemonic.Sal: return Shift(e, i, OpCode.ShiftLeft, All);
            case Mnemonic.Shr: return Shift(e, i, OpCode.ShiftRight, All);
            case Mnemonic.Sar: return Shift(e, i, OpCode.ShiftRightArithmetic, All);
            case Mnemonic.Rol: return Shift(e, i, OpCode.RotateLeft, FlagMask.Carry | FlagMask.Overflow);
            case Mnemonic.Ror: return Shift(e, i, OpCode.RotateRight, FlagMask.Carry | FlagMask.Overflow);
            case Mnemonic.Rcl: return Shift(e, i, OpCode.RotateCarryLeft, FlagMask.Carry | FlagMask.Overflow);
            case Mnemonic.Rcr: return Shift(e, i, OpCode.RotateCarryRight, FlagMask.Carry | FlagMask.Overflow);
            case Mnemonic.Shld: return ShiftDouble(e, i, OpCode.ShiftDoubleLeft);
            case Mnemonic.Shrd: return ShiftDouble(e, i, OpCode.ShiftDoubleRight);
            default: return false;
        }
    }

    private static bool Shift(X86Emitter e, in Instruction i, OpCode code, FlagMask flags)
    {
        if (IsImmediate(i.Op1Kind))
            Modify(e, i, code + 1, flags, immediate: i.Immediate8);
        else
            Modify(e, i, code, flags, Count(e, i));
        return true;
    }

    /// <summary>CL, kept apart when the destination is RCX itself.</summary>
    private static byte Count(X86Emitter e, in Instruction i)
    {
        if (i.Op0Kind != OpKind.Register || e.IntegerRegister(i.Op0Register) != Rcx)
            return Rcx;
        byte count = e.IntegerTemporary();
        e.Emit(OpCode.Move, 3, count, Rcx);
        return count;
    }

    private static bool ShiftDouble(X86Emitter e, in Instruction i, OpCode code)
    {
        byte count = IsImmediate(i.Op2Kind) ? e.Constant(i.Immediate8) : Count(e, i);
        Modify(e, i, code, All, e.ReadRegister(i.Op1Register), c: count);
        return true;
    }

    public static bool TryLowerBits(X86Emitter e, in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Bt: return Bit(e, i, OpCode.BitTest);
            case Mnemonic.Bts: return Bit(e, i, OpCode.BitSet);
            case Mnemonic.Btr: return Bit(e, i, OpCode.BitReset);
            case Mnemonic.Btc: return Bit(e, i, OpCode.BitComplement);
            // Without BMI1 and LZCNT the prefixed forms are the plain scans (SDM Vol. 2, TZCNT).
            case Mnemonic.Bsf or Mnemonic.Tzcnt: return Scan(e, i, OpCode.BitScanForward);
            case Mnemonic.Bsr or Mnemonic.Lzcnt: return Scan(e, i, OpCode.BitScanReverse);
            case Mnemonic.Popcnt: return Count(e, i, OpCode.PopulationCount);
            case Mnemonic.Crc32: return Checksum(e, i);
            default:
                if (i.Mnemonic is >= Mnemonic.Seta and <= Mnemonic.Sets && i.ConditionCode != ConditionCode.None)
                    return SetByte(e, i);
                return false;
        }
    }

    /// <summary>A register bit offset into memory is signed and reaches beyond the operand (SDM Vol. 2, BT).</summary>
    private static bool Bit(X86Emitter e, in Instruction i, OpCode code)
    {
        int size = X86Emitter.SizeOf(i, 0);
        byte index = IsImmediate(i.Op1Kind) ? e.Constant(i.Immediate8) : e.ReadRegister(i.Op1Register);
        if (i.Op0Kind == OpKind.Register)
        {
            if (code == OpCode.BitTest)
                e.Emit(code, size, MicroOp.Discard, e.ReadRegister(i.Op0Register), index, FlagMask.Carry);
            else
                Modify(e, i, code, FlagMask.Carry, index);
            return true;
        }
        (byte address, long displacement) = IsImmediate(i.Op1Kind) ? e.Address(i) : BitAddress(e, i, index, size);
        byte old = e.Load(address, displacement, size);
        if (code != OpCode.BitTest)
        {
            byte value = e.IntegerTemporary();
            e.Emit(code, size, value, old, index);
            StoreBack(e, i, address, displacement, old, value, size);
        }
        e.Emit(OpCode.BitTest, size, MicroOp.Discard, old, index, FlagMask.Carry);
        return true;
    }

    /// <summary>The offset is part of the effective address, which 32-bit addressing cuts, without the segment's base.</summary>
    private static (byte Register, long Displacement) BitAddress(X86Emitter e, in Instruction i, byte index, int size)
    {
        bool isNarrow = i.MemoryBase.IsGPR32() || i.MemoryIndex.IsGPR32();
        (byte address, long displacement) = isNarrow ? (e.EffectiveAddress(i), 0) : e.Address(i);
        byte offset = e.IntegerTemporary(), sum = e.IntegerTemporary();
        e.Emit(OpCode.SignExtend, size, offset, index);
        e.Emit(OpCode.ShiftRightArithmeticImmediate, 3, offset, offset, immediate: 3 + size);
        e.Emit(OpCode.AddressOf, 3, sum, address, offset, c: (byte)size);
        if (!isNarrow)
            return (sum, displacement);
        e.Emit(OpCode.ZeroExtend, 2, sum, sum);
        return e.WithBase(i, sum, 0);
    }

    private static bool Scan(X86Emitter e, in Instruction i, OpCode code)
    {
        int size = X86Emitter.SizeOf(i, 0);
        byte source = e.Read(i, 1), value = e.IntegerTemporary();
        e.Emit(OpCode.Move, 3, value, e.IntegerRegister(i.Op0Register));
        e.Emit(code, size, value, source, flags: FlagMask.Zero);
        // A source of zero keeps all 64 bits of the destination, as AMD documents and silicon does.
        byte merged = e.IntegerTemporary(), slot = e.IntegerRegister(i.Op0Register);
        e.Emit(OpCode.Move, 3, merged, slot);
        e.Emit(size == 1 ? OpCode.Insert : OpCode.ZeroExtend, size, merged, value);
        e.Emit(OpCode.Select, 3, slot, slot, merged, c: (byte)Condition.Equal);
        return true;
    }

    private static bool Count(X86Emitter e, in Instruction i, OpCode code)
    {
        byte source = e.Read(i, 1), value = e.IntegerTemporary();
        e.Emit(code, X86Emitter.SizeOf(i, 0), value, source, flags: All);
        e.WriteRegister(i.Op0Register, value);
        return true;
    }

    private static bool Checksum(X86Emitter e, in Instruction i)
    {
        byte slot = e.IntegerRegister(i.Op0Register);
        byte data = e.Read(i, 1), value = e.IntegerTemporary();
        e.Emit(OpCode.Crc32, X86Emitter.SizeOf(i, 1), value, slot, data);
        e.Emit(OpCode.Move, 3, slot, value);
        return true;
    }

    private static bool SetByte(X86Emitter e, in Instruction i)
    {
        byte value = e.Condition(i.ConditionCode);
        if (i.Op0Kind == OpKind.Register)
        {
            e.WriteRegister(i.Op0Register, value);
            return true;
        }
        (byte address, long displacement) = e.Address(i);
        e.Emit(OpCode.Store, 0, 0, address, value, immediate: displacement);
        return true;
    }
}
