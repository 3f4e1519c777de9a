using Vivarium.Emulator.Kernel;
using Vivarium.Messages;

namespace Vivarium.Actors.Execution;

/// <summary>What a node hands the worlds of its jobs.</summary>
public sealed record EmulatorServices
{
    /// <summary>The host's clock.</summary>
    public required IClock Clock { get; init; }

    /// <summary>Where each job's standard streams go.</summary>
    public required Func<JobId, JobStreams> Streams { get; init; }

    /// <summary>Seeds for jobs that bring none.</summary>
    public required Func<ulong> Seeds { get; init; }

    /// <summary>Takes a job's spans when it is over.</summary>
    public Action<JobId, JobSpec, JobResult, Telemetry.Spans.JobTrace>? Spans { get; init; }
}

/// <summary>Runs jobs in emulated worlds.</summary>
public sealed class EmulatorBackend(EmulatorServices services) : IBackend
{
    public IJobRun Create(JobId id, JobSpec spec) => new EmulatorRun(id, spec, services);
}
