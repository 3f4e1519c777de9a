using Vivarium.Emulator.Cpu;
using Xunit;

namespace Vivarium.Emulator.Tests.Kernel;

/// <summary>A clock that is told by a counter never goes back, and stays with the clock that it follows.</summary>
public sealed class CounterClockTests
{
    private const double TicksPerNanosecond = 2.45;
    private const long Sampling = 10_000_000;

    private static long TickAt(double nanoseconds) => 1_000_000_000_000 + (long)(nanoseconds * TicksPerNanosecond);

    [Theory]
    [InlineData(0)]
    [InlineData(500e-6)]
    [InlineData(-500e-6)]
    public void It_stays_with_a_clock_whose_rate_changes(double change)
    {
        var random = new Random(7);
        var clock = new CounterClock();
        double real = 5e9, followed = 5e9;
        long last = 0;
        for (int i = 0; i < 4000; i++)
        {
            // The clock's rate changes in the middle; samples are some nanoseconds off.
            double step = Sampling * (0.2 + random.NextDouble());
            real += step;
            followed += step * (i < 2000 ? 1 : 1 + change);
            clock.Note(TickAt(real), (long)followed + random.Next(-30, 31));
            if (clock.Scale is not { } scale)
            {
                Assert.True(i < 5);
                continue;
            }
            for (int part = 0; part <= 4; part++)
            {
                long tick = TickAt(real + (part * Sampling / 25));
                Assert.True(scale.Covers(tick));
                long now = scale.At(tick);
                Assert.True(now >= last);
                last = now;
                Assert.InRange(now - (followed + (part * Sampling / 25)), -60_000, 60_000);
                if (i is (> 200 and < 2000) or > 3500)
                    Assert.InRange(now - (followed + (part * Sampling / 25)), -8_000, 8_000);
            }
        }
    }

    [Fact]
    public void A_clock_that_was_set_ahead_is_followed_at_once()
    {
        var clock = new CounterClock();
        for (int i = 0; i < 10; i++)
            clock.Note(TickAt(i * Sampling), i * Sampling);
        clock.Note(TickAt(10 * Sampling), (10 * Sampling) + 3_000_000_000);
        Assert.Equal((10 * Sampling) + 3_000_000_000, clock.Scale!.At(TickAt(10 * Sampling)));
        clock.Note(TickAt(11 * Sampling), (11 * Sampling) + 3_000_000_000);
        Assert.InRange(clock.Scale.At(TickAt(11.5 * Sampling)), 3_000_000_000 + (11.4 * Sampling), 3_000_000_000 + (11.6 * Sampling));
    }

    [Fact]
    public void After_a_long_pause_the_rate_is_found_anew()
    {
        var clock = new CounterClock();
        for (int i = 0; i < 10; i++)
            clock.Note(TickAt(i * Sampling), i * Sampling);
        Assert.NotNull(clock.Scale);
        Assert.False(clock.Scale.Covers(TickAt(60e9)));
        // The machine slept: the counter went on, the clock did not.
        clock.Note(TickAt(60e9), 20 * Sampling);
        Assert.Null(clock.Scale);
        clock.Note(TickAt(60e9 + Sampling), 21 * Sampling);
        Assert.InRange(clock.Scale!.At(TickAt(60e9 + Sampling)), 21 * Sampling, (21 * Sampling) + 1);
    }

    [Fact]
    public void A_counter_slower_than_a_nanosecond_is_no_clock()
    {
        var clock = new CounterClock();
        for (long i = 1; i < 10; i++)
            clock.Note(i * Sampling, i * Sampling * 2);
        Assert.Null(clock.Scale);
    }
}
