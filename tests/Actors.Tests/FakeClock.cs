using Vivarium.Emulator.Kernel;

namespace Vivarium.Actors.Tests;

/// <summary>Time that moves when a test says so.</summary>
internal sealed class FakeClock : IClock
{
    private long _now = 1;

    public long Monotonic => Interlocked.Read(ref _now);

    public long Realtime => Monotonic;

    public void Advance(long nanoseconds) => Interlocked.Add(ref _now, nanoseconds);
}
