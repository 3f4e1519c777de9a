using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>File status flags of an open file description, neutral of any system's O_ values.</summary>
[Flags]
public enum OpenFlags : uint
{
    None = 0,
    Read = 1 << 0,
    Write = 1 << 1,
    ReadWrite = Read | Write,
    Append = 1 << 2,
    NonBlocking = 1 << 3,
    Sync = 1 << 4,
    DataSync = 1 << 5,
    Direct = 1 << 6,
    NoAccessTime = 1 << 7,
    Async = 1 << 8,

    /// <summary>O_PATH: names a file, allows no I/O.</summary>
    PathOnly = 1 << 9,

    /// <summary>Opening it made the file.</summary>
    Created = 1 << 10,

    /// <summary>What is written to a pipe is packets (pipe(2), O_DIRECT).</summary>
    Packets = 1 << 11,

    // Only at open:
    Create = 1 << 16,
    Exclusive = 1 << 17,
    Truncate = 1 << 18,
    Directory = 1 << 19,
    NoFollow = 1 << 20,
    NoControllingTty = 1 << 21,
    Temporary = 1 << 22,
    CloseOnExec = 1 << 23,
}

/// <summary>What an I/O operation of an open file came to.</summary>
public readonly record struct IoResult(long Count, Errno Error)
{
    /// <summary>No progress now; wait on <see cref="OpenFile.Source"/>. Also what a non-blocking caller gets as EAGAIN.</summary>
    public static IoResult WouldBlock => new(0, Errno.EAGAIN);

    /// <summary>The operation itself raised a signal for the caller (a terminal stops its background readers); it is tried again after that.</summary>
    public static IoResult Interrupted => new(0, Errno.EINTR);

    public bool IsBlocked => Error == Errno.EAGAIN;

    public static implicit operator IoResult(long count) => new(count, Errno.None);

    public static implicit operator IoResult(Errno error) => new(0, error);
}

/// <summary>
/// An open file description: what dup and fork share. Subclasses override what they can do; the rest fails as the real kernels
/// do. Operations never block: they return <see cref="IoResult.WouldBlock"/> and pulse <see cref="Source"/> when that changed.
/// </summary>
public abstract class OpenFile : IMappingHolder
{
    private int _references = 1;
    private PathEntry? _heldName;

    protected OpenFile(OpenFlags flags) => Flags = flags;

    public OpenFlags Flags { get; set; }

    private AsyncSignals? _async;

    /// <summary>What O_ASYNC follows; null for files on which it has no effect.</summary>
    public virtual Source? AsyncSource => null;

    /// <summary>What of a pulse of <see cref="AsyncSource"/> the owner is told.</summary>
    public virtual Readiness AsyncNews(Readiness edges) => Poll() & edges & ~Readiness.Out;

    /// <summary>O_ASYNC: signals to the owner when there is news. ENOTTY, with the flag as it was, where there never are any.</summary>
    public Errno SetAsync(World world, int descriptor, bool isOn)
    {
        bool wasOn = (Flags & OpenFlags.Async) != 0;
        if (wasOn == isOn)
            return Errno.None;
        if (AsyncSource is null)
            return Errno.ENOTTY;
        _async?.Drop();
        _async = isOn ? new AsyncSignals(world, this, descriptor) : null;
        Flags = isOn ? Flags | OpenFlags.Async : Flags & ~OpenFlags.Async;
        return Errno.None;
    }

    /// <summary>Whom it signals; null while nothing was said about that.</summary>
    public FileSignals? SignalOwner { get; set; }

    /// <summary>Its opener had given up the right to change its length (landlock(7)).</summary>
    public bool IsLengthFixed { get; internal set; }

    /// <summary>A device whose opener had given up the right to control devices (landlock(7)).</summary>
    public bool IsControlDenied { get; internal set; }

    /// <summary>It was opened while nobody wanted to be asked about files there: nobody is asked what is done with it.</summary>
    public bool AsksNobody { get; set; }

    /// <summary>What is done with it is told to nobody: it was opened by who is told.</summary>
    public bool IsUnwatched { get; set; }

    public bool CanRead => (Flags & OpenFlags.Read) != 0;

    public bool CanWrite => (Flags & OpenFlags.Write) != 0;

    public bool IsNonBlocking => (Flags & OpenFlags.NonBlocking) != 0;

    /// <summary>Pulsed whenever <see cref="Poll"/> may have changed or progress was made possible.</summary>
    public virtual Source Source { get; } = new();

    /// <summary>The file offset, for files that have one.</summary>
    public long Position { get; set; }

    public virtual bool CanSeek => false;

    /// <summary>Bytes up to its end.</summary>
    public virtual long Size => Inode.Status.Size;

    /// <summary>False for what has no end to seek from, nor data and holes to look for.</summary>
    public virtual bool SeeksFromEnd => true;

    /// <summary>lseek(2) succeeds and does nothing, as for event files.</summary>
    public virtual bool IgnoresSeek => false;

    /// <summary>The inode behind this description; every file has one (pipes and sockets an anonymous one).</summary>
    public abstract Inode Inode { get; }

