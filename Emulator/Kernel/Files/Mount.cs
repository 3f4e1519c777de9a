namespace Vivarium.Emulator.Kernel.Files;

/// <summary>A tree attached somewhere: a file system, or with a bind mount a part of one.</summary>
public sealed class Mount
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

    public bool IsReadOnly { get; internal set; }

    /// <summary>Set-id bits have no effect.</summary>
    public bool NoSetId { get; internal set; }

    /// <summary>Device nodes cannot be opened.</summary>
    public bool NoDevices { get; internal set; }

    /// <summary>Nothing here can be executed.</summary>
    public bool NoExecute { get; internal set; }

    /// <summary>Open files and working directories in it.</summary>
    public int Holders { get; internal set; }

    public IReadOnlyList<Mount> Children => _children;

    /// <summary>Changes what the mount forbids (mount(2) with MS_REMOUNT).</summary>
    public void SetFlags(bool readOnly, bool noSetId, bool noDevices, bool noExecute)
    {
        IsReadOnly = readOnly;
        NoSetId = noSetId;
        NoDevices = noDevices;
        NoExecute = noExecute;
    }

    internal void AttachTo(Mount parent, Dentry point)
    {
        Parent = parent;
        MountPoint = point;
        parent._children.Add(this);
        point.MountCount++;
        FileSystem.Places++;
    }

    internal void Detach()
    {
        Parent!._children.Remove(this);
        MountPoint!.MountCount--;
        FileSystem.Places--;
        Parent = null;
        MountPoint = null;
    }

    /// <summary>The newest mount on a name of this mount, or null.</summary>
    internal Mount? On(Dentry point)
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
