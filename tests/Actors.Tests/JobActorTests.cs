using Vivarium.Actors.Execution;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Xunit;

namespace Vivarium.Actors.Tests;

public sealed class JobActorTests
{
    [Fact]
    public void A_job_that_exits_0_succeeds_and_its_journal_says_how()
    {
        var node = new Node(_ => RunState.Done);
        node.Submit();
        Assert.Equal(JobState.Queued, node.State);

        Assert.Equal(JobEnd.Exited, node.Work().End);

        Assert.Equal(
            ["Accepted", "Queued", "Started", "Finished"],
            node.Store.Read(Node.Id).Select(committed => committed.GetType().Name));
        Assert.Equal(JobState.Succeeded, node.State);
        Assert.True(node.Backend.Runs.Single().IsDisposed);
    }

    [Theory]
    [InlineData(JobEnd.Exited, 3, JobState.Failed)]
    [InlineData(JobEnd.Killed, 9, JobState.Failed)]
    [InlineData(JobEnd.NotStarted, 0, JobState.Failed)]
    public void Other_ends_fail(JobEnd end, int code, JobState state)
    {
        var node = new Node(run =>
        {
            run.Result = new JobResult { End = end, Code = code };
            return RunState.Done;
        });
        node.Submit();
        node.Work();
        Assert.Equal(state, node.State);
    }

    [Fact]
    public void Submitting_twice_is_one_job()
    {
        var node = new Node(_ => RunState.Done);
        node.Submit();
        node.Region.Tell(Node.Id, new JobCommand.Submit(Node.Spec));
        node.Work();
        Assert.Single(node.Backend.Runs);
    }

    [Fact]
    public void Cancelling_a_sleeping_job_ends_it()
    {
        Node? node = null;
        node = new Node(_ =>
        {
            node!.Region.Tell(Node.Id, new JobCommand.Cancel());
            return RunState.Idle(null);
        });
        node.Submit();
        Assert.Equal(JobEnd.Cancelled, node.Work().End);
        Assert.Equal(JobState.Cancelled, node.State);
    }

    [Fact]
    public void Cancelling_a_queued_job_never_starts_it()
    {
        var node = new Node(_ => RunState.Done);
        node.Submit();
        node.Region.Tell(Node.Id, new JobCommand.Cancel());
        Assert.Equal(JobEnd.Cancelled, node.Work().End);
        Assert.Empty(node.Backend.Runs);
    }

    [Fact]
    public void A_job_past_its_time_limit_is_stopped_even_when_it_sleeps()
    {
        var clock = new FakeClock();
        var node = new Node(
            _ =>
            {
                clock.Advance(600_000_000);
                return RunState.Idle(null);
            },
            clock: clock);
        node.Submit(Node.Spec with { Limits = new JobLimits { Timeout = TimeSpan.FromSeconds(1) } });
        // The second quantum begins when the limit's sleep is over.
        clock.Advance(1);
        var time = new Timer(_ => clock.Advance(500_000_000), null, 20, 20);
        JobResult result = node.Work();
        time.Dispose();
        Assert.Equal(JobEnd.TimedOut, result.End);
        Assert.Equal(124, result.ExitCode);
        Assert.Equal(JobState.TimedOut, node.State);
    }

    [Fact]
    public void A_bug_in_a_run_breaks_its_job_only()
    {
        var node = new Node(_ => throw new InvalidOperationException("oops"));
        node.Submit();
        JobResult result = node.Work();
        Assert.Equal(JobEnd.Broken, result.End);
        Assert.Equal("bug: oops", result.Message);
        Assert.Equal(JobState.Failed, node.State);
    }

    [Fact]
    public void Signals_reach_the_run()
    {
        Node? node = null;
        node = new Node(run =>
        {
            if (run.Quanta == 1)
            {
                node!.Region.Tell(Node.Id, new JobCommand.Signal(TerminalSignal.Interrupt));
                return RunState.Ready;
            }
            return RunState.Done;
        });
        node.Submit();
        node.Work();
        Assert.Equal([new JobCommand.Signal(TerminalSignal.Interrupt)], node.Backend.Runs.Single().Delivered);
    }

    [Fact]
    public void Signals_before_the_start_are_kept_for_it()
    {
        var node = new Node(_ => RunState.Done);
        node.Submit();
        node.Region.Tell(Node.Id, new JobCommand.Signal(TerminalSignal.HangUp));
        node.Work();
        Assert.Equal([new JobCommand.Signal(TerminalSignal.HangUp)], node.Backend.Runs.Single().Delivered);
    }

    [Fact]
    public void A_watcher_of_a_finished_job_is_told_at_once()
    {
        var node = new Node(_ => RunState.Done);
        node.Submit();
        node.Work();
        JobResult? seen = null;
        node.Region.Tell(Node.Id, new JobActor.Watch(result => seen = result));
        Assert.Same(node.Result, seen);
    }

    [Fact]
    public void Another_node_takes_over_when_the_lease_has_expired_and_the_old_one_cannot_write()
    {
        var clock = new FakeClock();
        var store = new MemoryJobStore();
        var lost = new Node(_ => RunState.Done, store, clock);
        lost.Submit();
        var next = new Node(_ => RunState.Done, store, clock, "b");
        Assert.Throws<ShardUnavailableException>(() => next.Submit());

        clock.Advance(ShardRegion.LeaseDuration + 1);
        next.Submit();
        Assert.Equal(JobEnd.Exited, next.Work().End);
        Assert.Equal(JobState.Succeeded, next.State);

        int committed = store.Read(Node.Id).Count;
        Assert.Throws<ShardUnavailableException>(() => lost.Region.Tell(Node.Id, new JobCommand.Cancel()));
        Assert.Equal(committed, store.Read(Node.Id).Count);
    }

    [Fact]
    public void A_released_shard_can_be_taken_at_once()
    {
        var store = new MemoryJobStore();
        var first = new Node(_ => RunState.Done, store);
        first.Submit();
        first.Region.Release();
        var next = new Node(_ => RunState.Done, store, name: "b");
        next.Submit();
        Assert.Equal(JobEnd.Exited, next.Work().End);
        // Accepted and queued by the first, queued again by the second.
        Assert.Equal(2, store.Read(Node.Id).Count(committed => committed is JobEvent.Queued));
    }
}
