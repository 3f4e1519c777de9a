using System.Diagnostics;
using System.Globalization;
using System.Net;
using Vivarium.Actors.Storage;
using Vivarium.Actors.Tests.Stores;
using Vivarium.Messages;
using Vivarium.Nodes.Cluster;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Actors.Tests.Cluster;

/// <summary>
/// Nodes in network name spaces of their own that are cut from the database, from their peers and from both, and nodes whose clocks are
/// stepped. Guests write the time into a file of this machine again and again: it shows when a world really ran.
/// </summary>
[Collection(PostgresServer.Collection)]
public sealed class PartitionTests(Laboratory laboratory, ITestOutputHelper output) : IClassFixture<Laboratory>, IAsyncLifetime
{
    private const int Shards = 63;
    private const int Jobs = 12;
    private const int Beats = 50;

    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(240);

    private readonly string _folder = Directory.CreateTempSubdirectory("viv-partition-").FullName;
    private readonly List<NodeProcess> _nodes = [];
    private PostgresJobStore _store = null!;
    private string _address = "";

    private string Written => Path.Combine(_folder, "written");

    public async Task InitializeAsync()
    {
        Directory.CreateDirectory(Written);
        (string here, _address) = await laboratory.CreateDatabase();
        _store = await PostgresJobStore.Open(here, "vivarium", Shards);
    }

    public async Task DisposeAsync()
    {
        foreach (NodeProcess node in _nodes)
            await node.DisposeAsync();
        await _store.DisposeAsync();
        foreach (Line line in (Line[])[Line.Database, Line.Peers])
            await Laboratory.Heal(0, line);
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_node_cut_from_the_database_stops_its_worlds_before_its_lease_is_over_and_its_jobs_move(bool alsoFromPeers)
    {
        await StartNodes();
        List<JobId> jobs = await SubmitUntilSomeRunOn("n0", 2);
        await Laboratory.Cut(0, Line.Database);
        // From here on its lease is not renewed any more.
        long cut = Now;
        if (alsoFromPeers)
            await Laboratory.Unplug(0, Line.Peers);
        Task<string?> refused = _nodes[0].TrySubmit("while cut", "/bin/true");
        await WaitForAll(jobs);
        Assert.Null(await refused);
        int moved = 0;
        foreach (JobId job in jobs)
        {
            IReadOnlyList<RecordedEvent> journal = await CheckEndedOnce(job);
            List<Attempt> attempts = ReadBeats(job);
            // One attempt's world has stopped before the next one's begins, on another node.
            for (int i = 1; i < attempts.Count; i++)
                Assert.True(attempts[i - 1].Last < attempts[i].First, $"attempts of {job} overlap: {attempts[i - 1]}, {attempts[i]}; cut at {cut}; {string.Join(", ", journal.Select(static recorded => $"{recorded.At} {recorded.Happened}"))}");
            string[] started = [.. journal.Select(recorded => recorded.Happened).OfType<JobEvent.Started>().Select(happened => happened.Node)];
            if (started[0] != "n0" || started.Length == 1)
                continue;
            moved++;
            Assert.NotEqual("n0", started[^1]);
            if (attempts.Count < 2)
                continue;
            double ran = (attempts[0].Last - cut) / 1e9, resumed = (attempts[1].First - cut) / 1e9;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{job}: ran until {ran:0.00} s after the cut, again from {resumed:0.00} s on"));
            Assert.True(ran < Lease.TotalSeconds, "its world ran when its lease was over");
        }
        Assert.True(moved >= 2, $"{moved} jobs moved");
        // What it wrote is from before: nothing was committed under its lease once that was over.
        foreach (RecordedEvent happened in await EventsOf(jobs, "n0"))
            Assert.True(happened.At < cut + (Lease.Ticks * 100), happened.ToString());

        await Laboratory.Heal(0, Line.Database);
        await Laboratory.Heal(0, Line.Peers);
        await WaitForShares();
        await CheckEndedOnce((await SubmitUntilSomeRunOn("n0", 1, beats: 1))[^1], waits: true);
    }

    [Fact]
    public async Task A_node_cut_from_its_peers_goes_on_and_hears_their_commands_again_afterwards()
    {
        await StartNodes();
        List<JobId> jobs = await SubmitUntilSomeRunOn("n0", 2);
        List<JobId> there = [];
        foreach (JobId job in jobs)
        {
            if ((await _store.Find(job))!.Lifecycle is { State: JobState.Running, Node: "n0" })
                there.Add(job);
        }
        await Laboratory.Unplug(0, Line.Peers);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await _nodes[1].Post($"jobs/{there[0]}/cancel"));
        await WaitForAll(jobs);
        foreach (JobId job in jobs)
            Assert.Equal(1, (await CheckEndedOnce(job)).Count(recorded => recorded.Happened is JobEvent.Started));
        string late = "";
        await Until(async () => (await _store.Find(new JobId(Guid.Parse(late = await SubmitTo(0, "sleep 1000"))))) is not null, "it is there");
        await Until(async () => (await _store.Find(new JobId(Guid.Parse(late))))!.Lifecycle.State == JobState.Running, "it runs");
        await Laboratory.Heal(0, Line.Peers);
        await Until(async () => await _nodes[1].Post($"jobs/{late}/cancel") == HttpStatusCode.NoContent && await _nodes[2].Post($"jobs/{late}/cancel") == HttpStatusCode.NoContent, "commands arrive");
        await Until(async () => (await _store.Find(new JobId(Guid.Parse(late))))!.Lifecycle.State == JobState.Cancelled, "it is cancelled");
    }

