using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Translator;

/// <summary>
/// RISC-V's accrued exceptions, which C libraries save and restore around conversions and quiet comparisons, in MXCSR, where they are in another
/// order: tables translate. The rounding mode is the interpreter's: what it changes is the mode that code is for.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>MXCSR's flags that RISC-V has: all but that of a denormal operand.</summary>
    private const int ScalarFlags = 0x3D;

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
        ReadScalarFlags();
        Finish(destination, RegisterMap.Work, at);
        return 1;
    }

    /// <summary>fflags into the work register.</summary>
    private void ReadScalarFlags()
    {
        _asm.Emit(0x0FAE, 3, ControlPlace); // STMXCSR
        _asm.Load(RegisterMap.Work, ControlPlace, 2);
        _asm.AluImmediate(GroupAnd, Operand.Of(RegisterMap.Work), 0x3F, 2);
        _asm.Load(RegisterMap.Work, Gate.FlagsOfHost(RegisterMap.Work), 0);
    }

    /// <summary>MXCSR is written only when its flags change, which takes as long as ten instructions.</summary>
    private int EmitSetFlags(byte value, long part, int at)
    {
        const int written = 0x1F;
        if (part != ScalarForm.ControlFlags || !_map.HasAccumulator)
            return 0;
        Settle(value, at);
        HostRegister from = Use(value, RegisterMap.Work, at);
        _asm.Move32(RegisterMap.Work, from);
        _asm.AluImmediate(GroupAnd, Operand.Of(RegisterMap.Work), written, 2);
        _asm.Load(RegisterMap.Work, Gate.HostFlags(RegisterMap.Work), 0);
        _asm.Emit(0x0FAE, 3, ControlPlace); // STMXCSR
        _asm.Load(HostRegister.Rax, ControlPlace, 2);
        _asm.Alu(0x32, (int)RegisterMap.Work, Operand.Of(HostRegister.Rax), 2); // XOR
        _asm.AluImmediate(GroupAnd, Operand.Of(RegisterMap.Work), ScalarFlags, 2);
        int same = JumpShort(ConditionEqual);
        _asm.Alu(0x32, (int)RegisterMap.Work, Operand.Of(HostRegister.Rax), 2);
        _asm.Store(ControlPlace, RegisterMap.Work, 2);
        _asm.Emit(0x0FAE, 2, ControlPlace); // LDMXCSR
        LandShort(same);
        return 1;
    }
}
