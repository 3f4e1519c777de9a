using System.ComponentModel;
using Vivarium.Messages;

namespace Vivarium.Nodes.Http.Contract;

/// <summary>A job to run, as the API takes it and tells it. What is left out has the default of <c>viv run</c>.</summary>
internal sealed record JobRequest
{
    [Description("The program, a path or a name looked up along PATH, and its arguments.")]
    public required IReadOnlyList<ByteText> Command { get; init; }

    [Description("The environment, each as NAME=VALUE.")]
    public IReadOnlyList<ByteText>? Environment { get; init; }

    [Description("Working directory in the guest; given, it must be there.")]
    public string? WorkingDirectory { get; init; }

    public uint? User { get; init; }

    public uint? Group { get; init; }

    [Description("Supplementary groups.")]
    public IReadOnlyList<uint>? Groups { get; init; }

    [Description("The hash or name of an image whose tree is the guest's /.")]
    public string? Image { get; init; }

    [Description("A directory or tar archive of the node's machine that is the guest's /, where the node allows it.")]
    public string? Rootfs { get; init; }

    [Description("Paths of the node's machine shown in the guest, where the node allows it.")]
    public IReadOnlyList<BindRequest>? Binds { get; init; }

    [Description("Standard input. Without it the program reads an end of file.")]
    public ByteText? Input { get; init; }

    [Description("Files put into the guest's tree before it starts.")]
    public IReadOnlyList<FileRequest>? Files { get; init; }

    public NetworkRequest? Network { get; init; }

    [Description("Bytes of memory and in-memory files.")]
    public ulong? Memory { get; init; }

    [Description("Nodes that the memory lies in, as on machines with non-uniform access to it. Default: 1.")]
    public int? MemoryNodes { get; init; }

    [Description("Seconds of real time after which an attempt is stopped.")]
    public double? TimeoutSeconds { get; init; }

    [Description("Bytes of output to keep.")]
    public long? Output { get; init; }

    public EngineKind? Engine { get; init; }

    public ClockKind? Clock { get; init; }

    [Description("Fixes scheduling and randomness.")]
    public ulong? Seed { get; init; }

    [Description("What goes wrong with its calls on purpose, each as CALL[@N|%P]=TIME|ERROR: fsync@57=50ms, write%2=ENOSPC.")]
    public IReadOnlyList<string>? Faults { get; init; }

    [Description("What runs it: emulated, or native where nodes allow it.")]
    public string? Backend { get; init; }

    [Description("Whether system calls are counted, listed (into the log's error stream) and exported as spans.")]
    public TracingRequest? Tracing { get; init; }

    [Description("A name for people.")]
    public string? Name { get; init; }

    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    [Description("How often a failed attempt is followed by another.")]
    public int? Retries { get; init; }

    public RequirementsRequest? Requires { get; init; }
}

/// <summary>A path of the node's machine, shown in the guest.</summary>
internal sealed record BindRequest
{
    public required string Source { get; init; }

    public required string Target { get; init; }

    public bool Writable { get; init; }
}

/// <summary>A file put into the guest's tree.</summary>
internal sealed record FileRequest
{
    [Description("An absolute path; folders on the way are made.")]
    public required string Path { get; init; }

    public required ByteText Content { get; init; }

    [Description("Permission bits; 420 (0644 in octal) when left out.")]
    public uint? Mode { get; init; }
}

internal sealed record NetworkRequest
{
    public NetworkReach Reach { get; init; }

    public string? Switch { get; init; }

    [Description("The address on the switch, as in 10.1.0.5/24.")]
    public string? Address { get; init; }

    public IReadOnlyList<PortRequest>? Published { get; init; }
}

internal sealed record PortRequest
{
    public required int Host { get; init; }

    public required int Guest { get; init; }
}

internal sealed record TracingRequest
{
    public bool Counts { get; init; }

    public bool Listing { get; init; }

    /// <summary>What is recorded of calls; folded unless something else is asked for.</summary>
    public TraceLevel? Level { get; init; }

    /// <summary>The submitter's traceparent (W3C Trace Context).</summary>
    public string? Parent { get; init; }
}

internal sealed record RequirementsRequest
{
    [Description("The system that the program is for, whatever mark it bears: linux, freebsd, netbsd. Only nodes that run its programs get the job.")]
    public string? OperatingSystem { get; init; }

    [Description("The processor that the program is for: x64, arm64, riscv64.")]
    public string? Architecture { get; init; }

    public IReadOnlyDictionary<string, string>? Labels { get; init; }
}

/// <summary>A submission: one job, or many alike.</summary>
internal sealed record SubmitRequest
{
    public required JobRequest Job { get; init; }

    [Description("How many such jobs; 1 when left out.")]
    public int? Count { get; init; }
}

/// <summary>A signal for a job.</summary>
internal sealed record SignalRequest
{
    [Description("A number, or a name such as TERM or SIGTERM.")]
    public required string Signal { get; init; }

    [Description("The identifier of one process, from inspect; without it the job's first process gets the signal.")]
    public Guid? Process { get; init; }
}
