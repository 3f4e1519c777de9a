using Vivarium.Nodes.Client;
using Vivarium.Nodes.Commands;
using Vivarium.Nodes.Http.Contract;

namespace Vivarium.Nodes.Suites;

/// <summary>A suite that a cluster runs: submitted with all it needs, then followed until it is over.</summary>
/// <param name="key">Names this run of the suite: submitted again under it, the suite goes on.</param>
internal sealed class SuiteSubmission(ApiClient api, string key)
{
    private const int Attempts = 8;
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    /// <summary>What to submit: the suite's file, the files it takes from beside it, and its images, which are pushed unless the node has them.</summary>
    public async Task<SuiteRequest> Describe(string path, SuiteFile suite, IReadOnlyList<PlannedRun> plan, int flaky, string? only)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        Dictionary<string, ByteText> files = new(StringComparer.Ordinal);
        // Those that the plan asks for: what a case takes may depend on the matrix.
        SuitePlan.Make(suite, name =>
        {
            if (!files.TryGetValue(name, out ByteText content))
                files.Add(name, content = new ByteText(SuitePlan.ReadFile(folder, name)));
            return content.Bytes;
        }, flaky);
        Dictionary<string, string> images = new(StringComparer.Ordinal);
        foreach (string image in plan.Select(static run => run.Image).OfType<string>().Distinct())
        {
            if (SuiteRunner.IsPath(image))
                images.Add(image, (await ImageCommand.Push(api, image, null).ConfigureAwait(false)).Hash);
        }
        return new SuiteRequest
        {
            Suite = await File.ReadAllTextAsync(path).ConfigureAwait(false),
            Name = Path.GetFileNameWithoutExtension(path),
            Files = files.Count > 0 ? files : null,
            Images = images.Count > 0 ? images : null,
            Flaky = flaky > 0 ? flaky : null,
            Only = only,
        };
    }

    /// <summary>Submits it and waits for its end; what came of every run.</summary>
    /// <param name="progress">Told how many runs are over.</param>
    public async Task<SuiteResult> Run(SuiteRequest request, Action<double> progress, CancellationToken cancelled)
    {
        SuiteDetail suite = await api.Submit(request, key, cancelled).ConfigureAwait(false);
        string? told = null;
        for (int failures = 0; suite.State == SuiteStatus.Running;)
        {
            SuiteRunAnswer[] waiting = [.. suite.Matrix.Where(static run => run is { State: SuiteRunState.Waiting, Problem: not null })];
            if (waiting.Length > 0 && waiting[0].Problem != told)
                Console.Error.WriteLine($"viv: {waiting.Length} of {suite.Runs} runs wait: {told = waiting[0].Problem}");
            progress(suite.Passed + suite.Failed + suite.Cancelled);
            try
            {
                suite = await api.WaitForSuite(suite.Id, Look, cancelled).ConfigureAwait(false);
                failures = 0;
            }
            catch (ClientException away) when (away.IsRetryable && ++failures < Attempts)
            {
                await Task.Delay(Look * failures, cancelled).ConfigureAwait(false);
            }
        }
        return await api.SuiteResults(suite.Id, cancelled).ConfigureAwait(false);
    }
}
