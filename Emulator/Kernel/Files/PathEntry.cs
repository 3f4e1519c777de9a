namespace Vivarium.Emulator.Kernel.Files;

/// <summary>A name in the tree of mounts: what cwd, root and open directories hold.</summary>
public abstract class PathEntry
{
    public abstract Inode Inode { get; }

    /// <summary>The absolute path as bytes, seen from the world's root.</summary>
    public abstract byte[] FullPath();
}
