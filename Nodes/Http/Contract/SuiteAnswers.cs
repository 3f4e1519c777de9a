using System.ComponentModel;

namespace Vivarium.Nodes.Http.Contract;

/// <summary>A suite to run.</summary>
internal sealed record SuiteRequest
{
    [Description("The suite as its file has it, YAML; docs/suites.md explains it.")]
    public required string Suite { get; init; }

    [Description("The name of a suite that has none of its own.")]
    public string? Name { get; init; }

    [Description("The content of the files that its cases take from beside it, by the names they use.")]
    public IReadOnlyDictionary<string, ByteText>? Files { get; init; }

    [Description("The hash or name of an image here for each that the suite calls otherwise, as by a path.")]
    public IReadOnlyDictionary<string, string>? Images { get; init; }

    [Description("Each case under so many seeds, instead of those of the matrix.")]
    public int? Flaky { get; init; }

    [Description("Only runs whose name has this in it.")]
    public string? Only { get; init; }
}

/// <summary>Where a suite is.</summary>
internal enum SuiteStatus
{
    Running,

    /// <summary>Every run did what it must.</summary>
    Passed,

    Failed,

    /// <summary>None failed, but some were cancelled.</summary>
    Cancelled,
}

/// <summary>Where one run of a suite is.</summary>
internal enum SuiteRunState
{
    /// <summary>It has no job, as when a node died while the suite was submitted: resuming makes it.</summary>
    Missing,

    /// <summary>No node there meets what it requires.</summary>
    Waiting,

    Queued,

    Running,

    Passed,

    Failed,

    Cancelled,
}

/// <summary>A suite as lists show it.</summary>
internal record SuiteAnswer
{
    public required string Id { get; init; }

    public required string Name { get; init; }

    public required SuiteStatus State { get; init; }

    [Description("Jobs it stands for: cases times the matrix.")]
    public int Runs { get; init; }

    public int Passed { get; init; }

    public int Failed { get; init; }

    public int Cancelled { get; init; }

    public DateTimeOffset? CreatedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }
}

/// <summary>A suite and the matrix of its runs.</summary>
internal sealed record SuiteDetail : SuiteAnswer
{
    [Description("False when an earlier submission with the same Idempotency-Key had made it.")]
    public bool? IsNew { get; init; }

    [Description("In the order of the suite: each case under each combination of images, engines and seeds.")]
    public required IReadOnlyList<SuiteRunAnswer> Matrix { get; init; }
}

/// <summary>One cell of the matrix.</summary>
internal sealed record SuiteRunAnswer
{
    public required string Name { get; init; }

    public required string Case { get; init; }

    [Description("As the suite names it.")]
    public string? Image { get; init; }

    [Description("The system that it is for; absent when its program says.")]
    public string? OperatingSystem { get; init; }

    [Description("The processor that it is for; absent when its program says.")]
    public string? Architecture { get; init; }

    public required string Engine { get; init; }

    public ulong? Seed { get; init; }

    public required SuiteRunState State { get; init; }

    [Description("Its job; absent where there is none.")]
    public string? Job { get; init; }

    public string? Node { get; init; }

    public double? Seconds { get; init; }

    [Description("The first thing that was not as expected; of a waiting run, why no node can run it.")]
    public string? Problem { get; init; }
}

/// <summary>A page of suites, newest first.</summary>
internal sealed record SuiteList
{
    public required IReadOnlyList<SuiteAnswer> Suites { get; init; }

    [Description("What to pass as \"after\" for the next page; absent on the last.")]
    public string? Next { get; init; }
}
