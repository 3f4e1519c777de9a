using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Http;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Suites;

/// <summary>
/// Suites that the cluster keeps. Nobody owns one: its jobs' identifiers follow from its own, and what came of a run follows from its job, so
/// that any node can submit what is missing and judge what has ended, and two that do so at once do the same.
/// </summary>
internal sealed class SuiteService(NodeServices node)
{
    private const int JudgedAtOnce = 8;
    private const int OutputPage = 1 << 20;
    private const long LargestOutput = 16 << 20;

    /// <summary>Keeps a suite and submits its jobs; when this completes, all of them are durable.</summary>
    /// <exception cref="ApiException">It cannot be run, or another has its identifier.</exception>
    public async Task<(SuiteView Suite, bool IsNew)> Submit(Guid id, SuiteRequest request)
    {
        IReadOnlyList<PlannedRun> plan = Plan(request);
        request = await WithImages(request, plan).ConfigureAwait(false);
        string name = Parse(request).Name ?? request.Name ?? "suite";
        // Before anything is kept: what a node does not allow, no part of the suite is run of.
        foreach (PlannedRun run in plan)
            SpecOf(run, request, id, name);
        var suite = new SuiteRecord(id, name, JobMapping.Now, plan.Count, JsonSerializer.SerializeToUtf8Bytes(request, ApiJson.Default.SuiteRequest));
        bool isNew = await node.Store.AddSuite(suite).ConfigureAwait(false);
        if (!isNew)
        {
            suite = (await node.Store.FindSuite(id).ConfigureAwait(false))!;
            if (!suite.Definition.AsSpan().SequenceEqual(JsonSerializer.SerializeToUtf8Bytes(request, ApiJson.Default.SuiteRequest)))
                throw new ApiException(409, "The key was used before", $"another suite had this {JobRoutes.KeyHeader}", JobRoutes.KeyHeader);
        }
        SuiteView view = await View(suite).ConfigureAwait(false);
        await SubmitMissing(view, request).ConfigureAwait(false);
        return (isNew ? view : await View(suite).ConfigureAwait(false), isNew);
    }

    /// <summary>Submits what was cancelled or never came to be; what has a verdict keeps it.</summary>
    public async Task<SuiteView> Resume(SuiteRecord suite)
    {
        SuiteView view = await View(suite).ConfigureAwait(false);
        if (view.Runs.Any(static run => run.State == SuiteRunState.Cancelled))
        {
            // Jobs that were cancelled stay what they are: the next round has its own.
            suite = suite with { Round = suite.Round + 1, End = null };
            await node.Store.SetSuite(suite.Id, suite.Round, null).ConfigureAwait(false);
            view = new SuiteView(suite, [.. view.Runs.Select(static run => run.State == SuiteRunState.Cancelled ? run with { State = SuiteRunState.Missing, Job = null } : run)]);
        }
        await SubmitMissing(view, RequestOf(suite)).ConfigureAwait(false);
        return await View((await node.Store.FindSuite(suite.Id).ConfigureAwait(false))!).ConfigureAwait(false);
    }

    /// <summary>Cancels its jobs that have not ended.</summary>
    public async Task Cancel(SuiteRecord suite)
    {
        SuiteView view = await View(suite).ConfigureAwait(false);
        await Parallel.ForEachAsync(view.Runs.Where(static run => run is { IsOver: false, Job: not null }), new ParallelOptions { MaxDegreeOfParallelism = JudgedAtOnce }, async (run, _) =>
        {
            JobReply reply = await node.Ask(run.Job!.Value, new JobCommand.Cancel()).ConfigureAwait(false);
            if (reply.Kind == JobReplyKind.Unavailable)
                throw ApiException.Unavailable(reply.Text ?? "a job's node cannot be reached at present");
        }).ConfigureAwait(false);
    }

    /// <summary>Where every run of a suite is. Runs that have ended since are judged.</summary>
    public async Task<SuiteView> View(SuiteRecord suite)
    {
        IReadOnlyList<PlannedRun> plan = Plan(RequestOf(suite));
        var runs = new SuiteRunView[plan.Count];
        Dictionary<JobId, JobSummary> jobs = await JobsOf(suite).ConfigureAwait(false);
        for (int i = 0; i < runs.Length; i++)
            runs[i] = Explain(Look(suite, plan[i], i, jobs), jobs);
        foreach (SuiteVerdict verdict in await node.Store.ReadVerdicts(suite.Id, withDetail: false).ConfigureAwait(false))
            runs[verdict.Number] = runs[verdict.Number].With(verdict);
        await Judge(suite, runs).ConfigureAwait(false);
        var view = new SuiteView(suite, runs);
        if (suite.End is not null || !view.IsOver)
            return view;
        suite = suite with { End = new SuiteEnd(JobMapping.Now, view.Passed, view.Failed) };
        await node.Store.SetSuite(suite.Id, suite.Round, suite.End).ConfigureAwait(false);
        return view with { Suite = suite };
    }

