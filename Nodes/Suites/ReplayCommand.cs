using System.Globalization;
using System.Text;
using Vivarium.Messages;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Suites;

/// <summary>The command that runs one run of a suite again, as it was.</summary>
internal static class ReplayCommand
{
    public static string Of(PlannedRun run)
    {
        JobRequest job = run.Job;
        List<string> words = ["viv"];
        // Files are brought by a submission only.
        words.Add(job.Files is { Count: > 0 } ? "test" : "run");
        if (job.Files is { Count: > 0 })
            return string.Join(' ', [.. words, "--only", Quote(run.Name), "SUITE"]);
        Add(words, "--rootfs", run.Image is { } image && (image.Contains('/') || Path.Exists(image)) ? image : null);
        Add(words, "--os", job.Requires?.OperatingSystem);
        Add(words, "--arch", job.Requires?.Architecture);
        Add(words, "--engine", job.Engine == EngineKind.Interpreter ? "interpreter" : null);
        Add(words, "--clock", job.Clock == ClockKind.Virtual ? "virtual" : null);
        Add(words, "--seed", job.Seed?.ToString(CultureInfo.InvariantCulture));
        foreach (string fault in job.Faults ?? [])
            Add(words, "--fault", fault);
        Add(words, "--cwd", job.WorkingDirectory ?? "/");
        Add(words, "--user", $"{job.User}:{job.Group}");
        Add(words, "--memory", job.Memory?.ToString(CultureInfo.InvariantCulture));
        Add(words, "--numa-nodes", job.MemoryNodes?.ToString(CultureInfo.InvariantCulture));
        Add(words, "--timeout", job.TimeoutSeconds?.ToString(CultureInfo.InvariantCulture));
        foreach (ByteText variable in job.Environment ?? [])
            Add(words, "--env", variable.ToString());
        words.Add("--");
        words.AddRange(job.Command.Select(static word => word.ToString()));
        string command = string.Join(' ', words.Select(Quote));
        return job.Input is { } input ? $"printf %s {Quote(input.ToString())} | {command}" : command + " </dev/null";
    }

    private static void Add(List<string> words, string option, string? value)
    {
        if (value is null)
            return;
        words.Add(option);
        words.Add(value);
    }

    /// <summary>A word for a shell (POSIX, XCU 2.2.2).</summary>
    private static string Quote(string word) =>
        word.Length > 0 && word.All(static letter => char.IsAsciiLetterOrDigit(letter) || "-_./:=,+@%".Contains(letter))
            ? word
            : new StringBuilder("'").Append(word.Replace("'", "'\\''")).Append('\'').ToString();
}
