namespace Vivarium.Emulator.Kernel;

/// <summary>What a process's use of is limited (getrlimit(2)), in the order of <see cref="Process.Limits"/>.</summary>
public enum Resource : byte
{
    /// <summary>Seconds of processor time: SIGXCPU at the soft limit and every second after it, SIGKILL at the hard one.</summary>
    ProcessorTime,

    /// <summary>Bytes of a file that is written: SIGXFSZ and EFBIG beyond.</summary>
    FileSize,

    /// <summary>Bytes of private writable memory, the heap among it.</summary>
    Data,

    /// <summary>Bytes that the first thread's stack may grow to.</summary>
    Stack,
    CoreSize,
    ResidentSize,

    /// <summary>Threads of the user.</summary>
    Processes,

    /// <summary>One more than the highest descriptor.</summary>
    OpenFiles,

    /// <summary>Bytes of locked memory.</summary>
    LockedMemory,

    /// <summary>Bytes of address space.</summary>
    AddressSpace,
    FileLocks,

    /// <summary>Queued signals of the user.</summary>
    PendingSignals,

    /// <summary>Bytes of the user's POSIX message queues.</summary>
    MessageQueues,

    /// <summary>20 less the lowest nice value.</summary>
    Nice,

    /// <summary>The highest real-time priority.</summary>
    RealTimePriority,

    /// <summary>Microseconds of processor time under a real-time policy without a blocking call.</summary>
    RealTimeTime,
}
