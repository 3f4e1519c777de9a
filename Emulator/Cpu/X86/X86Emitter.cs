using Iced.Intel;
using Vivarium.Emulator.Cpu.Blocks;
using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>Collects a block's micro-ops; knows x86's registers and addresses.</summary>
internal sealed class X86Emitter(LoweredBlock block) : IX86Emitter
{
    public const byte Rsp = 4;
    private const byte FirstTemporary = 64;

    private byte _next;

    /// <summary>Starts an instruction: its temporaries are fresh.</summary>
    public void Begin() => _next = FirstTemporary;

    public void Emit(in MicroOp op) => block.Add(op);

    public void Emit(OpCode code, int size, byte destination, byte a, byte b = 0, FlagMask flags = FlagMask.None, long immediate = 0, byte c = 0) =>
        block.Add(new MicroOp { Code = code, Size = (byte)size, Destination = destination, A = a, B = b, C = c, Flags = flags, Immediate = immediate });

    public byte IntegerTemporary() => _next++;

    public byte Constant(ulong value)
    {
        byte temporary = IntegerTemporary();
        Emit(OpCode.MoveImmediate, 3, temporary, 0, immediate: (long)value);
        return temporary;
    }

    /// <summary>The slot of a general register, whatever part of it is named.</summary>
    public byte IntegerRegister(Register register) => register switch
    {
        >= Register.RAX and <= Register.R15 => (byte)(register - Register.RAX),
        >= Register.EAX and <= Register.R15D => (byte)(register - Register.EAX),
        >= Register.AX and <= Register.R15W => (byte)(register - Register.AX),
        >= Register.AH and <= Register.BH => (byte)(register - Register.AH),
        >= Register.SPL and <= Register.R15L => (byte)(register - Register.SPL + 4),
        _ => (byte)(register - Register.AL),
    };

    /// <summary>Bytes of a register.</summary>
    private static int SizeOf(Register register) => register switch
    {
        >= Register.RAX and <= Register.R15 => 8,
        >= Register.EAX and <= Register.R15D => 4,
        >= Register.AX and <= Register.R15W => 2,
        >= Register.AL and <= Register.R15L => 1,
        _ => register.GetSize(),
    };

    public void WriteLow16(Register register, byte value) => Emit(OpCode.Insert, 1, IntegerRegister(register), value);

    public byte Condition(ConditionCode condition)
    {
        byte temporary = IntegerTemporary();
        Emit(OpCode.SetCondition, 0, temporary, 0, c: (byte)(condition - ConditionCode.o));
        return temporary;
    }

    public (byte Register, long Displacement) Address(in Instruction instruction)
    {
        if (instruction.IsIPRelativeMemoryOperand)
            return WithBase(instruction, Constant(instruction.IPRelativeMemoryAddress), 0);
        long displacement = (long)instruction.MemoryDisplacement64;
        bool narrow = instruction.MemoryBase.IsGPR32() || instruction.MemoryIndex.IsGPR32();
        if (narrow || instruction.MemoryDisplSize == 4)
            displacement = (int)displacement;
        if (instruction.MemoryIndex == Register.None && instruction.MemoryBase != Register.None && !narrow)
            return WithBase(instruction, IntegerRegister(instruction.MemoryBase), displacement);
        byte address = Sum(instruction, displacement);
        if (narrow)
            Emit(OpCode.ZeroExtend, 2, address, address);
        return WithBase(instruction, address, 0);
    }

    /// <summary>The effective address, without the segment's base (LEA).</summary>
    public byte EffectiveAddress(in Instruction instruction)
    {
        if (instruction.IsIPRelativeMemoryOperand)
            return Constant(instruction.IPRelativeMemoryAddress);
        long displacement = (long)instruction.MemoryDisplacement64;
        bool narrow = instruction.MemoryBase.IsGPR32() || instruction.MemoryIndex.IsGPR32();
        byte address = Sum(instruction, narrow ? (int)displacement : displacement, instruction.Op0Register.IsGPR32() ? 2 : 3);
        if (narrow)
            Emit(OpCode.ZeroExtend, 2, address, address);
        return address;
    }

