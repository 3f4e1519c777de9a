using System.Globalization;
using System.Text;
using Vivarium.Actors.Storage;
using Vivarium.Messages;
using Vivarium.Nodes.Http.Contract;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Views;

namespace Vivarium.Nodes.Tracing;

/// <summary>One of two runs: its job, and its trace or, where there is none, its listing.</summary>
internal sealed record RunSource(JobRecord Job, TraceIndex? Trace, string? Listing, string? Missing);

/// <summary>
/// Puts two runs side by side, thread by thread, and finds where each first differs: by calls' names and results, without results
/// that each run has its own (addresses, process numbers, times), as <c>viv test</c> compares with native runs.
/// </summary>
internal sealed class RunComparison
{
    /// <summary>Calls shown before the first that differs, and in all.</summary>
    private const int Lead = 20, Window = 400;

    private readonly RunSource _left, _right;
    private readonly RunCalls _leftCalls, _rightCalls;
    private readonly List<(ThreadCalls? Left, ThreadCalls? Right, int? Differs)> _pairs = [];

    public RunComparison(RunSource left, RunSource right)
    {
        (_left, _right) = (left, right);
        var words = new WordList();
        (_leftCalls, _rightCalls) = (CallsOf(left, words), CallsOf(right, words));
        List<ThreadCalls> lefts = _leftCalls.Threads, rights = _rightCalls.Threads;
        if (left.Trace is null != right.Trace is null || left.Job.Lifecycle.Spec!.Backend != right.Job.Lifecycle.Spec!.Backend)
            (lefts, rights) = (FirstOf(lefts, words["execve"]), FirstOf(rights, words["execve"]));
        for (int i = 0; i < Math.Max(lefts.Count, rights.Count); i++)
        {
            (ThreadCalls? one, ThreadCalls? other) = (i < lefts.Count ? lefts[i] : null, i < rights.Count ? rights[i] : null);
            _pairs.Add((one, other, FirstDifference(one?.Keys ?? [], other?.Keys ?? [])));
        }
    }

    /// <param name="thread">The place of the threads whose calls are shown; null = of the first that differ.</param>
    public Comparison Show(int? thread)
    {
        int chosen = Math.Clamp(thread ?? Math.Max(0, _pairs.FindIndex(static pair => pair.Differs is not null)), 0, Math.Max(0, _pairs.Count - 1));
        (ThreadCalls? left, ThreadCalls? right, int? differs) = _pairs.Count > 0 ? _pairs[chosen] : default;
        int before = Math.Max(0, (differs ?? 0) - Lead);
        return new Comparison
        {
            Left = Describe(_left, _leftCalls),
            Right = Describe(_right, _rightCalls),
            Threads = [.. _pairs.Select(static pair => new ComparedThread
            {
                Name = pair.Left?.Name ?? pair.Right!.Name,
                Left = pair.Left?.Process,
                Right = pair.Right?.Process,
                LeftCalls = pair.Left?.Keys.Count ?? 0,
                RightCalls = pair.Right?.Keys.Count ?? 0,
                Differs = pair.Differs,
            })],
            Thread = chosen,
            Before = before,
            Rows = [.. CallAlignment.Of(Stretch(left, before), Stretch(right, before), IsCut(left, before), IsCut(right, before))
                .Select(row => new ComparedRow { Kind = row.Kind, Left = CallAt(_left, left, before, row.Left), Right = CallAt(_right, right, before, row.Right) })],
            Calls = Totals(),
        };
    }

    /// <summary>Where two lists part; null when they do not.</summary>
    public static int? FirstDifference(List<CallKey> left, List<CallKey> right)
    {
        int common = Math.Min(left.Count, right.Count);
        for (int i = 0; i < common; i++)
        {
            if (left[i] != right[i])
                return i;
        }
        return left.Count == right.Count ? null : common;
    }

    private static RunCalls CallsOf(RunSource source, WordList words) =>
        source.Trace is { } trace ? RunCalls.Of(trace, words) : RunCalls.Of(source.Listing ?? "", words);

    private static List<ThreadCalls> FirstOf(List<ThreadCalls> threads, int execve) => threads.Count == 0 ? [] : [threads[0].AfterLastProgram(execve)];

    private static List<CallKey> Stretch(ThreadCalls? thread, int from) =>
        thread is null || from >= thread.Keys.Count ? [] : thread.Keys.GetRange(from, Math.Min(Window, thread.Keys.Count - from));

    private static bool IsCut(ThreadCalls? thread, int from) => thread is not null && thread.Keys.Count > from + Window;

