using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>Moves between registers, binary and unary arithmetic, shifts.</summary>
internal sealed unsafe partial class BlockTranslator
{
    // Group 1's operations: the reg field of an immediate form, and bits 5:3 of the register forms.
    private const int GroupAdd = 0;
    private const int GroupOr = 1;
    private const int GroupAddCarry = 2;
    private const int GroupSubtractBorrow = 3;
    private const int GroupAnd = 4;
    private const int GroupSubtract = 5;
    private const int GroupXor = 6;
    private const int GroupCompare = 7;

    private int EmitMove(int at)
    {
        ref MicroOp op = ref _ops[at];
        switch (op.Code)
        {
            case OpCode.Move:
                return EmitCopy(op, at);
            case OpCode.MoveImmediate:
                EmitConstant(op, at);
                return 1;
            case OpCode.ZeroExtend or OpCode.SignExtend:
                return EmitExtend(op, at);
            case OpCode.Insert:
                EmitInsert(op.Destination, op.A, op.Size, at);
                return 1;
            case OpCode.InsertHigh:
                return EmitInsertHigh(op, at);
            case OpCode.ExtractHigh:
                _asm.RotateRight(RegisterMap.Work, Use(op.A, RegisterMap.Work, at), 8);
                _asm.Load(RegisterMap.Work, Operand.Of(RegisterMap.Work), 0);
                Finish(op.Destination, RegisterMap.Work, at);
                return 1;
            case OpCode.AddressOf:
                return EmitAddressOf(op, at);
            case OpCode.AddThreadBase:
                return EmitAddThreadBase(op);
            default:
                return 0;
        }
    }

    private int EmitCopy(in MicroOp op, int at)
    {
        if (IsTemporary(op.Destination) && !IsTemporary(op.A))
        {
            Set(op.Destination, SumOf(op.A));
            return 1;
        }
        if (op.Destination == op.A)
            return 1;
        FlushDependents(op.Destination, at);
        (bool isChecked, long moved) = op.A < _map.Count ? _checks[op.A] : default;
        HostRegister target = Target(op.Destination);
        HostRegister value = Use(op.A, target, at);
        Finish(op.Destination, value, at);
        if (isChecked)
            MoveCheck(op.Destination, op.A, 0);
        return 1;
    }

    private void EmitConstant(in MicroOp op, int at)
    {
        if (IsTemporary(op.Destination))
        {
            Set(op.Destination, new Value { Kind = Kind.Constant, Displacement = op.Immediate });
            return;
        }
        FlushDependents(op.Destination, at);
        HostRegister target = Target(op.Destination);
        _asm.Move(target, op.Immediate);
        Finish(op.Destination, target, at);
    }

    private int EmitExtend(in MicroOp op, int at)
    {
        bool isSigned = op.Code == OpCode.SignExtend;
        if (isSigned && op.Size == 2 && op.Destination == op.A && IsKnownWord(op.A) && at == _block.Instructions[_instruction].Op)
            return 1;
        if (isSigned && op.Size == 2 && op.Destination == op.A && MayStayNarrow(op.A))
        {
            _nextNarrow |= Bit(op.A);
            Unverify(op.A);
            return 1;
        }
        if (TryConstant(op.A, out long constant) && IsTemporary(op.Destination))
        {
            int unused = 64 - (8 << op.Size);
            Set(op.Destination, new Value { Kind = Kind.Constant, Displacement = isSigned ? constant << unused >> unused : (long)((ulong)constant << unused >> unused) });
            return 1;
        }
        (byte destination, int used, bool wide) = ExtendedDestination(at);
        FlushDependents(destination, at);
        HostRegister target = Target(destination);
        if (IsTemporary(op.A) && _values[op.A] is { Kind: Kind.Sum, IsCopy: false, Thread: 0 } sum && op.Size == 2 && !isSigned)
            ComputeSum32(target, sum, at);
        else if (IsTemporary(op.A) && _values[op.A] is { Kind: Kind.Load } load && IsLastUse(op.A, at) && !isSigned && (op.Size == 2 || !load.IsSigned) && load.Size <= op.Size)
            Extend(target, GuestOperand(load, at), load.Size, load.IsSigned, wide: false);
        else
            Extend(target, UseOperand(op.A, op.Size, RegisterMap.Work, at), op.Size, isSigned, wide);
        Finish(destination, target, at + used - 1);
        if (!isSigned && op.Size < 2)
            NoteSmall(destination);
        return used;
    }

