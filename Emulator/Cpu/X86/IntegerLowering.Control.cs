using Iced.Intel;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>Control transfer, strings, flag control and system instructions (SDM Vol. 1, 5.1.7 to 5.1.14).</summary>
internal static partial class IntegerLowering
{
    public static bool TryLowerControl(X86Emitter e, in Instruction i, out bool endsBlock)
    {
        endsBlock = true;
        switch (i.Mnemonic)
        {
            case Mnemonic.Jmp when i.Op0Kind == OpKind.NearBranch64:
                e.Emit(OpCode.Jump, 3, 0, 0, immediate: (long)i.NearBranchTarget);
                return true;
            case Mnemonic.Jmp when i.Op0Kind is OpKind.Register or OpKind.Memory && i.Code is Code.Jmp_rm64:
                e.Emit(OpCode.JumpRegister, 3, 0, e.Read(i, 0));
                return true;
            case Mnemonic.Call when i.Op0Kind == OpKind.NearBranch64:
                PushValue(e, e.Constant(i.NextIP), 3);
                e.Emit(OpCode.Jump, 3, 0, 0, immediate: (long)i.NearBranchTarget, c: 1);
                return true;
            case Mnemonic.Call when i.Code is Code.Call_rm64:
                return CallIndirect(e, i);
            case Mnemonic.Ret when i.Code is Code.Retnq or Code.Retnq_imm16:
                return Return(e, i);
            case Mnemonic.Iretq:
                return InterruptReturn(e);
            case Mnemonic.Jrcxz or Mnemonic.Jecxz:
                return JumpIfCountIsZero(e, i);
            case Mnemonic.Loop or Mnemonic.Loope or Mnemonic.Loopne:
                return Loop(e, i);
            default:
                if (i.IsJccShortOrNear)
                {
                    e.Emit(OpCode.Branch, 3, 0, 0, immediate: (long)i.NearBranchTarget, c: (byte)(i.ConditionCode - ConditionCode.o));
                    return true;
                }
                endsBlock = false;
                return false;
        }
    }

    private static bool CallIndirect(X86Emitter e, in Instruction i)
    {
        byte target = e.IntegerTemporary();
        e.Emit(OpCode.Move, 3, target, e.Read(i, 0));
        PushValue(e, e.Constant(i.NextIP), 3);
        e.Emit(OpCode.JumpRegister, 3, 0, target, c: 1);
        return true;
    }

    private static bool Return(X86Emitter e, in Instruction i)
    {
        byte target = e.Load(X86Emitter.Rsp, 0, 3);
        long popped = i.Code == Code.Retnq_imm16 ? 8 + i.Immediate16 : 8;
        e.Emit(OpCode.AddImmediate, 3, X86Emitter.Rsp, X86Emitter.Rsp, immediate: popped);
        e.Emit(OpCode.JumpRegister, 3, 0, target, c: 2);
        return true;
    }

    /// <summary>
    /// IRETQ (SDM Vol. 2): takes address, code segment, flags, stack pointer and stack segment from the stack. Programs return with it to a
    /// context of their own; other segments than a 64-bit program's have no descriptors here.
    /// </summary>
    private static bool InterruptReturn(X86Emitter e)
    {
        const int codeSegment = 0x33, stackSegment = 0x2B;
        byte target = e.Load(X86Emitter.Rsp, 0, 3), code = e.Load(X86Emitter.Rsp, 8, 1), flags = e.Load(X86Emitter.Rsp, 16, 3);
        byte stack = e.Load(X86Emitter.Rsp, 24, 3), stackIn = e.Load(X86Emitter.Rsp, 32, 1);
        e.Emit(OpCode.XorImmediate, 3, code, code, immediate: codeSegment);
        e.Emit(OpCode.XorImmediate, 3, stackIn, stackIn, immediate: stackSegment);
        e.Emit(OpCode.Or, 3, code, code, stackIn);
        // What is left of the 16 bits is no multiple of 2^16.
        e.Emit(OpCode.CheckAlignment, 16, 0, code);
        e.Emit(OpCode.SetFlags, 3, 0, flags, immediate: ChangeableFlags);
        e.Emit(OpCode.Move, 3, X86Emitter.Rsp, stack);
        e.Emit(OpCode.JumpRegister, 3, 0, target);
        return true;
    }

    private static bool JumpIfCountIsZero(X86Emitter e, in Instruction i)
    {
        byte count = e.IntegerTemporary();
        e.Emit(OpCode.ZeroExtend, i.Mnemonic == Mnemonic.Jecxz ? 2 : 3, count, Rcx);
        e.Emit(OpCode.BranchIfZero, 3, 0, count, immediate: (long)i.NearBranchTarget);
        return true;
    }

