using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Tracing;

namespace Vivarium.Emulator.Personalities.Linux.X64;

/// <summary>struct user_regs_struct, and FXSAVE's image: there is no XSAVE area, as CPUID says.</summary>
internal sealed class X64TraceLayout : TraceLayout
{
    public static X64TraceLayout Instance { get; } = new();

    public override bool HasUserArea => true;

    public override bool CanStep => true;

    public override int GeneralSize => Marshal.SizeOf<TraceRegisters>();

    public override int FloatSize => FxImage.Length;

    public override bool HasWholeFloats => true;

    public override void ReadGeneral(Tracee tracee, Span<byte> set) => MemoryMarshal.Write(set, TraceRegisters.Of(tracee));

    public override void WriteGeneral(Tracee tracee, ReadOnlySpan<byte> set) => MemoryMarshal.Read<TraceRegisters>(set).ApplyTo(tracee);

    public override void ReadFloats(GuestThread thread, Span<byte> set)
    {
        set[..FxImage.Length].Clear();
        FxImage.Write(thread.Cpu.State, set);
    }

    public override bool WriteFloats(GuestThread thread, ReadOnlySpan<byte> set) => FxImage.TryRead(ref thread.Cpu.State, set);

    public override ulong Result(in CpuState state) => state.Registers[X64Registers.Rax];
}
