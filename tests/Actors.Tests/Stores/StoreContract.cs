using System.Text;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Xunit;

namespace Vivarium.Actors.Tests.Stores;

/// <summary>What every store does.</summary>
public abstract partial class StoreContract : IAsyncLifetime
{
    protected const int Shards = 4;

    private IJobStore _store = null!;
    private int _jobs;

    protected abstract Task<IJobStore> Open();

    public async Task InitializeAsync() => _store = await Open();

    public async Task DisposeAsync() => await _store.DisposeAsync();

    private static JobSpec Spec { get; } = new()
    {
        Program = "/bin/true"u8.ToArray(),
        Arguments = ["true"u8.ToArray(), [0xff, 0xfe]],
        Labels = new Dictionary<string, string> { ["suite"] = "a", ["os"] = "linux" },
    };

    private NewJob New(int shard = 0, string? key = null, JobSpec? spec = null)
    {
        byte[] id = new byte[16];
        BitConverter.TryWriteBytes(id, ++_jobs);
        return new NewJob(new JobId(new Guid(id)), spec ?? Spec, shard, key);
    }

    private async Task<ShardLease> Own(int shard = 0, string node = "a")
    {
        long incarnation = await _store.Join(new NodeDescription { Name = node });
        ClusterView view = await _store.Observe();
        return (await _store.Take(node, incarnation, [view.Shards[shard]])).Single();
    }

    private async Task<JobId> Accept(NewJob job)
    {
        AcceptedJob accepted = (await _store.Accept([job])).Single();
        Assert.True(accepted.IsNew);
        return accepted.Id;
    }

    /// <summary>The entries of a job's events, one after another.</summary>
    private async Task<JournalEntry[]> Events(ShardLease lease, JobId id, params JobEvent[] events)
    {
        JobRecord record = (await _store.Find(id))!;
        JobLifecycle state = record.Lifecycle;
        var entries = new JournalEntry[events.Length];
        for (int i = 0; i < events.Length; i++)
            entries[i] = new JournalEntry.Event(lease, id, record.Events + i, events[i], state = state.Apply(events[i]), 1000 + i);
        return entries;
    }

    private static readonly JobEvent Started = new JobEvent.Started("a");
    private static readonly JobEvent Finished = new JobEvent.Finished(new JobResult { End = JobEnd.Exited, Code = 7, Message = "seven" });

    [Fact]
    public async Task A_job_is_what_was_submitted_and_queued()
    {
        JobId id = await Accept(New(2));
        JobRecord job = (await _store.Find(id))!;
        Assert.Equal(JobState.Queued, job.Lifecycle.State);
        Assert.Equal((2, 1), (job.Shard, job.Events));
        Assert.Equal(Spec.Arguments, job.Lifecycle.Spec!.Arguments);
        Assert.True(job.AcceptedAt > 0);
        Assert.Null(await _store.Find(new JobId(Guid.Empty)));
        Assert.Equal([id], (await _store.ReadQueue([1, 2], 10)).Select(queued => queued.Id));
        Assert.Empty(await _store.ReadQueue([0, 1, 3], 10));
    }

    [Fact]
    public async Task A_submission_repeated_under_its_id_or_key_is_one_job()
    {
        NewJob first = New(key: "k"), second = New(key: "k"), third = New();
        IReadOnlyList<AcceptedJob> accepted = await _store.Accept([first, second, third]);
        Assert.Equal([new(first.Id, true), new(first.Id, false), new(third.Id, true)], accepted);
        Assert.Equal([new(first.Id, false), new(third.Id, false)], await _store.Accept([New(key: "k"), third]));
        Assert.Null(await _store.Find(second.Id));
        Assert.Equal(2, (await _store.List(new JobQuery())).Jobs.Count);
    }

    [Fact]
    public async Task The_queue_is_in_order_of_acceptance_over_its_shards()
    {
        NewJob[] jobs = [New(0), New(1), New(2), New(1), New(0)];
        await _store.Accept(jobs);
        Assert.Equal([jobs[0].Id, jobs[1].Id, jobs[3].Id], (await _store.ReadQueue([0, 1], 3)).Select(job => job.Id));
        Assert.Equal(jobs.Select(job => job.Id), (await _store.ReadQueue([0, 1, 2, 3], 100)).Select(job => job.Id));
    }

