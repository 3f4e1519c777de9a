using System.Collections.ObjectModel;

namespace Vivarium.Messages;

/// <summary>What executes guest instructions.</summary>
public enum EngineKind
{
    /// <summary>Guest code translated to host code; on hosts that it does not know, the interpreter.</summary>
    Translator,

    /// <summary>Micro-ops executed one by one.</summary>
    Interpreter,
}

/// <summary>Where a world's time comes from.</summary>
public enum ClockKind
{
    /// <summary>The host's clocks.</summary>
    Real,

    /// <summary>A clock of the world's own that jumps over idle time.</summary>
    Virtual,
}

/// <summary>A host path shown inside the guest's tree.</summary>
/// <param name="Source">The host's path.</param>
/// <param name="Target">The absolute path the guest sees it at.</param>
/// <param name="Writable">True when the guest's writes go to the host; false shows it read-only.</param>
public sealed record BindMount(string Source, string Target, bool Writable);

/// <summary>A file that a job brings: put into the guest's tree before its program starts, owned by its user.</summary>
/// <param name="Path">Absolute; folders on the way are made.</param>
/// <param name="Mode">Permission bits.</param>
public sealed record GuestFile(string Path, byte[] Content, uint Mode)
{
    /// <summary>0644.</summary>
    public const uint DefaultMode = 0x1A4;
}

/// <summary>The user a program runs as, in numbers: names belong to the guest's own /etc/passwd.</summary>
public readonly record struct UserIdentity(uint User, uint Group);

/// <summary>How far a job's network reaches.</summary>
public enum NetworkReach
{
    /// <summary>Loopback only.</summary>
    None,

    /// <summary>Other worlds that are joined to the same switch.</summary>
    Virtual,

    /// <summary>Also what this machine reaches: connections go out from here.</summary>
    Host,
}

/// <summary>A port of this machine's loopback address that leads to one of the guest.</summary>
public sealed record PublishedPort(int Host, int Guest);

/// <summary>A job's network.</summary>
public sealed record NetworkSettings
{
    public const string DefaultSwitch = "default";

    public NetworkReach Reach { get; init; }

    /// <summary>The switch that the world is joined to.</summary>
    public string Switch { get; init; } = DefaultSwitch;

    /// <summary>The world's address on the switch, as in 10.1.0.5/24; null = the switch gives it one.</summary>
    public string? Address { get; init; }

    public IReadOnlyList<PublishedPort> Published { get; init; } = [];
}

/// <summary>What a job may use.</summary>
public sealed record JobLimits
{
    /// <summary>Memory a default job may commit.</summary>
    public const ulong DefaultMemory = 4UL << 30;

    /// <summary>Bytes of memory and in-memory files; an allocation past it fails with ENOMEM or ENOSPC.</summary>
    public ulong Memory { get; init; } = DefaultMemory;

    /// <summary>Nodes that its memory lies in (numa(7)), at most <see cref="MostMemoryNodes"/>.</summary>
    public int MemoryNodes { get; init; } = 1;

    public const int MostMemoryNodes = 64;

    /// <summary>Real time after which the job is killed; null = never.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Bytes of output a cluster keeps unless told otherwise.</summary>
    public const long DefaultOutput = 64L << 20;

    /// <summary>Bytes of output, both streams together, that the cluster keeps; the rest is dropped, and the job's output says so.</summary>
    public long Output { get; init; } = DefaultOutput;
}

/// <summary>What a node must have to run a job. Everything left out is met by any node.</summary>
public sealed record JobRequirements
{
    public static JobRequirements None { get; } = new();

    /// <summary>The operating system that the program is for, as in "freebsd", whatever mark it bears; null = its mark says.</summary>
    public string? OperatingSystem { get; init; }

    /// <summary>The processor that the program is for, as in "x64" or "arm64"; null = its header says.</summary>
    public string? Architecture { get; init; }

    /// <summary>Labels that the node must carry with these values.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>True when the program may be for it.</summary>
    public bool Allows(Platform platform) =>
        (OperatingSystem is null || OperatingSystem == platform.OperatingSystem) && (Architecture is null || Architecture == platform.Architecture);

