namespace Vivarium.Nodes.Cluster;

/// <summary>The tables of a store in PostgreSQL. Like <see cref="SqliteSchema"/>, in this database's types.</summary>
internal static class PostgresSchema
{
    public const string Create = """
        CREATE TABLE vivarium (version int NOT NULL, cluster text NOT NULL, shards int NOT NULL);
        CREATE TABLE nodes (
            name text PRIMARY KEY, incarnation bigint NOT NULL, beat bigint NOT NULL, running int NOT NULL,
            draining boolean NOT NULL, gone boolean NOT NULL, seen_at bigint NOT NULL, description bytea NOT NULL);
        CREATE TABLE shards (shard int PRIMARY KEY, owner text NOT NULL DEFAULT '', epoch bigint NOT NULL DEFAULT 0);
        CREATE TABLE jobs (
            sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            id uuid NOT NULL UNIQUE,
            key text UNIQUE,
            shard int NOT NULL, state smallint NOT NULL, events int NOT NULL, cancel boolean NOT NULL,
            attempts int NOT NULL, failures int NOT NULL, losses int NOT NULL,
            node text, name text,
            accepted_at bigint NOT NULL, started_at bigint NOT NULL, ended_at bigint NOT NULL,
            spec bytea NOT NULL, result bytea);
        -- For lists, which ask for state::int. Not by the column itself: the queue's reader is to find nothing but jobs_live.
        CREATE INDEX jobs_state ON jobs ((state::int), sequence) INCLUDE (state);
        CREATE INDEX jobs_node ON jobs (node, sequence) WHERE node IS NOT NULL;
        CREATE INDEX jobs_name ON jobs (name, sequence) WHERE name IS NOT NULL;
        CREATE INDEX jobs_live ON jobs (shard, state, sequence) WHERE state < 4;
        CREATE TABLE job_labels (label text NOT NULL, sequence bigint NOT NULL, PRIMARY KEY (label, sequence));
        CREATE TABLE journal (job uuid NOT NULL, number int NOT NULL, kind smallint NOT NULL, at bigint NOT NULL, detail bytea NOT NULL,
            PRIMARY KEY (job, number));
        CREATE TABLE output (job uuid NOT NULL, attempt int NOT NULL, position bigint NOT NULL, stream smallint NOT NULL, bytes bytea NOT NULL,
            PRIMARY KEY (job, attempt, position));
        CREATE TABLE images (hash text PRIMARY KEY, tag text UNIQUE, format text NOT NULL, length bigint NOT NULL, created_at bigint NOT NULL);
        CREATE TABLE blobs (hash text NOT NULL, position bigint NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (hash, position));
        """;

    /// <summary>What each version of the tables added to the one before it, from version 2 on.</summary>
    public static readonly IReadOnlyList<string> Upgrades =
    [
        """
        ALTER TABLE jobs ADD COLUMN image text;
        CREATE INDEX jobs_image ON jobs (image) WHERE image IS NOT NULL;
        ALTER TABLE images ADD COLUMN used_at bigint NOT NULL DEFAULT 0;
        ALTER TABLE blobs ADD COLUMN written_at bigint NOT NULL DEFAULT 0;
        CREATE TABLE suites (
            sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            id uuid NOT NULL UNIQUE, name text NOT NULL, created_at bigint NOT NULL, runs int NOT NULL, round int NOT NULL,
            ended_at bigint, passed int NOT NULL, failed int NOT NULL, definition bytea NOT NULL);
        CREATE TABLE suite_verdicts (suite uuid NOT NULL, number int NOT NULL, seconds double precision NOT NULL, problem text, detail bytea NOT NULL,
            PRIMARY KEY (suite, number));
        """,
        "CREATE TABLE traces (job uuid NOT NULL, attempt int NOT NULL, number int NOT NULL, bytes bytea NOT NULL, PRIMARY KEY (job, attempt, number))",
    ];

    /// <summary>Unix nanoseconds by the database's clock, to the microsecond.</summary>
    public const string Now = "((extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000)";
}
