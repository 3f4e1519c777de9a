using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>What a <see cref="FileAlertGroup"/> tells of each file (fanotify_init(2)).</summary>
[Flags]
public enum AlertReport : byte
{
    None = 0,

    /// <summary>The process by a descriptor.</summary>
    ProcessDescriptor = 1,

    /// <summary>The thread instead of the process.</summary>
    Thread = 2,

    /// <summary>The file by a handle; without any of these three, by an open description.</summary>
    File = 4,

    /// <summary>The directory by a handle.</summary>
    Directory = 8,

    /// <summary>The name in that directory.</summary>
    Name = 16,

    /// <summary>The file too where a name of it changed.</summary>
    Target = 32,

    /// <summary>Where a descriptor cannot be made: the error instead.</summary>
    Error = 64,
    Handles = File | Directory,
}

/// <summary>What one group wants to know of an inode, a mount or a file system.</summary>
public sealed class AlertMark
{
    public FileChange Mask { get; set; }

    public FileChange Ignored { get; set; }

    /// <summary>What is ignored stays so when the file is modified.</summary>
    public bool KeepsIgnoring { get; set; }

    /// <summary>What is ignored says itself whether it means directories and children.</summary>
    public bool IgnoresByFlags { get; set; }

    /// <summary>It does not keep its file in memory, and goes with it.</summary>
    public bool IsEvictable { get; set; }

    /// <summary>Without flags of its own, what is ignored is so of directories, too, and of children where they are watched (fsnotify_ignore_mask in include/linux/fsnotify_backend.h).</summary>
    internal FileChange IgnoredWithFlags => IgnoresByFlags ? Ignored : (Ignored & ~FileChange.OnChildren) | FileChange.IsDirectory | (Mask & FileChange.OnChildren);

    internal FileChange IgnoredOf(bool isDirectory, bool asParent)
    {
        FileChange ignored = IgnoredWithFlags;
        return (isDirectory && (ignored & FileChange.IsDirectory) == 0) || (asParent && (ignored & FileChange.OnChildren) == 0) ? FileChange.None : Ignored;
    }
}

/// <summary>Something that happened, or that somebody waits to be allowed. Names and files that it does not tell of are null.</summary>
public sealed class FileAlert
{
    public FileChange Change { get; set; }

    /// <summary>Held until it is read; null for groups that report handles.</summary>
    public PathEntry? Path { get; init; }

    public Inode? Directory { get; init; }

    public byte[]? Name { get; init; }

    /// <summary>Where a renamed file's name went.</summary>
    public Inode? NewDirectory { get; init; }

    public byte[]? NewName { get; init; }

    public Inode? Object { get; init; }

    /// <summary>The process or thread that did it, by the kernel's id; 0 for none.</summary>
    public int Source { get; init; }

    public Process? Process { get; init; }

    // It may be gone when the alert is read. Null in the first space.
    private KeptId? _kept;

    /// <summary>Notes the numbers of who did it.</summary>
    internal void KeepNumbers()
    {
        if (Process is { Space: { IsFirst: false } space })
            _kept = Source == Process.Id ? Process.KeptId : new KeptId(space, Source);
    }

    /// <summary>The number of who did it as a reader sees it; 0 for none, and for what is in no space of the reader's.</summary>
    internal int SourceIn(PidSpace reader) => _kept?.In(reader) ?? (reader.IsFirst ? Source : 0);

    public AlertQuestion? Question { get; init; }

    /// <summary>True when both tell of the same thing, so that one record says what both do (fanotify_should_merge).</summary>
    public bool Matches(FileAlert other) =>
        Question is null && other.Question is null && Source == other.Source && ((Change ^ other.Change) & (FileChange.IsDirectory | FileChange.Renamed)) == 0 && IsSamePath(other)
        && Directory == other.Directory && Object == other.Object && NewDirectory == other.NewDirectory && Name.AsSpan().SequenceEqual(other.Name)
        && NewName.AsSpan().SequenceEqual(other.NewName) && ((Change | other.Change) & FileChange.Overflowed) == 0;

    private bool IsSamePath(FileAlert other) => Path is null ? other.Path is null : other.Path is { } path && Path.IsSame(path);
}

/// <summary>Somebody waits for an answer whether something may be done to a file.</summary>
public sealed class AlertQuestion
{
    public Source Answered { get; } = new();

    public bool IsDenied { get; set; }

