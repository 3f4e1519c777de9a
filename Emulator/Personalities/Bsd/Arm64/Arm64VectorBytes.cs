using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Cpu.Arm64;

namespace Vivarium.Emulator.Personalities.Bsd.Arm64;

/// <summary>v0 to v31 as contexts have them.</summary>
[InlineArray(32 * 2)]
internal struct Arm64VectorBytes
{
    private const int Count = 32;

    private ulong _first;

    public static Arm64VectorBytes Of(in CpuState state)
    {
        Arm64VectorBytes bytes = default;
        Span<ulong> words = bytes;
        Span<Vector128<byte>> vectors = MemoryMarshal.Cast<ulong, Vector128<byte>>(words);
        for (int i = 0; i < Count; i++)
            vectors[i] = state.Vectors[Arm64State.VectorOf(i)];
        return bytes;
    }

    public readonly void RestoreTo(ref CpuState state)
    {
        ReadOnlySpan<ulong> words = this;
        ReadOnlySpan<Vector128<byte>> vectors = MemoryMarshal.Cast<ulong, Vector128<byte>>(words);
        for (int i = 0; i < Count; i++)
            state.Vectors[Arm64State.VectorOf(i)] = vectors[i];
    }
}
