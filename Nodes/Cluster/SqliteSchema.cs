namespace Vivarium.Nodes.Cluster;

/// <summary>The tables of a store in a SQLite file.</summary>
internal static class SqliteSchema
{
    public const string Create = """
        CREATE TABLE vivarium (version INTEGER NOT NULL, cluster TEXT NOT NULL, shards INTEGER NOT NULL);
        CREATE TABLE nodes (
            name TEXT PRIMARY KEY, incarnation INTEGER NOT NULL, beat INTEGER NOT NULL, running INTEGER NOT NULL,
            draining INTEGER NOT NULL, gone INTEGER NOT NULL, seen_at INTEGER NOT NULL, description BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE shards (shard INTEGER PRIMARY KEY, owner TEXT NOT NULL DEFAULT '', epoch INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE jobs (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id BLOB NOT NULL UNIQUE,
            key TEXT UNIQUE,
            shard INTEGER NOT NULL, state INTEGER NOT NULL, events INTEGER NOT NULL, cancel INTEGER NOT NULL,
            attempts INTEGER NOT NULL, failures INTEGER NOT NULL, losses INTEGER NOT NULL,
            node TEXT, name TEXT,
            accepted_at INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,
            spec BLOB NOT NULL, result BLOB);
        CREATE INDEX jobs_state ON jobs (state, sequence);
        CREATE INDEX jobs_node ON jobs (node, sequence) WHERE node IS NOT NULL;
        CREATE INDEX jobs_name ON jobs (name, sequence) WHERE name IS NOT NULL;
        CREATE INDEX jobs_live ON jobs (shard, state, sequence) WHERE state < 4;
        CREATE TABLE job_labels (label TEXT NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (label, sequence)) WITHOUT ROWID;
        CREATE TABLE journal (
            job BLOB NOT NULL, number INTEGER NOT NULL, kind INTEGER NOT NULL, at INTEGER NOT NULL, detail BLOB NOT NULL,
            PRIMARY KEY (job, number)) WITHOUT ROWID;
        CREATE TABLE output (
            job BLOB NOT NULL, attempt INTEGER NOT NULL, position INTEGER NOT NULL, stream INTEGER NOT NULL, bytes BLOB NOT NULL,
            PRIMARY KEY (job, attempt, position)) WITHOUT ROWID;
        CREATE TABLE images (hash TEXT PRIMARY KEY, tag TEXT UNIQUE, format TEXT NOT NULL, length INTEGER NOT NULL, created_at INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE blobs (hash TEXT NOT NULL, position INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (hash, position));
        """;

    /// <summary>What each version of the tables added to the one before it, from version 2 on.</summary>
    public static readonly IReadOnlyList<string> Upgrades =
    [
        """
        ALTER TABLE jobs ADD COLUMN image TEXT;
        CREATE INDEX jobs_image ON jobs (image) WHERE image IS NOT NULL;
        ALTER TABLE images ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE blobs ADD COLUMN written_at INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE suites (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            id BLOB NOT NULL UNIQUE, name TEXT NOT NULL, created_at INTEGER NOT NULL, runs INTEGER NOT NULL, round INTEGER NOT NULL,
            ended_at INTEGER, passed INTEGER NOT NULL, failed INTEGER NOT NULL, definition BLOB NOT NULL);
        CREATE TABLE suite_verdicts (suite BLOB NOT NULL, number INTEGER NOT NULL, seconds REAL NOT NULL, problem TEXT, detail BLOB NOT NULL,
            PRIMARY KEY (suite, number)) WITHOUT ROWID;
        """,
        "CREATE TABLE traces (job BLOB NOT NULL, attempt INTEGER NOT NULL, number INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (job, attempt, number)) WITHOUT ROWID",
    ];
}
