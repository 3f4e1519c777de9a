namespace Vivarium.Messages;

/// <summary>How a job ended.</summary>
public enum JobEnd
{
    /// <summary>The program returned an exit code.</summary>
    Exited,

    /// <summary>A signal killed the program.</summary>
    Killed,

    /// <summary>Its time limit passed.</summary>
    TimedOut,

    /// <summary>Somebody cancelled it.</summary>
    Cancelled,

    /// <summary>The program could not be started; see <see cref="JobFailure"/>.</summary>
    NotStarted,

    /// <summary>Vivarium failed, not the guest.</summary>
    Broken,
}

/// <summary>Why a program could not be started.</summary>
public enum JobFailure
{
    None,

    /// <summary>No such program (exit code 127 in shells).</summary>
    NotFound,

    /// <summary>It is there and cannot be executed (exit code 126 in shells).</summary>
    NotExecutable,

    /// <summary>The job itself cannot be set up: root file system, binds, working directory, user.</summary>
    BadSetup,
}

/// <summary>What a job used.</summary>
public sealed record JobUsage
{
    /// <summary>Guest instructions retired by all its threads.</summary>
    public ulong Instructions { get; init; }

    /// <summary>System calls by name, in order of name; empty unless they were counted.</summary>
    public IReadOnlyList<CallUsage> Calls { get; init; } = [];

    /// <summary>What its programs lacked, in order of system, processor and name.</summary>
    public IReadOnlyList<MissingUsage> Missing { get; init; } = [];

    /// <summary>Most bytes committed at any time.</summary>
    public ulong PeakMemory { get; init; }

    /// <summary>Processes created, the first one included.</summary>
    public int Processes { get; init; }

    /// <summary>Real time from the start of the program to its end.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>What the node's translator did meanwhile, for this job and those beside it.</summary>
    public TranslatorUsage Translator { get; init; } = new();
}

/// <summary>Counters of the translator.</summary>
public sealed record TranslatorUsage
{
    public long Blocks { get; init; }

    /// <summary>Bytes of host code.</summary>
    public long Bytes { get; init; }

    /// <summary>Ways out of blocks that found their target translated.</summary>
    public long Hits { get; init; }

    /// <summary>Jumps made to go from block to block directly.</summary>
    public long ChainedJumps { get; init; }

    /// <summary>Instructions that the interpreter ran.</summary>
    public long Interpreted { get; init; }

    /// <summary>How often the code cache was emptied.</summary>
    public long Evictions { get; init; }
}

/// <summary>One system call's share of a job. Times are nanoseconds of world time.</summary>
public sealed record CallUsage
{
    /// <summary>The call's name, or "syscall_" and its number when the personality does not know it.</summary>
    public required string Name { get; init; }

    public ulong Count { get; init; }

    /// <summary>Calls that returned an error.</summary>
    public ulong Errors { get; init; }

    public long TotalTime { get; init; }

    public long LongestTime { get; init; }

    /// <summary>True for calls Vivarium does not have: the guest got ENOSYS.</summary>
    public bool IsUnimplemented { get; init; }
}

/// <summary>Something that a job's programs asked their system for and Vivarium does not have.</summary>
/// <param name="OperatingSystem">The programs' system, as in "freebsd".</param>
/// <param name="Architecture">The programs' processor, as in "x64".</param>
/// <param name="Name">A call's name, "syscall_" and its number when the system's table does not know it, or what a call asked for: "sysctl kern.geom".</param>
public sealed record MissingUsage(string OperatingSystem, string Architecture, string Name, long Count);

/// <summary>The end of a job.</summary>
public sealed record JobResult
{
    public required JobEnd End { get; init; }

    /// <summary>The exit code when <see cref="JobEnd.Exited"/>, the signal number when <see cref="JobEnd.Killed"/>.</summary>
    public int Code { get; init; }

    public JobFailure Failure { get; init; }

    /// <summary>One line for people when the program did not simply exit.</summary>
    public string? Message { get; init; }

    public JobUsage Usage { get; init; } = new();

    public static JobResult NotStarted(JobFailure failure, string message) =>
        new() { End = JobEnd.NotStarted, Failure = failure, Message = message };

    /// <summary>The exit code of a command that ran this job: the shells' convention, with timeout(1)'s 124 and 125 for failures of ours.</summary>
    public int ExitCode => End switch
    {
        JobEnd.Exited => Code,
        JobEnd.Killed => 128 + Code,
        JobEnd.TimedOut => 124,
        JobEnd.Cancelled => 128 + 15,
        JobEnd.NotStarted => Failure switch
        {
            JobFailure.NotFound => 127,
            JobFailure.NotExecutable => 126,
            _ => 125,
        },
        _ => 125,
    };
}
