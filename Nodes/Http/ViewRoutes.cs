using System.Globalization;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Commands;
using Vivarium.Nodes.Http.Contract;
using Vivarium.Nodes.Tracing;
using Vivarium.Telemetry.Reports;
using Vivarium.Telemetry.Views;

namespace Vivarium.Nodes.Http;

/// <summary>What pages show: parts of traces small enough for a screen, comparisons, who owns which shard.</summary>
internal static class ViewRoutes
{
    private const int MostListed = 100, MostWidth = 10_000, MostCalls = 1000;

    /// <summary>Bytes of a listing that are compared.</summary>
    private const int ListingRoom = 16 << 20;

    private static readonly (int, string) NoTrace = (404, "There is no such job, or this node has no trace of it; the answer says what may be missing.");

    private static readonly RouteParameter[] Times =
    [
        new("from", "integer", "Nanoseconds since the program's first instruction; the beginning when left out."),
        new("to", "integer", "The same for where it ends."),
    ];

    public static IReadOnlyList<Route> All { get; } =
    [
        new("GET", "/caller", Access.Read, "getCaller", "Who the caller is, and what it may do.", Who) { Answer = typeof(CallerAnswer) },
        new("GET", "/shards", Access.Read, "listShards", "The cluster's shards and who owns each.", Shards) { Answer = typeof(ShardList) },
        new("GET", "/jobs/{id}/trace/summary", Access.Read, "summarizeTrace", "A job's trace in short: processes, totals by call, waits, files, what stands out.", Summary)
        {
            Answer = typeof(TraceSummary),
            Parameters = [TraceRoutes.Attempt],
            Errors = [NoTrace],
        },
        new("GET", "/jobs/{id}/trace/timeline", Access.Read, "readTimeline",
            "A stretch of a job's time, a row for each thread: calls that can be seen alone, and runs of shorter ones folded. However many calls there are, the answer fits a screen.", Show)
        {
            Answer = typeof(Timeline),
            Parameters = [.. Times, new("width", "integer", $"Points of the screen that show it; 1000 when left out, {MostWidth} at most."), new("process", "integer", "Only this process's threads."), TraceRoutes.Attempt],
            Errors = [NoTrace],
        },
        new("GET", "/jobs/{id}/trace/latency", Access.Read, "readLatency", "How long a job's calls took: a row for each call, a column for each power of two.", Latency)
        {
            Answer = typeof(LatencyMap),
            Parameters = [TraceRoutes.Attempt],
            Errors = [NoTrace],
        },
        new("GET", "/jobs/{id}/trace/calls", Access.Read, "listCalls", "A job's single calls, in the order in which they ended, a page at a time; or the slowest.", Calls)
        {
            Answer = typeof(CallPage),
            Parameters =
            [
                .. Times,
                new("first", "integer", "The place of the first call, among all."),
                new("last", "integer", "The place of the last."),
                new("process", "integer", "Only calls of this process."),
                new("thread", "integer", "Only calls of this thread."),
                new("call", "string", "Only calls of this name."),
                new("errors", "boolean", "Only calls that failed."),
                new("atLeast", "integer", "Nanoseconds that a call must have taken."),
                new("below", "integer", "Nanoseconds that it must not have taken."),
                new("slowest", "boolean", "Those that took longest, longest first, instead of a page."),
                new("limit", "integer", $"Calls of a page, 100 when left out, {MostCalls} at most."),
                new("after", "integer", "\"next\" of the page before."),
                TraceRoutes.Attempt,
            ],
            Errors = [NoTrace],
        },
        new("GET", "/jobs/{id}/trace/calls/{index}", Access.Read, "getCall", "One call: what it waited for, and which call ended that.", Call) { Answer = typeof(CallView), Parameters = [TraceRoutes.Attempt], Errors = [NoTrace] },
        new("GET", "/compare", Access.Read, "compareJobs", "Two jobs' calls side by side, and where they first differ. A job without a trace is compared by its listing.", Compare)
        {
            Answer = typeof(Comparison),
            Parameters =
            [
                new("left", "string", "A job's identifier."),
                new("right", "string", "Another's."),
                new("thread", "integer", "The place among \"threads\" of the one to show; the first that differs when left out."),
            ],
            Errors = [(404, "There is no such job.")],
        },
    ];

