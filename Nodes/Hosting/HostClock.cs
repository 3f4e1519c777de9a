using System.Diagnostics;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Nodes.Hosting;

/// <summary>The host's clocks: what real-time worlds and the worker pool run on.</summary>
internal sealed class HostClock : IClock
{
    private static readonly double NanosecondsPerTick = 1e9 / Stopwatch.Frequency;

    private HostClock()
    {
    }

    public static HostClock Instance { get; } = new();

    /// <summary>The processor's counter, where it counts evenly.</summary>
    public static Func<long>? Ticks { get; } = TimestampCounter.IsSupported ? TimestampCounter.Reader : null;

    // On Linux a tick is a nanosecond, and the product is exact.
    public long Monotonic => Stopwatch.Frequency == 1_000_000_000
        ? Stopwatch.GetTimestamp()
        : (long)(Stopwatch.GetTimestamp() * NanosecondsPerTick);

    // What the run-time reads as well (clock_gettime(3)); elsewhere a tick is something else.
    public nint MonotonicFunction { get; } = OperatingSystem.IsLinux() && Stopwatch.Frequency == 1_000_000_000
        && NativeLibrary.TryLoad("libc.so.6", out nint library) && NativeLibrary.TryGetExport(library, "clock_gettime", out nint function) ? function : 0;

    public long Realtime => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
}
