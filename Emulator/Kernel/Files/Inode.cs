using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>
/// A file, directory or device of some file system. Mutating operations default to failures as a read-only or foreign object
/// gives them and are overridden by file systems that have them. The path walk, permission checks and name caching are the
/// caller's (<see cref="PathWalk"/>, <see cref="Permission"/>, <see cref="Dentry"/>); a file system only does the work.
/// </summary>
public abstract class Inode
{
    public abstract FileKind Kind { get; }

    public abstract FileStatus Status { get; }

    /// <summary>The file system the inode is part of; null for anonymous objects (pipes, sockets, event files).</summary>
    public virtual FileSystem? FileSystem => null;

    /// <summary>The file of another file system that this one shows; null for one that is its own.</summary>
    internal virtual Inode? Below => null;

    /// <summary>Nobody uses it and it can be read again from where it is kept: what is known of it may be forgotten.</summary>
    internal virtual bool IsEvictable => false;

    /// <summary>
    /// Opens a description; permission was checked. EAGAIN: the open blocks (a FIFO without a partner) and is tried again. The
    /// default does what the kind asks for: content, entries, the device's driver.
    /// </summary>
    public virtual Errno Open(PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        file = null;
        switch (Kind)
        {
            case FileKind.Regular:
                Errno error = AcquireContent((flags & OpenFlags.Write) != 0);
                if (error == Errno.None)
                    file = new RegularFile(this, path, flags);
                return error;
            case FileKind.Directory:
                file = new DirectoryFile(this, path, flags);
                return Errno.None;
            case FileKind.CharacterDevice or FileKind.BlockDevice:
                return path.Mount.Vfs.Devices.Open(this, path, flags, call, out file);
            case FileKind.Fifo when path.Mount.Vfs.FifoOpener is { } opener:
                return opener(this, path, flags, call, out file);
            default:
                return Errno.ENXIO;
        }
    }

    /// <summary>False for directories whose content changes behind our back (proc): each look-up asks again.</summary>
    public virtual bool CachesNames => true;

    /// <summary>The kernel object bound to this node: a listening AF_UNIX socket, the pipe of a FIFO.</summary>
    public object? Attachment { get; set; }

    /// <summary>Record and whole-file locks held on the file; null while there is none.</summary>
    public FileLocks? Locks { get; set; }

    /// <summary>Descriptions opened by name to be read only, and to be written (fcntl(2), "Leases"; ETXTBSY).</summary>
    public int Readers { get; internal set; }

    public int Writers { get; internal set; }

    /// <summary>Address spaces that execute the file: nobody may write it meanwhile (ETXTBSY).</summary>
    public int Executors { get; internal set; }

    /// <summary>The system swaps to it: nobody writes to it or removes it (swapon(2)).</summary>
    public bool IsSwapArea { get; internal set; }

    /// <summary>Leases on the file; null while there was none.</summary>
    public FileLeases? Leases { get; set; }

    /// <summary>Who is told what happens to the file; the array is replaced, never changed.</summary>
    public virtual FileWatch[] Watches { get; set; } = [];

    /// <summary>Finds a name in this directory: ENOENT when there is none, ENAMETOOLONG past the file system's limit.</summary>
    public virtual Errno Lookup(ReadOnlySpan<byte> name, out Inode? inode)
    {
        inode = null;
        return Kind == FileKind.Directory ? Errno.ENOENT : Errno.ENOTDIR;
    }

    /// <summary>Creates a node of any kind under a name that is known to be free.</summary>
    public virtual Errno Make(ReadOnlySpan<byte> name, in NodeSpec spec, out Inode? inode)
    {
        inode = null;
        return Errno.EPERM;
    }

    /// <summary>Creates a regular file without a name (O_TMPFILE, memfd_create).</summary>
    public virtual Errno MakeUnnamed(in NodeSpec spec, out Inode? inode)
    {
        inode = null;
        return Errno.EOPNOTSUPP;
    }

    public virtual Errno Link(ReadOnlySpan<byte> name, Inode target) => Errno.EPERM;

