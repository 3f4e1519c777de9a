using Vivarium.Nodes.Commands;

namespace Vivarium.Nodes.Client;

/// <summary>The frame of a command that talks to a node: options, help, errors and exit codes, the same for all.</summary>
internal static class ClientCommand
{
    /// <summary>The node cannot be reached or has too much to do: try again (EX_TEMPFAIL of sysexits.h).</summary>
    public const int TryAgain = 75;

    /// <summary>Parses options and runs the command.</summary>
    /// <param name="name">The command's words, as in "image push".</param>
    /// <param name="operands">How many words behind the options it takes.</param>
    /// <param name="run">Does it, with those words; returns the exit code.</param>
    public static int Execute(
        string name, string help, ReadOnlySpan<string> arguments, ClientOptions client, IEnumerable<Option> own, Range operands, Func<ApiClient, string[], Task<int>> run)
    {
        var table = new OptionTable([.. own, .. client.Options]);
        int used = table.Parse(arguments, out string? error);
        if (client.Help)
            return HelpText.Show(help, table);
        string[] words = error is null ? TakeOptionsBehind(arguments[used..], table, used > 0 && arguments[used - 1] == "--", out error) : [];
        if (client.Help)
            return HelpText.Show(help, table);
        if (error is null && words.Length < operands.Start.Value)
            error = "too few arguments";
        if (error is null && !operands.End.IsFromEnd && words.Length > operands.End.Value)
            error = $"too many arguments: {words[^1]}";
        return error is null ? Run(client, words, run) : Failure.Usage(error, name);
    }

    /// <summary>Runs a command whose options were parsed.</summary>
    public static int Run(ClientOptions client, string[] words, Func<ApiClient, string[], Task<int>> run)
    {
        try
        {
            using ApiClient api = client.Connect();
            return run(api, words).GetAwaiter().GetResult();
        }
        catch (ClientException failure)
        {
            Failure.Report(failure.Message);
            return failure.IsRetryable ? TryAgain : Failure.ExitCode;
        }
        catch (IOException failure)
        {
            return Failure.Report(failure.Message);
        }
    }

    /// <summary>These commands run no program, so that options may also stand behind their arguments: <c>viv logs ID -f</c>.</summary>
    private static string[] TakeOptionsBehind(ReadOnlySpan<string> rest, OptionTable table, bool isEnded, out string? error)
    {
        List<string> words = [];
        error = null;
        while (!rest.IsEmpty && error is null)
        {
            if (!isEnded && rest[0] is ['-', _, ..])
            {
                int used = table.Parse(rest, out error);
                isEnded = used > 0 && rest[used - 1] == "--";
                rest = rest[used..];
                continue;
            }
            words.Add(rest[0]);
            rest = rest[1..];
        }
        return [.. words];
    }
}
