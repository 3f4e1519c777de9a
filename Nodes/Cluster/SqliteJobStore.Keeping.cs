using Microsoft.Data.Sqlite;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Messages.Wire;

namespace Vivarium.Nodes.Cluster;

/// <summary>Suites, traces, and what is removed.</summary>
internal sealed partial class SqliteJobStore
{
    public async ValueTask<bool> AddSuite(SuiteRecord suite) => await _writer.Write(connection => connection.Execute(
        "INSERT INTO suites (id, name, created_at, runs, round, passed, failed, definition) VALUES (@0, @1, @2, @3, @4, 0, 0, @5) ON CONFLICT DO NOTHING",
        Bytes(suite.Id), suite.Name, suite.CreatedAt, suite.Runs, suite.Round, suite.Definition) == 1).ConfigureAwait(false);

    public ValueTask<SuiteRecord?> FindSuite(Guid id) => Read(connection =>
        ReadSuites(connection, $"SELECT {StoreRows.SuiteColumns} FROM suites WHERE id = @0", Bytes(id)).FirstOrDefault());

    public ValueTask<IReadOnlyList<SuiteRecord>> ListSuites(long? after, int limit) => Read(connection =>
        (IReadOnlyList<SuiteRecord>)ReadSuites(connection, $"SELECT {StoreRows.SuiteColumns} FROM suites WHERE sequence < @0 ORDER BY sequence DESC LIMIT @1", after ?? long.MaxValue, limit));

    public async ValueTask WriteVerdicts(Guid suite, IReadOnlyList<SuiteVerdict> verdicts) => await _writer.Write(connection =>
    {
        foreach (SuiteVerdict verdict in verdicts)
        {
            connection.Execute(
                "INSERT INTO suite_verdicts VALUES (@0, @1, @2, @3, @4) ON CONFLICT DO NOTHING", Bytes(suite), verdict.Number, verdict.Seconds, verdict.Problem, verdict.Detail);
        }
        return 0;
    }).ConfigureAwait(false);

    public ValueTask<IReadOnlyList<SuiteVerdict>> ReadVerdicts(Guid suite, bool withDetail) => Read(connection =>
    {
        List<SuiteVerdict> verdicts = [];
        string detail = withDetail ? "detail" : "x''";
        using SqliteDataReader row = connection.Prepare($"SELECT number, seconds, problem, {detail} FROM suite_verdicts WHERE suite = @0 ORDER BY number", Bytes(suite)).ExecuteReader();
        while (row.Read())
            verdicts.Add(StoreRows.ReadVerdict(row));
        return (IReadOnlyList<SuiteVerdict>)verdicts;
    });

    public async ValueTask SetSuite(Guid suite, int round, SuiteEnd? end) => await _writer.Write(connection => connection.Execute(
        "UPDATE suites SET round = @1, ended_at = @2, passed = @3, failed = @4 WHERE id = @0", Bytes(suite), round, end?.At, end?.Passed ?? 0, end?.Failed ?? 0)).ConfigureAwait(false);

    public async ValueTask RemoveSuite(Guid suite) => await _writer.Write(connection =>
    {
        connection.Execute("DELETE FROM suite_verdicts WHERE suite = @0", Bytes(suite));
        return connection.Execute("DELETE FROM suites WHERE id = @0", Bytes(suite));
    }).ConfigureAwait(false);

    public async ValueTask WriteTrace(JobId job, int attempt, IReadOnlyList<TracePart> parts, int firstKept) => await _writer.Write(connection =>
    {
        byte[] id = Bytes(job.Value);
        foreach (TracePart part in parts)
        {
            connection.Execute(
                "INSERT INTO traces SELECT @0, @1, @2, @3 WHERE EXISTS (SELECT 1 FROM jobs WHERE id = @0) ON CONFLICT (job, attempt, number) DO UPDATE SET bytes = excluded.bytes",
                id, attempt, part.Number, part.Bytes.ToArray());
        }
        return connection.Execute("DELETE FROM traces WHERE job = @0 AND attempt = @1 AND number > 0 AND number < @2", id, attempt, firstKept);
    }).ConfigureAwait(false);

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>>> ReadTrace(JobId job, int attempt) => Read(connection =>
    {
        List<ReadOnlyMemory<byte>> parts = [];
        using SqliteDataReader row = connection.Prepare("SELECT bytes FROM traces WHERE job = @0 AND attempt = @1 ORDER BY number", Bytes(job.Value), attempt).ExecuteReader();
        while (row.Read())
            parts.Add(row.GetFieldValue<byte[]>(0));
        return (IReadOnlyList<ReadOnlyMemory<byte>>)parts;
    });

