using Vivarium.Emulator.Kernel;

namespace Vivarium.Actors.Tests;

/// <summary>Time that moves when a test says so.</summary>
internal sealed class FakeClock : IClock
{
    private long _now = 1;

    public long Monotonic => Interlocked.Read(ref _now);

    public long Realtime => Monotonic + Interlocked.Read(ref _set);

    private long _set;

    /// <summary>Somebody sets the time of day.</summary>
    public void Step(long nanoseconds) => Interlocked.Add(ref _set, nanoseconds);

    public void Advance(long nanoseconds) => Interlocked.Add(ref _now, nanoseconds);
}
