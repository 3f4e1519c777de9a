using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Npgsql;
using Vivarium.Messages;

namespace Vivarium.Nodes.Cluster;

/// <summary>
/// What nodes tell each other through the database (LISTEN and NOTIFY), in the transactions that make it so: which shards got jobs, and
/// which jobs changed.
/// </summary>
internal sealed class PostgresListener : IAsyncDisposable
{
    private const string Channel = "vivarium";

    /// <summary>Below the 8,000 bytes that a notification may have, at 23 characters a job.</summary>
    private const int JobsPerNotice = 300;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private readonly PostgresAccess _database;
    private readonly Action<int> _queued;
    private readonly Action<JobId> _changed;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _listening;

    /// <summary>Names this process: what it told itself it knows already.</summary>
    private readonly string _self = Guid.NewGuid().ToString("N")[..12];

    /// <param name="queued">A shard got jobs; -1 for any.</param>
    /// <param name="changed">A job changed; the default for any.</param>
    public PostgresListener(PostgresAccess database, Action<int> queued, Action<JobId> changed)
    {
        _database = database;
        _queued = queued;
        _changed = changed;
        _listening = Task.Run(Listen);
    }

    /// <summary>The command that tells the others, for a batch's end; null when there is nothing to tell.</summary>
    public NpgsqlBatchCommand? Tell(IReadOnlyCollection<int> shards, IReadOnlyCollection<JobId> jobs)
    {
        List<string> notices = [];
        if (shards.Count > 0)
            notices.Add($"{_self} q {string.Join(',', shards)}");
        foreach (JobId[] some in jobs.Chunk(JobsPerNotice))
            notices.Add($"{_self} j {string.Join(',', some.Select(static job => Base64Url.EncodeToString(job.Value.ToByteArray())))}");
        if (notices.Count == 0)
            return null;
        var command = new NpgsqlBatchCommand("SELECT pg_notify('vivarium', notice) FROM unnest($1::text[]) notice");
        command.Parameters.Add(new NpgsqlParameter<string[]> { TypedValue = [.. notices] });
        return command;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _listening.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task Listen()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using NpgsqlConnection connection = await _database.Open(_stop.Token).ConfigureAwait(false);
                connection.Notification += (_, notice) => Hear(notice.Payload);
                await using (var listen = new NpgsqlCommand("LISTEN " + Channel, connection))
                    await listen.ExecuteNonQueryAsync(_stop.Token).ConfigureAwait(false);
                // What was told before is not repeated.
                _queued(-1);
                _changed(default);
                while (true)
                    await connection.WaitAsync(_stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception failure) when (PostgresAccess.IsAway(failure))
            {
                await Task.Delay(Pause).ConfigureAwait(false);
            }
        }
    }

    private void Hear(string notice)
    {
        string[] parts = notice.Split(' ');
        if (parts.Length != 3 || parts[0] == _self)
            return;
        foreach (string item in parts[2].Split(','))
        {
            if (parts[1] == "q")
                _queued(int.Parse(item, CultureInfo.InvariantCulture));
            else
                _changed(new JobId(new Guid(Base64Url.DecodeFromUtf8(Encoding.ASCII.GetBytes(item)))));
        }
    }
}
