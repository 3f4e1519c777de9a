using Npgsql;
using NpgsqlTypes;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Messages.Wire;

namespace Vivarium.Nodes.Cluster;

/// <summary>What is written of jobs.</summary>
internal sealed partial class PostgresJobStore
{
    /// <summary>The leases of a batch that still hold, by their place in its first three arrays.</summary>
    private const string ValidLeases = """
        WITH valid AS (
            SELECT l.place, l.shard FROM unnest($1::int[], $2::text[], $3::bigint[]) WITH ORDINALITY l(shard, owner, epoch, place)
            JOIN shards s ON s.shard = l.shard AND s.owner = l.owner AND s.epoch = l.epoch)

        """;

    public async ValueTask<IReadOnlyList<AcceptedJob>> Accept(IReadOnlyList<NewJob> jobs)
    {
        AcceptedJob[] accepted = await _database.Run(connection => Accept(connection, jobs)).ConfigureAwait(false);
        foreach (int shard in Shards(jobs))
            Queued?.Invoke(shard);
        return accepted;
    }

    public async ValueTask<IReadOnlyList<ShardLease>> Append(IReadOnlyList<JournalEntry> entries)
    {
        List<ShardLease> refused = [];
        foreach (IReadOnlyList<JournalEntry> part in JobChange.Split(entries))
        {
            List<JobChange> changes = JobChange.Fold(part);
            int[] queued = [.. changes.Where(static change => change.After.State == JobState.Queued).Select(static change => change.Shard).Distinct()];
            JobId[] jobs = [.. part.Select(static entry => entry.Job).Distinct()];
            refused.AddRange(await _database.Run(connection => Append(connection, part, changes, queued, jobs)).ConfigureAwait(false));
            foreach (JobId job in jobs)
                Changed?.Invoke(job);
            foreach (int shard in queued)
                Queued?.Invoke(shard);
        }
        return refused;
    }

    private static IEnumerable<int> Shards(IReadOnlyList<NewJob> jobs) => jobs.Select(static job => job.Shard).Distinct();

    private async Task<AcceptedJob[]> Accept(NpgsqlConnection connection, IReadOnlyList<NewJob> jobs)
    {
        await using var batch = new NpgsqlBatch(connection);
        batch.BatchCommands.Add(Part(
            $"""
            WITH added AS (
                INSERT INTO jobs (id, key, shard, state, events, cancel, attempts, failures, losses, name, accepted_at, started_at, ended_at, spec, image)
                SELECT n.id, n.key, n.shard, {(int)JobState.Queued}, 1, false, 0, 0, 0, n.name, {PostgresSchema.Now}, 0, 0, n.spec, n.image
                FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::bytea[], $6::text[]) n(id, key, shard, name, spec, image)
                ON CONFLICT DO NOTHING RETURNING id, sequence),
            labelled AS (
                INSERT INTO job_labels SELECT l.label, a.sequence FROM unnest($7::uuid[], $8::text[]) l(id, label) JOIN added a ON a.id = l.id)
            SELECT id FROM added
            """,
            jobs.Select(static job => job.Id.Value).ToArray(),
            jobs.Select(static job => job.Key).ToArray(),
            jobs.Select(static job => job.Shard).ToArray(),
            jobs.Select(static job => job.Spec.Name).ToArray(),
            jobs.Select(static job => WireFormat.Write(job.Spec)).ToArray(),
            jobs.Select(static job => job.Spec.Image).ToArray(),
            jobs.SelectMany(static job => job.Spec.Labels.Select(_ => job.Id.Value)).ToArray(),
            jobs.SelectMany(static job => job.Spec.Labels.Select(StoreRows.LabelOf)).ToArray()));
        if (_listener.Tell([.. Shards(jobs)], []) is { } notice)
            batch.BatchCommands.Add(notice);
        HashSet<Guid> added = [];
        await using (NpgsqlDataReader row = await batch.ExecuteReaderAsync().ConfigureAwait(false))
        {
            while (await row.ReadAsync().ConfigureAwait(false))
                added.Add(row.GetGuid(0));
        }
        Dictionary<string, Guid> known = added.Count == jobs.Count ? [] : await FindKeys(connection, jobs).ConfigureAwait(false);
        var accepted = new AcceptedJob[jobs.Count];
        for (int i = 0; i < accepted.Length; i++)
        {
            NewJob job = jobs[i];
            bool isNew = added.Remove(job.Id.Value);
            accepted[i] = !isNew && job.Key is not null && known.TryGetValue(job.Key, out Guid first)
                ? new AcceptedJob(new JobId(first), false)
                : new AcceptedJob(job.Id, isNew);
        }
        return accepted;
    }

