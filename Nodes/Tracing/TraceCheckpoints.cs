using System.Collections.Concurrent;
using System.Threading.Channels;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Telemetry.Records;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Traces.Formats;

namespace Vivarium.Nodes.Tracing;

/// <summary>
/// Writes the traces of jobs that run into the cluster's store, a part every few seconds: what they did since the last one. Should the node die,
/// the others have that. One after the other, on a task of its own: a store that is slow gets fewer and larger parts, and no job waits.
/// </summary>
internal sealed class TraceCheckpoints : IAsyncDisposable
{
    /// <summary>Bytes of records that an attempt may have in the store; the oldest make room.</summary>
    private const long AttemptRoom = 2 << 20;

    /// <summary>Bytes of records, before they are compressed, that one part takes: of a job that makes more calls the latest.</summary>
    private const long PartRoom = 1 << 20;

    private const int MostWaiting = 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly ITraceStore _store;
    private readonly long _attemptRoom;
    private readonly ConcurrentDictionary<(JobId Job, int Attempt), Progress> _attempts = new();
    private readonly Channel<Func<Task>> _queue = Channel.CreateBounded<Func<Task>>(new BoundedChannelOptions(MostWaiting) { SingleReader = true });
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private long _written;
    private long _dropped;
    private long _bytes;

    public TraceCheckpoints(ITraceStore store, long attemptRoom = AttemptRoom)
    {
        _store = store;
        _attemptRoom = attemptRoom;
        _loop = Task.Run(Run);
    }

    public long Written => Interlocked.Read(ref _written);

    public long Dropped => Interlocked.Read(ref _dropped);

    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Takes what there is of a trace, on the job's worker; false while the last of it is still being written.</summary>
    public bool Take(TraceRecording recording)
    {
        (JobId, int) attempt = (recording.Id, recording.Attempt);
        Progress progress = _attempts.GetOrAdd(attempt, static _ => new Progress());
        if (progress.IsBusy)
            return false;
        // Made here, where nothing is recorded meanwhile.
        TraceDocument document = recording.Document;
        progress.IsBusy = true;
        if (_queue.Writer.TryWrite(() => Write(attempt, progress, document)))
            return true;
        progress.IsBusy = false;
        Interlocked.Increment(ref _dropped);
        return false;
    }

    /// <summary>The attempt is over.</summary>
    /// <param name="isKept">Its whole trace is kept elsewhere: what is here is not needed any more.</param>
    public void End(JobId job, int attempt, bool isKept)
    {
        if (_attempts.TryRemove((job, attempt), out _) && isKept)
            _queue.Writer.TryWrite(async () => await _store.RemoveTrace(job, attempt).ConfigureAwait(false));
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        _stop.CancelAfter(Patience);
        await _loop.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task Run()
    {
        await foreach (Func<Task> step in _queue.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            if (_stop.IsCancellationRequested)
                continue;
            try
            {
                await step().ConfigureAwait(false);
            }
            catch (StoreUnavailableException)
            {
                // The next part has what this one would have had.
                Interlocked.Increment(ref _dropped);
            }
        }
    }

    private async Task Write((JobId Job, int Attempt) attempt, Progress progress, TraceDocument document)
    {
        try
        {
            List<CallSegment> fresh = Fresh(document.Segments, progress.Recorded);
            List<TracePart> parts = [new(0, TraceFile.Write(document with { Segments = [] }))];
            if (fresh.Count > 0)
                parts.Add(new(progress.Next, TraceFile.WriteRecords(fresh)));
            int firstKept = progress.FirstKept(_attemptRoom - parts[^1].Bytes.Length);
            await _store.WriteTrace(attempt.Job, attempt.Attempt, parts, firstKept).ConfigureAwait(false);
            progress.Recorded = document.Job.Calls;
            if (fresh.Count > 0)
                progress.Add(parts[^1].Bytes.Length, firstKept);
            Interlocked.Increment(ref _written);
            Interlocked.Add(ref _bytes, parts.Sum(static part => (long)part.Bytes.Length));
        }
        finally
        {
            progress.IsBusy = false;
        }
    }

    /// <summary>The segments from a record on: the latest, as far as they fit.</summary>
    private static List<CallSegment> Fresh(IReadOnlyList<CallSegment> segments, long from)
    {
        List<CallSegment> fresh = [];
        long size = 0;
        for (int i = segments.Count - 1; i >= 0 && segments[i].FirstIndex >= from; i--)
        {
            size += segments[i].Size;
            if (size > PartRoom && fresh.Count > 0)
                break;
            fresh.Add(segments[i]);
        }
        fresh.Reverse();
        return fresh;
    }

    /// <summary>How much of an attempt is in the store.</summary>
    private sealed class Progress
    {
        private readonly Queue<int> _sizes = new();
        private int _first = 1;
        private long _size;
        private volatile bool _isBusy;

        /// <summary>A part is being written; the fields below are its writer's then.</summary>
        public bool IsBusy
        {
            get => _isBusy;
            set => _isBusy = value;
        }

        /// <summary>The calls before this one are there, or had to make room.</summary>
        public long Recorded { get; set; }

        /// <summary>The number of the part to come.</summary>
        public int Next => _first + _sizes.Count;

        /// <summary>From which part on there is room for all.</summary>
        public int FirstKept(long room)
        {
            int first = _first;
            long size = _size;
            foreach (int part in _sizes)
            {
                if (size <= room)
                    break;
                size -= part;
                first++;
            }
            return first;
        }

        public void Add(int size, int firstKept)
        {
            _sizes.Enqueue(size);
            _size += size;
            for (; _first < firstKept; _first++)
                _size -= _sizes.Dequeue();
        }
    }
}
