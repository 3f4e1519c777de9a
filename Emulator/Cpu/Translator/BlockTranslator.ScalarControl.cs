using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// RISC-V's accrued exceptions, which C libraries save and restore around conversions, in MXCSR: NV is bit 0 there and 4 here, DZ 2 and 3,
/// OF 3 and 2, UF 4 and 1, NX 5 and 0. The rounding mode is the interpreter's: what it changes is the mode that code is for.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int FlagCount = 5;

    private static ReadOnlySpan<byte> HostFlags => [5, 4, 3, 2, 0];

    private static Operand ControlPlace => Operand.Memory(HostRegister.Rsp, Frame.SavedFlags);

    /// <summary>The time stamp counter, by the host's clock; where the world's is none the interpreter reads it.</summary>
    private int EmitReadCounter(byte destination, int at)
    {
        if (!TryFreeFlags(at))
            return 0;
        FlushDependents(destination, at);
        AcquireScratch(at);
        _asm.Load(HostRegister.Rax, Operand.Memory(HostRegister.Rsp, Frame.Context), 3);
        _asm.AluImmediate(GroupCompare, Operand.Memory(HostRegister.Rax, GateContext.ClockFunctionAt), 0, 3);
        InterpretUnless(ConditionNotEqual);
        _asm.Call(_gate.ReadClock);
        Finish(destination, RegisterMap.Scratch, at);
        return 1;
    }

    private int EmitGetFlags(byte destination, long part, int at)
    {
        if (part != ScalarForm.ControlFlags || !_map.HasAccumulator)
            return 0;
        FlushDependents(destination, at);
        _asm.Emit(0x0FAE, 3, ControlPlace); // STMXCSR
        _asm.Move(RegisterMap.Work, 0L);
        for (int i = 0; i < FlagCount; i++)
        {
            _asm.Load(HostRegister.Rax, ControlPlace, 2);
            MoveBit(HostFlags[i], i);
            _asm.Alu(0x0A, (int)RegisterMap.Work, Operand.Of(HostRegister.Rax), 2); // OR
        }
        Finish(destination, RegisterMap.Work, at);
        return 1;
    }

    private int EmitSetFlags(byte value, long part, int at)
    {
        const int allFlags = 0x3F;
        if (part != ScalarForm.ControlFlags || !_map.HasAccumulator)
            return 0;
        Settle(value, at);
        HostRegister from = Use(value, RegisterMap.Work, at);
        _asm.Move(RegisterMap.Work, from);
        _asm.Emit(0x0FAE, 3, ControlPlace);
        _asm.AluImmediate(GroupAnd, ControlPlace, ~allFlags, 2);
        for (int i = 0; i < FlagCount; i++)
        {
            _asm.Move32(HostRegister.Rax, RegisterMap.Work);
            MoveBit(i, HostFlags[i]);
            _asm.Alu(0x08, (int)HostRegister.Rax, ControlPlace, 2); // OR
        }
        _asm.Emit(0x0FAE, 2, ControlPlace); // LDMXCSR
        return 1;
    }

    /// <summary>Leaves one bit of the accumulator, at another place.</summary>
    private void MoveBit(int from, int to)
    {
        const int shiftLeft = 4, shiftRight = 5;
        _asm.AluImmediate(GroupAnd, Operand.Of(HostRegister.Rax), 1 << from, 2);
        if (from == to)
            return;
        _asm.Emit(0xC1, to > from ? shiftLeft : shiftRight, Operand.Of(HostRegister.Rax));
        _asm.Byte(Math.Abs(to - from));
    }
}
