using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Kernel.Files.HostTrees;

/// <summary>A regular file of the host, open there while it is open here.</summary>
public sealed class HostRegular : HostInode
{
    private HostFile? _file;
    private bool _writable;
    private int _opens;

    // The object behind mappings: one for all of them, with a host handle of its own.
    private HostFileObject? _object;
    private bool _objectWritable;

    internal HostRegular(HostFileSystem owner, byte[] path, in FileStatus status)
        : base(owner, path, status)
    {
    }

    public override FileStatus Status
    {
        get
        {
            if (_file is null || Owner.IsReadOnly)
                return base.Status;
            if (_file.Status(out HostStatus status) == 0)
                Last = Owner.Describe(status);
            return Last;
        }
    }

    public override Errno AcquireContent(bool forWriting)
    {
        if (forWriting && Owner.IsReadOnly)
            return Errno.EROFS;
        if (_file is null || (forWriting && !_writable))
        {
            int failure = Open(forWriting, out HostFile? file);
            if (failure != 0)
                return (Errno)failure;
            // Mappings made through the old handle have their own hold on the file.
            _file?.Dispose();
            _file = file;
            _writable = forWriting;
        }
        _opens++;
        return Errno.None;
    }

    public override void ReleaseContent()
    {
        if (--_opens != 0)
            return;
        _file!.Dispose();
        _file = null;
        _writable = false;
    }

    public override Errno MapContent(bool forWriting, out MemoryObject? content)
    {
        content = null;
        if (_object is null || _object.IsReleased || (forWriting && !_objectWritable))
        {
            HostFile? file = _file is not null && (_writable || !forWriting) ? _file.Share() : null;
            int failure = file is null ? Open(forWriting, out file) : 0;
            if (failure != 0)
                return (Errno)failure;
            if (Owner.IsReadOnly)
                SharedHostFiles.Keep(file!);
            _object = new HostFileObject(file!, Owner.IsReadOnly);
            _objectWritable = forWriting;
            Owner.Keep(_object);
        }
        content = _object;
        return Errno.None;
    }

    /// <summary>What no guest writes may be open already.</summary>
    private int Open(bool forWriting, out HostFile? file)
    {
        file = Owner.IsReadOnly ? SharedHostFiles.Find(Identify(Last)) : null;
        return file is null ? Tree.OpenFile(Path, forWriting, out file) : 0;
    }

    private static HostFileIdentity Identify(in FileStatus status) => new(
        DeviceNumber.Major(status.Device), DeviceNumber.Minor(status.Device), status.Inode, status.Size, status.ModifyTime, status.ChangeTime);

    public override IoResult ReadAt(long offset, Span<byte> destination) =>
        _file is null ? Errno.EBADF : Result(_file.Read(offset, destination));

    public override IoResult WriteAt(long offset, ReadOnlySpan<byte> source) =>
        _file is null || !_writable ? Errno.EBADF : Result(_file.Write(offset, source));

    private protected override Errno Resize(long size)
    {
        Errno error = AcquireContent(forWriting: true);
        if (error != Errno.None)
            return error;
        error = (Errno)(-_file!.SetLength(size));
        ReleaseContent();
        return error;
    }

    public override Errno Allocate(long offset, long length, RangeChange change, bool keepSize)
    {
        const int KeepSize = 1;
        int mode = change switch
        {
            RangeChange.PunchHole => 2,
            RangeChange.Collapse => 8,
            RangeChange.Zero => 0x10,
            RangeChange.Insert => 0x20,
            _ => 0,
        };
        return (Errno)(-_file!.Allocate((keepSize ? KeepSize : 0) | mode, offset, length));
    }

    public override Errno Synchronize() => _file is null ? Errno.None : (Errno)(-_file.Synchronize());

    private static IoResult Result(int value) => value < 0 ? (Errno)(-value) : value;
}