    private static async Task<Dictionary<string, Guid>> FindKeys(NpgsqlConnection connection, IReadOnlyList<NewJob> jobs)
    {
        string[] keys = [.. jobs.Select(static job => job.Key).OfType<string>()];
        await using NpgsqlCommand command = Command(connection, "SELECT key, id FROM jobs WHERE key = ANY ($1)", [keys]);
        await using NpgsqlDataReader row = await command.ExecuteReaderAsync().ConfigureAwait(false);
        var known = new Dictionary<string, Guid>();
        while (await row.ReadAsync().ConfigureAwait(false))
            known.Add(row.GetString(0), row.GetGuid(1));
        return known;
    }

    private async Task<IReadOnlyList<ShardLease>> Append(
        NpgsqlConnection connection, IReadOnlyList<JournalEntry> entries, List<JobChange> changes, int[] queued, JobId[] jobs)
    {
        ShardLease[] leases = [.. entries.Select(static entry => entry.Lease).Distinct()];
        var places = new Dictionary<ShardLease, int>();
        for (int i = 0; i < leases.Length; i++)
            places.Add(leases[i], i + 1);
        object[] fence = LeaseArrays(leases);
        await using var batch = new NpgsqlBatch(connection);
        // The rows stay locked until the end: nobody takes a shard while something is written under its lease.
        batch.BatchCommands.Add(Part(
            """
            SELECT l.place::int FROM unnest($1::int[], $2::text[], $3::bigint[]) WITH ORDINALITY l(shard, owner, epoch, place)
            JOIN shards s ON s.shard = l.shard AND s.owner = l.owner AND s.epoch = l.epoch ORDER BY s.shard FOR SHARE OF s
            """,
            fence));
        if (changes.Count > 0)
            AddChanges(batch, fence, places, changes, entries);
        AddOutput(batch, fence, places, entries);
        if (_listener.Tell(queued, jobs) is { } notice)
            batch.BatchCommands.Add(notice);
        List<ShardLease> refused = [.. leases];
        await using NpgsqlDataReader row = await batch.ExecuteReaderAsync().ConfigureAwait(false);
        while (await row.ReadAsync().ConfigureAwait(false))
            refused.Remove(leases[row.GetInt32(0) - 1]);
        // Errors of later commands show when their results are reached.
        while (await row.NextResultAsync().ConfigureAwait(false))
        {
        }
        return refused;
    }

