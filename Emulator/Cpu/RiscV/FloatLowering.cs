using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.RiscV;

/// <summary>F, D and Zicsr for their registers (unprivileged ISA manual, chapters 7, 8, 21 and 22).</summary>
internal static class FloatLowering
{
    private const byte Single = (byte)LaneKind.Float32;
    private const byte Double = (byte)LaneKind.Float64;

    public static bool TryLower(RiscVEmitter emitter, RiscVOpcode opcode, RiscVWord word)
    {
        if (opcode is >= RiscVOpcode.Csrrw and <= RiscVOpcode.Csrrci)
            return ControlRegisters.TryLower(emitter, opcode, word);
        if (opcode is < RiscVOpcode.Flw or > RiscVOpcode.Fcvt_D_Lu)
            return false;
        if (opcode == RiscVOpcode.Fcvt_S_D)
            return TryRounded(emitter, word, new MicroOp { Code = OpCode.ScalarConvert, Size = Double, C = Single });
        if (opcode == RiscVOpcode.Fcvt_D_S)
            return TryRounded(emitter, word, new MicroOp { Code = OpCode.ScalarConvert, Size = Single, C = Double });
        // Singles are in even places up to there, and again behind.
        int from = opcode > RiscVOpcode.Fcvt_D_S ? (int)RiscVOpcode.Fcvt_L_S : (int)RiscVOpcode.Flw;
        bool isDouble = (((int)opcode - from) & 1) != 0;
        RiscVOpcode single = isDouble ? opcode - 1 : opcode;
        byte kind = isDouble ? Double : Single;
        return TryMove(emitter, single, word, isDouble) || TryCompare(emitter, single, word, kind)
            || TryArithmetic(emitter, single, word, kind) || TryConversion(emitter, single, word, kind);
    }

    private static byte F(byte register) => RiscVState.VectorOf(register);

    private static bool TryMove(RiscVEmitter emitter, RiscVOpcode single, RiscVWord word, bool isDouble)
    {
        int size = isDouble ? 3 : 2;
        byte rd = F(word.Rd);
        switch (single)
        {
            case RiscVOpcode.Flw:
                emitter.Emit(OpCode.VectorLoad, size, rd, emitter.Read(word.Rs1), immediate: word.ImmediateI);
                Box(emitter, rd, isDouble);
                return true;
            case RiscVOpcode.Fsw:
                emitter.Emit(OpCode.VectorStore, size, 0, emitter.Read(word.Rs1), F(word.Rs2), word.ImmediateS);
                return true;
            case RiscVOpcode.Fmv_X_W when word.Rd == 0:
                return true;
            case RiscVOpcode.Fmv_X_W:
                emitter.Emit(OpCode.VectorToInteger, size, word.Rd, F(word.Rs1));
                if (!isDouble)
                    emitter.Emit(OpCode.SignExtend, 2, word.Rd, word.Rd);
                return true;
            case RiscVOpcode.Fmv_W_X:
                emitter.Emit(OpCode.VectorFromInteger, size, rd, emitter.Read(word.Rs1));
                Box(emitter, rd, isDouble);
                return true;
            default:
                return false;
        }
    }

    private static void Box(RiscVEmitter emitter, byte register, bool isDouble)
    {
        if (!isDouble)
            emitter.Emit(OpCode.ScalarBox, Single, register, register);
    }

    private static bool TryCompare(RiscVEmitter emitter, RiscVOpcode single, RiscVWord word, byte kind)
    {
        byte a = F(word.Rs1), b = F(word.Rs2);
        (OpCode code, long form, bool isInteger) = single switch
        {
            RiscVOpcode.Feq_S => (OpCode.ScalarCompare, ScalarForm.Equal, true),
            RiscVOpcode.Flt_S => (OpCode.ScalarCompare, ScalarForm.Less, true),
            RiscVOpcode.Fle_S => (OpCode.ScalarCompare, ScalarForm.LessOrEqual, true),
            RiscVOpcode.Fclass_S => (OpCode.ScalarClassify, 0, true),
            RiscVOpcode.Fsgnj_S => (OpCode.ScalarSignInject, ScalarForm.CopySign, false),
            RiscVOpcode.Fsgnjn_S => (OpCode.ScalarSignInject, ScalarForm.NegateSign, false),
            RiscVOpcode.Fsgnjx_S => (OpCode.ScalarSignInject, ScalarForm.ExclusiveSign, false),
            RiscVOpcode.Fmin_S => (OpCode.ScalarMin, 0, false),
            RiscVOpcode.Fmax_S => (OpCode.ScalarMax, 0, false),
            _ => (OpCode.Nop, 0L, false),
        };
        if (code == OpCode.Nop)
            return false;
        // Flags are raised even if nobody wants the result.
        byte destination = !isInteger ? F(word.Rd) : word.Rd == 0 ? emitter.Temporary() : word.Rd;
        emitter.Emit(code, kind, destination, a, b, form << ScalarForm.KindShift);
        return true;
    }

