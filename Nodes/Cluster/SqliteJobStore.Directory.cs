using Microsoft.Data.Sqlite;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Messages.Wire;

namespace Vivarium.Nodes.Cluster;

/// <summary>What is read, each from a snapshot and beside the writer, and images.</summary>
internal sealed partial class SqliteJobStore
{
    public ValueTask<IReadOnlyList<JobRecord>> ReadQueue(IReadOnlyList<int> shards, int limit)
    {
        // The one node owns all shards but while some are handed over or recovered.
        string which = shards.Count == _shards ? "" : $" AND j.shard IN ({string.Join(',', shards)})";
        return ReadJobs($"SELECT {StoreRows.JobColumns} FROM jobs j WHERE j.state = @0{which} ORDER BY j.sequence LIMIT @1", (int)JobState.Queued, limit);
    }

    public ValueTask<IReadOnlyList<JobRecord>> ReadShard(int shard, JobState state, long afterSequence, int limit) => ReadJobs(
        $"SELECT {StoreRows.JobColumns} FROM jobs j WHERE j.shard = @0 AND j.state = @1 AND j.state < 4 AND j.sequence > @2 ORDER BY j.sequence LIMIT @3",
        shard, (int)state, afterSequence, limit);

    public ValueTask<JobRecord?> Find(JobId job) => Read(connection => Find(connection, job));

    public ValueTask<JobPage> List(JobQuery query) => Read(connection =>
    {
        var statement = new JobListStatement(query, static index => $"@{index}", "job_labels l CROSS JOIN jobs j ON j.sequence = l.sequence", "j.state", static (word, bytes) => $"instr({bytes}, {word})");
        List<JobSummary> found = [.. ReadAll(connection, statement.Text, statement.Parameters).Select(static job => job.Summary)];
        return StoreRows.PageOf(found, query.Limit);
    });

    public ValueTask<IReadOnlyDictionary<JobState, long>> Count(IReadOnlyDictionary<string, string>? labels = null) => Read(connection =>
    {
        object?[] wanted = [.. (labels ?? new Dictionary<string, string>()).Select(StoreRows.LabelOf)];
        string conditions = string.Concat(Enumerable.Range(0, wanted.Length).Select(static i =>
            $"{(i == 0 ? " WHERE" : " AND")} sequence IN (SELECT sequence FROM job_labels WHERE label = @{i})"));
        var counts = new Dictionary<JobState, long>();
        using SqliteDataReader row = connection.Prepare($"SELECT state, count(*) FROM jobs{conditions} GROUP BY state", wanted).ExecuteReader();
        while (row.Read())
            counts.Add((JobState)row.GetInt16(0), row.GetInt64(1));
        return (IReadOnlyDictionary<JobState, long>)counts;
    });

    public ValueTask<IReadOnlyList<RecordedEvent>> ReadJournal(JobId job) => Read(connection =>
    {
        List<RecordedEvent> events = [];
        if (Find(connection, job) is not { } record)
            return (IReadOnlyList<RecordedEvent>)events;
        events.Add(new RecordedEvent(new JobEvent.Accepted(record.Lifecycle.Spec!), record.AcceptedAt));
        using SqliteDataReader row = connection.Prepare("SELECT kind, at, detail FROM journal WHERE job = @0 ORDER BY number", Bytes(job)).ExecuteReader();
        while (row.Read())
        {
            var kind = (WireFormat.EventKind)row.GetInt16(0);
            events.Add(new RecordedEvent(WireFormat.ReadEvent(kind, row.GetFieldValue<byte[]>(2), record.Lifecycle.Spec!, record.Lifecycle.Result), row.GetInt64(1)));
        }
        return events;
    });

    public ValueTask<OutputPage?> ReadOutput(JobId job, int attempt, long offset, int limit) => Read(connection =>
    {
        byte[] id = Bytes(job);
        int latest;
        JobState state;
        using (SqliteDataReader row = connection.Prepare("SELECT attempts, state FROM jobs WHERE id = @0", id).ExecuteReader())
        {
            if (!row.Read())
                return null;
            (latest, state) = (row.GetInt32(0), (JobState)row.GetInt16(1));
        }
        var page = new OutputPageBuilder(latest, latest == attempt ? offset : 0, limit, state);
        using SqliteDataReader chunk = connection.Prepare(
            """
            SELECT position, stream, bytes FROM output WHERE job = @0 AND attempt = @1
                AND position >= coalesce((SELECT max(position) FROM output WHERE job = @0 AND attempt = @1 AND position <= @2), 0) ORDER BY position
            """,
            id, latest, page.Next).ExecuteReader();
        while (chunk.Read() && page.Add(chunk.GetInt64(0), chunk.GetInt16(1), chunk.GetFieldValue<byte[]>(2)))
        {
        }
        return page.Build();
    });

