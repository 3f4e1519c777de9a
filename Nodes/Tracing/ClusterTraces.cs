using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Cluster;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Traces.Formats;

namespace Vivarium.Nodes.Tracing;

/// <summary>
/// The trace of any job: of one that runs as far as it is, from wherever it runs; of one that ended from the node that ran it; of an attempt that
/// ended with its node what the store has of it. What cannot be had is explained.
/// </summary>
/// <param name="self">This node's name.</param>
/// <param name="local">What ran here.</param>
/// <param name="store">Knows which node ran what, and keeps parts of what runs.</param>
/// <param name="ask">Asks a running job.</param>
/// <param name="peers">The way to other nodes; null = there are none.</param>
internal sealed class ClusterTraces(string self, ITraceSource local, IJobStore store, Func<JobId, JobCommand, ValueTask<JobReply>> ask, PeerClient? peers) : ITraceSource
{
    /// <summary>Earlier attempts that are told beside the last one; of the others the trace of each can be asked for.</summary>
    private const int MostEarlier = 16;

    /// <summary>Bytes past which an earlier attempt is told there without its records.</summary>
    private const int LargestEarlier = 8 << 20;

    /// <summary>A node whose lease was renewed so much before the last one of all is not asked for what it lost, nanoseconds.</summary>
    private const long LongGone = 15_000_000_000;

    public async Task<TraceAnswer> Find(string job, int attempt, CancellationToken stop)
    {
        if (!Guid.TryParseExact(job, "N", out Guid number))
            return new TraceAnswer(null, $"{job} is no job's identifier");
        var id = new JobId(number);
        if (await store.Find(id).ConfigureAwait(false) is not { } record)
        {
            // Records of a job outlive its row when that was removed.
            TraceAnswer kept = await local.Find(job, attempt, stop).ConfigureAwait(false);
            return kept.File is null ? new TraceAnswer(null, $"there is no job {job}") : kept;
        }
        int begun = record.Lifecycle.Attempts;
        if (begun == 0)
            return new TraceAnswer(null, "the job has not begun to run: there is nothing to tell of it");
        if (attempt > begun)
            return new TraceAnswer(null, $"the job was begun {(begun == 1 ? "once" : $"{begun} times")}: there is no attempt {attempt}");
        IReadOnlyList<JobAttempt> attempts = begun == 1 && record.Lifecycle.Losses == 0
            ? [JobAttempt.Only(record)]
            : JobAttempt.All(await store.ReadJournal(id).ConfigureAwait(false));
        int wanted = (attempt == 0 ? begun : attempt) - 1;
        // It was begun again between the two questions.
        if (wanted >= attempts.Count)
            return new TraceAnswer(null, "the job has just begun: there is nothing to tell of it yet");
        AttemptTrace found = await Find(id, attempts[wanted], stop).ConfigureAwait(false);
        bool isSimple = attempts.Count == 1 && !attempts[0].IsLost && !found.IsRemnant;
        return isSimple ? found.Answer : await Join(id, attempts, found, attempt == 0, stop).ConfigureAwait(false);
    }

    /// <summary>An attempt with what is told of all, and, of the last one, with the others.</summary>
    private async Task<TraceAnswer> Join(JobId id, IReadOnlyList<JobAttempt> attempts, AttemptTrace found, bool withEarlier, CancellationToken stop)
    {
        List<AttemptTrace> traces = [found];
        int number = found.Attempt.Number;
        for (int i = number - 2; withEarlier && i >= Math.Max(0, number - 1 - MostEarlier); i--)
            traces.Insert(0, await Find(id, attempts[i], stop).ConfigureAwait(false));
        List<TraceDocument> documents = [];
        List<AttemptFacts> facts = [.. attempts.Select(static attempt => attempt.Facts(null))];
        foreach (AttemptTrace trace in traces)
        {
            TraceDocument? document = trace.Answer.File is { } file ? TraceFile.Read(file, out _) : null;
            // A node of before there were attempts tells the last one, whichever it is asked for.
            if (document?.Job.Attempt != trace.Attempt.Number)
                document = null;
            facts[trace.Attempt.Number - 1] = trace.Attempt.Facts(trace.WhatIsMissing(document));
            if (document is null)
                continue;
            bool isLarge = trace != found && trace.Answer.File!.Length > LargestEarlier;
            documents.Add(isLarge ? document with { Segments = [], LostRecords = document.Job.Calls } : document);
        }
        if (documents.Count == 0)
            return new TraceAnswer(null, string.Join("; ", facts.Select(static attempt => attempt.Missing).Where(static missing => missing is not null)));
        TraceDocument last = documents[^1] with { Attempts = facts, Earlier = documents[..^1] };
        return new TraceAnswer(TraceFile.Write(last), null);
    }

    private async Task<AttemptTrace> Find(JobId id, JobAttempt attempt, CancellationToken stop)
    {
        string? running = null;
        if (attempt.IsRunning)
        {
            JobReply reply = await ask(id, new JobCommand.Trace()).ConfigureAwait(false);
            if (reply.Content is { } file)
                return new AttemptTrace(attempt, new TraceAnswer(file, null), false);
            running = Explain(reply);
        }
        TraceAnswer answer = attempt.Node == self
            ? await local.Find(id.ToString(), attempt.Number, stop).ConfigureAwait(false)
            : await AskNode(attempt, id, stop).ConfigureAwait(false);
        if (answer.File is null && attempt.Node != self && await local.Find(id.ToString(), attempt.Number, stop).ConfigureAwait(false) is { File: not null } here)
            answer = here;
        if (answer.File is not null)
            return new AttemptTrace(attempt, answer, false);
        IReadOnlyList<ReadOnlyMemory<byte>> parts = await store.ReadTrace(id, attempt.Number).ConfigureAwait(false);
        if (TraceFile.Assemble(parts, out _) is { } remnant)
            return new AttemptTrace(attempt, new TraceAnswer(TraceFile.Write(remnant), null), true);
        return new AttemptTrace(attempt, running is null ? answer : new TraceAnswer(null, $"{running}; and {answer.Missing}"), false);
    }

    private static string Explain(JobReply reply) => reply.Kind switch
    {
        JobReplyKind.Unavailable => "the job runs on a node that cannot be reached at present",
        JobReplyKind.Refused => reply.Text ?? "the job gives no trace away",
        _ => "the job has just ended, and its trace is being written",
    };

    private async Task<TraceAnswer> AskNode(JobAttempt attempt, JobId id, CancellationToken stop)
    {
        ClusterView view = await store.Observe().ConfigureAwait(false);
        NodeRecord? node = view.Nodes.FirstOrDefault(node => node.Description.Name == attempt.Node);
        if (attempt.IsLost && node is not null && node.SeenAt < view.Nodes.Max(static node => node.SeenAt) - LongGone)
            node = null;
        TraceAnswer? answer = node is null || peers is null ? null : await peers.Trace(node.Description, id, attempt.Number, stop).ConfigureAwait(false);
        if (answer is not { } told)
            return new TraceAnswer(null, $"the job ran on node {attempt.Node}, which keeps its records and cannot be reached; it gives them away when it is back");
        return told.File is not null ? told : new TraceAnswer(null, $"node {attempt.Node}: {told.Missing}");
    }
}
