using Npgsql;
using Vivarium.Actors.Storage;
using Vivarium.Nodes.Cluster;
using Xunit;

namespace Vivarium.Actors.Tests.Stores;

public sealed class MemoryStoreTests : StoreContract
{
    protected override Task<IJobStore> Open() => Task.FromResult<IJobStore>(new MemoryJobStore(Shards, () => 1));
}

public sealed class SqliteStoreTests : StoreContract
{
    private static string NewFile() => Path.Combine(Directory.CreateTempSubdirectory("viv-store-").FullName, "jobs.db");

    protected override async Task<IJobStore> Open() => await SqliteJobStore.Open(NewFile(), "test", Shards);

    [Fact]
    public async Task A_file_is_kept_and_is_of_one_process_and_one_cluster()
    {
        string file = NewFile();
        await using (await SqliteJobStore.Open(file, "test", Shards))
            Assert.Contains("another node", (await Assert.ThrowsAsync<StoreRefusedException>(() => SqliteJobStore.Open(file, "test", Shards))).Message);
        await using (await SqliteJobStore.Open(file, "test", Shards))
        {
        }
        Assert.Contains("the cluster \"test\"", (await Assert.ThrowsAsync<StoreRefusedException>(() => SqliteJobStore.Open(file, "other", Shards))).Message);
        Assert.Contains("has 4 shards", (await Assert.ThrowsAsync<StoreRefusedException>(() => SqliteJobStore.Open(file, "test", 8))).Message);
        using (var connection = new PreparedConnection(file))
            connection.Execute("UPDATE vivarium SET version = 99");
        Assert.Contains("newer version", (await Assert.ThrowsAsync<StoreRefusedException>(() => SqliteJobStore.Open(file, "test", Shards))).Message);
        await File.WriteAllTextAsync(file, "no database");
        await Assert.ThrowsAsync<StoreRefusedException>(() => SqliteJobStore.Open(file, "test", Shards));
    }

    [Fact]
    public async Task Tables_of_version_1_are_brought_up_to_date()
    {
        string file = NewFile();
        SQLitePCL.Batteries_V2.Init();
        using (var connection = new PreparedConnection(file))
        {
            connection.Execute(SqliteSchema.Create);
            connection.Execute($"INSERT INTO vivarium VALUES (1, 'test', {Shards}); INSERT INTO shards (shard) VALUES (0), (1), (2), (3)");
            connection.Execute(OldJob("X'", "zeroblob(16)"));
        }
        await using SqliteJobStore store = await SqliteJobStore.Open(file, "test", Shards);
        await CheckOldJob(store);
    }
}

[Collection(PostgresServer.Collection)]
public sealed class PostgresStoreTests(PostgresServer server) : StoreContract
{
    protected override async Task<IJobStore> Open() => await PostgresJobStore.Open(await server.CreateDatabase(), "test", Shards);

    [Fact]
    public async Task A_database_is_of_one_cluster_and_nodes_may_start_together()
    {
        string address = await server.CreateDatabase();
        PostgresJobStore[] together = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => PostgresJobStore.Open(address, "test", Shards)));
        foreach (PostgresJobStore store in together)
            await store.DisposeAsync();
        Assert.Contains("the cluster \"test\"", (await Assert.ThrowsAsync<StoreRefusedException>(() => PostgresJobStore.Open(address, "other", Shards))).Message);
        Assert.Contains("has 4 shards", (await Assert.ThrowsAsync<StoreRefusedException>(() => PostgresJobStore.Open(address, "test", 8))).Message);
        await server.Execute(address, "UPDATE vivarium SET version = 99");
        Assert.Contains("newer version", (await Assert.ThrowsAsync<StoreRefusedException>(() => PostgresJobStore.Open(address, "test", Shards))).Message);
        await Assert.ThrowsAsync<StoreUnavailableException>(() => PostgresJobStore.Open("postgres://nobody@127.0.0.1:1/none", "test", Shards));
    }

    [Fact]
    public async Task Tables_of_version_1_are_brought_up_to_date()
    {
        string address = await server.CreateDatabase();
        await server.Execute(address, PostgresSchema.Create + $"INSERT INTO vivarium VALUES (1, 'test', {Shards}); INSERT INTO shards SELECT generate_series(0, {Shards - 1});");
        await server.Execute(address, OldJob("'\\x", $"'{Guid.Empty}'"));
        PostgresJobStore[] together = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => PostgresJobStore.Open(address, "test", Shards)));
        await CheckOldJob(together[0]);
        foreach (PostgresJobStore store in together)
            await store.DisposeAsync();
    }

    [Fact]
    public async Task What_one_node_writes_another_hears_of()
    {
        string address = await server.CreateDatabase();
        await using PostgresJobStore writer = await PostgresJobStore.Open(address, "test", Shards), listener = await PostgresJobStore.Open(address, "test", Shards);
        var heard = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        // Everything may have changed when it begins to listen.
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        listener.Changed += job => ready.TrySetResult();
        listener.Queued += shard =>
        {
            if (ready.Task.IsCompleted)
                heard.TrySetResult(shard);
        };
        await ready.Task.WaitAsync(TimeSpan.FromSeconds(120));
        await writer.Accept([new NewJob(Node.Id, Node.Spec, 3)]);
        Assert.Equal(3, await heard.Task.WaitAsync(TimeSpan.FromSeconds(120)));
    }
}
