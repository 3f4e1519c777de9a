using System.Diagnostics;
using System.Globalization;
using Vivarium.Actors.Storage;
using Vivarium.Nodes.Http.Contract;
using Vivarium.Nodes.Suites;

namespace Vivarium.Nodes.Http;

/// <summary>Operations on suites.</summary>
internal static class SuiteRoutes
{
    private const int DefaultPage = 50;
    private const int LargestPage = 200;
    private const int LongestWait = 600;
    private const string Xml = "application/xml";

    /// <summary>A suite that is waited for is looked at this often at most.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(100);

    private static readonly (int, string) NoSuite = (404, "There is no such suite.");

    public static IReadOnlyList<Route> All { get; } =
    [
        new("POST", "/suites", Access.Submit, "submitSuite", "Submits a suite: all its jobs. When this answers, they are durable.", Submit)
        {
            Body = typeof(SuiteRequest),
            Answer = typeof(SuiteDetail),
            Status = 202,
            Parameters = [new(JobRoutes.KeyHeader, "string", "Suites with the same key by the same caller are one; repeated, what is missing of it is submitted.", "header")],
            Errors = [(403, "The node's settings do not allow what a case asks for."), (409, "The key was used for another suite."), (413, "More runs than one submission may have.")],
        },
        new("GET", "/suites", Access.Read, "listSuites", "Lists suites, newest first, a page at a time.", List)
        {
            Answer = typeof(SuiteList),
            Parameters =
            [
                new("limit", "integer", $"Suites of a page, {DefaultPage} when left out, {LargestPage} at most."),
                new("after", "string", "\"next\" of the page before."),
            ],
        },
        new("GET", "/suites/{id}", Access.Read, "getSuite", "A suite and the matrix of its runs, each with its state.", Get) { Answer = typeof(SuiteDetail), Errors = [NoSuite] },
        new("GET", "/suites/{id}/wait", Access.Read, "waitForSuite", "Answers when every run is over, or after the time; the state tells which.", Wait)
        {
            Answer = typeof(SuiteDetail),
            Parameters = [new("seconds", "integer", $"How long to wait at most, 30 when left out, {LongestWait} at most.")],
            Errors = [NoSuite],
        },
        new("GET", "/suites/{id}/results", Access.Read, "getSuiteResults", "What came of each run: as JSON, or as JUnit's XML where that is accepted.", Results)
        {
            Answer = typeof(SuiteResult),
            RawAnswer = [Xml],
            Parameters = [new("format", "string", "json or junit, instead of an Accept header.")],
            Errors = [NoSuite],
        },
        new("POST", "/suites/{id}/cancel", Access.Submit, "cancelSuite", "Cancels the runs that have not ended.", Cancel) { Status = 204, Errors = [NoSuite] },
        new("POST", "/suites/{id}/resume", Access.Submit, "resumeSuite", "Submits what was cancelled or is missing; what has ended stays as it is.", Resume)
        {
            Answer = typeof(SuiteDetail),
            Status = 202,
            Errors = [NoSuite],
        },
    ];

    private static async Task Submit(ApiCall call)
    {
        call.AllowQueries();
        SuiteRequest request = await call.Read(ApiJson.Default.SuiteRequest).ConfigureAwait(false);
        string? key = JobRoutes.KeyOf(call);
        Guid id = key is null ? Guid.CreateVersion7() : JobRoutes.IdFrom($"suite\n{call.Caller.Name}\n{key}").Value;
        (SuiteView suite, bool isNew) = await new SuiteService(call.Node).Submit(id, request).ConfigureAwait(false);
        await call.Answer(suite.ToAnswer(isNew), ApiJson.Default.SuiteDetail, 202).ConfigureAwait(false);
    }

