using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Vivarium.Emulator.Cpu;

/// <summary>
/// The registers of one guest thread, laid out for translated code, which addresses them from a pinned base. Integer slots
/// 0..63 are guest registers, 64..255 temporaries of the block under way, so a register number is any byte.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct CpuState
{
    public IntegerFile Registers;
    public VectorFile Vectors;

    /// <summary>Address of the next instruction.</summary>
    public ulong Pc;

    /// <summary>Arithmetic flags in x86 RFLAGS positions (CF 0, PF 2, AF 4, ZF 6, SF 7, OF 11) plus DF 10, ID 21, AC 18, TF 8; always materialised between instructions.</summary>
    public ulong Flags;

    public ulong FsBase;
    public ulong GsBase;

    /// <summary>SSE control and status.</summary>
    public uint Mxcsr;

    public X87State X87;
}

/// <summary>Integer registers and temporaries.</summary>
[InlineArray(256)]
public struct IntegerFile
{
    private ulong _first;
}

/// <summary>Vector registers 0..31 (x86 uses 16) and temporaries 32..63.</summary>
[InlineArray(64)]
public struct VectorFile
{
    private Vector128<byte> _first;
}

/// <summary>The x87 unit: eight 80-bit registers by physical number, control, status, tag word (SDM Vol. 1, 8.1).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct X87State
{
    public X87Registers Registers;
    public ushort Control;
    public ushort Status;

    /// <summary>One bit a physical register: 1 = valid (the FXSAVE form).</summary>
    public byte Tags;
    public ushort LastOpcode;
    public ulong LastInstruction;
    public ulong LastOperand;

    public int Top
    {
        readonly get => (Status >> 11) & 7;
        set => Status = (ushort)((Status & ~0x3800) | ((value & 7) << 11));
    }
}

[InlineArray(8)]
public struct X87Registers
{
    private X87Register _first;
}

/// <summary>An 80-bit extended value: explicit-integer-bit significand, then sign and exponent.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct X87Register
{
    public ulong Significand;
    public ushort SignExponent;
}
