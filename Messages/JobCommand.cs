namespace Vivarium.Messages;

/// <summary>What can be told to a job.</summary>
public abstract record JobCommand
{
    private JobCommand()
    {
    }

    /// <summary>Ends the job; nothing happens when it has ended.</summary>
    public sealed record Cancel : JobCommand;

    /// <summary>Sends a signal to the job's foreground processes, as a terminal would.</summary>
    public sealed record Signal(TerminalSignal Number) : JobCommand;

    /// <summary>Sends a signal by its number in the guest's system to the job's first process, or to the one named.</summary>
    public sealed record Kill(int Number, Guid? Process) : JobCommand;

    /// <summary>The user's terminal has a new size.</summary>
    public sealed record Resize(int Columns, int Rows) : JobCommand;

    /// <summary>Asks what the job's processes are doing; the reply's text is JSON.</summary>
    public sealed record Inspect : JobCommand;

    /// <summary>Asks for the trace as far as it is; the reply's content is a trace file.</summary>
    public sealed record Trace : JobCommand;
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

public enum JobReplyKind
{
    /// <summary>The job has it, or did what was asked.</summary>
    Done,

    /// <summary>No such job.</summary>
    Unknown,

    /// <summary>The job is not running (yet, or any more), and what was asked needs a running one.</summary>
    NotRunning,

    /// <summary>What was asked cannot be done; the text says why.</summary>
    Refused,

    /// <summary>The job's node cannot be reached, or nobody owns its shard at present. Asking again later may help.</summary>
    Unavailable,
}

/// <summary>The answer to a <see cref="JobCommand"/>.</summary>
public sealed record JobReply(JobReplyKind Kind, string? Text = null)
{
    /// <summary>What was asked for, when that is no text.</summary>
    public byte[]? Content { get; init; }

    public static JobReply Done { get; } = new(JobReplyKind.Done);

    public static JobReply Unknown { get; } = new(JobReplyKind.Unknown);

    public static JobReply NotRunning { get; } = new(JobReplyKind.NotRunning);

    public static JobReply Unavailable { get; } = new(JobReplyKind.Unavailable);
}
