using Vivarium.Emulator.Cpu;

namespace Vivarium.Emulator.Kernel;

/// <summary>A world's time. Real worlds are handed the host's clock, virtual ones a clock that jumps over idle time.</summary>
public interface IClock
{
    /// <summary>Nanoseconds since the world's boot; never goes back.</summary>
    long Monotonic { get; }

    /// <summary>Nanoseconds since 1970-01-01 UTC.</summary>
    long Realtime { get; }

    /// <summary>Time passes by what the world does, so that a seed repeats a run; what follows from the host's moment is then not told.</summary>
    bool IsVirtual => false;

    /// <summary>The address of the C library's clock_gettime when <see cref="Monotonic"/> is its CLOCK_MONOTONIC, for translated code to call; else 0.</summary>
    nint MonotonicFunction => 0;

    /// <summary>What tells <see cref="Monotonic"/> by the processor's counter, for translated code to read; null = nothing does.</summary>
    CounterClock? Counter => null;
}

/// <summary>A byte source outside the world (standard input). Thread-safe; handed in by the node.</summary>
public interface IHostInput
{
    /// <summary>Takes up to the span's length: a count, 0 at end of file, or -1 when nothing is there now.</summary>
    int TryRead(Span<byte> destination);

    /// <summary>Called from any thread when <see cref="TryRead"/> may have more; the world posts it to itself.</summary>
    event Action? Available;

    bool IsTerminal { get; }
}

/// <summary>A byte sink outside the world (standard output). Thread-safe; handed in by the node.</summary>
public interface IHostOutput
{
    /// <summary>Takes some or all bytes; 0 when it cannot take any now; -1 when the reader is gone (EPIPE).</summary>
    int TryWrite(ReadOnlySpan<byte> source);

    event Action? RoomAvailable;

    bool IsTerminal { get; }
}
