namespace Vivarium.Emulator.Kernel;

/// <summary>
/// What whoever disciplines the real-time clock keeps in the kernel (adjtimex(2)): all is told as it was set. The world's clock is its
/// node's, so that neither frequency nor offsets change how fast it runs; only steps move it.
/// </summary>
public sealed class ClockDiscipline
{
    /// <summary>Microseconds between two of the 100 ticks a second, and how far from the usual they may be.</summary>
    public const long UsualTick = 10_000, LeastTick = 9_000, MostTick = 11_000;

    /// <summary>Parts of a million, with 16 bits behind the point.</summary>
    public const long MostFrequency = 500L << 16;

    public long Offset { get; set; }

    public long Frequency { get; set; }

    /// <summary>Microseconds.</summary>
    public long MaxError { get; set; } = 16_000_000;

    public long EstimatedError { get; set; } = 16_000_000;

    public int Status { get; set; } = 0x40;

    public long TimeConstant { get; set; } = 2;

    public long Tick { get; set; } = UsualTick;

    /// <summary>Seconds that International Atomic Time is ahead; 0 while nobody said.</summary>
    public int AtomicOffset { get; set; }

    /// <summary>What adjtime(3) has still to slew, microseconds: nothing, as steps are taken at once.</summary>
    public long SingleShot { get; set; }
}
