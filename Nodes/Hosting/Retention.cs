using Vivarium.Actors.Storage;
using Vivarium.Nodes.Http;
using Vivarium.Nodes.Suites;

namespace Vivarium.Nodes.Hosting;

/// <summary>
/// Removes what is old: ended jobs with their output, suites whose jobs are gone, images that no job needs, and this node's traces. Nodes take
/// turns by a shard: who owns the first one tends the store.
/// </summary>
/// <param name="isTurn">True while this node tends the store.</param>
internal sealed class Retention(NodeServices node, Func<bool> isTurn) : IAsyncDisposable
{
    /// <summary>Jobs of one transaction: what else is to be written does not wait long.</summary>
    private const int Batch = 200;
    private const int SuitePage = 100;
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(20);

    /// <summary>An image's use is noted once an hour, and who is told that it is there may take a while to submit a job.</summary>
    private static readonly TimeSpan LeastImageAge = TimeSpan.FromHours(2);

    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;

    public void Start() => _loop = Task.Run(Loop);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stop.Dispose();
    }

    /// <summary>Removes all that is too old or too many now; how many jobs that were.</summary>
    public async Task<int> Sweep()
    {
        long now = HostClock.Instance.Realtime, age = node.Settings.KeepFor.Ticks * 100;
        long before = age == 0 ? 0 : now - age;
        // A verdict outlives its job, so it is made before.
        await TendSuites(before).ConfigureAwait(false);
        var keep = new JobsToKeep(before, node.Settings.KeepJobs == 0 ? long.MaxValue : node.Settings.KeepJobs);
        int removed = 0;
        for (int count; (count = await node.Store.RemoveJobs(keep, Batch).ConfigureAwait(false)) > 0 && !_stop.IsCancellationRequested; removed += count)
            await Task.Delay(Breath).ConfigureAwait(false);
        if (age > 0)
            await node.Store.RemoveImages(now - Math.Max(age, LeastImageAge.Ticks * 100)).ConfigureAwait(false);
        return removed;
    }

    private async Task Loop()
    {
        using var timer = new PeriodicTimer(Interval);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                try
                {
                    if (node.Settings.KeepFor > TimeSpan.Zero)
                        node.Traces?.RemoveOlder(node.Settings.KeepFor);
                    if (isTurn())
                        await Sweep().ConfigureAwait(false);
                }
                catch (StoreUnavailableException)
                {
                    // The next turn does what this one did not.
                }
                catch (Exception bug) when (bug is not OperationCanceledException)
                {
                    node.Report(BugReport.Describe(bug));
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The node leaves.
        }
    }

    private async Task TendSuites(long before)
    {
        var service = new SuiteService(node);
        for (long? after = null; ;)
        {
            IReadOnlyList<SuiteRecord> suites = await node.Store.ListSuites(after, SuitePage).ConfigureAwait(false);
            foreach (SuiteRecord suite in suites)
            {
                if (suite.End is null)
                    await service.View(suite).ConfigureAwait(false);
                else if (suite.End.At < before && (await node.Store.Count(SuiteService.LabelsOf(suite.Id)).ConfigureAwait(false)).Count == 0)
                    await node.Store.RemoveSuite(suite.Id).ConfigureAwait(false);
                if (_stop.IsCancellationRequested)
                    return;
            }
            if (suites.Count < SuitePage)
                return;
            after = suites[^1].Sequence;
        }
    }
}
