using Vivarium.Actors.Jobs;
using Vivarium.Messages;
using Xunit;

namespace Vivarium.Actors.Tests;

public sealed class JobLifecycleTests
{
    private static readonly JobEvent Accepted = new JobEvent.Accepted(Node.Spec);
    private static readonly JobEvent Started = new JobEvent.Started("a");
    private static readonly JobEvent Interrupted = new JobEvent.Interrupted("lost");

    private static readonly JobEvent[] Events =
    [
        Accepted,
        new JobEvent.Waited(),
        new JobEvent.Moved(1),
        Started,
        Interrupted,
        new JobEvent.Retried(new JobResult { End = JobEnd.Exited, Code = 1 }),
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
        Assert.Equal([JobState.None, JobState.Waiting, JobState.Queued, JobState.Running, JobState.Succeeded], seen.Order());
    }

    [Fact]
    public void A_lost_node_is_a_second_attempt_and_no_failure()
    {
        JobLifecycle job = JobLifecycle.Replay([Accepted, Started, Interrupted, Started]);
        Assert.Equal(JobState.Running, job.State);
        Assert.Equal((2, 1, 0), (job.Attempts, job.Losses, job.Failures));
    }

    [Fact]
    public void Cancellation_is_remembered_until_the_end()
    {
        JobLifecycle job = JobLifecycle.Replay([Accepted, new JobEvent.CancelRequested()]);
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
