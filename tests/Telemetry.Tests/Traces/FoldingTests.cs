using Vivarium.Emulator.Kernel.Records;
using Vivarium.Messages;
using Vivarium.Telemetry.Folding;
using Vivarium.Telemetry.Traces;
using Xunit;

namespace Vivarium.Telemetry.Tests.Traces;

public sealed class FoldingTests
{
    private const int MostSpans = 500;

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Folded_counts_and_durations_are_a_straight_count(int seed)
    {
        CallRecord[] records = Calls.Random(seed, 300 * (1 + (seed * seed)));
        TraceDocument document = Record(records);
        AssertAddsUp(records, document);
    }

    public static TheoryData<int> Seeds() => [.. Enumerable.Range(0, 25)];

    [Fact]
    public void Ten_million_calls_are_at_most_five_hundred_spans_that_add_up()
    {
        var recorder = new CallRecorder(TraceLevel.Folded);
        const int Batches = 100, Batch = 100_000;
        CallRecord[] records = Calls.Random(99, Batch);
        for (int i = 0; i < Batches; i++)
        {
            recorder.Take(records);
            for (int k = 0; k < Batch; k++)
            {
                records[k].Start += 60_000_000;
                records[k].End += 60_000_000;
                records[k].Sequence += Batch;
            }
        }
        TraceDocument document = Complete(recorder);
        Assert.InRange(document.Spans.Count, 100, MostSpans);
        Assert.Equal((long)Batches * Batch, Sum(document, "vivarium.calls.count"));
        Assert.Equal(Batches * records.Sum(record => record.Duration), Sum(document, "vivarium.calls.time_ns"));
        Assert.Equal(Batches * records.Sum(record => record.Blocked), Sum(document, "vivarium.calls.blocked_ns"));
        Assert.True(document.LostRecords > 0);
        Assert.Equal((long)Batches * Batch, document.LostRecords + document.Segments.Sum(segment => segment.Count));
    }

    [Fact]
    public void Thousands_of_processes_fit_and_add_up()
    {
        var recorder = new CallRecorder(TraceLevel.Folded);
        for (int i = 1; i <= 3000; i++)
        {
            recorder.Folder!.Begin(i, 1, i * 1000);
            recorder.Take([Calls.Of(39, i * 1000, 10, i, i), Calls.Of(231, (i * 1000) + 100, 10, i, i)]);
            recorder.Folder.Finish(i, (i * 1000) + 200 + i, 0, null);
        }
        TraceDocument document = Complete(recorder);
        Assert.InRange(document.Spans.Count, 100, MostSpans);
        Assert.Equal(6000, Sum(document, "vivarium.calls.count"));
        Assert.Equal(3000 - CallFolder.ProcessBudget, document.Job.OtherProcesses);
        // The longest have spans of their own.
        Assert.Contains(document.Processes, process => process.Id == 3000);
    }

    [Fact]
    public void Slow_blocked_and_failed_calls_stand_alone()
    {
        List<CallRecord> records = [];
        for (int i = 0; i < 100_000; i++)
            records.Add(Calls.Of(110, i * 1000L, 100, i + 1));
        records[31_000] = Calls.Of(74, 31_000_000, 50_000_000, 31_001);
        records[62_000] = Calls.Of(0, 62_000_000, 9_000_000, 62_001) with { Blocked = 8_950_000 };
        records[77_000] = Calls.Of(2, 77_000_000, 300, 77_001) with { Outcome = Emulator.Kernel.CallOutcome.Error, Error = Emulator.Kernel.Errno.ENOENT };
        TraceDocument document = Record([.. records]);
        TraceSpan[] singles = [.. document.Spans.Where(span => span.Kind == SpanKind.Call)];
        Assert.Equal("slow", Reason(singles.Single(span => span.FirstIndex == 31_000)));
        Assert.Equal("blocked", Reason(singles.Single(span => span.FirstIndex == 62_000)));
        Assert.Equal("failed", Reason(singles.Single(span => span.FirstIndex == 77_000)));
        Assert.Contains(singles, span => Reason(span) == "sampled");
        AssertAddsUp([.. records], document);
    }

    [Fact]
    public void A_wait_is_linked_to_the_call_that_ended_it()
    {
        CallRecord[] records =
        [
            Calls.Of(1, 5000, 100, 2, 101),
            Calls.Of(0, 1000, 500_000, 1) with { Blocked = 400_000, WokenBy = 2, WokenByProcess = 101 },
        ];
        TraceDocument document = Record(records);
        TraceSpan read = document.Spans.Single(span => span.Kind == SpanKind.Call);
        TraceSpan writer = document.Spans.Single(span => span.Id == read.Links.Single().Span);
        Assert.Equal(101, writer.Process);
        Assert.Equal("write", writer.Name);
    }