    private static bool Loop(X86Emitter e, in Instruction i)
    {
        bool narrow = i.Code is >= Code.Loopne_rel8_64_ECX and <= Code.Loop_rel8_64_RCX && i.Code is Code.Loop_rel8_64_ECX or Code.Loope_rel8_64_ECX or Code.Loopne_rel8_64_ECX;
        byte goes = e.IntegerTemporary();
        e.Emit(OpCode.AddImmediate, narrow ? 2 : 3, Rcx, Rcx, immediate: -1);
        e.Emit(OpCode.SubtractImmediate, 3, goes, Rcx, immediate: 0);
        if (i.Mnemonic != Mnemonic.Loop)
        {
            byte none = e.Constant(0);
            byte condition = (byte)(i.Mnemonic == Mnemonic.Loope ? Condition.Equal : Condition.NotEqual);
            e.Emit(OpCode.Select, 3, goes, goes, none, c: condition);
        }
        e.Emit(OpCode.BranchIfNotZero, 3, 0, goes, immediate: (long)i.NearBranchTarget);
        return true;
    }

    public static bool TryLowerString(X86Emitter e, in Instruction i, out bool endsBlock)
    {
        (StringOperation Operation, int Size)? found = i.Mnemonic switch
        {
            Mnemonic.Movsb => (StringOperation.Move, 0),
            Mnemonic.Movsw => (StringOperation.Move, 1),
            Mnemonic.Movsd when i.Code == Code.Movsd_m32_m32 => (StringOperation.Move, 2),
            Mnemonic.Movsq => (StringOperation.Move, 3),
            Mnemonic.Stosb => (StringOperation.Store, 0),
            Mnemonic.Stosw => (StringOperation.Store, 1),
            Mnemonic.Stosd => (StringOperation.Store, 2),
            Mnemonic.Stosq => (StringOperation.Store, 3),
            Mnemonic.Lodsb => (StringOperation.Load, 0),
            Mnemonic.Lodsw => (StringOperation.Load, 1),
            Mnemonic.Lodsd => (StringOperation.Load, 2),
            Mnemonic.Lodsq => (StringOperation.Load, 3),
            Mnemonic.Scasb => (StringOperation.Scan, 0),
            Mnemonic.Scasw => (StringOperation.Scan, 1),
            Mnemonic.Scasd => (StringOperation.Scan, 2),
            Mnemonic.Scasq => (StringOperation.Scan, 3),
            Mnemonic.Cmpsb => (StringOperation.Compare, 0),
            Mnemonic.Cmpsw => (StringOperation.Compare, 1),
            Mnemonic.Cmpsd when i.Code == Code.Cmpsd_m32_m32 => (StringOperation.Compare, 2),
            Mnemonic.Cmpsq => (StringOperation.Compare, 3),
            _ => null,
        };
        // A repeated one may write code of its own block behind the engine's back: what follows is found anew.
        endsBlock = found is not null && (i.HasRepPrefix || i.HasRepnePrefix);
        if (found is not { } string_)
            return false;
        byte repeat = (byte)(i.HasRepnePrefix ? 2 : i.HasRepPrefix ? 1 : 0);
        e.Emit(OpCode.String, string_.Size, 0, 0, (byte)X86Emitter.ThreadBase(i), immediate: (long)string_.Operation, c: repeat, flags: string_.Operation >= StringOperation.Scan ? All : FlagMask.None);
        return true;
    }

    public static bool TryLowerSystem(X86Emitter e, in Instruction i, out bool endsBlock)
    {
        endsBlock = false;
        switch (i.Mnemonic)
        {
            case Mnemonic.Nop or Mnemonic.Endbr64 or Mnemonic.Endbr32 or Mnemonic.Pause or Mnemonic.Lfence or Mnemonic.Mfence or Mnemonic.Sfence
                or Mnemonic.Prefetcht0 or Mnemonic.Prefetcht1 or Mnemonic.Prefetcht2 or Mnemonic.Prefetchnta or Mnemonic.Prefetchw or Mnemonic.Reservednop
                or Mnemonic.Clflush or Mnemonic.Rdsspq or Mnemonic.Rdsspd:
                return true;
            case Mnemonic.Clc: return SetFlag(e, 1, 0);
            case Mnemonic.Stc: return SetFlag(e, 1, 1);
            case Mnemonic.Cld: return SetFlag(e, 1 << 10, 0);
            case Mnemonic.Std: return SetFlag(e, 1 << 10, 1 << 10);
            case Mnemonic.Cmc:
                e.Emit(OpCode.ComplementCarry, 3, 0, 0, flags: FlagMask.Carry);
                return true;
            case Mnemonic.Lahf: return LoadFlags(e);
            case Mnemonic.Sahf: return StoreFlags(e);
            case Mnemonic.Cpuid:
                e.Emit(OpCode.CpuId, 3, 0, 0);
                return true;
            case Mnemonic.Rdtsc or Mnemonic.Rdtscp: return ReadTimeStamp(e, i);
            case Mnemonic.In or Mnemonic.Out: return AccessPort(e, i);
            // Linux lets who may use all ports believe that they switch interrupts (iopl(2)).
            case Mnemonic.Cli or Mnemonic.Sti:
                e.Emit(OpCode.CheckPort, 0, 0, 0, c: 1);
                return true;
            case Mnemonic.Syscall:
                endsBlock = true;
                // The instruction itself leaves its return address and flags (SDM Vol. 2, SYSCALL).
                e.Emit(OpCode.MoveImmediate, 3, Rcx, 0, immediate: (long)i.NextIP);
                e.Emit(OpCode.GetFlags, 3, 11, 0);
                e.Emit(OpCode.SystemCall, 3, 0, 0);
                return true;
            default:
                endsBlock = TryLowerTrap(e, i);
                return endsBlock;
        }
    }