    public async ValueTask RemoveTrace(JobId job, int attempt) => await _writer.Write(connection =>
        connection.Execute("DELETE FROM traces WHERE job = @0 AND attempt = @1", Bytes(job.Value), attempt)).ConfigureAwait(false);

    public async ValueTask<int> RemoveJobs(JobsToKeep keep, int limit) => await _writer.Write(connection =>
    {
        long tooMany = (long)connection.Scalar("SELECT count(*) FROM jobs WHERE state IN (4, 5, 6, 7)")! - keep.Most;
        List<(long Sequence, byte[] Id, byte[] Spec)> gone = [];
        // The ended jobs accepted first: those of each state by its index, then of all.
        using (SqliteDataReader row = connection.Prepare(
            $"""
            WITH first AS (
                SELECT sequence FROM (SELECT sequence FROM jobs WHERE state = 4 ORDER BY sequence LIMIT @0) UNION ALL
                SELECT sequence FROM (SELECT sequence FROM jobs WHERE state = 5 ORDER BY sequence LIMIT @0) UNION ALL
                SELECT sequence FROM (SELECT sequence FROM jobs WHERE state = 6 ORDER BY sequence LIMIT @0) UNION ALL
                SELECT sequence FROM (SELECT sequence FROM jobs WHERE state = 7 ORDER BY sequence LIMIT @0))
            SELECT j.sequence, j.id, j.ended_at, j.spec FROM (SELECT sequence FROM first ORDER BY sequence LIMIT @0) f JOIN jobs j ON j.sequence = f.sequence ORDER BY 1
            """,
            limit).ExecuteReader())
        {
            for (long i = 0; row.Read(); i++)
            {
                if (i < tooMany || row.GetInt64(2) < keep.EndedBefore)
                    gone.Add((row.GetInt64(0), row.GetFieldValue<byte[]>(1), row.GetFieldValue<byte[]>(3)));
            }
        }
        foreach ((long sequence, byte[] id, byte[] spec) in gone)
        {
            foreach (KeyValuePair<string, string> label in WireFormat.ReadSpec(spec).Labels)
                connection.Execute("DELETE FROM job_labels WHERE label = @0 AND sequence = @1", StoreRows.LabelOf(label), sequence);
            connection.Execute("DELETE FROM output WHERE job = @0", id);
            connection.Execute("DELETE FROM traces WHERE job = @0", id);
            connection.Execute("DELETE FROM journal WHERE job = @0", id);
            connection.Execute("DELETE FROM jobs WHERE sequence = @0", sequence);
        }
        return gone.Count;
    }).ConfigureAwait(false);

    public async ValueTask<int> RemoveImages(long unusedSince) => await _writer.Write(connection =>
    {
        int images = connection.Execute(
            "DELETE FROM images WHERE tag IS NULL AND max(used_at, created_at) < @0 AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.image = images.hash)", unusedSince);
        // Their pieces, and those of pushes that were given up.
        connection.Execute("DELETE FROM blobs WHERE hash IN (SELECT hash FROM blobs GROUP BY hash HAVING max(written_at) < @0) AND hash NOT IN (SELECT hash FROM images)", unusedSince);
        return images;
    }).ConfigureAwait(false);

    public async ValueTask<bool> UseImage(string hash)
    {
        // Its use is written down once an hour: nothing is removed as soon as that.
        const long fineness = 3600L * 1_000_000_000;
        long? used = await Read(connection => (long?)connection.Scalar("SELECT used_at FROM images WHERE hash = @0", hash)).ConfigureAwait(false);
        return used is { } time && (time >= Now - fineness
            || await _writer.Write(connection => connection.Execute("UPDATE images SET used_at = @1 WHERE hash = @0", hash, Now)).ConfigureAwait(false) == 1);
    }

    private static List<SuiteRecord> ReadSuites(PreparedConnection connection, string text, params ReadOnlySpan<object?> parameters)
    {
        List<SuiteRecord> suites = [];
        using SqliteDataReader row = connection.Prepare(text, parameters).ExecuteReader();
        while (row.Read())
            suites.Add(StoreRows.ReadSuite(row, new Guid(row.GetFieldValue<byte[]>(0), bigEndian: true)));
        return suites;
    }

    private static byte[] Bytes(Guid id) => id.ToByteArray(bigEndian: true);
}