    [Fact]
    public async Task A_journal_leads_to_the_jobs_state()
    {
        JobId id = await Accept(New());
        ShardLease lease = await Own();
        Assert.Empty(await _store.Append(await Events(lease, id, Started)));
        Assert.Equal([id], (await _store.ReadShard(0, JobState.Running, -1, 10)).Select(job => job.Id));
        Assert.Empty(await _store.ReadQueue([0], 10));
        Assert.Empty(await _store.Append(await Events(
            lease, id, new JobEvent.Interrupted("lost"), Started, new JobEvent.Retried(new JobResult { End = JobEnd.Killed, Code = 9 }), Started, new JobEvent.CancelRequested(), Finished)));

        JobRecord job = (await _store.Find(id))!;
        IReadOnlyList<RecordedEvent> journal = await _store.ReadJournal(id);
        Assert.Equal(8, journal.Count);
        Assert.Equal(8, job.Events);
        JobLifecycle replayed = JobLifecycle.Replay(journal.Select(recorded => recorded.Happened));
        foreach (JobLifecycle state in new[] { job.Lifecycle, replayed })
        {
            Assert.Equal((JobState.Failed, 3, 1, 1, true, "a"), (state.State, state.Attempts, state.Failures, state.Losses, state.CancelRequested, state.Node));
            Assert.Equal((JobEnd.Exited, 7, "seven"), (state.Result!.End, state.Result.Code, state.Result.Message));
        }
        Assert.Equal("lost", journal.Select(recorded => recorded.Happened).OfType<JobEvent.Interrupted>().Single().Reason);
        Assert.True(job.StartedAt >= 1000 && job.EndedAt >= 1000);
        Assert.Equal(7, job.Summary.ExitCode);
        Assert.Empty(await _store.ReadJournal(new JobId(Guid.Empty)));
    }

    [Fact]
    public async Task Entries_written_again_change_nothing()
    {
        JobId id = await Accept(New());
        ShardLease lease = await Own();
        JournalEntry[] entries = [.. await Events(lease, id, Started, Finished), Output(lease, id, 1, 0, "out")];
        Assert.Empty(await _store.Append(entries));
        Assert.Empty(await _store.Append(entries));
        Assert.Empty(await _store.Append([entries[0]]));
        Assert.Equal(3, (await _store.ReadJournal(id)).Count);
        Assert.Equal(JobState.Failed, (await _store.Find(id))!.Lifecycle.State);
        Assert.Equal("out", await ReadOutput(id));
    }

    [Fact]
    public async Task Only_the_lease_in_force_can_write()
    {
        JobId id = await Accept(New()), other = await Accept(New(1));
        ShardLease old = await Own(), valid = await Own(1, "c");
        ShardLease now = await Own(node: "b");
        Assert.Equal(old.Epoch + 1, now.Epoch);
        JournalEntry[] both = [.. await Events(old, id, Started), .. await Events(valid, other, Started), Output(old, id, 1, 0, "stale")];
        Assert.Equal([old], await _store.Append(both));
        Assert.Equal(JobState.Queued, (await _store.Find(id))!.Lifecycle.State);
        Assert.Equal(JobState.Running, (await _store.Find(other))!.Lifecycle.State);
        Assert.Empty(await _store.Append(await Events(now, id, Started)));
        Assert.Equal("", await ReadOutput(id));

        // A job given to another shard is not the old shard's to write any more.
        JobId moved = await Accept(New());
        JournalEntry[] stay = await Events(now, moved, Started);
        Assert.Empty(await _store.Append(await Events(now, moved, new JobEvent.Moved(1))));
        await _store.Append(stay);
        JobRecord record = (await _store.Find(moved))!;
        Assert.Equal((1, JobState.Queued), (record.Shard, record.Lifecycle.State));
        Assert.Contains(moved, (await _store.ReadQueue([1], 10)).Select(job => job.Id));
    }

    [Fact]
    public async Task A_job_that_goes_on_under_another_lease_in_one_batch_does()
    {
        JobId id = await Accept(New());
        ShardLease first = await Own();
        await _store.Release([first]);
        ShardLease second = await Own();
        JournalEntry[] moving = [.. await Events(second, id, new JobEvent.Moved(1))];
        ShardLease elsewhere = await Own(1);
        JobLifecycle after = ((JournalEntry.Event)moving[0]).After;
        Assert.Empty(await _store.Append([.. moving, new JournalEntry.Event(elsewhere, id, 2, Started, after.Apply(Started), 5)]));
        Assert.Equal(JobState.Running, (await _store.Find(id))!.Lifecycle.State);
    }

