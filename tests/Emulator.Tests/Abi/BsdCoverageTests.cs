using System.Globalization;
using System.Text;
using Vivarium.Emulator.Personalities.FreeBsd;
using Vivarium.Emulator.Personalities.NetBsd;
using Vivarium.Emulator.Personalities.Tables;
using Xunit;

namespace Vivarium.Emulator.Tests.Abi;

/// <summary>
/// <c>docs/coverage/freebsd.md</c> and <c>netbsd.md</c>, made as Linux's page is (<see cref="CoverageTests"/>) and brought up to date by the same command.
/// </summary>
public sealed class BsdCoverageTests
{
    /// <summary>A table as its page shows it.</summary>
    private sealed record Table(string System, string Folder, string File, int Base, short[] Numbers, Func<int, CallShape?> Describe, Func<int, bool> IsImplemented)
    {
        /// <summary>The table has numbers for a processor besides the first.</summary>
        public bool HasArm64 => Calls.Any(static call => call.Arm64 is not null);

        public CallShape[] Calls { get; } = [.. Numbers.Select(number => Describe(number)!)];

        public string State(CallShape call) => IsImplemented(call.Number)
            ? call.Refused is not null ? "refused" : call.Partial is not null ? "in part" : "has a handler"
            : call.Absent is not null ? "absent" : "not yet";
    }

    private static readonly Table[] Tables =
    [
        new("FreeBSD", "FreeBsd", "freebsd", FreeBsdTable.Base, FreeBsdTable.Numbers.ToArray(), FreeBsdTable.Describe, FreeBsdTable.IsImplemented),
        new("NetBSD", "NetBsd", "netbsd", NetBsdTable.Base, NetBsdTable.Numbers.ToArray(), NetBsdTable.Describe, NetBsdTable.IsImplemented),
    ];

    [Theory]
    [InlineData("freebsd")]
    [InlineData("netbsd")]
    public void The_page_says_what_is_so(string name)
    {
        string page = Write(Find(name)), path = Path.Combine(CoverageTests.Root(), "docs", "coverage", name + ".md");
        if (Environment.GetEnvironmentVariable("VIVARIUM_UPDATE") == "1")
            File.WriteAllText(path, page);
        Assert.True(File.Exists(path) && File.ReadAllText(path) == page,
            $"docs/coverage/{name}.md is stale: VIVARIUM_UPDATE=1 dotnet test tests/Emulator.Tests --filter CoverageTests");
    }

    [Theory]
    [InlineData("freebsd")]
    [InlineData("netbsd")]
    public void No_call_is_said_to_be_two_things(string name)
    {
        Table table = Find(name);
        Assert.Empty(table.Calls.Where(call => call.Absent is not null && table.IsImplemented(call.Number)).Select(call => call.Name));
        Assert.Empty(table.Calls.Where(call => new[] { call.Absent, call.Partial, call.Refused }.Count(reason => reason is not null) > 1).Select(call => call.Name));
    }

    private static Table Find(string name) => Tables.Single(table => table.File == name);

    private static string Write(Table table)
    {
        int Count(string state) => table.Calls.Count(call => table.State(call) == state);
        var page = new StringBuilder($"# {table.System} system calls\n\n");
        page.Append(CultureInfo.InvariantCulture, $"Made from `Emulator/Personalities/{table.Folder}/{table.File}.abi` and the handlers beside it; do not edit. A call without a handler, and a number that\n");
        page.Append("the table does not have, answers ENOSYS, raises SIGSYS where the system does, and is named by `viv run --stats`. *Refused*: the handler checks\n");
        page.Append("its arguments and answers as a kernel does that lacks the thing. No host here can be compared with: tests of `tests/Conformance` hold what Go's\n");
        page.Append("programs do against Linux's, and C programs against the manual pages.\n\n");
        page.Append("| with a handler | of these in part | refused | left out on purpose | not yet | all |\n|---:|---:|---:|---:|---:|---:|\n");
        page.Append(CultureInfo.InvariantCulture,
            $"| {Count("has a handler") + Count("in part")} | {Count("in part")} | {Count("refused")} | {Count("absent")} | {Count("not yet")} | {table.Calls.Length} |\n\n");
        page.Append(table.HasArm64 ? "| amd64 | arm64 | call | state | errors | |\n|---:|---:|---|---|---|---|\n" : "| amd64 | call | state | errors | |\n|---:|---|---|---|---|\n");
        foreach (CallShape call in table.Calls)
            AppendRow(page, table, call);
        return page.ToString();
    }

    private static void AppendRow(StringBuilder page, Table table, CallShape call)
    {
        string state = table.State(call);
        string? reason = state switch { "refused" => call.Refused, "in part" => call.Partial, "absent" => call.Absent, _ => null };
        string remark = string.Join(" ", new[] { reason, call.Notes }.Where(text => text is not null));
        string errors = call.Errors is null ? "" : string.Join(' ', call.Errors.Order());
        page.Append(CultureInfo.InvariantCulture, $"| {call.Number - table.Base} |");
        if (table.HasArm64)
            page.Append(CultureInfo.InvariantCulture, $" {call.Arm64} |");
        page.Append(CultureInfo.InvariantCulture, $" {call.Name} | {state} | {errors} | {remark} |\n");
    }
}
