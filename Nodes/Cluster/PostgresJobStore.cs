using Npgsql;
using Vivarium.Actors.Jobs;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Messages.Wire;

namespace Vivarium.Nodes.Cluster;

/// <summary>The store of a cluster of several nodes, in PostgreSQL. A batch is one transaction and one journey.</summary>
internal sealed partial class PostgresJobStore : IJobStore
{
    private readonly PostgresAccess _database;
    private readonly PostgresListener _listener;
    private readonly int _shards;

    private PostgresJobStore(PostgresAccess database, int shards)
    {
        _database = database;
        _shards = shards;
        _listener = new PostgresListener(database, HearQueued, job => Changed?.Invoke(job));
    }

    public event Action<int>? Queued;

    public event Action<JobId>? Changed;

    /// <summary>Opens a cluster's database, making the tables when there are none.</summary>
    /// <param name="address">As in postgres://USER:PASSWORD@HOST/DATABASE.</param>
    /// <exception cref="StoreRefusedException">It cannot be used.</exception>
    /// <exception cref="StoreUnavailableException">It does not answer.</exception>
    public static async Task<PostgresJobStore> Open(string address, string cluster, int shards)
    {
        var database = new PostgresAccess(address);
        try
        {
            await database.Run(connection => Check(connection, cluster, shards)).ConfigureAwait(false);
            return new PostgresJobStore(database, shards);
        }
        catch (PostgresException refusal)
        {
            await database.DisposeAsync().ConfigureAwait(false);
            throw new StoreRefusedException($"the database cannot be used: {refusal.MessageText}");
        }
        catch
        {
            await database.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public ValueTask<long> Join(NodeDescription node) => _database.Run(connection => Scalar<long>(
        connection,
        $"""
        INSERT INTO nodes VALUES ($1, 1, 0, 0, false, false, {PostgresSchema.Now}, $2)
        ON CONFLICT (name) DO UPDATE SET incarnation = nodes.incarnation + 1, beat = 0, running = 0, draining = false, gone = false,
            seen_at = {PostgresSchema.Now}, description = $2
        RETURNING incarnation
        """,
        node.Name, WireFormat.Write(node)));

    public ValueTask<bool> Renew(string node, long incarnation, NodeLoad load) => _database.Run(async connection => await Execute(
        connection,
        $"UPDATE nodes SET beat = beat + 1, running = $3, draining = $4, seen_at = {PostgresSchema.Now} WHERE name = $1 AND incarnation = $2",
        node, incarnation, load.Running, load.IsDraining).ConfigureAwait(false) == 1);

    public ValueTask<ClusterView> Observe() => _database.Run(static async connection =>
    {
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand("SELECT shard, owner, epoch FROM shards ORDER BY shard"),
                new NpgsqlBatchCommand("SELECT name, incarnation, beat, running, draining, gone, seen_at, description FROM nodes ORDER BY name"),
            },
        };
        await using NpgsqlDataReader row = await batch.ExecuteReaderAsync().ConfigureAwait(false);
        List<ShardLease> shards = await ReadLeases(row).ConfigureAwait(false);
        await row.NextResultAsync().ConfigureAwait(false);
        List<NodeRecord> nodes = [];
        while (await row.ReadAsync().ConfigureAwait(false))
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
        return new ClusterView(nodes, shards);
    });

    // Rows that a dying owner's transaction holds are left for the next time.
    public ValueTask<IReadOnlyList<ShardLease>> Take(string node, long incarnation, IReadOnlyList<ShardLease> observed) => _database.Run(async connection =>
    {
        await using NpgsqlCommand command = Command(
            connection,
            """
            WITH mine AS (
                SELECT s.shard FROM shards s JOIN unnest($3::int[], $4::text[], $5::bigint[]) o(shard, owner, epoch)
                    ON s.shard = o.shard AND s.owner = o.owner AND s.epoch = o.epoch
                WHERE EXISTS (SELECT 1 FROM nodes WHERE name = $1 AND incarnation = $2)
                ORDER BY s.shard FOR UPDATE OF s SKIP LOCKED)
            UPDATE shards s SET owner = $1, epoch = s.epoch + 1 FROM mine WHERE s.shard = mine.shard
            RETURNING s.shard, s.owner, s.epoch
            """,
            [node, incarnation, .. LeaseArrays(observed)]);
        await using NpgsqlDataReader row = await command.ExecuteReaderAsync().ConfigureAwait(false);
        return (IReadOnlyList<ShardLease>)await ReadLeases(row).ConfigureAwait(false);
    });

    public async ValueTask Release(IReadOnlyList<ShardLease> leases) => await _database.Run(connection => Execute(
        connection,
        """
        UPDATE shards s SET owner = '' FROM unnest($1::int[], $2::text[], $3::bigint[]) o(shard, owner, epoch)
        WHERE s.shard = o.shard AND s.owner = o.owner AND s.epoch = o.epoch
        """,
        LeaseArrays(leases))).ConfigureAwait(false);

