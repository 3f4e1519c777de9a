using System.Runtime.Intrinsics.X86;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// AArch64's vectors by the host's instructions of three operands. Results of fewer than 16 bytes have zeros above them; which vectors are
/// known to have is noted, so that a chain of scalar operations need not clear anything. What sets QC, and what is rare, is left to the interpreter.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private ulong _zeroAbove32;
    private ulong _zeroAbove64;

    /// <summary>A second scratch vector, in the frame.</summary>
    private static Operand NeonSlot => Operand.Memory(HostRegister.Rsp, Frame.VectorTemporaries);

    private int EmitNeon(in MicroOp op, int at)
    {
        if (!HasScalars || !Avx2.IsSupported)
            return 0;
        if (op.Code is not (OpCode.NeonFloatCompare or OpCode.NeonFloatToInteger))
            return EmitNeonVector(op, at);
        return op.Code == OpCode.NeonFloatCompare ? EmitNeonCompare(op) : EmitNeonToInteger(op, at);
    }

    private int EmitNeonVector(in MicroOp op, int at)
    {
        int used = op.Code switch
        {
            OpCode.NeonLanes => EmitNeonLanes(op),
            OpCode.NeonWiden => EmitNeonWiden(op),
            OpCode.NeonNarrow => EmitNeonNarrow(op),
            OpCode.NeonPairs => EmitNeonPairs(op),
            OpCode.NeonAcross => EmitNeonAcross(op),
            OpCode.NeonPermute => EmitNeonPermute(op),
            OpCode.NeonTable => EmitNeonTable(op),
            OpCode.NeonDuplicate => EmitNeonDuplicate(op),
            OpCode.NeonDuplicateInteger => EmitDuplicateInteger(op, at),
            OpCode.NeonImmediate => EmitNeonImmediate(op),
            OpCode.NeonTruncate => EmitNeonTruncate(op),
            OpCode.NeonSelectBits => EmitSelectBits(op),
            OpCode.NeonSelect => EmitNeonSelect(op),
            OpCode.NeonCipher => EmitNeonCipher(op),
            OpCode.NeonFloat => EmitNeonFloat(op),
            OpCode.NeonFloatConvert => EmitNeonConvert(op),
            OpCode.NeonFloatFromInteger => EmitNeonFromInteger(op, at),
            _ => 0,
        };
        _boxed &= ~(1ul << (op.Destination & 63));
        return used;
    }

    // ---- what is above a result ----------------------------------------------------------------------------------------

    /// <summary>A vector has zeros above its low 1 &lt;&lt; size bytes, or above nothing that is known.</summary>
    private void NoteZeros(int vector, int size)
    {
        ulong bit = 1ul << (vector & 63);
        _zeroAbove32 = size <= 2 ? _zeroAbove32 | bit : _zeroAbove32 & ~bit;
        _zeroAbove64 = size <= 3 ? _zeroAbove64 | bit : _zeroAbove64 & ~bit;
    }

    private bool HasZeros(int vector, int kind) => ((IsDouble(kind) ? _zeroAbove64 : _zeroAbove32) & (1ul << vector)) != 0;

    private void ClearScratch() => _asm.EmitVex(1, 0, false, 0x57, Scratch15, Scratch15, Operand.Of(Scratch15)); // VXORPS

    /// <summary>A host register = the low half of a vector.</summary>
    private void ClearUpper(int host, int vector) => _asm.EmitVex(1, 2, false, 0x7E, host, 0, VectorPlace(vector)); // VMOVQ

    private void ClearAboveLow(int host, int size)
    {
        if (size == 3)
        {
            _asm.EmitVex(1, 2, false, 0x7E, host, 0, Operand.Of(host));
            return;
        }
        if (size < 2)
        {
            ExtractInteger(Operand.Of(RegisterMap.Work), host, size, 0);
            _asm.EmitVex(1, 1, false, 0x6E, host, 0, Operand.Of(RegisterMap.Work)); // VMOVD
            return;
        }
        _asm.EmitVex(3, 1, false, 0x21, host, host, Operand.Of(host)); // VINSERTPS
        _asm.Byte(0x0E);
    }

    /// <summary>A result in one lane of a kind; with zeros above it already, or not.</summary>
    private void FinishLane(int destination, int host, int kind, bool isClear)
    {
        int size = IsDouble(kind) ? 3 : 2;
        if (!isClear)
            ClearAboveLow(host, size);
        FinishVector(destination, host);
        NoteZeros(destination, size);
    }

    /// <summary>A result in all lanes, or in the lower half of them.</summary>
    private void FinishLanes(int destination, int host, bool isWhole)
    {
        if (!isWhole)
            ClearAboveLow(host, 3);
        FinishVector(destination, host);
        NoteZeros(destination, isWhole ? 4 : 3);
    }

    /// <summary>A result in the low bytes alone.</summary>
    private void FinishLow(int destination, int host, int size)
    {
        ClearAboveLow(host, size);
        FinishVector(destination, host);
        NoteZeros(destination, size);
    }

    /// <summary>The scratch register = A op B, by an instruction with prefix 66; A is a host register.</summary>
    private void Vector66(int map, int opcode, int host, int first, in Operand second) => _asm.EmitVex(map, 1, false, opcode, host, first, second);

    /// <summary>An opcode as <see cref="Assembler.Emit"/> has it, with prefix 66.</summary>
    private void Vector66(int opcode, int host, int first, in Operand second) => Vector66(opcode > 0xFFFF ? ((opcode >> 8) & 0xFF) == 0x3A ? 3 : 2 : 1, opcode & 0xFF, host, first, second);

    /// <summary>A shift by an immediate: by the instruction's extension.</summary>
    private void ShiftLanes(int host, int from, int opcode, int extension, int amount)
    {
        Vector66(1, opcode, extension, host, Operand.Of(from));
        _asm.Byte(amount);
    }

    private void ShiftBytesRight(int host, int from, int bytes) => ShiftLanes(host, from, 0x73, 3, bytes);

    // ---- moves -------------------------------------------------------------------------------------------------------

    private int EmitNeonImmediate(in MicroOp op)
    {
        int host = ScalarTarget(op.Destination);
        if (op.Immediate == 0)
            _asm.EmitVex(1, 0, false, 0x57, host, host, Operand.Of(host)); // VXORPS
        else if (op.Immediate == -1 && op.C != 0)
            Vector66(1, 0x76, host, host, Operand.Of(host)); // VPCMPEQD
        else
        {
            _asm.Move(RegisterMap.Work, op.Immediate);
            _asm.EmitVex(1, 1, true, 0x6E, host, 0, Operand.Of(RegisterMap.Work)); // VMOVQ
            if (op.C != 0)
                Vector66(1, 0x6C, host, host, Operand.Of(host)); // VPUNPCKLQDQ
        }
        FinishVector(op.Destination, host);
        NoteZeros(op.Destination, op.Immediate == 0 || (op.C == 0 && (ulong)op.Immediate <= uint.MaxValue) ? 2 : op.C == 0 ? 3 : 4);
        return 1;
    }

    private int EmitNeonTruncate(in MicroOp op)
    {
        int host = ScalarTarget(op.Destination);
        if (op.Size == 3)
            ClearUpper(host, op.A);
        else if (IsPinned(op.A))
        {
            _asm.EmitVex(3, 1, false, 0x21, host, op.A, Operand.Of(op.A)); // VINSERTPS
            _asm.Byte(0x0E);
        }
        else
            _asm.EmitVex(1, 2, false, 0x10, host, 0, VectorPlace(op.A)); // VMOVSS
        FinishVector(op.Destination, host);
        NoteZeros(op.Destination, op.Size);
        return 1;
    }

    /// <summary>B and what differs in A where C says so.</summary>
    private int EmitSelectBits(in MicroOp op)
    {
        int host = ScalarTarget(op.Destination);
        Vector66(1, 0xEF, Scratch15, UseVector(op.A), VectorPlace(op.B)); // VPXOR
        Vector66(1, 0xDB, Scratch15, Scratch15, VectorPlace(op.C)); // VPAND
        Vector66(1, 0xEF, host, Scratch15, VectorPlace(op.B));
        FinishLanes(op.Destination, host, isWhole: true);
        return 1;
    }

    private int EmitNeonDuplicate(in MicroOp op)
    {
        int lane = NeonForm.Amount(op.Immediate), count = NeonForm.Count(op.Immediate), bytes = count << op.Size;
        int host = ScalarTarget(op.Destination), from = UseVector(op.A);
        if (count == 1)
        {
            ShiftBytesRight(Scratch15, from, lane << op.Size);
            FinishLow(op.Destination, Scratch15, op.Size);
            return 1;
        }
        switch (op.Size)
        {
            case 3:
                Vector66(1, lane == 0 ? 0x6C : 0x6D, host, from, Operand.Of(from)); // VPUNPCKLQDQ, VPUNPCKHQDQ
                break;
            case 2:
                Vector66(1, 0x70, host, 0, Operand.Of(from)); // VPSHUFD
                _asm.Byte(lane * 0x55);
                break;
            default:
                if (lane != 0)
                    ShiftBytesRight(Scratch15, from, lane << op.Size);
                Vector66(2, 0x78 + op.Size, host, 0, Operand.Of(lane != 0 ? Scratch15 : from)); // VPBROADCASTB, VPBROADCASTW
                break;
        }
        FinishLanes(op.Destination, host, bytes == 16);
        return 1;
    }

    private int EmitDuplicateInteger(in MicroOp op, int at)
    {
        Operand from = UseOperand(op.A, Math.Max((int)op.Size, 2), RegisterMap.Work, at);
        int host = ScalarTarget(op.Destination);
        _asm.EmitVex(1, 1, op.Size == 3, 0x6E, Scratch15, 0, from); // VMOVD, VMOVQ
        Vector66(2, op.Size switch { 0 => 0x78, 1 => 0x79, 2 => 0x58, _ => 0x59 }, host, 0, Operand.Of(Scratch15)); // VPBROADCAST
        FinishLanes(op.Destination, host, NeonForm.Count(op.Immediate) << op.Size == 16);
        return 1;
    }
}
