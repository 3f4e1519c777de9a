using Npgsql;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Messages.Wire;

namespace Vivarium.Nodes.Cluster;

/// <summary>Suites, traces, and what is removed.</summary>
internal sealed partial class PostgresJobStore
{
    public ValueTask<bool> AddSuite(SuiteRecord suite) => _database.Run(async connection => await Execute(
        connection,
        "INSERT INTO suites (id, name, created_at, runs, round, passed, failed, definition) VALUES ($1, $2, $3, $4, $5, 0, 0, $6) ON CONFLICT DO NOTHING",
        suite.Id, suite.Name, suite.CreatedAt, suite.Runs, suite.Round, suite.Definition).ConfigureAwait(false) == 1);

    public async ValueTask<SuiteRecord?> FindSuite(Guid id) => (await ReadSuites("WHERE id = $1", id).ConfigureAwait(false)).FirstOrDefault();

    public async ValueTask<IReadOnlyList<SuiteRecord>> ListSuites(long? after, int limit) =>
        await ReadSuites("WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2", after ?? long.MaxValue, limit).ConfigureAwait(false);

    public async ValueTask WriteVerdicts(Guid suite, IReadOnlyList<SuiteVerdict> verdicts) => await _database.Run(connection => Execute(
        connection,
        """
        INSERT INTO suite_verdicts SELECT $1, v.number, v.seconds, v.problem, v.detail
        FROM unnest($2::int[], $3::double precision[], $4::text[], $5::bytea[]) v(number, seconds, problem, detail) ON CONFLICT DO NOTHING
        """,
        suite,
        verdicts.Select(static verdict => verdict.Number).ToArray(),
        verdicts.Select(static verdict => verdict.Seconds).ToArray(),
        // A NUL is no text to PostgreSQL.
        verdicts.Select(static verdict => verdict.Problem?.Replace('\0', '?')).ToArray(),
        verdicts.Select(static verdict => verdict.Detail).ToArray())).ConfigureAwait(false);

    public ValueTask<IReadOnlyList<SuiteVerdict>> ReadVerdicts(Guid suite, bool withDetail) => _database.Run(async connection =>
    {
        string detail = withDetail ? "detail" : "''::bytea";
        await using NpgsqlCommand command = Command(connection, $"SELECT number, seconds, problem, {detail} FROM suite_verdicts WHERE suite = $1 ORDER BY number", suite);
        await using NpgsqlDataReader row = await command.ExecuteReaderAsync().ConfigureAwait(false);
        List<SuiteVerdict> verdicts = [];
        while (await row.ReadAsync().ConfigureAwait(false))
            verdicts.Add(StoreRows.ReadVerdict(row));
        return (IReadOnlyList<SuiteVerdict>)verdicts;
    });

    public async ValueTask SetSuite(Guid suite, int round, SuiteEnd? end) => await _database.Run(connection => Execute(
        connection,
        "UPDATE suites SET round = $2, ended_at = $3::bigint, passed = $4, failed = $5 WHERE id = $1", suite, round, end?.At, end?.Passed ?? 0, end?.Failed ?? 0)).ConfigureAwait(false);

    public async ValueTask RemoveSuite(Guid suite) => await _database.Run(connection => Execute(
        connection, "WITH verdicts AS (DELETE FROM suite_verdicts WHERE suite = $1) DELETE FROM suites WHERE id = $1", suite)).ConfigureAwait(false);

    public async ValueTask WriteTrace(JobId job, int attempt, IReadOnlyList<TracePart> parts, int firstKept) => await _database.Run(async connection =>
    {
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(Part(
            """
            INSERT INTO traces SELECT $1, $2, p.number, p.bytes FROM unnest($3::int[], $4::bytea[]) p(number, bytes)
            WHERE EXISTS (SELECT 1 FROM jobs WHERE id = $1) ON CONFLICT (job, attempt, number) DO UPDATE SET bytes = excluded.bytes
            """,
            job.Value, attempt, parts.Select(static part => part.Number).ToArray(), parts.Select(static part => part.Bytes.ToArray()).ToArray()));
        batch.BatchCommands.Add(Part("DELETE FROM traces WHERE job = $1 AND attempt = $2 AND number > 0 AND number < $3", job.Value, attempt, firstKept));
        return await batch.ExecuteNonQueryAsync().ConfigureAwait(false);
    }).ConfigureAwait(false);

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadTrace(JobId job, int attempt) => _database.Run(async connection =>
    {
        await using NpgsqlCommand command = Command(connection, "SELECT bytes FROM traces WHERE job = $1 AND attempt = $2 ORDER BY number", job.Value, attempt);
        await using NpgsqlDataReader row = await command.ExecuteReaderAsync().ConfigureAwait(false);
        List<ReadOnlyMemory<byte>> parts = [];
        while (await row.ReadAsync().ConfigureAwait(false))
            parts.Add(row.GetFieldValue<byte[]>(0));
        return (IReadOnlyList<ReadOnlyMemory<byte>>)parts;
    });

