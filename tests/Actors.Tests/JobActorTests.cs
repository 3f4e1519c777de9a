using System.Text;
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
        Assert.Equal(JobState.Running, node.State);

        Assert.Equal(JobEnd.Exited, node.Work().End);

        Assert.Equal(
            ["Accepted", "Started", "Finished"],
            node.Journal);
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
        Assert.False(node.Cluster.Submit(Node.Id, Node.Spec).Now().IsNew);
        node.Work();
        Assert.Single(node.Backend.Runs);
    }

    [Fact]
    public void Cancelling_a_sleeping_job_ends_it()
    {
        Node? node = null;
        node = new Node(_ =>
        {
            node!.Tell(new JobCommand.Cancel());
            return RunState.Idle(null);
        });
        node.Submit();
        Assert.Equal(JobEnd.Cancelled, node.Work().End);
        Assert.Equal(JobState.Cancelled, node.State);
    }

    [Fact]
    public void No_quantum_begins_when_the_lease_may_be_over_though_nobody_has_noticed_yet()
    {
        var node = new Node(_ => RunState.Idle(null));
        node.Submit();
        node.Workers.WorkReady();
        FakeRun run = node.Backend.Runs[0];
        Assert.Equal(1, run.Quanta);
        node.Clock.Advance(LeaseSettings.Default.Patience);
        run.Wake();
        node.Workers.WorkReady();
        Assert.Equal(2, run.Quanta);
        node.Clock.Advance(1);
        run.Wake();
        node.Workers.WorkReady();
        Assert.Equal(2, run.Quanta);
        node.Cluster.Tick();
        node.Workers.WorkReady();
        Assert.True(run.IsDisposed);
        Assert.Equal(2, run.Quanta);
    }

    [Fact]
    public void Cancelling_a_job_before_its_first_quantum_never_runs_it()
    {
        var node = new Node(_ => RunState.Done);
        node.Submit();
        node.Tell(new JobCommand.Cancel());
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
        var time = new Timer(
            _ =>
            {
                clock.Advance(500_000_000);
                node.Cluster.Tick();
            },
            null, 20, 20);
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
                node!.Tell(new JobCommand.Signal(TerminalSignal.Interrupt));
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
        // Answered when the run has it.
        Task<JobReply> reply = node.Cluster.Tell(Node.Id, new JobCommand.Signal(TerminalSignal.HangUp));
        node.Work();
        Assert.Equal(JobReply.Done, reply.Now());
        Assert.Equal([new JobCommand.Signal(TerminalSignal.HangUp)], node.Backend.Runs.Single().Delivered);
    }

    [Fact]
    public void A_wait_for_a_finished_job_is_over_at_once()
    {
        var node = new Node(_ => RunState.Done);
        node.Submit();
        node.Work();
        Assert.Equal(JobEnd.Exited, node.Cluster.Wait(Node.Id).Now()!.End);
        Assert.Null(node.Cluster.Wait(new JobId(Guid.Empty)).Now());
    }

    [Fact]
    public void A_failure_is_retried_as_often_as_it_was_said()
    {
        var node = new Node(run =>
        {
            run.Result = new JobResult { End = JobEnd.Exited, Code = 1 };
            return RunState.Done;
        });
        node.Submit(Node.Spec with { Retries = 2 });
        Assert.Equal(1, node.Work().Code);
        Assert.Equal(3, node.Record!.Lifecycle.Attempts);
        Assert.Equal(["Accepted", "Started", "Retried", "Started", "Retried", "Started", "Finished"], node.Journal);
    }

    [Fact]
    public void Only_as_many_jobs_live_as_the_node_has_room_for_and_the_oldest_first()
    {
        List<JobId> ids = [.. Enumerable.Range(1, 30).Select(i => new JobId(new Guid(i, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte)i)))];
        int most = 0;
        Node? node = null;
        node = new Node(_ =>
        {
            most = Math.Max(most, node!.Cluster.Feeder.Running);
            return RunState.Done;
        });
        foreach (JobId id in ids)
            node.Cluster.Submit(id, Node.Spec).Now();
        Assert.Equal(8, node.Cluster.Feeder.Running);
        Task.WhenAll(ids.Select(id => node.Cluster.Wait(id))).ContinueWith(_ => node.Workers.Stop());
        node.Workers.Work();
        Assert.Equal(8, most);
        Assert.Equal(0, node.Cluster.Feeder.Running);
        JobPage page = node.Store.List(new JobQuery { NewestFirst = false }).Now();
        Assert.Equal(ids, page.Jobs.Select(job => job.Id));
        Assert.All(page.Jobs, job => Assert.Equal(JobState.Succeeded, job.State));
    }

    [Fact]
    public void Output_is_kept_in_order_and_cut_off_at_its_limit()
    {
        var node = new Node(run =>
        {
            run.Output.Open(OutputStream.Standard).TryWrite("one "u8);
            run.Output.Open(OutputStream.Error).TryWrite("two "u8);
            run.Output.Open(OutputStream.Standard).TryWrite("three"u8);
            return RunState.Done;
        });
        node.Submit(Node.Spec with { Limits = new JobLimits { Output = 10 } });
        node.Work();
        OutputPage page = node.Store.ReadOutput(Node.Id, 0, 0, int.MaxValue).Now()!;
        Assert.Equal("one two th\nviv: output is cut off after 10 bytes\n", string.Concat(page.Chunks.Select(chunk => Encoding.UTF8.GetString(chunk.Bytes.Span))));
        Assert.Equal([1, 2, 1, 2], page.Chunks.Select(chunk => (int)chunk.Stream));
        Assert.Equal("wo ", Encoding.UTF8.GetString(node.Store.ReadOutput(Node.Id, page.Attempt, 5, 1).Now()!.Chunks.Single().Bytes.Span));
    }

    [Fact]
    public void A_job_that_needs_another_node_waits_for_one_and_goes_there()
    {
        var clock = new FakeClock();
        var store = new MemoryJobStore(Node.Shards, () => clock.Realtime);
        var first = new Node(_ => RunState.Done, store, clock);
        var requirements = new JobRequirements { Labels = new Dictionary<string, string> { ["disk"] = "fast" } };
        first.Submit(Node.Spec with { Requirements = requirements });
        Assert.Equal(JobState.Waiting, first.State);

        var fast = new NodeDescription { Name = "b", Capacity = 8, Labels = requirements.Labels };
        var next = new Node(_ => RunState.Done, store, clock, "b", fast);
        first.Pass(5_000_000_000, next);
        Assert.Equal(JobEnd.Exited, next.Work().End);
        Assert.Equal("b", next.Record!.Lifecycle.Node);
        Assert.Equal(["Accepted", "Waited", "Moved", "Started", "Finished"], next.Journal);
    }

    [Fact]
    public void A_job_for_another_system_goes_to_a_node_that_runs_its_programs()
    {
        var clock = new FakeClock();
        var store = new MemoryJobStore(Node.Shards, () => clock.Realtime);
        NodeDescription With(string name, params Platform[] platforms) => new() { Name = name, Capacity = 8, Backends = [JobSpec.EmulatedBackend, .. platforms.Select(NodeDescription.Emulated)] };
        var first = new Node(_ => RunState.Done, store, clock, "a", With("a", new Platform("linux", "x64"), new Platform("freebsd", "x64")));
        first.Submit(Node.Spec with { Requirements = new JobRequirements { OperatingSystem = "freebsd", Architecture = "arm64" } });
        Assert.Equal(JobState.Waiting, first.State);
        var waited = (JobEvent.Waited)store.ReadJournal(Node.Id).Now().Single(recorded => recorded.Happened is JobEvent.Waited).Happened;
        Assert.Equal("no node runs freebsd/arm64 (there are: freebsd/x64, linux/x64)", waited.Reason);

        var next = new Node(_ => RunState.Done, store, clock, "b", With("b", new Platform("freebsd", "arm64")));
        first.Pass(5_000_000_000, next);
        Assert.Equal(JobEnd.Exited, next.Work().End);
        Assert.Equal("b", next.Record!.Lifecycle.Node);
        Assert.Null(first.Cluster.WhyNone(JobSpec.EmulatedBackend, new JobRequirements { Architecture = "arm64" }));
    }

    [Fact]
    public void What_no_node_has_is_named()
    {
        NodeDescription linux = new() { Name = "a", Backends = [JobSpec.EmulatedBackend, NodeDescription.Emulated(new Platform("linux", "x64"))], Labels = new Dictionary<string, string> { ["disk"] = "slow" } };
        string? Why(string backend, JobRequirements wanted, params NodeDescription[] nodes) => NodeDescription.WhyNone(nodes, backend, wanted);
        var disk = new JobRequirements { OperatingSystem = "linux", Labels = new Dictionary<string, string> { ["disk"] = "fast" } };
        Assert.Equal("no node that runs linux has the label disk=fast", Why("emulated", disk, linux));
        Assert.Equal("no node has the backend native", Why("native", JobRequirements.None, linux));
        Assert.Equal("no node takes jobs at present", Why("emulated", JobRequirements.None));
        Assert.Null(Why("emulated", new JobRequirements { Architecture = "x64" }, linux));
        // A machine's own processor is what native jobs are for, and those of nodes that tell of no other.
        Assert.Null(Why("native", new JobRequirements { Architecture = "arm64" }, linux with { Backends = ["native"], Architecture = "arm64" }));
        Assert.Equal("no node runs arm64 (there are: linux/x64)", Why("emulated", new JobRequirements { Architecture = "arm64" }, linux with { Architecture = "arm64" }));
        Assert.Null(Why("emulated", new JobRequirements { Architecture = "arm64" }, linux with { Architecture = "arm64", Backends = ["emulated"] }));
    }

    [Fact]
    public void Another_node_takes_over_when_the_lease_has_ended_and_the_old_one_cannot_write()
    {
        var clock = new FakeClock();
        var store = new MemoryJobStore(Node.Shards, () => clock.Realtime);
        var lost = new Node(_ => RunState.Idle(null), store, clock);
        lost.Submit();
        var next = new Node(_ => RunState.Done, store, clock, "b");
        next.Pass(4_500_000_000);
        Assert.Equal("a", next.Record!.Lifecycle.Node);
        Assert.Empty(next.Backend.Runs);

        next.Pass(1_000_000_000);
        Assert.Equal(JobEnd.Exited, next.Work().End);
        Assert.Equal(["Accepted", "Started", "Interrupted", "Started", "Finished"], next.Journal);

        // The old one knows of nothing yet, and is refused.
        int committed = next.Record!.Events;
        var refused = new TaskCompletionSource<JobReply>();
        Assert.True(lost.Cluster.Region.Tell(next.Record.Shard, Node.Id, new JobMessage.Ask(new JobCommand.Cancel(), refused.SetResult)));
        Assert.Equal(JobReplyKind.Unavailable, refused.Task.Now().Kind);
        Assert.Equal(committed, next.Record.Events);
    }

    [Fact]
    public void Joining_nodes_get_their_share_gradually_and_a_draining_one_gives_all()
    {
        var clock = new FakeClock();
        var store = new MemoryJobStore(Node.Shards, () => clock.Realtime);
        var first = new Node(_ => RunState.Done, store, clock);
        Assert.Equal(4, first.Cluster.Region.Leases.Count);
        var next = new Node(_ => RunState.Done, store, clock, "b");
        Assert.Empty(next.Cluster.Region.Leases);
        first.Pass(3_000_000_000, next);
        Assert.Equal(2, first.Cluster.Region.Leases.Count);
        Assert.Equal(2, next.Cluster.Region.Leases.Count);

        next.Cluster.Keeper.Drain();
        first.Pass(3_000_000_000, next);
        Assert.Equal(4, first.Cluster.Region.Leases.Count);
        Assert.Empty(next.Cluster.Region.Leases);
    }

    [Theory]
    [InlineData(4_500_000_000, true)]
    [InlineData(8_000_000_000, false)]
    public async Task A_renewal_that_is_answered_when_the_lease_has_run_out_brings_nothing_back(long answeredAt, bool isMember)
    {
        var node = new Node(_ => RunState.Idle(null));
        var leases = new LateLeases(node.Store);
        var keeper = new LeaseKeeper(new NodeDescription { Name = "a", Capacity = 8 }, LeaseSettings.Default, leases, node.Cluster.Region, node.Clock, () => 0);
        await keeper.Join();
        Assert.Equal(4, node.Cluster.Region.Leases.Count);
        node.Clock.Advance(LeaseSettings.Default.Renewal);
        keeper.Tick();
        node.Clock.Advance(answeredAt - LeaseSettings.Default.Renewal);
        // On a thread where what waits for it goes on at once.
        await Task.Run(leases.Answer);
        Assert.Empty(node.Cluster.Region.Leases);
        Assert.Equal(isMember, keeper.IsMember);
    }

    /// <summary>A store that answers renewals when it is told to.</summary>
    private sealed class LateLeases(IShardLeases store) : IShardLeases
    {
        private readonly TaskCompletionSource<bool> _answer = new();

        public void Answer() => _answer.SetResult(true);

        public ValueTask<long> Join(NodeDescription node) => store.Join(node);

        public ValueTask<bool> Renew(string node, long incarnation, NodeLoad load) => new(_answer.Task);

        public ValueTask<ClusterView> Observe() => store.Observe();

        public ValueTask<IReadOnlyList<ShardLease>> Take(string node, long incarnation, IReadOnlyList<ShardLease> observed) => store.Take(node, incarnation, observed);

        public ValueTask Release(IReadOnlyList<ShardLease> leases) => store.Release(leases);

        public ValueTask Leave(string node, long incarnation) => store.Leave(node, incarnation);
    }

    [Fact]
    public void A_process_that_joins_under_a_name_replaces_the_one_before()
    {
        var clock = new FakeClock();
        var store = new MemoryJobStore(Node.Shards, () => clock.Realtime);
        var before = new Node(_ => RunState.Idle(null), store, clock);
        before.Submit();
        bool isReplaced = false;
        before.Cluster.Keeper.Replaced += () => isReplaced = true;
        var after = new Node(_ => RunState.Done, store, clock);
        Assert.Equal(4, after.Cluster.Region.Leases.Count);
        Assert.Equal(JobEnd.Exited, after.Work().End);
        before.Pass(2_000_000_000);
        Assert.True(isReplaced);
        Assert.Empty(before.Cluster.Region.Leases);
    }
}
