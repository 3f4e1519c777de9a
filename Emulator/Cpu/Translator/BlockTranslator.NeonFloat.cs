using System.Runtime.Intrinsics.X86;
using Vivarium.Emulator.Cpu.Ops;
using Vivarium.Emulator.Cpu.SoftFloat;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// AArch64's floating point by the host's instructions. What is invalid to the host stops them (see <c>Arm64State</c>), and of two quiet NaNs
/// both take the first, so that results need no looking after. The one difference left: the host judges tininess after rounding, so that a product
/// or quotient that rounds up to the smallest normal number does not raise underflow.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private static int PackedPp(int kind) => IsDouble(kind) ? 1 : 0;

    private int EmitNeonFloat(in MicroOp op)
    {
        int count = NeonForm.Count(op.Immediate);
        switch (NeonForm.Operation(op.Immediate))
        {
            case NeonOperation.Add: return EmitFloatBinary(op, 0x58, count);
            case NeonOperation.Multiply: return EmitFloatBinary(op, 0x59, count);
            case NeonOperation.Subtract: return EmitFloatBinary(op, 0x5C, count);
            case NeonOperation.Divide: return EmitFloatBinary(op, 0x5E, count);
            case NeonOperation.SquareRoot: return EmitFloatBinary(op with { B = op.A }, 0x51, count);
            case NeonOperation.FusedMultiplyAdd: return EmitFused(op, count);
            case NeonOperation.Max or NeonOperation.MaxNumber: return EmitFloatChoice(op, 0x5F, 0x54, count);
            case NeonOperation.Min or NeonOperation.MinNumber: return EmitFloatChoice(op, 0x5D, 0x56, count);
            case NeonOperation.Absolute: return EmitFloatSign(op, HostConstant.DoubleMagnitude, 0x54, count);
            case NeonOperation.Negate: return EmitFloatSign(op, HostConstant.DoubleSign, 0x57, count);
            case NeonOperation.CompareEqual: return EmitFloatLanes(op, 0, count);
            case NeonOperation.CompareGreater: return EmitFloatLanes(op with { A = op.B, B = op.A }, 1, count);
            case NeonOperation.CompareGreaterOrEqual: return EmitFloatLanes(op with { A = op.B, B = op.A }, 2, count);
            case NeonOperation.RoundToIntegral: return EmitFloatRound(op, count);
            case NeonOperation.FromInteger: return EmitFloatFromLanes(op, count);
            default: return 0;
        }
    }

    /// <summary>Whether an operation on 128 bits does for so many lanes: on those that count is none what could raise flags.</summary>
    private static bool IsWhole(int kind, int count) => count << (IsDouble(kind) ? 3 : 2) == 16;

    private int EmitFloatBinary(in MicroOp op, int opcode, int count)
    {
        int host = ScalarTarget(op.Destination);
        if (count == 1)
        {
            bool isClear = HasZeros(op.A, op.Size);
            _asm.EmitVex(1, ScalarPp(op.Size), false, opcode, host, UseVector(op.A), VectorPlace(op.B));
            FinishLane(op.Destination, host, op.Size, isClear);
            return 1;
        }
        // Of two singles the upper halves are made zeros, which no such operation but a division minds.
        bool isWhole = IsWhole(op.Size, count);
        if (!isWhole && opcode is 0x5E or 0x51)
            return 0;
        int first = UseVector(op.A);
        if (!isWhole)
            ClearUpper(first = Scratch15, op.A);
        _asm.EmitVex(1, PackedPp(op.Size), false, opcode, host, opcode == 0x51 ? 0 : first, VectorPlace(op.B));
        FinishLanes(op.Destination, host, isWhole);
        return 1;
    }

    private int EmitFused(in MicroOp op, int count)
    {
        byte a = op.A, b = op.B, c = op.C;
        bool isScalar = count == 1;
        if (!isScalar && !IsWhole(op.Size, count))
            return 0;
        if (!IsPinned(a) && IsPinned(b))
            (a, b) = (b, a);
        int form = (isScalar ? 1 : 0) + ((op.Immediate & NeonForm.NegateProduct) != 0 ? 4 : 0) + ((op.Immediate & NeonForm.NegateAddend) != 0 ? 2 : 0);
        const int form132 = 0x98, form231 = 0xB8;
        bool isSum = IsPinned(a), borrows = !isSum && !IsPinned(c), isClear = HasZeros(isSum ? c : a, op.Size);
        if (borrows && !Avx512F.VL.IsSupported)
            return 0;
        if (borrows)
        {
            // All three are in the frame.
            const int addend = 16, factor = 17;
            MoveFar(addend, c);
            MoveFar(factor, b);
            LoadWhole(Scratch15, VectorPlace(a), isAligned: true);
            _asm.EmitEvex(2, 1, IsDouble(op.Size), form132 + form, Scratch15, addend, factor);
        }
        else
        {
            LoadWhole(Scratch15, VectorPlace(isSum ? c : a), isAligned: true);
            _asm.EmitVex(2, 1, IsDouble(op.Size), (isSum ? form231 : form132) + form, Scratch15, isSum ? a : c, VectorPlace(b));
        }
        InterpretNaN(op.Size, isScalar);
        if (isScalar)
            FinishLane(op.Destination, Scratch15, op.Size, isClear);
        else
            FinishLanes(op.Destination, Scratch15, isWhole: true);
        return 1;
    }

    /// <summary>A host register above 15 = a vector of the frame.</summary>
    private void MoveFar(int host, int vector)
    {
        LoadWhole(Scratch15, VectorPlace(vector), isAligned: true);
        _asm.EmitEvex(1, 0, false, 0x28, host, 0, Scratch15); // VMOVAPS
    }

    /// <summary>Leaves it to the interpreter to choose among three NaNs, one of which is the scratch register.</summary>
    private void InterpretNaN(int kind, bool isScalar)
    {
        if (Avx512F.VL.IsSupported)
        {
            const int mask = 1;
            _asm.EmitEvex(1, isScalar ? ScalarPp(kind) : PackedPp(kind), IsDouble(kind), 0xC2, mask, Scratch15, Scratch15); // VCMP into a mask register
            _asm.Byte(PredicateUnordered);
            _asm.EmitVex(1, 0, false, 0x93, (int)RegisterMap.Work, 0, Operand.Of(mask)); // KMOVW
            _asm.Emit(0x8B, (int)RegisterMap.Work, Operand.Memory(RegisterMap.Work, Gate.ProbeAddress));
            return;
        }
        _asm.Emit(0x0F29, Scratch15, NeonSlot);
        if (isScalar)
            InterpretUnordered(Scratch15, Operand.Of(Scratch15), kind);
        else
        {
            _asm.EmitVex(1, PackedPp(kind), false, 0xC2, Scratch15, Scratch15, Operand.Of(Scratch15)); // VCMPPS
            _asm.Byte(PredicateUnordered);
            _asm.EmitVex(1, PackedPp(kind), false, 0x50, (int)RegisterMap.Work, 0, Operand.Of(Scratch15)); // VMOVMSKPS
            _asm.Emit(0x8B, (int)RegisterMap.Work, Operand.Memory(RegisterMap.Work, Gate.ProbeAddress));
        }
        LoadWhole(Scratch15, NeonSlot, isAligned: true);
    }

    private const int PredicateUnordered = 3;

    /// <summary>Leaves an instruction to the interpreter when one of two lanes is a NaN, without touching the flags.</summary>
    private void InterpretUnordered(int first, in Operand second, int kind)
    {
        _asm.EmitVex(1, ScalarPp(kind), false, 0xC2, Scratch15, first, second); // VCMPSS
        _asm.Byte(PredicateUnordered);
        _asm.EmitVex(1, 1, false, 0x7E, Scratch15, 0, Operand.Of(RegisterMap.Work)); // VMOVD
        _asm.Emit(0x8B, (int)RegisterMap.Work, Operand.Memory(RegisterMap.Work, Gate.ProbeAddress));
    }

    /// <summary>The host gives the second of equals: both orders give both zeros, which are put together. It stops at any NaN.</summary>
    private int EmitFloatChoice(in MicroOp op, int opcode, int join, int count)
    {
        bool isScalar = count == 1;
        if (!isScalar && !IsWhole(op.Size, count))
            return 0;
        int pp = isScalar ? ScalarPp(op.Size) : PackedPp(op.Size);
        bool isClear = HasZeros(op.A, op.Size);
        _asm.EmitVex(1, pp, false, opcode, Scratch15, UseVector(op.B), VectorPlace(op.A));
        _asm.Emit(0x0F29, Scratch15, NeonSlot);
        _asm.EmitVex(1, pp, false, opcode, Scratch15, UseVector(op.A), VectorPlace(op.B));
        _asm.EmitVex(1, 0, false, join, Scratch15, Scratch15, NeonSlot);
        if (isScalar)
            FinishLane(op.Destination, Scratch15, op.Size, isClear && join == 0x54);
        else
            FinishLanes(op.Destination, Scratch15, isWhole: true);
        return 1;
    }

    /// <summary>Constants have zeros above the lane, which keep a sign and clear a magnitude: only one lane is done with them.</summary>
    private int EmitFloatSign(in MicroOp op, HostConstant ofDouble, int opcode, int count)
    {
        int host = ScalarTarget(op.Destination);
        if (count == 1)
        {
            bool isClear = opcode == 0x57 ? HasZeros(op.A, op.Size) : IsDouble(op.Size) || HasZeros(op.A, op.Size);
            _asm.EmitVex(1, 0, false, opcode, host, UseVector(op.A), KindConstant(ofDouble, op.Size));
            FinishLane(op.Destination, host, op.Size, isClear);
            return 1;
        }
        // The sign in all lanes, or all but the sign.
        int shift = IsDouble(op.Size) ? 63 : 31, opcodeOfShift = IsDouble(op.Size) ? 0x73 : 0x72;
        bool isMagnitude = opcode == 0x54;
        _asm.EmitVex(1, 1, false, 0x76, Scratch15, Scratch15, Operand.Of(Scratch15)); // VPCMPEQD
        _asm.EmitVex(1, 1, false, opcodeOfShift, isMagnitude ? 2 : 6, Scratch15, Operand.Of(Scratch15));
        _asm.Byte(isMagnitude ? 1 : shift);
        _asm.EmitVex(1, 0, false, opcode, host, Scratch15, VectorPlace(op.A));
        FinishLanes(op.Destination, host, IsWhole(op.Size, count));
        return 1;
    }

    private int EmitFloatLanes(in MicroOp op, int predicate, int count)
    {
        bool isScalar = count == 1;
        if (!isScalar && !IsWhole(op.Size, count))
            return 0;
        int host = ScalarTarget(op.Destination);
        bool isClear = HasZeros(op.A, op.Size);
        _asm.EmitVex(1, isScalar ? ScalarPp(op.Size) : PackedPp(op.Size), false, 0xC2, host, UseVector(op.A), VectorPlace(op.B));
        _asm.Byte(predicate);
        if (isScalar)
            FinishLane(op.Destination, host, op.Size, isClear);
        else
            FinishLanes(op.Destination, host, isWhole: true);
        return 1;
    }

    private int EmitFloatRound(in MicroOp op, int count)
    {
        const int quiet = 8, dynamic = 4;
        bool isScalar = count == 1;
        int rounding = NeonForm.Rounding(op.Immediate);
        if (rounding == (int)RoundingMode.NearestAway || (!isScalar && !IsWhole(op.Size, count)))
            return 0;
        int host = ScalarTarget(op.Destination), opcode = (isScalar ? 0x0A : 0x08) + (IsDouble(op.Size) ? 1 : 0);
        bool isClear = HasZeros(op.A, op.Size);
        _asm.EmitVex(3, 1, false, opcode, host, isScalar ? UseVector(op.A) : 0, VectorPlace(op.A));
        _asm.Byte((rounding == NeonForm.Dynamic ? dynamic : rounding) | (NeonForm.Has(op.Immediate, NeonForm.Round) ? 0 : quiet));
        if (isScalar)
            FinishLane(op.Destination, host, op.Size, isClear);
        else
            FinishLanes(op.Destination, host, isWhole: true);
        return 1;
    }

    /// <summary>Signed words.</summary>
    private int EmitFloatFromLanes(in MicroOp op, int count)
    {
        if (IsDouble(op.Size) || NeonForm.Has(op.Immediate, NeonForm.Unsigned) || NeonForm.Amount(op.Immediate) != 0 || !IsWhole(op.Size, count))
            return count == 1 ? EmitFloatFromLane(op) : 0;
        int host = ScalarTarget(op.Destination);
        _asm.EmitVex(1, 0, false, 0x5B, host, 0, VectorPlace(op.A)); // VCVTDQ2PS
        FinishLanes(op.Destination, host, isWhole: true);
        return 1;
    }

    /// <summary>One signed integer, by way of the work register.</summary>
    private int EmitFloatFromLane(in MicroOp op)
    {
        if (NeonForm.Has(op.Immediate, NeonForm.Unsigned) || NeonForm.Amount(op.Immediate) != 0)
            return 0;
        bool isDouble = IsDouble(op.Size);
        if (IsPinned(op.A))
            _asm.EmitVex(1, 1, isDouble, 0x7E, op.A, 0, Operand.Of(RegisterMap.Work)); // VMOVD, VMOVQ
        else
            _asm.Load(RegisterMap.Work, VectorPlace(op.A), isDouble ? 3 : 2);
        ClearScratch();
        FromSigned(op.Size, Operand.Of(RegisterMap.Work), wide: isDouble);
        FinishLane(op.Destination, Scratch15, op.Size, isClear: true);
        return 1;
    }

    // ---- flags and integer registers ---------------------------------------------------------------------------------

    /// <summary>
    /// The host's carry says below and its parity unordered. Bytes that stand for the order, compared: 1 above, 0 equal, -1 below, and two whose
    /// difference overflows.
    /// </summary>
    private int EmitNeonCompare(in MicroOp op)
    {
        if (!_map.HasAccumulator)
            return 0;
        const int ah = 4, al = 0, overflowing = 0x8001;
        bool isConditional = (op.C & NeonForm.Conditional) != 0;
        int fails = isConditional ? JumpShort((byte)op.Immediate ^ 1) : 0;
        bool isSignaling = (op.C & NeonForm.Signaling) != 0;
        // Quiet NaNs raise invalid: the interpreter does, which will look at the condition again.
        if (isSignaling && isConditional)
            InterpretUnordered(UseVector(op.A), VectorPlace(op.B), op.Size);
        Unordered(UseVector(op.A), VectorPlace(op.B), op.Size);
        if (isSignaling && !isConditional)
            InterpretUnless(ConditionNotParity);
        _asm.Emit(0x0F90 | ConditionBelow, 0, Operand.Of(al));
        _asm.Emit(0x0F90 | ConditionAbove, 0, Operand.Of(ah));
        if (!isSignaling)
        {
            int ordered = JumpShort(ConditionNotParity);
            _asm.Move(HostRegister.Rax, overflowing);
            LandShort(ordered);
        }
        _asm.Emit(0x38, al, Operand.Of(ah)); // CMP AH, AL
        if (!isConditional)
            return 1;
        int done = JumpShort(-1);
        LandShort(fails);
        _asm.Move(HostRegister.Rax, (long)Parked((ulong)op.Immediate >> 8));
        LoadFlags();
        LandShort(done);
        return 1;
    }

    /// <summary>CMOV of the bits, by integer registers.</summary>
    private int EmitNeonSelect(in MicroOp op)
    {
        if (!_map.HasAccumulator)
            return 0;
        bool isWide = op.Size == 3;
        MoveLow(HostRegister.Rax, op.A, isWide);
        MoveLow(RegisterMap.Work, op.B, isWide);
        _asm.Emit(0x0F40 | op.C, (int)RegisterMap.Work, Operand.Of(HostRegister.Rax), wide: isWide);
        int host = ScalarTarget(op.Destination);
        _asm.EmitVex(1, 1, isWide, 0x6E, host, 0, Operand.Of(RegisterMap.Work));
        FinishVector(op.Destination, host);
        NoteZeros(op.Destination, op.Size);
        return 1;
    }

    private void MoveLow(HostRegister to, int vector, bool isWide)
    {
        if (IsPinned(vector))
            _asm.EmitVex(1, 1, isWide, 0x7E, vector, 0, Operand.Of(to)); // VMOVD, VMOVQ
        else
            _asm.Load(to, VectorPlace(vector), isWide ? 3 : 2);
    }

    private int EmitNeonFromInteger(in MicroOp op, int at)
    {
        bool isUnsigned = NeonForm.Has(op.Immediate, NeonForm.Unsigned);
        if (NeonForm.Amount(op.Immediate) != 0 || (isUnsigned && op.C == 3 && !Avx512F.IsSupported))
            return 0;
        Operand from = UseOperand(op.A, op.C, RegisterMap.Work, at);
        if (isUnsigned)
        {
            _asm.Load(RegisterMap.Work, from, op.C);
            from = Operand.Of(RegisterMap.Work);
        }
        ClearScratch();
        if (isUnsigned && op.C == 3)
            _asm.EmitEvex(1, ScalarPp(op.Size), true, 0x7B, Scratch15, Scratch15, (int)RegisterMap.Work); // VCVTUSI2SD
        else
            FromSigned(op.Size, from, wide: op.C == 3 || isUnsigned);
        FinishLane(op.Destination, Scratch15, op.Size, isClear: true);
        return 1;
    }

    /// <summary>
    /// What does not fit stops the host. To integral comes first without flags, so that what does not fit does not raise inexact, and again with
    /// them.
    /// </summary>
    private int EmitNeonToInteger(in MicroOp op, int at)
    {
        const int quiet = 8;
        bool isUnsigned = NeonForm.Has(op.Immediate, NeonForm.Unsigned), isWide = op.C == 3;
        int rounding = NeonForm.Rounding(op.Immediate);
        if (NeonForm.Amount(op.Immediate) != 0 || rounding == (int)RoundingMode.NearestAway || (isUnsigned && !Avx512F.IsSupported))
            return 0;
        FlushDependents(op.Destination, at);
        int value = UseVector(op.A);
        bool rounds = rounding != (int)RoundingMode.TowardZero;
        if (rounds)
            RoundLane(op, value, rounding | quiet);
        int from = rounds ? Scratch15 : value;
        if (isUnsigned)
            _asm.EmitEvex(1, ScalarPp(op.Size), isWide, 0x78, (int)RegisterMap.Work, 0, from); // VCVTTSD2USI
        else
            Truncate(op.Size, Operand.Of(from), isWide);
        if (rounds)
            RoundLane(op, UseVector(op.A), rounding);
        Finish(op.Destination, RegisterMap.Work, at);
        return 1;
    }

    private void RoundLane(in MicroOp op, int value, int control)
    {
        _asm.EmitVex(3, 1, false, IsDouble(op.Size) ? 0x0B : 0x0A, Scratch15, value, Operand.Of(value)); // VROUNDSD, VROUNDSS
        _asm.Byte(control);
    }

    /// <summary>Between singles and doubles.</summary>
    private int EmitNeonConvert(in MicroOp op)
    {
        const int half = (int)LaneKind.Int16;
        int count = NeonForm.Count(op.Immediate);
        if (op.Size == half || op.C == half || NeonForm.Has(op.Immediate, NeonForm.Round))
            return 0;
        if (count == 1)
        {
            Operand from = VectorPlace(op.A);
            ClearScratch();
            _asm.EmitVex(1, ScalarPp(op.Size), false, 0x5A, Scratch15, Scratch15, from); // VCVTSS2SD, VCVTSD2SS
            FinishLane(op.Destination, Scratch15, op.C, isClear: true);
            return 1;
        }
        if (NeonForm.Has(op.Immediate, NeonForm.Upper))
            return 0;
        // FCVTL and FCVTN: two lanes.
        int host = ScalarTarget(op.Destination);
        _asm.EmitVex(1, PackedPp(op.Size), false, 0x5A, host, 0, VectorPlace(op.A)); // VCVTPS2PD, VCVTPD2PS
        FinishLanes(op.Destination, host, isWhole: true);
        return 1;
    }
}
