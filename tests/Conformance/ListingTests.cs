using System.Diagnostics;
using System.Text.RegularExpressions;
using Xunit;

namespace Vivarium.Conformance;

/// <summary>The listing of <c>viv run --strace</c> against strace(1) on the same program, run natively.</summary>
[Collection(Lanes.RealTime)]
public sealed partial class ListingTests
{
    [Fact]
    public void A_listing_reads_as_straces()
    {
        string program = Repository.Guest("listing");
        string folder = Directory.CreateTempSubdirectory("vivarium-listing-").FullName;
        try
        {
            string native = Path.Combine(folder, "native"), listed = Path.Combine(folder, "listed");
            Run(folder, "strace", "-o", native, program);
            Run(folder, Repository.Viv, "run", $"--strace={listed}", "--cwd", folder, "--", program);
            Assert.Equal(Essence(native), Essence(listed));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Each process and thread by itself: how they take turns is the scheduler's business.</summary>
    [Fact]
    public void Several_processes_are_listed_each_as_strace_does()
    {
        string program = Repository.Guest("family");
        string folder = Directory.CreateTempSubdirectory("vivarium-listing-").FullName;
        try
        {
            string native = Path.Combine(folder, "native"), listed = Path.Combine(folder, "listed");
            Run(folder, "strace", "-f", "-o", native, program);
            Run(folder, Repository.Viv, "run", $"--strace={listed}", "--cwd", folder, "--", program);
            string[] expected = ByThread(native);
            Assert.Equal(5, expected.Count(static line => line.StartsWith("+++", StringComparison.Ordinal)));
            Assert.Equal(expected, ByThread(listed));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>
    /// The lines from the program's first mark on, thread by thread in the order in which they begin, halves of lines joined. A listing shows signals where they
    /// arrive, strace those as well that are ignored.
    /// </summary>
    private static string[] ByThread(string file)
    {
        var threads = new List<(string Id, List<string> Lines)>();
        foreach (string text in File.ReadLines(file).SkipWhile(static line => !line.Contains("\"begin\"", StringComparison.Ordinal)))
        {
            Match match = ThreadForm().Match(text);
            // A listing names threads while there are several: what has no name is the first's.
            string id = match.Groups["id"].Success ? match.Groups["id"].Value : threads.Count > 0 ? threads[0].Id : "100", line = match.Groups["line"].Value;
            if (line.StartsWith("--- SIGCHLD", StringComparison.Ordinal))
                continue;
            if (threads.All(thread => thread.Id != id))
                threads.Add((id, []));
            List<string> lines = threads.First(thread => thread.Id == id).Lines;
            Match resumed = ResumedForm().Match(line);
            if (resumed.Success)
                lines[^1] = lines[^1][..^" <unfinished ...>".Length] + resumed.Groups[1].Value;
            else
                lines.Add(line);
        }
        string[] all = [.. threads.SelectMany(static thread => thread.Lines).Select(static line => Normalize(line, "none"))];
        for (int i = 0; i < threads.Count; i++)
            all = [.. all.Select(line => Regex.Replace(line, $@"\b{threads[i].Id}\b", $"THREAD {i}"))];
        return all;
    }

    /// <summary>The lines between the program's two marks, without times, addresses and process ids.</summary>
    private static string[] Essence(string file)
    {
        string[] lines = File.ReadAllLines(file);
        int begin = Array.FindIndex(lines, line => line.Contains("\"begin\"", StringComparison.Ordinal));
        int end = Array.FindIndex(lines, line => line.Contains("\"end\"", StringComparison.Ordinal));
        Assert.True(begin >= 0 && end > begin, $"{file}: no marks in {string.Join('\n', lines)}");
        string? self = lines.Select(line => SelfForm().Match(line)).FirstOrDefault(match => match.Success)?.Groups[1].Value;
        return [.. lines[begin..(end + 1)].Select(line => Normalize(line, self ?? "none"))];
    }

    private static string Normalize(string line, string self)
    {
        line = TimeForm().Replace(line, "");
        line = AddressForm().Replace(line, "ADDRESS");
        line = RandomForm().Replace(line, "RANDOM");
        line = VariablesForm().Replace(line, "VARIABLES");
        line = Regex.Replace(line, $@"\b{self}\b", "PID");
        return GapForm().Replace(line, " = ");
    }

    private static void Run(string folder, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder };
        using Process process = Process.Start(start)!;
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(2)), $"{program} still runs");
        Assert.Equal(3, process.ExitCode);
    }

    [GeneratedRegex(@"^getpid\(\) += (\d+)")]
    private static partial Regex SelfForm();

    [GeneratedRegex(@" <\d+\.\d+>$")]
    private static partial Regex TimeForm();

    [GeneratedRegex(@"0x[0-9a-f]{5,}")]
    private static partial Regex AddressForm();

    [GeneratedRegex(@"^(?:\[pid +(?<id>\d+)\] |(?<id>\d+) +)?(?<line>.*)$")]
    private static partial Regex ThreadForm();

    [GeneratedRegex(@"^<\.\.\. \w+ resumed>(.*)$")]
    private static partial Regex ResumedForm();

    [GeneratedRegex(@"(?<=getrandom\("")[^""]+")]
    private static partial Regex RandomForm();

    [GeneratedRegex(@"\d+ vars")]
    private static partial Regex VariablesForm();

    // The column of the equals sign depends on the length of addresses.
    [GeneratedRegex(@" += ")]
    private static partial Regex GapForm();
}
