namespace Vivarium.Emulator.Kernel.Files.Overlay;

/// <summary>Changes of names in an overlay's layers, which keep what the layers' file systems have cached true.</summary>
internal static class LayerNames
{
    public const string Opaque = "trusted.overlay.opaque";
    public const string Redirect = "trusted.overlay.redirect";

    /// <summary>A device 0:0 hides the name from the layers below.</summary>
    public static bool IsWhiteout(Inode inode) => inode.Kind == FileKind.CharacterDevice && inode.Status.RawDevice == 0;

    /// <summary>Nothing below shows through the directory.</summary>
    public static bool IsOpaque(Inode directory) => Get(directory, Opaque) is [(byte)'y'];

    public static byte[]? Get(Inode inode, string attribute) =>
        inode.GetAttribute(System.Text.Encoding.ASCII.GetBytes(attribute), out byte[]? value) == Errno.None ? value : null;

    public static Errno Set(Inode inode, string attribute, ReadOnlySpan<byte> value) =>
        inode.SetAttribute(System.Text.Encoding.ASCII.GetBytes(attribute), value, create: false, replace: false);

    /// <summary>The child of a name, also a whiteout; null when there is none.</summary>
    public static Dentry? Find(Dentry directory, ReadOnlySpan<byte> name) =>
        directory.IsDirectory && directory.Find(name, out Dentry child) == Errno.None ? child : null;

    /// <summary>Makes a node under a name that is free.</summary>
    public static Errno Make(Dentry directory, ReadOnlySpan<byte> name, in NodeSpec spec, out Dentry made)
    {
        Errno error = directory.Find(name, out made);
        if (error != Errno.ENOENT)
            return error == Errno.None ? Errno.EEXIST : error;
        error = directory.Inode!.Make(name, spec, out Inode? inode);
        if (error == Errno.None)
            made.Inode = inode;
        return error;
    }

    public static Errno Link(Dentry directory, ReadOnlySpan<byte> name, Inode target, out Dentry made)
    {
        Errno error = directory.Find(name, out made);
        if (error != Errno.ENOENT)
            return error == Errno.None ? Errno.EEXIST : error;
        error = directory.Inode!.Link(name, target);
        if (error == Errno.None)
            made.Inode = target;
        return error;
    }

    /// <summary>Removes a name of any kind; of a directory only whiteouts may be left, which go first.</summary>
    public static Errno Remove(Dentry directory, Dentry child)
    {
        Errno error;
        if (child.IsDirectory)
        {
            RemoveWhiteouts(child);
            error = directory.Inode!.RemoveDirectory(child.Name, child.Inode!);
        }
        else
        {
            error = directory.Inode!.Unlink(child.Name, child.Inode!);
        }
        if (error == Errno.None)
            child.Remove();
        return error;
    }

    public static Errno Rename(Dentry from, Dentry child, Dentry to, ReadOnlySpan<byte> newName)
    {
        Errno error = to.Find(newName, out Dentry target);
        if (error is not (Errno.None or Errno.ENOENT))
            return error;
        error = from.Inode!.Rename(child.Name, child.Inode!, to.Inode!, newName, target.Inode, exchange: false);
        if (error != Errno.None)
            return error;
        target.Remove();
        child.Move(to, newName.ToArray());
        return Errno.None;
    }

    public static Errno Exchange(Dentry from, Dentry child, Dentry to, Dentry other)
    {
        Errno error = from.Inode!.Rename(child.Name, child.Inode!, to.Inode!, other.Name, other.Inode, exchange: true);
        if (error == Errno.None)
            Dentry.Exchange(child, other);
        return error;
    }

    public static Errno MakeWhiteout(Dentry directory, ReadOnlySpan<byte> name) =>
        Make(directory, name, new NodeSpec(FileKind.CharacterDevice, 0, 0, 0), out _);

    private static void RemoveWhiteouts(Dentry directory)
    {
        NameList names = new();
        directory.Inode!.List(null, 0, names);
        foreach (byte[] name in names.Names)
        {
            if (Find(directory, name) is { } child && IsWhiteout(child.Inode!))
                Remove(directory, child);
        }
    }
}

/// <summary>Collects the names of a directory.</summary>
internal sealed class NameList : IDirectorySink
{
    public List<byte[]> Names { get; } = [];

    public bool Add(ReadOnlySpan<byte> name, ulong inode, FileKind kind, ulong next)
    {
        Names.Add(name.ToArray());
        return true;
    }
}
