namespace Vivarium.Architecture;

/// <summary>The repository's files.</summary>
internal static class SourceTree
{
    public static string Root { get; } = FindRoot();

    /// <summary>Source files below a folder, without what builds leave, as paths relative to the repository.</summary>
    public static IEnumerable<string> Files(string folder, string pattern)
    {
        string start = Path.Combine(Root, folder);
        if (!Directory.Exists(start))
            return [];
        return Directory.EnumerateFiles(start, pattern, SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Root, file))
            .Where(file => !file.Split('/').Any(part => part is "bin" or "obj" or "out" or ".cache" or ".git"))
            .Order(StringComparer.Ordinal);
    }

    public static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Vivarium.slnx")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("the tests run outside the repository");
    }
}
