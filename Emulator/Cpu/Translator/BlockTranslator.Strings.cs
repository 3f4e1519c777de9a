using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>REP MOVS and REP STOS as the host's own, other string instructions being the interpreter's; RDTSC.</summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>log2 of the bytes that one instruction may move: less than the guards, and short enough for other guests to wait.</summary>
    private const int StringReach = 24;

    private const int DirectionBit = 10;

    /// <summary>
    /// The host's RSI and RDI hold host addresses while it runs, and its RCX the count, so a fault is found between two starts, the first of
    /// which says so.
    /// Both pointers and the count were probed: the guards behind the window end what runs too far.
    /// </summary>
    private int EmitString(in MicroOp op)
    {
        bool isMove = (StringOperation)op.Immediate == StringOperation.Move;
        if (op.C != 1 || op.B != 0 || !(isMove || (StringOperation)op.Immediate == StringOperation.Store) || !HasStringRegisters)
            return 0;
        ProbeBits(Operand.Memory(HostRegister.Rsp, Frame.OtherFlags), DirectionBit);
        Probe(HostOf(Counter));
        _asm.Move(RegisterMap.Scratch, StringReach - op.Size);
        _asm.ShiftRight(RegisterMap.Work, HostOf(Counter), RegisterMap.Scratch);
        _asm.Emit(0x8B, (int)RegisterMap.Work, Operand.Memory(RegisterMap.Work, Gate.ProbeAddress));
        Probe(HostRegister.Rdi);
        if (isMove)
            Probe(HostRegister.Rsi);
        _asm.Emit(0x0FAE, 1, Operand.Of(RegisterMap.Scratch), wide: true, prefix: 0xF3); // RDGSBASE
        CodeStart start = _starts[^1];
        _starts.Add(start with { Offset = _asm.Offset, Rebasing = isMove ? Rebasing.Both : Rebasing.Destination });
        MovePointers(isMove, 0);
        _asm.Move(HostRegister.Rcx, HostOf(Counter));
        EmitRepeated(isMove, op.Size);
        _asm.Move(HostOf(Counter), HostRegister.Rcx);
        _asm.Emit(0xF6 + 1, 2, Operand.Of(RegisterMap.Scratch), wide: true); // NOT, which leaves the flags alone
        MovePointers(isMove, 1);
        _starts.Add(start with { Offset = _asm.Offset });
        Unverify(1);
        Unverify(6);
        Unverify(7);
        return 1;
    }

    /// <summary>
    /// RDTSC, RDTSCP: the counter and its two writes. Where the world's clock is no function of the host's the block is left as by a
    /// fault of the instruction, which the interpreter runs then.
    /// </summary>
    private int EmitTimeStamp(int at)
    {
        if (_map.HasAccumulator)
            return EmitReadCounter(_ops[at].Destination, at);
        const int half = 32;
        if (!Is(at + 1, OpCode.ZeroExtend) || _ops[at + 1].Destination != 0 || !Is(at + 2, OpCode.ShiftRightImmediate) || _ops[at + 2].Destination != 2)
            return 0;
        _asm.Load(RegisterMap.Work, Operand.Memory(HostRegister.Rsp, Frame.Context), 3);
        _asm.Load(RegisterMap.Work, Operand.Memory(RegisterMap.Work, GateContext.ClockFunctionAt), 3);
        _asm.Byte(Assembler.JumpIfCounterIsZero);
        _asm.Byte(2);
        _asm.Byte(0xEB); // JMP behind the exit
        int displacementAt = _asm.Offset;
        _asm.Byte(0);
        _asm.Move(RegisterMap.Scratch, _asm.RunAddress);
        _asm.Jump(_gate.FaultExit);
        int here = _asm.Offset;
        _asm.Offset = displacementAt;
        _asm.Byte(here - displacementAt - 1);
        _asm.Offset = here;
        _asm.Call(_gate.ReadClock);
        _asm.RotateRight(HostRegister.Rdx, RegisterMap.Scratch, half);
        _asm.Move32(HostRegister.Rdx, HostRegister.Rdx);
        _asm.Move32(HostRegister.Rax, RegisterMap.Scratch);
        Unverify(0);
        Unverify(2);
        return 3;
    }

    private bool HasStringRegisters => HostOf(6) == HostRegister.Rsi && HostOf(7) == HostRegister.Rdi;

    /// <summary>Faults when a bit of a value in memory is set.</summary>
    private void ProbeBits(in Operand value, int bit)
    {
        _asm.Load(RegisterMap.Work, value, 3);
        ProbeWorkBits(1L << bit);
    }

    private void MovePointers(bool isMove, int by)
    {
        _asm.AddressOf(HostRegister.Rdi, Operand.Sum(HostRegister.Rdi, RegisterMap.Scratch, 0, by));
        if (isMove)
            _asm.AddressOf(HostRegister.Rsi, Operand.Sum(HostRegister.Rsi, RegisterMap.Scratch, 0, by));
    }

    private void EmitRepeated(bool isMove, int size)
    {
        const byte repeat = 0xF3, narrow = 0x66, wide = 0x48;
        if (size == 1)
            _asm.Byte(narrow);
        _asm.Byte(repeat);
        if (size == 3)
            _asm.Byte(wide);
        _asm.Byte((isMove ? 0xA4 : 0xAA) + (size == 0 ? 0 : 1));
    }
}