    /// <summary>The name it was opened by, for /proc/self/fd and the *at calls; null for anonymous files.</summary>
    public virtual PathEntry? Path => null;

    /// <summary>What readlink of /proc/self/fd/N says when there is no path, e.g. "pipe:[12]".</summary>
    public virtual string Description => "anon_inode:[file]";

    private byte[]? _recordName;

    /// <summary>What records of calls name it: its path when it was first asked for, or what it is; null while that may yet change.</summary>
    internal byte[]? RecordName => _recordName ??= Path?.FullPath() ?? (NameForRecord is { } name ? System.Text.Encoding.UTF8.GetBytes(name) : null);

    private protected virtual string? NameForRecord => Description;

    /// <summary>Of a file without a name for records: whom it last exchanged something with, since this was last asked.</summary>
    internal virtual byte[]? TakeRecordPeer() => null;

    /// <summary>Reads into several buffers are so many reads (files with read but not read_iter, as the kernel has it).</summary>
    public virtual bool ReadsOneByOne => false;

    /// <summary>The same for writes.</summary>
    public virtual bool WritesOneByOne => false;

    /// <summary>What /proc/self/fdinfo/N tells beyond position and flags, in whole lines.</summary>
    public virtual string Information => "";

    /// <summary>The same for somebody whose numbers of processes it may have to use.</summary>
    public virtual string InformationFor(CallContext? call) => Information;

    /// <summary>Reads at the file offset and advances it.</summary>
    public virtual IoResult Read(Span<byte> destination) => Errno.EINVAL;

    /// <summary>Writes at the file offset (or the end, with Append) and advances it.</summary>
    public virtual IoResult Write(ReadOnlySpan<byte> source) => Errno.EINVAL;

    /// <summary>A read of <paramref name="count"/> bytes into memory that is not there: what it comes to, and what is lost.</summary>
    public virtual IoResult ReadNowhere(ulong count) => Errno.EFAULT;

    /// <summary>Reads for a call, for files to whom it matters who reads and since when (terminals).</summary>
    public virtual IoResult Read(CallContext call, Span<byte> destination) => Read(destination);

    /// <summary>Writes for a call.</summary>
    public virtual IoResult Write(CallContext call, ReadOnlySpan<byte> source) => Write(source);

    public virtual IoResult ReadAt(long offset, Span<byte> destination) => Errno.ESPIPE;

    public virtual IoResult WriteAt(long offset, ReadOnlySpan<byte> source) => Errno.ESPIPE;

    /// <summary>Bytes that can be read at once (FIONREAD); null for files that do not tell.</summary>
    public virtual int? Pending => null;

    /// <summary>Bytes that can be written at once, as far as the file tells; at least 1 when it can be written to at all.</summary>
    public virtual long RoomToWrite => 1;

    /// <summary>A child made by fork has it too; else its number is free there.</summary>
    public virtual bool IsInherited => true;

    /// <summary>Level readiness now. Regular files are always ready.</summary>
    public virtual Readiness Poll() => Readiness.In | Readiness.Out;

    /// <summary>False for what is always ready, and so not to be waited for (EPERM of epoll_ctl(2)).</summary>
    public virtual bool IsPollable => Inode.Kind is not (FileKind.Regular or FileKind.Directory or FileKind.BlockDevice);

    /// <summary>The object to map, or null (ENODEV).</summary>
    public virtual MemoryObject? MapObject() => null;

    /// <summary>The same for files that show different objects at different offsets; the offset becomes the object's.</summary>
    public virtual MemoryObject? MapObject(ref ulong offset) => MapObject();

    /// <summary>May so much of it be mapped? For files that are mapped as a whole or not at all.</summary>
    public virtual Errno CheckMapping(ulong offset, ulong length) => Errno.None;

    /// <summary>ioctl(2); arguments are read and written through the context's memory.</summary>
    public virtual CallResult Control(CallContext call, uint request, ulong argument) => Errno.ENOTTY;

    /// <summary>fcntl(2) commands that depend on the kind of file: pipe sizes, seals, leases, owners for signals.</summary>
    public virtual CallResult DescriptorControl(CallContext call, uint command, ulong argument) => Errno.EINVAL;

    /// <summary>Raised when the description goes away.</summary>
    public event Action? Closed;

    public void AddReference() => _references++;

    void IMappingHolder.Hold() => AddReference();

    void IMappingHolder.LetGo() => Release();

    /// <summary>The file was opened by its name, which it holds until its last close.</summary>
    internal void HoldName()
    {
        _heldName = Path;
        _heldName?.Hold();
    }

    /// <summary>Drops a reference; the last one releases the description.</summary>
    public void Release()
    {
        if (--_references != 0)
            return;
        if (_heldName is not null && (Flags & OpenFlags.PathOnly) == 0)
            FileNotifier.OnFile(this, CanWrite ? FileChange.ClosedWritable : FileChange.ClosedReadOnly);
        Closed?.Invoke();
        OnLastClose();
        _heldName?.Release();
    }

    protected virtual void OnLastClose()
    {
    }
}
