using System.Runtime.CompilerServices;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Cpu;

/// <summary>A clock by the processor's time stamp counter: from <see cref="Start"/> on each tick is so many nanoseconds.</summary>
/// <param name="Start">The counter then.</param>
/// <param name="Nanoseconds">The clock then.</param>
/// <param name="Multiplier">Nanoseconds of a tick, which are less than one, in parts of 2^64.</param>
public sealed record TickScale(long Start, long Nanoseconds, ulong Multiplier)
{
    /// <summary>Ticks from the start that it tells at most, a second or so: what was not followed for so long is no clock.</summary>
    public const long Reach = 1L << 32;

    public bool Covers(long tick) => (ulong)(tick - Start) < Reach;

    public long At(long tick) => Nanoseconds + (long)Math.BigMul((ulong)(tick - Start), Multiplier, out _);
}

/// <summary>
/// Follows a clock by the processor's counter, which takes less than half as long to read. It never goes back: where it differs from the clock
/// it goes faster or slower until it does not. Samples are noted by one thread at a time; the scale is read by any.
/// </summary>
/// <param name="ticks">The counter; null = whoever has a sample and a scale reads it by himself.</param>
public sealed class CounterClock(TimestampCounter? ticks = null)
{
    /// <summary>Ticks after which the counter is to be compared with the clock again: some milliseconds.</summary>
    public const long Interval = 1 << 24;

    /// <summary>What it is off by, it makes up in so many nanoseconds: some times as long as between two samples.</summary>
    private const double Horizon = 20e6;

    /// <summary>More than that behind, it goes on from the clock's own time, nanoseconds.</summary>
    private const long Jump = 1_000_000;

    /// <summary>Ticks after which the counter's rate is taken from a later sample on: the clock's own rate may be changed (adjtimex(2)).</summary>
    private const long Memory = 2 * TickScale.Reach;

    /// <summary>Ticks before there is a rate.</summary>
    public const long Patience = 1 << 22;

    private (long Tick, long Nanoseconds)? _from;
    private (long Tick, long Nanoseconds) _next;
    private volatile TickScale? _scale;

    /// <summary>Null as long as the rate is not known, and where ticks are longer than nanoseconds.</summary>
    public TickScale? Scale => _scale;

    /// <summary>The time, unless the counter is to be compared with the clock first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryRead(out long nanoseconds)
    {
        if (ticks is not null)
        {
            long tick = ticks.Read();
            if (_scale is { } scale && (ulong)(tick - scale.Start) < Interval)
            {
                nanoseconds = scale.At(tick);
                return true;
            }
        }
        nanoseconds = 0;
        return false;
    }

    /// <summary>The clock's time when the counter was read. Later than all before.</summary>
    public void Note(long tick, long nanoseconds)
    {
        if (_from is not { } from || tick <= from.Tick || nanoseconds <= from.Nanoseconds || (_scale is { } known && !known.Covers(tick)))
        {
            // The first one, or nobody asked for long; or the machine slept, and one of the two did not.
            _from = _next = (tick, nanoseconds);
            _scale = null;
            return;
        }
        if (_scale is { } behind && nanoseconds - behind.At(tick) > Jump)
        {
            // What it went ahead by tells nothing of its rate.
            _from = _next = (tick, nanoseconds);
            _scale = behind with { Start = tick, Nanoseconds = nanoseconds };
            return;
        }
        if (tick - from.Tick < Patience)
            return;
        double rate = (double)(nanoseconds - from.Nanoseconds) / (tick - from.Tick);
        if (tick - _next.Tick > Memory)
            (_from, _next) = (_next, (tick, nanoseconds));
        long told = _scale?.At(tick) ?? nanoseconds;
        rate *= 1 + Math.Clamp((nanoseconds - told) / Horizon, -0.5, 0.5);
        _scale = rate < 1 ? new TickScale(tick, told, (ulong)(rate * ulong.MaxValue)) : null;
    }
}
