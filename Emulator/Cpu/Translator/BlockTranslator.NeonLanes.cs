using System.Runtime.Intrinsics.X86;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>AArch64's integer lanes of one width.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int PackedAnd = 0x0FDB;
    private const int PackedOr = 0x0FEB;
    private const int PackedXor = 0x0FEF;

    private int EmitNeonLanes(in MicroOp op)
    {
        long form = op.Immediate;
        bool isWhole = NeonForm.Count(form) << op.Size == 16;
        if (NeonForm.Has(form, NeonForm.Saturate))
            return 0;
        int opcode = PlainOpcode(op.Size, NeonForm.Operation(form), form);
        if (opcode == 0)
            return EmitComposed(op, isWhole);
        int host = ScalarTarget(op.Destination);
        if (NeonForm.Operation(form) is NeonOperation.BitClear)
            Vector66(opcode, host, UseVector(op.B), VectorPlace(op.A));
        else
            Vector66(opcode, host, UseVector(op.A), VectorPlace(op.B));
        FinishLanes(op.Destination, host, isWhole);
        return 1;
    }

    /// <summary>The one instruction that does an operation, or 0.</summary>
    private static int PlainOpcode(int size, NeonOperation operation, long form)
    {
        bool isUnsigned = NeonForm.Has(form, NeonForm.Unsigned);
        ReadOnlySpan<int> opcodes = operation switch
        {
            NeonOperation.And => [PackedAnd, PackedAnd, PackedAnd, PackedAnd],
            NeonOperation.BitClear => [0x0FDF, 0x0FDF, 0x0FDF, 0x0FDF],
            NeonOperation.Or => [PackedOr, PackedOr, PackedOr, PackedOr],
            NeonOperation.ExclusiveOr => [PackedXor, PackedXor, PackedXor, PackedXor],
            NeonOperation.Add => [0x0FFC, 0x0FFD, 0x0FFE, 0x0FD4],
            NeonOperation.Subtract => [0x0FF8, 0x0FF9, 0x0FFA, 0x0FFB],
            NeonOperation.Multiply => [0, 0x0FD5, 0x0F3840, 0],
            NeonOperation.CompareEqual => [0x0F74, 0x0F75, 0x0F76, 0x0F3829],
            NeonOperation.CompareGreater when !isUnsigned => [0x0F64, 0x0F65, 0x0F66, 0x0F3837],
            NeonOperation.Max => isUnsigned ? [0x0FDE, 0x0F383E, 0x0F383F, 0] : [0x0F383C, 0x0FEE, 0x0F383D, 0],
            NeonOperation.Min => isUnsigned ? [0x0FDA, 0x0F383A, 0x0F383B, 0] : [0x0F3838, 0x0FEA, 0x0F3839, 0],
            NeonOperation.HalvingAdd when isUnsigned && NeonForm.Has(form, NeonForm.Round) => [0x0FE0, 0x0FE3, 0, 0],
            _ => [0, 0, 0, 0],
        };
        return opcodes[size];
    }

    private int EmitComposed(in MicroOp op, bool isWhole)
    {
        bool isUnsigned = NeonForm.Has(op.Immediate, NeonForm.Unsigned);
        int host = ScalarTarget(op.Destination);
        switch (NeonForm.Operation(op.Immediate))
        {
            case NeonOperation.OrNot:
                Vector66(PackedXor, Scratch15, UseVector(op.B), Gate.Constant(VectorConstant.Ones));
                Vector66(PackedOr, host, Scratch15, VectorPlace(op.A));
                break;
            case NeonOperation.Not:
                Vector66(PackedXor, host, UseVector(op.A), Gate.Constant(VectorConstant.Ones));
                break;
            case NeonOperation.Negate:
                ClearScratch();
                Vector66(0x0FF8 + op.Size, host, Scratch15, VectorPlace(op.A)); // VPSUB
                break;
            case NeonOperation.Absolute when op.Size < 3:
                Vector66(0x0F381C + op.Size, host, 0, VectorPlace(op.A)); // VPABS
                break;
            case NeonOperation.CompareTest:
                Vector66(PackedAnd, Scratch15, UseVector(op.A), VectorPlace(op.B));
                Vector66(PlainOpcode(op.Size, NeonOperation.CompareEqual, 0), Scratch15, Scratch15, Gate.Constant(VectorConstant.Zero));
                Vector66(PackedXor, host, Scratch15, Gate.Constant(VectorConstant.Ones));
                break;
            case NeonOperation.CompareGreater when op.Size < 3:
                // Unsigned: not at most.
                Vector66(PlainOpcode(op.Size, NeonOperation.Min, NeonForm.Unsigned), Scratch15, UseVector(op.A), VectorPlace(op.B));
                Vector66(PlainOpcode(op.Size, NeonOperation.CompareEqual, 0), Scratch15, Scratch15, VectorPlace(op.A));
                Vector66(PackedXor, host, Scratch15, Gate.Constant(VectorConstant.Ones));
                break;
            case NeonOperation.CompareGreaterOrEqual when op.Size < 3:
                Vector66(PlainOpcode(op.Size, NeonOperation.Max, op.Immediate), Scratch15, UseVector(op.A), VectorPlace(op.B));
                Vector66(PlainOpcode(op.Size, NeonOperation.CompareEqual, 0), host, Scratch15, VectorPlace(op.A));
                break;
            case NeonOperation.CompareGreaterOrEqual when !isUnsigned:
                Vector66(PlainOpcode(3, NeonOperation.CompareGreater, 0), Scratch15, UseVector(op.B), VectorPlace(op.A));
                Vector66(PackedXor, host, Scratch15, Gate.Constant(VectorConstant.Ones));
                break;
            case NeonOperation.CountBits when HasByteCounts:
                _asm.EmitEvex(2, 1, false, 0x54, Scratch15, 0, UseVector(op.A)); // VPOPCNTB
                host = Scratch15;
                break;
            case NeonOperation.MultiplyAdd or NeonOperation.MultiplySubtract:
                return EmitMultiplyAccumulate(op, isWhole);
            case NeonOperation.AbsoluteDifference or NeonOperation.AccumulateDifference:
                return EmitDifference(op, isWhole);
            default:
                return EmitShift(op, isWhole);
        }
        FinishLanes(op.Destination, host, isWhole);
        return 1;
    }

    /// <summary>AVX512_BITALG with AVX512VL (SDM Vol. 2, CPUID).</summary>
    private static bool HasByteCounts { get; } = Avx512F.VL.IsSupported && (X86Base.CpuId(7, 0).Ecx & (1 << 12)) != 0;

    private int EmitMultiplyAccumulate(in MicroOp op, bool isWhole)
    {
        int multiply = PlainOpcode(op.Size, NeonOperation.Multiply, 0);
        if (multiply == 0)
            return 0;
        Vector66(multiply, Scratch15, UseVector(op.A), VectorPlace(op.B));
        Accumulate(op, op.Size, NeonForm.Operation(op.Immediate) == NeonOperation.MultiplySubtract);
        FinishLanes(op.Destination, Scratch15, isWhole);
        return 1;
    }

    /// <summary>The scratch register = C with it added or taken away.</summary>
    private void Accumulate(in MicroOp op, int size, bool subtracts)
    {
        if (!subtracts)
        {
            Vector66(PlainOpcode(size, NeonOperation.Add, 0), Scratch15, Scratch15, VectorPlace(op.C));
            return;
        }
        _asm.Emit(0x0F29, Scratch15, NeonSlot); // MOVAPS
        Vector66(PlainOpcode(size, NeonOperation.Subtract, 0), Scratch15, UseVector(op.C), NeonSlot);
    }

    /// <summary>The larger minus the smaller.</summary>
    private int EmitDifference(in MicroOp op, bool isWhole)
    {
        int min = PlainOpcode(op.Size, NeonOperation.Min, op.Immediate), max = PlainOpcode(op.Size, NeonOperation.Max, op.Immediate);
        Vector66(min, Scratch15, UseVector(op.A), VectorPlace(op.B));
        _asm.Emit(0x0F29, Scratch15, NeonSlot); // MOVAPS
        Vector66(max, Scratch15, UseVector(op.A), VectorPlace(op.B));
        Vector66(PlainOpcode(op.Size, NeonOperation.Subtract, 0), Scratch15, Scratch15, NeonSlot);
        if (NeonForm.Operation(op.Immediate) == NeonOperation.AccumulateDifference)
            Accumulate(op, op.Size, subtracts: false);
        FinishLanes(op.Destination, Scratch15, isWhole);
        return 1;
    }

    // ---- shifts by an immediate --------------------------------------------------------------------------------------

    private int EmitShift(in MicroOp op, bool isWhole)
    {
        int amount = NeonForm.Amount(op.Immediate), bits = 8 << op.Size;
        bool isUnsigned = NeonForm.Has(op.Immediate, NeonForm.Unsigned);
        if (NeonForm.Has(op.Immediate, NeonForm.Round))
            return 0;
        switch (NeonForm.Operation(op.Immediate))
        {
            case NeonOperation.ShiftLeft:
                if (!TryShift(op.A, op.Size, amount, isLeft: true, isUnsigned: true))
                    return 0;
                break;
            case NeonOperation.ShiftRight or NeonOperation.ShiftRightAdd:
                if (!TryShift(op.A, op.Size, amount, isLeft: false, isUnsigned))
                    return 0;
                if (NeonForm.Operation(op.Immediate) == NeonOperation.ShiftRightAdd)
                    Accumulate(op, op.Size, subtracts: false);
                break;
            case NeonOperation.ShiftLeftInsert or NeonOperation.ShiftRightInsert when op.Size != 0:
                // What of C stays is shifted out and back.
                bool isLeft = NeonForm.Operation(op.Immediate) == NeonOperation.ShiftLeftInsert;
                TryShift(op.C, op.Size, bits - amount, isLeft, isUnsigned: true);
                TryShiftHost(Scratch15, op.Size, bits - amount, !isLeft, isUnsigned: true);
                _asm.Emit(0x0F29, Scratch15, NeonSlot); // MOVAPS
                TryShift(op.A, op.Size, amount, isLeft, isUnsigned: true);
                Vector66(PackedOr, Scratch15, Scratch15, NeonSlot);
                break;
            default:
                return 0;
        }
        FinishLanes(op.Destination, Scratch15, isWhole);
        return 1;
    }

    /// <summary>The scratch register = a vector's lanes shifted.</summary>
    private bool TryShift(int vector, int size, int amount, bool isLeft, bool isUnsigned) => TryShiftHost(UseVector(vector), size, amount, isLeft, isUnsigned);

    private bool TryShiftHost(int from, int size, int amount, bool isLeft, bool isUnsigned)
    {
        const int left = 6, right = 2, arithmetic = 4;
        int extension = isLeft ? left : isUnsigned ? right : arithmetic;
        if (size == 0)
            return isUnsigned && TryShiftBytes(from, amount, isLeft);
        if (size == 3 && extension == arithmetic)
        {
            if (!Avx512F.VL.IsSupported)
                return false;
            _asm.EmitEvex(1, 1, true, 0x72, arithmetic, Scratch15, from); // VPSRAQ
            _asm.Byte(amount);
            return true;
        }
        ShiftLanes(Scratch15, from, 0x70 + size, extension, amount);
        return true;
    }

    /// <summary>As halves, with what came from the neighbour cleared.</summary>
    private bool TryShiftBytes(int from, int amount, bool isLeft)
    {
        ulong mask = (isLeft ? 0xFFul << amount : 0xFFul >> amount) & 0xFF;
        _asm.Move(RegisterMap.Work, (long)(mask * 0x0101_0101_0101_0101));
        _asm.Store(NeonSlot, RegisterMap.Work, 3);
        _asm.Store(Behind(NeonSlot, 8), RegisterMap.Work, 3);
        ShiftLanes(Scratch15, from, 0x71, isLeft ? 6 : 2, amount);
        Vector66(PackedAnd, Scratch15, Scratch15, NeonSlot);
        return true;
    }
}
