using System.Formats.Tar;

namespace Vivarium.Nodes.Images;

/// <summary>An image as it is kept: one tar archive in the form of <see cref="TarOutput"/>, named by its hash.</summary>
internal sealed record BuiltImage(string Hash, long Length, Stream Archive, IReadOnlyList<string> Notes);

/// <summary>Makes images out of what people have: a folder, a tar archive, an OCI layout, what docker save writes.</summary>
internal static class ImageBuilder
{
    /// <summary>Makes an image of a folder or a file of this machine, whose owner asks for it.</summary>
    /// <exception cref="ImageException">It cannot be one.</exception>
    public static BuiltImage FromPath(string path, ArchiveStore store, ImageLimits limits, Action<long>? progress = null)
    {
        if (!Directory.Exists(path))
            return FromArchive(File.OpenRead(path), store, limits, progress);
        var tree = new ImageTree(limits);
        if (ContainerImage.OpenLayers(new FolderSource(path)) is { } layers && File.Exists(Path.Combine(path, "oci-layout")))
            AddLayers(tree, layers, store);
        else
            tree.Add(PackFolder(path, store), 0, hasWhiteouts: false);
        return Finish(tree, store, progress);
    }

    /// <summary>Makes an image of an archive from anywhere. The stream must be seekable; the store closes it.</summary>
    public static BuiltImage FromArchive(Stream archive, ArchiveStore store, ImageLimits limits, Action<long>? progress = null)
    {
        Stream plain = store.Unpack(archive);
        var source = new ArchiveSource(plain);
        var tree = new ImageTree(limits);
        if (ContainerImage.OpenLayers(source) is { } layers)
            AddLayers(tree, layers, store);
        else
            tree.Add(plain, 0, hasWhiteouts: false);
        if (!tree.Entries.Any())
            throw new ImageException("the archive is empty");
        return Finish(tree, store, progress);
    }

    private static void AddLayers(ImageTree tree, IReadOnlyList<Stream> layers, ArchiveStore store)
    {
        for (int i = 0; i < layers.Count; i++)
            tree.Add(store.Unpack(layers[i]), i, hasWhiteouts: true);
    }

    private static BuiltImage Finish(ImageTree tree, ArchiveStore store, Action<long>? progress)
    {
        FileStream archive = store.NewFile();
        var output = new TarOutput(archive);
        string hash = output.Write(tree, progress);
        archive.Position = 0;
        return new BuiltImage(hash, output.Length, archive, tree.Notes);
    }

    /// <summary>A folder as a tar archive; owners, modes, times and links are those of its files.</summary>
    private static FileStream PackFolder(string folder, ArchiveStore store)
    {
        FileStream archive = store.NewFile();
        using (var writer = new TarWriter(archive, TarEntryFormat.Pax, leaveOpen: true))
        {
            try
            {
                Pack(writer, new DirectoryInfo(folder), "");
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                throw new ImageException($"cannot read {folder}: {failure.Message}");
            }
        }
        archive.Position = 0;
        return archive;
    }

    private static void Pack(TarWriter writer, DirectoryInfo folder, string prefix)
    {
        foreach (FileSystemInfo entry in folder.EnumerateFileSystemInfos().OrderBy(static entry => entry.Name, StringComparer.Ordinal))
        {
            string name = prefix + entry.Name;
            writer.WriteEntry(entry.FullName, name);
            if (entry is DirectoryInfo { LinkTarget: null } below)
                Pack(writer, below, name + "/");
        }
    }
}
