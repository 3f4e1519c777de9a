using System.Globalization;
using System.Text;
using System.Xml;
using Spectre.Console;
using Vivarium.Nodes.Client;

namespace Vivarium.Nodes.Suites;

/// <summary>A suite's result as a table and as JUnit's XML.</summary>
internal static class SuiteReport
{
    public static void Write(SuiteResult result, bool isFlaky)
    {
        foreach (RunResult run in result.Runs.Where(static run => !run.HasPassed && !string.IsNullOrEmpty(run.Replay)).Take(isFlaky ? 0 : int.MaxValue))
            WriteFailure(run);
        Table table = ClientOutput.NewTable("case", "runs", "passed", "failed", "longest");
        foreach (IGrouping<string, RunResult> runs in result.Runs.GroupBy(static run => run.Case))
        {
            int failed = runs.Count(static run => !run.HasPassed);
            table.AddRow(
                ClientOutput.Plain(runs.Key),
                $"{runs.Count()}",
                $"{runs.Count() - failed}",
                failed == 0 ? "0" : $"[red]{failed}[/]",
                ClientOutput.Span(TimeSpan.FromSeconds(runs.Max(static run => run.Seconds))));
        }
        ClientOutput.Write(table);
        foreach (RunResult run in result.Runs.Where(static run => run.FirstDifferentCall is not null))
            Console.Out.Write(Printable(new StringBuilder($"{run.Name}: first other call than natively: {run.FirstDifferentCall}\n")));
        if (isFlaky)
            WriteSeeds(result);
        Console.Out.Write($"{result.Passed} passed, {result.Failed} failed in {ClientOutput.Span(TimeSpan.FromSeconds(result.Seconds))}\n");
    }

    private static void WriteFailure(RunResult run)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"FAILED {run.Name} (job {run.Job})\n");
        foreach (string problem in run.Problems)
            text.Append("  ").Append(problem).Append('\n');
        if (!string.IsNullOrEmpty(run.Error))
            text.Append("  error: ").Append(run.Error.TrimEnd().Replace("\n", "\n         ")).Append('\n');
        text.Append("  again: ").Append(run.Replay).Append('\n');
        Console.Out.Write(Printable(text));
    }

    /// <summary>Which seeds fail, and how to run one again.</summary>
    private static void WriteSeeds(SuiteResult result)
    {
        const int shown = 20;
        foreach (IGrouping<string, RunResult> runs in result.Runs.GroupBy(static run => run.Case))
        {
            RunResult[] failed = [.. runs.Where(static run => !run.HasPassed)];
            if (failed.Length == 0)
                continue;
            string seeds = string.Join(", ", failed.Take(shown).Select(static run => run.Seed)) + (failed.Length > shown ? ", …" : "");
            var text = new StringBuilder()
                .Append(CultureInfo.InvariantCulture, $"{(failed.Length == runs.Count() ? "FAILED" : "FLAKY")} {runs.Key}: {failed.Length} of {runs.Count()} seeds fail: {seeds}\n")
                .Append("  ").Append(failed[0].Problems[0]).Append('\n')
                .Append("  again: ").Append(failed[0].Replay).Append('\n');
            Console.Out.Write(Printable(text));
        }
    }

    private static string Printable(StringBuilder text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsControl(text[i]) && text[i] != '\n')
                text[i] = '?';
        }
        return text.ToString();
    }

    /// <summary>The XML that build servers read: one testcase a run.</summary>
    public static void WriteJUnit(SuiteResult result, string path)
    {
        using FileStream file = File.Create(path);
        WriteJUnit(result, file);
    }

    public static void WriteJUnit(SuiteResult result, Stream output)
    {
        using var xml = XmlWriter.Create(output, new XmlWriterSettings { Indent = true, Encoding = new UTF8Encoding(false) });
        xml.WriteStartElement("testsuites");
        xml.WriteStartElement("testsuite");
        xml.WriteAttributeString("name", Valid(result.Suite));
        xml.WriteAttributeString("tests", $"{result.Runs.Count}");
        xml.WriteAttributeString("failures", $"{result.Failed}");
        xml.WriteAttributeString("time", Seconds(result.Seconds));
        foreach (RunResult run in result.Runs)
        {
            xml.WriteStartElement("testcase");
            xml.WriteAttributeString("classname", Valid($"{result.Suite}.{run.Case}"));
            xml.WriteAttributeString("name", Valid(run.Name));
            xml.WriteAttributeString("time", Seconds(run.Seconds));
            if (!run.HasPassed)
            {
                xml.WriteStartElement("failure");
                xml.WriteAttributeString("message", Valid(run.Problems[0]));
                xml.WriteString(Valid(string.Join('\n', run.Problems) + $"\njob {run.Job}\nagain: {run.Replay}"));
                xml.WriteEndElement();
                xml.WriteElementString("system-out", Valid(run.Output ?? ""));
                xml.WriteElementString("system-err", Valid(run.Error ?? ""));
            }
            xml.WriteEndElement();
        }
        xml.WriteEndElement();
        xml.WriteEndElement();
    }

    private static string Seconds(double seconds) => seconds.ToString("0.###", CultureInfo.InvariantCulture);

    /// <summary>Without what XML cannot hold (XML 1.0, 2.2).</summary>
    private static string Valid(string text) => string.Concat(text.Select(static letter => XmlConvert.IsXmlChar(letter) ? letter : '\uFFFD'));
}
