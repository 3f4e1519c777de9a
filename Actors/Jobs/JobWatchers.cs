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

    public IDisposable Watch(JobId id, Action changed)
    {
        var watcher = new Watcher(this, id, changed);
        Add(watcher);
        return watcher;
    }

    /// <summary>Passes on a result that this node has at hand.</summary>
    public void Finish(JobId id, JobResult result)
    {
        foreach (Watcher watcher in Of(id))
            watcher.Finish(result);
    }

    /// <summary>The task completes on the thread that brings the result; what goes on from it, on another.</summary>
    public Task<JobResult?> Wait(JobId id, CancellationToken cancellation)
    {
        var watcher = new Watcher(this, id, null);
        watcher.CancelWith(cancellation);
        Add(watcher);
        Look(watcher);
        return watcher.Result;
    }

    /// <summary>Completes with the job's result when it has one.</summary>
    private async void Look(Watcher watcher)
    {
        try
        {
            if (watcher.Result.IsCompleted)
            {
                // Added after it was over, as with a cancellation that came first.
                watcher.Dispose();
                return;
            }
            JobRecord? job = await _store.Find(watcher.Id).ConfigureAwait(false);
            if (job is null || job.Lifecycle.Result is not null)
                watcher.Finish(job?.Lifecycle.Result);
        }
        catch (StoreUnavailableException)
        {
            // When the store is back it tells of every change it may have missed.
        }
        catch (Exception bug)
        {
            watcher.Fail(bug);
        }
    }

    private void Add(Watcher watcher)
    {
        lock (_lock)
        {
            if (!_watchers.TryGetValue(watcher.Id, out List<Watcher>? watchers))
                _watchers.Add(watcher.Id, watchers = []);
            watchers.Add(watcher);
        }
    }

    private void Notify(JobId id)
    {
        foreach (Watcher watcher in Of(id))
        {
            if (watcher.Changed is { } changed)
                changed();
            else
                Look(watcher);
        }
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

    /// <summary>Calls back for every change, or waits for the result.</summary>
    private sealed class Watcher(JobWatchers all, JobId id, Action? changed) : IDisposable
    {
        private readonly TaskCompletionSource<JobResult?>? _result = changed is null ? new(TaskCreationOptions.RunContinuationsAsynchronously) : null;
        private CancellationTokenRegistration _cancellation;

        public JobId Id => id;

        public Action? Changed => changed;

        public Task<JobResult?> Result => _result!.Task;

        public void CancelWith(CancellationToken cancellation) => _cancellation = cancellation.UnsafeRegister(
            static (watcher, cancelled) =>
            {
                ((Watcher)watcher!)._result!.TrySetCanceled(cancelled);
                ((Watcher)watcher).Dispose();
            },
            this);

        public void Finish(JobResult? result)
        {
            if (_result is not null && _result.TrySetResult(result))
                Dispose();
        }

        public void Fail(Exception bug)
        {
            if (_result!.TrySetException(bug))
                Dispose();
        }

        public void Dispose()
        {
            _cancellation.Unregister();
            all.Remove(this);
        }
    }
}