    private static bool TryLowerTrap(X86Emitter e, in Instruction i)
    {
        (ExitReason Reason, bool Behind)? trap = i.Mnemonic switch
        {
            Mnemonic.Int3 or Mnemonic.Int1 => (ExitReason.Breakpoint, true),
            Mnemonic.Ud2 or Mnemonic.Ud1 or Mnemonic.Ud0 => (ExitReason.InvalidInstruction, false),
            Mnemonic.Int or Mnemonic.Hlt or Mnemonic.Insb or Mnemonic.Insd or Mnemonic.Outsb or Mnemonic.Outsd
                or Mnemonic.Rdmsr or Mnemonic.Wrmsr or Mnemonic.Invlpg or Mnemonic.Lgdt or Mnemonic.Lidt or Mnemonic.Lldt or Mnemonic.Ltr or Mnemonic.Iretd
                or Mnemonic.Sysexitq or Mnemonic.Sysretq or Mnemonic.Swapgs or Mnemonic.Clts or Mnemonic.Wbinvd or Mnemonic.Invd or Mnemonic.Rdpmc => (ExitReason.GeneralProtection, false),
            _ => null,
        };
        if (trap is not { } found)
            return false;
        e.Emit(OpCode.Trap, 3, 0, 0, immediate: found.Behind ? 1 : 0, c: (byte)found.Reason);
        return true;
    }

    /// <summary>IN and OUT (SDM Vol. 2): what is written is lost, what is read is ones.</summary>
    private static bool AccessPort(X86Emitter e, in Instruction i)
    {
        int port = i.Mnemonic == Mnemonic.In ? 1 : 0;
        Register data = i.GetOpRegister(1 - port);
        int size = System.Numerics.BitOperations.Log2((uint)data.GetSize());
        e.Emit(OpCode.CheckPort, size, 0, e.Read(i, port));
        if (i.Mnemonic == Mnemonic.In)
            e.WriteRegister(data, e.Constant(ulong.MaxValue));
        return true;
    }

    private static bool SetFlag(X86Emitter e, long mask, ulong value)
    {
        e.Emit(OpCode.SetFlags, 3, 0, e.Constant(value), immediate: mask, flags: mask == 1 ? FlagMask.Carry : FlagMask.None);
        return true;
    }

    private static bool LoadFlags(X86Emitter e)
    {
        byte flags = e.IntegerTemporary();
        e.Emit(OpCode.GetFlags, 3, flags, 0);
        e.Emit(OpCode.AndImmediate, 3, flags, flags, immediate: 0xD7);
        e.Emit(OpCode.OrImmediate, 3, flags, flags, immediate: 2);
        e.WriteRegister(Register.AH, flags);
        return true;
    }

    private static bool StoreFlags(X86Emitter e)
    {
        e.Emit(OpCode.SetFlags, 3, 0, e.ReadRegister(Register.AH), immediate: 0xD5, flags: All & ~FlagMask.Overflow);
        return true;
    }

    private static bool ReadTimeStamp(X86Emitter e, in Instruction i)
    {
        byte stamp = e.IntegerTemporary();
        e.Emit(OpCode.TimeStamp, 3, stamp, 0);
        e.Emit(OpCode.ZeroExtend, 2, 0, stamp);
        e.Emit(OpCode.ShiftRightImmediate, 3, 2, stamp, immediate: 32);
        if (i.Mnemonic == Mnemonic.Rdtscp)
            e.Emit(OpCode.MoveImmediate, 3, Rcx, 0);
        return true;
    }
}
