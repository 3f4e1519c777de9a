using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.RiscV;

/// <summary>RV64I and M without their jumps (unprivileged ISA manual, chapters 2, 4 and 13).</summary>
internal static class IntegerLowering
{
    public static bool TryLower(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word) =>
        TryImmediate(emitter, opcode, word) || TryRegister(emitter, opcode, word) || TryWord(emitter, opcode, word)
        || TryMultiply(emitter, opcode, word) || TryMemory(emitter, opcode, word);

    private static bool TryImmediate(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        byte rd = word.Rd, rs1 = word.Rs1;
        switch (opcode)
        {
            case RiscVOpcode.Lui: emitter.SetImmediate(rd, (ulong)(long)word.ImmediateU); return true;
            case RiscVOpcode.Auipc: emitter.SetImmediate(rd, emitter.Pc + (ulong)(long)word.ImmediateU); return true;
            case RiscVOpcode.Addi: AddImmediate(emitter, rd, rs1, word.ImmediateI); return true;
            case RiscVOpcode.Slti: CompareImmediate(emitter, word, Condition.Less); return true;
            case RiscVOpcode.Sltiu: CompareImmediate(emitter, word, Condition.Below); return true;
            case RiscVOpcode.Xori when word.ImmediateI == -1: emitter.WithImmediate(OpCode.Not, rd, rs1, 0); return true;
            case RiscVOpcode.Xori: emitter.WithImmediate(OpCode.XorImmediate, rd, rs1, word.ImmediateI); return true;
            case RiscVOpcode.Ori: emitter.WithImmediate(OpCode.OrImmediate, rd, rs1, word.ImmediateI); return true;
            case RiscVOpcode.Andi when word.ImmediateI == 255: // ZEXT.B
                if (rd != 0)
                    emitter.Emit(OpCode.ZeroExtend, 0, rd, emitter.Read(rs1));
                return true;
            case RiscVOpcode.Andi: emitter.WithImmediate(OpCode.AndImmediate, rd, rs1, word.ImmediateI); return true;
            case RiscVOpcode.Slli: emitter.WithImmediate(OpCode.ShiftLeftImmediate, rd, rs1, word.Shift); return true;
            case RiscVOpcode.Srli: emitter.WithImmediate(OpCode.ShiftRightImmediate, rd, rs1, word.Shift); return true;
            case RiscVOpcode.Srai: emitter.WithImmediate(OpCode.ShiftRightArithmeticImmediate, rd, rs1, word.Shift); return true;
            default: return false;
        }
    }

    /// <summary>LI and MV are additions too.</summary>
    private static void AddImmediate(RiscVEmitter emitter, byte rd, byte rs1, int immediate)
    {
        if (rs1 == 0)
            emitter.SetImmediate(rd, (ulong)(long)immediate);
        else if (immediate == 0)
            emitter.Move(rd, rs1);
        else
            emitter.WithImmediate(OpCode.AddImmediate, rd, rs1, immediate);
    }

    private static void CompareImmediate(RiscVEmitter emitter, RiscVWord word, Condition condition)
    {
        if (word.Rd == 0)
            return;
        emitter.CompareImmediate(word.Rs1, word.ImmediateI);
        emitter.SetCondition(word.Rd, condition);
    }

    private static bool TryRegister(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        byte rd = word.Rd, rs1 = word.Rs1, rs2 = word.Rs2;
        switch (opcode)
        {
            case RiscVOpcode.Add when rs1 == 0 || rs2 == 0: emitter.Move(rd, emitter.Read((byte)(rs1 | rs2))); return true;
            case RiscVOpcode.Add: emitter.Binary(OpCode.Add, rd, rs1, rs2); return true;
            case RiscVOpcode.Sub when rs1 == 0: emitter.WithImmediate(OpCode.Negate, rd, rs2, 0); return true;
            case RiscVOpcode.Sub: emitter.Binary(OpCode.Subtract, rd, rs1, rs2); return true;
            case RiscVOpcode.Sll: emitter.Binary(OpCode.ShiftLeft, rd, rs1, rs2); return true;
            case RiscVOpcode.Srl: emitter.Binary(OpCode.ShiftRight, rd, rs1, rs2); return true;
            case RiscVOpcode.Sra: emitter.Binary(OpCode.ShiftRightArithmetic, rd, rs1, rs2); return true;
            case RiscVOpcode.Xor: emitter.Binary(OpCode.Xor, rd, rs1, rs2); return true;
            case RiscVOpcode.Or: emitter.Binary(OpCode.Or, rd, rs1, rs2); return true;
            case RiscVOpcode.And: emitter.Binary(OpCode.And, rd, rs1, rs2); return true;
            case RiscVOpcode.Slt or RiscVOpcode.Sltu:
                if (rd != 0)
                    emitter.SetCondition(rd, emitter.Compare(opcode == RiscVOpcode.Slt ? Condition.Less : Condition.Below, rs1, rs2));
                return true;
            default: return false;
        }
    }

