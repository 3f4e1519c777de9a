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
    [InlineData("{ \"node\": ", "file: ")]
    public void A_wrong_setting_is_named(string text, string message)
    {
        Assert.Null(NodeSettings.Parse(Encoding.UTF8.GetBytes(text), "file", out string? error));
        Assert.Contains(message, error);
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
