using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Vivarium.Actors.Storage;
using Vivarium.Actors.Tests.Stores;
using Vivarium.Messages;
using Vivarium.Nodes.Cluster;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Traces.Formats;
using Xunit;
using Xunit.Abstractions;

namespace Vivarium.Actors.Tests.Cluster;

/// <summary>
/// Real nodes as processes on a real PostgreSQL. Short here; bench/chaos/run makes it long (VIVARIUM_CHAOS_JOBS, VIVARIUM_CHAOS_SEED).
/// </summary>
[Collection(PostgresServer.Collection)]
public sealed class ClusterTests(PostgresServer server, ITestOutputHelper output) : IAsyncLifetime
{
    private const int Shards = 64;
    private const string Program = "/bin/busybox";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(Number("VIVARIUM_CHAOS_PATIENCE", 240));

    private readonly string _folder = Directory.CreateTempSubdirectory("viv-cluster-").FullName;
    private readonly List<NodeProcess> _nodes = [];
    private readonly Random _random = new(Number("VIVARIUM_CHAOS_SEED", 1));
    private string _address = "";
    private PostgresJobStore _store = null!;

    public async Task InitializeAsync()
    {
        _address = await server.CreateDatabase();
        _store = await PostgresJobStore.Open(_address, "vivarium", Shards);
    }

