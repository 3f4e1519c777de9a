namespace Vivarium.Emulator.Kernel.Files;

/// <summary>
/// Opens a special node: a device's driver, a FIFO's pipe. EAGAIN with the source to wait for added to the call: the open blocks.
/// </summary>
public delegate Errno NodeOpener(Inode inode, PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file);

/// <summary>What a file system is to be made of: who asks, what for (a device, often just a word), and the type's own options.</summary>
public readonly record struct FileSystemRequest(CallContext Call, string Source, IReadOnlyList<(string Key, string? Value)> Options)
{
    /// <summary>It is to be read only.</summary>
    public bool IsReadOnly { get; init; }
}

/// <summary>How a file system that is mounted is to be changed: who asks, new options, and whether it is only to be read from then on.</summary>
public readonly record struct FileSystemChange(CallContext Call, IReadOnlyList<(string Key, string? Value)> Options, bool IsReadOnly);

/// <summary>Makes a file system of some type.</summary>
public delegate Errno FileSystemMaker(in FileSystemRequest request, out FileSystem? made);

/// <summary>A type of file system that mount(2) can make; <paramref name="Accepts"/> knows its options by key and value.</summary>
public sealed record FileSystemType(string Name, FileSystemMaker Make, Func<string, string?, bool> Accepts)
{
    /// <summary>Takes new options for a file system that is mounted already; null when they change nothing.</summary>
    public Func<FileSystem, FileSystemChange, Errno>? Change { get; init; }
}

/// <summary>
/// The tree of a world: its mounts, and the operations on names with the checks and the order of errors that the manual pages of
/// the calls give. Cut by verb: opening, changing names, changing attributes, mounting.
/// </summary>
public sealed partial class Vfs
{
    private uint _nextDevice = 0x20;
    private int _nextMount = 20;
    private uint _lastCookie;

    public Vfs(FileSystem root, string source = "root")
    {
        RootMount = new Mount(this, _nextMount++, root, root.RootName, source);
        Root = new PathEntry(RootMount, RootMount.Root);
        Anonymous = new Mount(this, 0, root, root.RootName, "anon");
    }

    public Mount RootMount { get; }

    public PathEntry Root { get; }

    /// <summary>Character and block device drivers.</summary>
    public DeviceTable Devices { get; } = new();

    /// <summary>Files as block devices.</summary>
    public Devices.LoopDevices Loops { get; } = new();

    public SwapAreas Swaps { get; } = new();

    /// <summary>Opens FIFOs; set by whoever has pipes.</summary>
    public NodeOpener? FifoOpener { get; set; }

    /// <summary>File systems that mount(2) can make, by type name.</summary>
    public Dictionary<string, FileSystemType> FileSystemTypes { get; } = new(StringComparer.Ordinal);

    /// <summary>Holds regular files without a name (memfd_create).</summary>
    public FileSystem? UnnamedFiles { get; set; }

    /// <summary>Where objects without a name hang, so that a path entry can name them (/proc/self/fd/3 of a pipe).</summary>
    private Mount Anonymous { get; }

    /// <summary>A device number for a file system without a device (major 0), unique in the world.</summary>
    public ulong NewDevice() => DeviceNumber.Make(0, _nextDevice++);

    /// <summary>A path entry for an object without a name.</summary>
    public PathEntry Unnamed(Inode inode, byte[] description) => new(Anonymous, new Dentry(null, description, inode));

    /// <summary>Finds what a path names.</summary>
    public Errno Resolve(in FileCaller caller, PathEntry @base, ReadOnlySpan<byte> path, WalkFlags flags, out PathEntry? entry)
    {
        PathWalk walk = new(caller, @base, flags);
        Errno error = walk.Resolve(path);
        entry = error == Errno.None ? walk.Entry : null;
        return error;
    }

    /// <summary>Finds the inode that a path names, for calls that need no name.</summary>
    public Errno ResolveInode(in FileCaller caller, PathEntry @base, ReadOnlySpan<byte> path, WalkFlags flags, out Inode? inode)
    {
        PathWalk walk = new(caller, @base, flags);
        Errno error = walk.Resolve(path);
        inode = error == Errno.None ? walk.Dentry.Inode : null;
        return error;
    }
}