    [Fact]
    public async Task Shards_are_taken_as_they_were_observed_and_released_by_their_owner()
    {
        long a = await _store.Join(new NodeDescription { Name = "a", Cores = 3 }), b = await _store.Join(new NodeDescription { Name = "b" });
        IReadOnlyList<ShardLease> free = (await _store.Observe()).Shards;
        Assert.Equal(Shards, free.Count);
        IReadOnlyList<ShardLease> taken = await _store.Take("a", a, [free[0], free[1]]);
        Assert.Equal([0, 1], taken.Select(lease => lease.Shard).Order());
        Assert.Equal([2], (await _store.Take("b", b, [free[1], free[2]])).Select(lease => lease.Shard));
        await _store.Release([taken.Single(lease => lease.Shard == 0), new ShardLease(2, "a", 1)]);
        ClusterView view = await _store.Observe();
        Assert.Equal(["", "a", "b", ""], view.Shards.Select(lease => lease.Owner));
        Assert.Equal(3, view.Nodes[0].Description.Cores);
        Assert.Equal([1, 1], view.Nodes.Select(node => node.Shards));

        Assert.True(await _store.Renew("a", a, new NodeLoad(5, true)));
        NodeRecord renewed = (await _store.Observe()).Nodes[0];
        Assert.Equal((view.Nodes[0].Beat + 1, 5, true), (renewed.Beat, renewed.Load.Running, renewed.Load.IsDraining));

        long again = await _store.Join(new NodeDescription { Name = "a" });
        Assert.True(again > a);
        Assert.False(await _store.Renew("a", a, default));
        Assert.Empty(await _store.Take("a", a, [free[3]]));
        await _store.Leave("a", a);
        Assert.Contains((await _store.Observe()).Shards, lease => lease.Owner == "a");
        await _store.Leave("a", again);
        Assert.DoesNotContain((await _store.Observe()).Shards, lease => lease.Owner == "a");
        Assert.True((await _store.Observe()).Nodes[0].HasLeft);
    }

    [Fact]
    public async Task Output_is_read_from_anywhere_and_starts_again_with_an_attempt()
    {
        JobId id = await Accept(New());
        ShardLease lease = await Own();
        Assert.Null(await _store.ReadOutput(new JobId(Guid.Empty), 0, 0, 10));
        Assert.Empty((await _store.ReadOutput(id, 0, 0, 10))!.Chunks);
        await _store.Append([.. await Events(lease, id, Started), Output(lease, id, 1, 0, "one "), Output(lease, id, 1, 4, "two ", OutputStream.Error), Output(lease, id, 1, 8, "three")]);
        OutputPage page = (await _store.ReadOutput(id, 0, 0, 5))!;
        Assert.Equal((1, 4L, JobState.Running), (page.Attempt, page.Next, page.State));
        page = (await _store.ReadOutput(id, 1, 5, 100))!;
        Assert.Equal(["wo ", "three"], page.Chunks.Select(Text));
        Assert.Equal([OutputStream.Error, OutputStream.Standard], page.Chunks.Select(chunk => chunk.Stream));
        Assert.Equal(13, page.Next);
        Assert.Empty((await _store.ReadOutput(id, 1, 13, 100))!.Chunks);
        await _store.Append([.. await Events(lease, id, new JobEvent.Interrupted("x"), Started), Output(lease, id, 2, 0, "new")]);
        page = (await _store.ReadOutput(id, 1, 13, 100))!;
        Assert.Equal((2, 3L, "new"), (page.Attempt, page.Next, Text(page.Chunks.Single())));
    }

