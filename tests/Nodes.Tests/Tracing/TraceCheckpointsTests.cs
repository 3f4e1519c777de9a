using System.Collections.Concurrent;
using Vivarium.Actors.Storage;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Records;
using Vivarium.Messages;
using Vivarium.Nodes.Tracing;
using Vivarium.Telemetry;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Traces.Formats;
using Xunit;

namespace Vivarium.Nodes.Tests.Tracing;

/// <summary>What the store has of a job that runs: part by part, bounded, and nobody waits for it.</summary>
public sealed class TraceCheckpointsTests : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(180);

    private readonly Shelf _shelf = new();
    private readonly JobId _job = new(Guid.NewGuid());
    private readonly CallRecorder _recorder = new(TraceLevel.Folded);
    private long _made;

    public ValueTask DisposeAsync() => _shelf.DisposeAsync();

    [Fact]
    public async Task Parts_add_up_to_what_there_is_and_go_when_the_whole_is_kept()
    {
        await using var checkpoints = new TraceCheckpoints(_shelf);
        for (int i = 0; i < 5; i++)
        {
            Make(1000 * (i + 1));
            await Hand(checkpoints);
            TraceDocument stored = Stored()!;
            Assert.Equal((_made, 0, _made), (stored.Job.Calls, stored.LostRecords, stored.Segments.Sum(static segment => (long)segment.Count)));
        }
        Assert.Equal(6, _shelf.Parts(_job, 1).Count);
        checkpoints.End(_job, 1, isKept: false);
        Assert.NotNull(Stored());
        await Hand(checkpoints);
        checkpoints.End(_job, 1, isKept: true);
        await Until(() => _shelf.Parts(_job, 1).Count == 0);
    }

    [Fact]
    public async Task The_oldest_make_room_and_are_counted()
    {
        const int room = 200_000;
        await using var checkpoints = new TraceCheckpoints(_shelf, room);
        for (int i = 0; i < 20; i++)
        {
            Make(2000);
            await Hand(checkpoints);
            Assert.InRange(_shelf.Parts(_job, 1).Skip(1).Sum(static part => part.Length), 1, room);
        }
        TraceDocument stored = Stored()!;
        Assert.Equal(_made, stored.Job.Calls);
        Assert.InRange(stored.LostRecords, 1, _made - 1);
        Assert.Equal(_made, stored.LostRecords + stored.Segments.Sum(static segment => (long)segment.Count));
        Assert.Equal(_made, stored.Segments[^1].FirstIndex + stored.Segments[^1].Count);
    }

    [Fact]
    public async Task A_store_that_hangs_delays_nobody_and_gets_all_that_came_meanwhile()
    {
        await using var checkpoints = new TraceCheckpoints(_shelf);
        Make(100);
        _shelf.Hangs();
        Assert.True(checkpoints.Take(Recording()));
        Make(100);
        // Neither waits nor piles up.
        for (int i = 0; i < 10_000; i++)
            Assert.False(checkpoints.Take(Recording()));
        _shelf.GoesOn();
        await Hand(checkpoints);
        Assert.Equal((200, 0), (Stored()!.Job.Calls, Stored()!.LostRecords));
    }

    [Fact]
    public async Task What_a_store_that_is_away_did_not_take_comes_with_the_next_part()
    {
        await using var checkpoints = new TraceCheckpoints(_shelf);
        Make(100);
        _shelf.IsAway = true;
        Assert.True(checkpoints.Take(Recording()));
        await Until(() => checkpoints.Dropped == 1);
        _shelf.IsAway = false;
        Make(100);
        await Hand(checkpoints);
        Assert.Equal((200, 0), (Stored()!.Job.Calls, Stored()!.LostRecords));
    }

    [Fact]
    public async Task A_part_that_is_damaged_is_counted_as_lost_and_hides_no_other()
    {
        await using var checkpoints = new TraceCheckpoints(_shelf);
        for (int i = 0; i < 3; i++)
        {
            Make(500);
            await Hand(checkpoints);
        }
        List<ReadOnlyMemory<byte>> parts = _shelf.Parts(_job, 1);
        var random = new Random(1);
        byte[] damaged = new byte[100];
        random.NextBytes(damaged);
        parts[2] = damaged;
        TraceDocument stored = TraceFile.Assemble(parts, out _)!;
        Assert.Equal((1500, 500, 2), (stored.Job.Calls, stored.LostRecords, stored.Segments.Count));
        parts[0] = damaged;
        Assert.Null(TraceFile.Assemble(parts, out string? error));
        Assert.NotNull(error);
    }

    private async Task Hand(TraceCheckpoints checkpoints)
    {
        await Until(() => checkpoints.Take(Recording()));
        long written = checkpoints.Written;
        await Until(() => checkpoints.Written > written || Stored()?.Job.Calls == _made);
    }

    private TraceDocument? Stored() => TraceFile.Assemble(_shelf.Parts(_job, 1), out _);

    private static async Task Until(Func<bool> condition)
    {
        long end = Environment.TickCount64 + (long)s_patience.TotalMilliseconds;
        while (!condition())
        {
            Assert.True(Environment.TickCount64 < end, "never true");
            await Task.Delay(5);
        }
    }

    /// <summary>Calls that compress badly.</summary>
    private void Make(int count)
    {
        var random = new Random((int)_made);
        var records = new CallRecord[count];
        for (int i = 0; i < count; i++)
        {
            long now = 1000 * ++_made;
            records[i] = new CallRecord { Sequence = _made, Number = 1, Start = now, End = now + random.Next(500), Process = 100, Thread = 100, Result = random.NextInt64(), Outcome = CallOutcome.Value };
        }
        _recorder.Take(records);
    }

    private TraceRecording Recording()
    {
        var spec = new JobSpec { Program = "/bin/true"u8.ToArray(), Arguments = ["true"u8.ToArray()] };
        return new TraceRecording(_job, spec, new JobResult { End = JobEnd.Broken }, _recorder, TraceContext.Of(_job, null, null)) { IsUnfinished = true, Queued = 1, Started = 2, Ran = 3, Ended = 4 };
    }

    /// <summary>A store in memory that can hang and be away.</summary>
    private sealed class Shelf : ITraceStore, IAsyncDisposable
    {
        private readonly MemoryJobStore _store = new(1, static () => 1);
        private readonly ConcurrentDictionary<JobId, bool> _known = new();
        private TaskCompletionSource? _hanging;

        public bool IsAway { get; set; }

        public void Hangs() => _hanging = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public void GoesOn() => _hanging!.SetResult();

        public List<ReadOnlyMemory<byte>> Parts(JobId job, int attempt) => [.. _store.ReadTrace(job, attempt).Result];

        public async ValueTask WriteTrace(JobId job, int attempt, IReadOnlyList<TracePart> parts, int firstKept)
        {
            if (_hanging is { } hanging)
                await hanging.Task;
            if (IsAway)
                throw new StoreUnavailableException("away");
            if (_known.TryAdd(job, true))
                await _store.Accept([new NewJob(job, new JobSpec { Program = [], Arguments = [] }, 0)]);
            await _store.WriteTrace(job, attempt, parts, firstKept);
        }

        public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadTrace(JobId job, int attempt) => _store.ReadTrace(job, attempt);

        public ValueTask RemoveTrace(JobId job, int attempt) => _store.RemoveTrace(job, attempt);

        public ValueTask DisposeAsync() => _store.DisposeAsync();
    }
}
