namespace Vivarium.Emulator.Kernel.Files;

/// <summary>An open directory. Its position is a cookie: 0 before ".", 1 before "..", then 2 + the file system's cookie.</summary>
public sealed class DirectoryFile : OpenFile
{
    private const ulong FirstEntry = 2;
    private readonly Inode _inode;

    // Where a listing came to its end: names made since are not seen before the next rewind, as on a disk's file systems.
    private long? _end;

    public DirectoryFile(Inode inode, PathEntry path, OpenFlags flags)
        : base(flags)
    {
        _inode = inode;
        Path = path;
    }

    public override Inode Inode => _inode;

    public override PathEntry? Path { get; }

    public override bool CanSeek => true;

    public override IoResult Read(Span<byte> destination) => Errno.EISDIR;

    public override IoResult ReadAt(long offset, Span<byte> destination) => Errno.EISDIR;

    /// <summary>Lists from the position on, and advances it over what the sink took.</summary>
    public Errno List(CallContext? call, IDirectorySink sink)
    {
        if (Path!.Dentry.IsRemoved)
            return Errno.ENOENT;
        if (Position == _end)
            return Errno.None;
        _end = null;
        Progress progress = new(this, sink);
        if (Position == 0 && !progress.AddSpecial("."u8, _inode.Status.Inode, 1))
            return Errno.None;
        if (Position == 1 && !progress.AddSpecial(".."u8, ParentInode(), FirstEntry))
            return Errno.None;
        if ((Path!.Mount.Flags & (MountFlags.NoAccessTime | MountFlags.NoDirectoryAccessTime)) == 0)
            _inode.Accessed();
        Errno error = _inode.List(call, (ulong)Position - FirstEntry, progress);
        if (error == Errno.None && !progress.IsFull)
            _end = Position;
        return error;
    }

    private ulong ParentInode()
    {
        Mount mount = Path!.Mount;
        Dentry dentry = Path.Dentry;
        while (ReferenceEquals(dentry, mount.Root) && mount.Parent is { } parent)
            (dentry, mount) = (mount.MountPoint!, parent);
        return (dentry.Parent ?? dentry).Inode!.Status.Inode;
    }

    protected override void OnLastClose() => _inode.Locks?.ReleaseOpenFile(this);

    private sealed class Progress(DirectoryFile directory, IDirectorySink sink) : IDirectorySink
    {
        public bool IsFull { get; private set; }

        public bool Add(ReadOnlySpan<byte> name, ulong inode, FileKind kind, ulong next)
        {
            IsFull = !sink.Add(name, inode, kind, next + FirstEntry);
            if (IsFull)
                return false;
            directory.Position = (long)(next + FirstEntry);
            return true;
        }

        public bool AddSpecial(ReadOnlySpan<byte> name, ulong inode, ulong next)
        {
            if (!sink.Add(name, inode, FileKind.Directory, next))
                return false;
            directory.Position = (long)next;
            return true;
        }
    }
}
