using Vivarium.Actors.Jobs;
using Vivarium.Messages;
using Xunit;

namespace Vivarium.Actors.Tests;

public sealed class JobLifecycleTests
{
    private static readonly JobEvent[] Events =
    [
        new JobEvent.Accepted(Node.Spec),
        new JobEvent.Queued(),
        new JobEvent.Started(),
        new JobEvent.CancelRequested(),
        new JobEvent.Finished(new JobResult { End = JobEnd.Exited }),
    ];

    [Fact]
    public void Every_event_in_every_state_either_moves_on_or_is_refused_and_final_states_stay()
    {
        // Walks the whole machine: it is small enough to be tried out.
        var seen = new HashSet<JobState>();
        var open = new Queue<JobLifecycle>([JobLifecycle.Initial]);
        while (open.TryDequeue(out JobLifecycle? state))
        {
            if (!seen.Add(state.State))
                continue;
            foreach (JobEvent happened in Events)
            {
                if (TryApply(state, happened) is not { } next)
                    continue;
                Assert.False(state.State.IsFinal());
                open.Enqueue(next);
            }
        }
        Assert.Equal([JobState.None, JobState.Accepted, JobState.Queued, JobState.Running, JobState.Succeeded], seen.Order());
    }

    [Fact]
    public void A_lost_node_is_a_second_start()
    {
        JobLifecycle job = JobLifecycle.Replay([Events[0], Events[1], Events[2], Events[1], Events[2]]);
        Assert.Equal(JobState.Running, job.State);
        Assert.Equal(2, job.Starts);
    }

    [Fact]
    public void Cancellation_is_remembered_until_the_end()
    {
        JobLifecycle job = JobLifecycle.Replay([Events[0], Events[1], Events[3]]);
        Assert.True(job.CancelRequested);
        Assert.Equal(JobState.Queued, job.State);
    }

    private static JobLifecycle? TryApply(JobLifecycle state, JobEvent happened)
    {
        try
        {
            return state.Apply(happened);
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }
}
