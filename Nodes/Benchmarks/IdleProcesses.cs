using System.Diagnostics;
using System.Globalization;

namespace Vivarium.Nodes.Benchmarks;

/// <summary>
/// What one more sleeping process of a program costs: memory of the host's, shared pages counted by their share (Pss, proc(5)), and
/// page tables. From the difference between few and many, so that what the first one costs does not count.
/// </summary>
internal static class IdleProcesses
{
    private const int Few = 100;

    /// <summary>Kilobytes each; null when the command fails.</summary>
    /// <param name="command">Runs bench/idle.c; its two arguments are added.</param>
    public static double? Kilobytes(string[] command, string mode, int count) =>
        Measure([.. command, mode, Text(Few)]) is { } few && Measure([.. command, mode, Text(Few + count)]) is { } many
            ? (many - few) / count
            : null;

    private static double? Measure(string[] command)
    {
        var start = new ProcessStartInfo(command[0], command.AsSpan(1).ToArray()) { RedirectStandardInput = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        bool isReady = process.StandardOutput.ReadLine() == "ready";
        double? kilobytes = isReady ? Resident(process.Id) : null;
        process.StandardInput.Close();
        process.WaitForExit();
        return kilobytes;
    }

    /// <summary>Of a process and its children.</summary>
    private static double Resident(int process)
    {
        double sum = Field(process, "smaps_rollup", "Pss:") + Field(process, "status", "VmPTE:");
        foreach (string child in File.ReadAllText($"/proc/{process}/task/{process}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
            sum += Resident(int.Parse(child, CultureInfo.InvariantCulture));
        return sum;
    }

    private static double Field(int process, string file, string name)
    {
        foreach (string line in File.ReadLines($"/proc/{process}/{file}"))
        {
            if (line.StartsWith(name, StringComparison.Ordinal))
                return double.Parse(line.AsSpan(name.Length, line.Length - name.Length - " kB".Length), CultureInfo.InvariantCulture);
        }
        return 0;
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
