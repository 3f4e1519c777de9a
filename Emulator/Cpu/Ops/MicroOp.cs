using System.Runtime.InteropServices;

namespace Vivarium.Emulator.Cpu.Ops;

/// <summary>
/// One micro-op: what guest instructions of every architecture lower to, executed by the interpreter and translated to host
/// code by the translator. Registers are numbers into <see cref="CpuState.Registers"/> (vector ops: <see cref="CpuState.Vectors"/>).
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct MicroOp
{
    /// <summary>The destination of results that nobody reads.</summary>
    public const byte Discard = 255;

    public OpCode Code;

    /// <summary>Operand size of the operation as log2 of bytes, or the element kind of a vector operation.</summary>
    public byte Size;

    /// <summary>Which arithmetic flags this op must leave in <see cref="CpuState.Flags"/>, as <see cref="FlagMask"/>; cleared bits were proven dead.</summary>
    public FlagMask Flags;

    public byte Destination;
    public byte A;
    public byte B;
    public byte C;

    /// <summary>Immediate, displacement, branch target or helper number.</summary>
    public long Immediate;
}

/// <summary>The arithmetic flags, one bit each (x86 names; other architectures map theirs).</summary>
[Flags]
public enum FlagMask : byte
{
    None = 0,
    Carry = 1,
    Parity = 2,
    Adjust = 4,
    Zero = 8,
    Sign = 16,
    Overflow = 32,
    All = 63,
}