    /// <summary>What came of the runs, in the suite's order.</summary>
    public async Task<SuiteResult> Results(SuiteRecord suite)
    {
        SuiteView view = await View(suite).ConfigureAwait(false);
        IReadOnlyList<SuiteVerdict> verdicts = await node.Store.ReadVerdicts(suite.Id, withDetail: true).ConfigureAwait(false);
        Dictionary<int, RunResult> judged = verdicts.ToDictionary(static verdict => verdict.Number, static verdict => JsonSerializer.Deserialize(verdict.Detail, SuiteJson.Default.RunResult)!);
        long end = view.Suite.End?.At ?? JobMapping.Now;
        return new SuiteResult
        {
            Suite = suite.Name,
            Passed = view.Passed,
            Failed = view.Failed,
            Seconds = (end - suite.CreatedAt) / 1e9,
            Runs = [.. view.Runs.Select((run, number) => judged.GetValueOrDefault(number) ?? run.Unjudged())],
        };
    }

    /// <summary>What a suite's jobs have in common.</summary>
    public static Dictionary<string, string> LabelsOf(Guid suite) => new() { ["run"] = suite.ToString("N") };

    private static SuiteRequest RequestOf(SuiteRecord suite) => JsonSerializer.Deserialize(suite.Definition, ApiJson.Default.SuiteRequest)!;

    private static SuiteFile Parse(SuiteRequest request)
    {
        try
        {
            return SuiteReader.Parse(request.Suite, "suite");
        }
        catch (SuiteException wrong)
        {
            throw ApiException.BadField("$.suite", wrong.Message);
        }
    }

    private IReadOnlyList<PlannedRun> Plan(SuiteRequest request)
    {
        SuiteFile suite = Parse(request);
        int flaky = request.Flaky ?? 0;
        if (flaky < 0)
            throw ApiException.BadField("$.flaky", "must be 1 or more");
        if (SuitePlan.Count(suite, flaky) > node.Settings.MaxCount)
            throw new ApiException(413, "Too many jobs", $"a suite may have {node.Settings.MaxCount} runs (api.max-count)", "$.suite");
        try
        {
            IReadOnlyList<PlannedRun> plan = SuitePlan.Make(suite, file => FileOf(request, file), flaky);
            plan = request.Only is { } only ? [.. plan.Where(run => run.Name.Contains(only, StringComparison.Ordinal))] : plan;
            return plan.Count > 0 ? plan : throw ApiException.BadField("$.only", "no run has this in its name");
        }
        catch (SuiteException wrong)
        {
            throw ApiException.BadField("$.suite", wrong.Message);
        }
    }

    private static byte[] FileOf(SuiteRequest request, string name) => request.Files is { } files && files.TryGetValue(name, out ByteText content)
        ? content.Bytes
        : throw ApiException.BadField("$.files", $"lacks {name}, which a case takes from beside the suite");

    /// <summary>With the hash of every image that the plan uses.</summary>
    private async Task<SuiteRequest> WithImages(SuiteRequest request, IReadOnlyList<PlannedRun> plan)
    {
        SortedDictionary<string, string> images = new(StringComparer.Ordinal);
        foreach (string name in plan.Select(static run => run.Image).OfType<string>().Distinct())
        {
            string reference = request.Images?.GetValueOrDefault(name) ?? name;
            ImageRecord? image = await node.Store.FindImage(reference).ConfigureAwait(false);
            if (image is null || !await node.Store.UseImage(image.Hash).ConfigureAwait(false))
                throw ApiException.BadField("$.images", $"there is no image {reference}");
            images.Add(name, image.Hash);
        }
        return request with { Images = images };
    }