    public async Task DisposeAsync()
    {
        foreach (NodeProcess node in _nodes)
            await node.DisposeAsync();
        await _store.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task StartNodes(int count, string lease, PeerCertificates? certificates = null)
    {
        for (int i = 0; i < count; i++)
            _nodes.Add(new NodeProcess($"n{i}", _address, _folder, certificates, "--cluster-lease", lease, "--node-workers", "1", "--node-capacity", "8"));
        await Task.WhenAll(_nodes.Select(node => node.Start()));
    }

    [Fact]
    public async Task Nodes_that_are_killed_lose_no_job_and_end_none_twice()
    {
        int count = Number("VIVARIUM_CHAOS_JOBS", 40);
        var pause = TimeSpan.FromSeconds(Number("VIVARIUM_CHAOS_PAUSE", 2));
        await StartNodes(3, "1s");
        using var end = new CancellationTokenSource();
        Task chaos = KillAndRestart(pause, end.Token);
        List<JobId> jobs = await SubmitAll(count);
        await WaitForAll(jobs);
        await end.CancelAsync();
        await chaos;
        await CheckAll(jobs);
    }

    /// <summary>INT lets the server end its sessions (fast shutdown), QUIT is as if it had crashed.</summary>
    [Theory]
    [InlineData("INT")]
    [InlineData("QUIT")]
    public async Task A_restart_of_the_database_loses_nothing_and_work_resumes(string signal)
    {
        await StartNodes(2, "1s");
        List<JobId> jobs = await SubmitAll(10);
        await server.Stop(signal);
        (HttpStatusCode status, JsonElement problem) = await _nodes[0].Refusal("while away", Program, "true");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.True(problem.GetProperty("retryable").GetBoolean());
        Assert.Contains("database", problem.GetProperty("detail").GetString());
        // One that starts meanwhile waits for it.
        var late = new NodeProcess("late", _address, _folder, null, "--cluster-lease", "1s", "--node-workers", "1", "--node-capacity", "8");
        Task starting = late.Start();
        await Task.Delay(1500);
        Assert.False(starting.IsCompleted);
        await server.Start();
        await starting;
        _nodes.Add(late);
        jobs.AddRange(await SubmitAll(10, "after"));
        await WaitForAll(jobs);
        await CheckAll(jobs);
    }

    /// <summary>How soon is written down and not asserted: the machine's disk has a say in it. bench/chaos/run --move prints it.</summary>
    [Fact]
    public async Task Jobs_of_a_killed_node_run_elsewhere_soon()
    {
        string lease = Environment.GetEnvironmentVariable("VIVARIUM_CHAOS_LEASE") ?? "1s";
        await StartNodes(2, lease);
        await WaitForShares(2);
        string job;
        do
        {
            // One at a time: a flood of them would fill the queue, and none run at once.
            job = (await _nodes[1].TrySubmit(Guid.NewGuid().ToString(), Program, "sh", "-c", "echo begin; sleep 2; echo end"))!;
            await Until(async () => (await Find(job)).Lifecycle.Node is not null, "it runs");
        }
        while ((await Find(job)).Lifecycle.Node != "n0");
        var killed = Stopwatch.StartNew();
        long at = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        _nodes[0].Kill();
        while ((await Find(job)).Lifecycle is not { State: JobState.Running or JobState.Succeeded, Node: "n1" })
        {
            Assert.True(killed.Elapsed < Patience);
            await Task.Delay(10);
        }
        output.WriteLine($"{killed.ElapsedMilliseconds} ms from kill -9 to the job's next start, with a lease of {lease}");
        foreach (RecordedEvent recorded in await _store.ReadJournal(new JobId(Guid.Parse(job))))
            output.WriteLine($"{(recorded.At / 1_000_000) - at,6} ms: {recorded.Happened.GetType().Name}");
    }

    [Fact]
    public async Task Commands_reach_a_job_through_any_node_and_a_drained_node_gives_everything_away()
    {
        await StartNodes(2, "2s", new PeerCertificates(_folder));
        await WaitForShares(2);
        foreach (NodeProcess through in _nodes)
        {
            string job = (await _nodes[0].TrySubmit($"sleeper {through.Name}", Program, "sleep", "1000"))!;
            await Until(async () => (await Find(job)).Lifecycle.State == JobState.Running, "it runs");
            Assert.True(await through.Post($"jobs/{job}/cancel") is HttpStatusCode.OK or HttpStatusCode.Accepted or HttpStatusCode.NoContent);
            await Until(async () => (await Find(job)).Lifecycle.State == JobState.Cancelled, "it is cancelled");
        }
        _nodes[1].Signal("TERM");
        await _nodes[1].WaitForExit();
        await WaitForShares(1);
        List<JobId> jobs = [.. (await Task.WhenAll(Enumerable.Range(0, 4).Select(i => _nodes[0].TrySubmit($"after {i}", Program, "echo", "begin end")))).Select(id => new JobId(Guid.Parse(id!)))];
        await WaitForAll(jobs);
        Assert.All(jobs, job => Assert.Equal("n0", Find(job.ToString()).GetAwaiter().GetResult().Lifecycle.Node));
    }

    [Fact]
    public async Task A_trace_is_had_through_any_node_from_the_one_that_keeps_it_which_is_named_when_it_is_gone()
    {
        const string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        await StartNodes(2, "1s", new PeerCertificates(_folder));
        await WaitForShares(2);
        string?[] ended = new string?[2];
        for (int i = 0; ended.Contains(null); i++)
        {
            string job = (await _nodes[0].TrySubmitJob($"traced {i}", new { command = (string[])[Program, "echo", "begin end"], tracing = new { parent } }))!;
            await WaitForAll([new JobId(Guid.Parse(job))]);
            ended[(await Find(job)).Lifecycle.Node == "n0" ? 0 : 1] ??= job;
        }
        foreach (NodeProcess through in _nodes)
        {
            TraceDocument[] traces = [await Trace(through, ended[0]!), await Trace(through, ended[1]!)];
            // Submitted under one span, run by two nodes: one trace.
            Assert.Equal(["n0", "n1"], traces.Select(trace => trace.Job.Node));
            Assert.All(traces, trace => Assert.Equal(("0af7651916cd43dd8448eb211c80319c", 0xb7ad6b7169203331), (trace.Job.TraceId, trace.Spans[0].Parent)));
        }
        string sleeper = (await _nodes[0].TrySubmit("sleeper", Program, "sleep", "1000"))!;
        await Until(async () => (await Find(sleeper)).Lifecycle.State == JobState.Running, "it runs");
        foreach (NodeProcess through in _nodes)
            Assert.Equal(TraceRecording.Running, (await Trace(through, sleeper)).Job.End);
        await _nodes[0].Post($"jobs/{sleeper}/cancel");
        _nodes[0].Kill();
        await Until(async () => Encoding.UTF8.GetString((await _nodes[1].Get($"jobs/{ended[0]}/trace")).Body).Contains("node n0, which keeps its records and cannot be reached", StringComparison.Ordinal), "it is said where the trace is");
        await Trace(_nodes[1], ended[1]!);
        await _nodes[0].Start();
        Assert.Equal("n0", (await Trace(_nodes[1], ended[0]!)).Job.Node);
    }

    [Fact]
    public async Task What_an_attempt_left_on_a_node_that_died_is_told_beside_the_next_attempt()
    {
        await StartNodes(2, "1s", new PeerCertificates(_folder));
        await WaitForShares(2);
        string job = await SubmitTo("n0", "i=0; while true; do echo $i >/dev/null; i=$((i+1)); sleep 0.05; done");
        JobId id = new(Guid.Parse(job));
        // What the store has grows part by part.
        await Until(async () => TraceFile.Assemble(await _store.ReadTrace(id, 1), out _) is { Segments.Count: > 1 }, "the store has two parts");
        _nodes[0].Kill();
        await Until(async () => (await Find(job)).Lifecycle is { State: JobState.Running, Node: "n1" }, "it runs elsewhere");
        TraceDocument trace = await Trace(_nodes[1], job, static trace => trace is { Job.Attempt: 2, Processes.Count: > 0 });
        TraceDocument first = Assert.Single(trace.Earlier);
        Assert.Equal(("n0", 1, "n1"), (first.Job.Node, first.Job.Attempt, trace.Job.Node));
        Assert.Equal([AttemptFacts.Lost, TraceRecording.Running], trace.Attempts.Select(attempt => attempt.End));
        Assert.Matches(@"^attempt 1 on node n0 ended with the node; [0-9.]+ m?s of calls are missing at most$", trace.Attempts[0].Missing);
        Assert.Null(trace.Attempts[1].Missing);
        // Counts, sums and records of the first are whole up to where it was written.
        Assert.Equal((0, first.Job.Calls), (first.LostRecords, first.Segments.Sum(segment => (long)segment.Count)));
        Assert.Equal(first.Job.Calls, Count(first.Spans));

        Assert.Equal(HttpStatusCode.NoContent, await _nodes[1].Post($"jobs/{job}/cancel"));
        trace = await Trace(_nodes[1], job, static trace => trace.Job.End == "Cancelled");
        CheckJoined(trace);
        Assert.Equal(first.Job.Calls, (await Trace(_nodes[1], job + "/trace?attempt=1")).Job.Calls);
        Assert.Equal(HttpStatusCode.NotFound, (await _nodes[1].Get($"jobs/{job}/trace?attempt=3")).Status);
        string story = await Tell(_nodes[1], job);
        Assert.Contains("attempt 1 on node n0 ended with the node; ", story);
        Assert.Contains("attempt 2 on node n1 ended: cancelled", story);
        Assert.Contains("nanosleep", await Tell(_nodes[1], job, "--attempt", "1", "--calls"));
        // The trace of an attempt that ended is with its node: the store need not keep it. Of the lost one there is nothing else.
        await Until(async () => (await _store.ReadTrace(id, 2)).Count == 0, "the second attempt's parts are removed");
        await _nodes[0].Start();
        CheckJoined(await Trace(_nodes[0], job, static trace => trace.Job.Attempt == 2));
    }

    private static long Count(IEnumerable<TraceSpan> spans) =>
        spans.Sum(span => span.Attributes.Where(static pair => pair.Key == "vivarium.calls.count").Sum(static pair => (long)pair.Value));

    /// <summary>One trace: the job, below it its attempts, every span's parent there, none twice.</summary>
    private static void CheckJoined(TraceDocument trace)
    {
        TraceDocument joined = trace.Joined();
        Assert.Equal(joined.Spans.Count, joined.Spans.Select(span => span.Id).Distinct().Count());
        HashSet<ulong> known = [.. joined.Spans.Select(span => span.Id)];
        Assert.All(joined.Spans.Skip(1), span => Assert.Contains(span.Parent, known));
        TraceSpan[] attempts = [.. joined.Spans.Where(span => span.Kind == SpanKind.Attempt)];
        Assert.Equal(["attempt 1", "attempt 2"], attempts.Select(span => span.Name));
        Assert.All(attempts, span => Assert.Equal(joined.Spans[0].Id, span.Parent));
        Assert.Equal(["queue", "start", "run", "queue", "start", "run"], joined.Spans.Where(span => span.Kind == SpanKind.Phase).Select(span => span.Name));
        Assert.Equal(trace.Job.Calls + trace.Earlier[0].Job.Calls, Count(joined.Spans));
        Assert.Contains(attempts[0].Attributes, pair => pair is { Key: "vivarium.attempt.missing", Value: string });
    }

    /// <summary>A job of a shell script that runs on a node.</summary>
    private async Task<string> SubmitTo(string node, string script)
    {
        for (int i = 0; ; i++)
        {
            string job = (await _nodes[0].TrySubmit($"for {node} {i}", Program, "sh", "-c", script))!;
            await Until(async () => (await Find(job)).Lifecycle.State == JobState.Running, "it runs");
            if ((await Find(job)).Lifecycle.Node == node)
                return job;
            await _nodes[0].Post($"jobs/{job}/cancel");
        }
    }

    /// <summary>What <c>viv trace</c> says.</summary>
    private static async Task<string> Tell(NodeProcess node, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "viv.dll"), "trace", .. arguments]) { RedirectStandardOutput = true };
        start.Environment["VIVARIUM_NODE"] = node.Address.ToString();
        using Process process = Process.Start(start)!;
        string told = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        return told;
    }

    /// <summary>A trace, as soon as it is there.</summary>
    private static async Task<TraceDocument> Trace(NodeProcess through, string job, Func<TraceDocument, bool>? isThere = null)
    {
        string path = job.Contains('/', StringComparison.Ordinal) ? job : job + "/trace";
        TraceDocument? trace = null;
        string answer = "";
        await Until(async () =>
        {
            (HttpStatusCode status, byte[] body) = await through.Get($"jobs/{path}");
            answer = status == HttpStatusCode.OK ? "" : Encoding.UTF8.GetString(body);
            return status == HttpStatusCode.OK && (trace = TraceFile.Read(body, out _)) is not null && isThere?.Invoke(trace) != false;
        }, $"{through.Name} has the trace of {job}: {answer}");
        return trace!;
    }

    private async Task KillAndRestart(TimeSpan pause, CancellationToken end)
    {
        try
        {
            while (true)
            {
                await Task.Delay(pause, end);
                NodeProcess node = _nodes[_random.Next(_nodes.Count)];
                node.Kill();
                await Task.Delay(_random.Next(1000), CancellationToken.None);
                await node.Start();
            }
        }
        catch (OperationCanceledException)
        {
            // All jobs have ended.
        }
    }

    private async Task<List<JobId>> SubmitAll(int count, string key = "job")
    {
        List<JobId> jobs = [];
        for (int i = 0; i < count; i++)
        {
            string? id = null;
            string script = $"echo begin; sleep 0.{_random.Next(1, 9)}; echo end";
            // To whoever answers, until one does: the key makes it one job.
            var waited = Stopwatch.StartNew();
            while ((id = await _nodes[_random.Next(_nodes.Count)].TrySubmit($"{key} {i}", Program, "sh", "-c", script)) is null)
            {
                Assert.True(waited.Elapsed < Patience, "nobody accepts a job");
                await Task.Delay(50);
            }
            jobs.Add(new JobId(Guid.Parse(id)));
            // Said twice, as by a client that got no answer.
            if (i % 8 == 0 && await _nodes[_random.Next(_nodes.Count)].TrySubmit($"{key} {i}", Program, "sh", "-c", script) is { } again)
                Assert.Equal(id, again);
        }
        return jobs;
    }

    private async Task WaitForAll(List<JobId> jobs)
    {
        var waited = Stopwatch.StartNew();
        foreach (JobId job in jobs)
        {
            while (await TryFind(job) is not { } record || !record.Lifecycle.State.IsFinal())
            {
                Assert.True(waited.Elapsed < Patience, $"{job} is {(await TryFind(job))?.Lifecycle.State} after {waited.Elapsed}\n{string.Join('\n', _nodes.Select(node => node.Log))}");
                await Task.Delay(100);
            }
        }
        output.WriteLine($"{jobs.Count} jobs ended after {waited.Elapsed}");
    }

    private async Task CheckAll(List<JobId> jobs)
    {
        Assert.Equal(jobs.Count, jobs.Distinct().Count());
        int attempts = 0;
        foreach (JobId job in jobs)
        {
            JobRecord record = (await _store.Find(job))!;
            IReadOnlyList<RecordedEvent> journal = await _store.ReadJournal(job);
            string story = string.Join(' ', journal.Select(recorded => recorded.Happened.ToString()));
            Assert.True(record.Lifecycle.State == JobState.Succeeded, story);
            Assert.Equal(1, journal.Count(recorded => recorded.Happened is JobEvent.Finished));
            OutputPage page = (await _store.ReadOutput(job, 0, 0, int.MaxValue))!;
            Assert.Equal("begin\nend\n", string.Concat(page.Chunks.Select(chunk => Encoding.UTF8.GetString(chunk.Bytes.Span))));
            attempts += record.Lifecycle.Attempts;
        }
        output.WriteLine($"{attempts - jobs.Count} attempts were lost and made again");
    }

    private async Task WaitForShares(int nodes) => await Until(
        async () => (await _store.Observe()).Nodes.Count(node => !node.HasLeft && node.Shards == Shards / nodes) == nodes, $"each of {nodes} nodes has its share");

    private static async Task Until(Func<Task<bool>> condition, string what)
    {
        var waited = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.True(waited.Elapsed < Patience, $"never true that {what}");
            await Task.Delay(20);
        }
    }

    private async Task<JobRecord> Find(string id) => (await _store.Find(new JobId(Guid.Parse(id))))!;

    private async Task<JobRecord?> TryFind(JobId job)
    {
        try
        {
            return await _store.Find(job);
        }
        catch (StoreUnavailableException)
        {
            return null;
        }
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int number) ? number : otherwise;
}
