using System.Globalization;
using Vivarium.Actors.Execution;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Telemetry.Metrics;

namespace Vivarium.Nodes.Tracing;

/// <summary>All that a node has to tell in figures: for <c>/metrics</c> and for the collector.</summary>
/// <param name="node">The node's name.</param>
/// <param name="store">Knows the cluster's jobs and shards.</param>
/// <param name="workers">What runs the worlds; null in tests.</param>
/// <param name="quantum">Instructions of a world's turn.</param>
/// <param name="translator">What the translator did since the start.</param>
/// <param name="traces">The calls of jobs that ended here.</param>
internal sealed class NodeMetrics(string node, IJobStore store, WorkerPool workers, long quantum, Func<TranslatorUsage> translator, NodeTraces traces)
{
    public string Name => node;

    /// <summary>When the counters began, nanoseconds since 1970 UTC.</summary>
    public long Start { get; } = Now();

    public static long Now() => (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * 100;

    /// <exception cref="StoreUnavailableException">The cluster's part cannot be had.</exception>
    public async ValueTask<MetricList> Collect()
    {
        var metrics = new MetricList();
        IReadOnlyDictionary<JobState, long> jobs = await store.Count().ConfigureAwait(false);
        // States that no job is in are told as well: what is asked for by name is always there.
        foreach (JobState state in Enum.GetValues<JobState>())
            metrics.Gauge("vivarium.jobs", "Jobs of the cluster by state.", jobs.GetValueOrDefault(state), ("state", char.ToLowerInvariant(state.ToString()[0]) + state.ToString()[1..]));
        metrics.Gauge("vivarium.queue.length", "Jobs of the cluster that wait for a worker.", jobs.GetValueOrDefault(JobState.Queued));
        ClusterView view = await store.Observe().ConfigureAwait(false);
        NodeRecord? self = view.Nodes.FirstOrDefault(record => record.Description.Name == node);
        metrics.Gauge("vivarium.node.running", "Worlds of this node.", self?.Load.Running ?? 0);
        metrics.Gauge("vivarium.node.shards", "Shards this node owns.", self?.Shards ?? 0);
        AddScheduler(metrics);
        AddTranslator(metrics);
        traces.AddTo(metrics);
        AddRuntime(metrics);
        return metrics;
    }

    private void AddScheduler(MetricList metrics)
    {
        WorkerStatistics done = workers.Statistics;
        metrics.Gauge("vivarium.scheduler.runnable", "Worlds that wait for a worker's turn.", done.Runnable);
        metrics.Gauge("vivarium.scheduler.quantum", "Instructions of a world's turn.", quantum);
        metrics.Counter("vivarium.scheduler.turns", "Turns of worlds.", done.Turns);
        metrics.Counter("vivarium.scheduler.switches", "Turns that were another world's than the one before.", done.Switches);
        metrics.Seconds("vivarium.scheduler.busy", "Time that workers ran worlds, all together.", done.Busy / 1e9);
    }

    private void AddTranslator(MetricList metrics)
    {
        TranslatorUsage usage = translator();
        foreach ((string name, long value) in ((string, long)[])
            [("blocks", usage.Blocks), ("bytes", usage.Bytes), ("hits", usage.Hits), ("interpreted", usage.Interpreted), ("evictions", usage.Evictions)])
            metrics.Counter("vivarium.translator." + name, "See docs/translator.md.", value);
    }

    private static void AddRuntime(MetricList metrics)
    {
        for (int generation = 0; generation <= GC.MaxGeneration; generation++)
            metrics.Counter("vivarium.gc.collections", "Garbage collections of the node by generation.", GC.CollectionCount(generation), ("generation", generation.ToString(CultureInfo.InvariantCulture)));
        metrics.Seconds("vivarium.gc.pause", "Time the node stood still for garbage collection.", GC.GetTotalPauseDuration().TotalSeconds);
        metrics.Bytes("vivarium.gc.heap", "The node's managed memory.", GC.GetTotalMemory(false));
    }
}
