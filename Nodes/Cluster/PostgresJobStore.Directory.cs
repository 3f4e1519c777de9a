using Npgsql;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Messages.Wire;

namespace Vivarium.Nodes.Cluster;

/// <summary>What is read, and images.</summary>
internal sealed partial class PostgresJobStore
{
    public ValueTask<IReadOnlyList<JobRecord>> ReadQueue(IReadOnlyList<int> shards, int limit) => ReadJobs(
        $"""
        SELECT {StoreRows.JobColumns} FROM (
            SELECT q.sequence FROM unnest($1::int[]) s(shard) CROSS JOIN LATERAL (
                SELECT o.sequence FROM jobs o WHERE o.shard = s.shard AND o.state = {(int)JobState.Queued} ORDER BY o.sequence LIMIT $2) q
            ORDER BY q.sequence LIMIT $2) first
        JOIN jobs j ON j.sequence = first.sequence ORDER BY j.sequence
        """,
        shards.ToArray(), limit);

    public ValueTask<IReadOnlyList<JobRecord>> ReadShard(int shard, JobState state, long afterSequence, int limit) => ReadJobs(
        $"SELECT {StoreRows.JobColumns} FROM jobs j WHERE j.shard = $1 AND j.state = {(int)state} AND j.sequence > $2 ORDER BY j.sequence LIMIT $3",
        shard, afterSequence, limit);

    public ValueTask<JobRecord?> Find(JobId job) => _database.Run(connection => Find(connection, job));

    public ValueTask<JobPage> List(JobQuery query) => _database.Run(async connection =>
    {
        // In the labels' order, with each job looked up: OFFSET 0 keeps the planner from turning it round.
        const string LabelledJobs = "job_labels l CROSS JOIN LATERAL (SELECT * FROM jobs o WHERE o.sequence = l.sequence OFFSET 0) j";
        var statement = new JobListStatement(query, static index => $"${index + 1}", LabelledJobs, "j.state::int", static (word, bytes) => $"position({word} IN {bytes})");
        List<JobRecord> jobs = await ReadJobs(connection, statement.Text, statement.Parameters).ConfigureAwait(false);
        return StoreRows.PageOf([.. jobs.Select(static job => job.Summary)], query.Limit);
    });

    public ValueTask<IReadOnlyDictionary<JobState, long>> Count(IReadOnlyDictionary<string, string>? labels = null) => _database.Run(async connection =>
    {
        object?[] wanted = [.. (labels ?? new Dictionary<string, string>()).Select(StoreRows.LabelOf)];
        string conditions = string.Concat(Enumerable.Range(0, wanted.Length).Select(static i =>
            $"{(i == 0 ? " WHERE" : " AND")} sequence IN (SELECT sequence FROM job_labels WHERE label = ${i + 1})"));
        await using NpgsqlCommand command = Command(connection, $"SELECT state, count(*) FROM jobs{conditions} GROUP BY state", wanted);
        await using NpgsqlDataReader row = await command.ExecuteReaderAsync().ConfigureAwait(false);
        var counts = new Dictionary<JobState, long>();
        while (await row.ReadAsync().ConfigureAwait(false))
            counts.Add((JobState)row.GetInt16(0), row.GetInt64(1));
        return (IReadOnlyDictionary<JobState, long>)counts;
    });

    public ValueTask<IReadOnlyList<RecordedEvent>> ReadJournal(JobId job) => _database.Run(async connection =>
    {
        List<RecordedEvent> events = [];
        if (await Find(connection, job).ConfigureAwait(false) is not { } record)
            return (IReadOnlyList<RecordedEvent>)events;
        events.Add(new RecordedEvent(new JobEvent.Accepted(record.Lifecycle.Spec!), record.AcceptedAt));
        await using NpgsqlCommand command = Command(connection, "SELECT kind, at, detail FROM journal WHERE job = $1 AND number < $2 ORDER BY number", job.Value, record.Events);
        await using NpgsqlDataReader row = await command.ExecuteReaderAsync().ConfigureAwait(false);
        while (await row.ReadAsync().ConfigureAwait(false))
        {
            var kind = (WireFormat.EventKind)row.GetInt16(0);
            events.Add(new RecordedEvent(WireFormat.ReadEvent(kind, row.GetFieldValue<byte[]>(2), record.Lifecycle.Spec!, record.Lifecycle.Result), row.GetInt64(1)));
        }
        return events;
    });

    public ValueTask<OutputPage?> ReadOutput(JobId job, int attempt, long offset, int limit) => _database.Run(async connection =>
    {
        // One statement is one snapshot: state and output belong together.
        await using NpgsqlCommand command = Command(
            connection,
            """
            SELECT j.attempts, j.state, o.position, o.stream, o.bytes FROM jobs j
            LEFT JOIN output o ON o.job = j.id AND o.attempt = j.attempts AND o.position >= coalesce((
                SELECT max(b.position) FROM output b WHERE b.job = j.id AND b.attempt = j.attempts
                    AND b.position <= CASE WHEN j.attempts = $2 THEN $3 ELSE 0 END), 0)
            WHERE j.id = $1 ORDER BY o.position LIMIT $4
            """,
            job.Value, attempt, offset, PageChunks);
        await using NpgsqlDataReader row = await command.ExecuteReaderAsync().ConfigureAwait(false);
        OutputPageBuilder? page = null;
        while (await row.ReadAsync().ConfigureAwait(false))
        {
            int latest = row.GetInt32(0);
            page ??= new OutputPageBuilder(latest, latest == attempt ? offset : 0, limit, (JobState)row.GetInt16(1));
            if (row.IsDBNull(2) || !page.Add(row.GetInt64(2), row.GetInt16(3), row.GetFieldValue<byte[]>(4)))
                break;
        }
        return page?.Build();
    });

