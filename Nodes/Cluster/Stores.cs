using Vivarium.Actors.Storage;
using Vivarium.Nodes.Hosting;

namespace Vivarium.Nodes.Cluster;

/// <summary>Opens the store that a node's settings name.</summary>
internal static class Stores
{
    /// <summary>How long a database that does not answer is asked again: one that starts at the same time, or has much to do.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <exception cref="StoreRefusedException">It cannot be used; the message is one sentence for the operator.</exception>
    /// <exception cref="StoreUnavailableException">It does not answer.</exception>
    public static async Task<IJobStore> Open(NodeSettings settings)
    {
        const string sqlite = "sqlite:";
        string store = settings.Store;
        if (store == "memory")
            return new MemoryJobStore(settings.Shards, static () => HostClock.Instance.Realtime);
        if (store == "sqlite" || store.StartsWith(sqlite, StringComparison.Ordinal))
        {
            string file = store == "sqlite" ? Path.Combine(settings.DataFolder, "jobs.db") : store[sqlite.Length..];
            return await SqliteJobStore.Open(file, settings.ClusterName, settings.Shards).ConfigureAwait(false);
        }
        long begun = Environment.TickCount64;
        while (true)
        {
            try
            {
                return await PostgresJobStore.Open(store, settings.ClusterName, settings.Shards).ConfigureAwait(false);
            }
            catch (StoreUnavailableException) when (Environment.TickCount64 - begun < Patience.TotalMilliseconds)
            {
                await Task.Delay(200).ConfigureAwait(false);
            }
        }
    }
}