    [Fact]
    public async Task Clocks_that_are_stepped_change_nothing()
    {
        SteppedClock[] clocks = [.. Enumerable.Range(0, 3).Select(node => new SteppedClock(_folder, $"n{node}"))];
        await StartNodes(node => clocks[node].Environment);
        List<JobId> jobs = await SubmitUntilSomeRunOn("n0", 2);
        long step = Now;
        clocks[0].Step(TimeSpan.FromSeconds(10));
        clocks[1].Step(TimeSpan.FromSeconds(-10));
        List<JobId> later = [];
        for (int i = 0; i < 6; i++)
            later.Add(new JobId(Guid.Parse(await SubmitTo(i % 3, Script($"later{i}", Beats / 5)))));
        await WaitForAll(jobs);
        clocks[0].Step(TimeSpan.FromSeconds(-10));
        clocks[1].Step(TimeSpan.FromSeconds(10));
        await WaitForAll(later);
        foreach (JobId job in jobs.Concat(later))
            Assert.Equal(1, (await CheckEndedOnce(job)).Count(recorded => recorded.Happened is JobEvent.Started));
        // The clocks really were others: it shows in what they wrote down.
        double[] shifts = [.. (await EventsOf(jobs.Concat(later), "n0")).Where(happened => happened.Happened is JobEvent.Finished).Select(happened => Math.Round((happened.At - step) / 1e9))];
        output.WriteLine(string.Join(' ', shifts));
        Assert.Contains(shifts, shift => shift >= 10);
    }

    private async Task StartNodes(Func<int, Dictionary<string, string>>? environment = null)
    {
        var certificates = new PeerCertificates(_folder);
        for (int i = 0; i < 3; i++)
        {
            NodePlace place = Laboratory.PlaceOf(i) with { Environment = environment?.Invoke(i) ?? [] };
            _nodes.Add(new NodeProcess(
                $"n{i}", _address, _folder, certificates, place,
                "--cluster-lease", $"{Lease.TotalSeconds}s", "--cluster-shards", $"{Shards}", "--node-workers", "1", "--node-capacity", "8", "--jobs-host-files", "write"));
        }
        await Task.WhenAll(_nodes.Select(node => node.Start()));
        await WaitForShares();
    }

    /// <summary>Submits jobs until so many run on a node.</summary>
    private async Task<List<JobId>> SubmitUntilSomeRunOn(string node, int count, int beats = Beats)
    {
        List<JobId> jobs = [];
        while (jobs.Count < (count > 1 ? Jobs : 1) || await Running(jobs, node) < count)
        {
            var job = new JobId(Guid.Parse(await SubmitTo(1 + (jobs.Count % 2), Script(Guid.NewGuid().ToString("N"), beats))));
            jobs.Add(job);
            await Until(async () => (await _store.Find(job))!.Lifecycle.Node is not null, "it starts");
        }
        return jobs;
    }

