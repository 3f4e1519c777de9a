using Iced.Intel;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>
/// Lowers the general-purpose instructions (SDM Vol. 1, 5.1), by family in the files beside this: each emits an instruction's micro-ops, or is false
/// and emits none when it is of another. In each, memory is accessed
/// before a register is written, so that a faulting instruction has changed nothing.
/// </summary>
internal static partial class IntegerLowering
{
    private const FlagMask All = FlagMask.All;

    /// <summary>
    /// destination = destination op source, for a register or memory destination. In memory the new value is stored before the
    /// flags change; with LOCK only if the old one is still there.
    /// </summary>
    private static void Modify(X86Emitter e, in Instruction i, OpCode code, FlagMask flags, byte b = 0, long immediate = 0, byte c = 0)
    {
        int size = X86Emitter.SizeOf(i, 0);
        if (i.Op0Kind == OpKind.Register)
        {
            Register register = i.Op0Register;
            byte a = e.ReadRegister(register);
            byte result = X86Emitter.IsWhole(register) ? e.IntegerRegister(register) : e.IntegerTemporary();
            e.Emit(code, size, result, a, b, flags, immediate, c);
            if (result != e.IntegerRegister(register))
                e.WriteRegister(register, result);
            return;
        }
        (byte address, long displacement) = e.Address(i);
        byte old = e.Load(address, displacement, size);
        byte value = e.IntegerTemporary();
        e.Emit(code, size, value, old, b, FlagMask.None, immediate, c);
        StoreBack(e, i, address, displacement, old, value, size);
        if (flags != FlagMask.None)
            e.Emit(code, size, MicroOp.Discard, old, b, flags, immediate, c);
    }

    private static void StoreBack(X86Emitter e, in Instruction i, byte address, long displacement, byte old, byte value, int size)
    {
        bool isLocked = i.HasLockPrefix || i.Mnemonic == Mnemonic.Xchg;
        e.Emit(isLocked ? OpCode.StoreIfUnchanged : OpCode.Store, size, 0, address, value, immediate: displacement, c: old);
    }

    private static bool IsImmediate(OpKind kind) => kind is >= OpKind.Immediate8 and <= OpKind.Immediate32to64;
}
