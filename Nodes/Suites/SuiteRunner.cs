using System.Diagnostics;
using Vivarium.Messages;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Commands;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Suites;

/// <summary>Runs a suite's plan on a node: so many jobs at a time, each judged when it ends.</summary>
internal sealed class SuiteRunner(ApiClient api, string suite, SuiteState state, int atOnce, bool comparesNative = false)
{
    /// <summary>No other node can join: a run that this one cannot do fails.</summary>
    public bool IsAlone { private get; init; }

    private const long LargestOutput = 16 << 20;

    private readonly Dictionary<string, string> _images = new(StringComparer.Ordinal);

    /// <summary>Runs what is missing; all results, in the plan's order.</summary>
    public async Task<SuiteResult> Run(IReadOnlyList<PlannedRun> plan, Action<RunResult> ended, CancellationToken cancelled)
    {
        long start = Stopwatch.GetTimestamp();
        await PushImages(plan).ConfigureAwait(false);
        RunResult?[] results = new RunResult?[plan.Count];
        await Parallel.ForAsync(0, plan.Count, new ParallelOptions { MaxDegreeOfParallelism = atOnce, CancellationToken = cancelled }, async (i, stop) =>
        {
            if (!state.Done.TryGetValue(plan[i].Name, out RunResult? result))
            {
                result = await RunOne(plan[i], stop).ConfigureAwait(false);
                state.Add(result);
            }
            results[i] = result;
            ended(result);
        }).ConfigureAwait(false);
        return new SuiteResult
        {
            Suite = suite,
            Passed = results.Count(static result => result!.HasPassed),
            Failed = results.Count(static result => !result!.HasPassed),
            Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds,
            Runs = results!,
        };
    }

    /// <summary>Images that are paths of this machine are pushed, once each, unless the node has them.</summary>
    private async Task PushImages(IReadOnlyList<PlannedRun> plan)
    {
        foreach (string image in plan.Select(static run => run.Image).OfType<string>().Distinct())
        {
            _images[image] = IsPath(image) ? (await ImageCommand.Push(api, image, null).ConfigureAwait(false)).Hash : image;
        }
    }

    /// <summary>True for an image that is a path of this machine, not a name on the node.</summary>
    public static bool IsPath(string image) => image.Contains('/') || Path.Exists(image);

    private async Task<RunResult> RunOne(PlannedRun run, CancellationToken cancelled)
    {
        JobRequest job = run.Job with
        {
            Image = run.Image is { } image ? _images[image] : null,
            Output = LargestOutput,
            Labels = new Dictionary<string, string> { ["suite"] = Short(suite), ["run"] = state.Run, ["case"] = Short(run.Case) },
        };
        SubmitAnswer answer = await api.Submit(new SubmitRequest { Job = job }, $"{state.Run} {KeyOf(run.Name)}", cancelled).ConfigureAwait(false);
        string id = answer.Jobs[0];
        if (IsAlone && answer.WaitsFor is { } reason)
        {
            await api.Cancel(id).ConfigureAwait(false);
            return new RunResult { Name = run.Name, Case = run.Case, Image = run.Image, Seed = run.Seed, Job = id, Problems = [reason] };
        }
        JobDetail done = await api.Wait(id, cancelled).ConfigureAwait(false);
        byte[] output = await api.Output(id, "stdout", cancelled).ConfigureAwait(false), error = await api.Output(id, "stderr", cancelled).ConfigureAwait(false);
        RunResult result = Expectation.Judge(run, done, output, error);
        if (!comparesNative)
            return result;
        (string? problem, string? call) = await new CallComparison(api, state.Run).Compare(run, job, done, output, cancelled).ConfigureAwait(false);
        return result with { Problems = problem is null ? result.Problems : [.. result.Problems, problem], FirstDifferentCall = call, Replay = result.Replay ?? (problem is null ? null : ReplayCommand.Of(run)) };
    }

    private static string Short(string text) => text.Length <= 200 ? text : text[..200];

    private static string KeyOf(string name) => Http.TokenFile.Hash(name)[..32];
}