    /// <summary>The programs it asks for in words, behind others: "freebsd/arm64", "netbsd", "riscv64"; nothing when it asks for none.</summary>
    public string Programs(string before) => (OperatingSystem, Architecture) switch
    {
        (null, null) => "",
        (null, _) => before + Architecture,
        (_, null) => before + OperatingSystem,
        _ => before + new Platform(OperatingSystem, Architecture),
    };
}

/// <summary>What is recorded of a job's calls.</summary>
public enum TraceLevel
{
    /// <summary>A record of each, the latest kept; a few hundred spans that add up to all of them.</summary>
    Folded,

    /// <summary>The same, with every record kept and the first bytes of buffers.</summary>
    Full,

    Off,
}

/// <summary>What is told about a job beyond its result.</summary>
public sealed record TraceSettings
{
    public TraceLevel Level { get; init; }

    /// <summary>The submitter's <c>traceparent</c> (W3C Trace Context); null = the job begins a trace. Guests find their own in TRACEPARENT.</summary>
    public string? Parent { get; init; }

    /// <summary>Every call is written as it finishes, decoded as strace does.</summary>
    public bool Listing { get; init; }

    /// <summary>Calls are counted and timed by name, whether or not they are listed.</summary>
    public bool Counts { get; init; }

    /// <summary>True when the world must write call records at all.</summary>
    public bool Any => Level != TraceLevel.Off || Counts;
}

/// <summary>
/// A job: one program with all it needs to run. Arguments and environment are bytes, as Unix has them, and survive unchanged
/// whatever their encoding.
/// </summary>
public sealed record JobSpec
{
    /// <summary>The program as the user named it: a path in the guest's tree, or a name looked up along the job's PATH.</summary>
    public required byte[] Program { get; init; }

    /// <summary>argv, the program's name first.</summary>
    public required IReadOnlyList<byte[]> Arguments { get; init; }

    /// <summary>The environment as NAME=VALUE.</summary>
    public IReadOnlyList<byte[]> Environment { get; init; } = [];

    /// <summary>Working directory inside the guest.</summary>
    public string WorkingDirectory { get; init; } = "/";

    /// <summary>True: a missing working directory fails the job. False: "/" takes its place.</summary>
    public bool IsWorkingDirectoryRequired { get; init; }

    public UserIdentity User { get; init; }

    /// <summary>Supplementary groups.</summary>
    public IReadOnlyList<uint> Groups { get; init; } = [];

    /// <summary>Directory or tar archive whose content is the guest's "/"; null = the host's own tree, never written.</summary>
    public string? RootFilesystem { get; init; }

    public IReadOnlyList<BindMount> Binds { get; init; } = [];

    /// <summary>What a submitted job's program reads on standard input.</summary>
    public byte[] Input { get; init; } = [];

    public IReadOnlyList<GuestFile> Files { get; init; } = [];

    public NetworkSettings Network { get; init; } = new();

    public JobLimits Limits { get; init; } = new();

    public EngineKind Engine { get; init; }

    public ClockKind Clock { get; init; }

    /// <summary>Fixes scheduling, randomness and (virtual) time; null lets the node choose one.</summary>
    public ulong? Seed { get; init; }

    public TraceSettings Tracing { get; init; } = new();

    /// <summary>What goes wrong with its calls on purpose.</summary>
    public IReadOnlyList<CallFault> Faults { get; init; } = [];

    /// <summary>A name for people; jobs may share one.</summary>
    public string? Name { get; init; }

    /// <summary>What its submitter wants to find it by.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>How often an attempt that failed is followed by another. Attempts lost with their node do not count.</summary>
    public int Retries { get; init; }

    public JobRequirements Requirements { get; init; } = JobRequirements.None;

    /// <summary>The content hash of an image that the cluster keeps, whose tree is the guest's "/"; null = <see cref="RootFilesystem"/> says.</summary>
    public string? Image { get; init; }

    /// <summary>What runs the job: <see cref="EmulatedBackend"/>, or another that nodes advertise.</summary>
    public string Backend { get; init; } = EmulatedBackend;

    public const string EmulatedBackend = "emulated";
}