    private static bool TryWord(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        byte rd = word.Rd, rs1 = word.Rs1, rs2 = word.Rs2;
        switch (opcode)
        {
            case RiscVOpcode.Addiw when word.ImmediateI == 0: // SEXT.W
                if (rd != 0)
                    emitter.Emit(OpCode.SignExtend, 2, rd, emitter.Read(rs1));
                return true;
            case RiscVOpcode.Addiw: emitter.WordWithImmediate(OpCode.AddImmediate, rd, rs1, word.ImmediateI); return true;
            case RiscVOpcode.Slliw: emitter.WordWithImmediate(OpCode.ShiftLeftImmediate, rd, rs1, word.Shift); return true;
            case RiscVOpcode.Srliw: emitter.WordWithImmediate(OpCode.ShiftRightImmediate, rd, rs1, word.Shift); return true;
            case RiscVOpcode.Sraiw: emitter.WordWithImmediate(OpCode.ShiftRightArithmeticImmediate, rd, rs1, word.Shift); return true;
            case RiscVOpcode.Addw: emitter.BinaryWord(OpCode.Add, rd, rs1, rs2); return true;
            case RiscVOpcode.Subw when rs1 == 0: emitter.WordWithImmediate(OpCode.Negate, rd, rs2, 0); return true;
            case RiscVOpcode.Subw: emitter.BinaryWord(OpCode.Subtract, rd, rs1, rs2); return true;
            case RiscVOpcode.Sllw: emitter.BinaryWord(OpCode.ShiftLeft, rd, rs1, rs2); return true;
            case RiscVOpcode.Srlw: emitter.BinaryWord(OpCode.ShiftRight, rd, rs1, rs2); return true;
            case RiscVOpcode.Sraw: emitter.BinaryWord(OpCode.ShiftRightArithmetic, rd, rs1, rs2); return true;
            default: return false;
        }
    }

    private static bool TryMultiply(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        byte rd = word.Rd, rs1 = word.Rs1, rs2 = word.Rs2;
        // A division by zero has a quotient of all ones.
        const long byZero = -1;
        switch (opcode)
        {
            case RiscVOpcode.Mul: emitter.Binary(OpCode.Multiply, rd, rs1, rs2); return true;
            case RiscVOpcode.Mulh: emitter.Binary(OpCode.MultiplyHighSigned, rd, rs1, rs2); return true;
            case RiscVOpcode.Mulhsu: emitter.Binary(OpCode.MultiplyHighSignedUnsigned, rd, rs1, rs2); return true;
            case RiscVOpcode.Mulhu: emitter.Binary(OpCode.MultiplyHigh, rd, rs1, rs2); return true;
            case RiscVOpcode.Div: emitter.Binary(OpCode.QuotientSigned, rd, rs1, rs2, byZero); return true;
            case RiscVOpcode.Divu: emitter.Binary(OpCode.Quotient, rd, rs1, rs2, byZero); return true;
            case RiscVOpcode.Rem: emitter.Binary(OpCode.RemainderSigned, rd, rs1, rs2); return true;
            case RiscVOpcode.Remu: emitter.Binary(OpCode.Remainder, rd, rs1, rs2); return true;
            case RiscVOpcode.Mulw: emitter.BinaryWord(OpCode.Multiply, rd, rs1, rs2); return true;
            case RiscVOpcode.Divw: emitter.BinaryWord(OpCode.QuotientSigned, rd, rs1, rs2, byZero); return true;
            case RiscVOpcode.Divuw: emitter.BinaryWord(OpCode.Quotient, rd, rs1, rs2, byZero); return true;
            case RiscVOpcode.Remw: emitter.BinaryWord(OpCode.RemainderSigned, rd, rs1, rs2); return true;
            case RiscVOpcode.Remuw: emitter.BinaryWord(OpCode.Remainder, rd, rs1, rs2); return true;
            default: return false;
        }
    }

    private static bool TryMemory(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        switch (opcode)
        {
            case RiscVOpcode.Lb: Load(emitter, word, OpCode.LoadSigned, 0); return true;
            case RiscVOpcode.Lh: Load(emitter, word, OpCode.LoadSigned, 1); return true;
            case RiscVOpcode.Lw: Load(emitter, word, OpCode.LoadSigned, 2); return true;
            case RiscVOpcode.Lbu: Load(emitter, word, OpCode.Load, 0); return true;
            case RiscVOpcode.Lhu: Load(emitter, word, OpCode.Load, 1); return true;
            case RiscVOpcode.Lwu: Load(emitter, word, OpCode.Load, 2); return true;
            case RiscVOpcode.Ld: Load(emitter, word, OpCode.Load, 3); return true;
            case RiscVOpcode.Sb: Store(emitter, word, 0); return true;
            case RiscVOpcode.Sh: Store(emitter, word, 1); return true;
            case RiscVOpcode.Sw: Store(emitter, word, 2); return true;
            case RiscVOpcode.Sd: Store(emitter, word, 3); return true;
            default: return false;
        }
    }

    /// <summary>A load into x0 is made all the same: it may fault.</summary>
    private static void Load(RiscVEmitter emitter, RiscVWord word, OpCode code, int size)
    {
        byte to = word.Rd == 0 ? emitter.Temporary() : word.Rd;
        emitter.Emit(code, size, to, emitter.Read(word.Rs1), immediate: word.ImmediateI);
        if (word.Rd == 0)
            emitter.Emit(new MicroOp { Code = OpCode.Nop, A = to, B = to });
    }

    private static void Store(RiscVEmitter emitter, RiscVWord word, int size)
    {
        byte value = emitter.Read(word.Rs2);
        emitter.Emit(OpCode.Store, size, 0, emitter.Read(word.Rs1), value, word.ImmediateS);
    }
}
