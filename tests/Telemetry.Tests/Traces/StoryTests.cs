using Vivarium.Emulator.Kernel.Records;
using Vivarium.Telemetry.Reports;
using Vivarium.Telemetry.Traces;
using Xunit;

namespace Vivarium.Telemetry.Tests.Traces;

/// <summary>Somebody who never saw the program finds what is wrong with it on the first screen.</summary>
public sealed class StoryTests
{
    private const int Screen = 24;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void One_slow_fsync_among_a_hundred_thousand_calls(int seed)
    {
        var random = new Random(seed);
        CallRecord[] records = new CallRecord[100_000];
        int slow = random.Next(records.Length);
        long now = 1_000_000_000;
        int[] numbers = [0, 1, 8, 39, 74, 110];
        for (int i = 0; i < records.Length; i++)
        {
            long duration = i == slow ? 50_000_000 : 200 + random.Next(3000);
            records[i] = Calls.Of(i == slow ? 74 : numbers[random.Next(numbers.Length)], now, duration, i + 1) with { Subject = i == slow ? "/data/journal"u8.ToArray() : null };
            records[i].Arguments[0] = 3;
            now += duration + random.Next(1000);
        }
        string screen = FirstScreen(FoldingTests.Record(records));
        Assert.Contains("slow call: fsync took 50.0 ms", screen);
        Assert.Contains("fsync(3</data/journal>) = 0", screen);
    }

    [Fact]
    public void A_lock_convoy()
    {
        const ulong Lock = 0x4bb340;
        List<CallRecord> records = [];
        for (int i = 0; i < 4000; i++)
        {
            CallRecord wait = Calls.Of(202, i * 10_000L, 9000 * (1 + (i % 8)), i + 1) with { Thread = 100 + (i % 8), Blocked = 8800 * (1 + (i % 8)) };
            wait.Arguments[0] = Lock;
            records.Add(wait);
            records.Add(Calls.Of(39, i * 10_000L, 100, 4000 + i));
        }
        string screen = FirstScreen(FoldingTests.Record([.. records]));
        Assert.Contains("lock convoy: 8 threads of process", screen.Replace("process 100 (100)", "process", StringComparison.Ordinal));
        Assert.Contains("futex 0x4bb340: 4,000 waits", screen);
    }

    [Fact]
    public void Nothing_stands_out_of_what_is_even()
    {
        CallRecord[] records = [.. Enumerable.Range(0, 1000).Select(i => Calls.Of(39, i * 1000, 100, i + 1))];
        Assert.Contains("nothing: no call is much slower than the others", FirstScreen(FoldingTests.Record(records)));
    }

    private static string FirstScreen(TraceDocument trace)
    {
        using var text = new StringWriter();
        new TraceStory(trace, text, width: 160).Write();
        return string.Join('\n', text.ToString().Split('\n').Take(Screen));
    }
}
