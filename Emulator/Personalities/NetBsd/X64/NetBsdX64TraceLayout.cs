using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Personalities.Bsd.Tracing;

namespace Vivarium.Emulator.Personalities.NetBsd.X64;

/// <summary>struct reg of amd64: the registers of a context (amd64/include/frame_regs.h).</summary>
internal sealed class NetBsdX64TraceLayout : BsdX64TraceLayout
{
    private const int Count = 26;

    public override int GeneralSize => Count * sizeof(ulong);

    protected override void Read(GuestThread thread, ulong counter, Span<byte> set)
    {
        Span<ulong> words = Words(set);
        NetBsdX64Context.WriteGeneral(thread, words);
        (words[NetBsdX64Context.Counter], words[NetBsdX64Context.FlagsWord]) = (counter, ShownFlags(thread));
    }

    protected override ulong? Write(GuestThread thread, ReadOnlySpan<byte> set)
    {
        ReadOnlySpan<ulong> words = Words(set);
        if (!IsAllowed(thread, words[NetBsdX64Context.FlagsWord], NetBsdX64Context.HasUserSegments(words)))
            return null;
        ref CpuState state = ref thread.Cpu.State;
        NetBsdX64Context.ReadGeneral(ref state, words);
        SetFlags(ref state, words[NetBsdX64Context.FlagsWord]);
        return words[NetBsdX64Context.Counter];
    }
}
