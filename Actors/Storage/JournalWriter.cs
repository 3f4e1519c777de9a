namespace Vivarium.Actors.Storage;

/// <summary>A node's way to the journal: entries in order, in batches. While the store cannot be reached they wait for <see cref="Retry"/>.</summary>
internal sealed class JournalWriter
{
    private readonly IJobJournal _store;
    private readonly Action<ShardLease> _lost;
    private readonly GroupCommit<JournalEntry> _commit;

    /// <param name="lost">Is told each lease that the store no longer takes.</param>
    public JournalWriter(IJobJournal store, Action<ShardLease> lost)
    {
        _store = store;
        _lost = lost;
        _commit = new GroupCommit<JournalEntry>(Write);
    }

    public void Add(JournalEntry entry) => _commit.Add(entry);

    public void Retry() => _commit.Retry();

    private ValueTask<bool> Write(IReadOnlyList<JournalEntry> entries)
    {
        ValueTask<IReadOnlyList<ShardLease>> appending;
        try
        {
            appending = _store.Append(entries);
        }
        catch (StoreUnavailableException)
        {
            return new ValueTask<bool>(false);
        }
        // A store in memory is done already, and `viv run` starts without the machinery of tasks.
        if (!appending.IsCompletedSuccessfully)
            return Finish(appending, entries);
        Tell(entries, appending.Result);
        return new ValueTask<bool>(true);
    }

    private async ValueTask<bool> Finish(ValueTask<IReadOnlyList<ShardLease>> appending, IReadOnlyList<JournalEntry> entries)
    {
        IReadOnlyList<ShardLease> refused;
        try
        {
            refused = await appending.ConfigureAwait(false);
        }
        catch (StoreUnavailableException)
        {
            return false;
        }
        Tell(entries, refused);
        return true;
    }

    private void Tell(IReadOnlyList<JournalEntry> entries, IReadOnlyList<ShardLease> refused)
    {
        foreach (ShardLease lease in refused)
            _lost(lease);
        foreach (JournalEntry entry in entries)
            entry.Done?.Invoke(refused.Count == 0 || !refused.Contains(entry.Lease));
    }
}
