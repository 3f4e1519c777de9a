using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Actors.Jobs;

/// <summary>Those who wait for jobs, on this node or others.</summary>
internal sealed class JobWatchers
{
    private readonly Lock _lock = new();
    private readonly Dictionary<JobId, List<Watcher>> _watchers = [];
    private readonly IJobStore _store;

    public JobWatchers(IJobStore store)
    {
        _store = store;
        store.Changed += Notify;
    }

    public IDisposable Watch(JobId id, Action changed) => Add(id, new Watcher(this, id, changed, null));

    /// <summary>Passes on a result that this node has at hand.</summary>
    public void Finish(JobId id, JobResult result)
    {
        foreach (Watcher watcher in Of(id))
            watcher.Result?.TrySetResult(result);
    }

    public async Task<JobResult?> Wait(JobId id, CancellationToken cancellation)
    {
        var result = new TaskCompletionSource<JobResult?>(TaskCreationOptions.RunContinuationsAsynchronously);
        using Watcher watcher = Add(id, new Watcher(this, id, () => Look(id, result), result));
        using CancellationTokenRegistration end = cancellation.Register(() => result.TrySetCanceled(cancellation));
        Look(id, result);
        return await result.Task.ConfigureAwait(false);
    }

    /// <summary>Completes with the job's result when it has one.</summary>
    private async void Look(JobId id, TaskCompletionSource<JobResult?> result)
    {
        try
        {
            if (result.Task.IsCompleted)
                return;
            JobRecord? job = await _store.Find(id).ConfigureAwait(false);
            if (job is null || job.Lifecycle.Result is not null)
                result.TrySetResult(job?.Lifecycle.Result);
        }
        catch (StoreUnavailableException)
        {
            // When the store is back it tells of every change it may have missed.
        }
        catch (Exception bug)
        {
            result.TrySetException(bug);
        }
    }

    private Watcher Add(JobId id, Watcher watcher)
    {
        lock (_lock)
        {
            if (!_watchers.TryGetValue(id, out List<Watcher>? watchers))
                _watchers.Add(id, watchers = []);
            watchers.Add(watcher);
        }
        return watcher;
    }

    private void Notify(JobId id)
    {
        foreach (Watcher watcher in Of(id))
            watcher.Changed();
    }

    private Watcher[] Of(JobId id)
    {
        lock (_lock)
        {
            if (id == default)
                return [.. _watchers.Values.SelectMany(static watchers => watchers)];
            return _watchers.TryGetValue(id, out List<Watcher>? watchers) ? [.. watchers] : [];
        }
    }

    private void Remove(Watcher watcher)
    {
        lock (_lock)
        {
            if (_watchers.TryGetValue(watcher.Id, out List<Watcher>? watchers) && watchers.Remove(watcher) && watchers.Count == 0)
                _watchers.Remove(watcher.Id);
        }
    }

    private sealed class Watcher(JobWatchers all, JobId id, Action changed, TaskCompletionSource<JobResult?>? result) : IDisposable
    {
        public JobId Id => id;

        public Action Changed => changed;

        public TaskCompletionSource<JobResult?>? Result => result;

        public void Dispose() => all.Remove(this);
    }
}