    /// <summary>Of so many jobs, how many run on a node; the first may be over when the last starts.</summary>
    private async Task<int> Running(List<JobId> jobs, string node)
    {
        int there = 0;
        foreach (JobId job in jobs)
            there += (await _store.Find(job))!.Lifecycle is { State: JobState.Running } now && now.Node == node ? 1 : 0;
        return there;
    }

    /// <summary>A guest that names itself by its start and writes the time down until it ends.</summary>
    private static string Script(string file, int beats) =>
        $"id=$(date +%s%N); echo {file}; i=0; while [ $i -lt {beats} ]; do echo $id $(date +%s%N) >>/written/{file}; sleep 0.05; i=$((i+1)); done; echo end";

    private async Task<string> SubmitTo(int node, string script)
    {
        string key = Guid.NewGuid().ToString();
        var waited = Stopwatch.StartNew();
        while (true)
        {
            object job = new { command = (string[])["/bin/sh", "-c", script], binds = (object[])[new { source = Written, target = "/written", writable = true }] };
            if (await _nodes[node].TrySubmitJob(key, job) is { } id)
                return id;
            Assert.True(waited.Elapsed < Patience, "a job is not accepted");
        }
    }

    /// <summary>When an attempt's guest ran, Unix nanoseconds.</summary>
    private readonly record struct Attempt(long First, long Last);

    private List<Attempt> ReadBeats(JobId job)
    {
        string name = OutputOf(job).Split('\n')[0];
        return [.. File.ReadLines(Path.Combine(Written, name)).Where(static line => line.Length > 0)
            .Select(static line => line.Split(' '))
            .GroupBy(static words => words[0], static words => long.Parse(words[1], CultureInfo.InvariantCulture))
            .Select(static beats => new Attempt(long.Parse(beats.Key, CultureInfo.InvariantCulture), beats.Max()))
            .OrderBy(static attempt => attempt.First)];
    }

    private string OutputOf(JobId job) =>
        string.Concat(_store.ReadOutput(job, 0, 0, int.MaxValue).AsTask().GetAwaiter().GetResult()!.Chunks.Select(chunk => System.Text.Encoding.UTF8.GetString(chunk.Bytes.Span)));

    private async Task<IReadOnlyList<RecordedEvent>> CheckEndedOnce(JobId job, bool waits = false)
    {
        if (waits)
            await WaitForAll([job]);
        IReadOnlyList<RecordedEvent> journal = await _store.ReadJournal(job);
        string story = string.Join(' ', journal.Select(recorded => recorded.Happened.GetType().Name));
        Assert.True((await _store.Find(job))!.Lifecycle.State == JobState.Succeeded, story);
        Assert.True(journal.Count(recorded => recorded.Happened is JobEvent.Finished) == 1, story);
        Assert.EndsWith("\nend\n", OutputOf(job));
        return journal;
    }

    /// <summary>What a node wrote into journals: its start of a job, and what followed until another's.</summary>
    private async Task<List<RecordedEvent>> EventsOf(IEnumerable<JobId> jobs, string node)
    {
        List<RecordedEvent> events = [];
        foreach (JobId job in jobs)
        {
            string? owner = null;
            foreach (RecordedEvent recorded in await _store.ReadJournal(job))
            {
                // The next owner writes that the attempt before its own was lost.
                owner = recorded.Happened switch { JobEvent.Started started => started.Node, JobEvent.Interrupted => null, _ => owner };
                if (owner == node)
                    events.Add(recorded);
            }
        }
        return events;
    }

    private async Task WaitForAll(IEnumerable<JobId> jobs)
    {
        foreach (JobId job in jobs)
            await Until(async () => (await _store.Find(job))!.Lifecycle.State.IsFinal(), $"{job} ends");
    }

    private Task WaitForShares() => Until(
        async () => (await _store.Observe()).Nodes.Count(static node => !node.HasLeft && node.Shards == Shards / 3) == 3, "each node has its share");

    private async Task Until(Func<Task<bool>> condition, string what)
    {
        var waited = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.True(waited.Elapsed < Patience, $"never true that {what}\n{string.Join('\n', _nodes.Select(node => node.Log))}");
            await Task.Delay(20);
        }
    }

    private static long Now => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;
}