    /// <summary>The guest register that an extension's result goes to at once, and whether 64 bits of it are wanted.</summary>
    private (byte Register, int Used, bool Wide) ExtendedDestination(int at)
    {
        byte register = _ops[at].Destination;
        if (!IsTemporary(register) || at + 1 >= _end || _ops[at + 1].A != register || _lastUse[register] != at + 1 || IsTemporary(_ops[at + 1].Destination))
            return (register, 1, true);
        ref MicroOp next = ref _ops[at + 1];
        if (next.Code == OpCode.Move)
            return (next.Destination, 2, true);
        return next is { Code: OpCode.ZeroExtend, Size: 2 } ? (next.Destination, 2, false) : (register, 1, true);
    }

    private void Extend(HostRegister target, in Operand from, int size, bool isSigned, bool wide)
    {
        if (!isSigned)
            _asm.Load(target, from, size);
        else if (wide)
            _asm.LoadSigned(target, from, size);
        else
            _asm.Emit(size switch { 0 => 0x0FBE, 1 => 0x0FBF, _ => 0x8B }, (int)target, from, bytes: size == 0);
    }

    /// <summary>LEA with a 32-bit destination.</summary>
    private void ComputeSum32(HostRegister target, in Value sum, int at)
    {
        if (sum.Base is not NoRegister && !IsTemporary(sum.Base) && HostOf(sum.Base) is not HostRegister.None and var first
            && (sum.Index == NoRegister || (!IsTemporary(sum.Index) && HostOf(sum.Index) != HostRegister.None)))
        {
            HostRegister index = sum.Index == NoRegister ? HostRegister.None : HostOf(sum.Index);
            _asm.AddressOf(target, Operand.Sum(first, index, sum.Scale, (int)sum.Displacement), wide: false);
            return;
        }
        AcquireScratch(at);
        ComputeSum(RegisterMap.Scratch, sum);
        _asm.Move32(target, RegisterMap.Scratch);
    }

    /// <summary>Merges the low bytes of a value into a register.</summary>
    private void EmitInsert(byte destination, byte value, int size, int at)
    {
        FlushDependents(destination, at);
        if (IsTemporary(destination))
            Localize(destination, at);
        if (TryConstant(value, out long constant))
        {
            _asm.StoreImmediate(Place(destination), (int)constant, size);
        }
        else
        {
            HostRegister from = Use(value, RegisterMap.Work, at);
            _asm.Store(Place(destination), from, size);
        }
        Unverify(destination);
    }

    /// <summary>Makes a temporary a value of its own, in its slot.</summary>
    private void Localize(byte temporary, int at)
    {
        if (_values[temporary].Kind == Kind.Slot)
            return;
        HostRegister value = Use(temporary, RegisterMap.Work, at);
        _asm.Store(TemporarySlot(temporary), value, 3);
        if (_holder == temporary)
            _holder = 0;
        _values[temporary] = new Value { Kind = Kind.Slot };
    }

    /// <summary>Where a guest register or a temporary in its slot is.</summary>
    private Operand Place(byte register)
    {
        if (IsTemporary(register))
            return TemporarySlot(register);
        HostRegister host = HostOf(register);
        return host == HostRegister.None ? SlotOf(register) : Operand.Of(host);
    }

    private int EmitInsertHigh(in MicroOp op, int at)
    {
        if (IsTemporary(op.Destination))
            return 0;
        FlushDependents(op.Destination, at);
        Operand place = HostOf(op.Destination) == HostRegister.None ? SlotOf(op.Destination) with { } : default;
        if (place.IsMemory)
        {
            HostRegister low = Use(op.A, RegisterMap.Work, at);
            _asm.Store(place with { Displacement = place.Displacement + 1 }, low, 0);
            return 1;
        }
        HostRegister host = HostOf(op.Destination);
        HostRegister value = Use(op.A, RegisterMap.Work, at);
        if (value == host)
        {
            _asm.Move(RegisterMap.Work, value);
            value = RegisterMap.Work;
        }
        _asm.RotateRight(host, host, 8);
        _asm.Store(Operand.Of(host), value, 0);
        _asm.RotateRight(host, host, 56);
        Unverify(op.Destination);
        return 1;
    }

