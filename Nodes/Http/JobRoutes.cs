using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Http;

/// <summary>Operations on jobs.</summary>
internal static class JobRoutes
{
    public const string KeyHeader = "Idempotency-Key";

    private const int LongestKey = 200;
    private const int DefaultPage = 100;
    private const int LongestWait = 600;
    private const int AtOnce = 4096;
    private static readonly (int, string) NoJob = (404, "There is no such job.");
    private static readonly (int, string) NotRunning = (409, "The job is not running, which this needs.");

    public static IReadOnlyList<Route> All { get; } =
    [
        new("POST", "/jobs", Access.Submit, "submitJobs", "Submits a job, or many alike. When this answers, they are durable.", Submit)
        {
            Body = typeof(SubmitRequest),
            Answer = typeof(SubmitAnswer),
            Status = 202,
            Parameters = [new(KeyHeader, "string", "Submissions with the same key by the same caller make their jobs once, however often they are repeated.", "header")],
            Errors = [(403, "The node's settings do not allow what the job asks for."), (409, "The key was used for another submission."), (413, "More jobs than one submission may have.")],
        },
        new("GET", "/jobs", Access.Read, "listJobs", "Lists jobs, newest first, a page at a time.", List)
        {
            Answer = typeof(JobList),
            Parameters =
            [
                new("state", "string", "Only jobs in this state; may be repeated."),
                new("label", "string", "Only jobs with this label, as NAME=VALUE; may be repeated."),
                new("node", "string", "Only jobs whose latest attempt is on this node."),
                new("name", "string", "Only jobs of this name."),
                new("text", "string", "Only jobs in whose submission (command, name, labels, environment, files) each of these words occurs, letter by letter."),
                new("limit", "integer", $"Jobs of a page, {DefaultPage} when left out, {JobQuery.LargestPage} at most."),
                new("after", "string", "\"next\" of the page before."),
            ],
        },
        new("GET", "/jobs/{id}", Access.Read, "getJob", "All of a job: what was submitted, what happened to it, its result.", Get) { Answer = typeof(JobDetail), Errors = [NoJob] },
        new("GET", "/jobs/{id}/wait", Access.Read, "waitForJob", "Answers when the job is over, or after the time; its state tells which.", Wait)
        {
            Answer = typeof(JobDetail),
            Parameters = [new("seconds", "integer", $"How long to wait at most, 30 when left out, {LongestWait} at most.")],
            Errors = [NoJob],
        },
        new("POST", "/jobs/{id}/cancel", Access.Submit, "cancelJob", "Ends a job; one that is over stays as it is.", Cancel) { Status = 204, Errors = [NoJob] },
        new("POST", "/jobs/{id}/signal", Access.Submit, "signalJob", "Sends a signal to a job's first process, or to the one named.", SendSignal)
        {
            Body = typeof(SignalRequest),
            Status = 204,
            Errors = [NoJob, NotRunning],
        },
        new("GET", "/jobs/{id}/inspect", Access.Read, "inspectJob", "What a job's processes are doing: tree, mappings, descriptors, what each thread waits for.", Inspect)
        {
            Answer = typeof(JsonElement),
            Errors = [NoJob, NotRunning],
        },
    ];

    private static async Task Submit(ApiCall call)
    {
        SubmitRequest request = await call.Read(ApiJson.Default.SubmitRequest).ConfigureAwait(false);
        int count = request.Count ?? 1;
        if (count < 1)
            throw ApiException.BadField("$.count", "must be 1 or more");
        if (count > call.Node.Settings.MaxCount)
            throw new ApiException(413, "Too many jobs", $"a submission may have {call.Node.Settings.MaxCount} jobs (api.max-count)", "$.count");
        JobSpec spec = await WithImage(JobMapping.ToSpec(request.Job, call.Node.Settings), call.Node).ConfigureAwait(false);
        string? key = KeyOf(call);
        JobId[] ids = new JobId[count];
        for (int i = 0; i < count; i++)
            ids[i] = key is null ? new JobId(Guid.CreateVersion7()) : IdOf(call.Caller, key, i);
        bool isNew = key is null || !await WasSubmitted(call, ids, IdOf(call.Caller, key, count), spec).ConfigureAwait(false);
        if (isNew)
            await SubmitAll(call.Node, ids, spec).ConfigureAwait(false);
        await call.Answer(new SubmitAnswer { Jobs = [.. ids.Select(static id => id.ToString())], IsNew = isNew, WaitsFor = call.Node.WhyNone(spec.Backend, spec.Requirements) }, ApiJson.Default.SubmitAnswer, 202).ConfigureAwait(false);
    }

