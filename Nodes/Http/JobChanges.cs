using System.Collections.Concurrent;
using Vivarium.Actors.Storage;
using Vivarium.Messages;

namespace Vivarium.Nodes.Http;

/// <summary>
/// Lets requests wait until something of a job changed. The store tells of changes, perhaps not of all (another node's may come late or
/// be told as one), so that waiting also ends after <see cref="Patience"/>; who waits looks again.
/// </summary>
internal sealed class JobChanges : IDisposable
{
    /// <summary>A change that was not told is seen this late.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<JobId, Waiters> _waiters = new();
    private readonly IJobStore _store;

    public JobChanges(IJobStore store)
    {
        _store = store;
        _store.Changed += OnChanged;
    }

    /// <summary>Begins to listen: what changes from now on ends the watch's next wait.</summary>
    public Watch Listen(JobId job)
    {
        while (true)
        {
            Waiters waiters = _waiters.GetOrAdd(job, static _ => new Waiters());
            lock (waiters)
            {
                if (waiters.IsGone)
                    continue;
                waiters.Listeners++;
                return new Watch(this, job, waiters);
            }
        }
    }

    public void Dispose() => _store.Changed -= OnChanged;

    private void OnChanged(JobId job)
    {
        if (_waiters.TryGetValue(job, out Waiters? waiters))
            waiters.Pulse();
    }

    private void Leave(JobId job, Waiters waiters)
    {
        lock (waiters)
        {
            if (--waiters.Listeners > 0)
                return;
            waiters.IsGone = true;
            _waiters.TryRemove(job, out _);
        }
    }

    /// <summary>Those who wait for one job; a new task for each change.</summary>
    internal sealed class Waiters
    {
        private TaskCompletionSource _next = New();

        public int Listeners { get; set; }

        public bool IsGone { get; set; }

        public Task Next => Volatile.Read(ref _next).Task;

        public void Pulse() => Interlocked.Exchange(ref _next, New()).SetResult();

        private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>One listener. A change between two waits ends the second at once.</summary>
    internal sealed class Watch : IDisposable
    {
        private readonly JobChanges _owner;
        private readonly JobId _job;
        private readonly Waiters _waiters;
        private Task _next;

        internal Watch(JobChanges owner, JobId job, Waiters waiters)
        {
            (_owner, _job, _waiters) = (owner, job, waiters);
            _next = waiters.Next;
        }

        /// <summary>Waits for a change, or for as long as one may go untold, or <paramref name="longest"/>.</summary>
        public async Task Wait(TimeSpan longest, CancellationToken cancelled)
        {
            TimeSpan time = longest < Patience ? longest : Patience;
            if (time > TimeSpan.Zero)
                await Task.WhenAny(_next, Task.Delay(time, cancelled)).ConfigureAwait(false);
            cancelled.ThrowIfCancellationRequested();
            _next = _waiters.Next;
        }

        public void Dispose() => _owner.Leave(_job, _waiters);
    }
}
