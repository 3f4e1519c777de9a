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

    /// <summary>A handle of a file can be asked for that finds its name, too (name_to_handle_at(2), AT_HANDLE_CONNECTABLE).</summary>
    public virtual bool HandlesKeepNames => false;

    /// <summary>Its own options as /proc/mounts tells them, separated by commas.</summary>
    public virtual string Options => "";

    /// <summary>It was mounted to keep quotas, of users or of groups.</summary>
    public virtual bool KeepsQuotas => false;

    /// <summary>The quotas of users or of groups; null when it keeps none.</summary>
    public virtual QuotaBook? Quotas(bool ofGroups) => null;

    public abstract Inode Root { get; }

    /// <summary>The kind of <see cref="Root"/>, told without making it.</summary>
    public virtual FileKind RootKind => Root.Kind;

    /// <summary>Called when the file system is first entered: what it holds and what is mounted in it can wait until then.</summary>
    public Action? FirstEntered { private get; set; }

    public abstract FileSystemStatus Status { get; }

    /// <summary>The file system as a whole refuses changes (EROFS), however it is mounted.</summary>
    public virtual bool IsReadOnly => ForbidsChanges;

    /// <summary>Files that are open to be written, over all mounts.</summary>
    public int Writers { get; internal set; }

    /// <summary>It was mounted, or mounted again, to be read only.</summary>
    public bool ForbidsChanges { get; set; }

    /// <summary>Time of the world, for file times.</summary>
    public IClock Clock { get; }

    /// <summary>At how many places it is mounted, over all trees of mounts; the top of a tree counts nowhere.</summary>
    internal int Places { get; set; }

    /// <summary>Groups that have marked something of it, those that are asked first before others.</summary>
    internal List<FileAlertGroup> AlertGroups { get; } = [];

    /// <summary>All watches of its inodes, the oldest first.</summary>
    public List<FileWatch> Watches { get; } = [];

    private readonly Dictionary<ulong, Dentry> _handled = [];

    /// <summary>Remembers a name of an inode, so that the inode's number alone finds it (name_to_handle_at(2)).</summary>
    public void Handle(Dentry name)
    {
        // What is gone is forgotten now and then.
        if (_handled.Count >= 4096 && (_handled.Count & (_handled.Count - 1)) == 0)
        {
            foreach ((ulong number, Dentry held) in _handled.ToArray())
            {
                if (held.IsRemoved && held.Holders == 0)
                    _handled.Remove(number);
            }
        }
        _handled[name.Inode!.Status.Inode] = name;
    }

    /// <summary>The name of a remembered inode; null when it is gone (ESTALE).</summary>
    public Dentry? FindHandled(ulong inode) =>
        _handled.TryGetValue(inode, out Dentry? name) && name.Inode is { } found && found.Status.Links > 0 ? name : null;

    /// <summary>The cached names of this file system, shared by all its mounts.</summary>
    public Dentry RootName
    {
        get
        {
            if (_rootName is not null)
                return _rootName;
            _rootName = new Dentry(null, [], Root);
            FirstEntered?.Invoke();
            return _rootName;
        }
    }

    /// <summary>How many block devices are below it.</summary>
    internal virtual int Depth => 0;

    /// <summary>Open files and working directories in it, over all mounts.</summary>
    internal int Holders { get; set; }

    /// <summary>Writes what it keeps in memory to where it comes from.</summary>
    public virtual Errno Synchronize() => Errno.None;

    /// <summary>It is mounted nowhere, and nobody uses anything of it any more.</summary>
    public virtual void End()
    {
    }

    /// <summary>Tells it of its end, if that has come.</summary>
    internal void EndIfUnused()
    {
        if (Places == 0 && Holders == 0)
            End();
    }

    /// <summary>Lets go of the host's objects behind the file system; the world is over.</summary>
    public virtual void Release()
    {
    }
}
