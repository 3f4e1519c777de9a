using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Telemetry.Folding;

/// <summary>What calls like one before them add up to, before they are counted in its run.</summary>
internal readonly record struct LikeCalls(int Count, long Start, long End, long FirstSequence, long LastSequence, long Time, long Blocked, long Longest)
{
    /// <summary>Sums up calls that follow a call of the same process and number, succeed and are not noticeable in any way, up to the first other.</summary>
    /// <param name="longest">A longer call is noticeable.</param>
    /// <param name="longestBlocked">As is one that waits longer.</param>
    public static LikeCalls Of(ReadOnlySpan<CallRecord> records, in CallRecord first, long longest, long longestBlocked)
    {
        // Kept apart until the end: so they are in registers.
        int count = 0;
        long start = long.MaxValue, end = 0, low = long.MaxValue, high = 0, time = 0, blocked = 0, most = 0;
        foreach (ref readonly CallRecord record in records)
        {
            long duration = record.Duration;
            if (record.Number != first.Number || record.Process != first.Process || duration > longest || record.Blocked > longestBlocked
                || record.Outcome == CallOutcome.Error || record.Sent != 0)
                break;
            count++;
            time += duration;
            blocked += record.Blocked;
            most = Math.Max(most, duration);
            start = Math.Min(start, record.Start);
            end = Math.Max(end, record.Start + duration);
            low = Math.Min(low, record.Sequence);
            high = Math.Max(high, record.Sequence);
        }
        return new LikeCalls(count, start, end, low, high, time, blocked, most);
    }
}