    public async ValueTask RemoveTrace(JobId job, int attempt) => await _database.Run(connection => Execute(
        connection, "DELETE FROM traces WHERE job = $1 AND attempt = $2", job.Value, attempt)).ConfigureAwait(false);

    public ValueTask<int> RemoveJobs(JobsToKeep keep, int limit) => _database.Run(async connection =>
    {
        long tooMany = await Scalar<long>(connection, "SELECT count(*) FROM jobs WHERE state::int IN (4, 5, 6, 7)").ConfigureAwait(false) - keep.Most;
        List<(long Sequence, Guid Id, byte[] Spec)> gone = [];
        // The ended jobs accepted first: those of each state by its index, then of all.
        await using (NpgsqlCommand command = Command(
            connection,
            """
            SELECT j.sequence, j.id, j.ended_at, j.spec FROM (
                SELECT q.sequence FROM (VALUES (4), (5), (6), (7)) s(state) CROSS JOIN LATERAL (
                    SELECT o.sequence FROM jobs o WHERE o.state::int = s.state ORDER BY o.sequence LIMIT $1) q
                ORDER BY q.sequence LIMIT $1) first
            JOIN jobs j ON j.sequence = first.sequence ORDER BY j.sequence
            """,
            limit))
        await using (NpgsqlDataReader row = await command.ExecuteReaderAsync().ConfigureAwait(false))
        {
            for (long i = 0; await row.ReadAsync().ConfigureAwait(false); i++)
            {
                if (i < tooMany || row.GetInt64(2) < keep.EndedBefore)
                    gone.Add((row.GetInt64(0), row.GetGuid(1), row.GetFieldValue<byte[]>(3)));
            }
        }
        return gone.Count == 0 ? 0 : await RemoveJobs(connection, gone).ConfigureAwait(false);
    });

    private static async Task<int> RemoveJobs(NpgsqlConnection connection, List<(long Sequence, Guid Id, byte[] Spec)> gone)
    {
        Guid[] ids = [.. gone.Select(static job => job.Id)];
        List<string> labels = [];
        List<long> sequences = [];
        foreach ((long sequence, _, byte[] spec) in gone)
        {
            foreach (KeyValuePair<string, string> label in WireFormat.ReadSpec(spec).Labels)
            {
                labels.Add(StoreRows.LabelOf(label));
                sequences.Add(sequence);
            }
        }
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(Part(
            "DELETE FROM job_labels l USING unnest($1::text[], $2::bigint[]) g(label, sequence) WHERE l.label = g.label AND l.sequence = g.sequence", labels.ToArray(), sequences.ToArray()));
        batch.BatchCommands.Add(Part("DELETE FROM output WHERE job = ANY ($1)", ids));
        batch.BatchCommands.Add(Part("DELETE FROM traces WHERE job = ANY ($1)", ids));
        batch.BatchCommands.Add(Part("DELETE FROM journal WHERE job = ANY ($1)", ids));
        batch.BatchCommands.Add(Part("DELETE FROM jobs WHERE id = ANY ($1)", ids));
        await batch.ExecuteNonQueryAsync().ConfigureAwait(false);
        return gone.Count;
    }

    public ValueTask<int> RemoveImages(long unusedSince) => _database.Run(async connection =>
    {
        int images = await Execute(
            connection,
            "DELETE FROM images i WHERE i.tag IS NULL AND greatest(i.used_at, i.created_at) < $1 AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.image = i.hash)",
            unusedSince).ConfigureAwait(false);
        // Their pieces, and those of pushes that were given up.
        await Execute(
            connection,
            """
            DELETE FROM blobs b USING (SELECT hash FROM blobs GROUP BY hash HAVING max(written_at) < $1) old
            WHERE b.hash = old.hash AND NOT EXISTS (SELECT 1 FROM images i WHERE i.hash = b.hash)
            """,
            unusedSince).ConfigureAwait(false);
        return images;
    });

    // Its use is written down once an hour: nothing is removed as soon as that.
    public ValueTask<bool> UseImage(string hash) => _database.Run(async connection =>
    {
        await Execute(connection, $"UPDATE images SET used_at = {PostgresSchema.Now} WHERE hash = $1 AND used_at < {PostgresSchema.Now} - 3600000000000", hash).ConfigureAwait(false);
        return await Scalar<long?>(connection, "SELECT used_at FROM images WHERE hash = $1", hash).ConfigureAwait(false) is not null;
    });

    private ValueTask<List<SuiteRecord>> ReadSuites(string rest, params object?[] parameters) => _database.Run(async connection =>
    {
        await using NpgsqlCommand command = Command(connection, $"SELECT {StoreRows.SuiteColumns} FROM suites {rest}", parameters);
        await using NpgsqlDataReader row = await command.ExecuteReaderAsync().ConfigureAwait(false);
        List<SuiteRecord> suites = [];
        while (await row.ReadAsync().ConfigureAwait(false))
            suites.Add(StoreRows.ReadSuite(row, row.GetGuid(0)));
        return suites;
    });
}
