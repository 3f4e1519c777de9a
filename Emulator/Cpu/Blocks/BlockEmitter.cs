using Vivarium.Emulator.Cpu.Ops;

namespace Vivarium.Emulator.Cpu.Blocks;

/// <summary>Collects the micro-ops of a block of an instruction set with many registers, and hands out temporaries beside them, anew for each instruction.</summary>
/// <param name="block">Where they go.</param>
/// <param name="firstVector">The first vector that is a temporary.</param>
internal abstract class BlockEmitter(LoweredBlock block, byte firstVector)
{
    private const byte FirstTemporary = 64;

    private byte _next;
    private byte _nextVector;

    /// <summary>The address of the instruction.</summary>
    public ulong Pc { get; private set; }

    /// <summary>Of the one behind it.</summary>
    public ulong Next { get; private set; }

    /// <summary>Starts an instruction: its temporaries are fresh.</summary>
    public void Begin(ulong pc, ulong next) => (Pc, Next, _next, _nextVector) = (pc, next, FirstTemporary, firstVector);

    public void Emit(in MicroOp op) => block.Add(op);

    public void Emit(OpCode code, int size, byte destination, byte a, byte b = 0, long immediate = 0, byte c = 0) =>
        block.Add(new MicroOp { Code = code, Size = (byte)size, Destination = destination, A = a, B = b, C = c, Immediate = immediate });

    public byte Temporary() => _next++;

    public byte VectorTemporary() => _nextVector++;

    public byte Constant(ulong value)
    {
        byte temporary = Temporary();
        Emit(OpCode.MoveImmediate, 3, temporary, 0, immediate: (long)value);
        return temporary;
    }
}