    [Fact]
    public async Task Lists_are_filtered_and_paged()
    {
        JobSpec named = Spec with { Name = "nightly", Labels = new Dictionary<string, string> { ["suite"] = "b", ["os"] = "linux" } };
        NewJob[] jobs = [.. Enumerable.Range(0, 10).Select(i => New(spec: i % 2 == 0 ? Spec : named))];
        await _store.Accept(jobs);
        ShardLease lease = await Own();
        await _store.Append(await Events(lease, jobs[3].Id, Started));

        List<JobId> seen = [];
        var query = new JobQuery { Limit = 3 };
        while (true)
        {
            JobPage page = await _store.List(query);
            seen.AddRange(page.Jobs.Select(job => job.Id));
            if (page.Next is null)
                break;
            query = query with { After = page.Next };
        }
        Assert.Equal(jobs.Select(job => job.Id).Reverse(), seen);
        Assert.Equal(jobs.Take(4).Select(job => job.Id), await Ids(new JobQuery { NewestFirst = false, Limit = 4 }));
        Assert.Equal([jobs[3].Id], await Ids(new JobQuery { States = [JobState.Running, JobState.Failed] }));
        Assert.Equal([jobs[3].Id], await Ids(new JobQuery { Node = "a" }));
        Assert.Equal(5, (await Ids(new JobQuery { Name = "nightly" })).Count);
        Assert.Equal(5, (await Ids(new JobQuery { Labels = new Dictionary<string, string> { ["suite"] = "b", ["os"] = "linux" } })).Count);
        Assert.Equal([jobs[1].Id, jobs[3].Id], await Ids(new JobQuery { Labels = named.Labels, NewestFirst = false, Limit = 2 }));
        Assert.Empty(await Ids(new JobQuery { Labels = new Dictionary<string, string> { ["suite"] = "c" } }));
        Assert.Equal([jobs[1].Id, jobs[3].Id], await Ids(new JobQuery { Words = ["nightly", "linux"], NewestFirst = false, Limit = 2 }));
        Assert.Equal([jobs[3].Id], await Ids(new JobQuery { Words = ["ightl"], Labels = named.Labels, Node = "a" }));
        Assert.Empty(await Ids(new JobQuery { Words = ["nightly", "nowhere"] }));
        Assert.Empty(await Ids(new JobQuery { Words = ["%", "NIGHTLY"] }));
        Assert.Equal(new Dictionary<JobState, long> { [JobState.Queued] = 9, [JobState.Running] = 1 }, await _store.Count());
        Assert.Equal(new Dictionary<JobState, long> { [JobState.Queued] = 5 }, await _store.Count(Spec.Labels));
        JobSummary summary = (await _store.List(new JobQuery { Name = "nightly" })).Jobs[0];
        Assert.Equal(("nightly", "b"), (summary.Name, summary.Labels["suite"]));
    }

    [Fact]
    public async Task Changes_are_told()
    {
        List<int> queued = [];
        List<JobId> changed = [];
        _store.Queued += shard => Add(queued, shard);
        _store.Changed += id => Add(changed, id);
        JobId id = await Accept(New(3));
        Assert.Contains(3, queued);
        ShardLease lease = await Own(3);
        await _store.Append(await Events(lease, id, Started));
        Assert.Contains(id, changed);
        Clear(queued);
        await _store.Append(await Events(lease, id, new JobEvent.Interrupted("x")));
        Assert.Contains(3, queued);
    }

    [Fact]
    public async Task Images_are_put_when_their_blob_is_whole_and_found_by_hash_and_tag()
    {
        byte[] piece = new byte[IImageStore.LargestPiece];
        piece[7] = 1;
        await _store.WriteBlob("h1", 0, piece);
        await _store.WriteBlob("h1", 0, piece);
        Assert.Equal(piece.Length, await _store.BlobLength("h1"));
        var image = new ImageRecord("h1", "debian", "tar", piece.Length + 2, 5);
        Assert.False(await _store.PutImage(image));
        await _store.WriteBlob("h1", piece.Length, new byte[] { 1, 2 });
        Assert.True(await _store.PutImage(image));
        Assert.Equal(image, await _store.FindImage("debian"));
        Assert.Equal(image, await _store.FindImage("h1"));
        Assert.Equal(1, (await _store.ReadBlob("h1", 0)).Span[7]);
        Assert.Equal([1, 2], (await _store.ReadBlob("h1", piece.Length)).ToArray());
        Assert.True((await _store.ReadBlob("h1", piece.Length + 2)).IsEmpty);

        await _store.WriteBlob("h2", 0, new byte[] { 3 });
        Assert.True(await _store.PutImage(new ImageRecord("h2", "debian", "tar", 1, 6)));
        Assert.Equal("h2", (await _store.FindImage("debian"))!.Hash);
        Assert.Equal(["h2", "h1"], (await _store.ListImages()).Select(listed => listed.Hash));
        Assert.True(await _store.RemoveImage("h1"));
        Assert.False(await _store.RemoveImage("h1"));
        Assert.Null(await _store.FindImage("h1"));
        Assert.Equal(0, await _store.BlobLength("h1"));
    }

    private static JournalEntry.Output Output(ShardLease lease, JobId id, int attempt, long offset, string text, OutputStream stream = OutputStream.Standard) =>
        new(lease, id, attempt, new OutputChunk(offset, stream, Encoding.UTF8.GetBytes(text)));

    private static string Text(OutputChunk chunk) => Encoding.UTF8.GetString(chunk.Bytes.Span);

    private async Task<string> ReadOutput(JobId id) => string.Concat((await _store.ReadOutput(id, 0, 0, int.MaxValue))!.Chunks.Select(Text));

    private async Task<List<JobId>> Ids(JobQuery query) => [.. (await _store.List(query)).Jobs.Select(job => job.Id)];

    private static void Add<T>(List<T> list, T item)
    {
        lock (list)
            list.Add(item);
    }

    private static void Clear<T>(List<T> list)
    {
        lock (list)
            list.Clear();
    }
}
