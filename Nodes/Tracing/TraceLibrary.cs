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

    /// <summary>For how long what a job that runs had told is shown again, milliseconds: a page asks for several things at once.</summary>
    private const long Freshness = 300;

    /// <summary>The trace of a job's attempt, 0 = of the last; null when there is none here, with the reason as a sentence.</summary>
    public async Task<(TraceIndex? Trace, string? Missing)> Open(JobId job, int attempt)
    {
        long? written = traces.WrittenAt(job, attempt);
        Task<(TraceIndex?, string?)> reading;
        lock (_lock)
        {
            MakeRoom();
            Entry? entry = _entries.FirstOrDefault(entry => entry.Job == job && entry.Attempt == attempt && entry.Written == written);
            if (entry is null)
                entry = new Entry(job, attempt, written, Environment.TickCount64, Task.Run(() => Read(job, attempt)));
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

    private async Task<(TraceIndex? Trace, string? Missing)> Read(JobId job, int attempt)
    {
        TraceAnswer answer = await all.Find(job.ToString(), attempt, CancellationToken.None).ConfigureAwait(false);
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
            if ((isRead && (trace is null || IsPassing(node.Value, trace.Trace))) || node.Value.Reading.IsFaulted || (kept > 0 && (kept >= Most || size > Room)))
                _entries.Remove(node);
            else
                kept++;
            node = next;
        }
    }

    /// <summary>True when there may be more by now: of an attempt that runs, or of a job of which another attempt may have begun.</summary>
    private static bool IsPassing(Entry entry, TraceDocument trace)
    {
        bool isOneOfSeveral = trace.Attempts.Count > 0 || (trace.Spans.Count > 1 && trace.Spans[1].Kind == SpanKind.Attempt);
        bool mayGoOn = trace.Job.End == TraceRecording.Running || (entry.Attempt == 0 && isOneOfSeveral && trace.Spans[0].Error is not null);
        return mayGoOn && Environment.TickCount64 - entry.AskedAt > Freshness;
    }

    private sealed record Entry(JobId Job, int Attempt, long? Written, long AskedAt, Task<(TraceIndex? Trace, string? Missing)> Reading);
}