    /// <summary>Chunks of a page at most: they may be small, and a page is read in whole.</summary>
    private const int PageChunks = 1000;

    public ValueTask<ImageRecord?> FindImage(string reference) => _database.Run(async connection =>
        (await ReadImages(connection, "WHERE hash = $1 OR tag = $1", reference).ConfigureAwait(false)).FirstOrDefault());

    public ValueTask<IReadOnlyList<ImageRecord>> ListImages() => _database.Run(async connection =>
        (IReadOnlyList<ImageRecord>)await ReadImages(connection, "ORDER BY created_at DESC").ConfigureAwait(false));

    public ValueTask<long> BlobLength(string hash) => _database.Run(connection => BlobLength(connection, hash));

    public async ValueTask WriteBlob(string hash, long offset, ReadOnlyMemory<byte> piece) => await _database.Run(async connection =>
    {
        if (offset != await BlobLength(connection, hash).ConfigureAwait(false))
            return 0;
        return await Execute(connection, $"INSERT INTO blobs VALUES ($1, $2, $3, {PostgresSchema.Now}) ON CONFLICT DO NOTHING", hash, offset, piece.ToArray()).ConfigureAwait(false);
    }).ConfigureAwait(false);

    public ValueTask<ReadOnlyMemory<byte>> ReadBlob(string hash, long offset) => _database.Run(async connection =>
        new ReadOnlyMemory<byte>(await Scalar<byte[]?>(connection, "SELECT bytes FROM blobs WHERE hash = $1 AND position = $2", hash, offset).ConfigureAwait(false)));

    public ValueTask<bool> PutImage(ImageRecord image) => _database.Run(async connection =>
    {
        if (await BlobLength(connection, image.Hash).ConfigureAwait(false) != image.Length)
            return false;
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(Part("UPDATE images SET tag = NULL WHERE tag = $1::text AND hash <> $2", image.Tag, image.Hash));
        batch.BatchCommands.Add(Part(
            $"INSERT INTO images VALUES ($1, $2::text, $3, $4, $5, {PostgresSchema.Now}) ON CONFLICT (hash) DO UPDATE SET tag = $2::text, format = $3, created_at = $5, used_at = {PostgresSchema.Now}",
            image.Hash, image.Tag, image.Format, image.Length, image.CreatedAt));
        await batch.ExecuteNonQueryAsync().ConfigureAwait(false);
        return true;
    });

    public ValueTask<bool> RemoveImage(string hash) => _database.Run(async connection =>
    {
        await Execute(connection, "DELETE FROM blobs WHERE hash = $1", hash).ConfigureAwait(false);
        return await Execute(connection, "DELETE FROM images WHERE hash = $1", hash).ConfigureAwait(false) == 1;
    });

    private static Task<long> BlobLength(NpgsqlConnection connection, string hash) =>
        Scalar<long>(connection, "SELECT coalesce(sum(length(bytes)), 0)::bigint FROM blobs WHERE hash = $1", hash);

    private static async Task<List<ImageRecord>> ReadImages(NpgsqlConnection connection, string rest, params object?[] parameters)
    {
        await using NpgsqlCommand command = Command(connection, "SELECT hash, tag, format, length, created_at FROM images " + rest, parameters);
        await using NpgsqlDataReader row = await command.ExecuteReaderAsync().ConfigureAwait(false);
        List<ImageRecord> images = [];
        while (await row.ReadAsync().ConfigureAwait(false))
            images.Add(new ImageRecord(row.GetString(0), row.IsDBNull(1) ? null : row.GetString(1), row.GetString(2), row.GetInt64(3), row.GetInt64(4)));
        return images;
    }

    private static async Task<JobRecord?> Find(NpgsqlConnection connection, JobId job)
    {
        List<JobRecord> found = await ReadJobs(connection, $"SELECT {StoreRows.JobColumns} FROM jobs j WHERE j.id = $1", job.Value).ConfigureAwait(false);
        return found.Count == 0 ? null : found[0];
    }

    private ValueTask<IReadOnlyList<JobRecord>> ReadJobs(string text, params object?[] parameters) =>
        _database.Run(async connection => (IReadOnlyList<JobRecord>)await ReadJobs(connection, text, parameters).ConfigureAwait(false));

    private static async Task<List<JobRecord>> ReadJobs(NpgsqlConnection connection, string text, params object?[] parameters)
    {
        await using NpgsqlCommand command = Command(connection, text, parameters);
        await using NpgsqlDataReader row = await command.ExecuteReaderAsync().ConfigureAwait(false);
        List<JobRecord> jobs = [];
        while (await row.ReadAsync().ConfigureAwait(false))
            jobs.Add(StoreRows.ReadJob(row, new JobId(row.GetGuid(0))));
        return jobs;
    }
}