    private int EmitAddressOf(in MicroOp op, int at)
    {
        var sum = new Value { Kind = Kind.Sum, Base = op.A, Index = op.B, Scale = op.C, Displacement = op.Immediate };
        if (TryConstant(op.A, out long constant))
            (sum.Base, sum.Displacement) = (NoRegister, sum.Displacement + constant);
        if (IsTemporary(op.Destination))
        {
            Set(op.Destination, sum);
            return 1;
        }
        FlushDependents(op.Destination, at);
        AcquireScratch(at);
        ComputeSum(RegisterMap.Scratch, sum);
        Finish(op.Destination, RegisterMap.Scratch, at);
        return 1;
    }

    private int EmitAddThreadBase(in MicroOp op)
    {
        Value sum = SumOf(op.A);
        // XLAT adds to its own temporary, which cannot be a sum with itself.
        if (sum.Thread != 0 || !IsTemporary(op.Destination) || sum.Uses(op.Destination))
            return 0;
        sum.Thread = (byte)(op.Immediate + 1);
        Set(op.Destination, sum);
        return 1;
    }

    // ---- arithmetic ------------------------------------------------------------------------------------------------

    private int EmitArithmetic(int at)
    {
        OpCode code = _ops[at].Code;
        return code switch
        {
            OpCode.Add or OpCode.AddImmediate => EmitBinary(at, GroupAdd),
            OpCode.Subtract or OpCode.SubtractImmediate => EmitBinary(at, GroupSubtract),
            OpCode.And or OpCode.AndImmediate => EmitBinary(at, GroupAnd),
            OpCode.Or or OpCode.OrImmediate => EmitBinary(at, GroupOr),
            OpCode.Xor or OpCode.XorImmediate => EmitBinary(at, GroupXor),
            OpCode.AddCarry or OpCode.AddCarryImmediate => EmitBinary(at, GroupAddCarry),
            OpCode.SubtractBorrow or OpCode.SubtractBorrowImmediate => EmitBinary(at, GroupSubtractBorrow),
            OpCode.Increment => EmitUnary(at, 0xFE, 0),
            OpCode.Decrement => EmitUnary(at, 0xFE, 1),
            OpCode.Not => EmitUnary(at, 0xF6, 2),
            OpCode.Negate => EmitUnary(at, 0xF6, 3),
            OpCode.ShiftDoubleLeft => EmitShiftDouble(at, 0x0FA4),
            OpCode.ShiftDoubleRight => EmitShiftDouble(at, 0x0FAC),
            _ => EmitShift(at),
        };
    }

    /// <summary>Immediate forms are the odd ones, behind their register forms.</summary>
    private static bool IsImmediateForm(OpCode code) => ((code - OpCode.Add) & 1) != 0;

    /// <summary>Where a result goes: a write of it to a guest register that follows is part of it; one of 32 bits may have its sign extended.</summary>
    private readonly record struct Destination(byte Register, int Used, bool IsMerge, bool IsSigned = false);

    private Destination DestinationOf(int at)
    {
        ref MicroOp op = ref _ops[at];
        byte register = op.Destination;
        if (!IsTemporary(register) || register == MicroOp.Discard || at + 1 >= _end || _ops[at + 1].A != register || _lastUse[register] != at + 1)
            return new Destination(register, 1, false);
        ref MicroOp next = ref _ops[at + 1];
        return next.Code switch
        {
            OpCode.Move when !IsTemporary(next.Destination) => new Destination(next.Destination, 2, false),
            OpCode.ZeroExtend when !IsTemporary(next.Destination) && next.Size == op.Size && op.Size == 2 => new Destination(next.Destination, 2, false),
            OpCode.SignExtend when !IsTemporary(next.Destination) && next.Size == op.Size && op.Size == 2 => new Destination(next.Destination, 2, false, IsSigned: true),
            OpCode.Insert when !IsTemporary(next.Destination) && next.Size == op.Size => new Destination(next.Destination, 2, true),
            _ => new Destination(register, 1, false),
        };
    }

