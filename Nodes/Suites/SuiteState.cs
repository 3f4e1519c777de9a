using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Suites;

/// <summary>
/// What of a suite is done, in a file beside it, a line a run: a suite that was interrupted anywhere goes on with what is missing. The
/// run's name also makes the jobs' keys, so that jobs that were submitted already are not submitted again.
/// </summary>
internal sealed class SuiteState : IDisposable
{
    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly StreamWriter? _file;

    private SuiteState(string path, string run, Dictionary<string, RunResult> done, StreamWriter? file) =>
        (_path, Run, Done, _file) = (path, run, done, file);

    /// <summary>The file's first line.</summary>
    /// <param name="Run">Names this run of the suite among all.</param>
    /// <param name="Plan">The hash of what is to be run; another plan begins anew.</param>
    internal sealed record Head(string Run, string Plan);

    public string Run { get; }

    /// <summary>By the runs' names.</summary>
    public IReadOnlyDictionary<string, RunResult> Done { get; }

    /// <summary>Goes on with an interrupted run of the same plan, or begins one.</summary>
    /// <param name="fresh">Begins one in any case.</param>
    public static SuiteState Open(string suitePath, IReadOnlyList<PlannedRun> plan, bool fresh)
    {
        string path = suitePath + ".state", hash = HashOf(plan);
        Dictionary<string, RunResult> done = new(StringComparer.Ordinal);
        string? run = fresh ? null : Read(path, hash, done);
        try
        {
            var file = new StreamWriter(path, append: run is not null) { AutoFlush = true };
            if (run is null)
            {
                run = Guid.NewGuid().ToString("N");
                done.Clear();
                file.WriteLine(JsonSerializer.Serialize(new Head(run, hash), SuiteJson.Default.Head));
            }
            else
            {
                // Behind a line that an interruption cut off.
                file.WriteLine();
            }
            return new SuiteState(path, run, done, file);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"viv: {failure.Message}; an interruption will lose what was done");
            return new SuiteState(path, run ?? Guid.NewGuid().ToString("N"), done, null);
        }
    }

    public void Add(RunResult result)
    {
        lock (_lock)
            _file?.WriteLine(JsonSerializer.Serialize(result, SuiteJson.Default.RunResult));
    }

    /// <summary>All is done: the next run begins anew.</summary>
    public void Complete()
    {
        _file?.Dispose();
        if (_file is not null)
            File.Delete(_path);
    }

    public void Dispose() => _file?.Dispose();

    /// <summary>The run's name when the file is of this plan. A line that was cut off ends what is known.</summary>
    private static string? Read(string path, string hash, Dictionary<string, RunResult> done)
    {
        if (!File.Exists(path))
            return null;
        string[] lines = File.ReadAllLines(path);
        if (lines.Length == 0 || TryParse(lines[0], SuiteJson.Default.Head) is not { } head || head.Plan != hash)
            return null;
        foreach (string line in lines[1..])
        {
            if (TryParse(line, SuiteJson.Default.RunResult) is { } result)
                done[result.Name] = result;
        }
        return head.Run;
    }

    private static T? TryParse<T>(string line, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(line, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string HashOf(IReadOnlyList<PlannedRun> plan)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (PlannedRun run in plan)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{run.Name}\n{run.Image}\n{run.Expect.Exit}\n{run.Expect.Output}\n{run.Expect.Pattern}\n{run.Expect.Error}\n{run.Expect.ErrorPattern}\n"));
            hash.AppendData(JsonSerializer.SerializeToUtf8Bytes(run.Job, ApiJson.Default.JobRequest));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
