using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Interpreter;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Arm64;

/// <summary>Collects a block's micro-ops; knows that register 31 is zero here and the stack pointer there.</summary>
/// <param name="block">Where they go.</param>
/// <param name="ignoresTags">
/// Addresses lose their top byte (TBI). The interpreter's code does this; in translated code an address with a tag faults, and the interpreter
/// runs the instruction.
/// </param>
internal sealed class Arm64Emitter(LoweredBlock block, bool ignoresTags) : BlockEmitter(block, FirstVectorTemporary)
{
    /// <summary>Those that translated code keeps in its frame.</summary>
    private const byte FirstVectorTemporary = 57;
    private const byte Zero = 31;

    private byte _knownRegister;
    private ulong _knownValue;
    private ulong _knownAt;

    /// <summary>Another block begins: nothing is known of registers.</summary>
    public void BeginBlock() => _knownAt = ulong.MaxValue;

    /// <summary>An operation that sets all flags.</summary>
    public void EmitFlags(OpCode code, int size, byte destination, byte a, byte b = 0, long immediate = 0, byte c = 0) =>
        Emit(new MicroOp { Code = code, Size = (byte)size, Destination = destination, A = a, B = b, C = c, Immediate = immediate, Flags = FlagMask.All });

    // ---- registers --------------------------------------------------------------------------------------------------

    /// <summary>The slot of a register; for 31 a temporary that is zero.</summary>
    public byte Read(byte register) => register == Zero ? Constant(0) : register;

    /// <summary>
    /// The slot that a result goes to; for 31 a temporary that nobody reads. What may fault is done for it too (<see cref="Touch"/>), other
    /// operations need not be.
    /// </summary>
    public byte Write(byte register) => register == Zero ? Temporary() : register;

    /// <summary>The slot that a result goes to; for 31 none, for operations that are done for their flags.</summary>
    public static byte WriteOrDiscard(byte register) => register == Zero ? MicroOp.Discard : register;

    /// <summary>Uses a temporary, so that the load into it is not left out.</summary>
    public void Touch(byte register, byte slot)
    {
        if (register == Zero)
            Emit(new MicroOp { Code = OpCode.Nop, A = slot, B = slot });
    }

    /// <summary>Writes a value of 1 &lt;&lt; size bytes (2 or 3) to a register; 31 is zero.</summary>
    public void Move(int size, byte register, byte value)
    {
        if (register != Zero)
            Emit(size == 3 ? OpCode.Move : OpCode.ZeroExtend, size, register, value);
    }

    /// <summary>Writes a constant, which the next instruction may know of; 31 is zero.</summary>
    public void SetImmediate(byte register, ulong value)
    {
        if (register == Zero)
            return;
        Emit(OpCode.MoveImmediate, 3, register, 0, immediate: (long)value);
        (_knownRegister, _knownValue, _knownAt) = (register, value, Next);
    }

    /// <summary>Whether the instruction before this one set a register to a constant.</summary>
    public bool TryKnown(byte register, out ulong value)
    {
        value = _knownValue;
        return _knownAt == Pc && register == _knownRegister;
    }

    // ---- operations -------------------------------------------------------------------------------------------------

    /// <summary>destination = A op immediate, by the code's register form.</summary>
    public void WithImmediate(OpCode code, int size, byte destination, byte a, long immediate)
    {
        if (size == 2)
            immediate = (int)immediate;
        if (immediate == (int)immediate)
            Emit(code + 1, size, destination, a, immediate: immediate);
        else
            Emit(code, size, destination, a, Constant((ulong)immediate));
    }

    /// <summary>A new temporary with A op B.</summary>
    public byte Compute(OpCode code, int size, byte a, byte b = 0, long immediate = 0, byte c = 0)
    {
        byte result = Temporary();
        Emit(code, size, result, a, b, immediate, c);
        return result;
    }

    public byte ComputeImmediate(OpCode code, int size, byte a, long immediate)
    {
        byte result = Temporary();
        WithImmediate(code, size, result, a, immediate);
        return result;
    }

