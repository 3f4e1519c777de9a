using System.Globalization;
using System.Text;
using Vivarium.Emulator.Personalities.Linux;
using Vivarium.Emulator.Personalities.Tables;
using Xunit;

namespace Vivarium.Emulator.Tests.Abi;

/// <summary>
/// <c>docs/coverage/linux.md</c> says which calls work. It is made from the table and the handlers that exist; to bring it up to
/// date: <c>VIVARIUM_UPDATE=1 dotnet test tests/Emulator.Tests --filter CoverageTests</c>.
/// </summary>
public sealed class CoverageTests
{
    private static readonly string Page = Path.Combine(Root(), "docs", "coverage", "linux.md");

    [Fact]
    public void The_page_says_what_is_so()
    {
        string page = Write();
        if (Environment.GetEnvironmentVariable("VIVARIUM_UPDATE") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Page)!);
            File.WriteAllText(Page, page);
        }
        Assert.True(File.Exists(Page) && File.ReadAllText(Page) == page,
            "docs/coverage/linux.md is stale: VIVARIUM_UPDATE=1 dotnet test tests/Emulator.Tests --filter CoverageTests");
    }

    [Fact]
    public void No_call_with_a_handler_is_called_absent() => Assert.Empty(
        Shapes().Where(call => call.Absent is not null && LinuxTable.IsImplemented(call.Number)).Select(call => call.Name));

    /// <summary>What works was seen to work: a conformance case, compared with the host, makes the call with success.</summary>
    [Fact]
    public void Each_call_that_works_is_made_by_a_case() => Assert.Empty(
        Shapes().Where(call => State(call) == "works" && !Cases().ContainsKey(call.Name)).Select(call => call.Name));

    [Fact]
    public void No_call_is_said_to_be_two_things() => Assert.Empty(
        Shapes().Where(call => new[] { call.Absent, call.Partial, call.Refused }.Count(reason => reason is not null) > 1).Select(call => call.Name));

    /// <summary>Which case makes a call; tests/Conformance sees to it that it does.</summary>
    private static Dictionary<string, string> Cases() => File.ReadLines(Path.Combine(Root(), "tests", "Conformance", "calls-used.txt"))
        .Select(line => line.Split('\t')).ToDictionary(words => words[0], words => words[1]);

    [Fact]
    public void Each_row_with_a_handler_lists_its_errors() => Assert.Empty(
        Shapes().Where(call => LinuxTable.IsImplemented(call.Number) && call.Errors is null).Select(call => call.Name));

    private static string State(CallShape call) => LinuxTable.IsImplemented(call.Number)
        ? call.Refused is not null ? "refused" : call.Partial is not null ? "in part" : "works"
        : call.Absent is not null ? "absent" : "not yet";

    private static string Write()
    {
        CallShape[] calls = Shapes();
        int Count(string state) => calls.Count(call => State(call) == state);
        var page = new StringBuilder("# Linux system calls\n\n");
        page.Append("Made from `Emulator/Personalities/Linux/linux.abi` and the handlers beside it; do not edit. A call without a\n");
        page.Append("handler answers ENOSYS and is named by `viv run --stats`. *Refused*: the handler checks its arguments and answers as a\n");
        page.Append("kernel or processor does that lacks the thing. *Case*: a test of `tests/Conformance` that makes the call with success,\n");
        page.Append("natively and in Vivarium, and compares what came of it.\n\n");
        page.Append("| implemented | of these in part | refused | left out on purpose | not yet | all |\n|---:|---:|---:|---:|---:|---:|\n");
        page.Append(CultureInfo.InvariantCulture,
            $"| {Count("works") + Count("in part")} | {Count("in part")} | {Count("refused")} | {Count("absent")} | {Count("not yet")} | {calls.Length} |\n\n");
        page.Append("| x86-64 | arm64 | riscv64 | call | state | case | errors | |\n|---:|---:|---:|---|---|---|---|---|\n");
        Dictionary<string, string> cases = Cases();
        foreach (CallShape call in calls)
            AppendRow(page, call, State(call) is "works" or "in part" ? cases.GetValueOrDefault(call.Name) : null);
        return page.ToString();
    }

    private static void AppendRow(StringBuilder page, CallShape call, string? @case)
    {
        string state = State(call);
        string? reason = state switch { "refused" => call.Refused, "in part" => call.Partial, "absent" => call.Absent, _ => null };
        string remark = string.Join(" ", new[] { reason, call.Notes }.Where(text => text is not null));
        string errors = call.Errors is null ? "" : string.Join(' ', call.Errors.Order());
        string number = call.Number < 4096 ? call.Number.ToString(CultureInfo.InvariantCulture) : "";
        page.Append(CultureInfo.InvariantCulture, $"| {number} | {call.Arm64} | {call.RiscV64} | {call.Name} | {state} | {@case} | {errors} | {remark} |\n");
    }

    private static CallShape[] Shapes() => [.. LinuxTable.Numbers.ToArray().Select(number => LinuxTable.Describe(number)!)];

    internal static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Vivarium.slnx")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("not inside the repository");
        return folder;
    }
}
