using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Xunit;

namespace Vivarium.Actors.Tests.Stores;

/// <summary>Suites, and what is removed.</summary>
public abstract partial class StoreContract
{
    private const long Ages = long.MaxValue;

    /// <summary>A statement that puts a job with an image into tables of version 1, which had no column for it.</summary>
    private protected static string OldJob(string bytes, string id) =>
        "INSERT INTO jobs (id, shard, state, events, cancel, attempts, failures, losses, accepted_at, started_at, ended_at, spec) "
        + $"VALUES ({id}, 0, 2, 1, {(bytes == "X'" ? "0" : "false")}, 0, 0, 0, 5, 0, 0, {bytes}{Convert.ToHexString(Vivarium.Messages.Wire.WireFormat.Write(Spec with { Image = "old" }))}')";

    private protected static async Task CheckOldJob(IJobStore store)
    {
        Assert.Equal("old", (await store.Find(new JobId(Guid.Empty)))!.Lifecycle.Spec!.Image);
        await store.WriteBlob("old", 0, new byte[] { 1 });
        Assert.True(await store.PutImage(new ImageRecord("old", null, "tar", 1, 0)));
        await store.RemoveImages(Ages);
        Assert.NotNull(await store.FindImage("old"));
    }

    [Fact]
    public async Task Suites_are_kept_once_with_the_first_verdict_on_each_run()
    {
        var suite = new SuiteRecord(Guid.CreateVersion7(), "shells", 7, 3, [1, 2]);
        Assert.True(await _store.AddSuite(suite));
        Assert.False(await _store.AddSuite(suite with { Name = "other" }));
        Assert.True(await _store.AddSuite(suite with { Id = Guid.CreateVersion7(), Name = "second" }));
        SuiteRecord found = (await _store.FindSuite(suite.Id))!;
        Assert.Equal(("shells", 7, 3, 0, null), (found.Name, found.CreatedAt, found.Runs, found.Round, found.End));
        Assert.Equal([1, 2], found.Definition);
        Assert.Equal(["second", "shells"], (await _store.ListSuites(null, 10)).Select(listed => listed.Name));
        Assert.Equal(["shells"], (await _store.ListSuites((await _store.ListSuites(null, 1))[0].Sequence, 10)).Select(listed => listed.Name));

        await _store.WriteVerdicts(suite.Id, [new SuiteVerdict(2, 0.5, null, [9]), new SuiteVerdict(0, 1, "exit code 1\0", [8])]);
        await _store.WriteVerdicts(suite.Id, [new SuiteVerdict(0, 2, null, [7]), new SuiteVerdict(1, 2, null, [6])]);
        IReadOnlyList<SuiteVerdict> verdicts = await _store.ReadVerdicts(suite.Id, withDetail: true);
        Assert.Equal([(0, 1.0), (1, 2.0), (2, 0.5)], verdicts.Select(verdict => (verdict.Number, verdict.Seconds)));
        Assert.StartsWith("exit code 1", verdicts[0].Problem);
        Assert.Equal([8], verdicts[0].Detail);
        Assert.Empty((await _store.ReadVerdicts(suite.Id, withDetail: false))[0].Detail);

        await _store.SetSuite(suite.Id, 0, new SuiteEnd(11, 2, 1));
        Assert.Equal(new SuiteEnd(11, 2, 1), (await _store.FindSuite(suite.Id))!.End);
        await _store.SetSuite(suite.Id, 1, null);
        found = (await _store.FindSuite(suite.Id))!;
        Assert.Equal((1, null), (found.Round, found.End));
        await _store.RemoveSuite(suite.Id);
        Assert.Null(await _store.FindSuite(suite.Id));
        Assert.Empty(await _store.ReadVerdicts(suite.Id, withDetail: false));
    }

    [Fact]
    public async Task Ended_jobs_are_removed_by_age_with_all_that_is_theirs_and_others_stay()
    {
        NewJob[] jobs = [.. Enumerable.Range(0, 5).Select(i => New(0, $"k{i}"))];
        await _store.Accept(jobs);
        ShardLease lease = await Own();
        foreach (NewJob job in jobs[..4])
        {
            await _store.Append([Output(lease, job.Id, 1, 0, "out"), .. await Events(lease, job.Id, Started)]);
            if (job != jobs[1])
                await _store.Append(await Events(lease, job.Id, Finished));
        }
        // They ended at 1000.
        Assert.Equal(0, await _store.RemoveJobs(new JobsToKeep(1000, Ages), 10));
        Assert.Equal(2, await _store.RemoveJobs(new JobsToKeep(1001, Ages), 2));
        Assert.Equal(1, await _store.RemoveJobs(new JobsToKeep(1001, Ages), 2));
        Assert.Equal(0, await _store.RemoveJobs(new JobsToKeep(Ages, 0), 2));
        Assert.Null(await _store.Find(jobs[0].Id));
        Assert.Empty(await _store.ReadJournal(jobs[0].Id));
        Assert.Null(await _store.ReadOutput(jobs[0].Id, 0, 0, 10));
        Assert.Equal([jobs[4].Id, jobs[1].Id], await Ids(new JobQuery()));
        Assert.Equal([jobs[4].Id, jobs[1].Id], await Ids(new JobQuery { Labels = Spec.Labels }));
        Assert.Equal("out", await ReadOutput(jobs[1].Id));
        // The queue is what it was, and a key is free with its job.
        Assert.Equal([jobs[4].Id], (await _store.ReadQueue([0], 10)).Select(job => job.Id));
        Assert.True((await _store.Accept([New(0, "k0")])).Single().IsNew);
        Assert.False((await _store.Accept([New(0, "k1")])).Single().IsNew);
    }

    [Fact]
    public async Task Traces_of_attempts_are_kept_in_parts_and_go_with_their_job()
    {
        JobId job = await Accept(New());
        await _store.WriteTrace(job, 1, [new TracePart(0, Bytes("head")), new TracePart(1, Bytes("a"))], 0);
        await _store.WriteTrace(job, 2, [new TracePart(0, Bytes("other"))], 0);
        await _store.WriteTrace(job, 1, [new TracePart(0, Bytes("HEAD")), new TracePart(2, Bytes("b")), new TracePart(10, Bytes("c"))], 0);
        Assert.Equal(["HEAD", "a", "b", "c"], await Parts(job, 1));
        // Written again, as after an answer that was lost, it is the same.
        await _store.WriteTrace(job, 1, [new TracePart(0, Bytes("HEAD")), new TracePart(2, Bytes("b")), new TracePart(10, Bytes("c"))], 2);
        Assert.Equal(["HEAD", "b", "c"], await Parts(job, 1));
        Assert.Equal(["other"], await Parts(job, 2));
        await _store.RemoveTrace(job, 2);
        Assert.Empty(await Parts(job, 2));
        var unknown = new JobId(Guid.NewGuid());
        await _store.WriteTrace(unknown, 1, [new TracePart(0, Bytes("nobody's"))], 0);
        Assert.Empty(await Parts(unknown, 1));
        ShardLease lease = await Own();
        await _store.Append(await Events(lease, job, Started, Finished));
        Assert.Equal(["HEAD", "b", "c"], await Parts(job, 1));
        Assert.Equal(1, await _store.RemoveJobs(new JobsToKeep(Ages, 0), 10));
        Assert.Empty(await Parts(job, 1));

        async Task<IEnumerable<string>> Parts(JobId of, int attempt) => (await _store.ReadTrace(of, attempt)).Select(static part => System.Text.Encoding.UTF8.GetString(part.Span));
        static byte[] Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);
    }

    [Fact]
    public async Task Of_too_many_ended_jobs_those_accepted_first_are_removed()
    {
        NewJob[] jobs = [.. Enumerable.Range(0, 6).Select(_ => New())];
        await _store.Accept(jobs);
        ShardLease lease = await Own();
        foreach (NewJob job in jobs[..5])
            await _store.Append(await Events(lease, job.Id, Started, Finished));
        Assert.Equal(3, await _store.RemoveJobs(new JobsToKeep(0, 2), 100));
        Assert.Equal([jobs[5].Id, jobs[4].Id, jobs[3].Id], await Ids(new JobQuery()));
    }

    [Fact]
    public async Task Images_that_no_job_needs_are_removed_unless_they_have_a_name_or_were_just_used()
    {
        foreach (string hash in (string[])["named", "needed", "unused"])
        {
            await _store.WriteBlob(hash, 0, new byte[] { 1 });
            Assert.True(await _store.PutImage(new ImageRecord(hash, hash == "named" ? "debian" : null, "tar", 1, 0)));
        }
        await _store.WriteBlob("half", 0, new byte[] { 1 });
        JobId job = await Accept(New(spec: Spec with { Image = "needed" }));
        Assert.Equal(0, await _store.RemoveImages(0));
        Assert.Equal(3, (await _store.ListImages()).Count);
        await _store.RemoveImages(Ages);
        Assert.Equal(["named", "needed"], (await _store.ListImages()).Select(image => image.Hash).Order());
        Assert.Equal((0, 0, 1), (await _store.BlobLength("unused"), await _store.BlobLength("half"), await _store.BlobLength("needed")));
        Assert.True(await _store.UseImage("needed"));
        Assert.False(await _store.UseImage("unused"));
        ShardLease lease = await Own();
        await _store.Append(await Events(lease, job, Started, Finished));
        Assert.Equal(1, await _store.RemoveJobs(new JobsToKeep(Ages, 0), 10));
        await _store.RemoveImages(Ages);
        Assert.Equal("named", Assert.Single(await _store.ListImages()).Hash);
    }
}
