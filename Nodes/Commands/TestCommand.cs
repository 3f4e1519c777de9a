using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Hosting;
using Vivarium.Nodes.Http.Contract;
using Vivarium.Nodes.Suites;

namespace Vivarium.Nodes.Commands;

/// <summary><c>viv test</c>: a suite of cases, here or on a cluster.</summary>
internal sealed class TestCommand
{
    private const string Help =
        """
        usage: viv test [OPTIONS] SUITE

        Runs the cases of a suite (YAML; docs/suites.md explains it) under each combination of its matrix, many at a time, and says
        which did not do what they must. Without a node it runs them in this process; with one, on its cluster. Interrupted, it
        goes on with what is missing when it is called again.

        """;

    private const string End =
        """

        Exit code: 0 when all passed; 1 when some failed; 75 when the node cannot be reached; 125 when the suite is wrong;
        130 when it was interrupted.

        """;

    private const int Failed = 1;
    private const int Interrupted = 130;

    private readonly ClientOptions _client = new();
    private int _flaky;
    private int _jobs = 64;
    private bool _fresh;
    private string? _junit;
    private string? _only;
    private bool _comparesNative;

    public static int Execute(ReadOnlySpan<string> arguments) => new TestCommand().Run(arguments);

    private int Run(ReadOnlySpan<string> arguments)
    {
        var table = new OptionTable(
        [
            new("Suite", "--flaky", OptionForm.Value, "N", "Run each case under N seeds, and name those that fail.", value => SetNumber(value, ref _flaky)),
            new("Suite", "--jobs", OptionForm.Value, "N", "So many runs at a time; a cluster's nodes know their own measure. Default: 64.", value => SetNumber(value, ref _jobs)),
            new("Suite", "--only", OptionForm.Value, "TEXT", "Only runs whose name has TEXT in it.", value => ClientOptions.Set(() => _only = value)),
            new("Suite", "--fresh", OptionForm.Flag, "", "Begin anew where an earlier call was interrupted.", _ => ClientOptions.Set(() => _fresh = true)),
            new("Suite", "--compare", OptionForm.Value, "native", "Run each case on the host as well; name the first call that comes out otherwise.", SetCompare),
            new("Suite", "--junit", OptionForm.Value, "FILE", "Write the result as JUnit's XML.", value => ClientOptions.Set(() => _junit = value)),
            .. _client.Options,
        ]);
        int used = table.Parse(arguments, out string? error);
        if (_client.Help)
            return HelpText.Show(Help, table, End);
        if (error is null && arguments.Length - used != 1)
            error = used == arguments.Length ? "no suite given" : $"one suite only: {arguments[^1]}";
        if (error is not null)
            return Failure.Usage(error, "test");
        try
        {
            return RunSuite(arguments[used]).GetAwaiter().GetResult();
        }
        catch (SuiteException wrong)
        {
            return Failure.Report(wrong.Message);
        }
        catch (ClientException failure)
        {
            Failure.Report(failure.Message);
            return failure.IsRetryable ? ClientCommand.TryAgain : Failure.ExitCode;
        }
    }

    private string? SetCompare(string text)
    {
        _comparesNative = true;
        return text == "native" ? null : $"nothing to compare with but native: {text}";
    }

    private static string? SetNumber(string text, ref int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0 ? null : $"not a number from 1: {text}";

    private async Task<int> RunSuite(string path)
    {
        SuiteFile suite = SuiteReader.Read(path);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        IReadOnlyList<PlannedRun> plan = SuitePlan.Make(suite, folder, _flaky);
        if (_only is not null)
            plan = [.. plan.Where(run => run.Name.Contains(_only, StringComparison.Ordinal))];
        if (plan.Count == 0)
            throw new SuiteException($"{path}: no run has \"{_only}\" in its name");
        await using EmbeddedNode? embedded = _client.NamesNode ? null : await EmbeddedNode.Start(_comparesNative).ConfigureAwait(false);
        using ApiClient? remote = embedded is null ? _client.Connect() : null;
        using SuiteState state = SuiteState.Open(path, plan, _fresh);
        if (state.Done.Count > 0)
            Console.Error.WriteLine($"viv: goes on: {state.Done.Count} of {plan.Count} runs are done");
        using var stop = new CancellationTokenSource();
        using PosixSignalRegistration interrupt = StopOn(PosixSignal.SIGINT, stop), terminate = StopOn(PosixSignal.SIGTERM, stop);
        try
        {
            string name = suite.Name ?? Path.GetFileNameWithoutExtension(path);
            // A cluster runs a suite as a whole; what is run natively as well is run from here.
            SuiteResult result = embedded is null && !_comparesNative
                ? await Submit(new SuiteSubmission(remote!, state.Run), path, suite, plan, stop.Token).ConfigureAwait(false)
                : await RunWithProgress(new SuiteRunner(embedded?.Client ?? remote!, name, state, _jobs, _comparesNative) { IsAlone = embedded is not null }, plan, stop.Token).ConfigureAwait(false);
            state.Complete();
            return Report(result);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            Failure.Report(embedded is null ? "interrupted; the suite goes on, and the same command follows it" : "interrupted; the same command goes on with what is missing");
            return Interrupted;
        }
    }

    private async Task<SuiteResult> Submit(SuiteSubmission submission, string path, SuiteFile suite, IReadOnlyList<PlannedRun> plan, CancellationToken stop)
    {
        SuiteRequest request = await submission.Describe(path, suite, plan, _flaky, _only).ConfigureAwait(false);
        return await ClientOutput.WithProgress($"{plan.Count} runs", plan.Count, progress => submission.Run(request, progress, stop)).ConfigureAwait(false);
    }

    private static PosixSignalRegistration StopOn(PosixSignal signal, CancellationTokenSource stop) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        stop.Cancel();
    });

    private static Task<SuiteResult> RunWithProgress(SuiteRunner runner, IReadOnlyList<PlannedRun> plan, CancellationToken stop)
    {
        int done = 0;
        return ClientOutput.WithProgress($"{plan.Count} runs", plan.Count, progress => runner.Run(plan, _ => progress(Interlocked.Increment(ref done)), stop));
    }

    private int Report(SuiteResult result)
    {
        if (_junit is not null)
            SuiteReport.WriteJUnit(result, _junit);
        if (_client.Json)
            Console.Out.WriteLine(JsonSerializer.Serialize(result, SuiteJson.Default.SuiteResult));
        else
            SuiteReport.Write(result, _flaky > 0);
        return result.Failed == 0 ? 0 : Failed;
    }
}
