using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Telemetry.Folding;

/// <summary>Why a call has a span of its own.</summary>
[Flags]
public enum SingleReasons
{
    None = 0,

    /// <summary>Among those that kept the kernel busy longest.</summary>
    Slow = 1,

    /// <summary>Among those that waited longest.</summary>
    Blocked = 2,

    /// <summary>The first to fail in its way.</summary>
    Failed = 4,

    /// <summary>One of a few, evenly spread.</summary>
    Sampled = 8,

    /// <summary>The first of a burst that sent something to another world, whose spans may name it.</summary>
    Sent = 16,
}

/// <summary>A call that is told by itself. It is not counted in the run that it happened in.</summary>
public sealed class SingleCall(in CallRecord record, long index, CallRun run)
{
    private readonly CallRecord _record = record;

    public ref readonly CallRecord Record => ref _record;

    /// <summary>Its place among all records.</summary>
    public long Index { get; } = index;

    /// <summary>The run it happened in.</summary>
    public CallRun Run => run.Root;

    public SingleReasons Reasons { get; internal set; }
}

/// <summary>The calls that matter most in one way, at most so many; those that must go are handed back.</summary>
internal sealed class TopCalls(int room, SingleReasons reason)
{
    private readonly PriorityQueue<SingleCall, Rank> _calls = new(Rank.Order);

    /// <summary>What a call must weigh more than to get in.</summary>
    public long Floor { get; private set; }

    /// <summary>Takes a call that weighs more than <see cref="Floor"/>; returns the one that lost its place, or null.</summary>
    public SingleCall? Add(SingleCall call, long weight)
    {
        // Of equals the earlier stays.
        _calls.Enqueue(call, new Rank(weight, call.Index));
        if (_calls.Count <= room)
            return null;
        SingleCall least = _calls.Dequeue();
        _calls.TryPeek(out _, out Rank next);
        Floor = next.Weight;
        least.Reasons &= ~reason;
        return least;
    }

    public void SetFloor(long weight) => Floor = Math.Max(Floor, weight);

    /// <summary>Less weight goes first, of equals the later. With a comparer of its own, which needs no code made at start.</summary>
    private readonly record struct Rank(long Weight, long Index)
    {
        public static IComparer<Rank> Order { get; } = new ByWeight();

        private sealed class ByWeight : IComparer<Rank>
        {
            public int Compare(Rank one, Rank two) => one.Weight != two.Weight ? one.Weight.CompareTo(two.Weight) : two.Index.CompareTo(one.Index);
        }
    }
}
