using System.Net.Sockets;
using Npgsql;
using Vivarium.Actors.Storage;

namespace Vivarium.Nodes.Cluster;

/// <summary>Connections to PostgreSQL, and what their failures mean.</summary>
internal sealed class PostgresAccess(string address) : IAsyncDisposable
{
    private const int CommandSeconds = 5;

    private readonly NpgsqlDataSource _source = NpgsqlDataSource.Create(ConnectionString(address));

    /// <summary>
    /// Runs an operation on a connection. One that fails because the connection broke is run once more, on a new one: every operation
    /// may be repeated.
    /// </summary>
    /// <exception cref="StoreUnavailableException">It failed again, or the database says that it is not ready.</exception>
    public async ValueTask<T> Run<T>(Func<NpgsqlConnection, Task<T>> operation)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await using NpgsqlConnection connection = await _source.OpenConnectionAsync().ConfigureAwait(false);
                return await operation(connection).ConfigureAwait(false);
            }
            catch (Exception failure) when (IsAway(failure))
            {
                if (attempt == 2 || failure.InnerException is TimeoutException)
                    throw new StoreUnavailableException($"the database does not answer: {failure.Message}", failure);
                _source.Clear();
            }
        }
    }

    /// <summary>A connection of one's own, to listen on.</summary>
    public ValueTask<NpgsqlConnection> Open(CancellationToken cancellation) => _source.OpenConnectionAsync(cancellation);

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    /// <summary>True for failures that pass: no connection, a restart, a lock that was not got in time.</summary>
    public static bool IsAway(Exception failure) => failure switch
    {
        PostgresException refusal => refusal.SqlState is "57P01" or "57P02" or "57P03" or "57014" or "53300" or "40001" or "40P01" or "55P03" or "25P03"
            || refusal.SqlState.StartsWith("08", StringComparison.Ordinal),
        NpgsqlException or SocketException or IOException or TimeoutException => true,
        _ => false,
    };

    /// <summary>
    /// What Npgsql wants for an address as postgres://USER:PASSWORD@HOST:PORT/DATABASE. The server is told to end transactions of
    /// a node that it cannot reach any more: they hold rows that the next owner waits for. And to go by indexes only, as every statement
    /// of ours can: a plan made while a table was small would scan it whole when it is large. Plans are for any parameters, and made
    /// once.
    /// </summary>
    private static string ConnectionString(string address)
    {
        var uri = new Uri(address);
        string[] user = uri.UserInfo.Split(':', 2);
        var settings = new NpgsqlConnectionStringBuilder
        {
            Host = uri.Host.Trim('[', ']'),
            Port = uri.Port > 0 ? uri.Port : 5432,
            Database = Uri.UnescapeDataString(uri.AbsolutePath.TrimStart('/')),
            Username = Uri.UnescapeDataString(user[0]),
            Password = user.Length > 1 ? Uri.UnescapeDataString(user[1]) : null,
            ApplicationName = "vivarium",
            Timeout = 3,
            CommandTimeout = CommandSeconds,
            CancellationTimeout = 500,
            KeepAlive = 2,
            MaxPoolSize = 16,
            MaxAutoPrepare = 64,
            AutoPrepareMinUsages = 2,
            Options = "-c statement_timeout=5000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=3000 " +
                "-c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=2 -c tcp_user_timeout=4000 " +
                "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off -c plan_cache_mode=force_generic_plan",
        };
        foreach (string part in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] pair = part.Split('=', 2);
            string name = pair[0] switch { "sslmode" => "SSL Mode", "sslrootcert" => "Root Certificate", _ => pair[0] };
            string value = Uri.UnescapeDataString(pair.Length > 1 ? pair[1] : "");
            // "verify-full" is VerifyFull to Npgsql.
            settings[name] = name == "SSL Mode" ? value.Replace("-", "", StringComparison.Ordinal) : value;
        }
        return settings.ConnectionString;
    }
}
