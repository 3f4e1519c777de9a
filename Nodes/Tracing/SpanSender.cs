using System.Security.Cryptography;
using Vivarium.Actors.Storage;
using Vivarium.Telemetry.Metrics;
using Vivarium.Telemetry.Otlp;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Nodes.Tracing;

/// <summary>
/// Sends jobs' traces to a collector, in order, on a task of its own. <see cref="Offer"/> never waits: when the collector does not keep
/// up, the oldest requests go, and their spans are counted.
/// </summary>
internal sealed class SpanSender : IAsyncDisposable
{
    /// <summary>How long <c>viv run</c> waits for a collector after its program has ended.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200), LongestPause = TimeSpan.FromSeconds(30);

    private readonly OtlpSettings _settings;
    private readonly OtlpClient _client;
    private readonly long _room;
    private readonly Lock _lock = new();
    private readonly Queue<Item> _queue = new();
    private readonly SemaphoreSlim _wanted = new(0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private long _size;

    /// <param name="settings">The collector's.</param>
    /// <param name="room">Bytes of requests that may wait.</param>
    public SpanSender(OtlpSettings settings, long room = 32 << 20)
    {
        _settings = settings;
        _room = room;
        _client = new OtlpClient(settings);
        _loop = Task.Run(Run);
    }

    /// <summary>Spans that the collector has.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    /// <summary>Spans that had to make room, or that the collector refused for good.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>Requests that were sent again.</summary>
    public long Retries => Interlocked.Read(ref _retries);

    /// <summary>Why the last attempt failed; null when it did not.</summary>
    public string? Problem { get; private set; }

    private long _sent;
    private long _dropped;
    private long _retries;

    /// <summary>One request.</summary>
    private sealed record Item(Uri To, ReadOnlyMemory<byte> Body, int Spans);

    /// <summary>Takes a trace, from any thread. Its spans are sent, or counted as dropped.</summary>
    public void Offer(TraceRecording trace)
    {
        // The job's own span is the last attempt's to send, with its end.
        foreach ((ReadOnlyMemory<byte> body, int spans) in OtlpRequest.Traces(trace.Document, trace.IsRetried ? 1 : 0))
            Add(new Item(_settings.Traces, body, spans));
        if (_settings.Metrics is { } metrics)
            Add(new Item(metrics, OtlpRequest.Metrics(trace), 0));
    }

    /// <param name="metrics">Figures of a node.</param>
    /// <param name="node">Its name.</param>
    /// <param name="start">When its counters began, nanoseconds since 1970 UTC.</param>
    public void Offer(MetricList metrics, string node, long start)
    {
        if (_settings.Metrics is { } to)
            Add(new Item(to, OtlpRequest.Metrics(metrics, node, start, NodeMetrics.Now()), 0));
    }

    /// <summary>Takes a node's figures; without the calls' durations, which go with each job. Never throws: the store may be away.</summary>
    public async void OfferMetrics(NodeMetrics node)
    {
        try
        {
            Offer(await node.Collect().ConfigureAwait(false), node.Name, node.Start);
        }
        catch (Exception away) when (away is StoreUnavailableException or ObjectDisposedException)
        {
            // The next ones count from the start as well.
        }
    }

    /// <summary>Sends one trace and waits for it, not long. Returns what is to be told, or null.</summary>
    public static string? SendOnce(OtlpSettings settings, TraceRecording trace)
    {
        try
        {
            return SendAndWait(settings, trace, Patience).GetAwaiter().GetResult();
        }
        catch (Exception wrong) when (wrong is IOException or CryptographicException or UnauthorizedAccessException)
        {
            return $"spans were not sent: {wrong.Message}";
        }
    }

    public static async Task<string?> SendAndWait(OtlpSettings settings, TraceRecording trace, TimeSpan patience)
    {
        await using var sender = new SpanSender(settings);
        sender.Offer(trace);
        await sender.Drain(patience).ConfigureAwait(false);
        long lost = trace.Document.Spans.Count - sender.Sent;
        return lost == 0 ? null : $"{lost} of {trace.Document.Spans.Count} spans were not sent to {settings.Traces.GetLeftPart(UriPartial.Authority)}: {sender.Problem ?? "there was no time"}";
    }

    /// <summary>Waits until nothing waits any more, at most so long.</summary>
    public async Task Drain(TimeSpan patience)
    {
        long end = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        while (!IsEmpty && Environment.TickCount64 < end)
            await Task.Delay(5).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _client.Dispose();
        _stop.Dispose();
        _wanted.Dispose();
    }

    private bool IsEmpty
    {
        get
        {
            lock (_lock)
                return _queue.Count == 0;
        }
    }

    private void Add(Item item)
    {
        lock (_lock)
        {
            _queue.Enqueue(item);
            _size += item.Body.Length;
            while (_size > _room)
                Remove(_queue.Peek(), isSent: false);
        }
        _wanted.Release();
    }

    /// <summary>Takes the first request out, if it is still this one.</summary>
    private void Remove(Item item, bool isSent, long rejected = 0)
    {
        if (!_queue.TryPeek(out Item? first) || !ReferenceEquals(first, item))
            return;
        _queue.Dequeue();
        _size -= item.Body.Length;
        Interlocked.Add(ref _sent, isSent ? item.Spans - rejected : 0);
        Interlocked.Add(ref _dropped, isSent ? rejected : item.Spans);
    }

    private async Task Run()
    {
        try
        {
            while (true)
            {
                await _wanted.WaitAsync(_stop.Token).ConfigureAwait(false);
                Item? item;
                lock (_lock)
                    _queue.TryPeek(out item);
                if (item is not null)
                    await Send(item).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
    }

    /// <summary>Sends a request until it is there, refused for good, or pushed out.</summary>
    private async Task Send(Item item)
    {
        TimeSpan pause = FirstPause;
        while (true)
        {
            OtlpOutcome outcome = await _client.Send(item.To, item.Body, _stop.Token).ConfigureAwait(false);
            lock (_lock)
            {
                // What metrics come to says nothing about spans.
                if (item.Spans > 0 || outcome.Problem is null)
                    Problem = outcome.Problem ?? Problem;
                if (outcome.Problem is null || !outcome.MayRetry || item.Spans == 0)
                {
                    Remove(item, outcome.Problem is null, Math.Min(item.Spans, outcome.Rejected));
                    return;
                }
                if (!_queue.TryPeek(out Item? first) || !ReferenceEquals(first, item))
                    return;
            }
            TimeSpan wish = outcome.RetryAfter ?? pause;
            await Task.Delay(wish < LongestPause ? wish : LongestPause, _stop.Token).ConfigureAwait(false);
            Interlocked.Increment(ref _retries);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }
}