    private static Task Who(ApiCall call)
    {
        call.AllowQueries();
        var answer = new CallerAnswer
        {
            Name = call.Caller.Name,
            Access = call.Caller.Access.ToString().ToLowerInvariant(),
            Node = call.Node.Settings.Name,
            Version = HelpText.Version,
        };
        return call.Answer(answer, ApiJson.Default.CallerAnswer);
    }

    private static async Task Shards(ApiCall call)
    {
        call.AllowQueries();
        ClusterView view = await call.Node.Store.Observe().ConfigureAwait(false);
        var answer = new ShardList
        {
            Shards = [.. view.Shards.OrderBy(static lease => lease.Shard).Select(static lease => new ShardAnswer { Shard = lease.Shard, Owner = lease.Owner.Length > 0 ? lease.Owner : null, Epoch = lease.Epoch })],
        };
        await call.Answer(answer, ApiJson.Default.ShardList).ConfigureAwait(false);
    }

    private static async Task<TraceIndex> Open(ApiCall call)
    {
        if (call.Node.Library is not { } library)
            throw ApiException.NotFound("this node keeps no traces");
        (TraceIndex? trace, string? missing) = await library.Open(call.Job, (int)call.QueryNumber("attempt", 0, 1, int.MaxValue)).ConfigureAwait(false);
        return trace ?? throw ApiException.NotFound(missing!);
    }

    private static async Task Summary(ApiCall call)
    {
        call.AllowQueries("attempt");
        TraceIndex trace = await Open(call).ConfigureAwait(false);
        (IReadOnlyList<FileTotals> files, IReadOnlyList<FileTotals> peers) = FileUsage.Of(trace.Trace);
        var answer = new TraceSummary
        {
            Job = trace.Trace.Job,
            Attempts = trace.Trace.Attempts,
            Findings = Findings.Of(trace.Trace),
            Processes = trace.Trace.Processes,
            Calls = trace.Trace.Calls,
            Waits = [.. trace.Trace.Waits.Take(MostListed)],
            Files = [.. files.Take(MostListed)],
            Peers = [.. peers.Take(MostListed)],
            Records = trace.Records,
            Lost = trace.Trace.LostRecords,
        };
        await call.Answer(answer, ApiJson.Default.TraceSummary).ConfigureAwait(false);
    }

    private static async Task Show(ApiCall call)
    {
        call.AllowQueries("from", "to", "width", "process", "attempt");
        TraceIndex trace = await Open(call).ConfigureAwait(false);
        long ended = trace.Trace.Job.Ended - trace.Trace.Job.Ran;
        (long from, long to) = (Time(call, "from", trace.Trace.Job.Queued - trace.Trace.Job.Ran), Time(call, "to", Math.Max(1, ended)));
        if (to <= from)
            throw ApiException.BadField("to", "must be behind \"from\"");
        int width = (int)call.QueryNumber("width", 1000, 1, MostWidth);
        await call.Answer(Timeline.Of(trace, from, to, width, Number(call, "process")), ApiJson.Default.Timeline).ConfigureAwait(false);
    }

    private static async Task Latency(ApiCall call)
    {
        call.AllowQueries("attempt");
        await call.Answer(LatencyMap.Of(await Open(call).ConfigureAwait(false)), ApiJson.Default.LatencyMap).ConfigureAwait(false);
    }