    private static void AddChanges(
        NpgsqlBatch batch, object[] fence, Dictionary<ShardLease, int> places, List<JobChange> changes, IReadOnlyList<JournalEntry> entries)
    {
        NpgsqlBatchCommand update = Part(
            ValidLeases +
            """
            UPDATE jobs j SET shard = c.shard, state = c.state, events = c.first + c.count, cancel = c.cancel, attempts = c.attempts,
                failures = c.failures, losses = c.losses, node = c.node, started_at = coalesce(c.started_at, j.started_at),
                ended_at = coalesce(c.ended_at, j.ended_at), result = c.result
            FROM unnest($4::int[], $5::uuid[], $6::int[], $7::int[], $8::int[], $9::smallint[], $10::boolean[], $11::int[], $12::int[], $13::int[],
                $14::text[], $15::bigint[], $16::bigint[], $17::bytea[])
                c(place, id, first, count, shard, state, cancel, attempts, failures, losses, node, started_at, ended_at, result)
            JOIN valid v ON v.place = c.place
            WHERE j.id = c.id AND j.events = c.first AND j.shard = v.shard
            """,
            fence);
        Add(update, changes.Select(change => places[change.Lease]));
        Add(update, changes.Select(static change => change.Job.Value));
        Add(update, changes.Select(static change => change.First));
        Add(update, changes.Select(static change => change.Count));
        Add(update, changes.Select(static change => change.Shard));
        Add(update, changes.Select(static change => (short)change.After.State));
        Add(update, changes.Select(static change => change.After.CancelRequested));
        Add(update, changes.Select(static change => change.After.Attempts));
        Add(update, changes.Select(static change => change.After.Failures));
        Add(update, changes.Select(static change => change.After.Losses));
        Add(update, changes.Select(static change => change.After.Node));
        Add(update, changes.Select(static change => change.StartedAt == 0 ? (long?)null : change.StartedAt));
        Add(update, changes.Select(static change => change.EndedAt == 0 ? (long?)null : change.EndedAt));
        Add(update, changes.Select(static change => change.After.Result is { } result ? WireFormat.Write(result) : null));
        batch.BatchCommands.Add(update);

        JournalEntry.Event[] events = [.. entries.OfType<JournalEntry.Event>()];
        (WireFormat.EventKind Kind, byte[] Detail)[] written = [.. events.Select(static happened => WireFormat.Write(happened.Happened))];
        NpgsqlBatchCommand journal = Part(
            ValidLeases +
            """
            INSERT INTO journal SELECT e.job, e.number, e.kind, e.at, e.detail
            FROM unnest($4::int[], $5::uuid[], $6::int[], $7::smallint[], $8::bigint[], $9::bytea[]) e(place, job, number, kind, at, detail)
            JOIN valid v ON v.place = e.place ON CONFLICT DO NOTHING
            """,
            fence);
        Add(journal, events.Select(happened => places[happened.Lease]));
        Add(journal, events.Select(static happened => happened.Job.Value));
        Add(journal, events.Select(static happened => happened.Number));
        Add(journal, written.Select(static happened => (short)happened.Kind));
        Add(journal, events.Select(static happened => happened.At));
        Add(journal, written.Select(static happened => happened.Detail));
        batch.BatchCommands.Add(journal);
    }

    private static void AddOutput(NpgsqlBatch batch, object[] fence, Dictionary<ShardLease, int> places, IReadOnlyList<JournalEntry> entries)
    {
        JournalEntry.Output[] chunks = [.. entries.OfType<JournalEntry.Output>()];
        if (chunks.Length == 0)
            return;
        NpgsqlBatchCommand command = Part(
            ValidLeases +
            """
            INSERT INTO output SELECT o.job, o.attempt, o.position, o.stream, o.bytes
            FROM unnest($4::int[], $5::uuid[], $6::int[], $7::bigint[], $8::smallint[], $9::bytea[]) o(place, job, attempt, position, stream, bytes)
            JOIN valid v ON v.place = o.place ON CONFLICT DO NOTHING
            """,
            fence);
        Add(command, chunks.Select(chunk => places[chunk.Lease]));
        Add(command, chunks.Select(static chunk => chunk.Job.Value));
        Add(command, chunks.Select(static chunk => chunk.Attempt));
        Add(command, chunks.Select(static chunk => chunk.Chunk.Offset));
        Add(command, chunks.Select(static chunk => (short)chunk.Chunk.Stream));
        Add(command, chunks.Select(static chunk => chunk.Chunk.Bytes.ToArray()));
        batch.BatchCommands.Add(command);
    }

    private static void Add<T>(NpgsqlBatchCommand command, IEnumerable<T> values) => command.Parameters.Add(new NpgsqlParameter { Value = values.ToArray() });
}
