using System.Numerics;

namespace Vivarium.Telemetry;

/// <summary>
/// Durations in an exponential histogram of OpenTelemetry's scale 3: eight buckets for each doubling, so a bucket's values differ by
/// less than a tenth. Bucket i holds values past 2^(i/8) up to 2^((i+1)/8); zeros are counted apart.
/// </summary>
public sealed class CallHistogram
{
    public const int Scale = 3;
    private const int Parts = 1 << Scale;
    private const int Doublings = 63;

    /// <summary>2^(i/8) as mantissas of 32 bits behind the point, rounded down: values past it belong to the next part.</summary>
    private static readonly ulong[] Bounds = MakeBounds();

    /// <summary>As many parts as the longest so far needs, rounded up to four doublings.</summary>
    private ulong[] _counts = [];

    public ulong Zeros { get; private set; }

    public ulong Count { get; private set; }

    /// <summary>Those behind the last are empty.</summary>
    public IReadOnlyList<ulong> Buckets => _counts;

    public void Add(long value)
    {
        Count++;
        if (value <= 0)
            Zeros++;
        else
            Put(IndexOf((ulong)value), 1);
    }

    /// <summary>Puts values back that were counted elsewhere.</summary>
    public void Add(int bucket, ulong count)
    {
        Count += count;
        if (bucket < 0)
            Zeros += count;
        else
            Put(Math.Min(bucket, (Parts * Doublings) - 1), count);
    }

    private void Put(int bucket, ulong count)
    {
        const int Step = 4 * Parts;
        if (bucket >= _counts.Length)
            Array.Resize(ref _counts, Math.Min(Parts * Doublings, (bucket / Step * Step) + Step));
        _counts[bucket] += count;
    }

    /// <summary>The value that a share of all does not exceed: the bound of its bucket, so up to a tenth too much.</summary>
    /// <param name="share">0 to 1.</param>
    public long Quantile(double share)
    {
        ulong rank = (ulong)Math.Ceiling(share * Count);
        ulong seen = Zeros;
        if (rank <= seen)
            return 0;
        for (int i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= rank)
                return (long)UpperBound(i);
        }
        return 0;
    }

    public static double UpperBound(int bucket) => Math.Pow(2, (bucket + 1.0) / Parts);

    private static int IndexOf(ulong value)
    {
        int power = BitOperations.Log2(value);
        // The value as a fraction from 1 to 2, 32 bits behind the point; what is cut off makes it the larger one.
        ulong fraction = power <= 32 ? value << (32 - power) : value >> (power - 32);
        bool isCut = power > 32 && (value & ((1UL << (power - 32)) - 1)) != 0;
        int part = 0;
        while (part + 1 < Parts && (fraction > Bounds[part + 1] || (fraction == Bounds[part + 1] && isCut)))
            part++;
        int index = (Parts * power) + part;
        // An exact power of two is the upper end of the bucket below (OpenTelemetry: bounds are inclusive above).
        return fraction == Bounds[0] && !isCut ? Math.Max(0, index - 1) : index;
    }

    private static ulong[] MakeBounds()
    {
        var bounds = new ulong[Parts];
        for (int i = 0; i < Parts; i++)
            bounds[i] = (ulong)Math.Floor(Math.Pow(2, (double)i / Parts) * (1UL << 32));
        return bounds;
    }
}
