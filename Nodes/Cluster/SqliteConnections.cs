using Microsoft.Data.Sqlite;
using Vivarium.Actors.Storage;

namespace Vivarium.Nodes.Cluster;

/// <summary>A connection whose statements are prepared once.</summary>
internal sealed class PreparedConnection : IDisposable
{
    private readonly Dictionary<string, SqliteCommand> _commands = [];

    public PreparedConnection(string file)
    {
        Connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = file, Pooling = false, DefaultTimeout = 30 }.ToString());
        Connection.Open();
        // FULL: a commit is on the disk before it is reported. The log is folded into the file a few times a minute.
        Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16000");
    }

    public SqliteConnection Connection { get; }

    /// <summary>A statement with its parameters set, named @0, @1 and so on.</summary>
    public SqliteCommand Prepare(string text, params ReadOnlySpan<object?> parameters)
    {
        if (!_commands.TryGetValue(text, out SqliteCommand? command))
        {
            command = Connection.CreateCommand();
            command.CommandText = text;
            for (int i = 0; i < parameters.Length; i++)
                command.Parameters.Add(new SqliteParameter { ParameterName = "@" + i });
            _commands.Add(text, command);
        }
        for (int i = 0; i < parameters.Length; i++)
            command.Parameters[i].Value = parameters[i] ?? DBNull.Value;
        return command;
    }

    public int Execute(string text, params ReadOnlySpan<object?> parameters) => Prepare(text, parameters).ExecuteNonQuery();

    /// <summary>The first column of the first row; null for none or NULL.</summary>
    public object? Scalar(string text, params ReadOnlySpan<object?> parameters) => Prepare(text, parameters).ExecuteScalar() is { } value and not DBNull ? value : null;

    public void Dispose()
    {
        foreach (SqliteCommand command in _commands.Values)
            command.Dispose();
        Connection.Dispose();
    }
}

/// <summary>
/// The one writer of a SQLite file, with a thread of its own: what is asked for while a transaction is written goes into the next one
/// together, so that its cost, the disk's, is shared.
/// </summary>
internal sealed class SqliteWriter : IDisposable
{
    private readonly PreparedConnection _connection;
    private readonly object _gate = new();
    private readonly Thread _thread;
    private List<Item> _waiting = [];
    private bool _isStopped;

    public SqliteWriter(string file)
    {
        _connection = new PreparedConnection(file);
        _thread = new Thread(WriteAll) { IsBackground = true, Name = "store" };
        _thread.Start();
    }

    /// <summary>Runs a change in the next transaction; the task is complete when that is durable.</summary>
    public Task<T> Write<T>(Func<PreparedConnection, T> change)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        T result = default!;
        var item = new Item(connection => result = change(connection), failure =>
        {
            if (failure is null)
                done.SetResult(result);
            else
                done.SetException(failure);
        });
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isStopped, this);
            _waiting.Add(item);
            Monitor.Pulse(_gate);
        }
        return done.Task;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isStopped = true;
            Monitor.Pulse(_gate);
        }
        _thread.Join();
        _connection.Dispose();
    }

    private void WriteAll()
    {
        while (Take() is { } items)
        {
            Exception? failure = null;
            try
            {
                Write(items);
            }
            catch (SqliteException problem)
            {
                failure = new StoreUnavailableException($"the store's file cannot be written: {problem.Message}", problem);
            }
            catch (Exception bug)
            {
                failure = bug;
            }
            foreach (Item item in items)
                item.Done(failure);
        }
    }

    private void Write(List<Item> items)
    {
        _connection.Execute("BEGIN IMMEDIATE");
        try
        {
            foreach (Item item in items)
                item.Change(_connection);
            _connection.Execute("COMMIT");
        }
        catch
        {
            if (SQLitePCL.raw.sqlite3_get_autocommit(_connection.Connection.Handle) == 0)
                _connection.Execute("ROLLBACK");
            throw;
        }
    }

    private List<Item>? Take()
    {
        lock (_gate)
        {
            while (_waiting.Count == 0)
            {
                if (_isStopped)
                    return null;
                Monitor.Wait(_gate);
            }
            List<Item> items = _waiting;
            _waiting = [];
            return items;
        }
    }

    private sealed record Item(Action<PreparedConnection> Change, Action<Exception?> Done);
}
