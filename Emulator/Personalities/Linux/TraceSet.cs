using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Tracing;

namespace Vivarium.Emulator.Personalities.Linux;

/// <summary>Registers of a thread that are neither general nor floating-point ones, as tracers see them.</summary>
/// <param name="type">NT_: the type of its note in core files.</param>
/// <param name="size">Its bytes.</param>
/// <param name="item">Bytes of one of its registers: tracers give room for whole ones.</param>
internal abstract class TraceSet(int type, int size, int item)
{
    public int Type { get; } = type;

    public int Size { get; } = size;

    public int Item { get; } = item;

    public abstract void Read(Tracee tracee, Span<byte> set);

    /// <summary>Takes a set of which the tracer gave the first bytes, and the rest is as it was.</summary>
    public abstract Errno Write(Tracee tracee, ReadOnlySpan<byte> set, int given);
}
