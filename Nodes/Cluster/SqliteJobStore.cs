using Microsoft.Data.Sqlite;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Messages.Wire;
using Vivarium.Nodes.Hosting;

namespace Vivarium.Nodes.Cluster;

/// <summary>A single node's store, in a SQLite file.</summary>
internal sealed partial class SqliteJobStore : IJobStore
{
    private readonly SqliteWriter _writer;
    private readonly FileStream _lock;
    private readonly string _file;
    private readonly Stack<PreparedConnection> _readers = [];
    private readonly int _shards;
    private bool _isDisposed;

    private SqliteJobStore(string file, FileStream lockFile, SqliteWriter writer, int shards)
    {
        _file = file;
        _lock = lockFile;
        _writer = writer;
        _shards = shards;
    }

    public event Action<int>? Queued;

    public event Action<JobId>? Changed;

    /// <summary>Opens a store's file, making it when it is not there.</summary>
    /// <exception cref="StoreRefusedException">It cannot be used.</exception>
    public static async Task<SqliteJobStore> Open(string file, string cluster, int shards)
    {
        SQLitePCL.Batteries_V2.Init();
        FileStream lockFile;
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(file)) is { } folder)
                Directory.CreateDirectory(folder);
            lockFile = new FileStream(file + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new StoreRefusedException($"the store {file} cannot be opened, or another node uses it: {failure.Message}");
        }
        try
        {
            var writer = new SqliteWriter(file);
            await writer.Write(connection => Check(connection, cluster, shards)).ConfigureAwait(false);
            return new SqliteJobStore(file, lockFile, writer, shards);
        }
        catch (SqliteException problem)
        {
            await lockFile.DisposeAsync().ConfigureAwait(false);
            throw new StoreRefusedException($"the store {file} cannot be used: {problem.Message}");
        }
        catch
        {
            await lockFile.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async ValueTask<long> Join(NodeDescription node) => await _writer.Write(connection =>
    {
        // One process at a time has the file, so that nobody else can be alive.
        connection.Execute("UPDATE nodes SET gone = 1");
        connection.Execute(
            """
            INSERT INTO nodes VALUES (@0, 1, 0, 0, 0, 0, @1, @2)
            ON CONFLICT (name) DO UPDATE SET incarnation = incarnation + 1, beat = 0, running = 0, draining = 0, gone = 0, seen_at = @1, description = @2
            """,
            node.Name, Now, WireFormat.Write(node));
        return (long)connection.Scalar("SELECT incarnation FROM nodes WHERE name = @0", node.Name)!;
    }).ConfigureAwait(false);

    public async ValueTask<bool> Renew(string node, long incarnation, NodeLoad load) => await _writer.Write(connection => connection.Execute(
        "UPDATE nodes SET beat = beat + 1, running = @2, draining = @3, seen_at = @4 WHERE name = @0 AND incarnation = @1",
        node, incarnation, load.Running, load.IsDraining ? 1 : 0, Now) == 1).ConfigureAwait(false);

    public ValueTask<ClusterView> Observe() => Read(static connection =>
    {
        List<ShardLease> shards = [];
        using (SqliteDataReader row = connection.Prepare("SELECT shard, owner, epoch FROM shards ORDER BY shard").ExecuteReader())
        {
            while (row.Read())
                shards.Add(new ShardLease(row.GetInt32(0), row.GetString(1), row.GetInt64(2)));
        }
        List<NodeRecord> nodes = [];
        using (SqliteDataReader row = connection.Prepare("SELECT name, incarnation, beat, running, draining, gone, seen_at, description FROM nodes ORDER BY name").ExecuteReader())
        {
            while (row.Read())
            {
                string name = row.GetString(0);
                nodes.Add(new NodeRecord
                {
                    Description = WireFormat.ReadNode(row.GetFieldValue<byte[]>(7)),
                    Incarnation = row.GetInt64(1),
                    Beat = row.GetInt64(2),
                    Load = new NodeLoad(row.GetInt32(3), row.GetBoolean(4)),
                    HasLeft = row.GetBoolean(5),
                    SeenAt = row.GetInt64(6),
                    Shards = shards.Count(shard => shard.Owner == name),
                });
            }
        }
        return new ClusterView(nodes, shards);
    });

    public async ValueTask<IReadOnlyList<ShardLease>> Take(string node, long incarnation, IReadOnlyList<ShardLease> observed) => await _writer.Write(connection =>
    {
        List<ShardLease> taken = [];
        if (connection.Scalar("SELECT 1 FROM nodes WHERE name = @0 AND incarnation = @1", node, incarnation) is null)
            return taken;
        foreach (ShardLease lease in observed)
        {
            if (connection.Execute(
                "UPDATE shards SET owner = @0, epoch = epoch + 1 WHERE shard = @1 AND owner = @2 AND epoch = @3", node, lease.Shard, lease.Owner, lease.Epoch) == 1)
                taken.Add(new ShardLease(lease.Shard, node, lease.Epoch + 1));
        }
        return taken;
    }).ConfigureAwait(false);

    public async ValueTask Release(IReadOnlyList<ShardLease> leases) => await _writer.Write(connection =>
    {
        foreach (ShardLease lease in leases)
            connection.Execute("UPDATE shards SET owner = '' WHERE shard = @0 AND owner = @1 AND epoch = @2", lease.Shard, lease.Owner, lease.Epoch);
        return 0;
    }).ConfigureAwait(false);

    public async ValueTask Leave(string node, long incarnation) => await _writer.Write(connection =>
    {
        if (connection.Execute("UPDATE nodes SET gone = 1 WHERE name = @0 AND incarnation = @1", node, incarnation) == 1)
            connection.Execute("UPDATE shards SET owner = '' WHERE owner = @0", node);
        return 0;
    }).ConfigureAwait(false);

    public async ValueTask<IReadOnlyList<AcceptedJob>> Accept(IReadOnlyList<NewJob> jobs)
    {
        byte[][] specs = new byte[jobs.Count][];
        for (int i = 0; i < specs.Length; i++)
            specs[i] = WireFormat.Write(jobs[i].Spec);
        AcceptedJob[] accepted = await _writer.Write(connection =>
        {
            var answers = new AcceptedJob[jobs.Count];
            for (int i = 0; i < answers.Length; i++)
                answers[i] = Accept(connection, jobs[i], specs[i]);
            return answers;
        }).ConfigureAwait(false);
        foreach (int shard in jobs.Select(static job => job.Shard).Distinct())
            Queued?.Invoke(shard);
        return accepted;
    }

    public async ValueTask<IReadOnlyList<ShardLease>> Append(IReadOnlyList<JournalEntry> entries)
    {
        List<ShardLease> refused = await _writer.Write(connection => Append(connection, entries)).ConfigureAwait(false);
        foreach (JobId job in entries.Where(entry => !refused.Contains(entry.Lease)).Select(static entry => entry.Job).Distinct())
            Changed?.Invoke(job);
        foreach (JournalEntry.Event queued in entries.OfType<JournalEntry.Event>().Where(static happened => happened.After.State == JobState.Queued))
            Queued?.Invoke(queued.Happened is JobEvent.Moved moved ? moved.Shard : queued.Lease.Shard);
        return refused;
    }

    public async ValueTask DisposeAsync()
    {
        _writer.Dispose();
        lock (_readers)
        {
            _isDisposed = true;
            while (_readers.TryPop(out PreparedConnection? reader))
                reader.Dispose();
        }
        await _lock.DisposeAsync().ConfigureAwait(false);
    }

    private static long Now => HostClock.Instance.Realtime;

    private static int Check(PreparedConnection connection, string cluster, int shards)
    {
        if (connection.Scalar("SELECT 1 FROM sqlite_master WHERE name = 'vivarium'") is null)
        {
            connection.Execute(SqliteSchema.Create);
            connection.Execute("INSERT INTO vivarium VALUES (1, @0, @1)", cluster, shards);
            for (int i = 0; i < shards; i++)
                connection.Execute("INSERT INTO shards (shard) VALUES (@0)", i);
        }
        int version;
        using (SqliteDataReader row = connection.Prepare("SELECT version, cluster, shards FROM vivarium").ExecuteReader())
        {
            row.Read();
            if ((version = row.GetInt32(0)) > StoreRows.SchemaVersion)
                throw StoreRows.NewerSchema(version);
            if (row.GetString(1) != cluster)
                throw StoreRows.OtherCluster(row.GetString(1), cluster);
            if (row.GetInt32(2) != shards)
                throw StoreRows.OtherShards(row.GetInt32(2), shards);
        }
        Upgrade(connection, version);
        return 0;
    }

    /// <summary>Brings tables of an older version up to date.</summary>
    private static void Upgrade(PreparedConnection connection, int version)
    {
        for (; version < StoreRows.SchemaVersion; version++)
        {
            connection.Execute(SqliteSchema.Upgrades[version - 1]);
            foreach (JobRecord job in version == 1 ? ReadAll(connection, $"SELECT {StoreRows.JobColumns} FROM jobs j") : [])
            {
                if (job.Lifecycle.Spec!.Image is { } image)
                    connection.Execute("UPDATE jobs SET image = @1 WHERE sequence = @0", job.Sequence, image);
            }
            connection.Execute("UPDATE vivarium SET version = @0", version + 1);
        }
    }

    private static AcceptedJob Accept(PreparedConnection connection, NewJob job, byte[] spec)
    {
        byte[] id = Bytes(job.Id);
        int added = connection.Execute(
            """
            INSERT INTO jobs (id, key, shard, state, events, cancel, attempts, failures, losses, name, accepted_at, started_at, ended_at, spec, image)
            VALUES (@0, @1, @2, @3, 1, 0, 0, 0, 0, @4, @5, 0, 0, @6, @7) ON CONFLICT DO NOTHING
            """,
            id, job.Key, job.Shard, (int)JobState.Queued, job.Spec.Name, Now, spec, job.Spec.Image);
        if (added == 0)
        {
            byte[]? known = job.Key is null ? null : (byte[]?)connection.Scalar("SELECT id FROM jobs WHERE key = @0", job.Key);
            return new AcceptedJob(known is null ? job.Id : ReadId(known), false);
        }
        if (job.Spec.Labels.Count > 0)
        {
            object sequence = connection.Scalar("SELECT sequence FROM jobs WHERE id = @0", id)!;
            foreach (KeyValuePair<string, string> label in job.Spec.Labels)
                connection.Execute("INSERT INTO job_labels VALUES (@0, @1)", StoreRows.LabelOf(label), sequence);
        }
        return new AcceptedJob(job.Id, true);
    }

    private static List<ShardLease> Append(PreparedConnection connection, IReadOnlyList<JournalEntry> entries)
    {
        List<ShardLease> refused = [];
        foreach (ShardLease lease in entries.Select(static entry => entry.Lease).Distinct())
        {
            if (connection.Scalar("SELECT 1 FROM shards WHERE shard = @0 AND owner = @1 AND epoch = @2", lease.Shard, lease.Owner, lease.Epoch) is null)
                refused.Add(lease);
        }
        foreach (JobChange change in JobChange.Fold(entries))
        {
            if (!refused.Contains(change.Lease))
                Update(connection, change);
        }
        foreach (JournalEntry entry in entries)
        {
            if (refused.Contains(entry.Lease))
                continue;
            if (entry is JournalEntry.Event happened)
            {
                (WireFormat.EventKind kind, byte[] detail) = WireFormat.Write(happened.Happened);
                connection.Execute(
                    "INSERT INTO journal VALUES (@0, @1, @2, @3, @4) ON CONFLICT DO NOTHING", Bytes(entry.Job), happened.Number, (int)kind, happened.At, detail);
            }
            else if (entry is JournalEntry.Output output)
            {
                connection.Execute(
                    "INSERT INTO output VALUES (@0, @1, @2, @3, @4) ON CONFLICT DO NOTHING",
                    Bytes(entry.Job), output.Attempt, output.Chunk.Offset, (int)output.Chunk.Stream, output.Chunk.Bytes.ToArray());
            }
        }
        return refused;
    }

    private static void Update(PreparedConnection connection, JobChange change)
    {
        JobLifecycle after = change.After;
        connection.Execute(
            """
            UPDATE jobs SET shard = @3, state = @4, events = @2 + @5, cancel = @6, attempts = @7, failures = @8, losses = @9, node = @10,
                started_at = coalesce(@11, started_at), ended_at = coalesce(@12, ended_at), result = @13
            WHERE id = @0 AND shard = @1 AND events = @2
            """,
            Bytes(change.Job), change.Lease.Shard, change.First, change.Shard, (int)after.State, change.Count, after.CancelRequested ? 1 : 0,
            after.Attempts, after.Failures, after.Losses, after.Node, NullFor0(change.StartedAt), NullFor0(change.EndedAt),
            after.Result is null ? null : WireFormat.Write(after.Result));
    }

    private static object? NullFor0(long time) => time == 0 ? null : time;

    private static byte[] Bytes(JobId id) => id.Value.ToByteArray(bigEndian: true);

    private static JobId ReadId(byte[] bytes) => new(new Guid(bytes, bigEndian: true));
}
