using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>What a mount forbids, and how it keeps times of access (mount(8), "Filesystem-independent mount options").</summary>
[Flags]
public enum MountFlags : ushort
{
    None = 0,
    ReadOnly = 1 << 0,

    /// <summary>Set-id bits have no effect.</summary>
    NoSetId = 1 << 1,

    /// <summary>Device nodes cannot be opened.</summary>
    NoDevices = 1 << 2,

    /// <summary>Nothing here can be executed.</summary>
    NoExecute = 1 << 3,
    NoAccessTime = 1 << 4,
    NoDirectoryAccessTime = 1 << 5,
    StrictAccessTime = 1 << 6,

    /// <summary>Symbolic links are not followed.</summary>
    NoLinks = 1 << 7,
}

/// <summary>A tree attached somewhere: a file system, or with a bind mount a part of one.</summary>
public sealed partial class Mount
{
    private readonly List<Mount> _children = [];
    private Dentry? _root;

    internal Mount(Vfs vfs, int id, FileSystem fileSystem, Dentry? root, string source)
    {
        Vfs = vfs;
        Id = id;
        FileSystem = fileSystem;
        _root = root;
        Source = source;
    }

    public Vfs Vfs { get; }

    /// <summary>The number in /proc/self/mountinfo.</summary>
    public int Id { get; }

    public FileSystem FileSystem { get; }

    /// <summary>The name that shows at the mount point: the file system's own root unless another was given.</summary>
    public Dentry Root => _root ??= FileSystem.RootName;

    /// <summary>What was mounted, as /proc/mounts names it.</summary>
    public string Source { get; }

    public Mount? Parent { get; private set; }

    public Dentry? MountPoint { get; private set; }

    public MountFlags Flags { get; set; }

    public bool IsReadOnly => (Flags & MountFlags.ReadOnly) != 0;

    public bool NoSetId => (Flags & MountFlags.NoSetId) != 0;

    public bool NoDevices => (Flags & MountFlags.NoDevices) != 0;

    public bool NoExecute => (Flags & MountFlags.NoExecute) != 0;

    /// <summary>A number that no other mount of the world ever had (STATX_MNT_ID_UNIQUE); here ids do not come again.</summary>
    public ulong UniqueId => (1UL << 31) + (uint)Id;

    /// <summary>Files here that are open to be written: it cannot become read-only meanwhile (EBUSY).</summary>
    public int Writers { get; internal set; }

    /// <summary>Open files and working directories in it.</summary>
    public int Holders
    {
        get;
        internal set
        {
            FileSystem.Holders += value - field;
            field = value;
            _isExpiring = false;
            if (value == 0 && Parent is null)
                FileSystem.EndIfUnused();
        }
    }

    private bool _isExpiring;
    private bool _wasExpiring;

    /// <summary>A path led here: whoever wants it to expire has come this way last.</summary>
    public void NoteVisit() => (_wasExpiring, _isExpiring) = (_isExpiring, false);

    /// <summary>Marks it as unused: EAGAIN the first time; None when nobody came since; EBUSY while it is in use (MNT_EXPIRE of umount2(2)).</summary>
    public Errno Expire()
    {
        if (Holders != 0 || Children.Count != 0)
            return Errno.EBUSY;
        _isExpiring = true;
        return _wasExpiring ? Errno.None : Errno.EAGAIN;
    }

    public IReadOnlyList<Mount> Children => _children;

    /// <summary>Of a tree's top: pulses when something is mounted in it or taken off (/proc/PID/mounts).</summary>
    public Source Changed => field ??= new Source();

    /// <summary>Of a tree's top: how often that happened.</summary>
    public long Changes { get; private set; }

    /// <summary>How often something was taken off.</summary>
    public long Removals { get; private set; }

    public Mount Top
    {
        get
        {
            Mount top = this;
            while (top.Parent is { } parent)
                top = parent;
            return top;
        }
    }

    private void NoteChange(bool isRemoved = false)
    {
        Mount top = Top;
        top.Changes++;
        top.Removals += isRemoved ? 1 : 0;
        top.Changed.Pulse(Readiness.Priority | Readiness.Error);
    }

    internal void AttachTo(Mount parent, Dentry point)
    {
        Parent = parent;
        MountPoint = point;
        parent._children.Add(this);
        point.MountCount++;
        FileSystem.Places++;
        NoteChange();
        (_root?.Inode as NamespaceInode)?.Space.Hold();
    }

    internal void Detach()
    {
        NoteChange(isRemoved: true);
        Parent!._children.Remove(this);
        MountPoint!.MountCount--;
        FileSystem.Places--;
        Parent = null;
        MountPoint = null;
        (_root?.Inode as NamespaceInode)?.Space.Release();
    }

    /// <summary>The newest mount on a name of this mount, or null.</summary>
    public Mount? On(Dentry point)
    {
        if (point.MountCount == 0)
            return null;
        for (int i = _children.Count - 1; i >= 0; i--)
        {
            if (ReferenceEquals(_children[i].MountPoint, point))
                return _children[i];
        }
        return null;
    }
}