    private static async Task Calls(ApiCall call)
    {
        call.AllowQueries("from", "to", "first", "last", "process", "thread", "call", "errors", "atLeast", "below", "slowest", "limit", "after", "attempt");
        TraceIndex trace = await Open(call).ConfigureAwait(false);
        var search = new CallSearch
        {
            From = Time(call, "from", long.MinValue / 2),
            To = Time(call, "to", long.MaxValue / 2),
            First = Math.Max(call.QueryNumber("first", 0, 0, long.MaxValue), call.QueryNumber("after", -1, 0, long.MaxValue - 1) + 1),
            Last = call.QueryNumber("last", long.MaxValue, 0, long.MaxValue),
            Process = Number(call, "process"),
            Thread = Number(call, "thread"),
            Call = call.Query("call"),
            OnlyErrors = call.QueryFlag("errors"),
            AtLeast = call.QueryNumber("atLeast", 0, 0, long.MaxValue),
            Below = call.QueryNumber("below", long.MaxValue, 0, long.MaxValue),
            Slowest = call.QueryFlag("slowest"),
            Limit = (int)call.QueryNumber("limit", 100, 1, MostCalls),
        };
        await call.Answer(search.Run(trace), ApiJson.Default.CallPage).ConfigureAwait(false);
    }

    private static async Task Call(ApiCall call)
    {
        call.AllowQueries("attempt");
        TraceIndex trace = await Open(call).ConfigureAwait(false);
        CallView? view = long.TryParse(call.Path("index"), NumberStyles.None, CultureInfo.InvariantCulture, out long index) ? CallSearch.Find(trace, index) : null;
        await call.Answer(view ?? throw ApiException.NotFound("there is no record of this call"), ApiJson.Default.CallView).ConfigureAwait(false);
    }

    private static async Task Compare(ApiCall call)
    {
        call.AllowQueries("left", "right", "thread");
        RunSource left = await SourceOf(call, "left").ConfigureAwait(false), right = await SourceOf(call, "right").ConfigureAwait(false);
        await call.Answer(new RunComparison(left, right).Show(Number(call, "thread")), ApiJson.Default.Comparison).ConfigureAwait(false);
    }

    private static async Task<RunSource> SourceOf(ApiCall call, string name)
    {
        if (!Guid.TryParse(call.Query(name), out Guid id))
            throw ApiException.BadField(name, "must be a job's identifier");
        var job = new JobId(id);
        JobRecord record = await call.Node.Store.Find(job).ConfigureAwait(false) ?? throw ApiException.NotFound("there is no job " + job);
        string missing = "this node keeps no traces";
        if (call.Node.Library is { } library)
        {
            (TraceIndex? trace, string? why) = await library.Open(job, 0).ConfigureAwait(false);
            if (trace is not null)
                return new RunSource(record, trace, null, null);
            missing = why!;
        }
        string? listing = record.Lifecycle.Spec!.Tracing.Listing ? await ErrorStream(call, job).ConfigureAwait(false) : null;
        return new RunSource(record, null, listing, missing);
    }

    private static async Task<string> ErrorStream(ApiCall call, JobId job)
    {
        using var text = new MemoryStream();
        long offset = 0;
        while (text.Length < ListingRoom && await call.Node.Store.ReadOutput(job, 0, offset, 1 << 20).ConfigureAwait(false) is { Chunks.Count: > 0 } page)
        {
            foreach (OutputChunk chunk in page.Chunks)
            {
                if (chunk.Stream == OutputStream.Error)
                    text.Write(chunk.Bytes.Span);
            }
            offset = page.Next;
        }
        return System.Text.Encoding.UTF8.GetString(text.GetBuffer().AsSpan(0, (int)text.Length));
    }

    private static int? Number(ApiCall call, string name) => call.Query(name) is null ? null : (int)call.QueryNumber(name, 0, 0, int.MaxValue);

    /// <summary>Before the program's first instruction, times are negative.</summary>
    private static long Time(ApiCall call, string name, long otherwise)
    {
        if (call.Query(name) is not { } text)
            return otherwise;
        return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long time) && Math.Abs((double)time) < long.MaxValue / 2
            ? time
            : throw ApiException.BadField(name, "must be a number of nanoseconds");
    }
}
