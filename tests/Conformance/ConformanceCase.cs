using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace Vivarium.Conformance;

/// <summary>One file of cases.</summary>
public sealed class CaseFile
{
    /// <summary>The words a case's <c>script</c> is appended to, unless the case has its own.</summary>
    public List<string> Shell { get; set; } = ["/bin/sh", "-c"];

    /// <summary>What Vivarium runs all of the file's cases for once more, as <see cref="ConformanceCase.Architecture"/>.</summary>
    public List<string> Architectures { get; set; } = [];

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

    /// <summary>The C library of a static <see cref="Guest"/>: glibc or musl.</summary>
    public string Library { get; set; } = "glibc";

    /// <summary>A package of tests/Guests/go, with arguments after it.</summary>
    public string? Go { get; set; }

    /// <summary>A project of tests/Guests/dotnet, with arguments after it.</summary>
    public string? Dotnet { get; set; }

    /// <summary>The system that the program is built for when it runs in Vivarium, as GOOS has it; natively it is always Linux. Scripts find it in SYSTEM.</summary>
    public string System { get; set; } = "linux";

    /// <summary>What Vivarium's <see cref="Guest"/>, <see cref="Go"/> program or shell is built for, as GOARCH has it (riscv64, arm64); natively it is the host's.</summary>
    public string Architecture { get; set; } = "";

    /// <summary>The tree that is / in Vivarium, by its path or by the architecture whose Debian it is; its working directory is / then.</summary>
    public string? Rootfs { get; set; }

    /// <summary>Options of <c>viv run</c>; the native run has no such thing.</summary>
    public List<string> Options { get; set; } = [];

    /// <summary>Seconds a run may take.</summary>
    public int Patience { get; set; } = 120;

    public string Input { get; set; } = "";

    /// <summary>Files of the scratch directory the program starts in.</summary>
    public Dictionary<string, string> Files { get; set; } = [];

    /// <summary>False when the outcome depends on the schedule, so that only the replay test runs it.</summary>
    public bool Native { get; set; } = true;

    /// <summary>False for what runs long: it is not listed twice and compared.</summary>
    public bool Replays { get; set; } = true;

    public override string ToString() => Name;

    /// <summary>What the host runs.</summary>
    public List<string> NativeCommandLine(CaseFile file) => CommandLine(file, "linux", "");

    /// <summary>Options and command line of <c>viv run</c>.</summary>
    public List<string> Run(CaseFile file)
    {
        List<string> commandLine = CommandLine(file, System, Architecture);
        if (Rootfs is null)
            return [.. Options, "--", .. commandLine];
        string tree = Rootfs[0] == '/' ? Rootfs : Repository.Debian(Rootfs);
        // A guest of ours is not in the tree.
        string[] program = Guest is null ? [] : ["--bind", $"{commandLine[0]}:{commandLine[0]}"];
        return [.. Options, "--rootfs", tree, "--cwd", "/", .. program, "--", .. commandLine];
    }

    private List<string> CommandLine(CaseFile file, string system, string architecture)
    {
        if ((Guest ?? Go ?? Dotnet) is { } guest)
        {
            string[] words = guest.Split(' ');
            List<string> start = Guest is not null ? [Repository.Guest(words[0], Dynamic ? "dynamic" : Library, architecture)]
                : Go is not null ? [Repository.GoGuest(words[0], system, architecture)]
                : ["dotnet", Repository.DotnetGuest(words[0])];
            return [.. start, .. words[1..]];
        }
        if (Program is not null)
            return Program;
        List<string> shell = Shell ?? file.Shell;
        // In a tree of its own the shell is where it always is.
        string folder = Rootfs is null ? Repository.Debian(architecture) : "";
        return [folder + shell[0], .. shell[1..], Script ?? throw new InvalidOperationException($"case {Name} runs nothing")];
    }

    private ConformanceCase On(string architecture)
    {
        var other = (ConformanceCase)MemberwiseClone();
        other.Architecture = architecture;
        return other;
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
            {
                string name = $"{Path.GetFileNameWithoutExtension(path)}: {item.Name}";
                cases.Add(name, (file, item));
                foreach (string architecture in file.Architectures)
                    cases.Add($"{name} on {architecture}", (file, item.On(architecture)));
            }
        }
        return cases;
    }
}
