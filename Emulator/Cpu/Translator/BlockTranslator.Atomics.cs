using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>Atomic operations of processors that load and store, where RAX is free for CMPXCHG.</summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>The low bits of the address as an offset from the probe: the interpreter tells what the guest is due.</summary>
    private int EmitCheckIntegerAlignment(in MicroOp op, int at)
    {
        if (op.Immediate != 0 || (MustKeepFlags(at) && !_map.HasSpare))
            return 0;
        HostRegister address = Use(op.A, RegisterMap.Work, at);
        if (_map.HasSpare)
        {
            _asm.Move(RegisterMap.Spare, (1L << op.Size) - 1);
            _asm.ExtractBits(RegisterMap.Work, address, Operand.Of(RegisterMap.Spare));
            _asm.Emit(0x8B, (int)RegisterMap.Work, Operand.Memory(RegisterMap.Work, Gate.ProbeAddress));
            return 1;
        }
        _asm.Move(RegisterMap.Work, address);
        _asm.AluImmediate(GroupAnd, Operand.Of(RegisterMap.Work), (1 << op.Size) - 1, 2);
        _asm.Emit(0x8B, (int)RegisterMap.Work, Operand.Memory(RegisterMap.Work, Gate.ProbeAddress));
        return 1;
    }

    /// <summary>The address is computed into the scratch register, the operands are in host registers or slots.</summary>
    private Operand AtomicPlace(in MicroOp op, int at)
    {
        foreach (byte operand in (ReadOnlySpan<byte>)[op.B, op.C])
            Keep(operand, at);
        Operand place = GuestOperand(op.A, op.Immediate, at);
        return place;
    }

    /// <summary>Puts a temporary that is nowhere, or in the scratch register, into its slot.</summary>
    private void Keep(byte register, int at)
    {
        if (!IsTemporary(register))
            return;
        if (_values[register].Kind is Kind.Load || _values[register] is { Kind: Kind.Sum, IsCopy: false })
            Materialize(register, at);
        if (_values[register].Kind != Kind.Scratch)
            return;
        _asm.Store(TemporarySlot(register), RegisterMap.Scratch, 3);
        _values[register] = new Value { Kind = Kind.Slot };
        _holder = 0;
    }

    /// <summary>LOCK CMPXCHG; when another was faster the interpreter runs the instruction.</summary>
    private int EmitStoreIfUnchanged(in MicroOp op, int at)
    {
        if (!TryFreeFlags(at))
            return 0;
        Operand place = AtomicPlace(op, at);
        LoadInto(HostRegister.Rax, op.C, at);
        CompareExchange(place, Use(op.B, RegisterMap.Work, at), op.Size);
        InterpretUnless(ConditionEqual);
        return 1;
    }

    private int EmitStoreReserved(in MicroOp op, int at)
    {
        if (op.Immediate != 0 || !TryFreeFlags(at))
            return 0;
        Keep(op.B, at);
        Operand place = GuestOperand(op.A, 0, at);
        // The address itself may be in a register that has moved since it was checked: it is compared as it is.
        HostRegister address = Use(op.A, RegisterMap.Work, at);
        _asm.Alu(0x3A, (int)address, Place(op.C), 3); // CMP
        int differs = JumpShort(ConditionNotEqual);
        LoadInto(HostRegister.Rax, (byte)(op.C + 1), at);
        CompareExchange(place, Use(op.B, RegisterMap.Work, at), op.Size);
        LandShort(differs);
        _asm.StoreImmediate(Place(op.C), -1, 3);
        _asm.Emit(0x0F90 | ConditionNotEqual, 0, Operand.Of(RegisterMap.Work), bytes: true);
        _asm.Load(RegisterMap.Work, Operand.Of(RegisterMap.Work), 0);
        Finish(op.Destination, RegisterMap.Work, at);
        return 1;
    }

    private int EmitCompareExchange(in MicroOp op, int at)
    {
        if (!TryFreeFlags(at))
            return 0;
        FlushDependents(op.Destination, at);
        Operand place = AtomicPlace(op, at);
        LoadInto(HostRegister.Rax, op.C, at);
        CompareExchange(place, Use(op.B, RegisterMap.Work, at), op.Size);
        _asm.Load(RegisterMap.Work, Operand.Of(HostRegister.Rax), op.Size);
        Finish(op.Destination, RegisterMap.Work, at);
        return 1;
    }

    private void LoadInto(HostRegister to, byte register, int at) => _asm.Move(to, Use(register, to, at));

    private void CompareExchange(in Operand place, HostRegister value, int size)
    {
        _asm.Byte(0xF0); // LOCK
        _asm.Emit(size == 0 ? 0x0FB0 : 0x0FB1, (int)value, place, wide: size == 3, prefix: size == 1 ? 0x66 : 0, bytes: size == 0);
    }
}