    public virtual Errno Unlink(ReadOnlySpan<byte> name, Inode victim) => Errno.EPERM;

    /// <summary>Removes an empty directory; ENOTEMPTY when it is not.</summary>
    public virtual Errno RemoveDirectory(ReadOnlySpan<byte> name, Inode victim) => Errno.EPERM;

    /// <summary>
    /// Moves <paramref name="moved"/> from this directory to <paramref name="target"/>, replacing or (with <paramref name="exchange"/>)
    /// swapping <paramref name="replaced"/>. Kinds, permissions and ancestry were checked; emptiness was not.
    /// </summary>
    public virtual Errno Rename(ReadOnlySpan<byte> name, Inode moved, Inode target, ReadOnlySpan<byte> newName, Inode? replaced, bool exchange) =>
        Errno.EPERM;

    /// <summary>The text of a symbolic link.</summary>
    public virtual Errno ReadLink(CallContext? call, out byte[]? target)
    {
        target = null;
        return Errno.EINVAL;
    }

    /// <summary>A link that names an object rather than a path (/proc/self/fd/3): where it leads. False for ordinary links.</summary>
    public virtual bool FollowMagic(CallContext? call, out PathEntry? target, out Errno error)
    {
        target = null;
        error = Errno.None;
        return false;
    }

    public virtual Errno SetAttributes(in AttributeChange change) => Errno.EPERM;

    /// <summary>Marks that it has, beside its mode.</summary>
    public virtual FileMarks Marks => FileMarks.None;

    /// <summary>Its file system keeps marks.</summary>
    public virtual bool KeepsMarks => false;

    /// <summary>Gives it marks in place of those it has; who may is the caller's to know.</summary>
    public virtual Errno SetMarks(FileMarks marks) => Errno.EOPNOTSUPP;

    /// <summary>It cannot be changed, but perhaps be written to at its end.</summary>
    public bool IsProtected => (Marks & (FileMarks.Immutable | FileMarks.AppendOnly)) != 0;

    /// <summary>
    /// Lists the directory from a cookie on (0 = from the start; "." and ".." are the caller's). Cookies are stable while names
    /// come and go. Stops when the sink is full.
    /// </summary>
    public virtual Errno List(CallContext? call, ulong cookie, IDirectorySink sink) => Errno.ENOTDIR;

    /// <summary>The access control list; null when the mode says all.</summary>
    public virtual AccessList? AccessList => null;

    /// <summary>The list that new files in this directory begin with (acl(5), "default ACL").</summary>
    public virtual AccessList? DefaultAccessList => null;

    /// <summary>Keeps a list as it is, or drops it; EOPNOTSUPP where the file system has none.</summary>
    public virtual Errno SetAccessList(AccessList? list, bool isDefault) => Errno.EOPNOTSUPP;

    public virtual Errno GetAttribute(ReadOnlySpan<byte> name, out byte[]? value)
    {
        value = null;
        return Errno.EOPNOTSUPP;
    }

    public virtual Errno SetAttribute(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, bool create, bool replace) => Errno.EOPNOTSUPP;

    public virtual Errno RemoveAttribute(ReadOnlySpan<byte> name) => Errno.EOPNOTSUPP;

    /// <summary>Names of the extended attributes, each ended by NUL.</summary>
    public virtual Errno ListAttributes(out byte[] names)
    {
        names = [];
        return Errno.None;
    }

    /// <summary>Reads content; 0 at or past the end.</summary>
    public virtual IoResult ReadAt(long offset, Span<byte> destination) => Errno.EINVAL;

    /// <summary>Writes content, extending the file as needed, and stamps its times.</summary>
    public virtual IoResult WriteAt(long offset, ReadOnlySpan<byte> source) => Errno.EINVAL;

    /// <summary>A read happened: the access time follows, as relatime does (mount(8)).</summary>
    public virtual void Accessed()
    {
    }