    public async ValueTask Leave(string node, long incarnation) => await _database.Run(connection => Execute(
        connection,
        """
        WITH left_now AS (UPDATE nodes SET gone = true WHERE name = $1 AND incarnation = $2 RETURNING name)
        UPDATE shards SET owner = '' FROM left_now WHERE owner = left_now.name
        """,
        node, incarnation)).ConfigureAwait(false);

    public async ValueTask DisposeAsync()
    {
        await _listener.DisposeAsync().ConfigureAwait(false);
        await _database.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task<int> Check(NpgsqlConnection connection, string cluster, int shards)
    {
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync().ConfigureAwait(false);
        // Nodes that start together make the tables once.
        await Execute(connection, "SELECT pg_advisory_xact_lock(7402)").ConfigureAwait(false);
        bool isNew = await Scalar<string?>(connection, "SELECT to_regclass('vivarium')::text").ConfigureAwait(false) is null;
        if (isNew)
        {
            await Execute(connection, PostgresSchema.Create).ConfigureAwait(false);
            await Execute(connection, "INSERT INTO vivarium VALUES (1, $1, $2)", cluster, shards).ConfigureAwait(false);
            await Execute(connection, "INSERT INTO shards (shard) SELECT generate_series(0, $1 - 1)", shards).ConfigureAwait(false);
        }
        int version;
        await using (NpgsqlCommand command = Command(connection, "SELECT version, cluster, shards FROM vivarium"))
        await using (NpgsqlDataReader row = await command.ExecuteReaderAsync().ConfigureAwait(false))
        {
            await row.ReadAsync().ConfigureAwait(false);
            if ((version = row.GetInt32(0)) > StoreRows.SchemaVersion)
                throw StoreRows.NewerSchema(version);
            if (row.GetString(1) != cluster)
                throw StoreRows.OtherCluster(row.GetString(1), cluster);
            if (row.GetInt32(2) != shards)
                throw StoreRows.OtherShards(row.GetInt32(2), shards);
        }
        await Upgrade(connection, version).ConfigureAwait(false);
        await transaction.CommitAsync().ConfigureAwait(false);
        return 0;
    }

    /// <summary>Brings tables of an older version up to date.</summary>
    private static async Task Upgrade(NpgsqlConnection connection, int version)
    {
        for (; version < StoreRows.SchemaVersion; version++)
        {
            await Execute(connection, PostgresSchema.Upgrades[version - 1]).ConfigureAwait(false);
            foreach (JobRecord job in version == 1 ? await ReadJobs(connection, $"SELECT {StoreRows.JobColumns} FROM jobs j").ConfigureAwait(false) : [])
            {
                if (job.Lifecycle.Spec!.Image is { } image)
                    await Execute(connection, "UPDATE jobs SET image = $2 WHERE sequence = $1", job.Sequence, image).ConfigureAwait(false);
            }
            await Execute(connection, "UPDATE vivarium SET version = $1", version + 1).ConfigureAwait(false);
        }
    }

    private void HearQueued(int shard)
    {
        for (int i = 0; i < _shards; i++)
        {
            if (shard < 0 || shard == i)
                Queued?.Invoke(i);
        }
    }

    private static object[] LeaseArrays(IReadOnlyList<ShardLease> leases) =>
    [
        leases.Select(static lease => lease.Shard).ToArray(),
        leases.Select(static lease => lease.Owner).ToArray(),
        leases.Select(static lease => lease.Epoch).ToArray(),
    ];

    private static async Task<List<ShardLease>> ReadLeases(NpgsqlDataReader row)
    {
        List<ShardLease> leases = [];
        while (await row.ReadAsync().ConfigureAwait(false))
            leases.Add(new ShardLease(row.GetInt32(0), row.GetString(1), row.GetInt64(2)));
        return leases;
    }

    private static NpgsqlCommand Command(NpgsqlConnection connection, string text, params ReadOnlySpan<object?> parameters)
    {
        var command = new NpgsqlCommand(text, connection);
        foreach (object? parameter in parameters)
            command.Parameters.Add(new NpgsqlParameter { Value = parameter ?? DBNull.Value });
        return command;
    }

    private static NpgsqlBatchCommand Part(string text, params ReadOnlySpan<object?> parameters)
    {
        var command = new NpgsqlBatchCommand(text);
        foreach (object? parameter in parameters)
            command.Parameters.Add(new NpgsqlParameter { Value = parameter ?? DBNull.Value });
        return command;
    }

    private static async Task<int> Execute(NpgsqlConnection connection, string text, params object?[] parameters)
    {
        await using NpgsqlCommand command = Command(connection, text, parameters);
        return await command.ExecuteNonQueryAsync().ConfigureAwait(false);
    }

    private static async Task<T> Scalar<T>(NpgsqlConnection connection, string text, params object?[] parameters)
    {
        await using NpgsqlCommand command = Command(connection, text, parameters);
        object? value = await command.ExecuteScalarAsync().ConfigureAwait(false);
        return value is null or DBNull ? default! : (T)value;
    }
}
