using System.Globalization;
using System.Text;
using Vivarium.Nodes.Client;
using Vivarium.Nodes.Tracing;
using Vivarium.Telemetry.Reports;
using Vivarium.Telemetry.Traces;
using Vivarium.Telemetry.Traces.Formats;

namespace Vivarium.Nodes.Commands;

/// <summary><c>viv trace</c>: tells the story of a job's trace, lists its calls, writes it in other forms.</summary>
internal sealed class TraceCommand
{
    private const string Start =
        """
        usage: viv trace FILE|JOB [OPTIONS]
               viv trace FILE|JOB... --export FILE.json

        Tells what a job did and where its time went, from a file of viv run --trace-file or, by the job's identifier, from
        the cluster; of a job that runs, as far as it is.

        """;

    private const string End =
        """

        examples:
          viv run --trace-file t.json -- make && viv trace t.json
          viv trace t.json --calls --call openat --errors
          viv trace t.json --tree            then, with the first column of a run:
          viv trace t.json --span 3f62 --calls
          viv trace t.json --export t.perfetto.json
          viv trace JOB JOB --export both.json          jobs of one trace, for Jaeger's page

        """;

    private readonly OptionTable _table;
    private readonly HashSet<string> _calls = new(StringComparer.Ordinal);
    private CallFilter _filter = new();
    private string? _span;
    private string? _export;
    private string? _by;
    private int _attempt;
    private bool _lists;
    private bool _tree;
    private bool _help;

    private TraceCommand() => _table = new OptionTable(
    [
        new("What to show", "--calls", OptionForm.Flag, "", "Every call, as strace lists them, in the order in which they ended.", _ => Do(() => _lists = true)),
        new("What to show", "--tree", OptionForm.Flag, "", "All spans with their identifiers.", _ => Do(() => _tree = true)),
        new("What to show", "--by", OptionForm.Value, "call|file|peer", "The whole table.", SetTable),
        new("What to show", "--attempt", OptionForm.Value, "N", "Only this one of the attempts of a job that was begun more than once.", SetAttempt),
        new("Which calls", "--call", OptionForm.Value, "NAME[,NAME...]", "Only calls of these names.", AddCalls),
        new("Which calls", "--path", OptionForm.Value, "TEXT", "Only calls about files whose name holds TEXT.", text => Do(() => _filter = _filter with { Path = Encoding.UTF8.GetBytes(text) })),
        new("Which calls", "--pid", OptionForm.Value, "N", "Only calls of this process or thread.", SetProcess),
        new("Which calls", "--errors", OptionForm.Flag, "", "Only calls that failed.", _ => Do(() => _filter = _filter with { OnlyErrors = true })),
        new("Which calls", "--slower", OptionForm.Value, "TIME", "Only calls that took at least TIME (50us, 1ms, 2s).", SetSlower),
        new("Which calls", "--span", OptionForm.Value, "ID", "Only calls of this span: the identifier's first digits are enough.", text => Do(() => _span = text)),
        new("Other", "--export", OptionForm.Value, "FILE", "Write it as Jaeger's JSON, or by FILE's end .perfetto.json, .otlp.json, .trace.", text => Do(() => _export = text)),
        new("Other", "--help", OptionForm.Flag, "", "Show this.", _ => Do(() => _help = true)),
    ]);

    public static int Execute(ReadOnlySpan<string> arguments) => new TraceCommand().Run(arguments);

    /// <summary>Asks the node that VIVARIUM_NODE names, or the one of this machine.</summary>
    private async Task<TraceAnswer> Ask(string job)
    {
        try
        {
            using ApiClient api = new ClientOptions().Connect();
            return new TraceAnswer(await api.Trace(job, _attempt).ConfigureAwait(false), null);
        }
        catch (Exception failure) when (failure is ClientException or HttpRequestException or IOException)
        {
            return new TraceAnswer(null, failure.Message);
        }
    }

    private int Run(ReadOnlySpan<string> arguments)
    {
        List<string> operands = [];
        // Options may stand on either side of the file.
        while (!arguments.IsEmpty)
        {
            int used = _table.Parse(arguments, out string? wrong);
            if (wrong is not null)
                return Failure.Usage(wrong, "trace");
            arguments = arguments[used..];
            if (arguments.IsEmpty)
                break;
            operands.Add(arguments[0]);
            arguments = arguments[1..];
        }
        if (_help)
            return ShowHelp();
        if (operands.Count == 0 || (operands.Count > 1 && _export is null))
            return Failure.Usage(operands.Count == 0 ? "no file or job given" : "more than one file given: only --export takes several", "trace");
        List<TraceDocument> traces = [];
        string? error = null;
        foreach (string operand in operands)
        {
            if (Load(operand, out error) is not { } loaded)
                return Failure.Report($"{operand}: {error}");
            traces.Add(loaded);
        }
        if (traces.Count > 1)
            return TraceFiles.Write(_export!, traces) is { } problem ? Failure.Report(problem) : 0;
        TraceDocument trace = traces[0];
        if (_calls.Count > 0)
            _filter = _filter with { Calls = _calls };
        if (_span is not null)
        {
            if (FindSpan(trace, _span, out error) is not (var attempt, { } span))
                return Failure.Usage(error!, "trace");
            trace = attempt;
            _filter = _filter with { Span = span };
            _lists = true;
        }
        return Show(trace);
    }

