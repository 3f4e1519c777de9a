namespace Vivarium.Nodes.Commands;

/// <summary>One line on standard error, and the exit code of Vivarium's own failures.</summary>
internal static class Failure
{
    /// <summary>Vivarium could not do what was asked, as env(1) and timeout(1) have it.</summary>
    public const int ExitCode = 125;

    public static int Report(string message)
    {
        Console.Error.WriteLine("viv: " + message);
        return ExitCode;
    }

    public static int Usage(string message, string command) => Report($"{message} (see: viv {command} --help)".Replace("  ", " "));
}
