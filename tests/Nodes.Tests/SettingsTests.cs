using System.Text;
using Vivarium.Nodes.Commands;
using Vivarium.Nodes.Hosting;
using Xunit;

namespace Vivarium.Nodes.Tests;

public sealed class SettingsTests
{
    [Fact]
    public void The_file_in_the_repository_says_the_defaults()
    {
        byte[] text = File.ReadAllBytes(Path.Combine(Viv.Root, NodeSettings.FileName));
        Assert.Equal(new NodeSettings(), NodeSettings.Parse(text, "file", out string? error));
        Assert.Null(error);
    }

    [Fact]
    public void What_is_left_out_keeps_its_default()
    {
        NodeSettings settings = NodeSettings.Parse("{ \"node\": { \"quantum\": 5000, \"workers\": 3 } }"u8, "file", out _)!;
        Assert.Equal(5000, settings.Quantum);
        Assert.Equal(3, settings.Workers);
        Assert.Equal(64, settings.Shards);
    }

    [Theory]
    [InlineData("{ \"node\": { \"speed\": 1 } }", "node.speed")]
    [InlineData("{ \"node\": { \"workers\": -1 } }", "node.workers")]
    [InlineData("{ \"node\": { \"quantum\": \"much\" } }", "node.quantum")]
    [InlineData("{ \"jobs\": { \"memory\": \"4X\" } }", "jobs.memory")]
    [InlineData("{ \"node\": ", "file:1: ")]
    [InlineData("{\n \"node\": {\n  \"name\": \"no name\" } }", "file:3: node.name cannot be no name: 1 to 63 letters")]
    [InlineData("{\n \"api\": {\n\n  \"listen\": \"here\" } }", "file:4: api.listen cannot be here: ADDRESS:PORT")]
    [InlineData("{\n \"api\": 1 }", "file:2: there is no setting api")]
    [InlineData("", "file:1: the text ends too soon")]
    [InlineData("[]", "file:1: '{' was expected")]
    [InlineData("{ } 1", "file:1: there is more behind the end")]
    [InlineData("{\n \"node\": { \"name\": \"a\" \"data\": \"b\" } }", "file:2: ',' or '}' was expected")]
    [InlineData("{ \"node\": { \"name\": yes } }", "file:1: a value was expected")]
    [InlineData("{ \"node\": { \"name\": [ ] } }", "file:1: node.name has no parts")]
    [InlineData("{ \"node\": { \"name\": \"a\n\" } }", "file:1: a text does not end")]
    [InlineData("{ \"node\": { \"name\": \"\\x\" } }", "file:1: there is no such escape")]
    [InlineData("{ \"node\": { \"name\": \"\\ud800\" } }", "file:1: half of a pair")]
    [InlineData("{\n \"api\": { \"listen\": { } } }", "file:2: api.listen has no parts")]
    [InlineData("{\n \"node\": {\n  \"native\": null } }", "file:3: node.native cannot be null: true or false")]
    public void A_wrong_setting_is_named(string text, string message)
    {
        Assert.Null(NodeSettings.Parse(Encoding.UTF8.GetBytes(text), "file", out string? error));
        Assert.Contains(message, error);
    }

    [Fact]
    public void Comments_escapes_and_a_last_comma()
    {
        byte[] text = "{ // first\n \"node\": { /* \"quantum\": 1 */ \"data\": \"\\u00e9\\ud83d\\ude00\\n\\/\u00df\", \"workers\": 2, }, }\n// last"u8.ToArray();
        NodeSettings? settings = NodeSettings.Parse(text, "file", out string? error);
        Assert.Null(error);
        Assert.Equal("\u00e9\U0001F600\n/\u00df", settings!.Data);
        Assert.Equal(2, settings.Workers);
    }

    [Fact]
    public void Running_a_program_looks_only_at_what_it_needs()
    {
        byte[] text = "{ \"api\": { \"listen\": \"nowhere\" }, \"node\": { \"quantum\": 5000 } }"u8.ToArray();
        Assert.Null(NodeSettings.Parse(text, "file", out _));
        Assert.Equal(5000, NodeSettings.Parse(text, "file", out _, onlyRuns: true)!.Quantum);
        Assert.Null(NodeSettings.Parse("{ \"node\": { \"quantum\": 1 } }"u8, "file", out _, onlyRuns: true));
    }

    [Fact]
    public void Every_setting_is_explained_in_the_file_and_has_a_variable()
    {
        string text = File.ReadAllText(Path.Combine(Viv.Root, NodeSettings.FileName));
        Assert.All(NodeSettings.Names, name => Assert.Contains($"\"{name[(name.IndexOf('.') + 1)..]}\":", text));
        Assert.All(NodeSettings.Names, name => Assert.DoesNotContain("there is no setting", new NodeSettings().Set(name, "\0") ?? ""));
        Assert.Equal("VIVARIUM_API_TOKEN_FILE", NodeSettings.VariableOf("api.token-file"));
    }

    [Theory]
    [InlineData("api.listen", "0.0.0.0:7420", "needs api.token-file")]
    [InlineData("api.listen", "[::]:7420", "needs api.token-file")]
    [InlineData("api.certificate", "/cert.pem", "go together")]
    [InlineData("peer.listen", "127.0.0.1:7421", "go together")]
    public void Settings_that_do_not_go_together(string name, string value, string message)
    {
        var settings = new NodeSettings();
        Assert.Null(settings.FindConflict());
        Assert.Null(settings.Set(name, value));
        Assert.Contains(message, settings.FindConflict());
    }

    [Theory]
    [InlineData("0", 0UL)]
    [InlineData("512", 512UL)]
    [InlineData("64K", 65536UL)]
    [InlineData("1.5M", 1572864UL)]
    [InlineData("4GiB", 4UL << 30)]
    [InlineData("2t", 2UL << 40)]
    public void Sizes(string text, ulong bytes)
    {
        Assert.True(Quantity.TryParseSize(text, out ulong parsed));
        Assert.Equal(bytes, parsed);
    }

    [Theory]
    [InlineData("")]
    [InlineData("M")]
    [InlineData("-1")]
    [InlineData("1 K")]
    [InlineData("1e3")]
    [InlineData("99999999T")]
    public void Not_sizes(string text) => Assert.False(Quantity.TryParseSize(text, out _));

    [Theory]
    [InlineData("10", 10_000)]
    [InlineData("1.5s", 1500)]
    [InlineData("200ms", 200)]
    [InlineData("5m", 300_000)]
    [InlineData("1h", 3_600_000)]
    public void Times(string text, int milliseconds)
    {
        Assert.True(Quantity.TryParseTime(text, out TimeSpan time));
        Assert.Equal(milliseconds, time.TotalMilliseconds);
    }
}
