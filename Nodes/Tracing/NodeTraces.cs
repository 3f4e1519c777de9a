using System.Threading.Channels;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Telemetry.Metrics;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Traces.Formats;

namespace Vivarium.Nodes.Tracing;

/// <summary>
/// The traces of a node's jobs: they are kept on the disk, the oldest make room, and spans go to the collector. All of that on a task of its
/// own; a worker only hands over, and what comes too fast is counted and dropped.
/// </summary>
internal sealed class NodeTraces : ITraceSource, IAsyncDisposable
{
    private const int MostWaiting = 256;

    private readonly TracePacks? _packs;
    private readonly SpanSender? _sender;
    private readonly TraceCheckpoints? _checkpoints;
    private readonly Channel<TraceRecording> _queue;
    private readonly Task _loop;
    private readonly CallMetrics _metrics;
    private long _dropped;

    /// <param name="folder">Where traces are kept; made when it is missing. None are kept where that is not possible.</param>
    /// <param name="room">Bytes of them that are kept.</param>
    /// <param name="collector">Where spans go; null = nowhere.</param>
    /// <param name="node">The node's name.</param>
    /// <param name="store">Where traces are kept of jobs that still run; null = nowhere.</param>
    public NodeTraces(string folder, long room, OtlpSettings? collector, string node, ITraceStore? store = null)
    {
        _checkpoints = store is null ? null : new TraceCheckpoints(store);
        _metrics = new CallMetrics(node);
        try
        {
            _packs = new TracePacks(folder, room);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // Traces are not what a node is for: all are counted as dropped.
        }
        _sender = collector is null ? null : new SpanSender(collector);
        _queue = Channel.CreateBounded<TraceRecording>(
            new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true },
            _ => Interlocked.Increment(ref _dropped));
        _loop = Task.Run(Run);
    }

    /// <summary>Traces that were not kept: they came too fast, or could not be written.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>What goes to the collector; null = nothing does.</summary>
    public SpanSender? Sender => _sender;

    /// <summary>Takes what was recorded of a job, from any thread; never waits.</summary>
    public void Take(TraceRecording recording) => _queue.Writer.TryWrite(recording);

    /// <summary>Takes what there is so far of a job that goes on, on its worker; false = not now.</summary>
    public bool TakeUnfinished(TraceRecording recording) => _checkpoints?.Take(recording) == true;

    /// <summary>Calls of all jobs, what tracing lost, and the collector.</summary>
    public void AddTo(MetricList metrics)
    {
        _metrics.AddTo(metrics);
        metrics.Counter("vivarium.traces.dropped", "Traces of jobs that were not kept.", Dropped);
        if (_checkpoints is not null)
        {
            metrics.Counter("vivarium.traces.checkpoints", "Times that the trace of a running job was written to the store.", _checkpoints.Written);
            metrics.Counter("vivarium.traces.checkpoints.dropped", "Times that it could not be.", _checkpoints.Dropped);
            metrics.Counter("vivarium.traces.checkpoints.bytes", "Bytes of them.", _checkpoints.Bytes);
        }
        if (_sender is null)
            return;
        metrics.Counter("vivarium.spans.sent", "Spans that the collector has.", _sender.Sent);
        metrics.Counter("vivarium.spans.dropped", "Spans that had to make room, or that the collector refused.", _sender.Dropped);
        metrics.Counter("vivarium.spans.retries", "Requests to the collector that were sent again.", _sender.Retries);
    }

    public Task<TraceAnswer> Find(string job, int attempt, CancellationToken stop) => Task.FromResult(Find(job, attempt));

    private TraceAnswer Find(string job, int attempt)
    {
        if (!Guid.TryParseExact(job, "N", out Guid id))
            return new TraceAnswer(null, $"{job} is no job's identifier");
        try
        {
            return _packs?.Read(id, attempt) is { } trace
                ? new TraceAnswer(trace, null)
                : new TraceAnswer(null, "this node has no trace of the job: it ran elsewhere or with tracing off, or its trace had to make room or was lost with the node");
        }
        catch (IOException unreadable)
        {
            return new TraceAnswer(null, $"the trace cannot be read: {unreadable.Message}");
        }
    }

    /// <summary>When an attempt's trace was written, Unix nanoseconds, so that who read it before knows whether it is another; null when there is none.</summary>
    public long? WrittenAt(JobId job, int attempt) => _packs?.WrittenAt(job.Value, attempt);

    /// <summary>Removes traces of jobs that ended longer ago than this.</summary>
    public void RemoveOlder(TimeSpan age)
    {
        try
        {
            _packs?.RemoveOlder(Hosting.HostClock.Instance.Realtime - (age.Ticks * 100));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // The next time will do.
        }
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _loop.ConfigureAwait(false);
        if (_checkpoints is not null)
            await _checkpoints.DisposeAsync().ConfigureAwait(false);
        _packs?.Dispose();
        if (_sender is null)
            return;
        await _sender.Drain(TimeSpan.FromSeconds(2)).ConfigureAwait(false);
        await _sender.DisposeAsync().ConfigureAwait(false);
    }

    private async Task Run()
    {
        await foreach (TraceRecording recording in _queue.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            if (!recording.IsUnfinished)
                _metrics.Add(recording);
            bool isKept = TryKeep(recording);
            if (!isKept)
                Interlocked.Increment(ref _dropped);
            _checkpoints?.End(recording.Id, recording.Attempt, isKept && !recording.IsUnfinished);
            if (!recording.IsUnfinished)
                _sender?.Offer(recording);
        }
    }

    private bool TryKeep(TraceRecording recording)
    {
        try
        {
            _packs?.Append(recording.Id.Value, TraceFile.Write(recording.Document), Hosting.HostClock.Instance.Realtime, recording.Attempt);
            return _packs is not null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
