using System.Diagnostics;
using Npgsql;
using Xunit;

namespace Vivarium.Actors.Tests.Stores;

/// <summary>
/// A PostgreSQL server of the tests' own: Debian's programs, a new data folder, a free port of the loopback address, and an unprivileged
/// user where the tests run as root. Ended by its process id.
/// </summary>
public sealed class PostgresServer : IAsyncLifetime
{
    public const string Collection = "PostgreSQL";

    private const string Programs = "/usr/lib/postgresql/15/bin/";

    private readonly string _folder = Directory.CreateTempSubdirectory("viv-postgres-").FullName;
    private readonly IReadOnlyList<string> _prefix = [];
    private readonly string _host = "127.0.0.1";
    private Process? _server;
    private int _databases;

    /// <summary>The server of all tests of a collection.</summary>
    public PostgresServer()
    {
    }

    /// <summary>One elsewhere: started by a command that becomes it, reached from here and from others at addresses of its own.</summary>
    internal PostgresServer(IReadOnlyList<string> prefix, string host, int port) => (_prefix, _host, Port) = (prefix, host, port);

    public int Port { get; private set; }

    private string Data => Path.Combine(_folder, "data");

    private static bool IsRoot => Environment.UserName == "root";

    public async Task InitializeAsync()
    {
        if (IsRoot)
            await Run("chown", "postgres", _folder);
        await RunUnprivileged("initdb", "--pgdata", Data, "--username", "vivarium", "--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C");
        if (_prefix.Count == 0)
            Port = Ports.Next();
        else
            await File.AppendAllTextAsync(Path.Combine(Data, "pg_hba.conf"), "host all all 10.0.0.0/8 trust\n");
        await Start();
    }

    /// <summary>Starts the server, again after <see cref="Stop"/>.</summary>
    public async Task Start()
    {
        // Durable commits cost what they cost, but a test's server need not survive the machine.
        ProcessStartInfo start = Unprivileged(
            "postgres", "-D", Data, "-p", $"{Port}", "-k", _folder, "-c", $"listen_addresses={(_prefix.Count == 0 ? _host : "*")}", "-c", "fsync=off", "-c", "max_connections=200");
        _server = Process.Start(_prefix.Count == 0 ? start : Describe(_prefix[0], [.. _prefix.Skip(1), start.FileName, .. start.ArgumentList]))!;
        _server.ErrorDataReceived += (_, _) => { };
        _server.BeginErrorReadLine();
        long end = Environment.TickCount64 + 120_000;
        while (true)
        {
            try
            {
                await Execute(Address("postgres"), "SELECT 1");
                return;
            }
            catch (NpgsqlException) when (Environment.TickCount64 < end && !_server.HasExited)
            {
                await Task.Delay(50);
            }
        }
    }

    /// <summary>Ends the server: <paramref name="signal"/> INT is its fast shutdown, QUIT an immediate one, as after a crash.</summary>
    public async Task Stop(string signal = "INT")
    {
        await Run("kill", "-" + signal, $"{_server!.Id}");
        await _server.WaitForExitAsync();
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
            await Stop("QUIT");
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>The address of a new, empty database.</summary>
    public async Task<string> CreateDatabase()
    {
        string name = $"test{Interlocked.Increment(ref _databases)}";
        await Execute(Address("postgres"), $"CREATE DATABASE {name}");
        return Address(name);
    }

    public async Task Execute(string address, string text)
    {
        await using var connection = new NpgsqlConnection($"Host={_host};Port={Port};Username=vivarium;Database={new Uri(address).AbsolutePath[1..]};Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(text, connection);
        await command.ExecuteNonQueryAsync();
    }

    private string Address(string database) => $"postgres://vivarium@{_host}:{Port}/{database}";

    // setpriv replaces itself by the program, so that the process id is the server's.
    private static ProcessStartInfo Unprivileged(string program, params string[] arguments) => IsRoot
        ? Describe("setpriv", ["--reuid", "postgres", "--regid", "postgres", "--clear-groups", Programs + program, .. arguments])
        : Describe(Programs + program, arguments);

    private static Task RunUnprivileged(string program, params string[] arguments) => Run(Unprivileged(program, arguments));

    private static Task Run(string program, params string[] arguments) => Run(Describe(program, arguments));

    private static async Task Run(ProcessStartInfo start)
    {
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{start.FileName} ended with {process.ExitCode}: {errors}{await output}");
    }

    private static ProcessStartInfo Describe(string program, string[] arguments) =>
        new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
}

[CollectionDefinition(PostgresServer.Collection)]
public sealed class PostgresCollection : ICollectionFixture<PostgresServer>;
