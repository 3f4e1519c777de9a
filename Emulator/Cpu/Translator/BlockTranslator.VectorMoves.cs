using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>Vectors to and from memory, whole and in parts, and between registers.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int Movlps = 0x0F12;
    private const int Movhps = 0x0F16;

    /// <summary>With F3, and MOVSD with F2.</summary>
    private const int Movss = 0x0F10;
    private const int Movq = 0x0F7E;
    private const int Insertps = 0x0F3A21;

    /// <summary>The check is left to the access that follows it.</summary>
    private int EmitCheckAlignment(in MicroOp op, int at)
    {
        if (op.Size != 4 || !(Is(at + 1, OpCode.VectorLoad) || Is(at + 1, OpCode.VectorStore)))
            return 0;
        ref MicroOp access = ref _ops[at + 1];
        if (access.Size != 4 || access.A != op.A || access.Immediate != op.Immediate)
            return 0;
        _aligned = at + 1;
        return 1;
    }

    private int EmitVectorLoad(in MicroOp op, int at)
    {
        if (IsVectorTemporary(op.Destination))
        {
            Value sum = SumOf(op.A);
            sum.Displacement += op.Immediate;
            _pending = new PendingVector { Source = VectorSource.Memory, Temporary = op.Destination, Size = op.Size, IsAligned = _aligned == at, Sum = sum, At = at };
            return 1;
        }
        Operand from = GuestOperand(op.A, op.Immediate, at);
        int host = StartVector(op.Destination, NoVector);
        if (op.Size < 2)
        {
            _asm.Load(RegisterMap.Work, from, op.Size);
            _asm.Emit(0x0F6E, host, Operand.Of(RegisterMap.Work), prefix: 0x66); // MOVD
        }
        else if (op.Size == 4)
            LoadWhole(host, from, _aligned == at);
        else
            _asm.Emit(Movss, host, from, prefix: op.Size == 3 ? 0xF2 : 0xF3);
        FinishVector(op.Destination, host);
        return 1;
    }

    private int EmitVectorStore(in MicroOp op, int at)
    {
        if (IsVectorTemporary(op.B))
            return EmitPendingStore(op, at);
        Operand to = GuestOperand(op.A, op.Immediate, at);
        int host = UseVector(op.B);
        if (op.Size == 4)
            StoreWhole(to, host, _aligned == at);
        else if (op.Size < 2)
            ExtractInteger(to, host, op.Size, 0);
        else
            _asm.Emit(Movss + 1, host, to, prefix: op.Size == 3 ? 0xF2 : 0xF3);
        return 1;
    }

    /// <summary>MOVNTI and STMXCSR.</summary>
    private int EmitPendingStore(in MicroOp op, int at)
    {
        if (_pending.Temporary != op.B || _pending.Size != op.Size || _pending.Source is not (VectorSource.Integer or VectorSource.Control))
            return 0;
        Operand to = GuestOperand(op.A, op.Immediate, at);
        if (_pending.Source == VectorSource.Control)
            _asm.Emit(0x0FAE, 3, to); // STMXCSR
        else
            _asm.Store(to, Use(_pending.Register, RegisterMap.Work, at), op.Size);
        return 1;
    }

    // ---- lanes in memory ---------------------------------------------------------------------------------------------

    private int EmitLoadLane(in MicroOp op, int at)
    {
        if (IsVectorTemporary(op.Destination) || IsVectorTemporary(op.B))
            return 0;
        Operand from = GuestOperand(op.A, op.Immediate, at);
        int host = StartVector(op.Destination, op.B);
        if (op.Size == 3)
            _asm.Emit(op.C == 0 ? Movlps : Movhps, host, from);
        else
            InsertInteger(host, from, op.Size, op.C);
        FinishVector(op.Destination, host);
        return 1;
    }

    private int EmitStoreLane(in MicroOp op, int at)
    {
        if (IsVectorTemporary(op.B))
            return 0;
        Operand to = GuestOperand(op.A, op.Immediate, at);
        int host = UseVector(op.B);
        if (op.Size == 3)
            _asm.Emit(op.C == 0 ? Movlps + 1 : Movhps + 1, host, to);
        else
            ExtractInteger(to, host, op.Size, op.C);
        return 1;
    }

    /// <summary>PINSRB, PINSRW, PINSRD, PINSRQ.</summary>
    private void InsertInteger(int host, in Operand from, int size, int lane)
    {
        _asm.Emit(size switch { 0 => 0x0F3A20, 1 => 0x0FC4, _ => 0x0F3A22 }, host, from, wide: size == 3, prefix: 0x66);
        _asm.Byte(lane);
    }

    /// <summary>PEXTRB, PEXTRW, PEXTRD, PEXTRQ.</summary>
    private void ExtractInteger(in Operand to, int host, int size, int lane)
    {
        _asm.Emit(size switch { 0 => 0x0F3A14, 1 => 0x0F3A15, _ => 0x0F3A16 }, host, to, wide: size == 3, prefix: 0x66);
        _asm.Byte(lane);
    }

    // ---- between registers -------------------------------------------------------------------------------------------

    private int EmitVectorMove(in MicroOp op)
    {
        if (IsVectorTemporary(op.Destination) || IsVectorTemporary(op.A))
            return 0;
        if (op.Destination == op.A)
            return 1;
        if (IsPinned(op.Destination))
            LoadWhole(op.Destination, VectorPlace(op.A), isAligned: true);
        else
            StoreWhole(VectorPlace(op.Destination), UseVector(op.A), isAligned: true);
        return 1;
    }

    /// <summary>MOVQ between registers: a zero, its low half replaced, moved.</summary>
    private int EmitVectorZero(in MicroOp op, int at)
    {
        if (!IsVectorTemporary(op.Destination) || !Is(at + 1, OpCode.VectorInsertLane) || !Is(at + 2, OpCode.VectorMove))
            return 0;
        MicroOp insert = _ops[at + 1], move = _ops[at + 2];
        if (insert.Destination != op.Destination || insert.A != op.Destination || insert.Size != 3 || insert.C != 0 || insert.Immediate != 0
            || move.A != op.Destination || at + 3 != _end || IsVectorTemporary(insert.B) || IsVectorTemporary(move.Destination))
            return 0;
        int host = StartVector(move.Destination, NoVector);
        _asm.Emit(Movq, host, VectorPlace(insert.B), prefix: 0xF3);
        FinishVector(move.Destination, host);
        return 3;
    }

    private int EmitInsertLane(in MicroOp op, int at)
    {
        if (IsVectorTemporary(op.Destination) || IsVectorTemporary(op.A))
            return 0;
        return op.Size switch
        {
            2 => EmitInsertSingle(op, at),
            3 => EmitInsertHalf(op),
            _ => EmitInsertSmall(op),
        };
    }

    /// <summary>Bytes and halves, by way of the work register.</summary>
    private int EmitInsertSmall(in MicroOp op)
    {
        if (IsVectorTemporary(op.B))
            return 0;
        if (IsPinned(op.B))
            ExtractInteger(Operand.Of(RegisterMap.Work), op.B, op.Size, (int)op.Immediate);
        else
            _asm.Load(RegisterMap.Work, Behind(VectorPlace(op.B), (int)op.Immediate << op.Size), op.Size);
        int host = StartVector(op.Destination, op.A);
        InsertInteger(host, Operand.Of(RegisterMap.Work), op.Size, op.C);
        FinishVector(op.Destination, host);
        return 1;
    }

    /// <summary>MOVSS and INSERTPS, which also clears the lanes of the blend with zero that may follow.</summary>
    private int EmitInsertSingle(in MicroOp op, int at)
    {
        int cleared = 0, used = 1;
        if (Is(at + 1, OpCode.VectorZero) && Is(at + 2, OpCode.VectorBlend) && at + 3 == _end)
        {
            MicroOp blend = _ops[at + 2];
            if (blend.Destination != op.Destination || blend.A != op.Destination || blend.B != _ops[at + 1].Destination || (LaneKind)blend.Size != LaneKind.Float32)
                return 0;
            (cleared, used) = ((int)blend.Immediate, 3);
        }
        if (!TryVectorOperand(op.B, 2, out Operand source))
            return 0;
        // From memory INSERTPS takes the one lane that is there.
        if (!IsVectorTemporary(op.B) && source.IsMemory)
            source = source with { Displacement = source.Displacement + (4 * (int)op.Immediate) };
        int host = StartVector(op.Destination, op.A);
        if (!source.IsMemory && op.C == 0 && op.Immediate == 0 && cleared == 0)
        {
            _asm.Emit(Movss, host, source, prefix: 0xF3);
        }
        else
        {
            _asm.Emit(Insertps, host, source, prefix: 0x66);
            _asm.Byte(((int)op.Immediate << 6) | (op.C << 4) | cleared);
        }
        FinishVector(op.Destination, host);
        return used;
    }

    /// <summary>MOVSD, MOVHLPS, MOVLHPS.</summary>
    private int EmitInsertHalf(in MicroOp op)
    {
        if (IsVectorTemporary(op.B))
            return 0;
        int host = StartVector(op.Destination, op.A);
        if (!IsPinned(op.B))
            _asm.Emit(op.C == 0 ? Movlps : Movhps, host, Behind(VectorPlace(op.B), 8 * (int)op.Immediate));
        else if (op.C != 0 && op.Immediate != 0)
        {
            _asm.Emit(0x0F3A0D, host, Operand.Of(op.B), prefix: 0x66); // BLENDPD
            _asm.Byte(2);
        }
        else if (op.C == 0 && op.Immediate == 0)
            _asm.Emit(Movss, host, Operand.Of(op.B), prefix: 0xF2);
        else
            _asm.Emit(op.C == 0 ? Movlps : Movhps, host, Operand.Of(op.B));
        FinishVector(op.Destination, host);
        return 1;
    }

    private static Operand Behind(in Operand place, int bytes) => place with { Displacement = place.Displacement + bytes };

    // ---- integer registers -------------------------------------------------------------------------------------------

    private int EmitFromInteger(in MicroOp op, int at)
    {
        if (op.Size < 2)
            return 0;
        if (IsVectorTemporary(op.Destination))
        {
            if (IsTemporary(op.A))
                return 0;
            _pending = new PendingVector { Source = VectorSource.Integer, Temporary = op.Destination, Size = op.Size, Register = op.A };
            return 1;
        }
        Operand from = UseOperand(op.A, op.Size, RegisterMap.Work, at);
        int host = StartVector(op.Destination, NoVector);
        _asm.Emit(0x0F6E, host, from, wide: op.Size == 3, prefix: 0x66);
        FinishVector(op.Destination, host);
        return 1;
    }

    /// <summary>Of a vector that is still in memory: a pending load of the integer register.</summary>
    private int EmitToInteger(in MicroOp op, int at)
    {
        if (IsVectorTemporary(op.A))
        {
            if (_pending.Source != VectorSource.Memory || _pending.Temporary != op.A || _pending.Size != op.Size || op.Size > 3 || !IsTemporary(op.Destination))
                return 0;
            Value load = _pending.Sum;
            (load.Kind, load.Size, load.IsSigned) = (Kind.Load, op.Size, false);
            Set(op.Destination, load);
            return 1;
        }
        FlushDependents(op.Destination, at);
        HostRegister target = Target(op.Destination);
        if (!IsPinned(op.A))
            _asm.Load(target, Behind(VectorPlace(op.A), op.C << op.Size), op.Size);
        else if (op.C == 0 && op.Size >= 2)
            _asm.Emit(0x0F7E, op.A, Operand.Of(target), wide: op.Size == 3, prefix: 0x66);
        else
            ExtractInteger(Operand.Of(target), op.A, op.Size, op.C);
        Finish(op.Destination, target, at);
        return 1;
    }

    private int EmitInsertInteger(in MicroOp op, int at)
    {
        if (IsVectorTemporary(op.Destination) || IsVectorTemporary(op.A))
            return 0;
        Operand from = UseOperand(op.B, op.Size, RegisterMap.Work, at);
        int host = StartVector(op.Destination, op.A);
        InsertInteger(host, from, op.Size, op.C);
        FinishVector(op.Destination, host);
        return 1;
    }

    /// <summary>PMOVMSKB, MOVMSKPS, MOVMSKPD.</summary>
    private int EmitMoveMask(in MicroOp op, int at)
    {
        if (IsVectorTemporary(op.A))
            return 0;
        FlushDependents(op.Destination, at);
        HostRegister target = Target(op.Destination);
        Operand from = Operand.Of(UseVector(op.A));
        switch ((LaneKind)op.Size)
        {
            case LaneKind.Int8:
                _asm.Emit(0x0FD7, (int)target, from, prefix: 0x66);
                break;
            case LaneKind.Float32:
                _asm.Emit(0x0F50, (int)target, from);
                break;
            case LaneKind.Float64:
                _asm.Emit(0x0F50, (int)target, from, prefix: 0x66);
                break;
            default:
                return 0;
        }
        Finish(op.Destination, target, at);
        return 1;
    }

    /// <summary>CVTSI2SS, CVTSI2SD.</summary>
    private int EmitFloatFromInteger(in MicroOp op, int at)
    {
        if (IsVectorTemporary(op.Destination) || IsVectorTemporary(op.A))
            return 0;
        Operand from = UseOperand(op.B, op.C, RegisterMap.Work, at);
        int host = StartVector(op.Destination, op.A);
        _asm.Emit(0x0F2A, host, from, wide: op.C == 3, prefix: ScalarPrefix(op));
        FinishVector(op.Destination, host);
        return 1;
    }

    /// <summary>CVTSS2SI, CVTTSS2SI, CVTSD2SI, CVTTSD2SI.</summary>
    private int EmitFloatToInteger(in MicroOp op, int at)
    {
        if (!TryVectorOperand(op.B, (LaneKind)op.Size == LaneKind.Float64 ? 3 : 2, out Operand from))
            return 0;
        FlushDependents(op.Destination, at);
        HostRegister target = Target(op.Destination);
        _asm.Emit(op.Immediate == 1 ? 0x0F2C : 0x0F2D, (int)target, from, wide: op.C == 3, prefix: ScalarPrefix(op));
        Finish(op.Destination, target, at);
        return 1;
    }

    private static int ScalarPrefix(in MicroOp op) => (LaneKind)op.Size == LaneKind.Float64 ? 0xF2 : 0xF3;

    // ---- MXCSR -------------------------------------------------------------------------------------------------------

    /// <summary>
    /// LDMXCSR from memory. Its upper half must be clear, whatever the host would take: as an offset from the probe it faults
    /// otherwise, and the interpreter raises what the guest is due.
    /// </summary>
    private int EmitSetControl(in MicroOp op, int at)
    {
        if (!IsPendingLoad(op.A, 2, at))
            return 0;
        Operand control = GuestOperand(_values[op.A], at);
        _asm.Load(RegisterMap.Work, control with { Displacement = control.Displacement + 2 }, 1);
        _asm.Emit(0x8B, (int)RegisterMap.Work, Operand.Memory(RegisterMap.Work, Gate.ProbeAddress));
        _asm.Emit(0x0FAE, 2, control); // LDMXCSR
        return 1;
    }

    /// <summary>STMXCSR: its value goes to memory through two temporaries.</summary>
    private int EmitGetControl(in MicroOp op, int at)
    {
        if (!IsTemporary(op.Destination) || !Is(at + 1, OpCode.VectorFromInteger) || _ops[at + 1].A != op.Destination || !IsVectorTemporary(_ops[at + 1].Destination) || _lastUse[op.Destination] != at + 1)
            return 0;
        _pending = new PendingVector { Source = VectorSource.Control, Temporary = _ops[at + 1].Destination, Size = 2 };
        return 2;
    }
}
