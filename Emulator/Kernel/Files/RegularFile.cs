using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>An open regular file: a position over the inode's content.</summary>
public sealed class RegularFile : OpenFile
{
    private readonly Inode _inode;
    private bool _isCounted;

    /// <summary>Content must have been acquired; it is released with the last reference.</summary>
    public RegularFile(Inode inode, PathEntry path, OpenFlags flags)
        : base(flags)
    {
        _inode = inode;
        Path = path;
    }

    public override Inode Inode => _inode;

    public override PathEntry? Path { get; }

    public override bool CanSeek => true;

    /// <summary>Who opened it: without CAP_FSETID, writing takes set-id bits away (inode(7)).</summary>
    internal FileCredentials Opener { get; set; } = FileCredentials.Root;

    /// <summary>It was opened by name, and counts among those who read or write the file.</summary>
    internal void Count()
    {
        _isCounted = true;
        Change(1);
    }

    private void Change(int by)
    {
        if (!CanWrite)
        {
            _inode.Readers += by;
            return;
        }
        _inode.Writers += by;
        Path!.Mount.Writers += by;
        Path.Mount.FileSystem.Writers += by;
    }

    public override IoResult Read(Span<byte> destination)
    {
        IoResult result = ReadAt(Position, destination);
        Position += result.Count;
        return result;
    }

    public override IoResult Write(ReadOnlySpan<byte> source)
    {
        long offset = (Flags & OpenFlags.Append) != 0 ? _inode.Status.Size : Position;
        IoResult result = WriteContent(offset, source);
        if (result.Error == Errno.None)
            Position = offset + result.Count;
        return result;
    }

    public override IoResult ReadAt(long offset, Span<byte> destination)
    {
        IoResult result = _inode.ReadAt(offset, destination);
        if ((Flags & OpenFlags.NoAccessTime) == 0 && (Path is not { } path || (path.Mount.Flags & MountFlags.NoAccessTime) == 0) && !destination.IsEmpty)
            _inode.Accessed();
        return result;
    }

    /// <summary>On Linux a file opened for appending appends here too, whatever the offset (pwrite(2), BUGS).</summary>
    public override IoResult WriteAt(long offset, ReadOnlySpan<byte> source) =>
        WriteContent((Flags & OpenFlags.Append) != 0 ? _inode.Status.Size : offset, source);

    private IoResult WriteContent(long offset, ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            return 0;
        if (offset > long.MaxValue - source.Length)
            return Errno.EFBIG;
        if (!Opener.Has(FilePrivileges.KeepSetId) && Vfs.DropSetId(_inode.Status, Opener) is { } mode)
            Vfs.Change(_inode, Path, new AttributeChange { Mode = mode });
        return _inode.WriteAt(offset, source);
    }

    public override MemoryObject? MapObject() =>
        _inode.MapContent(CanWrite, out MemoryObject? content) == Errno.None ? content : null;

    public override int? Pending => (int)Math.Clamp(_inode.Status.Size - Position, int.MinValue, int.MaxValue);

    protected override void OnLastClose()
    {
        if (_isCounted)
            Change(-1);
        _inode.Locks?.ReleaseOpenFile(this);
        _inode.Leases?.Remove(this);
        _inode.ReleaseContent();
    }
}

/// <summary>A file opened with O_PATH: only a name; all I/O fails with EBADF, which the calls check.</summary>
public sealed class PathFile(Inode inode, PathEntry path, OpenFlags flags)
    : OpenFile(flags & (OpenFlags.PathOnly | OpenFlags.Directory | OpenFlags.NoFollow))
{
    public override Inode Inode => inode;

    public override PathEntry? Path => path;

    public override Readiness Poll() => Readiness.Invalid;

    private readonly Inode? _pinned = inode.Pin();

    protected override void OnLastClose() => _pinned?.Unpin();
}
