using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Vivarium.Emulator.Memory.Host;

/// <summary>
/// The processor's time stamp counter (SDM Vol. 2, RDTSC): a third of what the host's clock costs. Only where it counts at one rate
/// whatever the processor does (SDM Vol. 3, "Invariant TSC"); its rate is not known here.
/// </summary>
public sealed unsafe class TimestampCounter
{
    private const uint PowerLeaf = 0x8000_0007;
    private const int InvariantBit = 1 << 8;
    private const nuint Size = 4096;

    private readonly delegate* unmanaged[SuppressGCTransition]<long> _read;

    private TimestampCounter(delegate* unmanaged[SuppressGCTransition]<long> read) => _read = read;

    /// <summary>The host's; null where it has none that can be used.</summary>
    public static TimestampCounter? Host { get; } = Make() is var read && read != null ? new TimestampCounter(read) : null;

    /// <summary>Ticks since the machine's start.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long Read() => _read();

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
