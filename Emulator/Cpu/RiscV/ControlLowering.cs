using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.RiscV;

/// <summary>Jumps, branches, calls of the environment, fences (unprivileged ISA manual, 2.5, 2.7, 2.8, chapter 6).</summary>
internal static class ControlLowering
{
    public static bool IsBranch(RiscVOpcode opcode) => opcode is >= RiscVOpcode.Beq and <= RiscVOpcode.Bgeu;

    public static bool TryLower(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word, out bool endsBlock)
    {
        endsBlock = true;
        switch (opcode)
        {
            case RiscVOpcode.Jal:
                emitter.SetImmediate(word.Rd, emitter.Next);
                emitter.Emit(OpCode.Jump, 3, 0, 0, immediate: (long)(emitter.Pc + (ulong)(long)word.ImmediateJ));
                return true;
            case RiscVOpcode.Jalr:
                JumpRegister(emitter, word);
                return true;
            case >= RiscVOpcode.Beq and <= RiscVOpcode.Bgeu:
                Condition condition = emitter.Compare(ConditionOf(opcode), word.Rs1, word.Rs2);
                emitter.Emit(OpCode.Branch, 3, 0, 0, immediate: (long)(emitter.Pc + (ulong)(long)word.ImmediateB), c: (byte)condition);
                return true;
            case RiscVOpcode.Ecall:
                emitter.Emit(new MicroOp { Code = OpCode.SystemCall });
                return true;
            case RiscVOpcode.Ebreak:
                emitter.Emit(new MicroOp { Code = OpCode.Trap, C = (byte)ExitReason.Breakpoint });
                return true;
            case RiscVOpcode.Fence:
                endsBlock = false;
                return true;
            case RiscVOpcode.Fence_I:
                // Writes to code are noticed as they happen.
                emitter.Emit(OpCode.Jump, 3, 0, 0, immediate: (long)emitter.Next);
                return true;
            default:
                return false;
        }
    }

    /// <summary>The target is computed before rd is written, which may be the same register; its lowest bit is cleared.</summary>
    private static void JumpRegister(RiscVEmitter emitter, RiscVWord word)
    {
        byte target = emitter.Temporary();
        byte from = emitter.Read(word.Rs1);
        if (word.ImmediateI != 0)
        {
            byte sum = emitter.Temporary();
            emitter.Emit(OpCode.AddImmediate, 3, sum, from, immediate: word.ImmediateI);
            from = sum;
        }
        emitter.Emit(OpCode.AndImmediate, 3, target, from, immediate: -2);
        emitter.SetImmediate(word.Rd, emitter.Next);
        emitter.Emit(OpCode.JumpRegister, 3, 0, target);
    }

    private static Condition ConditionOf(RiscVOpcode opcode) => opcode switch
    {
        RiscVOpcode.Beq => Condition.Equal,
        RiscVOpcode.Bne => Condition.NotEqual,
        RiscVOpcode.Blt => Condition.Less,
        RiscVOpcode.Bge => Condition.GreaterOrEqual,
        RiscVOpcode.Bltu => Condition.Below,
        _ => Condition.AboveOrEqual,
    };
}
