using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>Guest memory: addresses, their checks, loads and stores.</summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>
    /// How far an access may be from a checked register: half of the guards on both sides of a window, so that a register may
    /// also have moved by as much since its check.
    /// </summary>
    private const long Reach = 1L << 30;

    /// <summary>Displacements below this are those of structures, whose base is a pointer: the base is checked, once for many accesses.</summary>
    private const long StructureReach = 1 << 16;

    /// <summary>How far the stack pointer may be outside of the window between blocks.</summary>
    private const long StackReach = 1 << 20;

    /// <summary>
    /// How far an instruction may move the stack pointer without a check in its block, where that looks at the budget: as this is spent, the
    /// sum stays within the guards.
    /// </summary>
    private const int StackDrift = 64;

    /// <summary>For each guest register: whether its value was checked to be in the window, and by how much it moved since.</summary>
    private readonly (bool IsChecked, long Moved)[] _checks = new (bool, long)[RegisterMap.MostRegisters];

    /// <summary>Every block leaves the stack pointer near the window (<see cref="SettleStackPointer"/>).</summary>
    private void ForgetChecks()
    {
        Array.Clear(_checks);
        Array.Clear(_isSmall);
        _checks[_map.StackPointer] = (true, 0);
        _stackTouched = false;
    }

    /// <summary>A register becomes another plus a constant.</summary>
    private void MoveCheck(byte to, byte from, long by)
    {
        if (to >= _map.Count)
            return;
        _isSmall[to] &= from == to && by == 0;
        _checks[to] = from < _map.Count ? (_checks[from].IsChecked, _checks[from].Moved + by) : default;
        if (to == _map.StackPointer && from != to)
            _stackTouched = true;
    }

    private void Unverify(byte register)
    {
        if (register < _map.Count)
            (_checks[register], _isSmall[register]) = (default, false);
    }

    /// <summary>Which guest registers have a value below 2^16: bytes, words and such, which are indexes of tables.</summary>
    private readonly bool[] _isSmall = new bool[RegisterMap.MostRegisters];

    /// <summary>What was just written to a register is below 2^16.</summary>
    private void NoteSmall(byte register)
    {
        if (register < _map.Count)
            _isSmall[register] = true;
    }

    private bool IsChecked(byte register) => register < _map.Count && _checks[register] is { IsChecked: true } check && Math.Abs(check.Moved) < Reach - StructureReach;

    /// <summary>Faults unless a register's value is below the window's size; leaves the flags alone.</summary>
    private void Probe(HostRegister value)
    {
        _asm.ShiftRight(RegisterMap.Work, value, RegisterMap.Budget);
        _asm.Emit(0x8B, (int)RegisterMap.Work, Operand.Memory(RegisterMap.Work, Gate.ProbeAddress));
    }

    /// <summary>The operand of an access at register + displacement, checked; may use the scratch and work registers.</summary>
    private Operand GuestOperand(byte register, long displacement, int at)
    {
        Value sum = SumOf(register);
        sum.Displacement += displacement;
        return GuestOperand(sum, at);
    }

    private Operand GuestOperand(in Value sum, int at)
    {
        bool isPlain = sum.Index == NoRegister;
        if (isPlain && sum.Base == NoRegister && TryKnownAddress(sum, at, out Operand known))
            return known;
        if (isPlain && sum.Thread == 0 && sum.Base < _map.Count && Math.Abs(sum.Displacement) < StructureReach)
            return BaseOperand(sum.Base, (int)sum.Displacement, at);
        if (sum.Index < _map.Count && _isSmall[sum.Index] && TryIndexedOperand(sum, at, out Operand indexed))
            return indexed;
        // The address itself, so that it is right whatever the registers hold.
        bool inPlace = _holder != 0 && (sum.Base == _holder || sum.Index == _holder);
        if (_holder != 0)
            AcquireScratch(inPlace && IsLastUse(_holder, at) ? at + 1 : at);
        if (inPlace)
            ComputeInPlace(sum);
        else
            ComputeSum(RegisterMap.Scratch, sum);
        Probe(RegisterMap.Scratch);
        return Operand.Guest(RegisterMap.Scratch, 0);
    }

    /// <summary>A sum whose base or index was in the scratch register, which still has its value.</summary>
    private void ComputeInPlace(Value sum)
    {
        HostRegister first = InScratch(sum.Base) ? RegisterMap.Scratch : HostRegister.None;
        if (first != HostRegister.None && sum.Index == NoRegister)
        {
            (sum.Base, long displacement) = (NoRegister, sum.Displacement);
            if (displacement == (int)displacement)
                _asm.AddressOf(RegisterMap.Scratch, Operand.Sum(first, HostRegister.None, 0, (int)displacement));
            else
            {
                _asm.Move(RegisterMap.Work, displacement);
                _asm.AddressOf(RegisterMap.Scratch, Operand.Sum(first, RegisterMap.Work, 0, 0));
            }
            AddThread(sum.Thread);
            return;
        }
        // Its slot was not written when this is its last use: write it now.
        byte held = first != HostRegister.None ? sum.Base : sum.Index;
        _asm.Store(TemporarySlot(held), RegisterMap.Scratch, 3);
        _values[held].Kind = Kind.Slot;
        ComputeSum(RegisterMap.Scratch, sum);
    }

    private bool InScratch(byte register) => IsTemporary(register) && register != NoRegister && _values[register].Kind is Kind.Slot or Kind.Scratch;

    private void AddThread(byte thread)
    {
        if (thread == 0)
            return;
        _asm.Load(RegisterMap.Work, Operand.Memory(HostRegister.Rsp, thread == 1 ? Frame.FsBase : Frame.GsBase), 3);
        _asm.AddressOf(RegisterMap.Scratch, Operand.Sum(RegisterMap.Scratch, RegisterMap.Work, 0, 0));
    }

    /// <summary>Constant addresses, and those near a thread base, which <see cref="Translator"/> checks on entry.</summary>
    private bool TryKnownAddress(in Value sum, int at, out Operand operand)
    {
        operand = default;
        long displacement = sum.Displacement;
        if (sum.Thread != 0)
        {
            if (Math.Abs(displacement) >= Reach)
                return false;
            AcquireScratch(at);
            _asm.Load(RegisterMap.Scratch, Operand.Memory(HostRegister.Rsp, sum.Thread == 1 ? Frame.FsBase : Frame.GsBase), 3);
            operand = Operand.Guest(RegisterMap.Scratch, (int)displacement);
            return true;
        }
        if ((ulong)displacement > Operand.LastAbsolute)
            return false;
        operand = Operand.GuestAbsolute((uint)displacement);
        return true;
    }

    /// <summary>A small index reaches no further from a checked register, or from a constant, than the guards do.</summary>
    private bool TryIndexedOperand(in Value sum, int at, out Operand operand)
    {
        operand = default;
        HostRegister index = HostOf(sum.Index);
        bool isTable = sum.Base == NoRegister && sum.Displacement is >= 0 and <= int.MaxValue - (ushort.MaxValue << 3);
        bool isBased = sum.Base < _map.Count && Math.Abs(sum.Displacement) < StructureReach;
        if (sum.Thread != 0 || index == HostRegister.None || !(isTable || isBased))
            return false;
        operand = isTable ? new Operand(HostRegister.None, HostRegister.None, 0, (int)sum.Displacement, IsMemory: true, IsGuest: true) : BaseOperand(sum.Base, (int)sum.Displacement, at);
        operand = operand with { Index = index, Scale = sum.Scale };
        return true;
    }

    private Operand BaseOperand(byte register, int displacement, int at)
    {
        HostRegister host = _hosts[register];
        if (register == _map.StackPointer)
            displacement += _stackMove;
        if (host == HostRegister.None)
        {
            AcquireScratch(at);
            host = Use(register, RegisterMap.Scratch, at);
        }
        if (!IsChecked(register))
            Probe(host);
        // The access that follows is itself a check.
        _checks[register] = (true, 0);
        _stackTouched |= register == _map.StackPointer;
        return Operand.Guest(host, displacement);
    }

    /// <summary>Whether the stack pointer was checked in this block, be it by an access.</summary>
    private bool _stackTouched;

    /// <summary>
    /// Before a block is left: the stack pointer must be near the window, since the next block takes that for granted. It is when
    /// it did not move, or was checked in this block and moved little since.
    /// </summary>
    private void SettleStackPointer()
    {
        (bool isChecked, long moved) = _checks[_map.StackPointer];
        if (isChecked && Math.Abs(moved) <= StackReach && (moved == 0 || _stackTouched))
            return;
        if (isChecked && HasPolled && Math.Abs(moved) <= StackDrift * (_instruction + 1))
            return;
        FlushStack();
        Probe(HostOf(_map.StackPointer));
        _checks[_map.StackPointer] = (true, 0);
        _stackTouched = true;
    }

    // ---- loads and stores ------------------------------------------------------------------------------------------

    private int EmitMemory(int at)
    {
        ref MicroOp op = ref _ops[at];
        switch (op.Code)
        {
            case OpCode.Load or OpCode.LoadSigned:
                int used = EmitLoad(op, at);
                if (op is { Code: OpCode.Load, Size: < 2 })
                    NoteSmall(op.Destination);
                return used;
            case OpCode.Store:
                EmitStore(op, at);
                return 1;
            case OpCode.ClearBlock:
                return EmitClearBlock(op, at);
            case OpCode.CheckAlignment:
                return EmitCheckIntegerAlignment(op, at);
            case OpCode.StoreIfUnchanged:
                return _map.HasAccumulator ? EmitStoreIfUnchanged(op, at) : 0;
            case OpCode.StoreReserved:
                return _map.HasAccumulator ? EmitStoreReserved(op, at) : 0;
            case OpCode.CompareExchange:
                return _map.HasAccumulator ? EmitCompareExchange(op, at) : 0;
            case OpCode.String:
                return EmitString(op);
            case OpCode.TimeStamp:
                return EmitTimeStamp(at);
            default:
                return 0;
        }
    }

    private int EmitLoad(in MicroOp op, int at)
    {
        Value load = SumOf(op.A);
        load.Kind = Kind.Load;
        load.Displacement += op.Immediate;
        load.Size = op.Size;
        load.IsSigned = op.Code == OpCode.LoadSigned;
        if (IsTemporary(op.Destination))
        {
            Set(op.Destination, load);
            return 1;
        }
        Operand from = GuestOperand(load, at);
        FlushDependents(op.Destination, at);
        HostRegister target = Target(op.Destination);
        LoadInto(target, from, load);
        Finish(op.Destination, target, at);
        return 1;
    }

    private int EmitClearBlock(in MicroOp op, int at)
    {
        if (op.Immediate != 0 || !TryFreeFlags(at))
            return 0;
        AcquireScratch(at);
        _asm.Move(RegisterMap.Scratch, Use(op.A, RegisterMap.Scratch, at));
        _asm.AluImmediate(GroupAnd, Operand.Of(RegisterMap.Scratch), -(1 << op.Size), 3);
        Probe(RegisterMap.Scratch);
        for (int from = 0; from < 1 << op.Size; from += sizeof(ulong))
            _asm.StoreImmediate(Operand.Guest(RegisterMap.Scratch, from), 0, 3);
        return 1;
    }

    private void EmitStore(in MicroOp op, int at)
    {
        if (IsTemporary(op.B) && _values[op.B] is { Kind: Kind.Sum, IsCopy: false } or { Kind: Kind.Load })
            Materialize(op.B, at);
        Operand to = GuestOperand(op.A, op.Immediate, at);
        if (TryConstant(op.B, out long value) && (op.Size < 3 || value == (int)value))
        {
            _asm.StoreImmediate(to, (int)value, op.Size);
            return;
        }
        _asm.Store(to, Use(op.B, RegisterMap.Work, at), op.Size);
    }
}
