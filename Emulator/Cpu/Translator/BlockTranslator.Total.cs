using System.Runtime.Intrinsics.X86;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>The integer operations of processors that load and store: products' high halves, divisions without traps, counts of zeros.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int ConditionEqual = 4;
    private const int ConditionNotEqual = 5;

    private static Operand SavedRax => Operand.Memory(HostRegister.Rsp, Frame.SavedAccumulator);

    private static Operand SavedRdx => Operand.Memory(HostRegister.Rsp, Frame.SavedData);

    private int EmitTotal(in MicroOp op, int at)
    {
        if (op.Size < 2 || !TryFreeFlags(at))
            return 0;
        switch (op.Code)
        {
            case OpCode.ReverseBits:
                return _map.HasAccumulator ? EmitReverseBits(op, at) : 0;
            case OpCode.AndNot:
                return EmitAndNot(op, at);
            case OpCode.LeadingZeros:
                return Lzcnt.IsSupported ? EmitZeros(op, at, 0x0FBD) : 0;
            case OpCode.TrailingZeros:
                return Bmi1.IsSupported ? EmitZeros(op, at, 0x0FBC) : 0;
        }
        Destination destination = DestinationOf(at);
        FlushDependents(destination.Register, at);
        Settle(op.A, at);
        Settle(op.B, at);
        // Both operands, away from the registers that the host's instructions take.
        HostRegister a = LoadSecond(op.A, at);
        if (a != RegisterMap.Scratch)
            _asm.Move(RegisterMap.Scratch, a);
        _asm.Move(RegisterMap.Work, Use(op.B, RegisterMap.Work, at));
        if (!_map.HasAccumulator)
            _asm.Store(SavedRax, HostRegister.Rax, 3);
        _asm.Store(SavedRdx, HostRegister.Rdx, 3);
        if (op.Code <= OpCode.MultiplyHighSignedUnsigned)
            MultiplyHigh(op);
        else
            Divide(op);
        _asm.Load(HostRegister.Rdx, SavedRdx, 3);
        if (!_map.HasAccumulator)
            _asm.Load(HostRegister.Rax, SavedRax, 3);
        FinishSized(destination, RegisterMap.Work, op.Size, at);
        return destination.Used;
    }

    private int EmitAndNot(in MicroOp op, int at)
    {
        Destination destination = DestinationOf(at);
        FlushDependents(destination.Register, at);
        Settle(op.A, at);
        Settle(op.B, at);
        HostRegister inverted = HasHost(op.B) ? Use(op.B, RegisterMap.Work, at) : LoadSecond(op.B, at);
        Operand kept = UseOperand(op.A, op.Size, RegisterMap.Work, at);
        HostRegister target = Target(destination.Register);
        _asm.EmitVex(2, 0, wide: op.Size == 3, 0xF2, (int)target, (int)inverted, kept); // ANDN
        FinishSized(destination, target, op.Size, at);
        return destination.Used;
    }

    /// <summary>The bytes reversed, then bits, pairs and nibbles change places with their neighbours.</summary>
    private int EmitReverseBits(in MicroOp op, int at)
    {
        FlushDependents(op.Destination, at);
        Settle(op.A, at);
        HostRegister from = Use(op.A, RegisterMap.Work, at);
        if (op.Size == 3)
            _asm.Move(RegisterMap.Work, from);
        else
            _asm.Move32(RegisterMap.Work, from);
        _asm.SwapBytes(RegisterMap.Work, wide: op.Size == 3);
        for (int step = 0; step < 3; step++)
        {
            Operand mask = Gate.Constant(HostConstant.EvenBits + step);
            _asm.RotateRight(HostRegister.Rax, RegisterMap.Work, 1 << step);
            _asm.Alu(0x22, (int)HostRegister.Rax, mask, 3); // AND
            _asm.Alu(0x22, (int)RegisterMap.Work, mask, 3);
            _asm.RotateRight(RegisterMap.Work, RegisterMap.Work, 64 - (1 << step));
            _asm.Alu(0x0A, (int)RegisterMap.Work, Operand.Of(HostRegister.Rax), 3); // OR
        }
        Finish(op.Destination, RegisterMap.Work, at);
        return 1;
    }

    /// <summary>LZCNT, TZCNT.</summary>
    private int EmitZeros(in MicroOp op, int at, int opcode)
    {
        FlushDependents(op.Destination, at);
        Operand from = UseOperand(op.A, op.Size, RegisterMap.Work, at);
        HostRegister target = Target(op.Destination);
        _asm.Emit(opcode, (int)target, from, wide: op.Size == 3, prefix: 0xF3);
        Finish(op.Destination, target, at);
        return 1;
    }

    /// <summary>Scratch × work: the high half into the work register. Changes RAX and RDX.</summary>
    private void MultiplyHigh(in MicroOp op)
    {
        bool wide = op.Size == 3;
        _asm.Move(HostRegister.Rax, RegisterMap.Scratch);
        _asm.Emit(0xF7, op.Code == OpCode.MultiplyHighSigned ? 5 : 4, Operand.Of(RegisterMap.Work), wide);
        if (op.Code == OpCode.MultiplyHighSignedUnsigned)
        {
            // A negative A was taken for one that is 2 to the width too large.
            _asm.Emit(0xC1, 7, Operand.Of(RegisterMap.Scratch), wide); // SAR
            _asm.Byte(wide ? 63 : 31);
            _asm.Alu(0x22, (int)RegisterMap.Work, Operand.Of(RegisterMap.Scratch), op.Size); // AND
            _asm.Alu(0x2A, (int)HostRegister.Rdx, Operand.Of(RegisterMap.Work), op.Size); // SUB
        }
        _asm.Move(RegisterMap.Work, HostRegister.Rdx);
    }

    /// <summary>Scratch / work: what is asked for into the work register. Changes RAX and RDX.</summary>
    private void Divide(in MicroOp op)
    {
        bool wide = op.Size == 3, isSigned = op.Code is OpCode.QuotientSigned or OpCode.RemainderSigned;
        bool isQuotient = op.Code is OpCode.Quotient or OpCode.QuotientSigned;
        _asm.Alu(0x84, (int)RegisterMap.Work, Operand.Of(RegisterMap.Work), op.Size); // TEST
        int byZero = JumpShort(ConditionEqual);
        int byMinusOne = 0;
        if (isSigned)
        {
            _asm.AluImmediate(GroupCompare, Operand.Of(RegisterMap.Work), -1, op.Size);
            byMinusOne = JumpShort(ConditionEqual);
        }
        _asm.Move(HostRegister.Rax, RegisterMap.Scratch);
        if (isSigned)
            SignIntoRdx(wide);
        else
            _asm.Alu(0x32, (int)HostRegister.Rdx, Operand.Of(HostRegister.Rdx), 2); // XOR
        _asm.Emit(0xF7, isSigned ? 7 : 6, Operand.Of(RegisterMap.Work), wide);
        _asm.Move(RegisterMap.Work, isQuotient ? HostRegister.Rax : HostRegister.Rdx);
        int done = JumpShort(-1);
        int doneToo = -1;
        if (isSigned)
        {
            // -A, which also is the quotient that does not fit; there is no remainder.
            LandShort(byMinusOne);
            _asm.Alu(0x32, (int)RegisterMap.Work, Operand.Of(RegisterMap.Work), 2);
            if (isQuotient)
                _asm.Alu(0x2A, (int)RegisterMap.Work, Operand.Of(RegisterMap.Scratch), op.Size);
            doneToo = JumpShort(-1);
        }
        LandShort(byZero);
        if (isQuotient)
            _asm.Move(RegisterMap.Work, wide ? op.Immediate : (uint)op.Immediate);
        else if (wide)
            _asm.Move(RegisterMap.Work, RegisterMap.Scratch);
        else
            _asm.Move32(RegisterMap.Work, RegisterMap.Scratch);
        LandShort(done);
        if (doneToo >= 0)
            LandShort(doneToo);
    }

    /// <summary>CQO, CDQ.</summary>
    private void SignIntoRdx(bool wide)
    {
        if (wide)
            _asm.Byte(0x48);
        _asm.Byte(0x99);
    }

    /// <summary>A jump of up to 127 bytes, on a condition or (-1) always; returns the place to land with <see cref="LandShort"/>.</summary>
    private int JumpShort(int condition)
    {
        _asm.Byte(condition < 0 ? 0xEB : 0x70 | condition);
        int at = _asm.Offset;
        _asm.Byte(0);
        return at;
    }

    private void LandShort(int displacementAt)
    {
        int here = _asm.Offset;
        _asm.Offset = displacementAt;
        _asm.Byte(checked((sbyte)(here - displacementAt - 1)));
        _asm.Offset = here;
    }
}