    /// <summary>Groups that have not answered yet.</summary>
    public int Open { get; set; }
}

/// <summary>Lays alerts out as their readers expect.</summary>
public interface IAlertFormat
{
    int SizeOf(FileAlertGroup group, FileAlert alert);

    /// <param name="descriptor">Of the file, or below 0 for none.</param>
    void Write(FileAlertGroup group, FileAlert alert, int descriptor, int processDescriptor, int source, Span<byte> destination);

    /// <summary>A number below 0 for an error that stands where a descriptor would.</summary>
    int NumberOf(Errno error);

    /// <summary>What /proc/self/fdinfo/N tells of a group and its marks.</summary>
    string Describe(FileAlertGroup group, IEnumerable<(object Marked, AlertMark Mark)> marks);
}

/// <summary>A queue of what happened to marked files, mounts and file systems, and of what waits for permission (fanotify(7)).</summary>
public sealed partial class FileAlertGroup : OpenFile
{
    /// <summary>As far back as a record is looked for that a new one can be folded into (FANOTIFY_MAX_MERGE_EVENTS).</summary>
    private const int MostMerged = 128;

    private readonly World _world;
    private readonly Inode _inode;
    private readonly IAlertFormat _format;
    private readonly LinkedList<FileAlert> _queue = new();
    private readonly Dictionary<int, FileAlert> _asked = [];
    private bool _isOverflowQueued;

    public FileAlertGroup(World world, IAlertFormat format, AlertReport report, int priority, OpenFlags eventFlags, OpenFlags flags)
        : base(flags | OpenFlags.ReadWrite)
    {
        (_world, _format, Report, Priority, EventFlags) = (world, format, report, priority, eventFlags);
        _inode = new AnonymousInode(world, FileKind.Unknown, 0x180);
        world.AlertGroups++;
        world.Settings.DroppedCaches.Changed += Evict;
    }

    /// <summary>How its maker asked for it, in the personality's words.</summary>
    public (uint Flags, uint EventFlags) Asked { get; init; }

    public override string Information => _format.Describe(this, Marks);

    public AlertReport Report { get; }

    /// <summary>Groups above 0 can be asked; higher ones first.</summary>
    public int Priority { get; }

    /// <summary>How files of alerts are opened.</summary>
    public OpenFlags EventFlags { get; }

    /// <summary>Who does what happens now; null when the kernel does.</summary>
    internal GuestThread? Actor => _world.Current;

    public bool IsUnlimited { get; init; }

    /// <summary>Made without privilege: it may mark no mounts and learns of no processes but its own.</summary>
    public bool IsUnprivileged { get; init; }

    public override Inode Inode => _inode;

    public override string Description => "anon_inode:[fanotify]";

    public override bool IgnoresSeek => true;

    public override Readiness Poll() => _queue.Count > 0 ? Readiness.In : Readiness.None;

    public override int? Pending
    {
        get
        {
            int size = 0;
            foreach (FileAlert alert in _queue)
                size += _format.SizeOf(this, alert);
            return size;
        }
    }

    internal void Add(FileAlert alert)
    {
        LinkedListNode<FileAlert>? old = _queue.Last;
        for (int i = 0; i < MostMerged && old is not null; i++, old = old.Previous)
        {
            if (!old.Value.Matches(alert))
                continue;
            old.Value.Change |= alert.Change;
            return;
        }
        if (_queue.Count >= _world.Settings.QueuedAlerts.Value && !IsUnlimited)
        {
            // Nobody waits for an answer that cannot come.
            if (alert.Question is { } question)
                Answer(question, isDenied: false);
            if (_isOverflowQueued)
                return;
            _isOverflowQueued = true;
            alert = new FileAlert { Change = FileChange.Overflowed };
        }
        alert.KeepNumbers();
        alert.Path?.Hold();
        _queue.AddLast(alert);
        Source.Pulse(Readiness.In);
    }

    public override IoResult Read(Span<byte> destination) => _world.Current is { } reader ? Read(reader.Call, destination) : Errno.EINVAL;

