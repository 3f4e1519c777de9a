using System.Text.RegularExpressions;
using Xunit;

namespace Vivarium.Architecture;

/// <summary>Rules of the house that a compiler does not know. There are no exceptions.</summary>
public sealed partial class SourceRuleTests
{
    private const int LongestFile = 800;

    /// <summary>The host's clock, randomness, threads and network: handed in by Nodes, never taken.</summary>
    private static readonly (string Pattern, string Instead)[] Banned =
    [
        (@"\bDateTime(Offset)?\.(Utc)?Now\b", "IClock"),
        (@"\bEnvironment\.TickCount", "IClock"),
        (@"\bStopwatch\b", "IClock"),
        (@"\bRandom\.Shared\b|\bnew Random\(\)|\bRandomNumberGenerator\b|\bGuid\.NewGuid\b", "the world's random numbers"),
        (@"\bnew Thread\(|\bThread\.Sleep\b|\bTask\.Run\b|\bTask\.Delay\b|\bThreadPool\b|\bParallel\.", "the worker that calls"),
        // What reaches the network; addresses (IPAddress) are only values.
        (@"\b(TcpClient|UdpClient|TcpListener|HttpClient|HttpListener|NetworkStream|Dns|NetworkInterface)\b|\bnew Socket\(|\bSockets\.Socket\b", "what Nodes hands in"),
        (@"\bConsole\.", "what Nodes hands in"),
    ];

    private static readonly string[] Below = ["Messages", "Emulator", "Telemetry", "Actors"];

    [Fact]
    public void Nothing_below_Nodes_takes_the_hosts_clock_randomness_threads_or_network()
    {
        List<string> found = [];
        foreach (string file in Below.SelectMany(folder => SourceTree.Files(folder, "*.cs")))
        {
            string[] lines = SourceTree.Read(file).Split('\n');
            for (int i = 0; i < lines.Length; i++)
            {
                string code = Comment().Replace(lines[i], "");
                foreach ((string pattern, string instead) in Banned)
                {
                    if (Regex.IsMatch(code, pattern))
                        found.Add($"{file}:{i + 1}: {code.Trim()} (use {instead})");
                }
            }
        }
        Assert.Empty(found);
    }

    [Fact]
    public void No_file_is_longer_than_two_things()
    {
        IEnumerable<string> tooLong = SourceTree.Files(".", "*.cs")
            .Select(file => (file, Lines: SourceTree.Read(file).Count(c => c == '\n')))
            .Where(file => file.Lines > LongestFile)
            .Select(file => $"{file.file}: {file.Lines} lines");
        Assert.Empty(tooLong);
    }

    [Fact]
    public void The_kernel_knows_no_personality()
    {
        IEnumerable<string> found = SourceTree.Files("Emulator/Kernel", "*.cs")
            .Concat(SourceTree.Files("Emulator/Cpu", "*.cs"))
            .Where(file => SourceTree.Read(file).Contains("Vivarium.Emulator.Personalities", StringComparison.Ordinal));
        Assert.Empty(found);
    }

    [Fact]
    public void The_cpu_knows_no_kernel()
    {
        IEnumerable<string> found = SourceTree.Files("Emulator/Cpu", "*.cs")
            .Where(file => SourceTree.Read(file).Contains("Vivarium.Emulator.Kernel", StringComparison.Ordinal));
        Assert.Empty(found);
    }

    [GeneratedRegex(@"//.*$")]
    private static partial Regex Comment();
}
