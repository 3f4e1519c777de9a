using Vivarium.Messages;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Traces.Formats;
using Vivarium.Telemetry.Views;

namespace Vivarium.Nodes.Tracing;

/// <summary>
/// The latest traces that somebody looked into, unpacked: looking at one takes many requests. A few, of bounded size; each is read once
/// however many ask at the same time.
/// </summary>
/// <param name="traces">Those of this node.</param>
/// <param name="all">Those of all jobs.</param>
internal sealed class TraceLibrary(NodeTraces traces, ITraceSource all)
{
    private const int Most = 8;

    /// <summary>Bytes of traces that are kept unpacked; the one asked for last stays whatever its size.</summary>
    private const long Room = 512L << 20;

    private readonly Lock _lock = new();
    private readonly LinkedList<Entry> _entries = new();

    /// <summary>A job's trace; null when there is none here, with the reason as a sentence.</summary>
    public async Task<(TraceIndex? Trace, string? Missing)> Open(JobId job)
    {
        long? written = traces.WrittenAt(job);
        Task<(TraceIndex?, string?)> reading;
        lock (_lock)
        {
            Entry? entry = _entries.FirstOrDefault(entry => entry.Job == job && entry.Written == written);
            if (entry is null)
                entry = new Entry(job, written, Task.Run(() => Read(job)));
            else
                _entries.Remove(entry);
            _entries.AddFirst(entry);
            reading = entry.Reading;
        }
        (TraceIndex? trace, string? missing) = await reading.ConfigureAwait(false);
        lock (_lock)
            MakeRoom();
        return (trace, missing);
    }

    private async Task<(TraceIndex? Trace, string? Missing)> Read(JobId job)
    {
        TraceAnswer answer = await all.Find(job.ToString(), CancellationToken.None).ConfigureAwait(false);
        if (answer.File is not { } file)
            return (null, answer.Missing);
        return TraceFile.Read(file, out string? error) is { } document ? (new TraceIndex(document), null) : (null, error);
    }

    private void MakeRoom()
    {
        long size = 0;
        int kept = 0;
        for (LinkedListNode<Entry>? node = _entries.First; node is not null;)
        {
            LinkedListNode<Entry>? next = node.Next;
            bool isRead = node.Value.Reading.IsCompletedSuccessfully;
            TraceIndex? trace = isRead ? node.Value.Reading.Result.Trace : null;
            size += trace?.Size ?? 0;
            // What is not there may come, and what goes on goes on.
            if ((isRead && (trace is null || trace.Trace.Job.End == TraceRecording.Running)) || node.Value.Reading.IsFaulted || (kept > 0 && (kept >= Most || size > Room)))
                _entries.Remove(node);
            else
                kept++;
            node = next;
        }
    }

    private sealed record Entry(JobId Job, long? Written, Task<(TraceIndex? Trace, string? Missing)> Reading);
}
