using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>What statfs(2) tells; sizes in blocks of <see cref="BlockSize"/>.</summary>
public record struct FileSystemStatus
{
    public uint Magic;
    public uint BlockSize;
    public ulong Blocks;
    public ulong FreeBlocks;
    public ulong AvailableBlocks;
    public ulong Files;
    public ulong FreeFiles;
    public ulong Id;
    public uint NameLength;
}

/// <summary>One file system instance: a tree of inodes with a root, mounted at one or more places.</summary>
public abstract class FileSystem
{
    private Dentry? _rootName;

    protected FileSystem(IClock clock) => Clock = clock;

    /// <summary>The name in /proc/mounts, e.g. "tmpfs".</summary>
    public abstract string TypeName { get; }

    public abstract Inode Root { get; }

    public abstract FileSystemStatus Status { get; }

    /// <summary>The file system as a whole refuses changes (EROFS), however it is mounted.</summary>
    public virtual bool IsReadOnly => false;

    /// <summary>Time of the world, for file times.</summary>
    public IClock Clock { get; }

    /// <summary>All watches of its inodes, the oldest first.</summary>
    public List<FileWatch> Watches { get; } = [];

    /// <summary>The cached names of this file system, shared by all its mounts.</summary>
    public Dentry RootName => _rootName ??= new Dentry(null, [], Root);
}
