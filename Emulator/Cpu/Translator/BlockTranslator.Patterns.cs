using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Runs of micro-ops that the host does in one instruction: operations on memory, wide multiplication and division, scans,
/// pops. What is not recognised here goes micro-op by micro-op, or to the interpreter.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private int EmitPattern(int at) => _ops[at].Code switch
    {
        OpCode.Load => EmitLoadPattern(at),
        OpCode.Move => EmitMovePattern(at),
        OpCode.MultiplyWide => EmitMultiplyWide(at, 4),
        OpCode.MultiplyWideSigned => EmitMultiplyWide(at, 5),
        _ => 0,
    };

    private bool Is(int at, OpCode code) => at < _end && _ops[at].Code == code;

    private bool IsStore(int at) => Is(at, OpCode.Store) || Is(at, OpCode.StoreIfUnchanged);

    private bool IsSameAddress(int load, int store) => _ops[load].A == _ops[store].A && _ops[load].Immediate == _ops[store].Immediate && _ops[load].Size == _ops[store].Size;

    private int EmitLoadPattern(int at)
    {
        byte old = _ops[at].Destination;
        if (!IsTemporary(old))
            return 0;
        if (Is(at + 1, OpCode.GetFlags) && Is(at + 4, OpCode.SetFlags))
            return EmitCompareExchange(at);
        if (IsStore(at + 2) && IsSameAddress(at, at + 2) && _ops[at + 1].A == old && _ops[at + 1].Destination == _ops[at + 2].B && _lastUse[_ops[at + 1].Destination] == at + 2)
            return EmitReadModifyWrite(at);
        if (IsStore(at + 1) && IsSameAddress(at, at + 1) && _ops[at + 1].Code == OpCode.StoreIfUnchanged)
            return EmitExchange(at);
        // POP: the load first, so that it is the last that may fault.
        if (Is(at + 1, OpCode.AddImmediate) && at + 3 == _end && _ops[at + 2].A == old && _ops[at + 2].Code is OpCode.Move && !IsTemporary(_ops[at + 2].Destination))
            return EmitPop(at);
        return 0;
    }

    private int EmitPop(int at)
    {
        byte destination = _ops[at + 2].Destination;
        ref MicroOp load = ref _ops[at];
        ref MicroOp move = ref _ops[at + 1];
        if (move.Destination != _map.StackPointer || destination == _map.StackPointer || load.Size != 3 || move.Immediate != (int)move.Immediate)
            return 0;
        bool isLeave = move.A != _map.StackPointer;
        if (move.A >= _map.Count || _hosts[move.A] == HostRegister.None)
            return 0;
        Operand from = GuestOperand(load.A, load.Immediate, at);
        HostRegister target = Target(destination);
        if (!isLeave && _defersStack)
        {
            _asm.Load(target, from, 3);
            MoveStack((int)move.Immediate);
            Finish(destination, target, at + 2);
            return 3;
        }
        HostRegister stack = HostOf(_map.StackPointer);
        if (isLeave && destination == move.A)
        {
            // LEAVE: the frame pointer is both the address and the destination.
            _asm.Load(RegisterMap.Work, from, 3);
            _asm.AddressOf(stack, Operand.Sum(HostOf(move.A), HostRegister.None, 0, (int)move.Immediate));
            MoveCheck(_map.StackPointer, move.A, move.Immediate);
            Finish(destination, RegisterMap.Work, at + 2);
            return 3;
        }
        _asm.Load(target, from, 3);
        _asm.AddressOf(stack, Operand.Sum(HostOf(move.A), HostRegister.None, 0, (int)move.Immediate));
        MoveCheck(_map.StackPointer, move.A, move.Immediate);
        Finish(destination, target, at + 2);
        return 3;
    }

    // ---- memory destinations ---------------------------------------------------------------------------------------

    /// <summary>Load, operation, store, and the operation once more for its flags: one instruction on memory.</summary>
    private int EmitReadModifyWrite(int at)
    {
        MicroOp op = _ops[at + 1];
        bool isLocked = _ops[at + 2].Code == OpCode.StoreIfUnchanged;
        bool setsFlags = at + 3 < _end && _ops[at + 3].Destination == MicroOp.Discard && (_ops[at + 3].Code == op.Code || _ops[at + 3].Code == OpCode.Nop);
        if (!setsFlags && at + 3 < _end && _ops[at + 3].Code == OpCode.Nop)
            setsFlags = true;
        int used = setsFlags ? 4 : 3;
        // Without the flags' micro-op it must not change them: only NOT does not.
        if (!setsFlags && op.Code != OpCode.Not)
            return 0;
        if (_lastUse[_ops[at].Destination] > at + 3 || op.Size != _ops[at].Size)
            return 0;
        return op.Code switch
        {
            >= OpCode.Add and <= OpCode.SubtractBorrowImmediate => EmitBinaryOnMemory(at, op, isLocked) ? used : 0,
            OpCode.Increment => EmitUnaryOnMemory(at, 0xFE, 0, op, isLocked, used),
            OpCode.Decrement => EmitUnaryOnMemory(at, 0xFE, 1, op, isLocked, used),
            OpCode.Not => EmitUnaryOnMemory(at, 0xF6, 2, op, isLocked, used),
            OpCode.Negate => EmitUnaryOnMemory(at, 0xF6, 3, op, isLocked, used),
            >= OpCode.ShiftLeft and <= OpCode.RotateCarryRightImmediate => EmitShiftOnMemory(at, op) ? used : 0,
            _ => 0,
        };
    }

    private static ReadOnlySpan<byte> BinaryGroup => [GroupAdd, GroupSubtract, GroupAnd, GroupOr, GroupXor, GroupAddCarry, GroupSubtractBorrow];

    private bool EmitBinaryOnMemory(int at, in MicroOp op, bool isLocked)
    {
        int group = BinaryGroup[(op.Code - OpCode.Add) >> 1];
        bool isImmediate = IsImmediateForm(op.Code);
        long constant = op.Immediate;
        if (!isImmediate && TryConstant(op.B, out long value))
            (isImmediate, constant) = (true, value);
        if (isImmediate && op.Size == 3 && constant != (int)constant)
            return false;
        if (!isImmediate && IsTemporary(op.B) && _values[op.B].Kind is Kind.Load || (_values[op.B] is { Kind: Kind.Sum, IsCopy: false } && IsTemporary(op.B)))
            Materialize(op.B, at);
        FlushLoads(at + 1);
        Operand place = GuestOperand(_ops[at].A, _ops[at].Immediate, at);
        HostRegister second = isImmediate ? HostRegister.None : Use(op.B, RegisterMap.Work, at);
        if (isLocked)
            _asm.Byte(0xF0);
        if (isImmediate)
            _asm.AluImmediate(group, place, (int)constant, op.Size);
        else
            _asm.Alu(group << 3, (int)second, place, op.Size);
        return true;
    }

    private int EmitUnaryOnMemory(int at, int opcode, int extension, in MicroOp op, bool isLocked, int used)
    {
        Operand place = GuestOperand(_ops[at].A, _ops[at].Immediate, at);
        if (isLocked)
            _asm.Byte(0xF0);
        _asm.Alu(opcode, extension, place, op.Size);
        return used;
    }

    private bool EmitShiftOnMemory(int at, in MicroOp op)
    {
        bool isImmediate = ((op.Code - OpCode.ShiftLeft) & 1) != 0;
        if (!isImmediate && !IsCounter(op.B))
            return false;
        Operand place = GuestOperand(_ops[at].A, _ops[at].Immediate, at);
        if (!isImmediate)
            LoadCounter(Counter, at);
        _asm.Alu(isImmediate ? 0xC0 : 0xD2, ShiftGroup[(op.Code - OpCode.ShiftLeft) >> 1], place, op.Size);
        if (isImmediate)
            _asm.Byte((int)op.Immediate);
        return true;
    }

    /// <summary>XCHG with memory: [Move source] Load old, StoreIfUnchanged source, write old.</summary>
    private int EmitExchange(int at)
    {
        byte source = _ops[at + 1].B, old = _ops[at].Destination;
        if (at + 3 != _end || _ops[at + 2].A != old || !IsWrite(at + 2, _ops[at].Size) || !(IsTemporary(source) && _values[source].IsCopy && _values[source].Base == _ops[at + 2].Destination))
            return 0;
        byte register = _ops[at + 2].Destination;
        Operand place = GuestOperand(_ops[at].A, _ops[at].Immediate, at);
        HostRegister value = Use(register, RegisterMap.Work, at);
        _asm.Alu(0x86, (int)value, place, _ops[at].Size);
        if (value == RegisterMap.Work)
            FinishNarrow(register, value, _ops[at].Size, at + 2);
        Unverify(register);
        return 3;
    }

    /// <summary>A write of 1 &lt;&lt; size bytes to a guest register, as instructions of that size do.</summary>
    private bool IsWrite(int at, int size) => at < _end && !IsTemporary(_ops[at].Destination) && _ops[at].Code switch
    {
        OpCode.Move => size == 3,
        OpCode.ZeroExtend => size == 2 && _ops[at].Size == 2,
        OpCode.Insert => size == _ops[at].Size,
        _ => false,
    };

    /// <summary>Stores back a register whose narrow part an instruction changed in a copy of it.</summary>
    private void FinishNarrow(byte register, HostRegister value, int size, int at)
    {
        if (size < 2)
            _asm.Store(Place(register), value, size);
        else
            Finish(register, value, at);
    }

    /// <summary>CMPXCHG on memory, in the ten micro-ops of its lowering.</summary>
    private int EmitCompareExchange(int at)
    {
        int size = _ops[at].Size;
        if (!Is(at + 2, OpCode.Subtract) || !Is(at + 3, OpCode.Select) || !IsStore(at + 5) || !IsSameAddress(at, at + 5)
            || !(Is(at + 6, OpCode.Subtract) || Is(at + 6, OpCode.Nop)) || !Is(at + 7, OpCode.Move) || !Is(at + 9, OpCode.Select) || at + 10 != _end)
            return 0;
        byte source = _ops[at + 3].A;
        Settle(source, at);
        Operand place = GuestOperand(_ops[at].A, _ops[at].Immediate, at);
        HostRegister value = Use(source, RegisterMap.Work, at);
        if (_ops[at + 5].Code == OpCode.StoreIfUnchanged)
            _asm.Byte(0xF0);
        // 16 bits want their prefix before the opcode's two bytes.
        _asm.Emit(size == 0 ? 0x0FB0 : 0x0FB1, (int)value, place, wide: size == 3, prefix: size == 1 ? 0x66 : 0, bytes: size == 0);
        Unverify(0);
        return 10;
    }

    // ---- wide arithmetic, scans, XADD --------------------------------------------------------------------------------

    private int EmitMovePattern(int at)
    {
        if (Is(at + 1, OpCode.Divide) || Is(at + 1, OpCode.DivideSigned))
            return EmitDivide(at);
        if ((Is(at + 1, OpCode.BitScanForward) || Is(at + 1, OpCode.BitScanReverse)) && Is(at + 2, OpCode.Move) && Is(at + 4, OpCode.Select) && at + 5 == _end)
            return EmitScan(at);
        if (Is(at + 1, OpCode.Load) && Is(at + 2, OpCode.Add) && IsStore(at + 3) && IsSameAddress(at + 1, at + 3))
            return EmitExchangeAdd(at);
        return 0;
    }

    /// <summary>XADD: Move addend, Load old, Add, store, Add for the flags, write old.</summary>
    private int EmitExchangeAdd(int at)
    {
        int size = _ops[at + 1].Size;
        byte register = _ops[at].A;
        if (IsTemporary(register) || !(Is(at + 4, OpCode.Add) || Is(at + 4, OpCode.Nop)) || !IsWrite(at + 5, size) || at + 6 != _end || _ops[at + 5].Destination != register)
            return 0;
        Operand place = GuestOperand(_ops[at + 1].A, _ops[at + 1].Immediate, at);
        HostRegister value = Use(register, RegisterMap.Work, at);
        if (_ops[at + 3].Code == OpCode.StoreIfUnchanged)
            _asm.Byte(0xF0);
        _asm.Emit(size == 0 ? 0x0FC0 : 0x0FC1, (int)value, place, wide: size == 3, prefix: size == 1 ? 0x66 : 0, bytes: size == 0);
        if (value == RegisterMap.Work)
            FinishNarrow(register, value, size, at + 5);
        Unverify(register);
        return 6;
    }

    /// <summary>MUL and IMUL of the accumulator: the product and its two writes.</summary>
    private int EmitMultiplyWide(int at, int extension)
    {
        MicroOp op = _ops[at];
        int writes = op.Size == 0 ? 1 : 2;
        if (op.A != 0 || at + 1 + writes != _end || !IsWrite(at + 1, op.Size == 0 ? 1 : op.Size) || _ops[at + 1].Destination != 0 || _ops[at + 1].A != op.Destination
            || (writes == 2 && (!IsWrite(at + 2, op.Size) || _ops[at + 2].Destination != 2 || _ops[at + 2].A != op.C)) || MustKeepFlags(at))
            return 0;
        EmitOnAccumulator(at, op, extension);
        return 1 + writes;
    }

    /// <summary>DIV and IDIV: Move remainder, the division, its two writes. A divide error is the host's own.</summary>
    private int EmitDivide(int at)
    {
        MicroOp op = _ops[at + 1];
        bool highByte = op.Size == 0 && Is(at + 3, OpCode.InsertHigh) && _ops[at + 3].Destination == 0;
        if (op.A != 0 || at + 4 != _end || _ops[at].A != 2 || !IsWrite(at + 2, op.Size) || _ops[at + 2].Destination != 0 || _ops[at + 2].A != op.Destination
            || _ops[at + 3].A != op.C || !(highByte || (IsWrite(at + 3, op.Size) && _ops[at + 3].Destination == 2)))
            return 0;
        EmitOnAccumulator(at + 1, op, op.Code == OpCode.Divide ? 6 : 7);
        return 4;
    }

    private void EmitOnAccumulator(int at, in MicroOp op, int extension)
    {
        Operand second = UseOperand(op.B, op.Size, RegisterMap.Work, at);
        _asm.Alu(0xF6, extension, second, op.Size);
        Unverify(0);
        Unverify(2);
    }

    /// <summary>BSF and BSR, which leave their destination when the source is zero.</summary>
    private int EmitScan(int at)
    {
        MicroOp op = _ops[at + 1];
        byte register = _ops[at].A;
        if (IsTemporary(register) || _ops[at + 4].Destination != register || op.Size == 0 || op.Size == 1)
            return 0;
        Operand from = UseOperand(op.A, op.Size, RegisterMap.Work, at + 1);
        HostRegister target = HostOf(register);
        if (target == HostRegister.None)
        {
            target = from.Uses(RegisterMap.Work) || from.IsMemory ? SecondScratchUnless(from, at) : RegisterMap.Work;
            _asm.Load(target, SlotOf(register), 3);
        }
        _asm.Emit(op.Code == OpCode.BitScanForward ? 0x0FBC : 0x0FBD, (int)target, from, wide: op.Size == 3);
        Finish(register, target, at + 4);
        return 5;
    }

    /// <summary>A register that an operand does not use.</summary>
    private HostRegister SecondScratchUnless(in Operand operand, int at)
    {
        if (!operand.Uses(RegisterMap.Work))
            return RegisterMap.Work;
        AcquireScratch(at);
        return RegisterMap.Scratch;
    }
}