    private int EmitBinary(int at, int group)
    {
        ref MicroOp op = ref _ops[at];
        Destination destination = DestinationOf(at);
        if (MustKeepFlags(at))
        {
            if (TryEmitSum(at, group, destination) || TryEmitFlagless(at, group, destination))
                return destination.Used;
            if (!TryFreeFlags(at))
                return EmitKeepingFlags(at, group, destination);
        }
        if (op.Flags == FlagMask.None && op.Destination != MicroOp.Discard && destination.Register != op.A && !IsTemporary(destination.Register) && TryEmitSum(at, group, destination))
            return destination.Used;
        (bool isChecked, long moved) = op.A < _map.Count ? _checks[op.A] : default;
        bool isSmall = group == GroupAnd && op.Size >= 2 && !destination.IsMerge && (op.Code == OpCode.AndImmediate || TryConstant(op.B, out _))
            && (op.Code == OpCode.AndImmediate ? op.Immediate : _values[op.B].Displacement) is >= 0 and <= ushort.MaxValue;
        EmitBinary(at, group, destination);
        // A pointer that moved by a constant is still checked.
        if (isChecked && !destination.IsMerge && destination.Register < _map.Count && TryMove(op, group, out long by))
        {
            _checks[op.A] = op.A == destination.Register ? (isChecked, moved) : _checks[op.A];
            MoveCheck(destination.Register, op.A, by);
        }
        if (isSmall)
            NoteSmall(destination.Register);
        return destination.Used;
    }

    /// <summary>Whether a value of 64 bits moves by a constant.</summary>
    private bool TryMove(in MicroOp op, int group, out long by)
    {
        by = op.Immediate;
        bool isConstant = IsImmediateForm(op.Code) || TryConstant(op.B, out by);
        by = group == GroupSubtract ? -by : by;
        return op.Size == 3 && group is GroupAdd or GroupSubtract && isConstant && by == (int)by;
    }

    private int EmitKeepingFlags(int at, int group, Destination destination)
    {
        SaveFlags();
        EmitBinary(at, group, destination);
        RestoreFlags();
        return destination.Used;
    }

    /// <summary>An addition as LEA, which leaves the flags alone.</summary>
    private bool TryEmitSum(int at, int group, Destination destination)
    {
        MicroOp op = _ops[at];
        bool isImmediate = IsImmediateForm(op.Code);
        if (op.Size < 2 || destination.IsMerge || !(group == GroupAdd || (group == GroupSubtract && isImmediate)))
            return false;
        long immediate = group == GroupAdd ? op.Immediate : -op.Immediate;
        (bool isChecked, long moved) = op.A < _map.Count ? _checks[op.A] : default;
        if (isImmediate && op.Size == 3 && IsTemporary(op.Destination) && destination.Used == 1)
        {
            Value sum = SumOf(op.A);
            sum.Displacement += immediate;
            Set(op.Destination, sum);
            return true;
        }
        if (isImmediate && immediate != (int)immediate)
            return false;
        FlushDependents(destination.Register, at);
        Settle(op.A, at);
        if (!isImmediate)
            Settle(op.B, at);
        HostRegister first = Use(op.A, RegisterMap.Work, at);
        HostRegister target = Target(destination.Register);
        if (isImmediate)
        {
            _asm.AddressOf(target, Operand.Sum(first, HostRegister.None, 0, (int)immediate), wide: op.Size == 3);
        }
        else
        {
            HostRegister second = HasHost(op.B) || first != RegisterMap.Work ? Use(op.B, RegisterMap.Work, at) : LoadSecond(op.B, at);
            _asm.AddressOf(target, Operand.Sum(first, second, 0, 0), wide: op.Size == 3);
        }
        SignExtend(destination, target);
        Finish(destination.Register, target, at + destination.Used - 1);
        if (isImmediate && isChecked && op.Size == 3)
        {
            if (destination.Register == op.A)
                _checks[op.A] = (isChecked, moved);
            MoveCheck(destination.Register, op.A, immediate);
        }
        return true;
    }

    /// <summary>Computes a value that would need a register of its own on use.</summary>
    private void Settle(byte register, int at)
    {
        if (IsTemporary(register) && _values[register] is { Kind: Kind.Load } or { Kind: Kind.Sum, IsCopy: false })
            Materialize(register, at);
    }

    /// <summary>True when a value is in a host register already.</summary>
    private bool HasHost(byte register)
    {
        if (!IsTemporary(register))
            return HostOf(register) != HostRegister.None;
        return _values[register].Kind == Kind.Scratch || (_values[register].IsCopy && HasHost(_values[register].Base));
    }

    private HostRegister LoadSecond(byte register, int at)
    {
        AcquireScratch(at);
        return Use(register, RegisterMap.Scratch, at);
    }

