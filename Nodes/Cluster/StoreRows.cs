using System.Data.Common;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Messages.Wire;

namespace Vivarium.Nodes.Cluster;

/// <summary>What the stores in databases have in common: the shape of a job's row.</summary>
internal static class StoreRows
{
    /// <summary>The version of the tables that this program reads and writes.</summary>
    public const int SchemaVersion = 3;

    /// <summary>A job's columns in the order that <see cref="ReadJob"/> wants them.</summary>
    public const string JobColumns =
        "j.id, j.sequence, j.shard, j.state, j.events, j.cancel, j.attempts, j.failures, j.losses, j.node, j.accepted_at, j.started_at, j.ended_at, j.spec, j.result";

    public static JobRecord ReadJob(DbDataReader row, JobId id) => new()
    {
        Id = id,
        Sequence = row.GetInt64(1),
        Shard = row.GetInt32(2),
        Lifecycle = new JobLifecycle
        {
            State = (JobState)row.GetInt16(3),
            CancelRequested = row.GetBoolean(5),
            Attempts = row.GetInt32(6),
            Failures = row.GetInt32(7),
            Losses = row.GetInt32(8),
            Node = row.IsDBNull(9) ? null : row.GetString(9),
            Spec = WireFormat.ReadSpec(row.GetFieldValue<byte[]>(13)),
            Result = row.IsDBNull(14) ? null : WireFormat.ReadResult(row.GetFieldValue<byte[]>(14)),
        },
        Events = row.GetInt32(4),
        AcceptedAt = row.GetInt64(10),
        StartedAt = row.GetInt64(11),
        EndedAt = row.GetInt64(12),
    };

    /// <summary>A suite's columns in the order that <see cref="ReadSuite"/> wants them.</summary>
    public const string SuiteColumns = "id, sequence, name, created_at, runs, round, ended_at, passed, failed, definition";

    public static SuiteRecord ReadSuite(DbDataReader row, Guid id) => new(id, row.GetString(2), row.GetInt64(3), row.GetInt32(4), row.GetFieldValue<byte[]>(9))
    {
        Sequence = row.GetInt64(1),
        Round = row.GetInt32(5),
        End = row.IsDBNull(6) ? null : new SuiteEnd(row.GetInt64(6), row.GetInt32(7), row.GetInt32(8)),
    };

    /// <summary>A verdict from its number, seconds, problem and detail.</summary>
    public static SuiteVerdict ReadVerdict(DbDataReader row) =>
        new(row.GetInt32(0), row.GetDouble(1), row.IsDBNull(2) ? null : row.GetString(2), row.GetFieldValue<byte[]>(3));

    /// <summary>How a label is kept for look-ups: no key has an equals sign.</summary>
    public static string LabelOf(KeyValuePair<string, string> label) => label.Key + "=" + label.Value;

    /// <summary>What a list's page is of one row more than its limit.</summary>
    public static JobPage PageOf(List<JobSummary> found, int limit)
    {
        if (found.Count <= limit)
            return new JobPage(found, null);
        found.RemoveRange(limit, found.Count - limit);
        return new JobPage(found, found[^1].Sequence);
    }

    public static StoreRefusedException NewerSchema(int version) =>
        new($"the store was written by a newer version of Vivarium (its tables are version {version}, this program's {SchemaVersion}): update this node");

    public static StoreRefusedException OtherCluster(string theirs, string ours) =>
        new($"the store belongs to the cluster \"{theirs}\", and this node to \"{ours}\" (cluster.name)");

    public static StoreRefusedException OtherShards(int theirs, int ours) =>
        new($"the cluster has {theirs} shards, and cluster.shards says {ours}");
}

/// <summary>The events of one job in one batch as one change of its row.</summary>
internal sealed record JobChange(ShardLease Lease, JobId Job, int First)
{
    public required JobLifecycle After { get; set; }

    public int Count { get; set; }

    /// <summary>The shard after it.</summary>
    public required int Shard { get; set; }

    /// <summary>0: as it was.</summary>
    public long StartedAt { get; set; }

    public long EndedAt { get; set; }

    /// <summary>Folds the events of a batch, in order of each job's first.</summary>
    public static List<JobChange> Fold(IReadOnlyList<JournalEntry> entries)
    {
        var changes = new List<JobChange>();
        var latest = new Dictionary<JobId, JobChange>();
        foreach (JournalEntry entry in entries)
        {
            if (entry is not JournalEntry.Event happened)
                continue;
            if (!latest.TryGetValue(entry.Job, out JobChange? change) || change.Lease != entry.Lease)
            {
                change = new JobChange(entry.Lease, entry.Job, happened.Number) { After = happened.After, Shard = entry.Lease.Shard };
                latest[entry.Job] = change;
                changes.Add(change);
            }
            change.Add(happened);
        }
        return changes;
    }

    /// <summary>
    /// Cuts a batch where a job goes on under another lease: within each part a job's row changes once. One part is the rule.
    /// </summary>
    public static IEnumerable<IReadOnlyList<JournalEntry>> Split(IReadOnlyList<JournalEntry> entries)
    {
        var leases = new Dictionary<JobId, ShardLease>();
        List<JournalEntry>? part = null;
        for (int i = 0; i < entries.Count; i++)
        {
            JournalEntry entry = entries[i];
            if (!leases.TryAdd(entry.Job, entry.Lease) && leases[entry.Job] != entry.Lease)
            {
                yield return part ?? [.. entries.Take(i)];
                part = [];
                leases.Clear();
                leases.Add(entry.Job, entry.Lease);
            }
            part?.Add(entry);
        }
        yield return part ?? entries;
    }

    private void Add(JournalEntry.Event happened)
    {
        After = happened.After;
        Count++;
        if (happened.Happened is JobEvent.Moved moved)
            Shard = moved.Shard;
        if (happened.Happened is JobEvent.Started)
            StartedAt = happened.At;
        if (happened.Happened is JobEvent.Finished)
            EndedAt = happened.At;
    }
}
