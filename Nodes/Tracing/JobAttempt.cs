using System.Globalization;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Telemetry.Reports;
using Vivarium.Telemetry.Traces;

namespace Vivarium.Nodes.Tracing;

/// <summary>One of a job's attempts, as its journal tells it. Times are Unix nanoseconds by the clocks of the nodes that wrote them.</summary>
/// <param name="Node">Where it ran.</param>
/// <param name="Ended">0 = it runs.</param>
/// <param name="End">An end as <see cref="AttemptFacts"/> has it.</param>
internal sealed record JobAttempt(int Number, string Node, long Started, long Ended, string End)
{
    public bool IsRunning => End == TraceRecording.Running;

    public bool IsLost => End == AttemptFacts.Lost;

    /// <summary>The one attempt of a job that was begun once, without its journal.</summary>
    public static JobAttempt Only(JobRecord job) => new(
        1, job.Lifecycle.Node ?? "", job.StartedAt, job.EndedAt, job.Lifecycle.State == JobState.Running ? TraceRecording.Running : job.Lifecycle.Result?.End.ToString() ?? "");

    public static IReadOnlyList<JobAttempt> All(IReadOnlyList<RecordedEvent> journal)
    {
        List<JobAttempt> attempts = [];
        foreach ((JobEvent happened, long at) in journal)
        {
            if (happened is JobEvent.Started started)
                attempts.Add(new JobAttempt(attempts.Count + 1, started.Node, at, 0, TraceRecording.Running));
            else if (attempts.Count > 0 && attempts[^1].IsRunning && EndOf(happened) is { } end)
                attempts[^1] = attempts[^1] with { Ended = at, End = end };
        }
        return attempts;
    }

    public AttemptFacts Facts(string? missing) => new(Number, Node, Started, Ended, End, missing);

    private static string? EndOf(JobEvent happened) => happened switch
    {
        JobEvent.Interrupted => AttemptFacts.Lost,
        JobEvent.Retried retried => retried.Result.End.ToString(),
        JobEvent.Finished finished => finished.Result.End.ToString(),
        _ => null,
    };
}

/// <summary>What was found of an attempt's trace.</summary>
/// <param name="IsRemnant">It is what the store has of an attempt whose own node did not tell it.</param>
internal sealed record AttemptTrace(JobAttempt Attempt, TraceAnswer Answer, bool IsRemnant)
{
    /// <summary>What is not in it, as a sentence; null = nothing.</summary>
    /// <param name="document">The trace; null = there is none.</param>
    public string? WhatIsMissing(TraceDocument? document)
    {
        if (document is null)
            return Attempt.IsLost ? $"{Ended} before anything of its trace was kept" : Answer.Missing;
        if (!IsRemnant)
            return null;
        // The node may have gone on until it was found to be gone.
        string most = Attempt.Ended > document.Job.Ended ? $"{Figures.Time(Attempt.Ended - document.Job.Ended)} of calls are missing at most" : "its last calls are missing";
        return Attempt.IsRunning ? $"{Name} runs on node {Attempt.Node}, which cannot be reached: this is what it had told" : $"{Ended}; {most}";
    }

    private string Name => string.Create(CultureInfo.InvariantCulture, $"attempt {Attempt.Number}");

    private string Ended => Attempt.IsLost ? $"{Name} on node {Attempt.Node} ended with the node" : $"{Name} ended on node {Attempt.Node}, which cannot be reached";
}
