using System.Text.RegularExpressions;

namespace Vivarium.Conformance;

/// <summary>
/// <c>calls-used.txt</c>: for each system call a case that makes it with success. The coverage page tells of it, and a call without
/// a case does not count as working. The listings that <see cref="ReplayTests.ReplaysBySeed"/> makes show that it is so.
/// </summary>
internal static partial class CallsUsed
{
    /// <summary>The calls that a case is named for.</summary>
    public static IReadOnlySet<string> By(string @case) =>
        File.ReadLines(Path.Combine(Repository.Root, "tests", "Conformance", "calls-used.txt"))
            .Select(line => line.Split('\t')).Where(words => words[1] == @case).Select(words => words[0]).ToHashSet();

    /// <summary>The calls that a listing shows to have succeeded once.</summary>
    public static HashSet<string> In(string listing)
    {
        HashSet<string> found = [];
        foreach (string line in listing.Split('\n'))
        {
            Match match = LineForm().Match(line);
            if (match.Success && IsSuccess(match.Groups[1].Value, match.Groups[2].Value))
                found.Add(match.Groups[1].Value);
        }
        return found;
    }

    /// <summary>
    /// Errors in a listing that the rows of their calls do not list, as the coverage page shows them. Where a filter or a tracer may
    /// have put an error in a result's place, nothing is said.
    /// </summary>
    public static IReadOnlyList<string> UnlistedErrorsIn(string listing)
    {
        if (listing.Contains("SECCOMP", StringComparison.Ordinal) || listing.Contains("PTRACE_", StringComparison.Ordinal))
            return [];
        SortedSet<string> found = [];
        foreach (string line in listing.Split('\n'))
        {
            Match match = LineForm().Match(line);
            if (!match.Success || !match.Groups[2].Value.StartsWith("-1 E", StringComparison.Ordinal))
                continue;
            string error = match.Groups[2].Value[3..];
            if (Errors.TryGetValue(match.Groups[1].Value, out string[]? listed) && !listed.Contains(error))
                found.Add($"{match.Groups[1].Value} {error}");
        }
        return [.. found];
    }

    /// <summary>The errors of each call with a handler.</summary>
    private static readonly Dictionary<string, string[]> Errors =
        File.ReadLines(Path.Combine(Repository.Root, "docs", "coverage", "linux.md"))
            .Select(line => line.Split('|').Select(cell => cell.Trim()).ToArray())
            .Where(cells => cells.Length == 10 && cells[5] is ("works" or "in part" or "refused"))
            .ToDictionary(cells => cells[4], cells => cells[7].Split(' '));

    /// <summary>Some calls do what they are for and then fail: a wait that a signal ends, a cancellation; and some have no result.</summary>
    private static bool IsSuccess(string call, string result) => result switch
    {
        "?" => call is "exit" or "exit_group" or "reboot",
        "-1 EINTR" => call is "pause" or "rt_sigsuspend",
        "-1 EINPROGRESS" => call is "io_cancel",
        _ => !result.StartsWith("-1 ", StringComparison.Ordinal),
    };

    [GeneratedRegex(@"^(?:\[pid +\d+\] )?(?:<\.\.\. )?(\w+)(?:\(| resumed>).*\) += (-1 \w+|\S+)")]
    private static partial Regex LineForm();
}
