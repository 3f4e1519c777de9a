using Iced.Intel;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>Lowers the x87 instructions, one micro-op each (SDM Vol. 1, 8.3), and the state images of x87 and SSE.</summary>
internal static class X87Lowering
{
    private const byte Pops = 0x80;

    /// <summary>Emits the instruction's micro-op; false when it is none of this family.</summary>
    public static bool TryLower(IX86Emitter emitter, in Instruction instruction) =>
        TryLowerTransfer(emitter, instruction)
        || TryLowerArithmetic(emitter, instruction)
        || TryLowerCompare(emitter, instruction)
        || TryLowerFunction(emitter, instruction)
        || TryLowerControl(emitter, instruction);

    private static byte Index(Register register) => (byte)(register - Register.ST0);

    private static bool IsMemory(in Instruction i) => i.OpCount > 0 && i.Op0Kind == OpKind.Memory;

    /// <summary>Emits an op whose operand is the instruction's memory operand.</summary>
    private static bool Memory(IX86Emitter emitter, in Instruction i, MicroOp op)
    {
        var (register, displacement) = emitter.Address(i);
        op.A = register;
        op.Immediate = displacement;
        op.Size = (byte)Operand(i.MemorySize);
        emitter.Emit(op);
        return true;
    }

    private static bool Emit(IX86Emitter emitter, MicroOp op)
    {
        emitter.Emit(op);
        return true;
    }

    private static X87Operand Operand(MemorySize size) => size switch
    {
        MemorySize.Float32 => X87Operand.Float32,
        MemorySize.Float64 => X87Operand.Float64,
        MemorySize.Float80 => X87Operand.Float80,
        MemorySize.Int16 => X87Operand.Int16,
        MemorySize.Int32 => X87Operand.Int32,
        MemorySize.Int64 => X87Operand.Int64,
        MemorySize.Bcd => X87Operand.Decimal,
        _ => X87Operand.Register,
    };

