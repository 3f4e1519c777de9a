using Iced.Intel;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>What the instruction families need of the block under construction.</summary>
internal interface IX86Emitter
{
    void Emit(in MicroOp op);

    /// <summary>Emits the computation of the memory operand's address: integer register + displacement, segment base included.</summary>
    (byte Register, long Displacement) Address(in Instruction instruction);

    /// <summary>A fresh integer temporary of this instruction.</summary>
    byte IntegerTemporary();

    /// <summary>The slot of a 32- or 64-bit general register.</summary>
    byte IntegerRegister(Register register);

    /// <summary>Replaces the low 16 bits of a general register by those of a temporary.</summary>
    void WriteLow16(Register register, byte value);

    /// <summary>Emits the evaluation of a condition: a temporary that is 0 or 1.</summary>
    byte Condition(ConditionCode condition);
}
