using System.Runtime.Intrinsics.X86;

namespace Vivarium.Emulator.Memory.Host;

/// <summary>
/// The processor's time stamp counter (SDM Vol. 2, RDTSC): a third of what the host's clock costs. Only where it counts at one rate
/// whatever the processor does (SDM Vol. 3, "Invariant TSC"); its rate is not known here.
/// </summary>
public static unsafe class TimestampCounter
{
    private const uint PowerLeaf = 0x8000_0007;
    private const int InvariantBit = 1 << 8;
    private const nuint Size = 4096;

    private static readonly delegate* unmanaged[SuppressGCTransition]<long> s_read = Make();

    public static bool IsSupported => s_read != null;

    /// <summary>Ticks since the machine's start. Only where <see cref="IsSupported"/>.</summary>
    public static long Read() => s_read();

    /// <summary><see cref="Read"/> as a delegate. One of an object's is called directly, one of a static method through a thunk.</summary>
    public static Func<long> Reader { get; } = new Source().Read;

    private sealed class Source
    {
        public long Read() => s_read();
    }

    private static delegate* unmanaged[SuppressGCTransition]<long> Make()
    {
        if (!X86Base.X64.IsSupported || (uint)X86Base.CpuId(unchecked((int)0x8000_0000), 0).Eax < PowerLeaf
            || (X86Base.CpuId(unchecked((int)PowerLeaf), 0).Edx & InvariantBit) == 0)
            return null;
        // rdtsc; shl rdx, 32; or rax, rdx; ret
        ReadOnlySpan<byte> code = [0x0F, 0x31, 0x48, 0xC1, 0xE2, 0x20, 0x48, 0x09, 0xD0, 0xC3];
        nint page = LibC.Map(0, Size, LibC.ProtectionRead | LibC.ProtectionWrite, LibC.MapPrivate | LibC.MapAnonymous, -1, 0);
        if (page == LibC.Failed)
            return null;
        code.CopyTo(new Span<byte>((void*)page, code.Length));
        return LibC.Protect(page, Size, LibC.ProtectionRead | LibC.ProtectionExecute) == 0 ? (delegate* unmanaged[SuppressGCTransition]<long>)page : null;
    }
}
