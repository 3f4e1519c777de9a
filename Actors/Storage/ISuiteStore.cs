namespace Vivarium.Actors.Storage;

/// <summary>A suite of cases that was submitted: what is to be run, and, once, what came of it. Its jobs are jobs like others.</summary>
/// <param name="Definition">What was submitted, in the submitter's own form.</param>
/// <param name="Runs">Jobs it stands for.</param>
/// <param name="CreatedAt">Unix nanoseconds.</param>
public sealed record SuiteRecord(Guid Id, string Name, long CreatedAt, int Runs, byte[] Definition)
{
    /// <summary>The order of submission.</summary>
    public long Sequence { get; init; }

    /// <summary>How often its cancelled and missing runs were submitted again.</summary>
    public int Round { get; init; }

    /// <summary>Null while runs are under way.</summary>
    public SuiteEnd? End { get; init; }
}

/// <summary>What a suite came to. Runs that neither passed nor failed were cancelled.</summary>
/// <param name="At">Unix nanoseconds.</param>
public sealed record SuiteEnd(long At, int Passed, int Failed);

/// <summary>What was found of one run of a suite.</summary>
/// <param name="Number">The run's place in the suite's plan.</param>
/// <param name="Seconds">How long its latest attempt took.</param>
/// <param name="Problem">The first thing that was not as expected; null when it passed.</param>
/// <param name="Detail">All that was found, in the judge's own form; empty where it was not asked for.</param>
public sealed record SuiteVerdict(int Number, double Seconds, string? Problem, byte[] Detail);

/// <summary>Suites, and verdicts on their runs, which outlive the runs' jobs.</summary>
public interface ISuiteStore
{
    /// <summary>Keeps a suite; false when its identifier is known, which changes nothing.</summary>
    ValueTask<bool> AddSuite(SuiteRecord suite);

    ValueTask<SuiteRecord?> FindSuite(Guid id);

    /// <summary>Suites, newest first, after the one of this sequence.</summary>
    ValueTask<IReadOnlyList<SuiteRecord>> ListSuites(long? after, int limit);

    /// <summary>Keeps verdicts. Of two on the same run the first stays: both say the same.</summary>
    ValueTask WriteVerdicts(Guid suite, IReadOnlyList<SuiteVerdict> verdicts);

    /// <summary>The verdicts there are, by number.</summary>
    ValueTask<IReadOnlyList<SuiteVerdict>> ReadVerdicts(Guid suite, bool withDetail);

    /// <summary>Notes a suite's end, or with null that it goes on, in a round.</summary>
    ValueTask SetSuite(Guid suite, int round, SuiteEnd? end);

    /// <summary>Forgets a suite and its verdicts.</summary>
    ValueTask RemoveSuite(Guid suite);
}
