using Vivarium.Emulator.Kernel.Records;
using Vivarium.Telemetry.Records;
using Xunit;

namespace Vivarium.Telemetry.Tests.Traces;

public sealed class SegmentTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 5000)]
    [InlineData(3, 200_000)]
    public void Records_come_out_as_they_went_in(int seed, int count)
    {
        CallRecord[] records = Calls.Random(seed, count);
        var store = new SegmentStore(1 << 30);
        for (int i = 0; i < count; i += CallRing.Capacity)
            store.Add(records.AsSpan(i, Math.Min(CallRing.Capacity, count - i)));
        long index = 0;
        foreach (CallSegment segment in store.Segments())
        {
            var reader = new SegmentReader(segment);
            while (reader.Read())
            {
                Assert.Equal(index, reader.Index);
                AssertSame(records[index++], reader.Current);
            }
            Assert.False(reader.IsDamaged);
        }
        Assert.Equal(count, index);
        Assert.Equal(0, store.Lost);
    }

    [Fact]
    public void A_call_in_a_loop_takes_five_bytes()
    {
        var store = new SegmentStore(1 << 30);
        for (int i = 0; i < 100_000; i++)
            store.Add([Calls.Of(110, 1000 + (i * 300L), 130, i + 1)]);
        Assert.InRange(store.Segments().Sum(segment => segment.Size), 300_000, 520_000);
    }

    [Fact]
    public void What_does_not_fit_is_counted_and_the_latest_is_kept()
    {
        CallRecord[] records = Calls.Random(7, 400_000);
        var store = new SegmentStore(2 << 20);
        for (int i = 0; i < records.Length; i += 500)
            store.Add(records.AsSpan(i, 500));
        IReadOnlyList<CallSegment> kept = store.Segments();
        Assert.InRange(kept.Sum(segment => segment.Size), 1 << 20, 2 << 20);
        Assert.Equal(records.Length, store.Lost + kept.Sum(segment => segment.Count));
        Assert.Equal(store.Lost, kept[0].FirstIndex);
        var reader = new SegmentReader(kept[0]);
        Assert.True(reader.Read());
        AssertSame(records[store.Lost], reader.Current);
    }

    [Fact]
    public void Damaged_bytes_end_a_segment_and_do_no_more()
    {
        var store = new SegmentStore(1 << 30);
        store.Add(Calls.Random(5, 2000));
        CallSegment segment = store.Segments()[0];
        var random = new Random(1);
        for (int i = 0; i < 2000; i++)
        {
            byte[] bytes = segment.Bytes.ToArray();
            bytes[random.Next(bytes.Length)] ^= (byte)random.Next(1, 256);
            var reader = new SegmentReader(segment with { Bytes = bytes.AsMemory(0, random.Next(bytes.Length)) });
            int read = 0;
            while (reader.Read())
                read++;
            Assert.InRange(read, 0, segment.Count);
        }
    }

    [Fact]
    public void Time_that_goes_back_makes_no_negative_durations()
    {
        var store = new SegmentStore(1 << 30);
        store.Add([Calls.Of(1, 5000, -3000, 1), Calls.Of(1, 1000, 10, 2)]);
        var reader = new SegmentReader(store.Segments()[0]);
        Assert.True(reader.Read());
        Assert.Equal((5000, 0), (reader.Current.Start, reader.Current.Duration));
        Assert.True(reader.Read());
        Assert.Equal((1000, 10), (reader.Current.Start, reader.Current.Duration));
    }

    private static void AssertSame(in CallRecord expected, in CallRecord actual)
    {
        Assert.Equal(
            (expected.Sequence, expected.Start, expected.End, expected.Blocked, expected.WokenBy, expected.WokenByProcess),
            (actual.Sequence, actual.Start, actual.End, actual.Blocked, actual.WokenBy, actual.WokenByProcess));
        Assert.Equal(
            (expected.Process, expected.Thread, expected.Number, expected.Result, expected.Error, expected.Outcome, expected.EndsThread),
            (actual.Process, actual.Thread, actual.Number, actual.Result, actual.Error, actual.Outcome, actual.EndsThread));
        Assert.True(((ReadOnlySpan<ulong>)expected.Arguments).SequenceEqual(actual.Arguments));
        Assert.Equal(expected.Subject, actual.Subject);
        Assert.Equal(expected.Data, actual.Data);
    }
}
