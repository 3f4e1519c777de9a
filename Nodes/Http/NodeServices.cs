using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Hosting;
using Vivarium.Nodes.Images;

namespace Vivarium.Nodes.Http;

/// <summary>What the API has of its node.</summary>
internal sealed record NodeServices
{
    public required NodeSettings Settings { get; init; }

    public required IJobStore Store { get; init; }

    public required ImageCatalog Images { get; init; }

    public required JobChanges Changes { get; init; }

    /// <summary>Submits a job; complete when it is durable.</summary>
    public required Func<JobId, JobSpec, Task> Submit { get; init; }

    /// <summary>Asks a job wherever it runs.</summary>
    public required Func<JobId, JobCommand, ValueTask<JobReply>> Ask { get; init; }

    /// <summary>Drains this node: nothing new starts, what runs is handed over, then it leaves.</summary>
    public required Action Drain { get; init; }

    /// <summary>Passes a request for draining on to another node; false when it cannot be reached.</summary>
    public required Func<NodeDescription, ValueTask<bool>> DrainOther { get; init; }

    /// <summary>True while jobs are accepted and run.</summary>
    public required Func<bool> IsReady { get; init; }

    /// <summary>Why no node runs a job of a backend with such requirements at present, in one line; null when one does.</summary>
    public required Func<string, JobRequirements, string?> WhyNone { get; init; }

    /// <summary>What the translator did since the start.</summary>
    public required Func<TranslatorUsage> Translator { get; init; }

    /// <summary>The traces of jobs that ran here; null = none are kept.</summary>
    public Tracing.NodeTraces? Traces { get; init; }

    /// <summary>The same, ready to be looked into.</summary>
    public Tracing.TraceLibrary? Library { get; init; }

    /// <summary>What the node tells in figures.</summary>
    public Tracing.NodeMetrics? Metrics { get; init; }

    /// <summary>The traces of all jobs; null = there are none.</summary>
    public Telemetry.Traces.ITraceSource? ClusterTraces { get; init; }

    /// <summary>Lines for the operator.</summary>
    public required Action<string> Report { get; init; }
}