    public ValueTask<ImageRecord?> FindImage(string reference) => Read(connection =>
        ReadImages(connection, "SELECT hash, tag, format, length, created_at FROM images WHERE hash = @0 OR tag = @0", reference).FirstOrDefault());

    public ValueTask<IReadOnlyList<ImageRecord>> ListImages() => Read(static connection =>
        (IReadOnlyList<ImageRecord>)ReadImages(connection, "SELECT hash, tag, format, length, created_at FROM images ORDER BY created_at DESC"));

    public ValueTask<long> BlobLength(string hash) => Read(connection => BlobLength(connection, hash));

    public async ValueTask WriteBlob(string hash, long offset, ReadOnlyMemory<byte> piece)
    {
        byte[] bytes = piece.ToArray();
        await _writer.Write(connection =>
        {
            if (offset == BlobLength(connection, hash))
                connection.Execute("INSERT INTO blobs VALUES (@0, @1, @2, @3)", hash, offset, bytes, Now);
            return 0;
        }).ConfigureAwait(false);
    }

    public ValueTask<ReadOnlyMemory<byte>> ReadBlob(string hash, long offset) => Read(connection =>
        new ReadOnlyMemory<byte>((byte[]?)connection.Scalar("SELECT bytes FROM blobs WHERE hash = @0 AND position = @1", hash, offset)));

    public async ValueTask<bool> PutImage(ImageRecord image) => await _writer.Write(connection =>
    {
        if (BlobLength(connection, image.Hash) != image.Length)
            return false;
        if (image.Tag is not null)
            connection.Execute("UPDATE images SET tag = NULL WHERE tag = @0", image.Tag);
        connection.Execute("INSERT OR REPLACE INTO images VALUES (@0, @1, @2, @3, @4, @5)", image.Hash, image.Tag, image.Format, image.Length, image.CreatedAt, Now);
        return true;
    }).ConfigureAwait(false);

    public async ValueTask<bool> RemoveImage(string hash) => await _writer.Write(connection =>
    {
        connection.Execute("DELETE FROM blobs WHERE hash = @0", hash);
        return connection.Execute("DELETE FROM images WHERE hash = @0", hash) == 1;
    }).ConfigureAwait(false);

    private static long BlobLength(PreparedConnection connection, string hash) =>
        (long)connection.Scalar("SELECT coalesce(sum(length(bytes)), 0) FROM blobs WHERE hash = @0", hash)!;

    private static List<ImageRecord> ReadImages(PreparedConnection connection, string text, params ReadOnlySpan<object?> parameters)
    {
        List<ImageRecord> images = [];
        using SqliteDataReader row = connection.Prepare(text, parameters).ExecuteReader();
        while (row.Read())
            images.Add(new ImageRecord(row.GetString(0), row.IsDBNull(1) ? null : row.GetString(1), row.GetString(2), row.GetInt64(3), row.GetInt64(4)));
        return images;
    }

    private static JobRecord? Find(PreparedConnection connection, JobId job)
    {
        List<JobRecord> found = ReadAll(connection, $"SELECT {StoreRows.JobColumns} FROM jobs j WHERE j.id = @0", Bytes(job));
        return found.Count == 0 ? null : found[0];
    }

    private ValueTask<IReadOnlyList<JobRecord>> ReadJobs(string text, params object?[] parameters) =>
        Read(connection => (IReadOnlyList<JobRecord>)ReadAll(connection, text, parameters));

    private static List<JobRecord> ReadAll(PreparedConnection connection, string text, params ReadOnlySpan<object?> parameters)
    {
        List<JobRecord> jobs = [];
        using SqliteDataReader row = connection.Prepare(text, parameters).ExecuteReader();
        while (row.Read())
            jobs.Add(StoreRows.ReadJob(row, ReadId(row.GetFieldValue<byte[]>(0))));
        return jobs;
    }

    private ValueTask<T> Read<T>(Func<PreparedConnection, T> read)
    {
        PreparedConnection? connection;
        lock (_readers)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            _readers.TryPop(out connection);
        }
        connection ??= new PreparedConnection(_file);
        try
        {
            return new ValueTask<T>(read(connection));
        }
        catch (SqliteException problem)
        {
            throw new StoreUnavailableException($"the store's file cannot be read: {problem.Message}", problem);
        }
        finally
        {
            lock (_readers)
            {
                if (_isDisposed)
                    connection.Dispose();
                else
                    _readers.Push(connection);
            }
        }
    }
}