    /// <summary>The flags' carry is the inverse of C: after what does not subtract it is turned over.</summary>
    public void ComplementCarry() => Emit(new MicroOp { Code = OpCode.ComplementCarry, Destination = MicroOp.Discard, Flags = FlagMask.Carry });

    /// <summary>The flags, put aside for <see cref="RestoreFlags"/>.</summary>
    public byte SaveFlags() => Compute(OpCode.GetFlags, 3, 0);

    public void RestoreFlags(byte saved) =>
        Emit(new MicroOp { Code = OpCode.SetFlags, Size = 3, Destination = MicroOp.Discard, A = saved, Immediate = (long)Arm64State.FlagBits, Flags = FlagMask.All });

    /// <summary>The condition of an encoding's cond field; null for always (C1.2.4).</summary>
    public static Condition? ConditionOf(uint field) => field switch
    {
        0 => Condition.Equal,
        1 => Condition.NotEqual,
        2 => Condition.AboveOrEqual,
        3 => Condition.Below,
        4 => Condition.Sign,
        5 => Condition.NotSign,
        6 => Condition.Overflow,
        7 => Condition.NotOverflow,
        8 => Condition.Above,
        9 => Condition.BelowOrEqual,
        10 => Condition.GreaterOrEqual,
        11 => Condition.Less,
        12 => Condition.Greater,
        13 => Condition.LessOrEqual,
        _ => null,
    };

    public static Condition Inverse(Condition condition) => (Condition)((int)condition ^ 1);

    // ---- addresses --------------------------------------------------------------------------------------------------

    /// <summary>
    /// The address register + displacement (31 is the stack pointer) as a register and what a micro-op adds to it. A constant that the instruction
    /// before set is used as such.
    /// </summary>
    public Arm64Address Address(byte register, long displacement = 0)
    {
        if (register != Arm64State.StackPointer && TryKnown(register, out ulong value))
            return new Arm64Address(Constant(Untagged(value + (ulong)displacement)), 0);
        if (!ignoresTags)
            return new Arm64Address(register, displacement);
        return new Arm64Address(WithoutTag(ComputeImmediate(OpCode.Add, 3, register, displacement)), 0);
    }

    /// <summary>The address register + (index extended and shifted).</summary>
    public Arm64Address IndexedAddress(byte register, byte index, uint extension, int shift)
    {
        byte sum = Temporary();
        if (index == Zero)
            return Address(register);
        const int most = 3;
        byte extended = Extend(index, extension);
        Emit(OpCode.AddressOf, 3, sum, register, extended, c: (byte)Math.Min(shift, most));
        // 16 bytes, as twice 8.
        if (shift > most)
        {
            byte half = sum;
            Emit(OpCode.AddressOf, 3, sum = Temporary(), half, extended, c: most);
        }
        return new Arm64Address(ignoresTags ? WithoutTag(sum) : sum, 0);
    }

    /// <summary>A constant address.</summary>
    public Arm64Address KnownAddress(ulong address) => new(Constant(address), 0);

    private ulong Untagged(ulong address) => ignoresTags ? (ulong)((long)(address << 8) >> 8) : address;

    /// <summary>The top byte becomes copies of bit 55.</summary>
    private byte WithoutTag(byte address)
    {
        byte saved = SaveFlags();
        byte left = Compute(OpCode.ShiftLeftImmediate, 3, address, immediate: 8);
        byte clean = Compute(OpCode.ShiftRightArithmeticImmediate, 3, left, immediate: 8);
        RestoreFlags(saved);
        return clean;
    }

    /// <summary>ExtendReg (shared pseudocode of the manual) without its shift: UXTB, UXTH, UXTW, UXTX, SXTB, SXTH, SXTW, SXTX.</summary>
    public byte Extend(byte register, uint extension)
    {
        byte value = Read(register);
        int size = (int)(extension & 3);
        return size == 3 ? value : Compute(extension < 4 ? OpCode.ZeroExtend : OpCode.SignExtend, size, value);
    }
}

/// <summary>A register and a displacement, as micro-ops on memory have them.</summary>
internal readonly record struct Arm64Address(byte Register, long Displacement);
