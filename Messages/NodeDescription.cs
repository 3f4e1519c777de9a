using System.Collections.ObjectModel;

namespace Vivarium.Messages;

/// <summary>What a node tells the cluster about itself.</summary>
public sealed record NodeDescription
{
    /// <summary>Unique in the cluster.</summary>
    public required string Name { get; init; }

    /// <summary>Where its peers reach it, as in https://10.0.0.5:7402; null for a node that has no peers.</summary>
    public string? PeerAddress { get; init; }

    /// <summary>Where its HTTP API is; null when it has none.</summary>
    public string? ApiAddress { get; init; }

    public string OperatingSystem { get; init; } = "linux";

    public string Architecture { get; init; } = "x64";

    public int Cores { get; init; } = 1;

    /// <summary>Bytes.</summary>
    public long Memory { get; init; }

    public IReadOnlyList<string> Engines { get; init; } = [];

    /// <summary>What runs jobs there; of the emulator also the systems that it runs besides the node's own (<see cref="Emulated"/>).</summary>
    public IReadOnlyList<string> Backends { get; init; } = [JobSpec.EmulatedBackend];

    /// <summary>The name under which a node advertises that it emulates a system, as in "linux" and "riscv64".</summary>
    public static string Emulated(string system, string architecture) => $"{JobSpec.EmulatedBackend}-{system}-{architecture}";

    public IReadOnlyDictionary<string, string> Labels { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Jobs it runs at once, at most. Its share of the cluster's shards follows from it.</summary>
    public int Capacity { get; init; } = 1;

    /// <summary>The version of its program.</summary>
    public string Version { get; init; } = "";

    /// <summary>True when the node may run the job.</summary>
    public bool Meets(JobSpec spec)
    {
        JobRequirements wanted = spec.Requirements;
        if (!Backends.Contains(spec.Backend))
            return false;
        if (ReferenceEquals(wanted, JobRequirements.None))
            return true;
        bool isOwn = (wanted.OperatingSystem is null || wanted.OperatingSystem == OperatingSystem) && (wanted.Architecture is null || wanted.Architecture == Architecture);
        bool isEmulated = spec.Backend == JobSpec.EmulatedBackend && Backends.Contains(Emulated(wanted.OperatingSystem ?? "linux", wanted.Architecture ?? "x64"));
        return (isOwn || isEmulated)
            && wanted.Labels.All(label => Labels.TryGetValue(label.Key, out string? value) && value == label.Value);
    }
}

/// <summary>What a node tells of itself with each renewal of its lease.</summary>
public readonly record struct NodeLoad(int Running, bool IsDraining);
