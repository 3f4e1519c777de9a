using Vivarium.Actors.Sharding;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Actors.Jobs;

/// <summary>
/// One job as an entity: journals what happens to it, owns its run and hands that to the workers. Live while the job runs or has
/// something to be told; at rest a job is its row in the store.
/// </summary>
public sealed class JobActor(JobRecord record, IEntityContext context, JobServices services) : IEntity
{
    private JobLifecycle _job = record.Lifecycle;
    private JobOutput? _output;
    private JobWork? _work;
    private bool _isPreparing;
    private int _uncommitted;

    public JobState State => _job.State;

    public void Receive(object message)
    {
        switch (message)
        {
            case JobMessage.Begin:
                Begin();
                break;
            case JobMessage.Recover when _job.State == JobState.Running && !IsLive:
                Lose("its node was lost");
                break;
            case JobMessage.Place when _job.State == JobState.Waiting:
                Place();
                break;
            case JobMessage.Ask ask:
                Answer(ask);
                break;
            case JobMessage.Prepared prepared:
                GoOn(prepared);
                break;
            case JobMessage.Ended ended:
                End(ended.Result);
                break;
            case JobMessage.Recover or JobMessage.Place or JobMessage.Settled:
                break;
            default:
                throw new ArgumentException($"a job does not understand {message.GetType().Name}", nameof(message));
        }
        if (_uncommitted == 0 && !IsLive)
            context.Passivate();
    }

    public void Stop()
    {
        _work?.Abandon();
        _output?.Abandon();
    }

    /// <summary>True while something of this job is under way here.</summary>
    private bool IsLive => _work is not null || _isPreparing;

    private void Begin()
    {
        if (_job.State != JobState.Queued || IsLive)
            return;
        if (_job.CancelRequested)
            Finish(Cancelled);
        else if (services.Placement is { } placement && !placement.IsHere(_job.Spec!))
            Place();
        else
            Start();
    }

    /// <summary>Gives the job to a shard whose node can run it, or lets it wait for one.</summary>
    private void Place()
    {
        if (services.Placement!.FindShard(record.Id, _job.Spec!) is { } shard)
            Commit(new JobEvent.Moved(shard));
        else if (_job.State == JobState.Queued)
            Commit(new JobEvent.Waited(services.Placement.Explain(_job.Spec!)));
    }

    private void Start()
    {
        Commit(new JobEvent.Started(services.Node));
        JobSpec spec = _job.Spec!;
        if (services.Preparation is { } preparation && preparation.IsNeeded(spec))
            Prepare(preparation, spec);
        else
            Run(spec);
    }

    private async void Prepare(IJobPreparation preparation, JobSpec spec)
    {
        _isPreparing = true;
        JobMessage.Prepared prepared;
        try
        {
            prepared = new JobMessage.Prepared(await preparation.Prepare(spec).ConfigureAwait(false), null);
        }
        catch (JobPreparationException problem)
        {
            prepared = new JobMessage.Prepared(null, JobResult.NotStarted(JobFailure.BadSetup, problem.Message));
        }
        catch (Exception bug)
        {
            prepared = new JobMessage.Prepared(null, new JobResult { End = JobEnd.Broken, Message = services.ReportBug(bug) });
        }
        context.TellSelf(prepared);
    }

    private void GoOn(JobMessage.Prepared prepared)
    {
        _isPreparing = false;
        if (prepared.Failure is { } failure)
            End(failure);
        else if (_job.CancelRequested)
            Finish(Cancelled);
        else
            Run(prepared.Spec!);
    }

    private void Run(JobSpec spec)
    {
        _output = new JobOutput(context, _job.Attempts, spec.Limits.Output);
        _work = new JobWork(record.Id, spec, _output, services, context.TellSelf) { AcceptedAt = record.AcceptedAt, MayRetry = _job.Failures < spec.Retries };
        _work.Enter(services.Workers);
    }

    private void Answer(JobMessage.Ask ask)
    {
        if (ask.Command is JobCommand.Cancel)
            Cancel(ask.Reply);
        else if (_work is { } work)
            work.Deliver(ask.Command, ask.Reply);
        else
            ask.Reply(JobReply.NotRunning);
    }

    private void Cancel(Action<JobReply> reply)
    {
        if (_job.State.IsFinal() || _job.CancelRequested)
        {
            reply(JobReply.Done);
            return;
        }
        Commit(new JobEvent.CancelRequested(), isWritten => reply(isWritten ? JobReply.Done : JobReply.Unavailable));
        if (_work is { } work)
            work.Cancel();
        else if (!_isPreparing)
            Finish(Cancelled);
    }

    private void End(JobResult result)
    {
        _work = null;
        if (IsFailure(result) && _job.Failures < _job.Spec!.Retries && !_job.CancelRequested)
            Commit(new JobEvent.Retried(result));
        else
            Finish(result);
    }

    /// <summary>True for an end that another attempt may better.</summary>
    internal static bool IsFailure(JobResult result) =>
        result.End is JobEnd.Killed or JobEnd.TimedOut or JobEnd.Broken || (result.End == JobEnd.Exited && result.Code != 0);

    private void Lose(string reason)
    {
        if (_job.CancelRequested)
            Finish(Cancelled);
        else if (_job.Losses >= services.LargestLosses)
            Finish(new JobResult { End = JobEnd.Broken, Message = $"given up: {_job.Losses + 1} nodes were lost while they ran it" });
        else
            Commit(new JobEvent.Interrupted(reason));
    }

    private void Finish(JobResult result) => Commit(new JobEvent.Finished(result), isWritten =>
    {
        if (isWritten)
            services.Finished?.Invoke(record.Id, result);
    });

    private void Commit(JobEvent happened, Action<bool>? done = null)
    {
        // The machine first: an event that cannot happen must not reach the journal.
        _job = _job.Apply(happened);
        Interlocked.Increment(ref _uncommitted);
        context.Commit(happened, _job, isWritten =>
        {
            done?.Invoke(isWritten);
            // When it was not written the shard is lost, and this entity with it.
            if (isWritten && Interlocked.Decrement(ref _uncommitted) == 0)
                context.TellSelf(new JobMessage.Settled());
        });
    }

    private static JobResult Cancelled => new() { End = JobEnd.Cancelled, Message = "cancelled" };
}

/// <summary>Makes job actors.</summary>
public sealed class JobActorFactory(JobServices services) : IEntityFactory
{
    public IEntity Create(JobRecord record, IEntityContext context) => new JobActor(record, context, services);

    public ISeed Recovery(JobRecord record) => new JobMessage.Recover(record);

    public void Refuse(object message, bool isUnavailable)
    {
        if (message is JobMessage.Ask ask)
            ask.Reply(isUnavailable ? JobReply.Unavailable : JobReply.Unknown);
    }
}
