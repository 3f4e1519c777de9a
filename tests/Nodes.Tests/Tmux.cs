using System.Diagnostics;

namespace Vivarium.Nodes.Tests;

/// <summary>A terminal with a shell in it, whose keys and screen the test has (tmux(1)).</summary>
internal sealed class Tmux : IDisposable
{
    public const string Prompt = "outer> ";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);

    private readonly string _server = $"viv-test-{Guid.NewGuid():N}";

    /// <summary>Starts bash with <see cref="Prompt"/> in the repository, on a screen of so many columns and rows.</summary>
    public Tmux(int columns, int rows)
    {
        Tell("new-session", "-d", "-x", $"{columns}", "-y", $"{rows}", $"cd '{Viv.Root}' && PS1='{Prompt}' exec bash --norc --noprofile");
        WaitForPrompt();
    }

    public string Screen => Tell("capture-pane", "-p");

    /// <summary>Types text and Enter.</summary>
    public void Type(string line)
    {
        Tell("send-keys", "-l", line);
        Press("Enter");
    }

    /// <summary>Presses keys by tmux's names for them: C-c, Enter.</summary>
    public void Press(params string[] keys) => Tell(["send-keys", .. keys]);

    public void Resize(int columns, int rows) => Tell("resize-window", "-x", $"{columns}", "-y", $"{rows}");

    /// <summary>Sends a signal to a program that the shell runs.</summary>
    public void SignalChild(string signal, string name)
    {
        using Process kill = Process.Start("pkill", ["-" + signal, "-P", Tell("display-message", "-p", "#{pane_pid}").Trim(), name]);
        kill.WaitForExit();
        if (kill.ExitCode != 0)
            throw new InvalidOperationException($"the shell runs no {name}");
    }

    /// <summary>Waits until some line of the screen is, without blanks at its end, this text.</summary>
    public void WaitForLine(string line) => Wait(screen => screen.Split('\n').Any(shown => shown.TrimEnd() == line), line);

    public void WaitFor(string text) => Wait(screen => screen.Contains(text, StringComparison.Ordinal), text);

    /// <summary>Waits until the shell asks for a command: what is typed before that belongs to the program that runs.</summary>
    public void WaitForPrompt() => Wait(screen => screen.TrimEnd().EndsWith(Prompt.TrimEnd(), StringComparison.Ordinal), Prompt);

    public void Dispose() => Tell("kill-server");

    private void Wait(Func<string, bool> isThere, string what)
    {
        var waited = Stopwatch.StartNew();
        while (!isThere(Screen))
        {
            if (waited.Elapsed > Patience)
                throw new TimeoutException($"\"{what}\" did not come; the screen shows:\n{Screen}");
            Thread.Sleep(50);
        }
    }

    private string Tell(params string[] command)
    {
        using Process process = Process.Start(new ProcessStartInfo("tmux", ["-L", _server, "-f", "/dev/null", .. command])
        {
            RedirectStandardOutput = true,
        })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output;
    }
}
