using System.Text.Json.Serialization;
using Vivarium.Telemetry.Records;

namespace Vivarium.Telemetry.Traces;

/// <summary>All that is known of one job's run: what a trace file holds, and what every report and export is made from.</summary>
public sealed record TraceDocument
{
    public required JobFacts Job { get; init; }

    /// <summary>In order of their start.</summary>
    public IReadOnlyList<ProcessFacts> Processes { get; init; } = [];

    /// <summary>Exact totals by call, those that took longest first.</summary>
    public IReadOnlyList<CallFacts> Calls { get; init; } = [];

    /// <summary>What calls waited for, the longest first.</summary>
    public IReadOnlyList<WaitFacts> Waits { get; init; } = [];

    /// <summary>Parents before their children.</summary>
    public IReadOnlyList<TraceSpan> Spans { get; init; } = [];

    /// <summary>The records themselves; earlier ones may be missing.</summary>
    public IReadOnlyList<CallSegment> Segments { get; init; } = [];

    /// <summary>Records that had to go.</summary>
    public long LostRecords { get; init; }

    /// <summary>The job's attempts, this one's among them; none when it had but one, which came to its end or goes on.</summary>
    public IReadOnlyList<AttemptFacts> Attempts { get; init; } = [];

    /// <summary>What there is of the attempts before this one, in their order.</summary>
    [JsonIgnore]
    public IReadOnlyList<TraceDocument> Earlier { get; init; } = [];

    /// <summary>What there is of one of the job's attempts; null = nothing.</summary>
    public TraceDocument? OfAttempt(int number) => Job.Attempt == number ? this : Earlier.FirstOrDefault(earlier => earlier.Job.Attempt == number);

    /// <summary>All attempts as one trace, for viewers: the records are this attempt's.</summary>
    public TraceDocument Joined() => Earlier.Count == 0 ? this : AttemptSpans.Join(this);
}

/// <summary>One of a job's attempts. Times are nanoseconds since 1970 UTC by the clocks of the nodes, 0 = not yet.</summary>
/// <param name="End">How it ended: a JobEnd's name, or one of the names here.</param>
/// <param name="Missing">What of its trace is missing and why, as a sentence; null = nothing.</param>
public sealed record AttemptFacts(int Number, string Node, long Started, long Ended, string End, string? Missing)
{
    /// <summary>It ended with its node, or its node was cut off.</summary>
    public const string Lost = "Lost";
}

/// <summary>A job as its trace tells it. Times are nanoseconds since 1970 UTC.</summary>
public sealed record JobFacts
{
    public required string Id { get; init; }

    public required string TraceId { get; init; }

    public IReadOnlyList<string> Command { get; init; } = [];

    /// <summary>Which of the job's runs this is, from 1.</summary>
    public int Attempt { get; init; }

    /// <summary>How it ended: a JobEnd's name, and the exit code or signal.</summary>
    public required string End { get; init; }

    public int Code { get; init; }

    public string? Message { get; init; }

    public string Node { get; init; } = "";

    /// <summary>The system and the processor of its first program, as OpenTelemetry names them.</summary>
    public string System { get; init; } = "linux";

    public string Processor { get; init; } = "amd64";

    public string Engine { get; init; } = "";

    public string Clock { get; init; } = "";

    /// <summary>The level it was recorded at: folded or full.</summary>
    public string Level { get; init; } = "";

    public ulong? Seed { get; init; }

    public long Queued { get; init; }

    public long Started { get; init; }

    public long Ran { get; init; }

    public long Ended { get; init; }

    /// <summary>What a record's times lack to be times since 1970.</summary>
    public long ToRealtime { get; init; }

    public ulong Instructions { get; init; }

    public ulong PeakMemory { get; init; }

    public int ProcessCount { get; init; }

    /// <summary>Processes without a span of their own.</summary>
    public int OtherProcesses { get; init; }

    public long Calls { get; init; }
}

/// <summary>A process with a span of its own. Times are nanoseconds since 1970 UTC.</summary>
public sealed record ProcessFacts(int Id, int Parent, long Start, long End, string Executable, IReadOnlyList<string> Arguments, int? ExitCode, string? Signal)
{
    /// <summary>The system and the processor of its program, as OpenTelemetry names them; null in older files.</summary>
    public string? System { get; init; }

    public string? Processor { get; init; }

    public string Name => Executable.Length == 0 ? $"process {Id}" : Executable[(Executable.LastIndexOf('/') + 1)..];
}

/// <summary>All calls of one name. Times are nanoseconds.</summary>
public sealed record CallFacts(string Name, int Number, long Count, long Errors, long Time, long Blocked, long P50, long P99, long Longest);

/// <summary>All waits of a process for one thing. Times are nanoseconds, all threads together.</summary>
/// <param name="Kind">A WaitKind's name.</param>
public sealed record WaitFacts(int Process, string Call, string Kind, ulong Key, string? Subject, long Count, long Time, long Longest, int Threads);
