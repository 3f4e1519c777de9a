using System.Numerics;
using System.Runtime.CompilerServices;

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

    /// <summary>Adds another's values.</summary>
    public void Add(CallHistogram other)
    {
        Zeros += other.Zeros;
        Count += other.Count;
        for (int i = 0; i < other._counts.Length; i++)
        {
            if (other._counts[i] != 0)
                Put(i, other._counts[i]);
        }
    }

    /// <summary>The same values in a histogram of their own.</summary>
    public CallHistogram Copy()
    {
        var copy = new CallHistogram();
        copy.Add(this);
        return copy;
    }

    /// <summary>How many values do not exceed a power of two.</summary>
    public ulong CountUpTo(int power)
    {
        ulong count = Zeros;
        for (int i = 0; i < Math.Min(_counts.Length, Parts * power); i++)
            count += _counts[i];
        return count;
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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int IndexOf(ulong value)
    {
        int power = BitOperations.Log2(value);
        // The value as a fraction from 1 to 2, 32 bits behind the point: past four seconds, to the nanosecond below.
        ulong fraction = power <= 32 ? value << (32 - power) : value >> (power - 32);
        ulong[] bounds = Bounds;
        int part = fraction > bounds[4] ? 4 : 0;
        part += fraction > bounds[part + 2] ? 2 : 0;
        part += fraction > bounds[part + 1] ? 1 : 0;
        int index = (Parts * power) + part;
        // An exact power of two is the upper end of the bucket below (OpenTelemetry: bounds are inclusive above).
        return (value & (value - 1)) == 0 ? Math.Max(0, index - 1) : index;
    }

    private static ulong[] MakeBounds()
    {
        var bounds = new ulong[Parts];
        for (int i = 0; i < Parts; i++)
            bounds[i] = (ulong)Math.Floor(Math.Pow(2, (double)i / Parts) * (1UL << 32));
        return bounds;
    }
}
