using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.RiscV;

/// <summary>Collects a block's micro-ops; knows that x0 is zero and that the W forms extend the sign.</summary>
/// <param name="block">Where they go.</param>
internal sealed class RiscVEmitter(LoweredBlock block) : BlockEmitter(block, FirstVectorTemporary)
{
    private const byte FirstVectorTemporary = 32;

    /// <summary>A register's slot; for x0 a temporary that is zero.</summary>
    public byte Read(byte register) => register == 0 ? Constant(0) : register;

    /// <summary>rd = A op B of 64 bits.</summary>
    public void Binary(OpCode code, byte rd, byte a, byte b, long immediate = 0)
    {
        if (rd != 0)
            Emit(code, 3, rd, Read(a), Read(b), immediate);
    }

    /// <summary>rd = the low word of A op B, its sign extended.</summary>
    public void BinaryWord(OpCode code, byte rd, byte a, byte b, long immediate = 0)
    {
        if (rd != 0)
            Word(rd, code, Read(a), Read(b), immediate);
    }

    /// <summary>rd = A op immediate.</summary>
    public void WithImmediate(OpCode code, byte rd, byte a, long immediate)
    {
        if (rd != 0)
            Emit(code, 3, rd, Read(a), immediate: immediate);
    }

    public void WordWithImmediate(OpCode code, byte rd, byte a, long immediate)
    {
        if (rd != 0)
            Word(rd, code, Read(a), 0, immediate);
    }

    private void Word(byte rd, OpCode code, byte a, byte b, long immediate)
    {
        byte result = Temporary();
        Emit(code, 2, result, a, b, immediate);
        Emit(OpCode.SignExtend, 2, rd, result);
    }

    public void Move(byte rd, byte value)
    {
        if (rd != 0)
            Emit(OpCode.Move, 3, rd, value);
    }

    public void SetImmediate(byte rd, ulong value)
    {
        if (rd != 0)
            Emit(OpCode.MoveImmediate, 3, rd, 0, immediate: (long)value);
    }

    /// <summary>Sets the flags by a comparison of two registers, for the condition returned: that it holds for A and B.</summary>
    public Condition Compare(Condition condition, byte a, byte b, int size = 3)
    {
        if (a != 0)
        {
            Emit(new MicroOp { Code = b == 0 ? OpCode.SubtractImmediate : OpCode.Subtract, Size = (byte)size, Destination = MicroOp.Discard, A = a, B = b, Flags = FlagMask.All });
            return condition;
        }
        Emit(new MicroOp { Code = OpCode.SubtractImmediate, Size = (byte)size, Destination = MicroOp.Discard, A = Read(b), Flags = FlagMask.All });
        return Swapped(condition);
    }

    public void CompareImmediate(byte a, long immediate) =>
        Emit(new MicroOp { Code = OpCode.SubtractImmediate, Size = 3, Destination = MicroOp.Discard, A = Read(a), Immediate = immediate, Flags = FlagMask.All });

    /// <summary>The condition of the operands in the other order.</summary>
    private static Condition Swapped(Condition condition) => condition switch
    {
        Condition.Less => Condition.Greater,
        Condition.GreaterOrEqual => Condition.LessOrEqual,
        Condition.Below => Condition.Above,
        Condition.AboveOrEqual => Condition.BelowOrEqual,
        _ => condition,
    };

    public void SetCondition(byte rd, Condition condition)
    {
        if (rd != 0)
            Emit(OpCode.SetCondition, 3, rd, 0, c: (byte)condition);
    }
}
