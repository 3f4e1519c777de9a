using System.Globalization;
using System.Text;
using System.Threading.Channels;
using Vivarium.Messages;
using Vivarium.Telemetry;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Traces.Formats;

namespace Vivarium.Nodes.Tracing;

/// <summary>
/// The traces of a node's jobs: each becomes a file in its folder, the oldest files make room, and spans go to the collector. All of that on a
/// task of its own; a worker only hands over, and what comes too fast is counted and dropped.
/// </summary>
internal sealed class NodeTraces : ITraceSource, IAsyncDisposable
{
    private const int MostWaiting = 256;
    private const string Extension = ".trace";

    private readonly string _folder;
    private readonly long _room;
    private readonly SpanSender? _sender;
    private readonly Channel<TraceRecording> _queue;
    private readonly Task _loop;
    private readonly CallMetrics _metrics = new();
    private long _dropped;

    /// <param name="folder">Where the files are; made when it is missing.</param>
    /// <param name="room">Bytes of files that are kept.</param>
    /// <param name="collector">Where spans go; null = nowhere.</param>
    public NodeTraces(string folder, long room, OtlpSettings? collector)
    {
        _folder = folder;
        _room = room;
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

    /// <summary>What goes to <c>/metrics</c>: calls of all jobs, what tracing lost, the collector, the run-time's memory.</summary>
    public void WriteMetrics(StringBuilder text)
    {
        _metrics.WriteTo(text);
        Prometheus.Counter(text, "vivarium_traces_dropped_total", "Traces of jobs that were not kept.", Dropped);
        if (_sender is not null)
        {
            Prometheus.Counter(text, "vivarium_spans_sent_total", "Spans that the collector has.", _sender.Sent);
            Prometheus.Counter(text, "vivarium_spans_dropped_total", "Spans that had to make room, or that the collector refused.", _sender.Dropped);
            Prometheus.Counter(text, "vivarium_spans_retries_total", "Requests to the collector that were sent again.", _sender.Retries);
        }
        Prometheus.Head(text, "vivarium_gc_collections_total", "counter", "Garbage collections of the node by generation.");
        for (int generation = 0; generation <= GC.MaxGeneration; generation++)
            text.Append(CultureInfo.InvariantCulture, $"vivarium_gc_collections_total{{generation=\"{generation}\"}} {GC.CollectionCount(generation)}\n");
        Prometheus.Counter(text, "vivarium_gc_pause_seconds_total", "Time the node stood still for garbage collection.", GC.GetTotalPauseDuration().TotalSeconds);
        Prometheus.Gauge(text, "vivarium_gc_heap_bytes", "The node's managed memory.", GC.GetTotalMemory(false));
    }

    public async Task<TraceAnswer> Find(string job, CancellationToken stop)
    {
        if (!Guid.TryParseExact(job, "N", out Guid id))
            return new TraceAnswer(null, $"{job} is no job's identifier");
        try
        {
            return new TraceAnswer(await File.ReadAllBytesAsync(PathOf(id.ToString("N")), stop).ConfigureAwait(false), null);
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            return new TraceAnswer(null, "this node has no trace of the job: it has not ended yet, ran elsewhere, ran with tracing off, or its trace had to make room");
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            return new TraceAnswer(null, $"the trace cannot be read: {unreadable.Message}");
        }
    }

    /// <summary>When a job's trace was written, so that who read it before knows whether it is another; null when there is none.</summary>
    public DateTime? WrittenAt(JobId job)
    {
        var file = new FileInfo(PathOf(job.ToString()));
        return file.Exists ? file.LastWriteTimeUtc : null;
    }

    /// <summary>Removes traces of jobs that ended longer ago than this.</summary>
    public void RemoveOlder(TimeSpan age)
    {
        try
        {
            foreach (FileInfo file in new DirectoryInfo(_folder).EnumerateFiles("*" + Extension).Where(file => DateTime.UtcNow - file.LastWriteTimeUtc > age))
                file.Delete();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // There are none, or the next time will do.
        }
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _loop.ConfigureAwait(false);
        if (_sender is null)
            return;
        await _sender.Drain(TimeSpan.FromSeconds(2)).ConfigureAwait(false);
        await _sender.DisposeAsync().ConfigureAwait(false);
    }

    private string PathOf(string job) => Path.Combine(_folder, job + Extension);

    private async Task Run()
    {
        await foreach (TraceRecording recording in _queue.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            try
            {
                Directory.CreateDirectory(_folder);
                await Keep(recording).ConfigureAwait(false);
                MakeRoom();
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                Interlocked.Increment(ref _dropped);
            }
            _metrics.Add(recording.Recorder);
            _sender?.Offer(recording);
        }
    }

    /// <summary>Under another name first: a reader finds a whole file or none.</summary>
    private async Task Keep(TraceRecording recording)
    {
        string path = PathOf(recording.Id.ToString()), draft = path + ".new";
        await File.WriteAllBytesAsync(draft, TraceFile.Write(recording.Document)).ConfigureAwait(false);
        File.Move(draft, path, overwrite: true);
    }

    private void MakeRoom()
    {
        FileInfo[] files = [.. new DirectoryInfo(_folder).EnumerateFiles("*" + Extension).OrderByDescending(static file => file.LastWriteTimeUtc)];
        long size = 0;
        foreach (FileInfo file in files)
        {
            size += file.Length;
            if (size > _room && file != files[0])
                file.Delete();
        }
    }
}
