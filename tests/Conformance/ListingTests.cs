using System.Diagnostics;
using System.Text.RegularExpressions;
using Xunit;

namespace Vivarium.Conformance;

/// <summary>The listing of <c>viv run --strace</c> against strace(1) on the same program, run natively.</summary>
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

    // The column of the equals sign depends on the length of addresses.
    [GeneratedRegex(@" += ")]
    private static partial Regex GapForm();
}