    private int Show(TraceDocument trace)
    {
        if (_export is not null)
            return TraceFiles.Write(_export, trace) is { } problem ? Failure.Report(problem) : 0;
        using Stream output = Console.OpenStandardOutput();
        try
        {
            if (_lists || _filter != new CallFilter())
                List(trace, output);
            else
                Tell(trace, output);
        }
        catch (IOException)
        {
            // The reader, such as head(1), has seen enough.
        }
        return 0;
    }

    private void List(TraceDocument trace, Stream output)
    {
        new CallListing(trace, _filter, output).Write();
        if (trace.Job.End == TraceRecording.Running)
            Console.Error.WriteLine("viv: the job had not ended when this was recorded: later calls are missing");
        if (trace.LostRecords > 0)
            Console.Error.WriteLine($"viv: the first {Figures.Count(trace.LostRecords)} of {Figures.Count(trace.Job.Calls)} records had to make room and are not listed");
    }

    private void Tell(TraceDocument trace, Stream output)
    {
        using var writer = new StreamWriter(output, new UTF8Encoding(false), 1 << 14);
        var story = new TraceStory(trace, writer, Console.IsOutputRedirected ? int.MaxValue : Math.Max(60, Console.WindowWidth));
        if (_tree)
            story.WriteTree();
        else if (_by == "call")
            story.WriteAllCalls();
        else if (_by is not null)
            story.WriteAllFiles(_by == "peer");
        else
            story.Write();
    }

    private TraceDocument? Load(string name, out string? error)
    {
        try
        {
            if (File.Exists(name))
                return Choose(TraceFile.Read(File.ReadAllBytes(name), out error), ref error);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            error = failure.Message;
            return null;
        }
        if (!Guid.TryParseExact(name, "N", out _) && !Guid.TryParseExact(name, "D", out _))
        {
            error = "no such file, and not a job's identifier";
            return null;
        }
        TraceAnswer answer = Ask(Guid.Parse(name).ToString("N")).GetAwaiter().GetResult();
        error = answer.Missing;
        return answer.File is { } file ? Choose(TraceFile.Read(file, out error), ref error) : null;
    }

    /// <summary>The attempt that was asked for; null when the trace has nothing of it.</summary>
    private TraceDocument? Choose(TraceDocument? trace, ref string? error)
    {
        if (trace is null || _attempt == 0)
            return trace;
        TraceDocument? chosen = trace.OfAttempt(_attempt);
        if (chosen is null)
            error = trace.Attempts.FirstOrDefault(attempt => attempt.Number == _attempt)?.Missing ?? $"there is no attempt {_attempt}";
        return chosen is null ? null : chosen with { Attempts = trace.Attempts, Earlier = [] };
    }

    /// <summary>A span, and the attempt whose records tell of it.</summary>
    private static (TraceDocument Attempt, TraceSpan Span)? FindSpan(TraceDocument trace, string prefix, out string? error)
    {
        (TraceDocument, TraceSpan)[] found = [.. from attempt in (TraceDocument[])[trace, .. trace.Earlier] from span in attempt.Spans
            where span.Id.ToString("x16", CultureInfo.InvariantCulture).StartsWith(prefix, StringComparison.OrdinalIgnoreCase)
            group (attempt, span) by span.Id into same
            select same.First()];
        error = found.Length switch { 0 => $"no span {prefix}", 1 => null, _ => $"more than one span begins with {prefix}" };
        return error is null ? found[0] : null;
    }

    private int ShowHelp()
    {
        using var text = new StringWriter();
        text.Write(Start);
        _table.WriteHelp(text);
        text.Write(End);
        Console.Out.Write(text.ToString());
        return 0;
    }

    private static string? Do(Action action)
    {
        action();
        return null;
    }

    private string? SetTable(string text)
    {
        _by = text;
        return text is "call" or "file" or "peer" ? null : $"no such table: {text} (there are: call, file, peer)";
    }

    private string? AddCalls(string text)
    {
        _calls.UnionWith(text.Split(',', StringSplitOptions.RemoveEmptyEntries));
        return _calls.Count == 0 ? "needs a name" : null;
    }

    private string? SetProcess(string text)
    {
        bool isNumber = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int process);
        _filter = _filter with { Process = process };
        return isNumber ? null : $"not a number: {text}";
    }

    private string? SetAttempt(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _attempt) && _attempt > 0 ? null : $"not an attempt's number, from 1: {text}";

    private string? SetSlower(string text)
    {
        (string digits, double scale) = text switch
        {
            [.. var number, 'n', 's'] => (number, 1),
            [.. var number, 'u', 's'] => (number, 1e3),
            [.. var number, 'm', 's'] => (number, 1e6),
            [.. var number, 's'] => (number, 1e9),
            _ => (text, 1e9),
        };
        if (!double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value))
            return $"not a time such as 50us, 1ms or 2s: {text}";
        _filter = _filter with { AtLeast = (long)(value * scale) };
        return null;
    }
}
