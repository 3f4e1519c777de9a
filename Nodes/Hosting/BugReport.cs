namespace Vivarium.Nodes.Hosting;

/// <summary>
/// How a bug of ours is told: one line with an identifier that is the same for the same bug, and the details only when
/// VIV_DEBUG is set.
/// </summary>
internal static class BugReport
{
    public static string Describe(Exception bug)
    {
        if (Environment.GetEnvironmentVariable("VIV_DEBUG") is { Length: > 0 })
            Console.Error.WriteLine(bug);
        return $"internal error {Identify(bug):x8} ({bug.GetType().Name}: {FirstLine(bug.Message)}); set VIV_DEBUG=1 for details";
    }

    /// <summary>FNV-1a over the kind of exception and the methods it came through.</summary>
    private static uint Identify(Exception bug)
    {
        uint hash = 2166136261;
        foreach (char c in bug.GetType().FullName + bug.StackTrace)
            hash = (hash ^ c) * 16777619;
        return hash;
    }

    private static string FirstLine(string message) => message.Split('\n', 2)[0];
}