    private JobSpec SpecOf(PlannedRun run, SuiteRequest request, Guid suite, string name)
    {
        JobRequest job = run.Job with
        {
            Image = run.Image is { } image ? request.Images![image] : null,
            Output = LargestOutput,
            Labels = new Dictionary<string, string> { ["suite"] = Short(name), ["run"] = suite.ToString("N"), ["case"] = Short(run.Case) },
        };
        try
        {
            return JobMapping.ToSpec(job, node.Settings);
        }
        catch (ApiException wrong)
        {
            throw new ApiException(wrong.Status, wrong.Problem.Title, $"case {run.Case}: {wrong.Message}", "$.suite");
        }
    }

    private static string Short(string text) => text.Length <= 200 ? text : text[..200];

    private Task SubmitMissing(SuiteView view, SuiteRequest request)
    {
        SuiteRecord suite = view.Suite;
        List<Task> submissions = [];
        foreach (SuiteRunView run in view.Runs)
        {
            if (run.State == SuiteRunState.Missing)
                submissions.Add(node.Submit(IdOf(suite.Id, run.Number, suite.Round), SpecOf(run.Planned, request, suite.Id, suite.Name)));
        }
        return Task.WhenAll(submissions);
    }

    private async Task<Dictionary<JobId, JobSummary>> JobsOf(SuiteRecord suite)
    {
        Dictionary<JobId, JobSummary> jobs = [];
        var query = new JobQuery { Labels = LabelsOf(suite.Id), Limit = JobQuery.LargestPage };
        for (long? after = null; ;)
        {
            JobPage page = await node.Store.List(query with { After = after }).ConfigureAwait(false);
            foreach (JobSummary job in page.Jobs)
                jobs.TryAdd(job.Id, job);
            if ((after = page.Next) is null)
                return jobs;
        }
    }

    /// <summary>The job of a run's latest round that has one.</summary>
    private static SuiteRunView Look(SuiteRecord suite, PlannedRun planned, int number, Dictionary<JobId, JobSummary> jobs)
    {
        for (int round = suite.Round; round >= 0; round--)
        {
            if (jobs.TryGetValue(IdOf(suite.Id, number, round), out JobSummary? job))
                return SuiteRunView.Of(number, planned, job, isOfThisRound: round == suite.Round);
        }
        return new SuiteRunView(number, planned, SuiteRunState.Missing);
    }

    /// <summary>With why it waits, if it does.</summary>
    private SuiteRunView Explain(SuiteRunView run, Dictionary<JobId, JobSummary> jobs) => run.State != SuiteRunState.Waiting || !jobs.TryGetValue(run.Job!.Value, out JobSummary? job)
        ? run : run with { Problem = node.WhyNone(job.Backend, job.Requirements) };

    private static JobId IdOf(Guid suite, int number, int round) => JobRoutes.IdFrom($"suite {suite:N} {number} {round}");

    private async Task Judge(SuiteRecord suite, SuiteRunView[] runs)
    {
        var verdicts = new ConcurrentBag<SuiteVerdict>();
        await Parallel.ForEachAsync(runs.Where(static run => run.IsToBeJudged), new ParallelOptions { MaxDegreeOfParallelism = JudgedAtOnce }, async (run, _) =>
        {
            if (await Judge(run).ConfigureAwait(false) is { } verdict)
                verdicts.Add(verdict);
        }).ConfigureAwait(false);
        if (verdicts.IsEmpty)
            return;
        await node.Store.WriteVerdicts(suite.Id, [.. verdicts]).ConfigureAwait(false);
        foreach (SuiteVerdict verdict in verdicts)
            runs[verdict.Number] = runs[verdict.Number].With(verdict);
    }

    private async Task<SuiteVerdict?> Judge(SuiteRunView run)
    {
        if (await node.Store.Find(run.Job!.Value).ConfigureAwait(false) is not { } job)
            return null;
        using MemoryStream output = new(), error = new();
        for (long offset = 0; await node.Store.ReadOutput(job.Id, job.Lifecycle.Attempts, offset, OutputPage).ConfigureAwait(false) is { Chunks.Count: > 0 } page; offset = page.Next)
        {
            foreach (OutputChunk chunk in page.Chunks)
                (chunk.Stream == OutputStream.Standard ? output : error).Write(chunk.Bytes.Span);
        }
        RunResult result = Expectation.Judge(run.Planned, JobMapping.ToDetail(job, []), output.ToArray(), error.ToArray());
        return new SuiteVerdict(run.Number, result.Seconds, result.HasPassed ? null : result.Problems[0], JsonSerializer.SerializeToUtf8Bytes(result, SuiteJson.Default.RunResult));
    }
}
