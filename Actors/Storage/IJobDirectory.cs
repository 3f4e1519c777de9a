using Vivarium.Actors.Jobs;
using Vivarium.Messages;

namespace Vivarium.Actors.Storage;

/// <summary>A job as the store has it.</summary>
public sealed record JobRecord
{
    public required JobId Id { get; init; }

    /// <summary>The cluster-wide order of acceptance.</summary>
    public long Sequence { get; init; }

    public int Shard { get; init; }

    public required JobLifecycle Lifecycle { get; init; }

    /// <summary>Events in its journal.</summary>
    public int Events { get; init; }

    /// <summary>Unix nanoseconds by the store's clock.</summary>
    public long AcceptedAt { get; init; }

    /// <summary>Start of the latest attempt, Unix nanoseconds; 0 before the first.</summary>
    public long StartedAt { get; init; }

    /// <summary>Unix nanoseconds; 0 before the end.</summary>
    public long EndedAt { get; init; }

    /// <summary>The job without its whole description.</summary>
    public JobSummary Summary => new()
    {
        Id = Id,
        Sequence = Sequence,
        Name = Lifecycle.Spec!.Name,
        Command = JobSummary.DescribeCommand(Lifecycle.Spec),
        Labels = Lifecycle.Spec.Labels,
        Backend = Lifecycle.Spec.Backend,
        Requirements = Lifecycle.Spec.Requirements,
        State = Lifecycle.State,
        Node = Lifecycle.Node,
        Attempts = Lifecycle.Attempts,
        ExitCode = Lifecycle.Result?.ExitCode,
        AcceptedAt = AcceptedAt,
        StartedAt = StartedAt,
        EndedAt = EndedAt,
    };
}

/// <summary>A job as lists show it.</summary>
public sealed record JobSummary
{
    private const int LongestCommand = 200;

    public required JobId Id { get; init; }

    public long Sequence { get; init; }

    public string? Name { get; init; }

    /// <summary>The start of its command line, for people.</summary>
    public string Command { get; init; } = "";

    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    public string Backend { get; init; } = JobSpec.EmulatedBackend;

    public JobRequirements Requirements { get; init; } = JobRequirements.None;

    public JobState State { get; init; }

    /// <summary>The node of its latest attempt.</summary>
    public string? Node { get; init; }

    public int Attempts { get; init; }

    /// <summary>What <see cref="JobResult.ExitCode"/> says; null before the end.</summary>
    public int? ExitCode { get; init; }

    /// <summary>This and the others are Unix nanoseconds; 0 when it has not happened.</summary>
    public long AcceptedAt { get; init; }

    public long StartedAt { get; init; }

    public long EndedAt { get; init; }

    public static string DescribeCommand(JobSpec spec)
    {
        string line = string.Join(' ', spec.Arguments.Select(System.Text.Encoding.UTF8.GetString));
        line = line.Replace('\0', ' ');
        return line.Length <= LongestCommand ? line : string.Concat(line.AsSpan(0, LongestCommand - 1), "…");
    }
}

/// <summary>Which jobs a list is to have. What is null selects nothing away.</summary>
public sealed record JobQuery
{
    public const int LargestPage = 1000;

    /// <summary>Any of these states.</summary>
    public IReadOnlyList<JobState>? States { get; init; }

    /// <summary>All of these labels.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    public string? Node { get; init; }

    public string? Name { get; init; }

    /// <summary>All of these occur, letter by letter, in what was submitted: its command, name, labels, environment, files.</summary>
    public IReadOnlyList<string>? Words { get; init; }

    /// <summary>True: those accepted last first.</summary>
    public bool NewestFirst { get; init; } = true;

    /// <summary>Goes on after the job with this sequence, from an earlier page; null = from the beginning.</summary>
    public long? After { get; init; }

    public int Limit { get; init; } = 100;
}

/// <summary>A page of a list.</summary>
/// <param name="Next">What <see cref="JobQuery.After"/> must be for the next page; null when this is the last.</param>
public sealed record JobPage(IReadOnlyList<JobSummary> Jobs, long? Next);

/// <summary>An event with when it was written.</summary>
/// <param name="At">Unix nanoseconds by the writing node's clock.</param>
public readonly record struct RecordedEvent(JobEvent Happened, long At);

/// <summary>A part of a job's output.</summary>
/// <param name="Attempt">The attempt that wrote it; a greater one than was asked for starts again from offset 0.</param>
/// <param name="Chunks">In order and without gaps.</param>
/// <param name="Next">The offset to read on from.</param>
/// <param name="State">The job's state. In a final one with no chunks, this was all.</param>
public sealed record OutputPage(int Attempt, IReadOnlyList<OutputChunk> Chunks, long Next, JobState State);

/// <summary>What can be asked about jobs.</summary>
public interface IJobDirectory
{
    ValueTask<JobRecord?> Find(JobId job);

    /// <summary>The jobs that match, a page at a time, in order of acceptance. Later pages do not get slower.</summary>
    ValueTask<JobPage> List(JobQuery query);

    /// <summary>How many jobs are in each state that any is in; with a label, of those that carry it.</summary>
    ValueTask<IReadOnlyDictionary<JobState, long>> Count(IReadOnlyDictionary<string, string>? labels = null);

    /// <summary>A job's journal, oldest first; empty for an unknown job.</summary>
    ValueTask<IReadOnlyList<RecordedEvent>> ReadJournal(JobId job);

    /// <summary>
    /// Output of the job's latest attempt from an offset on, at most about <paramref name="limit"/> bytes but one whole chunk at
    /// least. <paramref name="attempt"/> is the one read so far, 0 at first: when another has begun since, the page begins with it.
    /// Null for an unknown job.
    /// </summary>
    ValueTask<OutputPage?> ReadOutput(JobId job, int attempt, long offset, int limit);
}
