using Vivarium.Emulator.Kernel.Records;
using Vivarium.Telemetry.Records;
using Vivarium.Telemetry.Tests.Traces;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Views;
using Xunit;

namespace Vivarium.Telemetry.Tests.Views;

/// <summary>What a page shows of a trace adds up to its records, whatever part is looked at and how closely.</summary>
public sealed class TimelineTests
{
    private const long Origin = 1_000_000_000;

    private static TraceIndex IndexOf(ReadOnlySpan<CallRecord> records, long limit = 1 << 30)
    {
        var store = new SegmentStore(limit);
        for (int i = 0; i < records.Length; i += CallRing.Capacity)
            store.Add(records.Slice(i, Math.Min(CallRing.Capacity, records.Length - i)));
        return new TraceIndex(new TraceDocument
        {
            Job = new JobFacts { Id = "", TraceId = "", End = "Exited", Ran = Origin, Ended = records[^1].End },
            Segments = store.Segments(),
            LostRecords = store.Lost,
        });
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_stretch_at_any_level_of_detail_holds_each_of_its_calls_once(int seed)
    {
        CallRecord[] records = Calls.Random(seed, 30_000);
        TraceIndex index = IndexOf(records);
        var random = new Random(seed);
        long end = records[^1].End - Origin;
        for (int i = 0; i < 40; i++)
        {
            long from = random.NextInt64(end), to = from + 1 + random.NextInt64(end >> random.Next(20));
            CallRecord[] there = [.. records.Where(record => record.Start - Origin <= to && record.Start - Origin + record.Duration >= from)];
            Timeline timeline = Timeline.Of(index, from, to, random.Next(1, 3000), null);
            Assert.Equal(there.Length, timeline.Rows.Sum(row => row.Bars.Sum(bar => bar[2])));
            Assert.Equal(there.Sum(record => record.Duration), timeline.Rows.Sum(row => row.Bars.Sum(bar => bar[3])));
            Assert.Equal(there.Sum(record => record.Blocked), timeline.Rows.Sum(row => row.Bars.Sum(bar => bar[4])));
            Assert.Equal(there.Count(record => record.HasFailed), timeline.Rows.Sum(row => row.Bars.Sum(bar => bar[5])));
            // Whatever is long enough to be seen is seen alone.
            Assert.All(timeline.Rows.SelectMany(row => row.Bars), bar => Assert.True(bar[2] == 1 || bar[6] < timeline.Shortest));
        }
    }

    [Fact]
    public void Millions_of_calls_are_a_screenful_and_open_into_single_ones()
    {
        const int count = 2_000_000;
        var records = new CallRecord[count];
        for (int i = 0; i < count; i++)
            records[i] = Calls.Of(i % 3 == 0 ? 0 : 1, Origin + (i * 300L), 130, i + 1);
        TraceIndex index = IndexOf(records);
        Timeline whole = Timeline.Of(index, 0, count * 300L, 1000, null);
        long[] bar = Assert.Single(Assert.Single(whole.Rows).Bars);
        Assert.Equal(count, bar[2]);
        Assert.Equal(["write", "read"], [whole.Calls[(int)bar[7]], whole.Calls[(int)bar[8]]]);
        Timeline close = Timeline.Of(index, 300_000_000, 300_003_000, 1000, null);
        Assert.All(close.Rows[0].Bars, single => Assert.Equal(1, single[2]));
        Assert.Equal(11, close.Rows[0].Bars.Count);
        Assert.Equal(1_000_000, close.Rows[0].Bars[0][9]);
    }

    [Fact]
    public void What_had_to_make_room_is_told_and_not_shown()
    {
        CallRecord[] records = Calls.Random(4, 200_000);
        TraceIndex index = IndexOf(records, 1 << 20);
        Timeline timeline = Timeline.Of(index, 0, records[^1].End - Origin, 1000, null);
        Assert.True(timeline.Lost > 0);
        Assert.Equal(records.Length, timeline.Lost + timeline.Records);
        Assert.Null(CallSearch.Find(index, 0));
        Assert.NotNull(CallSearch.Find(index, records.Length - 1));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public void A_search_finds_what_a_straight_look_finds(int seed)
    {
        CallRecord[] records = Calls.Random(seed, 20_000);
        TraceIndex index = IndexOf(records);
        CallPage slowest = new CallSearch { Slowest = true, Limit = 50, Process = 101 }.Run(index);
        Assert.Equal(
            records.Where(record => record.Process == 101).Select(record => record.Duration).OrderDescending().Take(50),
            slowest.Calls.Select(call => call.Duration));
        List<long> found = [];
        for (CallSearch? search = new() { OnlyErrors = true, Limit = 37 }; search is not null;)
        {
            CallPage page = search.Run(index);
            found.AddRange(page.Calls.Select(call => call.Index));
            search = page.Next is { } next ? search with { First = next + 1 } : null;
        }
        Assert.Equal(Enumerable.Range(0, records.Length).Where(i => records[i].HasFailed).Select(i => (long)i), found);
    }
}
