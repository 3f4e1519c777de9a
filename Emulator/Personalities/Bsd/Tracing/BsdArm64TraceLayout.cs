using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Kernel;

namespace Vivarium.Emulator.Personalities.Bsd.Tracing;

/// <summary>arm64: struct fpreg is v0 to v31, then FPSR and FPCR in an order of the system's own.</summary>
internal abstract class BsdArm64TraceLayout(bool hasStatusFirst) : BsdTraceLayout
{
    private const int Vectors = 32, VectorSize = 16;

    /// <summary>x0 to x30 and the stack pointer.</summary>
    protected const int Registers = 32;

    /// <summary>What a tracer may change of SPSR: N, Z, C and V.</summary>
    private const uint ConditionBits = 0xF000_0000;

    public override int FloatSize => (Vectors * VectorSize) + VectorSize;

    protected override ulong CallInstruction => 4;

    protected static void ReadRegisters(GuestThread thread, ulong counter, Span<ulong> words)
    {
        ref CpuState state = ref thread.Cpu.State;
        for (int i = 0; i < Registers; i++)
            words[i] = state.Registers[i];
        (words[Registers], words[Registers + 1]) = (counter, Arm64State.GetFlags(state));
    }

    /// <summary>Null when the processor state is not that of a program.</summary>
    protected static ulong? WriteRegisters(GuestThread thread, ReadOnlySpan<ulong> words)
    {
        uint flags = (uint)words[Registers + 1];
        if ((flags & ~ConditionBits) != 0)
            return null;
        ref CpuState state = ref thread.Cpu.State;
        for (int i = 0; i < Registers; i++)
            state.Registers[i] = words[i];
        Arm64State.SetFlags(ref state, flags);
        return words[Registers];
    }

    public override void ReadFloats(GuestThread thread, Span<byte> set)
    {
        ref CpuState state = ref thread.Cpu.State;
        set[..FloatSize].Clear();
        for (int i = 0; i < Vectors; i++)
            MemoryMarshal.Write(set[(i * VectorSize)..], state.Vectors[Arm64State.VectorOf(i)]);
        Span<uint> control = MemoryMarshal.Cast<byte, uint>(set[(Vectors * VectorSize)..FloatSize]);
        uint status = Arm64State.GetStatus(state), mode = Arm64State.GetControl(state);
        (control[0], control[1]) = hasStatusFirst ? (status, mode) : (mode, status);
    }

    public override bool WriteFloats(GuestThread thread, ReadOnlySpan<byte> set)
    {
        ref CpuState state = ref thread.Cpu.State;
        for (int i = 0; i < Vectors; i++)
            state.Vectors[Arm64State.VectorOf(i)] = MemoryMarshal.Read<Vector128<byte>>(set[(i * VectorSize)..]);
        ReadOnlySpan<uint> control = MemoryMarshal.Cast<byte, uint>(set[(Vectors * VectorSize)..FloatSize]);
        Arm64State.SetStatus(ref state, control[hasStatusFirst ? 0 : 1]);
        Arm64State.SetControl(ref state, control[hasStatusFirst ? 1 : 0]);
        return true;
    }
}
