using System.Runtime.Intrinsics.X86;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>AArch64's lanes that become wider or narrower, their pairs and their sums.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private int EmitNeonWiden(in MicroOp op)
    {
        long form = op.Immediate;
        NeonOperation operation = NeonForm.Operation(form);
        bool isUpper = NeonForm.Has(form, NeonForm.Upper);
        if (NeonForm.Has(form, NeonForm.Saturate) || NeonForm.Count(form) << op.Size != 8)
            return 0;
        switch (operation)
        {
            case NeonOperation.MultiplyPolynomial when op.Size == 3 && Pclmulqdq.IsSupported:
                Vector66(3, 0x44, Scratch15, UseVector(op.A), VectorPlace(op.B)); // VPCLMULQDQ
                _asm.Byte(isUpper ? 0x11 : 0);
                break;
            case NeonOperation.ShiftLeft:
                Extend(op.A, op);
                if (NeonForm.Amount(form) != 0)
                    TryShiftHost(Scratch15, op.Size + 1, NeonForm.Amount(form), isLeft: true, isUnsigned: true);
                break;
            case NeonOperation.Add or NeonOperation.Subtract:
                Extend(op.B, op);
                _asm.Emit(0x0F29, Scratch15, NeonSlot); // MOVAPS
                if (NeonForm.Has(form, NeonForm.Wide))
                    LoadWhole(Scratch15, VectorPlace(op.A), isAligned: true);
                else
                    Extend(op.A, op);
                Vector66(PlainOpcode(op.Size + 1, operation, 0), Scratch15, Scratch15, NeonSlot);
                break;
            case NeonOperation.Multiply or NeonOperation.MultiplyAdd or NeonOperation.MultiplySubtract:
                Extend(op.B, op);
                _asm.Emit(0x0F29, Scratch15, NeonSlot);
                Extend(op.A, op);
                int long64 = NeonForm.Has(form, NeonForm.Unsigned) ? 0x0FF4 : 0x0F3828; // VPMULUDQ, VPMULDQ
                Vector66(op.Size == 2 ? long64 : PlainOpcode(op.Size + 1, NeonOperation.Multiply, 0), Scratch15, Scratch15, NeonSlot);
                if (operation != NeonOperation.Multiply)
                    Accumulate(op, op.Size + 1, operation == NeonOperation.MultiplySubtract);
                break;
            default:
                return 0;
        }
        FinishLanes(op.Destination, Scratch15, isWhole: true);
        return 1;
    }

    /// <summary>The scratch register = half of a vector's lanes, twice as wide.</summary>
    private void Extend(int vector, in MicroOp op)
    {
        // PMOVSX and PMOVZX: BW, WD, DQ.
        int opcode = (NeonForm.Has(op.Immediate, NeonForm.Unsigned) ? 0x30 : 0x20) + op.Size switch { 0 => 0, 1 => 3, _ => 5 };
        Operand from = VectorPlace(vector);
        if (NeonForm.Has(op.Immediate, NeonForm.Upper))
        {
            ShiftBytesRight(Scratch15, UseVector(vector), 8);
            from = Operand.Of(Scratch15);
        }
        Vector66(2, opcode, Scratch15, 0, from);
    }

    private int EmitNeonNarrow(in MicroOp op)
    {
        long form = op.Immediate;
        int amount = NeonForm.Amount(form);
        if (NeonForm.Has(form, NeonForm.Saturate) || NeonForm.Has(form, NeonForm.Round) || NeonForm.Operation(form) != NeonOperation.ShiftRight || NeonForm.Count(form) << op.Size != 8)
            return 0;
        int from = UseVector(op.A);
        if (amount != 0)
        {
            TryShiftHost(from, op.Size + 1, amount, isLeft: false, isUnsigned: true);
            from = Scratch15;
        }
        Vector66(2, 0x00, Scratch15, from, Gate.Constant(VectorConstant.Narrow2 + op.Size)); // VPSHUFB
        if (!NeonForm.Has(form, NeonForm.Upper))
        {
            FinishVector(op.Destination, Scratch15);
            NoteZeros(op.Destination, 3);
            return 1;
        }
        if (IsPinned(op.C))
            Vector66(1, 0x6C, Scratch15, op.C, Operand.Of(Scratch15)); // VPUNPCKLQDQ
        else
        {
            _asm.Emit(0x0F29, Scratch15, NeonSlot); // MOVAPS
            Vector66(1, 0x6C, Scratch15, UseVector(op.C), NeonSlot);
        }
        FinishLanes(op.Destination, Scratch15, isWhole: true);
        return 1;
    }

    // ---- pairs -------------------------------------------------------------------------------------------------------

    private int EmitNeonPairs(in MicroOp op)
    {
        long form = op.Immediate;
        NeonOperation operation = NeonForm.Operation(form);
        if (operation is NeonOperation.AddLong or NeonOperation.AddLongAccumulate)
            return EmitLongPairs(op, operation == NeonOperation.AddLongAccumulate);
        bool isWhole = NeonForm.Count(form) << op.Size == 16;
        int opcode = PlainOpcode(op.Size, operation, form);
        if (opcode == 0 || op.Size == 1)
            return 0;
        // Of halves of vectors one vector.
        if (!isWhole)
            Vector66(1, 0x6C, Scratch15, UseVector(op.A), VectorPlace(op.B)); // VPUNPCKLQDQ
        if (op.Size == 0)
            JoinBytePairs(op, opcode, isWhole);
        else
            JoinPairs(op, opcode, isWhole);
        FinishLanes(op.Destination, Scratch15, isWhole);
        return 1;
    }

    /// <summary>The even bytes of halves in which each has met its neighbour.</summary>
    private void JoinBytePairs(in MicroOp op, int opcode, bool isWhole)
    {
        if (!isWhole)
        {
            _asm.Emit(0x0F29, Scratch15, NeonSlot); // MOVAPS
            MeetNeighbours(Scratch15, NeonSlot, opcode);
            Vector66(1, 0x67, Scratch15, Scratch15, Operand.Of(Scratch15)); // VPACKUSWB
            return;
        }
        MeetNeighbours(UseVector(op.B), VectorPlace(op.B), opcode);
        _asm.Emit(0x0F29, Scratch15, NeonSlot);
        MeetNeighbours(UseVector(op.A), VectorPlace(op.A), opcode);
        Vector66(1, 0x67, Scratch15, Scratch15, NeonSlot);
    }

    private void MeetNeighbours(int host, in Operand same, int opcode)
    {
        ShiftLanes(Scratch15, host, 0x71, 2, 8);
        Vector66(opcode, Scratch15, Scratch15, same);
        Vector66(PackedAnd, Scratch15, Scratch15, Gate.Constant(VectorConstant.LowBytes));
    }

    /// <summary>The even lanes of both vectors, and the odd ones.</summary>
    private void JoinPairs(in MicroOp op, int opcode, bool isWhole)
    {
        if (!isWhole)
        {
            // Words a0 a1 b0 b1.
            Vector66(1, 0x70, Scratch15, 0, Operand.Of(Scratch15)); // VPSHUFD
            _asm.Byte(0xD8);
            _asm.Emit(0x0F29, Scratch15, NeonSlot); // MOVAPS
            ShiftBytesRight(Scratch15, Scratch15, 8);
        }
        else if (op.Size == 3)
        {
            Vector66(1, 0x6C, Scratch15, UseVector(op.A), VectorPlace(op.B));
            _asm.Emit(0x0F29, Scratch15, NeonSlot);
            Vector66(1, 0x6D, Scratch15, UseVector(op.A), VectorPlace(op.B));
        }
        else
        {
            _asm.EmitVex(1, 0, false, 0xC6, Scratch15, UseVector(op.A), VectorPlace(op.B)); // VSHUFPS
            _asm.Byte(0x88);
            _asm.Emit(0x0F29, Scratch15, NeonSlot);
            _asm.EmitVex(1, 0, false, 0xC6, Scratch15, UseVector(op.A), VectorPlace(op.B));
            _asm.Byte(0xDD);
        }
        Vector66(opcode, Scratch15, Scratch15, NeonSlot);
    }

    private int EmitLongPairs(in MicroOp op, bool accumulates)
    {
        bool isUnsigned = NeonForm.Has(op.Immediate, NeonForm.Unsigned), isWhole = NeonForm.Count(op.Immediate) << (op.Size + 1) == 16;
        if (op.Size == 0 && isUnsigned)
            Vector66(2, 0x04, Scratch15, UseVector(op.A), Gate.Constant(VectorConstant.OneBytes)); // VPMADDUBSW
        else if (op.Size == 1 && !isUnsigned)
            Vector66(1, 0xF5, Scratch15, UseVector(op.A), Gate.Constant(VectorConstant.OneHalves)); // VPMADDWD
        else if (isUnsigned)
        {
            int bits = 8 << op.Size, opcode = 0x71 + op.Size;
            ShiftLanes(Scratch15, UseVector(op.A), opcode, 6, bits);
            ShiftLanes(Scratch15, Scratch15, opcode, 2, bits);
            _asm.Emit(0x0F29, Scratch15, NeonSlot); // MOVAPS
            ShiftLanes(Scratch15, UseVector(op.A), opcode, 2, bits);
            Vector66(PlainOpcode(op.Size + 1, NeonOperation.Add, 0), Scratch15, Scratch15, NeonSlot);
        }
        else
            return 0;
        if (accumulates)
            Accumulate(op, op.Size + 1, subtracts: false);
        FinishLanes(op.Destination, Scratch15, isWhole);
        return 1;
    }

    // ---- across lanes ------------------------------------------------------------------------------------------------

    private int EmitNeonAcross(in MicroOp op)
    {
        long form = op.Immediate;
        NeonOperation operation = NeonForm.Operation(form);
        bool isLong = operation == NeonOperation.AddLong;
        int bytes = NeonForm.Count(form) << op.Size, size = op.Size;
        if (size == 0 && (operation == NeonOperation.Add || (isLong && NeonForm.Has(form, NeonForm.Unsigned))))
        {
            SumBytes(op, bytes);
            FinishLow(op.Destination, Scratch15, isLong ? 1 : 0);
            return 1;
        }
        int opcode = PlainOpcode(size, operation, form);
        if (isLong || opcode == 0)
            return 0;
        LoadWhole(Scratch15, VectorPlace(op.A), isAligned: true);
        for (int half = bytes / 2; half >= 1 << size; half /= 2)
        {
            _asm.Emit(0x0F29, Scratch15, NeonSlot); // MOVAPS
            ShiftBytesRight(Scratch15, Scratch15, half);
            Vector66(opcode, Scratch15, Scratch15, NeonSlot);
        }
        FinishLow(op.Destination, Scratch15, size);
        return 1;
    }

    /// <summary>Differences from zero.</summary>
    private void SumBytes(in MicroOp op, int bytes)
    {
        if (bytes == 8)
            ClearUpper(Scratch15, op.A);
        Vector66(1, 0xF6, Scratch15, bytes == 8 ? Scratch15 : UseVector(op.A), Gate.Constant(VectorConstant.Zero)); // VPSADBW
        if (bytes == 8)
            return;
        _asm.Emit(0x0F29, Scratch15, NeonSlot); // MOVAPS
        ShiftBytesRight(Scratch15, Scratch15, 8);
        Vector66(1, 0xD4, Scratch15, Scratch15, NeonSlot); // VPADDQ
    }

    // ---- order -------------------------------------------------------------------------------------------------------

    private int EmitNeonPermute(in MicroOp op)
    {
        NeonOperation operation = NeonForm.Operation(op.Immediate);
        int count = NeonForm.Count(op.Immediate), amount = NeonForm.Amount(op.Immediate);
        bool isWhole = count << op.Size == 16;
        if (operation == NeonOperation.Reverse)
            return EmitReverse(op, amount, isWhole);
        if (operation == NeonOperation.Extract)
            return EmitExtract(op, amount, isWhole);
        // Of two lanes all orders are interleavings.
        if (count == 2)
            operation = operation is NeonOperation.Even or NeonOperation.TransposeEven or NeonOperation.InterleaveLow ? NeonOperation.InterleaveLow : NeonOperation.InterleaveHigh;
        switch (operation)
        {
            case NeonOperation.InterleaveLow or NeonOperation.InterleaveHigh:
                int low = op.Size == 3 ? 0x6C : 0x60 + op.Size, high = op.Size == 3 ? 0x6D : 0x68 + op.Size;
                bool isHigh = operation == NeonOperation.InterleaveHigh;
                Vector66(1, isHigh && isWhole ? high : low, Scratch15, UseVector(op.A), VectorPlace(op.B)); // VPUNPCKL, VPUNPCKH
                if (isHigh && !isWhole)
                    ShiftBytesRight(Scratch15, Scratch15, 8);
                break;
            case NeonOperation.Even or NeonOperation.Odd:
                Separate(op, operation == NeonOperation.Odd, isWhole);
                break;
            default:
                Transpose(op, operation == NeonOperation.TransposeOdd);
                break;
        }
        FinishLanes(op.Destination, Scratch15, isWhole);
        return 1;
    }

    /// <summary>Words by a shuffle, smaller lanes by moving each vector's into its lower half.</summary>
    private void Separate(in MicroOp op, bool isOdd, bool isWhole)
    {
        if (op.Size == 2)
        {
            _asm.EmitVex(1, 0, false, 0xC6, Scratch15, UseVector(op.A), VectorPlace(op.B)); // VSHUFPS
            _asm.Byte(isOdd ? 0xDD : 0x88);
            return;
        }
        Operand narrow = Gate.Constant(VectorConstant.Narrow2 + op.Size);
        if (!isWhole)
        {
            Vector66(1, 0x6C, Scratch15, UseVector(op.A), VectorPlace(op.B)); // VPUNPCKLQDQ
            NarrowLanes(Scratch15, op.Size, isOdd, narrow);
            return;
        }
        NarrowLanes(UseVector(op.B), op.Size, isOdd, narrow);
        _asm.Emit(0x0F29, Scratch15, NeonSlot); // MOVAPS
        NarrowLanes(UseVector(op.A), op.Size, isOdd, narrow);
        Vector66(1, 0x6C, Scratch15, Scratch15, NeonSlot);
    }

    private void NarrowLanes(int from, int size, bool isOdd, in Operand narrow)
    {
        if (isOdd)
            TryShiftHost(from, size + 1, 8 << size, isLeft: false, isUnsigned: true);
        Vector66(2, 0x00, Scratch15, isOdd ? Scratch15 : from, narrow); // VPSHUFB
    }

    /// <summary>Even lanes of A beside those of B, or odd ones: half of a wider lane each.</summary>
    private void Transpose(in MicroOp op, bool isOdd)
    {
        int bits = 8 << op.Size, wide = op.Size + 1;
        Shorten(isOdd ? op.B : op.A, wide, bits, fromTop: isOdd, toTop: isOdd);
        _asm.Emit(0x0F29, Scratch15, NeonSlot); // MOVAPS
        if (isOdd)
            TryShift(op.A, wide, bits, isLeft: false, isUnsigned: true);
        else
            TryShift(op.B, wide, bits, isLeft: true, isUnsigned: true);
        Vector66(PackedOr, Scratch15, Scratch15, NeonSlot);
    }

    /// <summary>One half of each wider lane, in its place, the other cleared.</summary>
    private void Shorten(int vector, int wide, int bits, bool fromTop, bool toTop)
    {
        TryShift(vector, wide, bits, isLeft: !fromTop, isUnsigned: true);
        TryShiftHost(Scratch15, wide, bits, isLeft: toTop, isUnsigned: true);
    }

    private int EmitReverse(in MicroOp op, int container, bool isWhole)
    {
        switch (op.Size)
        {
            case 0:
                Vector66(2, 0x00, Scratch15, UseVector(op.A), Gate.Constant(VectorConstant.Reverse2 + container - 1)); // VPSHUFB
                break;
            case 1:
                int order = container == 3 ? 0x1B : 0xB1;
                _asm.EmitVex(1, 3, false, 0x70, Scratch15, 0, VectorPlace(op.A)); // VPSHUFLW
                _asm.Byte(order);
                _asm.EmitVex(1, 2, false, 0x70, Scratch15, 0, Operand.Of(Scratch15)); // VPSHUFHW
                _asm.Byte(order);
                break;
            default:
                Vector66(1, 0x70, Scratch15, 0, VectorPlace(op.A)); // VPSHUFD
                _asm.Byte(0xB1);
                break;
        }
        FinishLanes(op.Destination, Scratch15, isWhole);
        return 1;
    }

    private int EmitExtract(in MicroOp op, int amount, bool isWhole)
    {
        if (isWhole)
        {
            Vector66(3, 0x0F, Scratch15, UseVector(op.B), VectorPlace(op.A)); // VPALIGNR
            _asm.Byte(amount);
        }
        else
        {
            Vector66(1, 0x6C, Scratch15, UseVector(op.A), VectorPlace(op.B)); // VPUNPCKLQDQ
            ShiftBytesRight(Scratch15, Scratch15, amount);
        }
        FinishLanes(op.Destination, Scratch15, isWhole);
        return 1;
    }

    /// <summary>A table of one vector: indices above 15 get their top bit set, which the host takes as zero.</summary>
    private int EmitNeonTable(in MicroOp op)
    {
        int vectors = (int)(op.Immediate >> 32) & 0xFF, count = (int)(op.Immediate >> 48) & 0xFF, table = (int)op.Immediate & 63;
        if (vectors != 1 || ((op.Immediate >> 40) & 0xFF) != 0)
            return 0;
        Vector66(1, 0xDC, Scratch15, UseVector(op.B), Gate.Constant(VectorConstant.BeyondTable)); // VPADDUSB
        if (IsPinned(table))
            Vector66(2, 0x00, Scratch15, table, Operand.Of(Scratch15)); // VPSHUFB
        else
        {
            _asm.Emit(0x0F29, Scratch15, NeonSlot); // MOVAPS
            Vector66(2, 0x00, Scratch15, UseVector(table), NeonSlot);
        }
        FinishLanes(op.Destination, Scratch15, count == 16);
        return 1;
    }
}
