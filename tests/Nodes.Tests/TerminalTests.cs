using Xunit;

namespace Vivarium.Nodes.Tests;

/// <summary><c>viv run</c> on a terminal, as people use it.</summary>
public sealed class TerminalTests
{
    private const string Run = "./viv run -- ";
    private const string Shell = "./viv run --env 'PS1=inner> ' -- bash --norc --noprofile";

    [Fact]
    public void A_shell_edits_lines_and_controls_jobs()
    {
        using var screen = new Tmux(100, 40);
        screen.Type(Shell);
        screen.WaitForLine("inner>");
        screen.Type("tty; stty size");
        screen.WaitForLine("/dev/pts/0");
        screen.WaitForLine("40 100");
        screen.Press("e", "c", "x", "BSpace", "h", "o", "Space", "l", "n", "e", "Left", "Left", "i", "Enter");
        screen.WaitForLine("line");
        // Each program says that it has the terminal before a key is meant for it.
        screen.Type("sh -c 'echo up 1; exec sleep 1000'; echo status $?");
        screen.WaitForLine("up 1");
        screen.Press("C-c");
        screen.WaitForLine("^C");
        screen.Type("sh -c 'trap \"echo on\" CONT; echo up 2; while :; do sleep 0.1; done'");
        screen.WaitForLine("up 2");
        screen.Press("C-z");
        screen.WaitFor("[1]+  Stopped ");
        screen.Type("fg");
        screen.WaitForLine("on");
        screen.Press("C-c");
        screen.Type("echo $((6 * 7))");
        screen.WaitForLine("42");
        screen.Type("sh -c 'echo up 3; exec cat'");
        screen.WaitForLine("up 3");
        screen.Type("to and fro");
        screen.WaitFor("to and fro\nto and fro");
        screen.Press("C-d");
        screen.Type("exit 3");
        screen.WaitForPrompt();
        screen.Type("echo code $?");
        screen.WaitForLine("code 3");
    }

    [Fact]
    public void A_new_size_reaches_the_guest()
    {
        using var screen = new Tmux(100, 40);
        screen.Type(Run + "sh -c 'trap \"stty size; exit\" WINCH; echo ready; while :; do sleep 0.1; done'");
        screen.WaitForLine("ready");
        screen.Resize(90, 30);
        screen.WaitForLine("30 90");
    }

    [Fact]
    public void Stopping_stops_viv_and_its_shell_has_the_terminal_as_it_was()
    {
        using var screen = new Tmux(100, 40);
        const string Waiting = Run + "sh -c 'echo ready; exec sleep 1000'";
        screen.Type("before=$(stty -g); " + Waiting);
        screen.WaitForLine("ready");
        screen.Press("C-z");
        screen.WaitFor("Stopped");
        screen.Type("[ \"$before\" = \"$(stty -g)\" ] && echo same 1");
        screen.WaitForLine("same 1");
        screen.Type("fg");
        screen.WaitForLine(Waiting);
        screen.Press("C-c");
        screen.WaitForPrompt();
        screen.Type("echo code $?; [ \"$before\" = \"$(stty -g)\" ] && echo same 2");
        screen.WaitForLine("code 130");
        screen.WaitForLine("same 2");
    }

    [Theory]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public void The_terminal_is_set_back_when_a_signal_ends_viv(string signal, int code)
    {
        using var screen = new Tmux(100, 40);
        screen.Type("before=$(stty -g); " + Run + "sh -c 'echo ready; exec cat'");
        screen.WaitForLine("ready");
        screen.SignalChild(signal, "viv");
        screen.WaitForPrompt();
        screen.Type("echo code $?; [ \"$before\" = \"$(stty -g)\" ] && echo same");
        screen.WaitForLine($"code {code}");
        screen.WaitForLine("same");
    }

    [Fact]
    public void Each_stream_is_a_terminal_or_not_as_it_is_outside()
    {
        using var screen = new Tmux(100, 40);
        screen.Type(Run + "sh -c 'for n in 0 1 2; do test -t $n && echo $n yes || echo $n no; done' | sed 's/^/out /'");
        screen.WaitForLine("out 0 yes");
        screen.WaitForLine("out 1 no");
        screen.WaitForLine("out 2 yes");
    }
}
