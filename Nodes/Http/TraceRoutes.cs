using Vivarium.Telemetry.Traces;

namespace Vivarium.Nodes.Http;

/// <summary>What was recorded of a job's calls.</summary>
internal static class TraceRoutes
{
    /// <summary>Which of a job's attempts is asked for.</summary>
    internal static RouteParameter Attempt { get; } = new("attempt", "integer", "One of the job's attempts, from 1; the last when left out.");

    public static IReadOnlyList<Route> All { get; } =
    [
        new("GET", "/jobs/{id}/trace", Access.Read, "readTrace", "The trace of a job as viv trace reads it, from the node that runs or ran it; of a job that runs, as far as it is; of one that was begun more than once, all attempts.", Read)
        {
            Parameters = [Attempt],
            RawAnswer = ["application/octet-stream"],
            Errors = [(404, "There is no trace of the job to be had; the answer says why.")],
        },
    ];

    private static async Task Read(ApiCall call)
    {
        call.AllowQueries("attempt");
        TraceAnswer answer = call.Node.ClusterTraces is { } traces
            ? await traces.Find(call.Job.ToString(), (int)call.QueryNumber("attempt", 0, 1, int.MaxValue), call.Cancelled).ConfigureAwait(false)
            : new TraceAnswer(null, "this node keeps no traces");
        if (answer.File is not { } file)
            throw ApiException.NotFound(answer.Missing!);
        call.Context.Response.ContentType = "application/octet-stream";
        await call.Context.Response.Body.WriteAsync(file, call.Cancelled).ConfigureAwait(false);
    }
}
