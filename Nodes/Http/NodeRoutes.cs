using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Commands;
using Vivarium.Nodes.Http.Contract;
using Vivarium.Telemetry.Metrics;

namespace Vivarium.Nodes.Http;

/// <summary>Operations on nodes, and what is told of them.</summary>
internal static class NodeRoutes
{
    private static readonly long Start = Stopwatch.GetTimestamp();

    public static IReadOnlyList<Route> All { get; } =
    [
        new("GET", "/nodes", Access.Read, "listNodes", "The cluster's nodes.", List) { Answer = typeof(NodeList) },
        new("POST", "/nodes/{name}/drain", Access.Admin, "drainNode", "Lets nothing new start on a node, hands over what runs there, then lets it leave.", Drain)
        {
            Status = 202,
            Errors = [(404, "There is no such node.")],
        },
        new("GET", "/stats", Access.Read, "getStats", "Jobs by state, and what this node has done.", Stats) { Answer = typeof(StatsAnswer) },
        new("GET", "/openapi.json", Access.None, "getDocument", "This document.", Document) { Answer = typeof(JsonElement) },
    ];

    /// <summary>Outside of the API's prefix, for the machinery around a node.</summary>
    public static IReadOnlyList<Route> Probes { get; } =
    [
        new("GET", "/healthz", Access.None, "isAlive", "The process answers.", static call => Plain(call, 200, "alive\n")) { RawAnswer = ["text/plain"] },
        new("GET", "/readyz", Access.None, "isReady", "The node takes jobs: its store answers and it is not draining.", Ready)
        {
            RawAnswer = ["text/plain"],
            Errors = [(503, "Not now.")],
        },
        new("GET", "/metrics", Access.Read, "getMetrics", "Metrics in Prometheus' text format, or as OpenMetrics, which has exemplars.", Metrics) { RawAnswer = ["text/plain", "application/openmetrics-text"] },
    ];

    private static async Task List(ApiCall call)
    {
        call.AllowQueries();
        ClusterView view = await call.Node.Store.Observe().ConfigureAwait(false);
        await call.Answer(new NodeList { Nodes = [.. view.Nodes.OrderBy(static node => node.Description.Name, StringComparer.Ordinal).Select(ToAnswer)] }, ApiJson.Default.NodeList).ConfigureAwait(false);
    }

    private static NodeAnswer ToAnswer(NodeRecord node)
    {
        NodeDescription about = node.Description;
        return new NodeAnswer
        {
            Name = about.Name,
            Address = about.ApiAddress,
            OperatingSystem = about.OperatingSystem,
            Architecture = about.Architecture,
            Platforms = [.. about.Platforms.Select(static platform => new PlatformAnswer { OperatingSystem = platform.OperatingSystem, Architecture = platform.Architecture })],
            Cores = about.Cores,
            Memory = about.Memory,
            Engines = about.Engines,
            Backends = about.Backends,
            Labels = about.Labels,
            Capacity = about.Capacity,
            Running = node.Load.Running,
            Shards = node.Shards,
            IsDraining = node.Load.IsDraining,
            IsMember = !node.HasLeft,
            Version = about.Version,
            SeenAt = JobMapping.Time(node.SeenAt),
        };
    }

    private static async Task Drain(ApiCall call)
    {
        call.AllowQueries();
        string name = call.Path("name");
        if (name == call.Node.Settings.Name)
        {
            call.Node.Drain();
        }
        else
        {
            ClusterView view = await call.Node.Store.Observe().ConfigureAwait(false);
            NodeRecord node = view.Nodes.FirstOrDefault(node => node.Description.Name == name && !node.HasLeft)
                ?? throw ApiException.NotFound("there is no node " + name);
            if (!await call.Node.DrainOther(node.Description).ConfigureAwait(false))
                throw ApiException.Unavailable($"node {name} cannot be reached");
        }
        call.Context.Response.StatusCode = 202;
    }

    private static async Task Stats(ApiCall call)
    {
        call.AllowQueries();
        using var process = Process.GetCurrentProcess();
        await call.Answer(new StatsAnswer
        {
            Node = call.Node.Settings.Name,
            Version = HelpText.Version,
            UptimeSeconds = Stopwatch.GetElapsedTime(Start).TotalSeconds,
            Jobs = await JobsByState(call.Node).ConfigureAwait(false),
            Translator = call.Node.Translator(),
            ResidentMemory = process.WorkingSet64,
            ProcessorSeconds = process.TotalProcessorTime.TotalSeconds,
        }, ApiJson.Default.StatsAnswer).ConfigureAwait(false);
    }

    private static async ValueTask<IReadOnlyDictionary<string, long>> JobsByState(NodeServices node)
    {
        IReadOnlyDictionary<JobState, long> counts = await node.Store.Count().ConfigureAwait(false);
        return counts.OrderBy(static count => count.Key).ToDictionary(static count => WordOf(count.Key), static count => count.Value);
    }

    private static string WordOf(JobState state) => char.ToLowerInvariant(state.ToString()[0]) + state.ToString()[1..];

    private static Task Document(ApiCall call) => call.Answer(OpenApiDocument.Element, ApiJson.Default.JsonElement);

    private static async Task Ready(ApiCall call)
    {
        bool isReady = call.Node.IsReady();
        if (isReady)
            await call.Node.Store.Count().ConfigureAwait(false);
        await Plain(call, isReady ? 200 : 503, isReady ? "ready\n" : "draining\n").ConfigureAwait(false);
    }

    /// <summary>Prometheus' text format, or OpenMetrics for those that ask for it.</summary>
    private static async Task Metrics(ApiCall call)
    {
        MetricList metrics = await call.Node.Metrics!.Collect().ConfigureAwait(false);
        bool openMetrics = call.Context.Request.Headers.Accept.ToString().Contains("application/openmetrics-text", StringComparison.Ordinal);
        await Plain(call, 200, Prometheus.Write(metrics, openMetrics), openMetrics ? Prometheus.OpenMetricsType : Prometheus.TextType).ConfigureAwait(false);
    }

    private static async Task Plain(ApiCall call, int status, string text, string type = "text/plain; charset=utf-8")
    {
        call.Context.Response.StatusCode = status;
        call.Context.Response.ContentType = type;
        await call.Context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text), call.Cancelled).ConfigureAwait(false);
    }
}
