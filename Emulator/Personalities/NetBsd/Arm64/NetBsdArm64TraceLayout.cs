using Vivarium.Emulator.Cpu.Arm64;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Personalities.Bsd.Tracing;

namespace Vivarium.Emulator.Personalities.NetBsd.Arm64;

/// <summary>struct reg of arm64 (aarch64/include/reg.h): x0 to x30, sp, pc, spsr, tpidr.</summary>
internal sealed class NetBsdArm64TraceLayout() : BsdArm64TraceLayout(hasStatusFirst: false)
{
    private const int ThreadPointer = Registers + 2;

    public override int GeneralSize => (ThreadPointer + 1) * sizeof(ulong);

    protected override void Read(GuestThread thread, ulong counter, Span<byte> set)
    {
        Span<ulong> words = Words(set);
        ReadRegisters(thread, counter, words);
        words[ThreadPointer] = thread.Cpu.State.Registers[Arm64State.ThreadPointer];
    }

    protected override ulong? Write(GuestThread thread, ReadOnlySpan<byte> set)
    {
        ReadOnlySpan<ulong> words = Words(set);
        ulong? counter = WriteRegisters(thread, words);
        if (counter is not null)
            thread.Cpu.State.Registers[Arm64State.ThreadPointer] = words[ThreadPointer];
        return counter;
    }
}
