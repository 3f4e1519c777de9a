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

    private static string Write()
    {
        CallShape[] calls = Shapes();
        int working = calls.Count(call => LinuxTable.IsImplemented(call.Number));
        int partial = calls.Count(call => LinuxTable.IsImplemented(call.Number) && call.Partial is not null);
        int absent = calls.Count(call => !LinuxTable.IsImplemented(call.Number) && call.Absent is not null);
        var page = new StringBuilder("# Linux system calls\n\n");
        page.Append("Made from `Emulator/Personalities/Linux/linux.abi` and the handlers beside it; do not edit. A call without a\n");
        page.Append("handler answers ENOSYS and is named by `viv run --stats`.\n\n");
        page.Append("| handled | of these in part | left out on purpose | not yet | all |\n|---:|---:|---:|---:|---:|\n");
        page.Append(CultureInfo.InvariantCulture, $"| {working} | {partial} | {absent} | {calls.Length - working - absent} | {calls.Length} |\n\n");
        page.Append("| x86-64 | arm64 | riscv64 | call | state | |\n|---:|---:|---:|---|---|---|\n");
        foreach (CallShape call in calls)
            AppendRow(page, call);
        return page.ToString();
    }

    private static void AppendRow(StringBuilder page, CallShape call)
    {
        bool isHandled = LinuxTable.IsImplemented(call.Number);
        string state = isHandled ? call.Partial is null ? "works" : "in part" : call.Absent is null ? "not yet" : "absent";
        string remark = string.Join(" ", new[] { isHandled ? call.Partial : call.Absent, call.Notes }.Where(text => text is not null));
        string number = call.Number < 4096 ? call.Number.ToString(CultureInfo.InvariantCulture) : "";
        page.Append(CultureInfo.InvariantCulture, $"| {number} | {call.Arm64} | {call.RiscV64} | {call.Name} | {state} | {remark} |\n");
    }

    private static CallShape[] Shapes() => [.. LinuxTable.Numbers.ToArray().Select(number => LinuxTable.Describe(number)!)];

    private static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Vivarium.slnx")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("not inside the repository");
        return folder;
    }
}