    /// <summary>
    /// Makes content available to one more open description until <see cref="ReleaseContent"/>: what is opened on the host, what is kept
    /// although the last name goes.
    /// </summary>
    /// <summary>Its content is to outlive its names until <see cref="Unpin"/> of what this returns; null where it does so by itself.</summary>
    public virtual Inode? Pin() => null;

    public virtual void Unpin()
    {
    }

    public virtual Errno AcquireContent(bool forWriting) => Errno.None;

    public virtual void ReleaseContent()
    {
    }

    /// <summary>
    /// The bytes of a regular file as a mappable object; ENODEV when it cannot be mapped. An object handed out for writing is the
    /// file's own; otherwise it may be a lower layer's that a later write replaces.
    /// </summary>
    public virtual Errno MapContent(bool forWriting, out MemoryObject? content)
    {
        content = null;
        return Errno.ENODEV;
    }

    /// <summary>Reserves or changes a range (fallocate(2)): EOPNOTSUPP for modes the file system lacks.</summary>
    public virtual Errno Allocate(long offset, long length, RangeChange change, bool keepSize) => Errno.EOPNOTSUPP;

    /// <summary>Seals of the file; null for files that cannot be sealed (EINVAL).</summary>
    public virtual FileSeals? Seals => null;

    /// <summary>Adds seals: EPERM when sealing is over, EBUSY when the file is mapped for writing.</summary>
    public virtual Errno AddSeals(FileSeals seals) => Errno.EINVAL;

    /// <summary>The next data at or behind an offset below the size (lseek(2), SEEK_DATA); the size when there is none.</summary>
    public virtual long NextData(long offset) => offset;

    /// <summary>The next hole, at the latest the one behind the end.</summary>
    public virtual long NextHole(long offset) => Status.Size;

    /// <summary>What of the file is mapped to its device at or behind an offset; a length of 0 when nothing is any more.</summary>
    public virtual Errno NextExtent(long offset, out FileExtent extent)
    {
        extent = default;
        return Errno.EOPNOTSUPP;
    }

    /// <summary>Makes content durable as far as the file system can.</summary>
    public virtual Errno Synchronize() => Errno.None;
}

/// <summary>
/// What a new node is. Mode holds permission and set-id bits, after the umask; a file without a name may get one unless it is
/// <paramref name="IsNeverNamed"/>.
/// </summary>
public readonly record struct NodeSpec(FileKind Kind, uint Mode, uint User, uint Group, ulong Device = 0, byte[]? Target = null, bool IsNeverNamed = false, FileSeals? Seals = null)
{
    public AccessList? AccessList { get; init; }

    public AccessList? DefaultAccessList { get; init; }
}

/// <summary>A change of attributes; null fields stay. Times are nanoseconds since the epoch.</summary>
public record struct AttributeChange
{
    public uint? Mode;
    public uint? User;
    public uint? Group;
    public long? Size;
    public long? AccessTime;
    public long? ModifyTime;
}

/// <summary>Bytes of a file that are neighbours on its device, too. Those that are unwritten read as zeros; merged ones are blocks that are neighbours by chance.</summary>
public readonly record struct FileExtent(long Offset, long Place, long Length, bool IsUnwritten, bool IsLast, bool IsMerged);

/// <summary>What protects a file whatever its mode says (chattr(1)).</summary>
[Flags]
public enum FileMarks : byte
{
    None = 0,

    /// <summary>Nothing of it can be changed.</summary>
    Immutable = 1 << 0,

    /// <summary>Written to at its end alone; of a directory, names can only be added.</summary>
    AppendOnly = 1 << 1,

    /// <summary>For programs that make copies to leave out.</summary>
    NoDump = 1 << 2,
    NoAccessTime = 1 << 3,
}

/// <summary>Takes directory entries.</summary>
public interface IDirectorySink
{
    /// <summary>False when there is no room: the entry was not taken. <paramref name="next"/> is the cookie to go on from after it.</summary>
    bool Add(ReadOnlySpan<byte> name, ulong inode, FileKind kind, ulong next);
}