    /// <summary>
    /// Submits jobs some thousands at a time, so that memory does not grow with them, and the first one last: where it is, all are, and a
    /// submission that broke off can be told from one that is complete.
    /// </summary>
    private static async Task SubmitAll(NodeServices node, JobId[] ids, JobSpec spec)
    {
        for (int start = 1; start < ids.Length; start += AtOnce)
        {
            var submissions = new Task[Math.Min(AtOnce, ids.Length - start)];
            for (int i = 0; i < submissions.Length; i++)
                submissions[i] = node.Submit(ids[start + i], spec);
            await Task.WhenAll(submissions).ConfigureAwait(false);
        }
        await node.Submit(ids[0], spec).ConfigureAwait(false);
    }

    /// <summary>The name of the image becomes its hash, so that the job means the same whenever it runs.</summary>
    private static async ValueTask<JobSpec> WithImage(JobSpec spec, NodeServices node)
    {
        if (spec.Image is not { } reference)
            return spec;
        ImageRecord? image = await node.Store.FindImage(reference).ConfigureAwait(false);
        return image is not null && await node.Store.UseImage(image.Hash).ConfigureAwait(false)
            ? spec with { Image = image.Hash }
            : throw ApiException.BadField("$.job.image", $"there is no image {reference}");
    }

    /// <summary>The submitter's name for its submission; null when it gave none.</summary>
    public static string? KeyOf(ApiCall call)
    {
        string? key = call.Context.Request.Headers[KeyHeader];
        return key is { Length: 0 or > LongestKey } ? throw ApiException.BadField(KeyHeader, $"must have 1 to {LongestKey} letters") : key;
    }

    /// <summary>The identifier of a submission's n-th job, made from its key: who repeats it names the same jobs.</summary>
    private static JobId IdOf(Caller caller, string key, int index) => IdFrom($"{caller.Name}\n{key}\n{index}");

