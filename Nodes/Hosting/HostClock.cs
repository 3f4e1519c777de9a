using System.Diagnostics;
using Vivarium.Emulator.Kernel;

namespace Vivarium.Nodes.Hosting;

/// <summary>The host's clocks: what real-time worlds and the worker pool run on.</summary>
internal sealed class HostClock : IClock
{
    private static readonly double NanosecondsPerTick = 1e9 / Stopwatch.Frequency;

    private HostClock()
    {
    }

    public static HostClock Instance { get; } = new();

    // On Linux a tick is a nanosecond, and the product is exact.
    public long Monotonic => Stopwatch.Frequency == 1_000_000_000
        ? Stopwatch.GetTimestamp()
        : (long)(Stopwatch.GetTimestamp() * NanosecondsPerTick);

    public long Realtime => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
}
