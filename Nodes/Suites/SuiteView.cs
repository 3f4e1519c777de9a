using System.Globalization;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Http;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Suites;

/// <summary>Where one run of a suite is.</summary>
internal sealed record SuiteRunView(int Number, PlannedRun Planned, SuiteRunState State)
{
    public JobId? Job { get; init; }

    public string? Node { get; init; }

    public double? Seconds { get; init; }

    public string? Problem { get; init; }

    /// <summary>Its job has ended, and nobody has looked at what it did.</summary>
    public bool IsToBeJudged { get; private init; }

    public bool IsOver => State >= SuiteRunState.Passed;

    /// <summary>What a job says of its run. One that was cancelled before the suite was resumed has yet to be submitted again.</summary>
    public static SuiteRunView Of(int number, PlannedRun planned, JobSummary job, bool isOfThisRound)
    {
        SuiteRunState state = job.State switch
        {
            JobState.Waiting => SuiteRunState.Waiting,
            JobState.Queued => SuiteRunState.Queued,
            JobState.Cancelled => isOfThisRound ? SuiteRunState.Cancelled : SuiteRunState.Missing,
            _ => SuiteRunState.Running,
        };
        bool isGone = state == SuiteRunState.Missing;
        return new SuiteRunView(number, planned, state)
        {
            Job = isGone ? null : job.Id,
            Node = isGone ? null : job.Node,
            IsToBeJudged = job.State.IsFinal() && job.State != JobState.Cancelled,
        };
    }

    public SuiteRunView With(SuiteVerdict verdict) => this with
    {
        State = verdict.Problem is null ? SuiteRunState.Passed : SuiteRunState.Failed,
        Seconds = verdict.Seconds,
        Problem = verdict.Problem,
        IsToBeJudged = false,
    };

    public SuiteRunAnswer ToAnswer() => new()
    {
        Name = Planned.Name,
        Case = Planned.Case,
        Image = Planned.Image,
        OperatingSystem = Planned.Job.Requires?.OperatingSystem,
        Architecture = Planned.Job.Requires?.Architecture,
        Engine = Planned.Job.Engine == EngineKind.Interpreter ? "interpreter" : "translator",
        Seed = Planned.Seed,
        State = State,
        Job = Job?.ToString(),
        Node = Node,
        Seconds = Seconds,
        Problem = Problem,
    };

    /// <summary>What a run without a verdict is in the results.</summary>
    public RunResult Unjudged() => new()
    {
        Name = Planned.Name,
        Case = Planned.Case,
        Image = Planned.Image,
        Seed = Planned.Seed,
        Job = Job?.ToString() ?? "",
        Problems = [State switch
        {
            SuiteRunState.Cancelled => "it was cancelled",
            SuiteRunState.Missing => "it has not been submitted: resume the suite",
            _ => "it has not ended",
        }],
    };
}

/// <summary>A suite and where each of its runs is.</summary>
internal sealed record SuiteView(SuiteRecord Suite, IReadOnlyList<SuiteRunView> Runs)
{
    public int Passed => Count(SuiteRunState.Passed);

    public int Failed => Count(SuiteRunState.Failed);

    public bool IsOver => Runs.All(static run => run.IsOver);

    public SuiteDetail ToAnswer(bool? isNew = null)
    {
        SuiteAnswer summary = Summary();
        return new SuiteDetail
        {
            Id = summary.Id,
            Name = summary.Name,
            State = summary.State,
            Runs = summary.Runs,
            Passed = summary.Passed,
            Failed = summary.Failed,
            Cancelled = summary.Cancelled,
            CreatedAt = summary.CreatedAt,
            EndedAt = summary.EndedAt,
            IsNew = isNew,
            Matrix = [.. Runs.Select(static run => run.ToAnswer())],
        };
    }

    public SuiteAnswer Summary() => Answer(Suite, Passed, Failed, Count(SuiteRunState.Cancelled));

    /// <summary>A suite that has ended, as its record alone tells.</summary>
    public static SuiteAnswer Summary(SuiteRecord suite) =>
        Answer(suite, suite.End!.Passed, suite.End.Failed, suite.Runs - suite.End.Passed - suite.End.Failed);

    private static SuiteAnswer Answer(SuiteRecord suite, int passed, int failed, int cancelled) => new()
    {
        Id = suite.Id.ToString("N", CultureInfo.InvariantCulture),
        Name = suite.Name,
        State = suite.End is null ? SuiteStatus.Running : failed > 0 ? SuiteStatus.Failed : cancelled > 0 ? SuiteStatus.Cancelled : SuiteStatus.Passed,
        Runs = suite.Runs,
        Passed = passed,
        Failed = failed,
        Cancelled = cancelled,
        CreatedAt = JobMapping.Time(suite.CreatedAt),
        EndedAt = JobMapping.Time(suite.End?.At ?? 0),
    };

    private int Count(SuiteRunState state) => Runs.Count(run => run.State == state);
}