    private static ComparedCall? CallAt(RunSource source, ThreadCalls? thread, int before, int? place)
    {
        if (place is not { } there)
            return null;
        int index = before + there;
        if (thread!.Lines.Count > 0)
            return new ComparedCall { Place = index, Text = thread.Lines[index] };
        CallView? call = CallSearch.Find(source.Trace!, thread.Places[index], withWaker: false);
        return new ComparedCall { Place = index, Text = call?.Text ?? "", Duration = call?.Duration };
    }

    private static ComparedRun Describe(RunSource source, RunCalls calls)
    {
        JobRecord job = source.Job;
        string state = job.Lifecycle.State.ToString();
        return new ComparedRun
        {
            Job = job.Id.ToString(),
            Command = job.Summary.Command,
            State = char.ToLowerInvariant(state[0]) + state[1..],
            ExitCode = job.Summary.ExitCode,
            Backend = job.Lifecycle.Spec!.Backend,
            Node = job.Lifecycle.Node,
            Source = source.Trace is not null ? "trace" : calls.Count > 0 ? "listing" : "none",
            Missing = source.Trace is null && calls.Count == 0 ? source.Missing : null,
            Calls = source.Trace?.Trace.Job.Calls ?? calls.Count,
            Compared = calls.Count,
        };
    }

    private List<ComparedTotals> Totals()
    {
        Dictionary<string, (CallFacts? Left, CallFacts? Right)> calls = new(StringComparer.Ordinal);
        foreach (CallFacts facts in FactsOf(_left))
            calls[facts.Name] = (facts, null);
        foreach (CallFacts facts in FactsOf(_right))
            calls[facts.Name] = (calls.GetValueOrDefault(facts.Name).Left, facts);
        bool leftTimes = _left.Trace is not null, rightTimes = _right.Trace is not null;
        return [.. calls.Select(call => new ComparedTotals
        {
            Call = call.Key,
            LeftCount = call.Value.Left?.Count ?? 0,
            RightCount = call.Value.Right?.Count ?? 0,
            LeftErrors = call.Value.Left?.Errors ?? 0,
            RightErrors = call.Value.Right?.Errors ?? 0,
            LeftTime = leftTimes ? call.Value.Left?.Time ?? 0 : null,
            RightTime = rightTimes ? call.Value.Right?.Time ?? 0 : null,
        }).OrderByDescending(static call => Math.Max(call.LeftTime ?? 0, call.RightTime ?? 0)).ThenBy(static call => call.Call, StringComparer.Ordinal)];
    }

    /// <summary>A listing's calls are counted by name; a trace has its totals.</summary>
    private static IEnumerable<CallFacts> FactsOf(RunSource source) => source.Trace is { } trace
        ? trace.Trace.Calls
        : Suites.CallComparison.Read(source.Listing ?? "").GroupBy(static read => read.Call.Name)
            .Select(static calls => new CallFacts(calls.Key, 0, calls.Count(), calls.Count(static read => read.Call.Result is ['E', ..]), 0, 0, 0, 0, 0));
}

/// <summary>Puts two lists of calls into rows, so that as many as possible stand beside their like (longest common subsequence).</summary>
internal static class CallAlignment
{
    /// <param name="left">A short stretch of one list.</param>
    /// <param name="right">Of the other.</param>
    /// <param name="leftGoesOn">The list goes on behind the stretch; what lacks its like at the end may find it there, and is left out.</param>
    /// <param name="rightGoesOn">The same of the other.</param>
    public static List<(string Kind, int? Left, int? Right)> Of(List<CallKey> left, List<CallKey> right, bool leftGoesOn, bool rightGoesOn)
    {
        int[,] common = Lengths(left, right);
        List<(string, int?, int?)> rows = [];
        (int i, int j) = (0, 0);
        while (i < left.Count && j < right.Count)
        {
            if (left[i] == right[j])
                rows.Add(("same", i++, j++));
            else if (left[i].Name == right[j].Name && common[i + 1, j + 1] == common[i, j])
                rows.Add(("changed", i++, j++));
            else if (common[i + 1, j] >= common[i, j + 1])
                rows.Add(("left", i++, null));
            else
                rows.Add(("right", null, j++));
        }
        for (; i < left.Count && !rightGoesOn; i++)
            rows.Add(("left", i, null));
        for (; j < right.Count && !leftGoesOn; j++)
            rows.Add(("right", null, j));
        return rows;
    }

    /// <summary>How much the rests from each pair of places on have in common.</summary>
    private static int[,] Lengths(List<CallKey> left, List<CallKey> right)
    {
        int[,] lengths = new int[left.Count + 1, right.Count + 1];
        for (int i = left.Count - 1; i >= 0; i--)
        {
            for (int j = right.Count - 1; j >= 0; j--)
                lengths[i, j] = left[i] == right[j] ? lengths[i + 1, j + 1] + 1 : Math.Max(lengths[i + 1, j], lengths[i, j + 1]);
        }
        return lengths;
    }
}
