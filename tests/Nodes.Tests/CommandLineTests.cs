using Xunit;

namespace Vivarium.Nodes.Tests;

/// <summary>What <c>viv</c> says before any guest runs.</summary>
public sealed class CommandLineTests
{
    [Fact]
    public void The_version_is_one_line()
    {
        Outcome outcome = Viv.Run("--version");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Matches(@"^viv \d+\.\d+\.\d+\n$", outcome.Text);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("run", "--help")]
    [InlineData("bench", "--help")]
    public void Help_goes_to_standard_output(params string[] arguments)
    {
        Outcome outcome = Viv.Run(arguments);
        Assert.Equal(0, outcome.ExitCode);
        Assert.StartsWith(arguments is ["--help"] ? "Vivarium" : "usage: viv", outcome.Text);
        Assert.Empty(outcome.Error);
    }

    [Theory]
    [InlineData("no command", new string[0])]
    [InlineData("unknown command walk", new[] { "walk" })]
    [InlineData("no program given", new[] { "run" })]
    [InlineData("no program given", new[] { "run", "--stats", "--" })]
    [InlineData("unknown option --nonsense", new[] { "run", "--nonsense", "--", "true" })]
    [InlineData("--stats takes no value", new[] { "run", "--stats=1", "--", "true" })]
    [InlineData("--memory needs a value", new[] { "run", "--memory" })]
    [InlineData("--memory: not a size", new[] { "run", "--memory", "lots", "true" })]
    [InlineData("--timeout: not a time", new[] { "run", "--timeout", "0", "true" })]
    [InlineData("--clock: no such clock", new[] { "run", "--clock", "sun", "true" })]
    [InlineData("--engine: no such engine", new[] { "run", "--engine", "steam", "true" })]
    [InlineData("--seed: not a number", new[] { "run", "--seed", "-1", "true" })]
    [InlineData("--user: not UID", new[] { "run", "--user", "root", "true" })]
    [InlineData("--bind: not SRC:DST", new[] { "run", "--bind", "/tmp", "true" })]
    [InlineData("--bind: no such file", new[] { "run", "--bind", "/no/such:/x", "true" })]
    [InlineData("--rootfs: no such directory", new[] { "run", "--rootfs", "/no/such", "true" })]
    [InlineData("--cwd: must begin with /", new[] { "run", "--cwd", "here", "true" })]
    [InlineData("--env: needs a name", new[] { "run", "--env", "=x", "true" })]
    [InlineData("--strace: cannot write", new[] { "run", "--strace=/no/such/file", "true" })]
    public void Bad_input_is_one_line_and_125(string message, string[] arguments)
    {
        Outcome outcome = Viv.Run(arguments);
        Assert.Equal(125, outcome.ExitCode);
        Assert.Empty(outcome.Output);
        Assert.StartsWith("viv: ", outcome.Error);
        Assert.Contains(message, outcome.Error);
        Assert.Equal(1, outcome.Error.Count(c => c == '\n'));
    }
}
