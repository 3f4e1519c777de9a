using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// Vectors and floating point: guest instructions become the same instruction of the host, under the guest's MXCSR. A load
/// into a temporary is only noted; the micro-op behind it takes it as its memory operand, so that the host checks what the guest
/// would have: the alignment of 16 bytes by a general protection fault, an unmasked exception by SIGFPE.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int FirstVectorTemporary = 32;
    private const int NoVector = -1;

    private enum VectorSource : byte
    {
        None,

        /// <summary>Guest memory, not loaded yet.</summary>
        Memory,

        /// <summary>The low bytes of an integer register.</summary>
        Integer,

        /// <summary>MXCSR.</summary>
        Control,
    }

    /// <summary>What the instruction's vector temporary stands for.</summary>
    private struct PendingVector
    {
        public VectorSource Source;
        public byte Temporary;
        public int Size;
        public bool IsAligned;

        /// <summary>The address, and the micro-op that has it.</summary>
        public Value Sum;
        public int At;

        public byte Register;
    }

    private PendingVector _pending;

    /// <summary>The micro-op whose 16 bytes were asked to be aligned.</summary>
    private int _aligned;

    private void BeginVectors()
    {
        _pending = default;
        _aligned = -1;
    }

    /// <summary>From here on temporaries are in the frame, as guest vectors are that have no host register.</summary>
    private const int FirstSlotTemporary = 56;

    /// <summary>A temporary that is only noted.</summary>
    private static bool IsVectorTemporary(int vector) => vector is >= FirstVectorTemporary and < FirstSlotTemporary;

    private bool IsPinned(int vector) => _map.IsPinned(vector);

    /// <summary>A guest vector: its host register, or its slot of 16 aligned bytes.</summary>
    private Operand VectorPlace(int vector) => IsPinned(vector) ? Operand.Of(vector)
        : vector >= FirstSlotTemporary ? Operand.Memory(HostRegister.Rsp, Frame.VectorTemporaries + (16 * (vector - FirstSlotTemporary))) : RegisterMap.VectorSlot(vector);

    private int EmitVector(int at)
    {
        ref MicroOp op = ref _ops[at];
        if (op.Code >= OpCode.NeonLanes)
            return EmitNeon(op, at);
        if (op.Code >= OpCode.ScalarAdd)
            return EmitScalar(op, at);
        if (op.Code is not (OpCode.VectorStore or OpCode.VectorStoreLane or OpCode.VectorToInteger))
            NoteZeros(op.Destination, op.Code is OpCode.VectorLoad or OpCode.VectorFromInteger ? op.Size : 4);
        _boxed &= ~(1ul << (op.Destination & 63));
        if (VectorEncoding.Find(op) is { Shape: not VectorShape.None } encoding)
            return EmitEncoded(op, encoding);
        return op.Code switch
        {
            OpCode.VectorCheckAlignment => EmitCheckAlignment(op, at),
            >= OpCode.X87Load and <= OpCode.X87GetWord => EmitX87(op, at),
            OpCode.VectorLoad => EmitVectorLoad(op, at),
            OpCode.VectorStore => EmitVectorStore(op, at),
            OpCode.VectorLoadLane => EmitLoadLane(op, at),
            OpCode.VectorStoreLane => EmitStoreLane(op, at),
            OpCode.VectorMove => EmitVectorMove(op),
            OpCode.VectorZero => EmitVectorZero(op, at),
            OpCode.VectorInsertLane => EmitInsertLane(op, at),
            OpCode.VectorFromInteger => EmitFromInteger(op, at),
            OpCode.VectorToInteger => EmitToInteger(op, at),
            OpCode.VectorInsertInteger => EmitInsertInteger(op, at),
            OpCode.VectorMoveMask => EmitMoveMask(op, at),
            OpCode.VectorSignExtend => EmitVectorExtend(op, 0x0F3820),
            OpCode.VectorZeroExtend => EmitVectorExtend(op, 0x0F3830),
            OpCode.VectorTest => EmitIntoFlags(op, 0x66, 0x0F3817, 4),
            OpCode.FloatCompareFlags => EmitFloatCompareFlags(op),
            OpCode.VectorStringIndex or OpCode.VectorStringMask => EmitVectorString(op, at),
            OpCode.FloatFromIntegerRegister => EmitFloatFromInteger(op, at),
            OpCode.FloatToIntegerRegister => EmitFloatToInteger(op, at),
            OpCode.FloatSetControl => EmitSetControl(op, at),
            OpCode.FloatGetControl => EmitGetControl(op, at),
            _ => 0,
        };
    }

    // ---- operands ----------------------------------------------------------------------------------------------------

    /// <summary>
    /// A register or memory operand of 1 &lt;&lt; size bytes. <paramref name="isUnaligned"/> says that the host instruction takes 16
    /// bytes at any address. False for what is none, and for 16 bytes in memory on which host and guest would disagree.
    /// </summary>
    private bool TryVectorOperand(int vector, int size, out Operand operand, bool isUnaligned = false)
    {
        if (!IsVectorTemporary(vector))
        {
            operand = VectorPlace(vector);
            return true;
        }
        operand = default;
        if (_pending.Source != VectorSource.Memory || _pending.Temporary != vector || _pending.Size != size || (size == 4 && _pending.IsAligned == isUnaligned))
            return false;
        operand = GuestOperand(_pending.Sum, _pending.At);
        return true;
    }

    /// <summary>A host register with the value of a guest vector: its own or the scratch.</summary>
    private int UseVector(int vector)
    {
        if (IsPinned(vector))
            return vector;
        LoadWhole(RegisterMap.VectorScratch, VectorPlace(vector), isAligned: true);
        return RegisterMap.VectorScratch;
    }

    /// <summary>The host register that <c>destination = first op ...</c> is done in, holding the first operand if there is one.</summary>
    private int StartVector(int destination, int first)
    {
        if (IsPinned(destination) && (first == NoVector || first == destination))
            return destination;
        if (first != NoVector)
            LoadWhole(RegisterMap.VectorScratch, VectorPlace(first), isAligned: true);
        return RegisterMap.VectorScratch;
    }

    /// <summary>Brings a result from where <see cref="StartVector"/> said to the guest vector.</summary>
    private void FinishVector(int destination, int host)
    {
        if (destination == host && IsPinned(destination))
            return;
        if (IsPinned(destination))
            LoadWhole(destination, Operand.Of(host), isAligned: true);
        else
            StoreWhole(VectorPlace(destination), host, isAligned: true);
    }

    private void LoadWhole(int host, in Operand from, bool isAligned) => _asm.Emit(isAligned ? 0x0F28 : 0x0F10, host, from); // MOVAPS, MOVUPS

    private void StoreWhole(in Operand to, int host, bool isAligned) => _asm.Emit(isAligned ? 0x0F29 : 0x0F11, host, to);

    // ---- operations in the table -------------------------------------------------------------------------------------

    private int EmitEncoded(in MicroOp op, in VectorEncoding encoding)
    {
        if (IsVectorTemporary(op.Destination))
            return 0;
        if (encoding.Shape == VectorShape.ByImmediate)
            return EmitByImmediate(op, encoding);
        bool isBinary = encoding.Shape == VectorShape.Binary;
        if (isBinary && IsVectorTemporary(op.A))
            return 0;
        if (!TryVectorOperand(encoding.Shape == VectorShape.UnaryA ? op.A : op.B, encoding.MemorySize, out Operand source))
            return 0;
        int host = StartVector(op.Destination, isBinary ? op.A : NoVector);
        _asm.Emit(encoding.Opcode, host, source, prefix: encoding.Prefix);
        if (encoding.HasImmediate)
            _asm.Byte((int)op.Immediate);
        FinishVector(op.Destination, host);
        return 1;
    }

    private int EmitByImmediate(in MicroOp op, in VectorEncoding encoding)
    {
        if (IsVectorTemporary(op.A))
            return 0;
        int host = StartVector(op.Destination, op.A);
        _asm.Emit(encoding.Opcode, encoding.Extension, Operand.Of(host), prefix: encoding.Prefix);
        _asm.Byte((int)op.Immediate);
        FinishVector(op.Destination, host);
        return 1;
    }

    /// <summary>PMOVSX and PMOVZX: six opcodes in the order BW BD BQ WD WQ DQ.</summary>
    private int EmitVectorExtend(in MicroOp op, int firstOpcode)
    {
        int from = op.Size, to = op.C;
        if (IsVectorTemporary(op.Destination) || from >= to || to > 3 || !TryVectorOperand(op.A, 4 - (to - from), out Operand source))
            return 0;
        int form = from switch { 0 => to - 1, 1 => to + 1, _ => 5 };
        int host = StartVector(op.Destination, NoVector);
        _asm.Emit(firstOpcode + form, host, source, prefix: 0x66);
        FinishVector(op.Destination, host);
        return 1;
    }

    // ---- comparisons into the flags ------------------------------------------------------------------------------------

    private int EmitIntoFlags(in MicroOp op, int prefix, int opcode, int size)
    {
        if (IsVectorTemporary(op.A) || !TryVectorOperand(op.B, size, out Operand second))
            return 0;
        _asm.Emit(opcode, UseVector(op.A), second, prefix: prefix);
        return 1;
    }

    /// <summary>COMISS and UCOMISS, COMISD and UCOMISD.</summary>
    private int EmitFloatCompareFlags(in MicroOp op)
    {
        bool isDouble = (LaneKind)op.Size == LaneKind.Float64;
        return EmitIntoFlags(op, isDouble ? 0x66 : 0, op.C == 1 ? 0x0F2F : 0x0F2E, isDouble ? 3 : 2);
    }

    /// <summary>PCMPESTRM, PCMPESTRI, PCMPISTRM, PCMPISTRI; lengths, index and mask are where the guest has them.</summary>
    private int EmitVectorString(in MicroOp op, int at)
    {
        bool isExplicit = (op.C & 1) != 0, isIndex = op.Code == OpCode.VectorStringIndex;
        if (IsVectorTemporary(op.A) || op.Destination != (isIndex ? Counter : 0) || !TryVectorOperand(op.B, 4, out Operand second, isUnaligned: true))
            return 0;
        if (isIndex)
            FlushDependents(Counter, at);
        _asm.Emit(0x0F3A60 + (isExplicit ? 0 : 2) + (isIndex ? 1 : 0), UseVector(op.A), second, wide: (op.C & 2) != 0, prefix: 0x66);
        _asm.Byte((int)op.Immediate);
        if (isIndex)
            Finish(Counter, HostRegister.Rcx, at);
        return 1;
    }
}
