using Vivarium.Actors.Storage;
using Vivarium.Nodes.Hosting;

namespace Vivarium.Nodes.Cluster;

/// <summary>Opens the store that a node's settings name.</summary>
internal static class Stores
{
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
        return await PostgresJobStore.Open(store, settings.ClusterName, settings.Shards).ConfigureAwait(false);
    }
}
