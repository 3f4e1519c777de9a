using System.Text.RegularExpressions;

namespace Vivarium.Conformance;

/// <summary>
/// <c>calls-used.txt</c>: for each system call a case that makes it with success. The coverage page tells of it, and a call without
/// a case does not count as working. The listings that <see cref="ConformanceTests.ReplaysBySeed"/> makes show that it is so.
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
            // io_cancel(2) says so when it did it.
            if (match.Success && (!match.Groups[2].Value.StartsWith("-1 ", StringComparison.Ordinal) || match.Groups[2].Value == "-1 EINPROGRESS"))
                found.Add(match.Groups[1].Value);
        }
        return found;
    }

    [GeneratedRegex(@"^(?:\[pid +\d+\] )?(?:<\.\.\. )?(\w+)(?:\(| resumed>).*\) += (-1 \w+|\S+)")]
    private static partial Regex LineForm();
}