    /// <summary>Takes as many whole records as fit; EINVAL when not even the first does.</summary>
    public override IoResult Read(CallContext call, Span<byte> destination)
    {
        if (_queue.Count == 0)
            return IoResult.WouldBlock;
        int done = 0;
        while (_queue.First is { } first)
        {
            FileAlert alert = first.Value;
            int size = _format.SizeOf(this, alert);
            if (size > destination.Length - done)
                return done > 0 ? done : Errno.EINVAL;
            Errno error = Open(call, alert, out int descriptor);
            if (error != Errno.None && (Report & AlertReport.Error) != 0)
                (descriptor, error) = (_format.NumberOf(error), Errno.None);
            if (error != Errno.None && done > 0)
                return done;
            _queue.RemoveFirst();
            _isOverflowQueued &= (alert.Change & FileChange.Overflowed) == 0;
            if (error == Errno.None)
            {
                bool isSeen = !IsUnprivileged || alert.Process == call.Process;
                _format.Write(this, alert, descriptor, OpenProcess(call, alert), isSeen ? alert.SourceIn(call.Pids) : 0, destination.Slice(done, size));
                done += size;
            }
            alert.Path?.Release();
            if (alert.Question is { } question)
            {
                // With an error for a descriptor nobody could answer.
                if (error == Errno.None && descriptor >= 0)
                    _asked[descriptor] = alert;
                else
                    Answer(question, isDenied: true);
            }
            if (error != Errno.None)
                return error;
        }
        return done;
    }

    /// <summary>Opens the file of an alert for its reader, whose doings with it are no alerts.</summary>
    private Errno Open(CallContext call, FileAlert alert, out int descriptor)
    {
        descriptor = NoDescriptor(Errno.EBADF);
        if (alert.Path is not { } path)
            return Errno.None;
        if ((EventFlags & OpenFlags.Write) != 0 && path.Mount.IsReadOnly)
            return Errno.EROFS;
        Errno error = path.Inode.Open(path, EventFlags, call, out OpenFile? file);
        if (error != Errno.None)
            return error;
        file!.IsUnwatched = true;
        file.HoldName();
        error = call.Process.Files.Add(file, (EventFlags & OpenFlags.CloseOnExec) != 0, out descriptor);
        if (error != Errno.None)
            file.Release();
        return error;
    }

    /// <summary>What stands in place of a descriptor: why there is none, in groups that want to know (FAN_REPORT_FD_ERROR of fanotify_init(2)).</summary>
    private int NoDescriptor(Errno why) => (Report & AlertReport.Error) != 0 ? _format.NumberOf(why) : -1;

    private int OpenProcess(CallContext call, FileAlert alert)
    {
        int none = NoDescriptor(Errno.ESRCH);
        if ((Report & AlertReport.ProcessDescriptor) == 0 || alert.Process is not { IsReaped: false } process || (IsUnprivileged && process != call.Process))
            return none;
        var file = new ProcessDescriptor(process, OpenFlags.None);
        if (call.Process.Files.Add(file, closeOnExec: true, out int descriptor) == Errno.None)
            return descriptor;
        file.Release();
        return none;
    }

    /// <summary>An answer to a question that was read: ENOENT when there is none with that descriptor.</summary>
    public Errno Respond(int descriptor, bool isDenied)
    {
        if (!_asked.Remove(descriptor, out FileAlert? alert))
            return Errno.ENOENT;
        Answer(alert.Question!, isDenied);
        return Errno.None;
    }

    public override IoResult Write(ReadOnlySpan<byte> source) => _respond(this, source);

    /// <summary>How answers are laid out is the personality's.</summary>
    public required AlertResponder Responder
    {
        init => _respond = value;
    }

    private readonly AlertResponder _respond = static (_, _) => Errno.EINVAL;

    private static void Answer(AlertQuestion question, bool isDenied)
    {
        question.IsDenied |= isDenied;
        question.Open--;
        if (question.Open <= 0)
            question.Answered.Pulse(Readiness.In);
    }

    /// <summary>Whoever still waits may go on.</summary>
    protected override void OnLastClose()
    {
        FlushAll();
        foreach (FileAlert alert in _queue.Concat(_asked.Values))
        {
            if (alert.Question is { } question)
                Answer(question, isDenied: false);
        }
        foreach (FileAlert alert in _queue)
            alert.Path?.Release();
        _queue.Clear();
        _asked.Clear();
        _world.AlertGroups--;
        _world.Settings.DroppedCaches.Changed -= Evict;
    }
}

/// <summary>Takes answers that were written to a group.</summary>
public delegate IoResult AlertResponder(FileAlertGroup group, ReadOnlySpan<byte> source);
