namespace Vivarium.Messages;

/// <summary>What a program is for: an operating system and a processor, as in "freebsd" and "x64".</summary>
public readonly record struct Platform(string OperatingSystem, string Architecture) : IComparable<Platform>
{
    private static readonly Dictionary<string, string> OtherNames = new(StringComparer.Ordinal)
    {
        ["x86_64"] = "x64",
        ["x86-64"] = "x64",
        ["amd64"] = "x64",
        ["aarch64"] = "arm64",
        ["riscv"] = "riscv64",
    };

    /// <summary>The one name of a processor that people and systems call by several: "amd64" and "x86_64" are "x64".</summary>
    public static string Processor(string name)
    {
        string lower = name.ToLowerInvariant();
        return OtherNames.GetValueOrDefault(lower, lower);
    }

    /// <summary>Several in a few words: "freebsd/x64, linux/riscv64".</summary>
    public static string List(IEnumerable<Platform> platforms) => string.Join(", ", platforms.Distinct().Order());

    public int CompareTo(Platform other)
    {
        int order = string.CompareOrdinal(OperatingSystem, other.OperatingSystem);
        return order != 0 ? order : string.CompareOrdinal(Architecture, other.Architecture);
    }

    public override string ToString() => $"{OperatingSystem}/{Architecture}";
}
