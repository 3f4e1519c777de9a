using Vivarium.Actors.Storage;

namespace Vivarium.Nodes.Hosting;

/// <summary>Opens the store that the settings name.</summary>
internal static class StoreOpener
{
    public static ValueTask<IJobStore> Open(NodeSettings settings) =>
        ValueTask.FromResult<IJobStore>(new MemoryJobStore(settings.Shards, static () => HostClock.Instance.Realtime));
}
