using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>Multiplication, division, bits, conditions and the flags register.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private const long ArithmeticFlags = 0x8D5;

    private int EmitWide(int at)
    {
        MicroOp op = _ops[at];
        switch (op.Code)
        {
            case OpCode.Multiply:
                return EmitMultiply(op, at);
            case OpCode.BitTest or OpCode.BitSet or OpCode.BitReset or OpCode.BitComplement:
                return EmitBit(op, at);
            case OpCode.PopulationCount:
                return EmitCount(op, at);
            case OpCode.ByteSwap:
                return EmitByteSwap(op, at);
            case OpCode.Crc32:
                return EmitCrc32(op, at);
            case OpCode.SetCondition:
                return EmitSetCondition(op, at);
            case OpCode.Select:
                return EmitSelect(op, at);
            case OpCode.GetFlags:
                return EmitGetFlags(op, at);
            case OpCode.SetFlags:
                return EmitSetFlags(op, at);
            case OpCode.SubtractIf or OpCode.AddIf:
                return EmitCompareIf(op, at);
            case OpCode.ComplementCarry:
                _asm.Byte(0xF5);
                return 1;
            case >= OpCode.MultiplyHigh and <= OpCode.TrailingZeros:
                return EmitTotal(op, at);
            default:
                return 0;
        }
    }

    private int EmitMultiply(in MicroOp op, int at)
    {
        if (op.Size == 0 || !TryFreeFlags(at))
            return 0;
        Destination destination = DestinationOf(at);
        FlushDependents(destination.Register, at);
        int prefix = op.Size == 1 ? 0x66 : 0;
        HostRegister target = destination.IsMerge ? RegisterMap.Work : Target(destination.Register);
        if (TryConstant(op.B, out long constant) && (op.Size < 3 || constant == (int)constant))
        {
            constant = op.Size == 1 ? (short)constant : (int)constant;
            Operand first = UseOperand(op.A, op.Size, RegisterMap.Work, at);
            bool isByte = constant == (sbyte)constant;
            _asm.Emit(isByte ? 0x6B : 0x69, (int)target, first, wide: op.Size == 3, prefix: prefix);
            _asm.Immediate((int)constant, isByte ? 0 : op.Size);
        }
        else
        {
            if (IsTemporary(op.B) && !IsPendingLoad(op.B, op.Size, at) && _values[op.B].Kind is not (Kind.Scratch or Kind.Slot) && !_values[op.B].IsCopy)
                Materialize(op.B, at);
            if (IsPendingLoad(op.A, op.Size, at) && IsPendingLoad(op.B, op.Size, at))
                Materialize(op.A, at);
            Operand second = UseOperand(op.B, op.Size, RegisterMap.Work, at);
            if (second.Uses(target))
                target = RegisterMap.Work;
            _asm.Move(target, Use(op.A, target, at));
            _asm.Emit(0x0FAF, (int)target, second, wide: op.Size == 3, prefix: prefix);
        }
        FinishSized(destination, target, op.Size, at);
        return destination.Used;
    }

    private int EmitBit(in MicroOp op, int at)
    {
        int number = op.Code - OpCode.BitTest;
        if (op.Size == 0)
            return 0;
        Destination destination = DestinationOf(at);
        bool keep = !TryFreeFlags(at);
        bool isImmediate = TryConstant(op.B, out long index);
        HostRegister bit = HostRegister.None;
        Settle(op.A, at);
        if (!isImmediate)
        {
            AcquireScratch(at);
            bit = Use(op.B, RegisterMap.Scratch, at);
        }
        if (keep)
            SaveFlags();
        FlushDependents(destination.Register, at);
        _asm.Move(RegisterMap.Work, Use(op.A, RegisterMap.Work, at));
        int prefix = op.Size == 1 ? 0x66 : 0;
        if (isImmediate)
        {
            _asm.Emit(0x0FBA, 4 + number, Operand.Of(RegisterMap.Work), wide: op.Size == 3, prefix: prefix);
            _asm.Byte((int)index);
        }
        else
            _asm.Emit(0x0FA3 + (8 * number), (int)bit, Operand.Of(RegisterMap.Work), wide: op.Size == 3, prefix: prefix);
        FinishSized(destination, RegisterMap.Work, op.Size, at);
        if (keep)
            RestoreFlags();
        return destination.Used;
    }

    private int EmitCount(in MicroOp op, int at)
    {
        if (op.Size == 0 || DestinationOf(at).IsMerge || !TryFreeFlags(at))
            return 0;
        Destination destination = DestinationOf(at);
        FlushDependents(destination.Register, at);
        Operand from = UseOperand(op.A, op.Size, RegisterMap.Work, at);
        // POPCNT is F3 0F B8; with 66 it has 16 bits.
        if (op.Size == 1)
            return 0;
        HostRegister target = Target(destination.Register);
        _asm.Emit(0x0FB8, (int)target, from, wide: op.Size == 3, prefix: 0xF3);
        FinishSized(destination, target, op.Size, at);
        return destination.Used;
    }

    private int EmitByteSwap(in MicroOp op, int at)
    {
        Destination destination = DestinationOf(at);
        FlushDependents(destination.Register, at);
        _asm.Move(RegisterMap.Work, Use(op.A, RegisterMap.Work, at));
        _asm.SwapBytes(RegisterMap.Work, wide: op.Size == 3);
        if (op.Size == 1)
            _asm.RotateRight(RegisterMap.Work, RegisterMap.Work, 16);
        FinishSized(destination, RegisterMap.Work, op.Size, at);
        return destination.Used;
    }

    private int EmitCrc32(in MicroOp op, int at)
    {
        // The host has one polynomial only.
        if (op.C == 1)
            return 0;
        FlushDependents(op.Destination, at);
        Operand data = UseOperand(op.B, op.Size, RegisterMap.Work, at);
        HostRegister crc = RegisterMap.Work;
        if (data.Uses(RegisterMap.Work))
        {
            AcquireScratch(at);
            crc = RegisterMap.Scratch;
        }
        _asm.Move32(crc, Use(op.A, crc, at));
        _asm.EmitCrc32(crc, data, op.Size);
        Finish(op.Destination, crc, at);
        return 1;
    }

    private int EmitSetCondition(in MicroOp op, int at)
    {
        if (at + 1 < _end && _ops[at + 1] is { Code: OpCode.Insert, Size: 0 } next && next.A == op.Destination && !IsTemporary(next.Destination) && _lastUse[op.Destination] == at + 1)
        {
            FlushDependents(next.Destination, at);
            _asm.Emit(0x0F90 | op.C, 0, Place(next.Destination), bytes: true);
            Unverify(next.Destination);
            return 2;
        }
        FlushDependents(op.Destination, at);
        HostRegister target = Target(op.Destination);
        _asm.Emit(0x0F90 | op.C, 0, Operand.Of(target), bytes: true);
        _asm.Load(target, Operand.Of(target), 0);
        Finish(op.Destination, target, at);
        return 1;
    }

    /// <summary>CMOVcc; a write of 32 or 64 bits that follows is part of it.</summary>
    private int EmitSelect(in MicroOp op, int at)
    {
        (byte destination, int used, bool wide) = ExtendedDestination(at);
        FlushDependents(destination, at);
        int size = wide ? 3 : 2;
        // First, since it is computed in the scratch register, which the other operand may have from then on.
        if (IsTemporary(op.B) && _values[op.B] is { Kind: Kind.Sum, IsCopy: false })
            Materialize(op.B, at);
        if (IsTemporary(op.A) && (_values[op.A].Kind is Kind.Constant || (_values[op.A].Kind == Kind.Load && !IsPendingLoad(op.A, size, at)) || _values[op.A] is { Kind: Kind.Sum, IsCopy: false }))
            Materialize(op.A, at);
        if (IsPendingLoad(op.B, size, at))
            Materialize(op.B, at);
        Operand chosen = UseOperand(op.A, size, RegisterMap.Work, at);
        HostRegister target = Target(destination);
        if (chosen.Uses(target) || chosen.Uses(RegisterMap.Work))
        {
            // Both in one register: the other one is moved over it unless the condition holds.
            HostRegister held = chosen.IsMemory ? HostRegister.None : chosen.Base;
            if (held == HostRegister.None)
                return 0;
            Operand other = UseOperand(op.B, size, SecondScratch(at), at);
            _asm.Move(RegisterMap.Work, held);
            _asm.Emit(0x0F40 | (op.C ^ 1), (int)RegisterMap.Work, other, wide: wide);
            target = RegisterMap.Work;
        }
        else
        {
            _asm.Move(target, Use(op.B, target, at));
            _asm.Emit(0x0F40 | op.C, (int)target, chosen, wide: wide);
        }
        Finish(destination, target, at + used - 1);
        return used;
    }

    // ---- the flags register ----------------------------------------------------------------------------------------

    private int EmitGetFlags(in MicroOp op, int at)
    {
        if (!IsTemporary(op.Destination))
            FlushDependents(op.Destination, at);
        // Behind a system call the engine sets the register itself.
        if (Is(at + 1, OpCode.SystemCall))
            return 1;
        const byte pushFlags = 0x9C, popFlags = 0x9D;
        _asm.Byte(pushFlags);
        _asm.Load(RegisterMap.Work, Operand.Memory(HostRegister.Rsp, 0), 3);
        _asm.AluImmediate(GroupAnd, Operand.Of(RegisterMap.Work), (int)ArithmeticFlags, 2);
        _asm.Alu(0x0A, (int)RegisterMap.Work, Operand.Memory(HostRegister.Rsp, Frame.OtherFlags + 8), 3);
        _asm.Byte(popFlags);
        Finish(op.Destination, RegisterMap.Work, at);
        return 1;
    }

    private int EmitSetFlags(in MicroOp op, int at)
    {
        if (op.Immediate == 1 && TryConstant(op.A, out long carry))
        {
            _asm.Byte(0xF8 | (int)(carry & 1)); // CLC, STC
            return 1;
        }
        const byte pushFlags = 0x9C, popFlags = 0x9D;
        int arithmetic = (int)(op.Immediate & ArithmeticFlags), others = (int)(op.Immediate & ~ArithmeticFlags);
        AcquireScratch(at);
        HostRegister value = Use(op.A, RegisterMap.Scratch, at);
        _asm.Byte(pushFlags);
        Operand others_ = Operand.Memory(HostRegister.Rsp, Frame.OtherFlags + 8), top = Operand.Memory(HostRegister.Rsp, 0);
        if (others != 0)
        {
            _asm.Move(RegisterMap.Work, value);
            _asm.AluImmediate(GroupAnd, Operand.Of(RegisterMap.Work), others, 2);
            _asm.AluImmediate(GroupAnd, others_, ~others, 3);
            _asm.Alu(0x08, (int)RegisterMap.Work, others_, 3);
        }
        _asm.Move(RegisterMap.Work, value);
        _asm.AluImmediate(GroupAnd, Operand.Of(RegisterMap.Work), arithmetic, 2);
        _asm.AluImmediate(GroupAnd, top, (int)ArithmeticFlags & ~arithmetic | 0x202, 3);
        _asm.Alu(0x08, (int)RegisterMap.Work, top, 3);
        _asm.Byte(popFlags);
        return 1;
    }
}
