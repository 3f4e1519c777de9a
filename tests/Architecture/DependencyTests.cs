using System.Xml.Linq;
using Xunit;

namespace Vivarium.Architecture;

/// <summary>Who may know whom (docs/architecture.md). Transitive references are off, so a project sees what it names.</summary>
public sealed class DependencyTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Messages"] = [],
        ["Memory"] = [],
        ["Generators"] = [],
        ["Emulator"] = ["Memory", "Generators"],
        ["Translator"] = ["Memory", "Emulator"],
        ["Telemetry"] = ["Messages", "Emulator", "Memory"],
        ["Actors"] = ["Messages", "Emulator", "Memory", "Translator", "Telemetry"],
        ["Nodes"] = ["Messages", "Emulator", "Memory", "Telemetry", "Actors"],
    };

    /// <summary>Where the language's checks may be left: memory itself, the translator's code writer, and tests of them.</summary>
    private static readonly string[] MayBeUnsafe = ["Emulator/Memory/", "Emulator/Cpu/Translator/", "tests/"];

    public static TheoryData<string> Projects => [.. SourceTree.Files(".", "*.csproj").Where(file => !file.StartsWith("tests/", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_references_only_what_it_may(string project)
    {
        string name = Path.GetFileNameWithoutExtension(project);
        IEnumerable<string> references = XDocument.Parse(SourceTree.Read(project))
            .Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value));
        Assert.Empty(references.Except(Allowed[name]));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void Packages_have_their_version_in_one_place(string project)
    {
        IEnumerable<XElement> own = XDocument.Parse(SourceTree.Read(project))
            .Descendants("PackageReference")
            .Where(package => package.Attribute("Version") is not null || package.Attribute("VersionOverride") is not null);
        Assert.Empty(own);
    }

    [Fact]
    public void Unsafe_code_is_allowed_only_where_it_must_be()
    {
        string[] projects =
        [
            .. SourceTree.Files(".", "*.csproj").Concat(SourceTree.Files(".", "*.props"))
                .Where(file => SourceTree.Read(file).Contains("<AllowUnsafeBlocks>true", StringComparison.Ordinal))
                .Where(file => !MayBeUnsafe.Any(folder => file.StartsWith(folder, StringComparison.Ordinal))),
        ];
        Assert.Empty(projects);
    }

    [Fact]
    public void Every_package_has_its_reason_written_down()
    {
        string reasons = SourceTree.Read("docs/dependencies.md");
        IEnumerable<string> packages = XDocument.Parse(SourceTree.Read("Directory.Packages.props"))
            .Descendants("PackageVersion")
            .Select(package => package.Attribute("Include")!.Value);
        Assert.All(packages, package => Assert.Contains($"`{package}`", reasons));
    }
}
