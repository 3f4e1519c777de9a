using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Personalities.Bsd.Tracing;

namespace Vivarium.Emulator.Personalities.FreeBsd.Arm64;

/// <summary>struct reg of arm64 (arm64/include/reg.h): x0 to x29, lr, sp, elr, spsr.</summary>
internal sealed class FreeBsdArm64TraceLayout() : BsdArm64TraceLayout(hasStatusFirst: true)
{
    public override int GeneralSize => (Registers + 2) * sizeof(ulong);

    protected override void Read(GuestThread thread, ulong counter, Span<byte> set) => ReadRegisters(thread, counter, Words(set));

    protected override ulong? Write(GuestThread thread, ReadOnlySpan<byte> set) => WriteRegisters(thread, Words(set));
}
