using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel;

/// <summary>How an interrupted call goes on after a signal handler ran (signal(7), "Interruption of system calls").</summary>
public enum RestartKind : byte
{
    /// <summary>EINTR, whatever the handler's flags.</summary>
    Never,

    /// <summary>Run again when no handler ran or it has SA_RESTART; else EINTR.</summary>
    IfHandlerAllows,

    /// <summary>Run again after any handler.</summary>
    Always,

    /// <summary>Run again only when no handler ran (poll, pause, sigsuspend, epoll_wait …); a deadline is kept.</summary>
    IfNoHandler,
}

public enum CallOutcome : byte
{
    Value,
    Error,

    /// <summary>Would block: park the thread until a source of its wait list pulses or the deadline passes, then run the handler again.</summary>
    Blocked,

    /// <summary>Interrupted by a signal while it would block; <see cref="CallResult.Restart"/> says what follows.</summary>
    Interrupted,

    /// <summary>Registers were set by the handler itself or the thread is gone (exit, execve, rt_sigreturn).</summary>
    NoReturn,
}

/// <summary>What a call handler returns: plain data, no exception for guest failure.</summary>
public readonly struct CallResult
{
    private CallResult(CallOutcome outcome, long value, Errno error, RestartKind restart)
    {
        Outcome = outcome;
        Value = value;
        Error = error;
        Restart = restart;
    }

    // In this order two words, which are returned in registers.
    public long Value { get; }

    public Errno Error { get; }

    public CallOutcome Outcome { get; }

    public RestartKind Restart { get; }

    public static CallResult NoReturn => new(CallOutcome.NoReturn, 0, Errno.None, RestartKind.Never);

    public static CallResult Ok(long value = 0) => new(CallOutcome.Value, value, Errno.None, RestartKind.Never);

    public static CallResult Fail(Errno error) => new(CallOutcome.Error, 0, error, RestartKind.Never);

    internal static CallResult Blocked(RestartKind restart) => new(CallOutcome.Blocked, 0, Errno.None, restart);

    internal static CallResult Interrupted(RestartKind restart) => new(CallOutcome.Interrupted, 0, Errno.EINTR, restart);

    public static implicit operator CallResult(Errno error) => error == Errno.None ? Ok() : Fail(error);

    public static implicit operator CallResult(long value) => Ok(value);
}
