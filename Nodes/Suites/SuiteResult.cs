using System.Text;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Vivarium.Messages;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Suites;

/// <summary>What one run of a case came to.</summary>
internal sealed record RunResult
{
    public required string Name { get; init; }

    public required string Case { get; init; }

    public string? Image { get; init; }

    public ulong? Seed { get; init; }

    public required string Job { get; init; }

    public int? ExitCode { get; init; }

    public double Seconds { get; init; }

    /// <summary>What was not as expected; empty when it passed.</summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>The start of what it wrote, where it failed.</summary>
    public string? Output { get; init; }

    public string? Error { get; init; }

    /// <summary>Where its calls part from a native run's; null where they do not, or were not compared.</summary>
    public string? FirstDifferentCall { get; init; }

    /// <summary>Runs it again here.</summary>
    public string? Replay { get; init; }

    [JsonIgnore]
    public bool HasPassed => Problems.Count == 0;
}

/// <summary>What a suite came to.</summary>
internal sealed record SuiteResult
{
    public required string Suite { get; init; }

    public int Passed { get; init; }

    public int Failed { get; init; }

    public double Seconds { get; init; }

    public required IReadOnlyList<RunResult> Runs { get; init; }
}

/// <summary>How suites and their state are written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SuiteResult))]
[JsonSerializable(typeof(RunResult))]
[JsonSerializable(typeof(SuiteState.Head))]
internal sealed partial class SuiteJson : JsonSerializerContext;

/// <summary>Holds what a run did against what its case expects.</summary>
internal static class Expectation
{
    private const int ShownBytes = 4096;
    private static readonly TimeSpan PatternPatience = TimeSpan.FromSeconds(2);

    public static RunResult Judge(PlannedRun run, JobDetail job, byte[] output, byte[] error)
    {
        List<string> problems = [];
        if (job.State is JobState.TimedOut or JobState.Cancelled || job.Result?.End is JobEnd.NotStarted or JobEnd.Broken)
            problems.Add(job.Result?.Message ?? job.State.ToString());
        else if (job.ExitCode != run.Expect.Exit)
            problems.Add($"exit code {job.ExitCode}, expected {run.Expect.Exit}" + (job.Result?.Message is { } why ? $" ({why})" : ""));
        Compare(problems, "output", output, run.Expect.Output, run.Expect.Pattern);
        Compare(problems, "error", error, run.Expect.Error, run.Expect.ErrorPattern);
        bool failed = problems.Count > 0;
        return new RunResult
        {
            Name = run.Name,
            Case = run.Case,
            Image = run.Image,
            Seed = run.Seed,
            Job = job.Id,
            ExitCode = job.ExitCode,
            Seconds = job is { StartedAt: { } started, EndedAt: { } ended } ? (ended - started).TotalSeconds : 0,
            Problems = problems,
            Output = failed ? Shown(output) : null,
            Error = failed ? Shown(error) : null,
            Replay = failed ? ReplayCommand.Of(run) : null,
        };
    }

    private static void Compare(List<string> problems, string what, byte[] bytes, string? expected, string? pattern)
    {
        if (expected is not null && !bytes.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(expected)))
            problems.Add(Difference(what, bytes, Encoding.UTF8.GetBytes(expected)));
        try
        {
            if (pattern is not null && !Regex.IsMatch(Encoding.UTF8.GetString(bytes), pattern, RegexOptions.None, PatternPatience))
                problems.Add($"{what} does not match {pattern}");
        }
        catch (RegexMatchTimeoutException)
        {
            problems.Add($"the pattern {pattern} takes too long on {what}");
        }
    }

    private static string Difference(string what, byte[] bytes, byte[] expected)
    {
        int same = bytes.AsSpan().CommonPrefixLength(expected);
        int line = 1 + expected.AsSpan(0, same).Count((byte)'\n');
        return $"{what} differs from line {line} on: {Line(bytes, same)}, expected {Line(expected, same)}";
    }

    /// <summary>The line that a place is in, quoted.</summary>
    private static string Line(byte[] bytes, int place)
    {
        const int longest = 80;
        if (place >= bytes.Length && (place == 0 || bytes[place - 1] == '\n'))
            return "nothing";
        int start = bytes.AsSpan(0, place).LastIndexOf((byte)'\n') + 1;
        int end = bytes.AsSpan(start).IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = bytes.AsSpan(start, Math.Min(longest, end < 0 ? bytes.Length - start : end + 1));
        return "\"" + Encoding.UTF8.GetString(line).Replace("\n", "\\n") + "\"";
    }

    private static string Shown(byte[] bytes) => Encoding.UTF8.GetString(bytes.AsSpan(0, Math.Min(ShownBytes, bytes.Length)));
}
