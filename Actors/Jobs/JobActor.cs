using Vivarium.Actors.Execution;
using Vivarium.Actors.Sharding;
using Vivarium.Messages;

namespace Vivarium.Actors.Jobs;

/// <summary>
/// One job as an entity: journals what happens to it, owns its run and hands that to the workers. Outside messages are
/// <see cref="JobCommand"/> and <see cref="Watch"/>; the run reports back through the actor's own mailbox.
/// </summary>
public sealed class JobActor : IEntity
{
    private readonly JobId _id;
    private readonly IEntityContext _context;
    private readonly JobServices _services;
    private readonly List<Action<JobResult>> _watchers = [];
    private JobLifecycle _job;
    private JobWork? _work;

    public JobActor(JobId id, IEntityContext context, JobServices services)
    {
        _id = id;
        _context = context;
        _services = services;
        _job = JobLifecycle.Replay(context.ReadJournal());
        // An unfinished job without a run is one whose node was lost: it runs again from its start.
        if (_job.Spec is { } spec && !_job.State.IsFinal())
            Enqueue(spec);
    }

    public JobState State => _job.State;

    public void Receive(object message)
    {
        switch (message)
        {
            case JobCommand.Submit submit when _job.State == JobState.None:
                Commit(new JobEvent.Accepted(submit.Spec));
                Enqueue(submit.Spec);
                break;
            case JobCommand.Submit:
                break;
            case JobCommand.Cancel when _work is not null && !_job.CancelRequested:
                Commit(new JobEvent.CancelRequested());
                _work.Cancel();
                break;
            case JobCommand command:
                _work?.Deliver(command);
                break;
            case JobWork.Started:
                Commit(new JobEvent.Started());
                break;
            case JobWork.Ended ended:
                Finish(ended.Result);
                break;
            case Watch watch:
                AddWatcher(watch.Ended);
                break;
            default:
                throw new ArgumentException($"a job does not understand {message.GetType().Name}", nameof(message));
        }
    }

    /// <summary>Asks to be told the job's result, at once when it has one.</summary>
    public sealed record Watch(Action<JobResult> Ended);

    private void Enqueue(JobSpec spec)
    {
        Commit(new JobEvent.Queued());
        _work = new JobWork(_id, spec, _services, _context.TellSelf);
        if (_job.CancelRequested)
            _work.Cancel();
        _work.Enter(_services.Workers);
    }

    private void Finish(JobResult result)
    {
        Commit(new JobEvent.Finished(result));
        _work = null;
        foreach (Action<JobResult> watcher in _watchers)
            watcher(result);
        _watchers.Clear();
    }

    private void AddWatcher(Action<JobResult> watcher)
    {
        if (_job.Result is { } result)
            watcher(result);
        else
            _watchers.Add(watcher);
    }

    private void Commit(JobEvent happened)
    {
        // The machine first: an event that cannot happen must not reach the journal.
        JobLifecycle next = _job.Apply(happened);
        _context.Commit(happened);
        _job = next;
    }
}

/// <summary>Makes job actors.</summary>
public sealed class JobActorFactory(JobServices services) : IEntityFactory
{
    public IEntity Create(JobId id, IEntityContext context) => new JobActor(id, context, services);
}