    private static bool TryArithmetic(RiscVEmitter emitter, RiscVOpcode single, RiscVWord word, byte kind)
    {
        (OpCode code, long form) = single switch
        {
            RiscVOpcode.Fadd_S => (OpCode.ScalarAdd, 0L),
            RiscVOpcode.Fsub_S => (OpCode.ScalarSubtract, 0),
            RiscVOpcode.Fmul_S => (OpCode.ScalarMultiply, 0),
            RiscVOpcode.Fdiv_S => (OpCode.ScalarDivide, 0),
            RiscVOpcode.Fsqrt_S => (OpCode.ScalarSquareRoot, 0),
            RiscVOpcode.Fmadd_S => (OpCode.ScalarMultiplyAdd, 0),
            RiscVOpcode.Fmsub_S => (OpCode.ScalarMultiplyAdd, ScalarForm.NegateAddend),
            RiscVOpcode.Fnmsub_S => (OpCode.ScalarMultiplyAdd, ScalarForm.NegateProduct),
            RiscVOpcode.Fnmadd_S => (OpCode.ScalarMultiplyAdd, ScalarForm.NegateProduct | ScalarForm.NegateAddend),
            _ => (OpCode.Nop, 0),
        };
        byte addend = code == OpCode.ScalarMultiplyAdd ? F(word.Rs3) : (byte)0;
        return code != OpCode.Nop && TryRounded(emitter, word, new MicroOp { Code = code, Size = kind, B = F(word.Rs2), C = addend, Immediate = form });
    }

    /// <summary>From a vector to a vector, as the instruction's rounding mode says; 5 and 6 are reserved.</summary>
    private static bool TryRounded(RiscVEmitter emitter, RiscVWord word, MicroOp op)
    {
        if (!TryRounding(word, out long rounding))
            return false;
        (op.Destination, op.A) = (F(word.Rd), F(word.Rs1));
        op.Immediate |= rounding;
        emitter.Emit(op);
        return true;
    }

    private static bool TryRounding(RiscVWord word, out long rounding)
    {
        rounding = word.Rm == ScalarForm.Dynamic ? ScalarForm.Dynamic : (long)RiscVState.ModeOf(word.Rm);
        return word.Rm is not (5 or 6);
    }

    private static bool TryConversion(RiscVEmitter emitter, RiscVOpcode single, RiscVWord word, byte kind)
    {
        (bool isToInteger, int size, bool isUnsigned) = single switch
        {
            RiscVOpcode.Fcvt_W_S => (true, 2, false),
            RiscVOpcode.Fcvt_Wu_S => (true, 2, true),
            RiscVOpcode.Fcvt_L_S => (true, 3, false),
            RiscVOpcode.Fcvt_Lu_S => (true, 3, true),
            RiscVOpcode.Fcvt_S_W => (false, 2, false),
            RiscVOpcode.Fcvt_S_Wu => (false, 2, true),
            RiscVOpcode.Fcvt_S_L => (false, 3, false),
            RiscVOpcode.Fcvt_S_Lu => (false, 3, true),
            _ => (false, 0, false),
        };
        if (size == 0 || !TryRounding(word, out long form))
            return false;
        form |= isUnsigned ? ScalarForm.Unsigned : 0;
        if (isToInteger)
            emitter.Emit(OpCode.ScalarToInteger, kind, word.Rd == 0 ? emitter.Temporary() : word.Rd, F(word.Rs1), immediate: form, c: (byte)size);
        else
            emitter.Emit(OpCode.ScalarFromInteger, kind, F(word.Rd), emitter.Read(word.Rs1), immediate: form, c: (byte)size);
        return true;
    }
}
