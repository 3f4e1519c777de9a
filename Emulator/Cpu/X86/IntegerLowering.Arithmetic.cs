using Iced.Intel;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>Binary arithmetic and logic, multiplication and division (SDM Vol. 1, 5.1.2 and 5.1.4).</summary>
internal static partial class IntegerLowering
{
    public static bool TryLowerArithmetic(X86Emitter e, in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Add: return Binary(e, i, OpCode.Add);
            case Mnemonic.Or: return Binary(e, i, OpCode.Or);
            case Mnemonic.Adc: return Binary(e, i, OpCode.AddCarry);
            case Mnemonic.Sbb: return Binary(e, i, OpCode.SubtractBorrow);
            case Mnemonic.And: return Binary(e, i, OpCode.And);
            case Mnemonic.Sub: return Binary(e, i, OpCode.Subtract);
            case Mnemonic.Xor: return Binary(e, i, OpCode.Xor);
            case Mnemonic.Cmp: return Compare(e, i, OpCode.Subtract);
            case Mnemonic.Test: return Compare(e, i, OpCode.And);
            case Mnemonic.Inc: return Unary(e, i, OpCode.Increment, All & ~FlagMask.Carry);
            case Mnemonic.Dec: return Unary(e, i, OpCode.Decrement, All & ~FlagMask.Carry);
            case Mnemonic.Neg: return Unary(e, i, OpCode.Negate, All);
            case Mnemonic.Not: return Unary(e, i, OpCode.Not, FlagMask.None);
            case Mnemonic.Imul when i.OpCount > 1: return MultiplyTruncating(e, i);
            case Mnemonic.Mul: return MultiplyWide(e, i, OpCode.MultiplyWide);
            case Mnemonic.Imul: return MultiplyWide(e, i, OpCode.MultiplyWideSigned);
            case Mnemonic.Div: return Divide(e, i, OpCode.Divide);
            case Mnemonic.Idiv: return Divide(e, i, OpCode.DivideSigned);
            default: return false;
        }
    }

    private static bool Binary(X86Emitter e, in Instruction i, OpCode code)
    {
        if (IsImmediate(i.Op1Kind))
            Modify(e, i, code + 1, All, immediate: (long)i.GetImmediate(1));
        else if (i.Mnemonic == Mnemonic.Xor && i.Op0Kind == OpKind.Register && i.Op1Kind == OpKind.Register && i.Op0Register == i.Op1Register && X86Emitter.IsWhole(i.Op0Register))
            e.Emit(OpCode.AndImmediate, 3, e.IntegerRegister(i.Op0Register), 0, flags: All);
        else
            Modify(e, i, code, All, e.Read(i, 1));
        return true;
    }

    /// <summary>CMP and TEST: flags only.</summary>
    private static bool Compare(X86Emitter e, in Instruction i, OpCode code)
    {
        int size = X86Emitter.SizeOf(i, 0);
        byte a = e.Read(i, 0);
        if (IsImmediate(i.Op1Kind))
            e.Emit(code + 1, size, MicroOp.Discard, a, 0, All, (long)i.GetImmediate(1));
        else
            e.Emit(code, size, MicroOp.Discard, a, e.Read(i, 1), All);
        return true;
    }

    private static bool Unary(X86Emitter e, in Instruction i, OpCode code, FlagMask flags)
    {
        Modify(e, i, code, flags);
        return true;
    }

    private static bool MultiplyTruncating(X86Emitter e, in Instruction i)
    {
        int size = X86Emitter.SizeOf(i, 0);
        byte a = i.OpCount == 3 ? e.Read(i, 1) : e.ReadRegister(i.Op0Register);
        byte b = e.Read(i, i.OpCount - 1);
        byte result = e.IntegerTemporary();
        e.Emit(OpCode.Multiply, size, result, a, b, All);
        e.WriteRegister(i.Op0Register, result);
        return true;
    }

    private static bool MultiplyWide(X86Emitter e, in Instruction i, OpCode code)
    {
        int size = X86Emitter.SizeOf(i, 0);
        byte b = e.Read(i, 0);
        byte low = e.IntegerTemporary(), high = e.IntegerTemporary();
        e.Emit(code, size, low, 0, b, All, c: high);
        e.WriteRegister(Accumulator(size == 0 ? 1 : size), low);
        if (size > 0)
            e.WriteRegister(DataRegister(size), high);
        return true;
    }

    private static bool Divide(X86Emitter e, in Instruction i, OpCode code)
    {
        int size = X86Emitter.SizeOf(i, 0);
        byte divisor = e.Read(i, 0);
        byte quotient = e.IntegerTemporary(), remainder = e.IntegerTemporary();
        e.Emit(OpCode.Move, 3, remainder, 2);
        e.Emit(code, size, quotient, 0, divisor, c: remainder);
        e.WriteRegister(Accumulator(size), quotient);
        e.WriteRegister(size == 0 ? Register.AH : DataRegister(size), remainder);
        return true;
    }

    private static Register Accumulator(int size) => size switch { 0 => Register.AL, 1 => Register.AX, 2 => Register.EAX, _ => Register.RAX };

    private static Register DataRegister(int size) => size switch { 1 => Register.DX, 2 => Register.EDX, _ => Register.RDX };
}