    private void EmitBinary(int at, int group, Destination destination)
    {
        MicroOp op = _ops[at];
        bool isImmediate = IsImmediateForm(op.Code);
        long constant = op.Immediate;
        if (!isImmediate && TryConstant(op.B, out long value) && (op.Size < 3 || value == (int)value))
            (isImmediate, constant) = (true, value);
        if (op.Size == 3 && isImmediate && constant != (int)constant)
            throw new InvalidOperationException("an immediate of more than 32 bits");
        if (op.Destination == MicroOp.Discard && group is GroupSubtract or GroupAnd)
            EmitComparison(at, group, isImmediate, constant);
        else if (destination.Register == op.A && !IsTemporary(op.A))
            EmitInPlace(at, group, isImmediate, constant, destination);
        else
            EmitElsewhere(at, group, isImmediate, constant, destination);
    }

    /// <summary>CMP and TEST.</summary>
    private void EmitComparison(int at, int group, bool isImmediate, long constant)
    {
        MicroOp op = _ops[at];
        Operand first;
        if (IsPendingLoad(op.A, op.Size, at))
        {
            if (!isImmediate && IsTemporary(op.B) && _values[op.B].Kind is Kind.Load or Kind.Sum && !_values[op.B].IsCopy)
                Materialize(op.B, at);
            first = GuestOperand(_values[op.A], at);
        }
        else if (!isImmediate && IsPendingLoad(op.B, op.Size, at) && group == GroupSubtract)
        {
            Operand second = GuestOperand(_values[op.B], at);
            HostRegister left = Use(op.A, second.Uses(RegisterMap.Work) ? RegisterMap.Scratch : RegisterMap.Work, at);
            _asm.Alu(0x3A, (int)left, second, op.Size);
            return;
        }
        else
        {
            first = ReadOperand(op.A, op.Size, at);
        }
        if (isImmediate && group == GroupAnd)
        {
            _asm.Alu(0xF6, 0, first, op.Size);
            _asm.Immediate((int)constant, op.Size);
        }
        else if (isImmediate)
        {
            _asm.AluImmediate(GroupCompare, first, (int)constant, op.Size);
        }
        else
        {
            HostRegister second = Use(op.B, first.Uses(RegisterMap.Work) ? SecondScratch(at) : RegisterMap.Work, at);
            _asm.Alu(group == GroupAnd ? 0x84 : 0x38, (int)second, first, op.Size);
        }
    }

    private HostRegister SecondScratch(int at)
    {
        AcquireScratch(at);
        return RegisterMap.Scratch;
    }

    private bool IsPendingLoad(byte register, int size, int at) =>
        IsTemporary(register) && _values[register].Kind == Kind.Load && _values[register].Size == size && IsLastUse(register, at);

    /// <summary>A register's value as an operand; what is nowhere goes into the work register.</summary>
    private Operand ReadOperand(byte register, int size, int at) => UseOperand(register, size, RegisterMap.Work, at);

    /// <summary>register op= value, on the register's own place.</summary>
    private void EmitInPlace(int at, int group, bool isImmediate, long constant, Destination destination)
    {
        MicroOp op = _ops[at];
        FlushDependents(op.A, at);
        HostRegister host = HostOf(op.A);
        // 32-bit operations clear the upper half, which one on the slot would not.
        bool onSlot = host == HostRegister.None && op.Size != 2;
        if ((host == HostRegister.None && !onSlot) || (destination.IsSigned && host == HostRegister.None))
        {
            EmitElsewhere(at, group, isImmediate, constant, destination);
            return;
        }
        Operand place = Place(op.A);
        if (isImmediate)
        {
            _asm.AluImmediate(group, place, (int)constant, op.Size);
        }
        else
        {
            Operand second = UseOperand(op.B, op.Size, RegisterMap.Work, at);
            if (place.IsMemory && second.IsMemory)
            {
                _asm.Load(RegisterMap.Work, second, op.Size);
                second = Operand.Of(RegisterMap.Work);
            }
            if (second.IsMemory)
                _asm.Alu((group << 3) | 2, (int)host, second, op.Size);
            else
                _asm.Alu(group << 3, (int)second.Base, place, op.Size);
        }
        SignExtend(destination, host);
        Unverify(op.A);
    }

    /// <summary>A host register has a result of 32 bits; its upper half becomes its sign where that is wanted, be it later.</summary>
    private void SignExtend(Destination destination, HostRegister value)
    {
        if (destination.IsSigned && MayStayNarrow(destination.Register))
            _nextNarrow |= Bit(destination.Register);
        else if (destination.IsSigned)
            _asm.LoadSigned(value, Operand.Of(value), 2);
    }

