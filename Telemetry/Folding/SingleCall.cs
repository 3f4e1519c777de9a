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
    // Few, and seldom more: looking through all of them is quick, and no collection's code has to be made at start.
    private SingleCall[]? _calls;
    private long[]? _weights;
    private int _count;

    /// <summary>What a call must weigh more than to get in.</summary>
    public long Floor { get; private set; }

    /// <summary>Takes a call that weighs more than <see cref="Floor"/>; returns the one that lost its place, or null.</summary>
    public SingleCall? Add(SingleCall call, long weight)
    {
        SingleCall[] calls = _calls ??= new SingleCall[room + 1];
        long[] weights = _weights ??= new long[room + 1];
        (calls[_count], weights[_count]) = (call, weight);
        if (++_count <= room)
            return null;
        int least = Least(calls, weights);
        SingleCall lost = calls[least];
        (calls[least], weights[least]) = (calls[room], weights[room]);
        _count = room;
        Floor = weights[Least(calls, weights)];
        lost.Reasons &= ~reason;
        return lost;
    }

    /// <summary>The place of the one with the least weight. Of equals the earlier stays.</summary>
    private int Least(SingleCall[] calls, long[] weights)
    {
        int least = 0;
        for (int i = 1; i < _count; i++)
        {
            if (weights[i] < weights[least] || (weights[i] == weights[least] && calls[i].Index > calls[least].Index))
                least = i;
        }
        return least;
    }

    public void SetFloor(long weight) => Floor = Math.Max(Floor, weight);
}
