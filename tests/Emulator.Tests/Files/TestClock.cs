using Vivarium.Emulator.Kernel;

namespace Vivarium.Emulator.Tests.Files;

/// <summary>A clock that goes on by a microsecond whenever it is read.</summary>
internal sealed class TestClock : IClock
{
    private long _now = 1_700_000_000_000_000_000;

    public long Monotonic => _now += 1000;

    public long Realtime => _now += 1000;
}
