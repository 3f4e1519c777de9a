using Vivarium.Actors.Execution;
using Vivarium.Actors.Jobs;
using Vivarium.Messages;

namespace Vivarium.Actors.Tests;

/// <summary>A backend whose runs do what a test's script says, one step a quantum.</summary>
internal sealed class FakeBackend(Func<FakeRun, RunState> script) : IBackend
{
    public List<FakeRun> Runs { get; } = [];

    public IJobRun Create(JobId id, JobSpec spec, JobOutput output)
    {
        var run = new FakeRun(script) { Output = output };
        Runs.Add(run);
        return run;
    }
}

internal sealed class FakeRun(Func<FakeRun, RunState> script) : IJobRun
{
    public event Action? Woken;

    public required JobOutput Output { get; init; }

    public int Quanta { get; private set; }

    public List<JobCommand> Delivered { get; } = [];

    public bool IsDisposed { get; private set; }

    public JobResult Result { get; set; } = new() { End = JobEnd.Exited };

    public RunState Run(long quantum)
    {
        Quanta++;
        return script(this);
    }

    public void Wake() => Woken?.Invoke();

    public void Deliver(JobCommand command, Action<JobReply> reply)
    {
        Delivered.Add(command);
        reply(JobReply.Done);
    }

    public void Dispose() => IsDisposed = true;
}
