using System.Diagnostics;
using System.Runtime.InteropServices;
using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Nodes.Hosting;

/// <summary>The host's clocks: what real-time worlds and the worker pool run on.</summary>
internal sealed class HostClock : IClock
{
    private static readonly double NanosecondsPerTick = 1e9 / Stopwatch.Frequency;

    /// <summary>A sample is good when reading the clock took fewer ticks: nothing came in between.</summary>
    private const long Undisturbed = 1 << 11;
    private const int Tries = 3;

    /// <summary>The counter, where the host's kernel tells its own time by it: then it found all processors' counters to be alike.</summary>
    private static TimestampCounter? Followed { get; } = IsTrusted() ? TimestampCounter.Host : null;

    private readonly CounterClock _counter = new(Followed);
    private int _isSampling;

    private HostClock()
    {
    }

    public static HostClock Instance { get; } = new();

    public long Monotonic
    {
        get
        {
            if (Followed is not { } ticks)
                return Clock;
            if (_counter.TryRead(out long now))
                return now;
            Follow(ticks);
            long tick = ticks.Read();
            return _counter.Scale is { } followed && followed.Covers(tick) ? followed.At(tick) : Clock;
        }
    }

    public CounterClock? Counter => Followed is null ? null : _counter;

    // What the run-time reads as well (clock_gettime(3)); elsewhere a tick is something else.
    public nint MonotonicFunction { get; } = OperatingSystem.IsLinux() && Stopwatch.Frequency == 1_000_000_000
        && NativeLibrary.TryLoad("libc.so.6", out nint library) && NativeLibrary.TryGetExport(library, "clock_gettime", out nint function) ? function : 0;

    public long Realtime => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;

    // On Linux a tick is a nanosecond, and the product is exact.
    private static long Clock => Stopwatch.Frequency == 1_000_000_000
        ? Stopwatch.GetTimestamp()
        : (long)(Stopwatch.GetTimestamp() * NanosecondsPerTick);

    private static bool IsTrusted()
    {
        byte[]? source = HostDescriptors.TryReadAll("/sys/devices/system/clocksource/clocksource0/current_clocksource");
        ReadOnlySpan<byte> name = source.AsSpan().TrimEnd((byte)'\n');
        return name.SequenceEqual("tsc"u8) || name.SequenceEqual("kvm-clock"u8) || name.SequenceEqual("hyperv_clocksource_tsc_page"u8);
    }

    /// <summary>Compares counter and clock, unless another thread does.</summary>
    private void Follow(TimestampCounter ticks)
    {
        if (Interlocked.Exchange(ref _isSampling, 1) != 0)
            return;
        for (int i = 0; i < Tries; i++)
        {
            long before = ticks.Read(), now = Clock, passed = ticks.Read() - before;
            if (passed is < 0 or > Undisturbed)
                continue;
            // Its time is not behind the clock's by that: who read the clock last sees no step back.
            _counter.Note(before, now);
            break;
        }
        Volatile.Write(ref _isSampling, 0);
    }
}
