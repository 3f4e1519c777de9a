using System.Globalization;
using Spectre.Console;
using Vivarium.Actors.Execution;
using Vivarium.Messages;
using Vivarium.Nodes.Benchmarks;

namespace Vivarium.Nodes.Commands;

/// <summary><c>viv bench</c>: the same programs natively, in Vivarium and under qemu-user, side by side in one run.</summary>
internal static class BenchCommand
{
    /// <summary>Columns of text where the output is no terminal: no row is broken.</summary>
    private const int WidthOfFile = 200;

    private const string Help =
        """
        usage: viv bench [--quick] [NAME...]

        Builds the programs in bench/ with gcc and runs each natively, in Vivarium and under qemu-x86_64 (where it is
        installed), one after the other. Figures are medians; ratios are to native; the bar is what Vivarium is to reach. All of
        it takes some minutes. NAME picks suites: start, cluster, idle, cpu, micro, programs, translate, trace (what watching costs, in
        processor time: Vivarium's levels, strace -f and perf trace).

          --arch NAME    cpu and micro built for another processor (arm64, riscv64) with its cross compiler, against native and
                         against its qemu-user.
          --quick        A fiftieth of the work: does it run? Such figures are not for comparing.

        """;

    public static int Execute(ReadOnlySpan<string> arguments)
    {
        double scale = 1;
        bool help = false;
        string processor = BenchmarkTarget.Own.Name;
        var table = new OptionTable(
        [
            new("Options", "--quick", OptionForm.Flag, "", "", _ => Do(() => scale = 0.02)),
            new("Options", "--arch", OptionForm.Value, "NAME", "", value => Do(() => processor = Platform.Processor(value))),
            new("Options", "--help", OptionForm.Flag, "", "", _ => Do(() => help = true)),
        ]);
        int used = table.Parse(arguments, out string? error);
        if (error is not null)
            return Failure.Usage(error, "bench");
        if (help)
        {
            Console.Out.Write(Help);
            return 0;
        }
        if (BenchmarkTarget.All.FirstOrDefault(target => target.Name == processor && EmulatedPlatforms.All.Contains(new Platform("linux", processor))) is not { } target)
            return Failure.Report($"cannot run programs for linux/{processor} (there are: {Platform.List(EmulatedPlatforms.All)})");
        HashSet<string> names = [.. arguments[used..]];
        IReadOnlyList<string> known = BenchmarkSuite.NamesFor(target);
        if (names.Except(known).FirstOrDefault() is { } unknown)
            return Failure.Usage($"no suite {unknown} (there are: {string.Join(", ", known)})", "bench");
        if (BenchmarkSuite.Prepare(target, out error) is not { } suite)
            return Failure.Report(error!);
        if (Console.IsOutputRedirected)
            AnsiConsole.Profile.Width = WidthOfFile;
        bool isForeign = target != BenchmarkTarget.Own;
        AnsiConsole.WriteLine($"{Machine()}, load {Load()}; {(scale < 1 ? "quick" : "full")} run, medians, ratios to native{(isForeign ? ", programs for " + processor : "")}");
        foreach (string name in known)
        {
            if (names.Count > 0 && !names.Contains(name))
                continue;
            AnsiConsole.Write(name == BenchmarkSuite.Trace ? Render(suite.RunTrace(scale)) : Render(name, suite.Run(name, scale), isForeign));
        }
        return 0;
    }

    private static string? Do(Action action)
    {
        action();
        return null;
    }

    private static Table Render(string name, IReadOnlyList<BenchmarkRow> rows, bool isForeign)
    {
        var table = new Table { Border = TableBorder.Simple };
        table.AddColumn(name);
        foreach (string column in (string[])["native", "Vivarium", "×", "qemu-user", "×", "bar"])
            table.AddColumn(new TableColumn(column).RightAligned());
        foreach (BenchmarkRow row in rows)
        {
            table.AddRow(
                Markup.Escape(row.Name),
                Figure(row.Native, row.Unit),
                Figure(row.Vivarium, row.Unit),
                Ratio(row.Vivarium, row.Native),
                Figure(row.Qemu, row.Unit),
                Ratio(row.Qemu, row.Native),
                Bar.Of(row, isForeign)?.Judge(row) ?? "");
        }
        return table;
    }

    /// <summary>Ratios are to the same without being watched.</summary>
    private static Table Render(IReadOnlyList<TraceCostRow> rows)
    {
        var table = new Table { Border = TableBorder.Simple };
        table.AddColumn(BenchmarkSuite.Trace);
        foreach (string column in (string[])["native", "strace -f", "×", "perf trace", "×", "Vivarium, off", "folded", "×", "full", "×", "bar"])
            table.AddColumn(new TableColumn(column).RightAligned());
        foreach (TraceCostRow row in rows)
        {
            table.AddRow(
                Markup.Escape(row.Name),
                Figure(row.Native, row.Unit),
                Figure(row.Strace, row.Unit),
                Ratio(row.Strace, row.Native),
                Figure(row.PerfTrace, row.Unit),
                Ratio(row.PerfTrace, row.Native),
                Figure(row.Off, row.Unit),
                Figure(row.Folded, row.Unit),
                Ratio(row.Folded, row.Off),
                Figure(row.Full, row.Unit),
                Ratio(row.Full, row.Off),
                row.Verdict);
        }
        return table;
    }

    private static string Figure(double? value, string unit) =>
        value is { } figure ? string.Create(CultureInfo.InvariantCulture, $"{Significant(figure)} {unit}") : "-";

    private static string Ratio(double? value, double? native) =>
        value is { } figure && native is { } unit and > 0 ? Significant(figure / unit) : "-";

    private static string Significant(double value) => value.ToString(
        value switch { >= 100 => "N0", >= 10 => "N1", _ => "N2" },
        CultureInfo.InvariantCulture);

    private static string Machine()
    {
        string processor = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) is { } line
            ? line[(line.IndexOf(':') + 2)..]
            : "unknown processor";
        return $"{processor}, {Environment.ProcessorCount} cores, .NET {Environment.Version}";
    }

    /// <summary>Of the last minute (proc_loadavg(5)): figures taken beside other work are worth less.</summary>
    private static string Load() => File.ReadAllText("/proc/loadavg").Split(' ')[0];
}