    [Fact]
    public void A_link_from_another_world_has_a_span_at_its_other_end_whichever_of_a_burst_it_names()
    {
        // Numbers as calls end: shared by a burst, and not in order.
        int[] numbers = [.. Enumerable.Range(1, TraceIdentity.NamedCalls).Reverse().SelectMany(static number => Enumerable.Repeat(number, 1 + (number * 50)))];
        CallRecord[] records = [.. numbers.Select((number, i) => Calls.Of(1, 1000 * i, 100, i + 1) with { Sent = number })];
        TraceRecording sender = Recording(Recorder(records));
        AssertAddsUp(records, sender.Document);
        var identity = TraceIdentity.Of(sender.Id, sender.Context);
        HashSet<ulong> spans = [.. sender.Document.Spans.Select(static span => span.Id)];
        Assert.All(numbers.Distinct(), number => Assert.Contains(identity.CallSpan(number), spans));
        CallRecord[] reads = [.. numbers.Distinct().Select((number, i) => Calls.Of(0, 1_000_000 * i, 500_000, i + 1) with { Blocked = 400_000, WokenBy = 7, WokenByWorld = identity.ToBytes(), WokenBySent = number })];
        TraceDocument reader = Record(reads);
        TraceLink[] links = [.. reader.Spans.SelectMany(static span => span.Links)];
        Assert.Equal(numbers.Distinct().Count(), links.Length);
        Assert.All(links, link => Assert.Contains(link.Span, spans));
        Assert.Contains(reader.Spans.Last().Attributes, static pair => pair is { Key: "vivarium.wait.woken_by_call", Value: 7L });
    }

    [Fact]
    public void The_same_records_give_the_same_spans()
    {
        CallRecord[] records = Calls.Random(4, 20_000);
        Assert.Equal(
            Record(records).Spans.Select(span => (span.Id, span.Name, span.Start, span.End)),
            Record(records).Spans.Select(span => (span.Id, span.Name, span.Start, span.End)));
    }

    internal static TraceDocument Record(CallRecord[] records) => Complete(Recorder(records));

    private static CallRecorder Recorder(CallRecord[] records)
    {
        var recorder = new CallRecorder(TraceLevel.Folded);
        for (int i = 0; i < records.Length; i += CallRing.Capacity)
            recorder.Take(records.AsSpan(i, Math.Min(CallRing.Capacity, records.Length - i)));
        return recorder;
    }

    internal static TraceDocument Complete(CallRecorder recorder) => Recording(recorder).Document;

    internal static TraceRecording Recording(CallRecorder recorder)
    {
        recorder.Folder!.Complete(0);
        var id = new JobId(new Guid("00112233-4455-6677-8899-aabbccddeeff"));
        var spec = new JobSpec { Program = "/bin/\xff"u8.ToArray(), Arguments = ["/bin/x"u8.ToArray()] };
        return new TraceRecording(id, spec, new JobResult { End = JobEnd.Exited }, recorder, TraceContext.Of(id, null, null)) { Queued = 5, Started = 10, Ran = 20, Ended = 1_000_000 };
    }

    [Fact]
    public void The_first_process_begins_with_the_run_and_not_before_it()
    {
        CallRecorder recorder = Recorder([Calls.Of(1, 1000, 100, 1)]);
        recorder.Folder!.Complete(0);
        var id = new JobId(Guid.NewGuid());
        var spec = new JobSpec { Program = "/bin/x"u8.ToArray(), Arguments = [] };
        long ran = 1050 + recorder.ToRealtime;
        var recording = new TraceRecording(id, spec, new JobResult { End = JobEnd.Exited }, recorder, TraceContext.Of(id, null, null)) { Ran = ran, Ended = ran + 1000 };
        IReadOnlyList<TraceSpan> spans = recording.Document.Spans;
        Assert.Equal(ran, spans.Single(span => span.Name == "run").Start);
        Assert.Equal(ran, spans.Single(span => span.Kind == SpanKind.Process).Start);
    }

    private static void AssertAddsUp(CallRecord[] records, TraceDocument document)
    {
        Assert.InRange(document.Spans.Count, 4, MostSpans);
        Assert.Equal(records.Length, Sum(document, "vivarium.calls.count"));
        Assert.Equal(records.Sum(record => record.Duration), Sum(document, "vivarium.calls.time_ns"));
        Assert.Equal(records.Sum(record => record.Blocked), Sum(document, "vivarium.calls.blocked_ns"));
        Assert.Equal(records.Count(record => record.HasFailed), Sum(document, "vivarium.calls.errors"));
        foreach (IGrouping<int, CallRecord> calls in records.GroupBy(record => record.Number))
        {
            CallFacts facts = document.Calls.Single(call => call.Number == calls.Key);
            Assert.Equal((calls.Count(), calls.Sum(record => record.Duration), calls.Max(record => record.Duration)), (facts.Count, facts.Time, facts.Longest));
        }
        // A run's places hold its own calls and the singles below it, no more and no less.
        foreach (TraceSpan run in document.Spans.Where(span => span.Kind == SpanKind.Run))
        {
            long own = (long)run.Attributes.Single(attribute => attribute.Key == "vivarium.calls.count").Value;
            int below = document.Spans.Count(span => span.Kind == SpanKind.Call && span.Process == run.Process && span.FirstIndex >= run.FirstIndex && span.FirstIndex <= run.LastIndex);
            int held = records.Where((record, index) => record.Process == run.Process && index >= run.FirstIndex && index <= run.LastIndex).Count();
            Assert.Equal(held, own + below);
        }
    }

    private static long Sum(TraceDocument document, string key) =>
        document.Spans.Sum(span => span.Attributes.Where(attribute => attribute.Key == key).Sum(attribute => (long)attribute.Value));

    private static string Reason(TraceSpan span) => (string)span.Attributes.Single(attribute => attribute.Key == "vivarium.call.reason").Value;
}
