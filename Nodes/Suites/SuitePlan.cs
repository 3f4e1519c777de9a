using System.Globalization;
using System.Text;
using Vivarium.Messages;
using Vivarium.Nodes.Commands;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Suites;

/// <summary>One job of a suite: a case under one combination of the matrix.</summary>
/// <param name="Name">Unique in the suite: the case's, with what the matrix chose in brackets.</param>
/// <param name="Image">As the suite names it: an image, or a path of this machine.</param>
internal sealed record PlannedRun(string Name, string Case, JobRequest Job, string? Image, ulong? Seed, ExpectEntry Expect);

/// <summary>Multiplies a suite's cases by its matrix.</summary>
internal static class SuitePlan
{
    /// <param name="folder">Where the suite's own files are.</param>
    /// <param name="flaky">Seeds to run each case under; 0: those of the matrix.</param>
    public static IReadOnlyList<PlannedRun> Make(SuiteFile suite, string folder, int flaky) => Make(suite, file => ReadFile(folder, file), flaky);

    /// <summary>How many runs there are.</summary>
    public static long Count(SuiteFile suite, int flaky)
    {
        MatrixEntry matrix = suite.Matrix;
        // Each factor is bounded by the file's length or an int: a product of doubles cannot wrap.
        double count = (double)suite.Cases.Count * Math.Max(1, matrix.Images.Count) * Math.Max(1, matrix.Engines.Count) * Math.Max(1, matrix.Os.Count) * Math.Max(1, matrix.Arch.Count) * Math.Max(1, flaky > 0 ? flaky : matrix.Seeds.Count);
        return count < long.MaxValue ? (long)count : long.MaxValue;
    }

    /// <param name="files">The content of a file beside the suite.</param>
    public static IReadOnlyList<PlannedRun> Make(SuiteFile suite, Func<string, byte[]> files, int flaky)
    {
        List<ulong?> seeds = flaky > 0 ? [.. Enumerable.Range(1, flaky).Select(static seed => (ulong?)seed)] : [.. suite.Matrix.Seeds.Select(static seed => (ulong?)seed)];
        List<PlannedRun> runs = [];
        foreach (CaseEntry entry in suite.Cases)
        {
            ExpectEntry expect = Expected(entry.Expect, suite.Defaults.Expect);
            foreach (Target target in Targets(suite.Matrix))
            {
                JobRequest job = Describe(entry, suite.Defaults, target, files);
                // A seed that failed must fail again: with the host's clock only the schedule is the same.
                if (flaky > 0 && (entry.Clock ?? suite.Defaults.Clock) is null)
                    job = job with { Clock = ClockKind.Virtual };
                foreach (string? engine in OrNone(suite.Matrix.Engines))
                {
                    foreach (ulong? seed in seeds.Count > 0 ? seeds : [null])
                    {
                        JobRequest chosen = job with { Engine = engine is null ? job.Engine : EngineOf(engine), Seed = seed, Name = entry.Name };
                        runs.Add(new PlannedRun(entry.Name + Brackets(target, engine, seed), entry.Name!, chosen, job.Image, seed, expect));
                    }
                }
            }
        }
        return runs.Count > 0 ? runs : throw new SuiteException("the matrix excludes every run");
    }

    /// <summary>What a case is run on; what is null the matrix leaves to the case.</summary>
    private readonly record struct Target(string? Image, string? Os, string? Arch);

    private static IEnumerable<Target> Targets(MatrixEntry matrix)
    {
        foreach (string? image in OrNone(matrix.Images))
        {
            foreach (string? os in OrNone(matrix.Os))
            {
                foreach (string? arch in OrNone(matrix.Arch))
                {
                    if (!matrix.Exclude.Any(entry => (entry.Os is null || entry.Os == os) && (entry.Arch is null || Platform.Processor(entry.Arch) == Processor(arch))))
                        yield return new Target(image, os, arch);
                }
            }
        }
    }

    private static string? Processor(string? name) => name is null ? null : Platform.Processor(name);

    private static IEnumerable<string?> OrNone(List<string> values) => values.Count > 0 ? values : (string?[])[null];

    private static string Brackets(Target target, string? engine, ulong? seed)
    {
        string[] parts = [.. ((string?[])[target.Image, target.Os, target.Arch, engine, seed is { } number ? string.Create(CultureInfo.InvariantCulture, $"seed {number}") : null]).OfType<string>()];
        return parts.Length == 0 ? "" : $" [{string.Join(", ", parts)}]";
    }

