using System.Globalization;
using Vivarium.Messages;
using Vivarium.Nodes.Tracing;
using Vivarium.Telemetry.Reports;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Traces.Formats;

namespace Vivarium.Nodes.Benchmarks;

/// <summary>What one piece of work costs by how it is watched, in processor time; null where it could not be measured.</summary>
/// <param name="Verdict">The bar, and whether it is met; empty where there is none.</param>
internal sealed record TraceCostRow(string Name, string Unit, double? Native, double? Strace, double? PerfTrace, double? Off, double? Folded, double? Full, string Verdict);

/// <summary>
/// What watching costs. Vivarium's figures are jobs of one warm node, off, folded and full in turn, so that what the machine does meanwhile
/// falls on all alike; native ones are whole programs under <c>strace -f</c> and <c>perf trace</c>.
/// </summary>
/// <param name="folder">Where the benchmark programs are.</param>
/// <param name="modules">The folder of npm's packages that <c>./test</c> fetches.</param>
/// <param name="measure">Runs a command and returns the figure that it prints; null when that fails.</param>
internal sealed class TraceCost(string folder, string modules, Func<string[], double?> measure)
{
    private const int Calls = 1_000_000, CallsUnderTracers = 50_000, Rounds = 7, NativeRounds = 3;
    private const double MostPerCall = 60, MostShare = 0.05, MostListing = 1000;

    private static readonly TraceLevel[] Levels = [TraceLevel.Off, TraceLevel.Folded, TraceLevel.Full];

    public IReadOnlyList<TraceCostRow> Run(double scale)
    {
        using var node = new WarmNode();
        List<TraceCostRow> rows = [CallsInALoop(node, scale, out TraceDocument trace)];
        if (Bundle(node, scale) is { } bundle)
            rows.Add(bundle);
        rows.Add(Listing(trace));
        return rows;
    }

    private TraceCostRow CallsInALoop(WarmNode node, double scale, out TraceDocument trace)
    {
        string program = Path.Combine(folder, "calls");
        int count = Math.Max(1000, (int)(Calls * scale)), fewer = Math.Max(1000, (int)(CallsUnderTracers * scale));
        double[] times = Compare(node, WarmNode.Describe([program, Text(count)]));
        trace = node.LastTrace!.Document;
        double PerCall(double milliseconds, int calls) => milliseconds * 1e6 / calls;
        double? Under(params string[] tracer) => Native([.. tracer, program, Text(fewer)]) is { } cost ? PerCall(cost, fewer) : null;
        double more = PerCall(times[1] - times[0], count);
        return new TraceCostRow(
            string.Create(CultureInfo.InvariantCulture, $"getppid, each of {count:N0}"),
            "ns",
            Native([program, Text(count)]) is { } native ? PerCall(native, count) : null,
            Under("strace", "-f", "-o", "/dev/null"),
            Under("perf", "trace", "-o", "/dev/null"),
            PerCall(times[0], count),
            PerCall(times[1], count),
            PerCall(times[2], count),
            Judge($"folded costs {more:N0} ns a call", MostPerCall, "ns", more));
    }

    /// <summary>Null when the packages are not there.</summary>
    private TraceCostRow? Bundle(WarmNode node, double scale)
    {
        string bundler = Path.Combine(modules, "esbuild", "bin", "esbuild"), library = Path.Combine(modules, "lodash-es", "lodash.js");
        if (!File.Exists(bundler) || !File.Exists(library))
        {
            Console.Error.WriteLine("viv: bench: no esbuild in .cache/npm (./test fetches it): left out");
            return null;
        }
        string[] command = [bundler, library, "--bundle", "--minify", "--sourcemap", "--outfile=/tmp/viv-bench-bundle.js", "--log-level=error"];
        double[] times = Compare(node, WarmNode.Describe(command), scale < 1 ? 1 : Rounds);
        double share = (times[1] / times[0]) - 1;
        return new TraceCostRow(
            "esbuild, 640 modules",
            "ms",
            Native(command),
            Native(["strace", "-f", "-o", "/dev/null", .. command]),
            Native(["perf", "trace", "-o", "/dev/null", .. command]),
            times[0],
            times[1],
            times[2],
            Judge(string.Create(CultureInfo.InvariantCulture, $"folded costs {share:P1}"), 100 * MostShare, "%", 100 * share));
    }

    /// <summary>What <c>viv trace FILE --calls</c> does with the folded loop's trace.</summary>
    private static TraceCostRow Listing(TraceDocument trace)
    {
        byte[] file = TraceFile.Write(trace);
        List<double> times = [];
        for (int i = 0; i < Rounds; i++)
        {
            TimeSpan start = Environment.CpuUsage.TotalTime;
            TraceDocument read = TraceFile.Read(file, out _)!;
            new CallListing(read, new CallFilter(), Stream.Null).Write();
            times.Add((Environment.CpuUsage.TotalTime - start).TotalMilliseconds);
        }
        double time = Median(times);
        return new TraceCostRow(
            string.Create(CultureInfo.InvariantCulture, $"listing of {trace.Job.Calls:N0} calls"), "ms", null, null, null, null, time, null, Judge("", MostListing, "ms", time));
    }

    /// <summary>Medians by level, milliseconds of processor time of this whole process.</summary>
    private static double[] Compare(WarmNode node, JobSpec spec, int rounds = Rounds)
    {
        List<double>[] times = [[], [], []];
        // The first round is for the run-time's compiler and the code cache.
        for (int round = -1; round < rounds; round++)
        {
            for (int i = 0; i < Levels.Length; i++)
            {
                double time = node.ProcessorTime(spec with { Tracing = new TraceSettings { Level = Levels[i] } });
                if (round >= 0)
                    times[i].Add(time);
                if (Levels[i] == TraceLevel.Folded)
                    node.KeepTrace();
            }
        }
        return [.. times.Select(Median)];
    }

    private double? Native(string[] command) => measure([Path.Combine(folder, "cost"), Text(NativeRounds), .. command]);

    private static string Judge(string what, double most, string unit, double figure) =>
        string.Create(CultureInfo.InvariantCulture, $"{(what.Length > 0 ? what + ", " : "")}bar {most} {unit} {(figure <= most ? "met" : "missed")}");

    private static double Median(List<double> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
