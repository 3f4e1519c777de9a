using Iced.Intel;
using Vivarium.Emulator.Cpu.Ops;
using Shape = Vivarium.Emulator.Cpu.X86.SseTables.Shape;

namespace Vivarium.Emulator.Cpu.X86;

/// <summary>
/// Lowers the vector instructions: the regular ones from <see cref="SseTables"/>, moves and conversions in the files beside it.
/// Guest registers XMM0..15 are vectors 0..15. Loads come first, so a faulting instruction has changed nothing.
/// </summary>
internal static partial class SseLowering
{
    // Vector temporaries of one instruction.
    private const byte Temporary = 32;
    private const byte MmxDestination = 33;
    private const byte MmxSource = 34;
    private const byte Zero = 35;

    /// <summary>Emits the instruction's micro-ops; false when it is none of this family.</summary>
    public static bool TryLower(IX86Emitter emitter, in Instruction instruction)
    {
        // String instructions that share their names with SSE2's.
        if (instruction.Code is Code.Movsd_m32_m32 or Code.Cmpsd_m32_m32)
            return false;
        if (instruction.Op0Kind == OpKind.Register && instruction.Op0Register.IsMM() && TryLowerMmx(emitter, instruction))
            return true;
        var entry = SseTables.Find(instruction.Mnemonic);
        if (entry.Shape == Shape.None)
            return TryLowerMove(emitter, instruction) || TryLowerConversion(emitter, instruction) || TryLowerOther(emitter, instruction);

        var destination = Vector(instruction.Op0Register);
        var immediate = Immediate(instruction);
        if (IsShiftByImmediate(instruction))
        {
            var code = entry.Code + (OpCode.VectorShiftLeftBy - OpCode.VectorShiftLeft);
            emitter.Emit(new MicroOp { Code = code, Size = (byte)entry.Kind, Destination = destination, A = destination, Immediate = immediate });
            return true;
        }

        var isScalar = entry.Shape is Shape.ScalarBinary or Shape.ScalarUnary;
        var source = Source(emitter, instruction, isScalar ? ScalarSize(entry.Kind) : 4);
        emitter.Emit(new MicroOp
        {
            Code = entry.Code,
            Size = (byte)entry.Kind,
            Destination = destination,
            A = entry.Shape == Shape.Unary ? source : destination,
            B = source,
            C = (byte)(isScalar ? 1 : 0),
            Immediate = immediate,
        });
        return true;
    }

    private static byte Vector(Register register) => (byte)(register - Register.XMM0);

    private static int ScalarSize(LaneKind kind) => kind == LaneKind.Float64 ? 3 : 2;

    private static long Immediate(in Instruction instruction) =>
        instruction.GetOpKind(instruction.OpCount - 1) == OpKind.Immediate8 ? instruction.Immediate8 : 0;

    private static bool IsShiftByImmediate(in Instruction instruction) => instruction.Op1Kind == OpKind.Immediate8
        && instruction.OpCount == 2 && SseTables.Find(instruction.Mnemonic).Code is >= OpCode.VectorShiftLeft and <= OpCode.VectorShiftRightArithmetic;

    /// <summary>The vector number of operand 1, loaded when it is memory: 1 &lt;&lt; size bytes, which must be aligned when they are 16.</summary>
    private static byte Source(IX86Emitter emitter, in Instruction instruction, int size)
    {
        if (instruction.Op1Kind == OpKind.Register)
            return Vector(instruction.Op1Register);
        return Load(emitter, instruction, size, isAligned: size == 4);
    }

    private static byte Load(IX86Emitter emitter, in Instruction instruction, int size, bool isAligned, byte into = Temporary)
    {
        var (register, displacement) = emitter.Address(instruction);
        if (isAligned)
            emitter.Emit(new MicroOp { Code = OpCode.VectorCheckAlignment, Size = 4, A = register, Immediate = displacement });
        emitter.Emit(new MicroOp { Code = OpCode.VectorLoad, Size = (byte)size, Destination = into, A = register, Immediate = displacement });
        return into;
    }

    private static void Store(IX86Emitter emitter, in Instruction instruction, int size, byte vector, bool isAligned)
    {
        var (register, displacement) = emitter.Address(instruction);
        if (isAligned)
            emitter.Emit(new MicroOp { Code = OpCode.VectorCheckAlignment, Size = 4, A = register, Immediate = displacement });
        emitter.Emit(new MicroOp { Code = OpCode.VectorStore, Size = (byte)size, A = register, B = vector, Immediate = displacement });
    }

    /// <summary>An integer temporary holding the 32- or 64-bit integer operand 1 (a register or memory).</summary>
    private static byte IntegerSource(IX86Emitter emitter, in Instruction instruction, int size)
    {
        if (instruction.Op1Kind == OpKind.Register)
            return emitter.IntegerRegister(instruction.Op1Register);
        Load(emitter, instruction, size, isAligned: false);
        return ToInteger(emitter, Temporary, size);
    }

    private static byte ToInteger(IX86Emitter emitter, byte vector, int size)
    {
        var integer = emitter.IntegerTemporary();
        emitter.Emit(new MicroOp { Code = OpCode.VectorToInteger, Size = (byte)size, Destination = integer, A = vector });
        return integer;
    }
}