    private static EngineKind EngineOf(string name) => name == "interpreter" ? EngineKind.Interpreter : EngineKind.Translator;

    private static ExpectEntry Expected(ExpectEntry? own, ExpectEntry? common) => new()
    {
        Exit = own?.Exit ?? common?.Exit ?? 0,
        Output = own?.Output ?? common?.Output,
        Pattern = own?.Pattern ?? common?.Pattern,
        Error = own?.Error ?? common?.Error,
        ErrorPattern = own?.ErrorPattern ?? common?.ErrorPattern,
    };

    private static JobRequest Describe(CaseEntry own, CaseEntry common, Target target, Func<string, byte[]> files)
    {
        string? os = (target.Os ?? own.Os ?? common.Os)?.ToLowerInvariant(), arch = Processor(target.Arch ?? own.Arch ?? common.Arch);
        string Fill(string text) => Named(text, os, arch);
        string[] user = (own.User ?? common.User ?? "0").Split(':');
        uint number = uint.Parse(user[0], CultureInfo.InvariantCulture);
        string? memory = own.Memory ?? common.Memory, timeout = own.Timeout ?? common.Timeout, input = own.Input ?? common.Input;
        return new JobRequest
        {
            Command = [.. Command(own, common).Select(word => (ByteText)Fill(word))],
            Environment = Environment(own.Environment, common.Environment),
            Requires = os is null && arch is null ? null : new RequirementsRequest { OperatingSystem = os, Architecture = arch },
            WorkingDirectory = own.Directory ?? common.Directory,
            User = number,
            Group = user.Length > 1 ? uint.Parse(user[1], CultureInfo.InvariantCulture) : number,
            Image = (target.Image ?? own.Image ?? common.Image) is { } image ? Fill(image) : null,
            Input = input is null ? null : (ByteText?)input,
            Files = (own.Files ?? common.Files)?.Select(file => Describe(file, Fill, files)).ToList(),
            Memory = memory is not null && Quantity.TryParseSize(memory, out ulong bytes) ? bytes : null,
            TimeoutSeconds = timeout is not null && Quantity.TryParseTime(timeout, out TimeSpan time) ? time.TotalSeconds : null,
            Engine = EngineOf(own.Engine ?? common.Engine ?? "translator"),
            Clock = (own.Clock ?? common.Clock) == "virtual" ? ClockKind.Virtual : ClockKind.Real,
        };
    }

    /// <summary>{os} and {arch} stand for what the run is for, so that one case has a program for each.</summary>
    private static string Named(string text, string? os, string? arch)
    {
        text = os is null ? text : text.Replace("{os}", os, StringComparison.Ordinal);
        return arch is null ? text : text.Replace("{arch}", arch, StringComparison.Ordinal);
    }

    private static List<string> Command(CaseEntry own, CaseEntry common)
    {
        string? shell = own.Shell ?? (own.Program is null ? common.Shell : null);
        return shell is not null
            ? ["/bin/sh", "-c", shell]
            : [own.Program ?? common.Program!, .. own.Arguments ?? common.Arguments ?? []];
    }

    private static List<ByteText> Environment(Dictionary<string, string>? own, Dictionary<string, string>? common)
    {
        Dictionary<string, string> all = new(StringComparer.Ordinal) { ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ["HOME"] = "/" };
        foreach ((string name, string value) in (common ?? []).Concat(own ?? []))
            all[name] = value;
        return [.. all.Select(static variable => (ByteText)$"{variable.Key}={variable.Value}")];
    }

    private static FileRequest Describe(FileEntry file, Func<string, string> fill, Func<string, byte[]> files) => new()
    {
        Path = fill(file.Path!),
        Content = new ByteText(file.From is { } from ? files(fill(from)) : Encoding.UTF8.GetBytes(file.Content!)),
        Mode = file.Mode is { } mode ? Convert.ToUInt32(mode, 8) : null,
    };

    /// <exception cref="SuiteException">It cannot be read.</exception>
    public static byte[] ReadFile(string folder, string name)
    {
        try
        {
            return File.ReadAllBytes(Path.Combine(folder, name));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new SuiteException($"file {name}: {failure.Message}");
        }
    }
}
