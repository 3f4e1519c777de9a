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

    /// <summary>What runs jobs there; of the emulator also each system and processor that it runs programs of (<see cref="Emulated"/>).</summary>
    public IReadOnlyList<string> Backends { get; init; } = [JobSpec.EmulatedBackend];

    /// <summary>The name under which a node advertises that it emulates a system on a processor.</summary>
    public static string Emulated(Platform platform) => $"{EmulatedPrefix}{platform.OperatingSystem}-{platform.Architecture}";

    /// <summary>What its emulator runs programs of; a node that says nothing of it (of an older version) its own.</summary>
    public IReadOnlyList<Platform> Platforms
    {
        get
        {
            Platform[] emulated = [.. Backends.Where(static name => name.StartsWith(EmulatedPrefix, StringComparison.Ordinal)).Select(ToPlatform).OfType<Platform>().Order()];
            return emulated.Length > 0 ? emulated : Backends.Contains(JobSpec.EmulatedBackend) ? [Own] : [];
        }
    }

    private Platform Own => new(OperatingSystem, Architecture);

    private static Platform? ToPlatform(string backend) =>
        backend[EmulatedPrefix.Length..].Split('-') is [{ Length: > 0 } system, { Length: > 0 } processor] ? new Platform(system, processor) : null;

    public IReadOnlyDictionary<string, string> Labels { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>Jobs it runs at once, at most. Its share of the cluster's shards follows from it.</summary>
    public int Capacity { get; init; } = 1;

    /// <summary>The version of its program.</summary>
    public string Version { get; init; } = "";

    /// <summary>True when the node may run the job.</summary>
    public bool Meets(JobSpec spec) => Meets(spec.Backend, spec.Requirements);

    public bool Meets(string backend, JobRequirements wanted) =>
        Backends.Contains(backend) && (ReferenceEquals(wanted, JobRequirements.None) || Runs(backend, wanted) && Lacks(wanted) is null);

    /// <summary>Its processor and system are what the job's program is for: the machine's own, or what is emulated.</summary>
    private bool Runs(string backend, JobRequirements wanted)
    {
        if (wanted.OperatingSystem is null && wanted.Architecture is null)
            return true;
        foreach (Platform platform in backend == JobSpec.EmulatedBackend ? Platforms : [Own])
        {
            if (wanted.Allows(platform))
                return true;
        }
        return false;
    }

    private string? Lacks(JobRequirements wanted)
    {
        foreach ((string name, string value) in wanted.Labels)
        {
            if (!Labels.TryGetValue(name, out string? own) || own != value)
                return $"{name}={value}";
        }
        return null;
    }

    /// <summary>Why none of some nodes runs a job, in one line; null when one does.</summary>
    /// <param name="nodes">Those that are alive and take jobs.</param>
    public static string? WhyNone(IReadOnlyCollection<NodeDescription> nodes, string backend, JobRequirements wanted)
    {
        if (nodes.Any(node => node.Meets(backend, wanted)))
            return null;
        if (nodes.Count == 0)
            return "no node takes jobs at present";
        NodeDescription[] fit = [.. nodes.Where(node => node.Backends.Contains(backend))];
        if (fit.Length == 0)
            return $"no node has the backend {backend}";
        NodeDescription[] able = [.. fit.Where(node => node.Runs(backend, wanted))];
        if (able.Length > 0)
            return $"no node{wanted.Programs(" that runs ")} has the label {able[0].Lacks(wanted)}";
        IEnumerable<Platform> known = fit.SelectMany(node => backend == JobSpec.EmulatedBackend ? node.Platforms : [node.Own]);
        return $"no node runs {wanted.Programs("")} (there are: {Platform.List(known)})";
    }

    private const string EmulatedPrefix = JobSpec.EmulatedBackend + "-";
}

/// <summary>What a node tells of itself with each renewal of its lease.</summary>
public readonly record struct NodeLoad(int Running, bool IsDraining);
