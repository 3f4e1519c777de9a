using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files.Proc;

/// <summary>What /proc tells of a process or thread beyond its files and memory. Times are nanoseconds.</summary>
public sealed record ProcessInfo
{
    public int Id { get; init; }

    public int Parent { get; init; }

    /// <summary>The process that traces it; 0 for none.</summary>
    public int Tracer { get; init; }

    /// <summary>Its numbers in the reader's space of ids and those below it, down to its own; its process's, group's and session's.</summary>
    public IReadOnlyList<int> Numbers { get; init; } = [];

    public IReadOnlyList<int> ProcessNumbers { get; init; } = [];

    public IReadOnlyList<int> GroupNumbers { get; init; } = [];

    public IReadOnlyList<int> SessionNumbers { get; init; } = [];

    public int Group { get; init; }

    public int Session { get; init; }

    /// <summary>Device number of the controlling terminal, 0 for none.</summary>
    public ulong Terminal { get; init; }

    public int TerminalGroup { get; init; } = -1;

    /// <summary>The command name, at most 15 bytes.</summary>
    public byte[] Name { get; init; } = [];

    /// <summary>The letter of ps: R, S, D, T, t, Z.</summary>
    public char State { get; init; } = 'R';

    public int Nice { get; init; }

    public int Priority { get; init; } = 20;

    public long UserTime { get; init; }

    public long SystemTime { get; init; }

    /// <summary>Monotonic world time at which it began.</summary>
    public long StartTime { get; init; }

    /// <summary>Real, effective, saved and file-system ids.</summary>
    public (uint Real, uint Effective, uint Saved, uint FileSystem) User { get; init; }

    public (uint Real, uint Effective, uint Saved, uint FileSystem) GroupIds { get; init; }

    public uint[] Groups { get; init; } = [];

    public ulong PendingSignals { get; init; }

    public ulong SharedPendingSignals { get; init; }

    public ulong BlockedSignals { get; init; }

    public ulong IgnoredSignals { get; init; }

    public ulong CaughtSignals { get; init; }

    public ulong InheritableCapabilities { get; init; }

    /// <summary>The permitted ones.</summary>
    public ulong Capabilities { get; init; }

    public ulong EffectiveCapabilities { get; init; }

    public ulong BoundingCapabilities { get; init; }

    public ulong AmbientCapabilities { get; init; }

    /// <summary>personality(2), in its bits.</summary>
    public uint Persona { get; init; }

    public bool NoNewPrivileges { get; init; }

    public int ExitSignal { get; init; } = 17;

    public int ExitStatus { get; init; }

    public ulong StackStart { get; init; }

    public ulong BreakStart { get; init; }

    public ulong CodeStart { get; init; }

    public ulong CodeEnd { get; init; }

    public ulong DataStart { get; init; }

    public ulong DataEnd { get; init; }

    public ulong ArgumentStart { get; init; }

    public ulong ArgumentEnd { get; init; }

    public ulong EnvironmentStart { get; init; }

    public ulong EnvironmentEnd { get; init; }

    public int OutOfMemoryScoreAdjustment { get; init; }

    /// <summary>Soft and hard limits in the order of Linux's RLIMIT_ numbers; ulong.MaxValue is unlimited.</summary>
    public IReadOnlyList<(ulong Soft, ulong Hard)> Limits { get; init; } = [];
}

/// <summary>The processes of a world, as a /proc shows them. Ids are numbers of the space that it was mounted for, and come in ascending order.</summary>
public interface IProcessSource
{
    IReadOnlyList<int> ProcessIds { get; }

    /// <summary>Null when the process is gone.</summary>
    IProcessView? Find(int id);

    /// <summary>The number of a process or thread in the space; 0 when it has none.</summary>
    int NumberOf(int id) => id;

    /// <summary>The processes that another space of ids shows.</summary>
    IProcessSource In(PidSpace space) => this;

    /// <summary>The name spaces of who reads or writes now; null when nobody does.</summary>
    Namespaces? Current => null;
}

/// <summary>One process, looked at from /proc.</summary>
public interface IProcessView
{
    /// <summary>The process itself, for what its directory stands for; null when what is viewed is none.</summary>
    Process? Process { get; }

    ProcessInfo Info { get; }

    /// <summary>Ids of its threads, ascending.</summary>
    IReadOnlyList<int> ThreadIds { get; }

    ProcessInfo? Thread(int id);

    /// <summary>Null for a zombie.</summary>
    AddressSpace? Memory { get; }

    FileTable? Files { get; }

    FileContext? Context { get; }

    /// <summary>The name spaces it is in; null when it is gone.</summary>
    Namespaces? Namespaces { get; }

    /// <summary>Its space of ids.</summary>
    PidSpace Space { get; }

    /// <summary>Writes uid_map or gid_map of its user name space, for the thread whose turn it is.</summary>
    Errno SetUserMap(bool ofGroups, string text);

    /// <summary>Writes timens_offsets of the space its children enter.</summary>
    Errno SetTimeOffsets(string text);

    PathEntry? Executable { get; }

    /// <summary>May a thread look into it, as a tracer may?</summary>
    bool MayBeInspectedBy(GuestThread thread);

    /// <summary>The auxiliary vector's bytes.</summary>
    byte[] AuxiliaryVector { get; }

    void SetName(ReadOnlySpan<byte> name);

    void SetOutOfMemoryScoreAdjustment(int value);
}

/// <summary>Facts of the machine and the system that /proc tells.</summary>
public sealed record SystemInfo
{
    public string SystemName { get; init; } = "Linux";

    public string Release { get; init; } = "6.12.0";

    public string Version { get; init; } = "#1 SMP Vivarium";

    public string HostName { get; init; } = "vivarium";

    public int Processors { get; init; } = 1;

    /// <summary>Nodes that the memory lies in.</summary>
    public int MemoryNodes { get; init; } = 1;

    public ulong TotalMemory { get; init; } = 1UL << 32;

    /// <summary>Bytes in use, asked when needed.</summary>
    public Func<ulong> UsedMemory { get; init; } = static () => 0;

    public Func<int> RunningThreads { get; init; } = static () => 1;

    public Func<int> LastProcessId { get; init; } = static () => 1;

    /// <summary>What administrators set (/proc/sys).</summary>
    public KernelSettings Settings { get; init; } = new();
}
