using System.ComponentModel;
using Vivarium.Messages;

namespace Vivarium.Nodes.Http.Contract;

/// <summary>What came of a submission.</summary>
internal sealed record SubmitAnswer
{
    [Description("The jobs' identifiers, in order.")]
    public required IReadOnlyList<string> Jobs { get; init; }

    [Description("False when an earlier submission with the same Idempotency-Key had made them.")]
    public bool IsNew { get; init; }

    [Description("Why no node can run them at present, in one line; absent when one can. They wait for one that joins.")]
    public string? WaitsFor { get; init; }
}

/// <summary>A job as lists show it.</summary>
internal record JobAnswer
{
    public required string Id { get; init; }

    public string? Name { get; init; }

    [Description("The start of its command line, for people.")]
    public required string Command { get; init; }

    public required JobState State { get; init; }

    [Description("The node of its latest attempt.")]
    public string? Node { get; init; }

    public int Attempts { get; init; }

    [Description("As viv run would return it; there once the job is over.")]
    public int? ExitCode { get; init; }

    public DateTimeOffset? AcceptedAt { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    [Description("The operating system that it was submitted for; absent when its program says.")]
    public string? OperatingSystem { get; init; }

    [Description("The processor that it was submitted for; absent when its program says.")]
    public string? Architecture { get; init; }

    [Description("Of a waiting job: why no node can run it at present.")]
    public string? WaitsFor { get; init; }
}

/// <summary>All of a job.</summary>
internal sealed record JobDetail : JobAnswer
{
    public required JobRequest Job { get; init; }

    public ResultAnswer? Result { get; init; }

    [Description("What happened to it, oldest first.")]
    public required IReadOnlyList<EventAnswer> Events { get; init; }
}

internal sealed record EventAnswer
{
    public required string Event { get; init; }

    public DateTimeOffset At { get; init; }

    public string? Detail { get; init; }
}

internal sealed record ResultAnswer
{
    public required JobEnd End { get; init; }

    [Description("The exit code when it exited, the signal's number when one killed it.")]
    public int Code { get; init; }

    public int ExitCode { get; init; }

    public JobFailure Failure { get; init; }

    public string? Message { get; init; }

    public required JobUsage Usage { get; init; }
}

/// <summary>A page of jobs, newest first.</summary>
internal sealed record JobList
{
    public required IReadOnlyList<JobAnswer> Jobs { get; init; }

    [Description("What to pass as \"after\" for the next page; absent on the last.")]
    public string? Next { get; init; }
}

/// <summary>A piece of a job's output, as the data of an event.</summary>
internal sealed record OutputAnswer
{
    [Description("stdout or stderr.")]
    public required string Stream { get; init; }

    public required ByteText Text { get; init; }
}

/// <summary>What programs are for.</summary>
internal sealed record PlatformAnswer
{
    public required string OperatingSystem { get; init; }

    public required string Architecture { get; init; }
}

internal sealed record NodeAnswer
{
    public required string Name { get; init; }

    public string? Address { get; init; }

    [Description("Of the machine itself; native jobs are for this.")]
    public required string OperatingSystem { get; init; }

    public required string Architecture { get; init; }

    [Description("What its emulator runs programs of.")]
    public required IReadOnlyList<PlatformAnswer> Platforms { get; init; }

    public int Cores { get; init; }

    public long Memory { get; init; }

    public required IReadOnlyList<string> Engines { get; init; }

    public required IReadOnlyList<string> Backends { get; init; }

    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    [Description("Jobs it runs at once, at most.")]
    public int Capacity { get; init; }

    public int Running { get; init; }

    [Description("Shards it owns.")]
    public int Shards { get; init; }

    public bool IsDraining { get; init; }

    [Description("False once it has left.")]
    public bool IsMember { get; init; }

    public string? Version { get; init; }

    public DateTimeOffset? SeenAt { get; init; }
}

internal sealed record NodeList
{
    public required IReadOnlyList<NodeAnswer> Nodes { get; init; }
}

internal sealed record StatsAnswer
{
    public required string Node { get; init; }

    public required string Version { get; init; }

    public double UptimeSeconds { get; init; }

    [Description("Jobs of the cluster by state.")]
    public required IReadOnlyDictionary<string, long> Jobs { get; init; }

    [Description("What this node's translator did since its start.")]
    public required TranslatorUsage Translator { get; init; }

    [Description("Bytes of this node's process.")]
    public long ResidentMemory { get; init; }

    public double ProcessorSeconds { get; init; }
}

internal sealed record ImageAnswer
{
    public required string Hash { get; init; }

    public string? Name { get; init; }

    public long Bytes { get; init; }

    public DateTimeOffset? CreatedAt { get; init; }

    [Description("What was left out of what was pushed, and why.")]
    public IReadOnlyList<string>? Notes { get; init; }
}

/// <summary>How much there is of an image that is pushed in pieces.</summary>
internal sealed record ContentAnswer
{
    public required long Bytes { get; init; }
}

internal sealed record ImageList
{
    public required IReadOnlyList<ImageAnswer> Images { get; init; }
}

/// <summary>An error, as RFC 9457 has it.</summary>
internal sealed record Problem
{
    public required string Title { get; init; }

    public required int Status { get; init; }

    public string? Detail { get; init; }

    [Description("The field that is wrong, as a path such as $.job.labels.")]
    public string? Field { get; init; }

    [Description("True when the same request may succeed later.")]
    public bool Retryable { get; init; }
}
