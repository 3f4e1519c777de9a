using Vivarium.Actors.Jobs;
using Vivarium.Messages;

namespace Vivarium.Actors.Storage;

/// <summary>A job to be accepted.</summary>
/// <param name="Id">Made by the submitter, so that a submission can be repeated.</param>
/// <param name="Shard">The shard it starts in.</param>
/// <param name="Key">The submitter's idempotency key; of all submissions with one key the first is accepted.</param>
public sealed record NewJob(JobId Id, JobSpec Spec, int Shard, string? Key = null);

/// <summary>What became of a submission.</summary>
/// <param name="Id">The job: the submission's own, or the one that its key had named before.</param>
/// <param name="IsNew">False when the job was there already.</param>
public sealed record AcceptedJob(JobId Id, bool IsNew);

/// <summary>Something that a shard's owner wants written, under its lease.</summary>
public abstract record JournalEntry(ShardLease Lease, JobId Job)
{
    /// <summary>Called once: true when the entry is durable, false when the lease was lost and it never will be.</summary>
    public Action<bool>? Done { get; init; }

    /// <summary>One event of a job, and the job's state after it.</summary>
    /// <param name="Number">The event's place in the job's journal, from 0: repeated writes are one.</param>
    /// <param name="At">Unix nanoseconds by the writing node's clock; for people.</param>
    public sealed record Event(ShardLease Lease, JobId Job, int Number, JobEvent Happened, JobLifecycle After, long At) : JournalEntry(Lease, Job);

    /// <summary>Output of one attempt.</summary>
    public sealed record Output(ShardLease Lease, JobId Job, int Attempt, OutputChunk Chunk) : JournalEntry(Lease, Job);
}

/// <summary>Which of a job's streams.</summary>
public enum OutputStream : byte
{
    Standard = 1,
    Error = 2,
}

/// <summary>A piece of a job's output.</summary>
/// <param name="Offset">Its place in the job's output, both streams counted together in the order they were written.</param>
public sealed record OutputChunk(long Offset, OutputStream Stream, ReadOnlyMemory<byte> Bytes)
{
    public long End => Offset + Bytes.Length;

    /// <summary>The part from an offset on that lies in it.</summary>
    public OutputChunk From(long offset) => offset <= Offset ? this : new OutputChunk(offset, Stream, Bytes[(int)(offset - Offset)..]);
}

/// <summary>What is written of jobs, and what their owners read back.</summary>
public interface IJobJournal
{
    /// <summary>
    /// Accepts jobs: any node may, for any shard, whether or not it has an owner. The answers are in the order of the jobs. An
    /// identifier that is known, or a key, gives the job that is there.
    /// </summary>
    ValueTask<IReadOnlyList<AcceptedJob>> Accept(IReadOnlyList<NewJob> jobs);

    /// <summary>
    /// Writes entries in their order. Those whose lease is not the shard's any more are left out; the result is these leases. Written
    /// again they change nothing.
    /// </summary>
    ValueTask<IReadOnlyList<ShardLease>> Append(IReadOnlyList<JournalEntry> entries);

    /// <summary>The queued jobs of some shards, those accepted first first.</summary>
    ValueTask<IReadOnlyList<JobRecord>> ReadQueue(IReadOnlyList<int> shards, int limit);

    /// <summary>The jobs of a shard in a state, those accepted first first, after one of them.</summary>
    ValueTask<IReadOnlyList<JobRecord>> ReadShard(int shard, JobState state, long afterSequence, int limit);
}