    /// <summary>base + index × scale + displacement in a fresh temporary. A size of 2 says that no more of it is read.</summary>
    private byte Sum(in Instruction instruction, long displacement, int size = 3)
    {
        byte first = instruction.MemoryBase == Register.None ? Constant(0) : IntegerRegister(instruction.MemoryBase);
        byte sum = IntegerTemporary();
        if (instruction.MemoryIndex == Register.None)
            Emit(OpCode.AddImmediate, size, sum, first, immediate: size == 2 ? (int)displacement : displacement);
        else
            Emit(OpCode.AddressOf, 3, sum, first, IntegerRegister(instruction.MemoryIndex), immediate: displacement, c: (byte)System.Numerics.BitOperations.Log2((uint)instruction.MemoryIndexScale));
        return sum;
    }

    /// <summary>An effective address with the segment's base.</summary>
    public (byte Register, long Displacement) WithBase(in Instruction instruction, byte address, long displacement)
    {
        if (ThreadBase(instruction) is not (> 0 and int segment))
            return (address, displacement);
        byte sum = IntegerTemporary();
        Emit(OpCode.AddThreadBase, 3, sum, address, immediate: segment - 1);
        return (sum, displacement);
    }

    /// <summary>0 none, 1 FS, 2 GS; other segments have no base in 64-bit mode.</summary>
    public static int ThreadBase(in Instruction instruction) => instruction.SegmentPrefix switch
    {
        Register.FS => 1,
        Register.GS => 2,
        _ => 0,
    };

    // ---- operands of the integer instructions ---------------------------------------------------------------------

    /// <summary>log2 of the bytes of an operand.</summary>
    public static int SizeOf(in Instruction instruction, int operand)
    {
        int bytes = instruction.GetOpKind(operand) == OpKind.Register ? SizeOf(instruction.GetOpRegister(operand)) : instruction.MemorySize.GetSize();
        return System.Numerics.BitOperations.Log2((uint)bytes);
    }

    /// <summary>A register that holds an operand's value; upper bits may be anything.</summary>
    public byte Read(in Instruction instruction, int operand)
    {
        switch (instruction.GetOpKind(operand))
        {
            case OpKind.Register:
                return ReadRegister(instruction.GetOpRegister(operand));
            case OpKind.Memory:
                (byte register, long displacement) = Address(instruction);
                return Load(register, displacement, SizeOf(instruction, operand));
            default:
                return Constant(instruction.GetImmediate(operand));
        }
    }

    public byte Load(byte register, long displacement, int size)
    {
        byte value = IntegerTemporary();
        Emit(OpCode.Load, size, value, register, immediate: displacement);
        return value;
    }

    public byte ReadRegister(Register register)
    {
        byte slot = IntegerRegister(register);
        if (!IsHighByte(register))
            return slot;
        byte value = IntegerTemporary();
        Emit(OpCode.ExtractHigh, 0, value, slot);
        return value;
    }

    /// <summary>Writes a value as instructions of the register's size do: 32 bits clear the upper half, 8 and 16 merge.</summary>
    public void WriteRegister(Register register, byte value)
    {
        byte slot = IntegerRegister(register);
        if (IsHighByte(register))
            Emit(OpCode.InsertHigh, 0, slot, value);
        else if (SizeOf(register) <= 2)
            Emit(OpCode.Insert, SizeOf(register) - 1, slot, value);
        else
            Emit(SizeOf(register) == 4 ? OpCode.ZeroExtend : OpCode.Move, 2, slot, value);
    }

    /// <summary>True when a result may be computed into the register's slot, since no part of it must be kept.</summary>
    public static bool IsWhole(Register register) => SizeOf(register) >= 4;

    private static bool IsHighByte(Register register) => register is Register.AH or Register.BH or Register.CH or Register.DH;
}
