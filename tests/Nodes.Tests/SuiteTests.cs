using System.Xml.Linq;
using Vivarium.Nodes.Hosting;
using Vivarium.Nodes.Suites;
using Xunit;

namespace Vivarium.Nodes.Tests;

public sealed class SuiteTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("viv-suite-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("", "is empty")]
    [InlineData("cases: []", "has no cases")]
    [InlineData("cases:\n  - program: x", "case number 1 has no name")]
    [InlineData("cases:\n  - name: a\n    program: x\n  - name: a\n    program: y", "case a is there twice")]
    [InlineData("cases:\n  - name: a", "case a names no program")]
    [InlineData("cases:\n  - name: a\n    programme: x", ":3: there is no field programme here")]
    [InlineData("cases:\n  - name: a\n    name: b", ":3: ")]
    [InlineData("cases:\n  - name: a\n    program: x\n    shell: y", "shell goes not with program")]
    [InlineData("cases:\n  - name: a\n    program: x\n    timeout: soon", "not a time: soon")]
    [InlineData("cases:\n  - name: a\n    program: x\n    memory: much", "not a size: much")]
    [InlineData("cases:\n  - name: a\n    program: x\n    engine: steam", "no such engine: steam")]
    [InlineData("cases:\n  - name: a\n    program: x\n    user: root", "user is not UID")]
    [InlineData("cases:\n  - name: a\n    program: x\n    expect: { pattern: \"(\" }", "pattern: ")]
    [InlineData("cases:\n  - name: a\n    program: x\n    expect: { exit: much }", ":4: ")]
    [InlineData("cases:\n  - name: a\n    program: x\n    files: [{ path: /a }]", "must have either content or from")]
    [InlineData("matrix: { engines: [steam] }\ncases:\n  - name: a\n    program: x", "no such engine: steam")]
    [InlineData("matrix: { os: [\"free bsd\"] }\ncases:\n  - name: a\n    program: x", "not a system's or a processor's name: free bsd")]
    [InlineData("matrix: { exclude: [{}] }\ncases:\n  - name: a\n    program: x", "what is excluded has neither os nor arch")]
    [InlineData("cases:\n  - name: a\n    program: [x, y]", ":3: this field takes another kind of value")]
    [InlineData("cases: [", "suite.yaml:2: While parsing")]
    public void A_wrong_suite_is_told_with_its_place(string text, string message)
    {
        SuiteException wrong = Assert.Throws<SuiteException>(() => SuiteReader.Parse(text, "suite.yaml"));
        Assert.StartsWith("suite.yaml:", wrong.Message);
        Assert.Contains(message, wrong.Message);
    }

    [Fact]
    public void The_matrix_multiplies_the_cases()
    {
        IReadOnlyList<PlannedRun> plan = Plan("matrix: { images: [a, b], engines: [translator, interpreter], seeds: [1, 2] }\ncases: [{ name: one, program: x }, { name: two, program: y }]");
        Assert.Equal(16, plan.Count);
        Assert.Equal("one [a, translator, seed 1]", plan[0].Name);
        Assert.Equal(16, plan.Select(run => run.Name).Distinct().Count());
        Assert.Equal("two [b, interpreter, seed 2]", plan[^1].Name);
        Assert.Equal("one", Assert.Single(Plan("cases: [{ name: one, program: x }]")).Name);
    }

    [Fact]
    public void Systems_and_processors_are_axes_that_name_the_programs()
    {
        const string text = """
            matrix:
              os: [linux, freebsd, netbsd]
              arch: [amd64, riscv64]
              exclude: [{ os: freebsd, arch: riscv64 }, { os: netbsd }]
            cases: [{ name: one, program: "/apps/hello-{os}-{arch}", arguments: ["{os}"], image: "tree-{os}", files: [{ path: "/etc/{arch}", from: "{os}.conf" }] }]
            """;
        List<string> taken = [];
        IReadOnlyList<PlannedRun> plan = SuitePlan.Make(SuiteReader.Parse(text, "suite.yaml"), file =>
        {
            taken.Add(file);
            return [];
        }, flaky: 0);
        Assert.Equal(["one [linux, amd64]", "one [linux, riscv64]", "one [freebsd, amd64]"], plan.Select(run => run.Name));
        Assert.Equal(["/apps/hello-linux-x64", "linux"], plan[0].Job.Command.Select(word => word.ToString()));
        Assert.Equal(["tree-linux", "tree-linux", "tree-freebsd"], plan.Select(run => run.Image));
        Assert.Equal(["linux.conf", "linux.conf", "freebsd.conf"], taken);
        Assert.Equal(("/etc/riscv64", "linux", "riscv64"), (plan[1].Job.Files![0].Path, plan[1].Job.Requires!.OperatingSystem, plan[1].Job.Requires!.Architecture));
        Assert.StartsWith("viv test", ReplayCommand.Of(plan[0]));
        Assert.Throws<SuiteException>(() => Plan("matrix: { os: [linux], exclude: [{ os: linux }] }\ncases: [{ name: one, program: x }]"));
        Assert.Null(Assert.Single(Plan("cases: [{ name: one, program: \"{os}\" }]")).Job.Requires);
    }

    [Fact]
    public async Task A_run_for_what_this_node_does_not_run_fails_and_says_why()
    {
        const string text = "matrix: { os: [linux, plan9], arch: [x64] }\ncases: [{ name: one, program: echo, arguments: [\"{arch}\"], expect: { output: \"x64\\n\" } }]";
        SuiteResult result = await Run(Plan(text), out _);
        Assert.Empty(result.Runs[0].Problems);
        Assert.StartsWith("no node runs plan9/x64 (there are: ", Assert.Single(result.Runs[1].Problems));
    }

    [Fact]
    public async Task Cases_are_judged_and_a_failure_can_be_run_again()
    {
        const string text = """
            defaults: { environment: { WORD: common }, timeout: 60s }
            cases:
              - { name: good, program: echo, arguments: [hi], expect: { output: "hi\n" } }
              - { name: reads, shell: "read x; echo $WORD $x; cat /d/f", input: "one\n", files: [{ path: /d/f, content: file, mode: "0600" }], expect: { pattern: "common one\nfile" } }
              - { name: fails, shell: "exit 9", expect: { exit: 9 } }
              - { name: wrong, shell: "echo a; echo b; echo bad >&2; exit 3", expect: { output: "a\nc\n" } }
              - { name: absent, program: /no/such }
              - { name: slow, shell: "sleep 100", timeout: 200ms }
            """;
        SuiteResult result = await Run(Plan(text), out _);
        Assert.Equal([true, true, true, false, false, false], result.Runs.Select(run => run.HasPassed));
        Assert.Equal(["exit code 3, expected 0", "output differs from line 2 on: \"b\\n\", expected \"c\\n\""], result.Runs[3].Problems);
        Assert.Equal("bad\n", result.Runs[3].Error);
        Assert.StartsWith("viv run ", result.Runs[3].Replay);
        Assert.EndsWith("-- /bin/sh -c 'echo a; echo b; echo bad >&2; exit 3' </dev/null", result.Runs[3].Replay);
        Assert.Contains("no such program", result.Runs[4].Problems[0]);
        Assert.Contains("stopped after 0.2 s", result.Runs[5].Problems[0]);

        string file = Path.Combine(_folder, "junit.xml");
        SuiteReport.WriteJUnit(result, file);
        XElement suite = XDocument.Load(file).Root!.Element("testsuite")!;
        Assert.Equal(("6", "3"), (suite.Attribute("tests")!.Value, suite.Attribute("failures")!.Value));
        Assert.Equal("exit code 3, expected 0", suite.Elements("testcase").ElementAt(3).Element("failure")!.Attribute("message")!.Value);
    }

    [Fact]
    public async Task An_interrupted_suite_goes_on_with_what_is_missing()
    {
        IReadOnlyList<PlannedRun> plan = Plan("cases: [{ name: a, program: \"true\" }, { name: b, program: \"true\" }, { name: c, program: \"true\" }]");
        string path = Path.Combine(_folder, "suite.yaml");
        SuiteResult first = await Run(plan, out SuiteState state);
        state.Dispose();
        // As if it had been killed in the middle of writing the last line.
        string[] lines = File.ReadAllLines(path + ".state");
        Assert.Equal(4, lines.Length);
        File.WriteAllText(path + ".state", string.Join('\n', lines[..3]) + "\n" + lines[3][..20]);
        using (SuiteState again = SuiteState.Open(path, plan, fresh: false))
        {
            Assert.Equal(state.Run, again.Run);
            Assert.Equal(2, again.Done.Count);
            again.Add(first.Runs[0]);
        }
        using (SuiteState other = SuiteState.Open(path, plan, fresh: false))
            Assert.Equal(state.Run, other.Run);
        using (SuiteState fresh = SuiteState.Open(path, plan, fresh: true))
            Assert.NotEqual(state.Run, fresh.Run);
        using SuiteState changed = SuiteState.Open(path, [.. plan.Take(2)], fresh: false);
        Assert.Empty(changed.Done);
        changed.Complete();
        Assert.False(File.Exists(path + ".state"));
    }

    [Fact]
    public async Task Seeds_that_fail_are_found()
    {
        // Two processes race for a file: which one wins is the schedule's, and so the seed's.
        const string text = "cases: [{ name: race, shell: \"(echo one >>/f) & (echo two >>/f) & wait; read x </f; [ $x = one ]\" }]";
        SuiteResult result = await Run(SuitePlan.Make(SuiteReader.Parse(text, "suite.yaml"), _folder, 30), out _);
        Assert.Equal(30, result.Runs.Count);
        Assert.InRange(result.Failed, 1, 29);
        RunResult failed = result.Runs.First(run => !run.HasPassed);
        Assert.Contains($"--clock virtual --seed {failed.Seed} ", failed.Replay);
        SuiteResult again = await Run(SuitePlan.Make(SuiteReader.Parse(text, "suite.yaml"), _folder, 30), out _, fresh: true);
        Assert.Equal(result.Runs.Select(run => run.HasPassed), again.Runs.Select(run => run.HasPassed));
    }

    private IReadOnlyList<PlannedRun> Plan(string text) => SuitePlan.Make(SuiteReader.Parse(text, "suite.yaml"), _folder, flaky: 0);

    private Task<SuiteResult> Run(IReadOnlyList<PlannedRun> plan, out SuiteState state, bool fresh = false)
    {
        SuiteState opened = state = SuiteState.Open(Path.Combine(_folder, "suite.yaml"), plan, fresh);
        return RunOn();

        async Task<SuiteResult> RunOn()
        {
            await using EmbeddedNode node = await EmbeddedNode.Start();
            return await new SuiteRunner(node.Client, "suite", opened, 16) { IsAlone = true }.Run(plan, static _ => { }, default);
        }
    }
}
