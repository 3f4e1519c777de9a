using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.RiscV;

/// <summary>The control and status registers that programs see: fflags, frm, fcsr, and the counters, which can only be read (unprivileged ISA manual, chapters 7 and 8).</summary>
internal static class ControlRegisters
{
    private const uint Flags = 1, Rounding = 2, Whole = 3, Cycle = 0xC00, Retired = 0xC02;

    public static bool TryLower(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        bool isImmediate = opcode >= RiscVOpcode.Csrrwi;
        RiscVOpcode operation = isImmediate ? opcode - (RiscVOpcode.Csrrwi - RiscVOpcode.Csrrw) : opcode;
        // Setting and clearing no bits does not write, CSRRW to x0 does not read.
        bool writes = operation == RiscVOpcode.Csrrw || word.Rs1 != 0;
        if (word.Csr is >= Cycle and <= Retired)
            return !writes && TryCounter(emitter, word);
        if (word.Csr is < Flags or > Whole)
            return false;
        long part = word.Csr switch { Flags => ScalarForm.ControlFlags, Rounding => ScalarForm.ControlRounding, _ => ScalarForm.WholeControl };
        byte old = emitter.Temporary();
        if (operation != RiscVOpcode.Csrrw || word.Rd != 0)
            emitter.Emit(OpCode.ScalarGetControl, 3, old, 0, immediate: part);
        if (writes)
        {
            byte operand = isImmediate ? emitter.Constant(word.Rs1) : emitter.Read(word.Rs1);
            emitter.Emit(OpCode.ScalarSetControl, 3, 0, Combine(emitter, operation, old, operand), immediate: part);
        }
        emitter.Move(word.Rd, old);
        return true;
    }

    private static byte Combine(RiscVEmitter emitter, RiscVOpcode operation, byte old, byte operand)
    {
        if (operation == RiscVOpcode.Csrrw)
            return operand;
        byte combined = emitter.Temporary();
        emitter.Emit(operation == RiscVOpcode.Csrrs ? OpCode.Or : OpCode.AndNot, 3, combined, old, operand);
        return combined;
    }

    private static bool TryCounter(RiscVEmitter emitter, RiscVWord word)
    {
        if (word.Rd != 0)
            emitter.Emit(OpCode.TimeStamp, 3, word.Rd, 0);
        return true;
    }
}
