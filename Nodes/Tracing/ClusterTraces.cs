using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Cluster;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Nodes.Tracing;

/// <summary>
/// The trace of any job: of one that runs as far as it is, from wherever it runs; of one that ended from the node that ran it. What cannot be
/// had is explained.
/// </summary>
/// <param name="self">This node's name.</param>
/// <param name="local">What ran here.</param>
/// <param name="store">Knows which node ran what.</param>
/// <param name="ask">Asks a running job.</param>
/// <param name="peers">The way to other nodes; null = there are none.</param>
internal sealed class ClusterTraces(string self, ITraceSource local, IJobStore store, Func<JobId, JobCommand, ValueTask<JobReply>> ask, PeerClient? peers) : ITraceSource
{
    public async Task<TraceAnswer> Find(string job, CancellationToken stop)
    {
        if (!Guid.TryParseExact(job, "N", out Guid number))
            return new TraceAnswer(null, $"{job} is no job's identifier");
        var id = new JobId(number);
        if (await store.Find(id).ConfigureAwait(false) is not { } record)
        {
            // Records of a job outlive its row when that was removed.
            TraceAnswer kept = await local.Find(job, stop).ConfigureAwait(false);
            return kept.File is null ? new TraceAnswer(null, $"there is no job {job}") : kept;
        }
        JobState state = record.Lifecycle.State;
        string? running = null;
        if (state == JobState.Running)
        {
            JobReply reply = await ask(id, new JobCommand.Trace()).ConfigureAwait(false);
            if (reply.Content is { } file)
                return new TraceAnswer(file, null);
            running = Explain(reply);
        }
        if (record.Summary.Node is not { } node)
            return new TraceAnswer(null, "the job has not begun to run: there is nothing to tell of it");
        TraceAnswer answer = node == self ? await local.Find(job, stop).ConfigureAwait(false) : await AskNode(node, id, stop).ConfigureAwait(false);
        if (answer.File is null && node != self && await local.Find(job, stop).ConfigureAwait(false) is { File: not null } earlier)
            return earlier;
        return answer.File is not null || running is null ? answer : new TraceAnswer(null, $"{running}; and {answer.Missing}");
    }

    private static string Explain(JobReply reply) => reply.Kind switch
    {
        JobReplyKind.Unavailable => "the job runs on a node that cannot be reached at present",
        JobReplyKind.Refused => reply.Text ?? "the job gives no trace away",
        _ => "the job has just ended, and its trace is being written",
    };

    private async Task<TraceAnswer> AskNode(string name, JobId id, CancellationToken stop)
    {
        ClusterView view = await store.Observe().ConfigureAwait(false);
        NodeRecord? node = view.Nodes.FirstOrDefault(node => node.Description.Name == name);
        TraceAnswer? answer = node is null || peers is null ? null : await peers.Trace(node.Description, id, stop).ConfigureAwait(false);
        if (answer is not { } told)
            return new TraceAnswer(null, $"the job ran on node {name}, which keeps its records and cannot be reached; it gives them away when it is back");
        return told.File is not null ? told : new TraceAnswer(null, $"node {name}: {told.Missing}");
    }
}
