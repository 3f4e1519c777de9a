using Vivarium.Actors.Jobs;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Net;
using Vivarium.Emulator.Kernel.Net.Devices;
using Vivarium.Messages;

namespace Vivarium.Actors.Execution;

/// <summary>What a node hands the worlds of its jobs.</summary>
public sealed record EmulatorServices
{
    /// <summary>The host's clock.</summary>
    public required IClock Clock { get; init; }

    /// <summary>Where each job's standard streams go; the cluster keeps what is written to the output handed over.</summary>
    public required Func<JobSpec, JobOutput, JobStreams> Streams { get; init; }

    /// <summary>Seeds for jobs that bring none.</summary>
    public required Func<ulong> Seeds { get; init; }

    /// <summary>Joins a world to a switch by its name; without it jobs that ask for one have a world without.</summary>
    public Func<string, ISwitchPort>? Switches { get; init; }

    /// <summary>What worlds reach that may use this machine's network.</summary>
    public IOutsideNetwork? Outside { get; init; }

    /// <summary>
    /// Opens a TCP port of this machine's loopback address and hands over who connects, on any thread; disposing closes it.
    /// Null when the port cannot be had.
    /// </summary>
    public Func<int, Action<IOutsideConnection, InternetAddress>, IDisposable?>? Publish { get; init; }

    /// <summary>The node's name, for traces.</summary>
    public string Node { get; init; } = "";

    /// <summary>Takes what was recorded of a job when it is over, on its worker. Must return soon, and not throw.</summary>
    public Action<Telemetry.Traces.TraceRecording>? Traces { get; init; }

    /// <summary>
    /// Takes the same of a job that goes on, every few seconds in which it made calls: should its node die, that is left. Must make the document,
    /// if it wants it, before it returns, which must be soon; false = not now. Null = nobody wants it.
    /// </summary>
    public Func<Telemetry.Traces.TraceRecording, bool>? UnfinishedTraces { get; init; }

    /// <summary>Makes a file of a trace on a thread of the host's and hands it over; null = traces of running jobs cannot be had.</summary>
    public Action<Telemetry.Traces.TraceDocument, Action<byte[]>>? PackTrace { get; init; }
}

/// <summary>Runs jobs in emulated worlds.</summary>
public sealed class EmulatorBackend(EmulatorServices services) : IBackend
{
    /// <summary>What the translator did since the process began, for all its worlds.</summary>
    public static TranslatorUsage Translated => EmulatorRun.Translated(Engines.Of(EngineKind.Translator).Statistics);

    public IJobRun Create(JobId id, JobSpec spec, JobOutput output) => new EmulatorRun(id, spec, services, services.Streams(spec, output), output.Attempt);
}
