using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Telemetry.Folding;
using Xunit;

namespace Vivarium.Telemetry.Tests.Traces;

/// <summary>Calls of a batch that are alike are counted together: what comes of it is what comes of each by itself.</summary>
public sealed class LikeCallTests
{
    [Theory]
    [MemberData(nameof(Seeds))]
    public void Batches_fold_as_single_records_do(int seed)
    {
        CallRecord[] records = Stretches(seed, 20_000);
        CallFolder one = new(), many = new();
        foreach (CallRecord record in records)
            one.Add([record]);
        var random = new Random(seed);
        for (int at = 0; at < records.Length;)
        {
            int length = Math.Min(random.Next(1, 200), records.Length - at);
            many.Add(records.AsSpan(at, length));
            at += length;
        }
        Assert.Equal(Describe(one), Describe(many));
        long now = records[^1].End;
        one.Complete(now);
        many.Complete(now);
        Assert.Equal(Describe(one), Describe(many));
    }

    public static TheoryData<int> Seeds() => [.. Enumerable.Range(0, 20)];

    /// <summary>Long runs of like calls, with calls among them that stand out in every way.</summary>
    private static CallRecord[] Stretches(int seed, int count)
    {
        var random = new Random(seed);
        var records = new CallRecord[count];
        long time = 1000;
        int number = 0, process = 1;
        for (int i = 0; i < count; i++)
        {
            if (random.Next(60) == 0)
                (number, process) = (random.Next(4), random.Next(1, 4));
            long duration = random.Next(400) == 0 ? random.Next(1_000_000) : random.Next(300);
            records[i] = Calls.Of(number, time, duration, i + 1, process) with
            {
                Blocked = random.Next(50) == 0 ? random.NextInt64(duration + 1) : 0,
                Sent = random.Next(500) == 0 ? random.Next(1, 60) : 0,
            };
            if (random.Next(100) == 0)
                records[i] = records[i] with { Outcome = CallOutcome.Error, Error = (Errno)random.Next(1, 60) };
            // Calls end in another order than they begin.
            time += random.Next(20) == 0 ? -random.Next(200) : random.Next(500);
        }
        return records;
    }

    private static string Describe(CallFolder folder) => string.Join('\n', folder.Processes.SelectMany(static process => process.Runs.Select(run =>
        $"{process.Id} {process.Start} {process.End}: {run.Start} {run.End} {run.FirstIndex} {run.LastIndex} {run.FirstSequence} {run.LastSequence} "
        + string.Join(", ", run.Tallies.Select(static tally => $"{tally.Number} {tally.Count} {tally.Errors} {tally.Time} {tally.Blocked} {tally.Longest}"))))
        .Concat(folder.Singles().Select(static single => $"{single.Index} {single.Reasons} {single.Run.FirstIndex}")).Append($"{folder.Count}"));
}
