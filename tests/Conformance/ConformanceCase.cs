using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace Vivarium.Conformance;

/// <summary>One file of cases.</summary>
public sealed class CaseFile
{
    /// <summary>The words a case's <c>script</c> is appended to, unless the case has its own.</summary>
    public List<string> Shell { get; set; } = ["/bin/sh", "-c"];

    public List<ConformanceCase> Cases { get; set; } = [];
}

/// <summary>One program run natively and in Vivarium; both must agree in standard output, standard error and exit code.</summary>
public sealed class ConformanceCase
{
    public string Name { get; set; } = "";

    public List<string>? Shell { get; set; }

    /// <summary>A script for the shell; or else <see cref="Program"/>, <see cref="Guest"/>, <see cref="Go"/> or <see cref="Dotnet"/>.</summary>
    public string? Script { get; set; }

    public List<string>? Program { get; set; }

    /// <summary>A source of tests/Guests, with arguments after it.</summary>
    public string? Guest { get; set; }

    public bool Dynamic { get; set; }

    /// <summary>A package of tests/Guests/go, with arguments after it.</summary>
    public string? Go { get; set; }

    /// <summary>A project of tests/Guests/dotnet, with arguments after it.</summary>
    public string? Dotnet { get; set; }

    /// <summary>The system that the program is built for when it runs in Vivarium, as GOOS has it; natively it is always Linux. Scripts find it in SYSTEM.</summary>
    public string System { get; set; } = "linux";

    /// <summary>What Vivarium's <see cref="Guest"/> or <see cref="Go"/> program is built for, as GOARCH has it (riscv64, arm64); natively it is the host's.</summary>
    public string Architecture { get; set; } = "";

    /// <summary>Options of <c>viv run</c>; the native run has no such thing.</summary>
    public List<string> Options { get; set; } = [];

    /// <summary>Seconds a run may take.</summary>
    public int Patience { get; set; } = 60;

    public string Input { get; set; } = "";

    /// <summary>Files of the scratch directory the program starts in.</summary>
    public Dictionary<string, string> Files { get; set; } = [];

    /// <summary>False when the outcome depends on the schedule, so that only the replay test runs it.</summary>
    public bool Native { get; set; } = true;

    /// <summary>False for what runs long: it is not listed twice and compared.</summary>
    public bool Replays { get; set; } = true;

    public override string ToString() => Name;

    /// <summary>What Vivarium runs.</summary>
    public List<string> CommandLine(CaseFile file) => CommandLine(file, System, Architecture);

    /// <summary>What the host runs.</summary>
    public List<string> NativeCommandLine(CaseFile file) => CommandLine(file, "linux", "");

    private List<string> CommandLine(CaseFile file, string system, string architecture)
    {
        if ((Guest ?? Go ?? Dotnet) is { } guest)
        {
            string[] words = guest.Split(' ');
            List<string> start = Guest is not null ? [Repository.Guest(words[0], !Dynamic, architecture)]
                : Go is not null ? [Repository.GoGuest(words[0], system, architecture)]
                : ["dotnet", Repository.DotnetGuest(words[0])];
            return [.. start, .. words[1..]];
        }
        return Program ?? [.. Shell ?? file.Shell, Script ?? throw new InvalidOperationException($"case {Name} runs nothing")];
    }

    /// <summary>All cases by name, in file order.</summary>
    public static IReadOnlyDictionary<string, (CaseFile File, ConformanceCase Case)> All { get; } = Load();

    private static Dictionary<string, (CaseFile File, ConformanceCase Case)> Load()
    {
        IDeserializer yaml = new DeserializerBuilder().WithNamingConvention(CamelCaseNamingConvention.Instance).Build();
        var cases = new Dictionary<string, (CaseFile, ConformanceCase)>();
        string folder = Path.Combine(Repository.Root, "tests", "Conformance", "Cases");
        foreach (string path in Directory.GetFiles(folder, "*.yaml").Order(StringComparer.Ordinal))
        {
            CaseFile file = yaml.Deserialize<CaseFile>(File.ReadAllText(path));
            foreach (ConformanceCase item in file.Cases)
                cases.Add($"{Path.GetFileNameWithoutExtension(path)}: {item.Name}", (file, item));
        }
        return cases;
    }
}
