using Vivarium.Actors.Execution;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Nodes.Native;

/// <summary>Runs jobs on the host itself, traced; off unless the node's settings allow it.</summary>
internal sealed class NativeBackend : IBackend
{
    public const string Name = "native";

    public IJobRun Create(JobId id, JobSpec spec, JobOutput output) => new NativeRun(spec, output.Open(OutputStream.Standard), output.Open(OutputStream.Error));
}

/// <summary>Gives each job to the backend that it asks for.</summary>
internal sealed class BackendChoice(IBackend emulated, IBackend native) : IBackend
{
    public IJobRun Create(JobId id, JobSpec spec, JobOutput output) => (spec.Backend == NativeBackend.Name ? native : emulated).Create(id, spec, output);
}