    private static async Task List(ApiCall call)
    {
        call.AllowQueries("limit", "after");
        int limit = (int)call.QueryNumber("limit", DefaultPage, 1, LargestPage);
        long? after = call.Query("after") is null ? null : call.QueryNumber("after", 0, 0, long.MaxValue);
        IReadOnlyList<SuiteRecord> found = await call.Node.Store.ListSuites(after, limit + 1).ConfigureAwait(false);
        var service = new SuiteService(call.Node);
        List<SuiteAnswer> suites = [];
        foreach (SuiteRecord suite in found.Take(limit))
            suites.Add(suite.End is null ? (await service.View(suite).ConfigureAwait(false)).Summary() : SuiteView.Summary(suite));
        var answer = new SuiteList { Suites = suites, Next = found.Count > limit ? found[limit - 1].Sequence.ToString(CultureInfo.InvariantCulture) : null };
        await call.Answer(answer, ApiJson.Default.SuiteList).ConfigureAwait(false);
    }

    private static async Task Get(ApiCall call)
    {
        call.AllowQueries();
        SuiteView suite = await new SuiteService(call.Node).View(await Find(call).ConfigureAwait(false)).ConfigureAwait(false);
        await call.Answer(suite.ToAnswer(), ApiJson.Default.SuiteDetail).ConfigureAwait(false);
    }

    private static async Task Wait(ApiCall call)
    {
        call.AllowQueries("seconds");
        TimeSpan longest = TimeSpan.FromSeconds(call.QueryNumber("seconds", 30, 0, LongestWait));
        long start = Stopwatch.GetTimestamp();
        var service = new SuiteService(call.Node);
        SuiteView suite = await service.View(await Find(call).ConfigureAwait(false)).ConfigureAwait(false);
        while (suite.Suite.End is null && Stopwatch.GetElapsedTime(start) is var passed && passed < longest)
        {
            // The one that ends tells; that others did is seen when it does, or soon.
            if (suite.Runs.FirstOrDefault(static run => run is { IsOver: false, Job: not null }) is { Job: { } job })
            {
                using JobChanges.Watch watch = call.Node.Changes.Listen(job);
                await watch.Wait(longest - passed, call.Cancelled).ConfigureAwait(false);
            }
            await Task.Delay(Rest, call.Cancelled).ConfigureAwait(false);
            suite = await service.View(await Find(call).ConfigureAwait(false)).ConfigureAwait(false);
        }
        await call.Answer(suite.ToAnswer(), ApiJson.Default.SuiteDetail).ConfigureAwait(false);
    }

    private static async Task Results(ApiCall call)
    {
        call.AllowQueries("format");
        bool isXml = call.Query("format") switch
        {
            null => call.Context.Request.Headers.Accept.ToString().StartsWith(Xml, StringComparison.OrdinalIgnoreCase),
            "junit" => true,
            "json" => false,
            _ => throw ApiException.BadField("format", "must be json or junit"),
        };
        SuiteResult result = await new SuiteService(call.Node).Results(await Find(call).ConfigureAwait(false)).ConfigureAwait(false);
        if (!isXml)
        {
            await call.Answer(result, ApiJson.Default.SuiteResult).ConfigureAwait(false);
            return;
        }
        using var xml = new MemoryStream();
        SuiteReport.WriteJUnit(result, xml);
        call.Context.Response.ContentType = Xml;
        await call.Context.Response.Body.WriteAsync(xml.GetBuffer().AsMemory(0, (int)xml.Length), call.Cancelled).ConfigureAwait(false);
    }

    private static async Task Cancel(ApiCall call)
    {
        call.AllowQueries();
        await new SuiteService(call.Node).Cancel(await Find(call).ConfigureAwait(false)).ConfigureAwait(false);
        await call.AnswerNothing().ConfigureAwait(false);
    }

    private static async Task Resume(ApiCall call)
    {
        call.AllowQueries();
        SuiteView suite = await new SuiteService(call.Node).Resume(await Find(call).ConfigureAwait(false)).ConfigureAwait(false);
        await call.Answer(suite.ToAnswer(), ApiJson.Default.SuiteDetail, 202).ConfigureAwait(false);
    }

    private static async ValueTask<SuiteRecord> Find(ApiCall call)
    {
        string text = call.Path("id");
        bool isId = Guid.TryParseExact(text, "N", out Guid id) || Guid.TryParseExact(text, "D", out id);
        return (isId ? await call.Node.Store.FindSuite(id).ConfigureAwait(false) : null) ?? throw ApiException.NotFound("there is no suite " + text);
    }
}
