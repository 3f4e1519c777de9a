using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Kernel.Files.HostTrees;

/// <summary>A directory of the host as a file system: numbers, owners, modes and times are the host's.</summary>
public sealed class HostFileSystem : FileSystem
{
    // Enough for a program and its libraries, which the next process will want again.
    private const int MostKept = 16;
    private readonly Queue<MemoryObject> _kept = new();

    // By inode number: a file with several names has a node for each.
    private readonly Dictionary<ulong, FileWatch[]> _watches = [];

    private HostFileSystem(IClock clock, HostTree tree, bool readOnly, in HostStatus root)
        : base(clock)
    {
        Tree = tree;
        IsReadOnly = readOnly;
        Root = HostInode.Create(this, [], Describe(root));
    }

    public override string TypeName => "host";

    public override bool HandlesKeepNames => true;

    public override Inode Root { get; }

    public override bool IsReadOnly { get; }

    internal HostTree Tree { get; }

    /// <summary>
    /// What a world is told of a node of the host. No seed would repeat what others do to it without changing what is in it, and that would not go unseen: Python
    /// takes a few instructions more for a time of access that is no whole second, and a directory of ext4, such as /tmp, grows with every name that was ever in it.
    /// Where the world may write, times of access are what it has set.
    /// </summary>
    internal FileStatus Describe(in HostStatus host)
    {
        FileStatus status = HostInode.Convert(host);
        if (!Clock.IsVirtual)
            return status;
        if (IsReadOnly)
            status = status with { AccessTime = status.ModifyTime };
        return status.Kind == FileKind.Directory ? status with { Size = 4096, Blocks = 8 } : status;
    }

    internal FileWatch[] WatchesOf(ulong inode) => _watches.GetValueOrDefault(inode) ?? [];

    internal void SetWatches(ulong inode, FileWatch[] watches)
    {
        if (watches.Length == 0)
            _watches.Remove(inode);
        else
            _watches[inode] = watches;
    }

    /// <summary>Holds the object of a mapped file for a while: until it is mapped, and until others were. Takes over the maker's hold.</summary>
    internal void Keep(MemoryObject content)
    {
        _kept.Enqueue(content);
        if (_kept.Count > MostKept)
            _kept.Dequeue().Release();
    }

    public override FileSystemStatus Status
    {
        get
        {
            Tree.FileSystemStatus([], out HostFileSystemStatus host);
            return new FileSystemStatus
            {
                Magic = host.Magic, BlockSize = host.BlockSize, Blocks = host.Blocks, FreeBlocks = host.FreeBlocks,
                AvailableBlocks = host.AvailableBlocks, Files = host.Files, FreeFiles = host.FreeFiles, Id = host.Id, NameLength = host.NameLength,
            };
        }
    }

    public override void Release()
    {
        while (_kept.TryDequeue(out MemoryObject? content))
            content.Release();
        // Mounted at several places it is let go of at each; other worlds may have the tree as well.
        if (!_isReleased)
            Tree.Dispose();
        _isReleased = true;
    }

    private bool _isReleased;

    /// <summary>Opens a host directory (or single file, for a bind); null with the error when it cannot be.</summary>
    public static HostFileSystem? Open(IClock clock, string path, bool readOnly, out Errno error)
    {
        int failure;
        HostStatus status = default;
        HostTree? tree = readOnly ? HostTree.OpenShared(path, out status, out failure) : HostTree.Open(path, out failure);
        if (tree is not null && !readOnly)
            failure = tree.Status([], out status);
        error = (Errno)failure;
        return failure != 0 ? null : new HostFileSystem(clock, tree!, readOnly, status);
    }
}
