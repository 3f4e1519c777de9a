namespace Vivarium.Messages;

/// <summary>What can be told to a job.</summary>
public abstract record JobCommand
{
    private JobCommand()
    {
    }

    /// <summary>Creates the job. Repeated submissions of one id are one job.</summary>
    public sealed record Submit(JobSpec Spec) : JobCommand;

    /// <summary>Ends the job; nothing happens when it has ended.</summary>
    public sealed record Cancel : JobCommand;

    /// <summary>Sends a signal to the job's foreground processes, as a terminal would.</summary>
    public sealed record Signal(TerminalSignal Number) : JobCommand;

    /// <summary>The user's terminal has a new size.</summary>
    public sealed record Resize(int Columns, int Rows) : JobCommand;
}

/// <summary>The signals a user's terminal or session sends, neutral of any system's numbers.</summary>
public enum TerminalSignal
{
    HangUp,
    Interrupt,
    Quit,
    Terminate,
    Stop,
    Continue,
}