    private static bool TryLowerTransfer(IX86Emitter emitter, in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Fld when !IsMemory(i):
                return Emit(emitter, new MicroOp { Code = OpCode.X87Load, B = Index(i.Op0Register) });
            case Mnemonic.Fld or Mnemonic.Fild or Mnemonic.Fbld:
                return Memory(emitter, i, new MicroOp { Code = OpCode.X87Load });
            case Mnemonic.Fst or Mnemonic.Fstp when !IsMemory(i):
                return Emit(emitter, new MicroOp
                {
                    Code = OpCode.X87Store, Destination = Index(i.Op0Register), C = (byte)(i.Mnemonic == Mnemonic.Fstp ? 1 : 0),
                });
            case Mnemonic.Fst or Mnemonic.Fist:
                return Memory(emitter, i, new MicroOp { Code = OpCode.X87Store });
            case Mnemonic.Fstp or Mnemonic.Fistp or Mnemonic.Fbstp:
                return Memory(emitter, i, new MicroOp { Code = OpCode.X87Store, C = 1 });
            case Mnemonic.Fisttp:
                return Memory(emitter, i, new MicroOp { Code = OpCode.X87Store, C = 3 });
            case Mnemonic.Fxch:
                return Emit(emitter, new MicroOp { Code = OpCode.X87Exchange, B = Index(i.Op1Register) });
            case Mnemonic.Fld1 or Mnemonic.Fldl2t or Mnemonic.Fldl2e or Mnemonic.Fldpi or Mnemonic.Fldlg2 or Mnemonic.Fldln2 or Mnemonic.Fldz:
                return Emit(emitter, new MicroOp { Code = OpCode.X87Constant, Immediate = Constant(i.Mnemonic) });
            case Mnemonic.Ffree or Mnemonic.Ffreep:
                return Emit(emitter, new MicroOp
                {
                    Code = OpCode.X87Free, B = Index(i.Op0Register), C = (byte)(i.Mnemonic == Mnemonic.Ffreep ? 1 : 0),
                });
            default:
                return TryLowerConditional(emitter, i);
        }
    }

    private static int Constant(Mnemonic mnemonic) => mnemonic switch
    {
        Mnemonic.Fld1 => 0,
        Mnemonic.Fldl2t => 1,
        Mnemonic.Fldl2e => 2,
        Mnemonic.Fldpi => 3,
        Mnemonic.Fldlg2 => 4,
        Mnemonic.Fldln2 => 5,
        _ => 6,
    };

    private static bool TryLowerConditional(IX86Emitter emitter, in Instruction i)
    {
        var condition = i.Mnemonic switch
        {
            Mnemonic.Fcmovb => ConditionCode.b,
            Mnemonic.Fcmove => ConditionCode.e,
            Mnemonic.Fcmovbe => ConditionCode.be,
            Mnemonic.Fcmovu => ConditionCode.p,
            Mnemonic.Fcmovnb => ConditionCode.ae,
            Mnemonic.Fcmovne => ConditionCode.ne,
            Mnemonic.Fcmovnbe => ConditionCode.a,
            Mnemonic.Fcmovnu => ConditionCode.np,
            _ => ConditionCode.None,
        };
        if (condition == ConditionCode.None)
            return false;
        var holds = emitter.Condition(condition);
        return Emit(emitter, new MicroOp { Code = OpCode.X87MoveConditional, A = holds, B = Index(i.Op1Register) });
    }

    private static bool TryLowerArithmetic(IX86Emitter emitter, in Instruction i)
    {
        var (operation, flags) = i.Mnemonic switch
        {
            Mnemonic.Fadd or Mnemonic.Fiadd => (X87Arithmetic.Add, 0),
            Mnemonic.Fmul or Mnemonic.Fimul => (X87Arithmetic.Multiply, 0),
            Mnemonic.Fsub or Mnemonic.Fisub => (X87Arithmetic.Subtract, 0),
            Mnemonic.Fsubr or Mnemonic.Fisubr => (X87Arithmetic.SubtractReversed, 0),
            Mnemonic.Fdiv or Mnemonic.Fidiv => (X87Arithmetic.Divide, 0),
            Mnemonic.Fdivr or Mnemonic.Fidivr => (X87Arithmetic.DivideReversed, 0),
            Mnemonic.Faddp => (X87Arithmetic.Add, Pops),
            Mnemonic.Fmulp => (X87Arithmetic.Multiply, Pops),
            Mnemonic.Fsubp => (X87Arithmetic.Subtract, Pops),
            Mnemonic.Fsubrp => (X87Arithmetic.SubtractReversed, Pops),
            Mnemonic.Fdivp => (X87Arithmetic.Divide, Pops),
            Mnemonic.Fdivrp => (X87Arithmetic.DivideReversed, Pops),
            _ => (default, -1),
        };
        if (flags < 0)
            return false;
        var op = new MicroOp { Code = OpCode.X87Arithmetic, C = (byte)((int)operation | flags) };
        if (IsMemory(i))
            return Memory(emitter, i, op);
        op.Destination = Index(i.Op0Register);
        op.B = Index(i.Op1Register);
        return Emit(emitter, op);
    }

    private static bool TryLowerCompare(IX86Emitter emitter, in Instruction i)
    {
        const int Quiet = 4, IntoFlags = 8;
        var kind = i.Mnemonic switch
        {
            Mnemonic.Fcom or Mnemonic.Ficom => 0,
            Mnemonic.Fcomp or Mnemonic.Ficomp => 1,
            Mnemonic.Fcompp => 2,
            Mnemonic.Fucom => Quiet,
            Mnemonic.Fucomp => Quiet | 1,
            Mnemonic.Fucompp => Quiet | 2,
            Mnemonic.Fcomi => IntoFlags,
            Mnemonic.Fcomip => IntoFlags | 1,
            Mnemonic.Fucomi => IntoFlags | Quiet,
            Mnemonic.Fucomip => IntoFlags | Quiet | 1,
            _ => -1,
        };
        if (kind < 0)
            return false;
        var op = new MicroOp { Code = OpCode.X87Compare, C = (byte)kind, Flags = (kind & IntoFlags) != 0 ? FlagMask.All : FlagMask.None };
        if (IsMemory(i))
            return Memory(emitter, i, op);
        op.B = i.OpCount == 2 ? Index(i.Op1Register) : (byte)1;
        return Emit(emitter, op);
    }

    private static bool TryLowerFunction(IX86Emitter emitter, in Instruction i)
    {
        var function = i.Mnemonic switch
        {
            Mnemonic.Fchs => X87Function.ChangeSign,
            Mnemonic.Fabs => X87Function.Absolute,
            Mnemonic.Ftst => X87Function.Test,
            Mnemonic.Fxam => X87Function.Examine,
            Mnemonic.F2xm1 => X87Function.TwoToXMinus1,
            Mnemonic.Fyl2x => X87Function.YLog2X,
            Mnemonic.Fptan => X87Function.PartialTangent,
            Mnemonic.Fpatan => X87Function.PartialArctangent,
            Mnemonic.Fxtract => X87Function.Extract,
            Mnemonic.Fprem1 => X87Function.NearestRemainder,
            Mnemonic.Fdecstp => X87Function.DecrementTop,
            Mnemonic.Fincstp => X87Function.IncrementTop,
            Mnemonic.Fprem => X87Function.PartialRemainder,
            Mnemonic.Fyl2xp1 => X87Function.YLog2XPlus1,
            Mnemonic.Fsqrt => X87Function.SquareRoot,
            Mnemonic.Fsincos => X87Function.SineCosine,
            Mnemonic.Frndint => X87Function.RoundToInteger,
            Mnemonic.Fscale => X87Function.Scale,
            Mnemonic.Fsin => X87Function.Sine,
            Mnemonic.Fcos => X87Function.Cosine,
            _ => default,
        };
        return function != default && Emit(emitter, new MicroOp { Code = OpCode.X87Function, Immediate = (long)function });
    }

    private static bool TryLowerControl(IX86Emitter emitter, in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Wait or Mnemonic.Fnop:
                return Emit(emitter, new MicroOp { Code = OpCode.X87Wait });
            case Mnemonic.Fninit:
                return Control(emitter, X87Control.Initialize);
            case Mnemonic.Fnclex:
                return Control(emitter, X87Control.ClearExceptions);
            case Mnemonic.Emms:
                return Control(emitter, X87Control.EmptyMmx);
            case Mnemonic.Fldcw:
                return ControlMemory(emitter, i, X87Control.LoadControl);
            case Mnemonic.Fnstcw:
                return ControlMemory(emitter, i, X87Control.StoreControl);
            case Mnemonic.Fnstsw when IsMemory(i):
                return ControlMemory(emitter, i, X87Control.StoreStatus);
            case Mnemonic.Fnstsw:
                var status = emitter.IntegerTemporary();
                emitter.Emit(new MicroOp { Code = OpCode.X87GetWord, Destination = status, Immediate = 1 });
                emitter.WriteLow16(Register.AX, status);
                return true;
            case Mnemonic.Fldenv:
                return ControlMemory(emitter, i, X87Control.LoadEnvironment | Narrow(i.Code == Code.Fldenv_m14byte));
            case Mnemonic.Fnstenv:
                return ControlMemory(emitter, i, X87Control.StoreEnvironment | Narrow(i.Code == Code.Fnstenv_m14byte));
            case Mnemonic.Fnsave:
                return ControlMemory(emitter, i, X87Control.Save | Narrow(i.Code == Code.Fnsave_m94byte));
            case Mnemonic.Frstor:
                return ControlMemory(emitter, i, X87Control.Restore | Narrow(i.Code == Code.Frstor_m94byte));
            case Mnemonic.Fxsave:
                return ControlMemory(emitter, i, X87Control.FxSave);
            case Mnemonic.Fxsave64:
                return ControlMemory(emitter, i, X87Control.FxSave | X87Control.Wide);
            case Mnemonic.Fxrstor:
                return ControlMemory(emitter, i, X87Control.FxRestore);
            case Mnemonic.Fxrstor64:
                return ControlMemory(emitter, i, X87Control.FxRestore | X87Control.Wide);
            default:
                return false;
        }
    }

    private static X87Control Narrow(bool isNarrow) => isNarrow ? X87Control.Narrow : 0;

    private static bool Control(IX86Emitter emitter, X87Control control) =>
        Emit(emitter, new MicroOp { Code = OpCode.X87Control, C = (byte)control });

    private static bool ControlMemory(IX86Emitter emitter, in Instruction i, X87Control control) =>
        Memory(emitter, i, new MicroOp { Code = OpCode.X87Control, C = (byte)control });
}
