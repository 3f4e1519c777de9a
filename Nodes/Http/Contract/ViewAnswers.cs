using System.ComponentModel;
using Vivarium.Telemetry.Reports;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Views;

namespace Vivarium.Nodes.Http.Contract;

/// <summary>Who calls, and what it may do.</summary>
internal sealed record CallerAnswer
{
    public required string Name { get; init; }

    [Description("read, submit or admin; each includes those before it.")]
    public required string Access { get; init; }

    [Description("The node that answers.")]
    public required string Node { get; init; }

    public required string Version { get; init; }
}

/// <summary>Who owns a shard.</summary>
internal sealed record ShardAnswer
{
    public required int Shard { get; init; }

    [Description("The node's name; absent while it is nobody's.")]
    public string? Owner { get; init; }

    [Description("Counts the shard's owners.")]
    public long Epoch { get; init; }
}

internal sealed record ShardList
{
    public required IReadOnlyList<ShardAnswer> Shards { get; init; }
}

/// <summary>A job's trace in short. Times are nanoseconds.</summary>
internal sealed record TraceSummary
{
    public required JobFacts Job { get; init; }

    [Description("All of the job's attempts, of a job that was begun more than once or lost its node; else none. \"missing\" says what of an attempt's trace is not to be had.")]
    public IReadOnlyList<AttemptFacts> Attempts { get; init; } = [];

    [Description("What stands out, the most important first.")]
    public required IReadOnlyList<string> Findings { get; init; }

    [Description("In order of their start.")]
    public required IReadOnlyList<ProcessFacts> Processes { get; init; }

    [Description("Exact totals by call, those that took longest first.")]
    public required IReadOnlyList<CallFacts> Calls { get; init; }

    [Description("What calls waited for, the longest first; a hundred at most.")]
    public required IReadOnlyList<WaitFacts> Waits { get; init; }

    [Description("Files that calls were about, those that took longest first; a hundred at most.")]
    public required IReadOnlyList<FileTotals> Files { get; init; }

    public required IReadOnlyList<FileTotals> Peers { get; init; }

    [Description("Records that can be looked at, and those that had to make room for them.")]
    public long Records { get; init; }

    public long Lost { get; init; }
}

/// <summary>Two runs side by side.</summary>
internal sealed record Comparison
{
    public required ComparedRun Left { get; init; }

    public required ComparedRun Right { get; init; }

    [Description("Threads that belong together: the processes in order of their start, and of each its threads.")]
    public required IReadOnlyList<ComparedThread> Threads { get; init; }

    [Description("The place in \"threads\" of the one whose calls follow.")]
    public int Thread { get; init; }

    [Description("The calls from \"first\" on, those that belong together in one row.")]
    public required IReadOnlyList<ComparedRow> Rows { get; init; }

    [Description("How many calls are before the first row.")]
    public int Before { get; init; }

    [Description("Counts and times of each call on both sides.")]
    public required IReadOnlyList<ComparedTotals> Calls { get; init; }
}

internal sealed record ComparedRun
{
    public required string Job { get; init; }

    public required string Command { get; init; }

    public required string State { get; init; }

    public int? ExitCode { get; init; }

    [Description("emulated or native.")]
    public required string Backend { get; init; }

    public string? Node { get; init; }

    [Description("Where its calls come from: trace, listing (of --trace), or none.")]
    public required string Source { get; init; }

    [Description("Why there are none.")]
    public string? Missing { get; init; }

    public long Calls { get; init; }

    [Description("Calls that were compared: the first of many.")]
    public long Compared { get; init; }
}

/// <summary>A thread of each run.</summary>
internal sealed record ComparedThread
{
    public required string Name { get; init; }

    public int? Left { get; init; }

    public int? Right { get; init; }

    public int LeftCalls { get; init; }

    public int RightCalls { get; init; }

    [Description("The first call that differs, from 0; absent when none does.")]
    public int? Differs { get; init; }
}

/// <summary>Calls that belong together.</summary>
internal sealed record ComparedRow
{
    [Description("same, changed, left (only there) or right.")]
    public required string Kind { get; init; }

    public ComparedCall? Left { get; init; }

    public ComparedCall? Right { get; init; }
}

internal sealed record ComparedCall
{
    [Description("Its place among its thread's calls, from 0.")]
    public required int Place { get; init; }

    public required string Text { get; init; }

    [Description("Nanoseconds; absent where only names and results are known.")]
    public long? Duration { get; init; }
}

internal sealed record ComparedTotals
{
    public required string Call { get; init; }

    public long LeftCount { get; init; }

    public long RightCount { get; init; }

    public long LeftErrors { get; init; }

    public long RightErrors { get; init; }

    public long? LeftTime { get; init; }

    public long? RightTime { get; init; }
}
