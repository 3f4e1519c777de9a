using Vivarium.Emulator.Kernel;
using Vivarium.Messages;

namespace Vivarium.Actors.Execution;

/// <summary>Runs jobs in emulated worlds.</summary>
/// <param name="clock">The host's clock, handed to worlds in real time.</param>
/// <param name="streams">Where each job's standard streams go.</param>
public sealed class EmulatorBackend(IClock clock, Func<JobId, JobStreams> streams) : IBackend
{
    public IJobRun Create(JobId id, JobSpec spec) => throw new NotImplementedException($"{clock} {streams}");
}