    /// <summary>result = A op B in the work register.</summary>
    private void EmitElsewhere(int at, int group, bool isImmediate, long constant, Destination destination)
    {
        MicroOp op = _ops[at];
        FlushDependents(destination.Register, at);
        Operand second = default;
        if (!isImmediate)
        {
            if (IsTemporary(op.B) && !IsPendingLoad(op.B, op.Size, at) && _values[op.B].Kind is Kind.Constant or Kind.Load || (IsTemporary(op.B) && _values[op.B] is { Kind: Kind.Sum, IsCopy: false }))
                Materialize(op.B, at);
            if (IsTemporary(op.A) && _values[op.A].Kind == Kind.Load && IsPendingLoad(op.B, op.Size, at))
                Materialize(op.A, at);
            second = UseOperand(op.B, op.Size, RegisterMap.Work, at);
        }
        HostRegister target = RegisterMap.Work;
        HostRegister own = _map.HasAccumulator ? TargetOrScratch(destination.Register, at) : Target(destination.Register);
        bool overwritesSecond = !isImmediate && second.Uses(own);
        if (!destination.IsMerge && op.Size >= 2 && own != RegisterMap.Work && !overwritesSecond && !ReadsThrough(op.A, own))
            target = own;
        HostRegister first = Use(op.A, target, at);
        _asm.Move(target, first);
        if (isImmediate)
            _asm.AluImmediate(group, Operand.Of(target), (int)constant, op.Size);
        else
            _asm.Alu((group << 3) | 2, (int)target, second, op.Size);
        FinishSized(destination, target, op.Size, at);
    }

    /// <summary>Whether reading a register would need another that is about to be overwritten.</summary>
    private bool ReadsThrough(byte register, HostRegister target) => IsTemporary(register) && _values[register] is { Kind: Kind.Load };

    /// <summary>Puts a result of 1 &lt;&lt; size bytes in its place.</summary>
    private void FinishSized(Destination destination, HostRegister value, int size, int at)
    {
        if (destination.Register == MicroOp.Discard)
            return;
        if (destination.IsMerge)
        {
            _asm.Store(Place(destination.Register), value, size);
            Unverify(destination.Register);
            return;
        }
        if (size < 2)
            _asm.Load(value, Operand.Of(value), size);
        SignExtend(destination, value);
        Finish(destination.Register, value, at + destination.Used - 1);
    }

    private int EmitUnary(int at, int opcode, int extension)
    {
        MicroOp op = _ops[at];
        Destination destination = DestinationOf(at);
        bool keep = op.Code != OpCode.Not && !TryFreeFlags(at);
        if (keep)
            SaveFlags();
        FlushDependents(destination.Register, at);
        bool inPlace = destination.Register == op.A && !IsTemporary(op.A) && (op.Size != 2 || HostOf(op.A) != HostRegister.None);
        if (inPlace)
        {
            _asm.Alu(opcode, extension, Place(op.A), op.Size);
            SignExtend(destination, HostOf(op.A));
            Unverify(op.A);
        }
        else
        {
            HostRegister target = destination.IsMerge || op.Size < 2 || IsTemporary(op.A) ? RegisterMap.Work : Target(destination.Register);
            _asm.Move(target, Use(op.A, target, at));
            _asm.Alu(opcode, extension, Operand.Of(target), op.Size);
            FinishSized(destination, target, op.Size, at);
        }
        if (keep)
            RestoreFlags();
        return destination.Used;
    }

    // ---- shifts ----------------------------------------------------------------------------------------------------

    /// <summary>Group 2's operations, for the register forms in their order.</summary>
    private static ReadOnlySpan<byte> ShiftGroup => [4, 5, 7, 0, 1, 2, 3];
    private const int ShiftRightGroup = 5;

