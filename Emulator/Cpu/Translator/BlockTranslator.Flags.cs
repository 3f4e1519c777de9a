using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Guest flags that host code must get out of the way: processors that set them on demand have them live across much arithmetic. Where
/// RAX is free they are parked in the frame once, and come back before something reads them or the block ends; the fault map tells of places in
/// between.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>The guest's flags are in the frame, and the host's are free.</summary>
    private bool _isParked;

    private Rebasing ParkedFlags => _isParked ? Rebasing.ParkedFlags : Rebasing.None;

    /// <summary>The flags register with parked flags, AH as LAHF leaves it and AL the overflow, in their own places.</summary>
    public static ulong WithParked(ulong flags, ulong parked) => (flags & ~(ulong)ArithmeticFlags) | ((parked >> 8) & 0xD5) | ((parked & 1) << 11);

    /// <summary>The inverse.</summary>
    private static ulong Parked(ulong flags) => ((flags & 0xD5) << 8) | ((flags >> 11) & 1);

    /// <summary>Sees to it that a micro-op may change the host's flags; false where they must be kept and cannot be parked.</summary>
    private bool TryFreeFlags(int at)
    {
        if (!MustKeepFlags(at))
            return true;
        if (!_map.HasAccumulator)
            return false;
        _asm.Byte(0x9F); // LAHF
        _asm.Emit(0x0F90, 0, Operand.Of(HostRegister.Rax)); // SETO AL
        _asm.Store(Operand.Memory(HostRegister.Rsp, Frame.ParkedFlags), HostRegister.Rax, 3);
        _isParked = true;
        NoteFlags();
        return true;
    }

    /// <summary>Brings parked flags back.</summary>
    private void Unpark()
    {
        if (!_isParked)
            return;
        _asm.Load(HostRegister.Rax, Operand.Memory(HostRegister.Rsp, Frame.ParkedFlags), 3);
        LoadFlags();
        _isParked = false;
        NoteFlags();
    }

    /// <summary>The host's flags from RAX.</summary>
    private void LoadFlags()
    {
        _asm.AluImmediate(GroupAdd, Operand.Of(HostRegister.Rax), 0x7F, 0); // overflows again if AL was 1
        _asm.Byte(0x9E); // SAHF
    }

    private void NoteFlags() => _starts.Add(new CodeStart(_asm.Offset, _instruction, PaidTo, ParkedFlags, _narrow, _flagsIn, _stackMoveAtStart, Round, _isInVector));

    /// <summary>Before a micro-op, while flags are parked: brings them back for one that reads or merges them. True when it makes all that are read behind it, so that they need not come back.</summary>
    private bool PrepareFlags(int at)
    {
        ref MicroOp op = ref _ops[at];
        bool reads = FlagUse.ReadsFlags(op);
        if (!reads && op.Flags == FlagMask.None && !IsControl(op.Code))
            return false;
        if (!reads && op.Flags != FlagMask.None && (_live[at] & ~op.Flags) == FlagMask.None)
            return true;
        Unpark();
        return false;
    }

    /// <summary>CCMP and CCMN: a comparison, or flags from a constant.</summary>
    private int EmitCompareIf(in MicroOp op, int at)
    {
        if (!_map.HasAccumulator || op.Flags == FlagMask.None)
            return 0;
        Settle(op.A, at);
        Settle(op.B, at);
        HostRegister first = HasHost(op.A) ? Use(op.A, RegisterMap.Work, at) : LoadSecond(op.A, at);
        bool isConstant = TryConstant(op.B, out long constant) && constant == (int)constant;
        Operand second = isConstant ? default : UseOperand(op.B, op.Size, RegisterMap.Work, at);
        int fails = JumpShort(op.C ^ 1);
        bool adds = op.Code == OpCode.AddIf;
        if (adds)
            _asm.Move(HostRegister.Rax, first);
        HostRegister place = adds ? HostRegister.Rax : first;
        if (isConstant)
            _asm.AluImmediate(adds ? GroupAdd : GroupCompare, Operand.Of(place), (int)constant, op.Size);
        else
            _asm.Alu(((adds ? GroupAdd : GroupCompare) << 3) | 2, (int)place, second, op.Size);
        if (adds)
            _asm.Byte(0xF5); // CMC
        int done = JumpShort(-1);
        LandShort(fails);
        _asm.Move(HostRegister.Rax, (long)Parked((ulong)op.Immediate));
        LoadFlags();
        LandShort(done);
        return 1;
    }

    // ---- arithmetic that leaves the flags alone ---------------------------------------------------------------------

    /// <summary>SHLX, SHRX, SARX and RORX with a constant, while the flags are live.</summary>
    private bool TryEmitFlaglessShift(int at, int group, int count, out int used)
    {
        MicroOp op = _ops[at];
        Destination destination = DestinationOf(at);
        used = destination.Used;
        // A rotation by RORX needs no move either.
        if ((!_map.HasSpare && group > 1) || op.Size < 2 || op.Flags != FlagMask.None || destination.IsMerge || !(group <= 1 || MustKeepFlags(at)) || group is 2 or 3)
            return false;
        FlushDependents(destination.Register, at);
        Settle(op.A, at);
        Operand value = UseOperand(op.A, op.Size, RegisterMap.Work, at);
        HostRegister target = TargetOrScratch(destination.Register, at);
        if (group <= 1)
        {
            int bits = 8 << op.Size;
            _asm.EmitVex(3, 3, wide: op.Size == 3, 0xF0, (int)target, 0, value);
            _asm.Byte(group == 1 ? count & (bits - 1) : (bits - count) & (bits - 1));
        }
        else
        {
            _asm.Move(RegisterMap.Spare, (long)count);
            _asm.EmitVex(2, group switch { 4 => 1, 5 => 3, _ => 2 }, wide: op.Size == 3, 0xF7, (int)target, (int)RegisterMap.Spare, value);
        }
        FinishSized(destination, target, op.Size, at);
        return true;
    }

    /// <summary>The register for a result: of a temporary the scratch register, when the micro-op is the last to use what is in it.</summary>
    private HostRegister TargetOrScratch(byte register, int at)
    {
        if (!IsTemporary(register) || (_holder != 0 && !IsLastUse(_holder, at)))
            return Target(register);
        return RegisterMap.Scratch;
    }

    /// <summary>A - B as A + ~B + 1, and a conjunction with low ones as PEXT.</summary>
    private bool TryEmitFlagless(int at, int group, Destination destination)
    {
        MicroOp op = _ops[at];
        if (!_map.HasSpare || op.Size < 2 || destination.IsMerge)
            return false;
        bool isImmediate = IsImmediateForm(op.Code);
        long mask = op.Immediate;
        if (group == GroupAnd && (isImmediate || TryConstant(op.B, out mask)))
            return TryEmitLowBits(at, destination, op.Size == 2 ? (uint)mask : mask);
        if (group != GroupSubtract || isImmediate || TryConstant(op.B, out _))
            return false;
        FlushDependents(destination.Register, at);
        Settle(op.A, at);
        Settle(op.B, at);
        HostRegister first = HasHost(op.A) ? Use(op.A, RegisterMap.Work, at) : LoadSecond(op.A, at);
        _asm.Move(RegisterMap.Work, Use(op.B, RegisterMap.Work, at));
        _asm.Alu(0xF6, 2, Operand.Of(RegisterMap.Work), 3); // NOT
        HostRegister target = Target(destination.Register);
        _asm.AddressOf(target, Operand.Sum(first, RegisterMap.Work, 0, 1), wide: op.Size == 3);
        FinishSized(destination, target, op.Size, at);
        return true;
    }

    private bool TryEmitLowBits(int at, Destination destination, long mask)
    {
        MicroOp op = _ops[at];
        if (mask <= 0 || (mask & (mask + 1)) != 0)
            return false;
        FlushDependents(destination.Register, at);
        Settle(op.A, at);
        HostRegister value = Use(op.A, RegisterMap.Work, at);
        HostRegister target = Target(destination.Register);
        _asm.Move(RegisterMap.Spare, mask);
        _asm.ExtractBits(target, value, Operand.Of(RegisterMap.Spare));
        FinishSized(destination, target, op.Size, at);
        return true;
    }
}
