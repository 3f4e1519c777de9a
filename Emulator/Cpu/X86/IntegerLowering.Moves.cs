using Iced.Intel;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>Data transfer (SDM Vol. 1, 5.1.1).</summary>
internal static partial class IntegerLowering
{
    public static bool TryLowerMove(X86Emitter e, in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Mov when IsGeneral(i): return Move(e, i);
            case Mnemonic.Mov: return MoveSegment(e, i);
            case Mnemonic.Movzx: return Extend(e, i, OpCode.Load, OpCode.ZeroExtend);
            case Mnemonic.Movsx or Mnemonic.Movsxd: return Extend(e, i, OpCode.LoadSigned, OpCode.SignExtend);
            case Mnemonic.Lea: return LoadAddress(e, i);
            case Mnemonic.Xchg: return Exchange(e, i);
            case Mnemonic.Xadd: return ExchangeAdd(e, i);
            case Mnemonic.Cmpxchg: return CompareExchange(e, i);
            case Mnemonic.Cmpxchg8b or Mnemonic.Cmpxchg16b: return CompareExchangePair(e, i);
            case Mnemonic.Push: return Push(e, i);
            case Mnemonic.Pop: return Pop(e, i);
            case Mnemonic.Pushfq or Mnemonic.Pushf: return PushFlags(e, i);
            case Mnemonic.Popfq or Mnemonic.Popf: return PopFlags(e, i);
            case Mnemonic.Enter: return Enter(e, i);
            case Mnemonic.Leave: return Leave(e);
            case Mnemonic.Cbw: return Convert(e, 0, Register.AL, Register.AX);
            case Mnemonic.Cwde: return Convert(e, 1, Register.AX, Register.EAX);
            case Mnemonic.Cdqe: return Convert(e, 2, Register.EAX, Register.RAX);
            case Mnemonic.Cwd: return SpreadSign(e, 1, Register.DX);
            case Mnemonic.Cdq: return SpreadSign(e, 2, Register.EDX);
            case Mnemonic.Cqo: return SpreadSign(e, 3, Register.RDX);
            case Mnemonic.Bswap: return SwapBytes(e, i);
            case Mnemonic.Movbe: return MoveSwapped(e, i);
            case Mnemonic.Movnti: return Move(e, i);
            case Mnemonic.Xlatb: return Translate(e, i);
            default:
                if (i.Mnemonic is >= Mnemonic.Cmova and <= Mnemonic.Cmovs && i.Op0Register.IsGPR())
                    return MoveConditional(e, i);
                return false;
        }
    }

    private static bool IsGeneral(in Instruction i) =>
        (i.Op0Kind != OpKind.Register || i.Op0Register.IsGPR()) && (i.Op1Kind != OpKind.Register || i.Op1Register.IsGPR());

    private static bool Move(X86Emitter e, in Instruction i)
    {
        int size = X86Emitter.SizeOf(i, 0);
        if (i.Op0Kind == OpKind.Register && X86Emitter.IsWhole(i.Op0Register))
        {
            byte slot = e.IntegerRegister(i.Op0Register);
            if (IsImmediate(i.Op1Kind))
                e.Emit(OpCode.MoveImmediate, 3, slot, 0, immediate: size == 2 ? (uint)i.GetImmediate(1) : (long)i.GetImmediate(1));
            else if (i.Op1Kind == OpKind.Memory)
            {
                (byte from, long offset) = e.Address(i);
                e.Emit(OpCode.Load, size, slot, from, immediate: offset);
            }
            else
                e.Emit(size == 2 ? OpCode.ZeroExtend : OpCode.Move, 2, slot, e.IntegerRegister(i.Op1Register));
            return true;
        }
        if (i.Op0Kind == OpKind.Register)
        {
            e.WriteRegister(i.Op0Register, e.Read(i, 1));
            return true;
        }
        byte value = e.Read(i, 1);
        (byte address, long displacement) = e.Address(i);
        e.Emit(OpCode.Store, size, 0, address, value, immediate: displacement);
        return true;
    }

    /// <summary>Segment selectors read as user mode has them: CS 0x33, SS 0x2B, others null. Loading one but null is privileged here.</summary>
    private static bool MoveSegment(X86Emitter e, in Instruction i)
    {
        if (i.Op1Kind != OpKind.Register || !i.Op1Register.IsSegmentRegister())
            return false;
        byte value = e.Constant(i.Op1Register switch { Register.CS => 0x33u, Register.SS => 0x2Bu, _ => 0u });
        if (i.Op0Kind == OpKind.Register)
        {
            e.WriteRegister(i.Op0Register, value);
            return true;
        }
        (byte address, long displacement) = e.Address(i);
        e.Emit(OpCode.Store, 1, 0, address, value, immediate: displacement);
        return true;
    }

    private static bool Extend(X86Emitter e, in Instruction i, OpCode load, OpCode extend)
    {
        int size = X86Emitter.SizeOf(i, 1);
        byte value = e.IntegerTemporary();
        if (i.Op1Kind == OpKind.Memory)
        {
            (byte address, long displacement) = e.Address(i);
            e.Emit(load, size, value, address, immediate: displacement);
        }
        else
            e.Emit(extend, size, value, e.ReadRegister(i.Op1Register));
        e.WriteRegister(i.Op0Register, value);
        return true;
    }

    private static bool LoadAddress(X86Emitter e, in Instruction i)
    {
        e.WriteRegister(i.Op0Register, e.EffectiveAddress(i));
        return true;
    }

    private static bool Exchange(X86Emitter e, in Instruction i)
    {
        byte source = e.IntegerTemporary();
        e.Emit(OpCode.Move, 3, source, e.ReadRegister(i.Op1Register));
        if (i.Op0Kind == OpKind.Memory)
        {
            (byte address, long displacement) = e.Address(i);
            int size = X86Emitter.SizeOf(i, 0);
            byte old = e.Load(address, displacement, size);
            StoreBack(e, i, address, displacement, old, source, size);
            e.WriteRegister(i.Op1Register, old);
            return true;
        }
        byte other = e.IntegerTemporary();
        e.Emit(OpCode.Move, 3, other, e.ReadRegister(i.Op0Register));
        e.WriteRegister(i.Op1Register, other);
        e.WriteRegister(i.Op0Register, source);
        return true;
    }

    private static bool ExchangeAdd(X86Emitter e, in Instruction i)
    {
        int size = X86Emitter.SizeOf(i, 0);
        byte addend = e.IntegerTemporary(), sum = e.IntegerTemporary(), old;
        e.Emit(OpCode.Move, 3, addend, e.ReadRegister(i.Op1Register));
        if (i.Op0Kind == OpKind.Memory)
        {
            (byte address, long displacement) = e.Address(i);
            old = e.Load(address, displacement, size);
            e.Emit(OpCode.Add, size, sum, old, addend);
            StoreBack(e, i, address, displacement, old, sum, size);
            e.Emit(OpCode.Add, size, MicroOp.Discard, old, addend, All);
            e.WriteRegister(i.Op1Register, old);
            return true;
        }
        old = e.IntegerTemporary();
        e.Emit(OpCode.Move, 3, old, e.ReadRegister(i.Op0Register));
        e.Emit(OpCode.Add, size, sum, old, addend, All);
        e.WriteRegister(i.Op1Register, old);
        e.WriteRegister(i.Op0Register, sum);
        return true;
    }

    /// <summary>Memory is always written, with its old value when it differs from the accumulator (SDM Vol. 2, CMPXCHG).</summary>
    private static bool CompareExchange(X86Emitter e, in Instruction i)
    {
        int size = X86Emitter.SizeOf(i, 0);
        byte source = e.ReadRegister(i.Op1Register), accumulator = e.IntegerRegister(Register.RAX);
        bool inMemory = i.Op0Kind == OpKind.Memory;
        (byte address, long displacement) = inMemory ? e.Address(i) : default;
        byte old = e.IntegerTemporary(), flags = e.IntegerTemporary(), value = e.IntegerTemporary();
        if (inMemory)
            e.Emit(OpCode.Load, size, old, address, immediate: displacement);
        else
            e.Emit(OpCode.Move, 3, old, e.ReadRegister(i.Op0Register));
        // The comparison's flags choose the value; a faulting store must leave them as they were.
        e.Emit(OpCode.GetFlags, 3, flags, 0);
        e.Emit(OpCode.Subtract, size, MicroOp.Discard, accumulator, old, All);
        e.Emit(OpCode.Select, 3, value, source, old, c: (byte)Condition.Equal);
        if (inMemory)
        {
            e.Emit(OpCode.SetFlags, 3, 0, flags, immediate: 0x8D5);
            StoreBack(e, i, address, displacement, old, value, size);
            e.Emit(OpCode.Subtract, size, MicroOp.Discard, accumulator, old, All);
        }
        else if (size == 2)
        {
            // A register that differs is not written: it keeps even its upper half.
            e.Emit(OpCode.ZeroExtend, 2, value, source);
            e.Emit(OpCode.Select, 3, e.IntegerRegister(i.Op0Register), value, old, c: (byte)Condition.Equal);
        }
        else
            e.WriteRegister(i.Op0Register, value);
        WriteUnlessEqual(e, size, old);
        return true;
    }

    /// <summary>The accumulator becomes the old value when they differ; an equal one keeps even its upper half.</summary>
    private static void WriteUnlessEqual(X86Emitter e, int size, byte old)
    {
        byte merged = e.IntegerTemporary();
        e.Emit(OpCode.Move, 3, merged, 0);
        if (size <= 1)
            e.Emit(OpCode.Insert, size, merged, old);
        else
            e.Emit(OpCode.ZeroExtend, size, merged, old);
        e.Emit(OpCode.Select, 3, 0, 0, merged, c: (byte)Condition.Equal);
    }

    private static bool CompareExchangePair(X86Emitter e, in Instruction i)
    {
        (byte address, long displacement) = e.Address(i);
        bool isWide = i.Mnemonic == Mnemonic.Cmpxchg16b;
        if (isWide)
            e.Emit(OpCode.CheckAlignment, 4, 0, address, immediate: displacement);
        e.Emit(OpCode.CompareExchangePair, isWide ? 3 : 2, 0, address, immediate: displacement);
        return true;
    }

    private static int StackSize(in Instruction i) => i.StackPointerIncrement is 2 or -2 ? 1 : 3;

    private static bool Push(X86Emitter e, in Instruction i)
    {
        if (i.Op0Kind == OpKind.Register && i.Op0Register.IsSegmentRegister())
            return false;
        PushValue(e, e.Read(i, 0), StackSize(i));
        return true;
    }

    private static void PushValue(X86Emitter e, byte value, int size)
    {
        e.Emit(OpCode.Store, size, 0, X86Emitter.Rsp, value, immediate: -(1 << size));
        e.Emit(OpCode.AddImmediate, 3, X86Emitter.Rsp, X86Emitter.Rsp, immediate: -(1 << size));
    }

    /// <summary>The address of a memory destination is computed after RSP moved (SDM Vol. 2, POP).</summary>
    private static bool Pop(X86Emitter e, in Instruction i)
    {
        int size = StackSize(i);
        byte value = e.Load(X86Emitter.Rsp, 0, size);
        if (i.Op0Kind == OpKind.Register)
        {
            if (i.Op0Register.IsSegmentRegister())
                return false;
            e.Emit(OpCode.AddImmediate, 3, X86Emitter.Rsp, X86Emitter.Rsp, immediate: 1 << size);
            e.WriteRegister(i.Op0Register, value);
            return true;
        }
        (byte address, long displacement) = e.Address(i);
        if (i.MemoryBase is Register.RSP or Register.ESP)
            displacement += 1 << size;
        e.Emit(OpCode.Store, size, 0, address, value, immediate: displacement);
        e.Emit(OpCode.AddImmediate, 3, X86Emitter.Rsp, X86Emitter.Rsp, immediate: 1 << size);
        return true;
    }

    private static bool PushFlags(X86Emitter e, in Instruction i)
    {
        byte flags = e.IntegerTemporary();
        e.Emit(OpCode.GetFlags, 3, flags, 0);
        PushValue(e, flags, StackSize(i));
        return true;
    }

    /// <summary>User mode changes the arithmetic flags, TF, DF, NT, AC and ID.</summary>
    /// <summary>Flags that a program may set: arithmetic, DF, NT, AC and ID.</summary>
    private const long ChangeableFlags = 0x8D5 | 1 << 10 | 1 << 14 | 1 << 18 | 1 << 21;

    private static bool PopFlags(X86Emitter e, in Instruction i)
    {
        int size = StackSize(i);
        byte value = e.Load(X86Emitter.Rsp, 0, size);
        e.Emit(OpCode.AddImmediate, 3, X86Emitter.Rsp, X86Emitter.Rsp, immediate: 1 << size);
        e.Emit(OpCode.SetFlags, 3, 0, value, immediate: size == 1 ? ChangeableFlags & 0xFFFF : ChangeableFlags);
        return true;
    }

    private static bool Enter(X86Emitter e, in Instruction i)
    {
        const byte rbp = 5;
        if (i.Immediate8_2nd != 0)
            return false;
        PushValue(e, rbp, 3);
        e.Emit(OpCode.Move, 3, rbp, X86Emitter.Rsp);
        e.Emit(OpCode.AddImmediate, 3, X86Emitter.Rsp, X86Emitter.Rsp, immediate: -(long)i.Immediate16);
        return true;
    }

    private static bool Leave(X86Emitter e)
    {
        const byte rbp = 5;
        byte saved = e.Load(rbp, 0, 3);
        e.Emit(OpCode.AddImmediate, 3, X86Emitter.Rsp, rbp, immediate: 8);
        e.Emit(OpCode.Move, 3, rbp, saved);
        return true;
    }

    private static bool Convert(X86Emitter e, int size, Register from, Register to)
    {
        byte value = e.IntegerTemporary();
        e.Emit(OpCode.SignExtend, size, value, e.ReadRegister(from));
        e.WriteRegister(to, value);
        return true;
    }

    private static bool SpreadSign(X86Emitter e, int size, Register to)
    {
        byte value = e.IntegerTemporary();
        e.Emit(OpCode.ShiftRightArithmeticImmediate, size, value, 0, immediate: (8 << size) - 1);
        e.WriteRegister(to, value);
        return true;
    }

    private static bool SwapBytes(X86Emitter e, in Instruction i)
    {
        byte slot = e.IntegerRegister(i.Op0Register);
        // Of 16 bits it is undefined (SDM Vol. 2, BSWAP); processors clear them.
        if (X86Emitter.SizeOf(i, 0) == 1)
            e.WriteRegister(i.Op0Register, e.Constant(0));
        else
            e.Emit(OpCode.ByteSwap, X86Emitter.SizeOf(i, 0), slot, slot);
        return true;
    }

    private static bool MoveSwapped(X86Emitter e, in Instruction i)
    {
        int size = X86Emitter.SizeOf(i, 0);
        byte value = e.IntegerTemporary();
        e.Emit(OpCode.ByteSwap, size, value, e.Read(i, 1));
        if (i.Op0Kind == OpKind.Register)
        {
            e.WriteRegister(i.Op0Register, value);
            return true;
        }
        (byte address, long displacement) = e.Address(i);
        e.Emit(OpCode.Store, size, 0, address, value, immediate: displacement);
        return true;
    }

    private static bool Translate(X86Emitter e, in Instruction i)
    {
        byte index = e.IntegerTemporary(), address = e.IntegerTemporary();
        e.Emit(OpCode.ZeroExtend, 0, index, 0);
        e.Emit(OpCode.Add, 3, address, 3, index);
        if (X86Emitter.ThreadBase(i) is > 0 and int segment)
            e.Emit(OpCode.AddThreadBase, 3, address, address, immediate: segment - 1);
        e.WriteRegister(Register.AL, e.Load(address, 0, 0));
        return true;
    }

    /// <summary>The source is read, and a 32-bit destination cleared above, even when the condition fails.</summary>
    private static bool MoveConditional(X86Emitter e, in Instruction i)
    {
        byte source = e.Read(i, 1), value = e.IntegerTemporary();
        e.Emit(OpCode.Select, 3, value, source, e.IntegerRegister(i.Op0Register), c: (byte)(i.ConditionCode - ConditionCode.o));
        e.WriteRegister(i.Op0Register, value);
        return true;
    }
}