    private int EmitShift(int at)
    {
        MicroOp op = _ops[at];
        int group = ShiftGroup[(op.Code - OpCode.ShiftLeft) >> 1];
        bool isImmediate = ((op.Code - OpCode.ShiftLeft) & 1) != 0;
        if (!isImmediate && op.Flags == FlagMask.None && op.Size >= 2 && group is 4 or 5 or 7)
            return EmitFlaglessShift(at, group);
        if (isImmediate && TryEmitFlaglessShift(at, group, (int)op.Immediate, out int used))
            return used;
        Destination destination = DestinationOf(at);
        // Zeros from the left are the sign.
        if (isImmediate && group == ShiftRightGroup && op is { Size: 2, Immediate: > 0 and < 32 })
            destination = destination with { IsSigned = false };
        bool keep = !TryFreeFlags(at);
        if (keep)
            SaveFlags();
        FlushDependents(destination.Register, at);
        if (!isImmediate)
            Settle(op.B, at);
        bool inPlace = destination.Register == op.A && !IsTemporary(op.A) && (op.Size != 2 || HostOf(op.A) != HostRegister.None);
        if (!inPlace && !isImmediate)
            AcquireScratch(at);
        HostRegister target = !isImmediate ? RegisterMap.Scratch : destination.IsMerge || op.Size < 2 ? RegisterMap.Work : Target(destination.Register);
        Operand place = inPlace ? Place(op.A) : Operand.Of(target);
        if (!inPlace)
            _asm.Move(target, Use(op.A, target, at));
        if (!isImmediate)
            LoadCounter(op.B, at);
        _asm.Alu(isImmediate ? 0xC0 : 0xD2, group, place, op.Size);
        if (isImmediate)
            _asm.Byte((int)op.Immediate);
        if (inPlace)
        {
            SignExtend(destination, HostOf(op.A));
            Unverify(op.A);
        }
        else
            FinishSized(destination, target, op.Size, at);
        if (keep)
            RestoreFlags();
        return destination.Used;
    }

    /// <summary>SHLX, SHRX, SARX.</summary>
    private int EmitFlaglessShift(int at, int group)
    {
        MicroOp op = _ops[at];
        Destination destination = DestinationOf(at);
        if (destination.IsMerge)
            return 0;
        FlushDependents(destination.Register, at);
        Settle(op.A, at);
        Settle(op.B, at);
        HostRegister count = HasHost(op.B) ? Use(op.B, RegisterMap.Work, at) : LoadSecond(op.B, at);
        Operand value = UseOperand(op.A, op.Size, RegisterMap.Work, at);
        HostRegister target = Target(destination.Register);
        _asm.EmitVex(2, group switch { 4 => 1, 5 => 3, _ => 2 }, wide: op.Size == 3, 0xF7, (int)target, (int)count, value);
        FinishSized(destination, target, op.Size, at);
        return destination.Used;
    }

    /// <summary>x86-64's RCX, which always has a host register.</summary>
    private const byte Counter = 1;

    /// <summary>What the guest's RCX holds, or a copy of it.</summary>
    private bool IsCounter(byte register) => register == Counter || (IsTemporary(register) && _values[register] is { IsCopy: true, Base: Counter });

    /// <summary>Puts the low half of a register where shifts want their count: into RCX, the work register.</summary>
    private void LoadCounter(byte register, int at) => _asm.Move32(HostRegister.Rcx, Use(register, RegisterMap.Work, at));

    private int EmitShiftDouble(int at, int opcode)
    {
        MicroOp op = _ops[at];
        bool isImmediate = TryConstant(op.C, out long count);
        if (!isImmediate && !IsCounter(op.C))
            return 0;
        Destination destination = DestinationOf(at);
        bool keep = !TryFreeFlags(at);
        if (keep)
            SaveFlags();
        FlushDependents(destination.Register, at);
        AcquireScratch(at);
        HostRegister fill = Use(op.B, RegisterMap.Scratch, at);
        _asm.Move(RegisterMap.Work, Use(op.A, RegisterMap.Work, at));
        Operand shifted = Operand.Of(RegisterMap.Work);
        if (!isImmediate)
        {
            // The count takes the work register.
            shifted = Operand.Memory(HostRegister.Rsp, Frame.SavedCounter);
            _asm.Store(shifted, RegisterMap.Work, 3);
            LoadCounter(Counter, at);
        }
        _asm.Emit(isImmediate ? opcode : opcode + 1, (int)fill, shifted, wide: op.Size == 3, prefix: op.Size == 1 ? 0x66 : 0);
        if (isImmediate)
            _asm.Byte((int)count);
        else
            _asm.Load(RegisterMap.Work, shifted, Math.Max(op.Size, (byte)2));
        FinishSized(destination, RegisterMap.Work, op.Size, at);
        if (keep)
            RestoreFlags();
        return destination.Used;
    }
}