    /// <summary>The one identifier that a text stands for.</summary>
    public static JobId IdFrom(string text)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(text));
        // Version 8: an identifier of a kind of its own (RFC 9562, 5.8).
        hash[6] = (byte)((hash[6] & 0x0F) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new JobId(new Guid(hash.AsSpan(0, 16), bigEndian: true));
    }

    /// <summary>True when an earlier submission made these jobs; refused when it was not the same.</summary>
    private static async ValueTask<bool> WasSubmitted(ApiCall call, JobId[] ids, JobId oneMore, JobSpec spec)
    {
        if (await call.Node.Store.Find(ids[0]).ConfigureAwait(false) is not { } first)
            return false;
        bool isSame = Fingerprint(first.Lifecycle.Spec!).AsSpan().SequenceEqual(Fingerprint(spec))
            && await call.Node.Store.Find(ids[^1]).ConfigureAwait(false) is not null
            && await call.Node.Store.Find(oneMore).ConfigureAwait(false) is null;
        return isSame ? true : throw new ApiException(409, "The key was used before", $"another submission had this {KeyHeader}", KeyHeader);
    }

    private static byte[] Fingerprint(JobSpec spec) =>
        JsonSerializer.SerializeToUtf8Bytes(JobMapping.ToRequest(spec), ApiJson.Default.JobRequest);

    private static async Task List(ApiCall call)
    {
        call.AllowQueries("state", "label", "node", "name", "text", "limit", "after");
        JobPage page = await call.Node.Store.List(new JobQuery
        {
            States = call.QueryAll("state") is { Count: > 0 } states ? [.. states.Select(ToState)] : null,
            Labels = ToLabels(call.QueryAll("label")),
            Node = call.Query("node"),
            Name = call.Query("name"),
            Words = call.Query("text")?.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries) is { Length: > 0 } words ? words : null,
            Limit = (int)call.QueryNumber("limit", DefaultPage, 1, JobQuery.LargestPage),
            After = call.Query("after") is null ? null : call.QueryNumber("after", 0, 0, long.MaxValue),
        }).ConfigureAwait(false);
        var answer = new JobList
        {
            Jobs = [.. page.Jobs.Select(job => JobMapping.ToAnswer(job, WaitsFor(call, job)))],
            Next = page.Next?.ToString(System.Globalization.CultureInfo.InvariantCulture),
        };
        await call.Answer(answer, ApiJson.Default.JobList).ConfigureAwait(false);
    }

    private static JobState ToState(string? text) =>
        Enum.TryParse(text, ignoreCase: true, out JobState state) && state != JobState.None && Enum.IsDefined(state) && !char.IsAsciiDigit(text![0])
            ? state
            : throw ApiException.BadField("state", $"must be one of {string.Join(", ", Enum.GetNames<JobState>().Skip(1).Select(static name => char.ToLowerInvariant(name[0]) + name[1..]))}");

    private static Dictionary<string, string>? ToLabels(IReadOnlyList<string?> texts)
    {
        if (texts.Count == 0)
            return null;
        Dictionary<string, string> labels = new(StringComparer.Ordinal);
        foreach (string? text in texts)
        {
            int equals = text?.IndexOf('=') ?? -1;
            if (equals <= 0)
                throw ApiException.BadField("label", "must be NAME=VALUE");
            labels[text![..equals]] = text[(equals + 1)..];
        }
        return labels;
    }

    private static async Task Get(ApiCall call)
    {
        call.AllowQueries();
        await Answer(call, await Find(call).ConfigureAwait(false)).ConfigureAwait(false);
    }

    private static async Task Wait(ApiCall call)
    {
        call.AllowQueries("seconds");
        TimeSpan longest = TimeSpan.FromSeconds(call.QueryNumber("seconds", 30, 0, LongestWait));
        long start = Stopwatch.GetTimestamp();
        using JobChanges.Watch watch = call.Node.Changes.Listen(call.Job);
        JobRecord job = await Find(call).ConfigureAwait(false);
        while (!job.Lifecycle.State.IsFinal() && Stopwatch.GetElapsedTime(start) is var passed && passed < longest)
        {
            await watch.Wait(longest - passed, call.Cancelled).ConfigureAwait(false);
            job = await Find(call).ConfigureAwait(false);
        }
        await Answer(call, job).ConfigureAwait(false);
    }

    private static async ValueTask<JobRecord> Find(ApiCall call) =>
        await call.Node.Store.Find(call.Job).ConfigureAwait(false) ?? throw ApiException.NotFound("there is no job " + call.Path("id"));

    private static async Task Answer(ApiCall call, JobRecord job)
    {
        IReadOnlyList<RecordedEvent> journal = await call.Node.Store.ReadJournal(job.Id).ConfigureAwait(false);
        await call.Answer(JobMapping.ToDetail(job, journal, WaitsFor(call, job.Summary)), ApiJson.Default.JobDetail).ConfigureAwait(false);
    }

    private static string? WaitsFor(ApiCall call, JobSummary job) => job.State == JobState.Waiting ? call.Node.WhyNone(job.Backend, job.Requirements) : null;

    private static async Task Cancel(ApiCall call)
    {
        call.AllowQueries();
        await Find(call).ConfigureAwait(false);
        JobReply reply = await call.Node.Ask(call.Job, new JobCommand.Cancel()).ConfigureAwait(false);
        // One that is over needs no ending.
        if (reply.Kind != JobReplyKind.NotRunning)
            Check(reply, call);
        await call.AnswerNothing().ConfigureAwait(false);
    }

    private static async Task SendSignal(ApiCall call)
    {
        call.AllowQueries();
        SignalRequest request = await call.Read(ApiJson.Default.SignalRequest).ConfigureAwait(false);
        if (SignalNames.Parse(request.Signal) is not { } signal)
            throw ApiException.BadField("$.signal", "must be a signal's name, such as TERM, or its number");
        await Find(call).ConfigureAwait(false);
        Check(await call.Node.Ask(call.Job, new JobCommand.Kill(signal, request.Process)).ConfigureAwait(false), call);
        await call.AnswerNothing().ConfigureAwait(false);
    }

    private static async Task Inspect(ApiCall call)
    {
        call.AllowQueries();
        await Find(call).ConfigureAwait(false);
        JobReply reply = await call.Node.Ask(call.Job, new JobCommand.Inspect()).ConfigureAwait(false);
        Check(reply, call);
        call.Context.Response.ContentType = "application/json; charset=utf-8";
        await call.Context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(reply.Text ?? "{}"), call.Cancelled).ConfigureAwait(false);
    }

    private static void Check(JobReply reply, ApiCall call)
    {
        switch (reply.Kind)
        {
            case JobReplyKind.Unknown:
                throw ApiException.NotFound("there is no job " + call.Path("id"));
            case JobReplyKind.NotRunning:
                throw new ApiException(409, "The job is not running", reply.Text ?? "only a running job can do this");
            case JobReplyKind.Refused:
                throw new ApiException(409, "The job cannot do this", reply.Text);
            case JobReplyKind.Unavailable:
                throw ApiException.Unavailable(reply.Text ?? "the job's node cannot be reached at present");
        }
    }
}
