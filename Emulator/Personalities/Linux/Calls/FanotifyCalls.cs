using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>fanotify(7) as a view of <see cref="FileAlertGroup"/>.</summary>
public static class FanotifyCalls
{
    private const uint CloseOnExec = 1, NonBlocking = 2, ClassMask = 12, UnlimitedQueue = 0x10, UnlimitedMarks = 0x20;
    private const uint ReportProcess = 0x80, ReportThread = 0x100, ReportFile = 0x200, ReportDirectory = 0x400, ReportName = 0x800, ReportTarget = 0x1000, ReportErrors = 0x2000;
    private const uint Handles = ReportFile | ReportDirectory | ReportName | ReportTarget;
    private const uint Privileged = ClassMask | UnlimitedQueue | UnlimitedMarks | ReportProcess | ReportThread;
    private const uint KnownInit = CloseOnExec | NonBlocking | Privileged | Handles | ReportErrors;

    private const uint Add = 1, Remove = 2, DontFollow = 4, OnlyDirectory = 8, OfMount = 0x10, IgnoredMask = 0x20, IgnoredSurvives = 0x40, Flush = 0x80, OfFileSystem = 0x100;
    private const uint Evictable = 0x200, Ignore = 0x400;
    private const uint Commands = Add | Remove | Flush, Kinds = OfMount | OfFileSystem;
    private const uint KnownMark = Commands | Kinds | DontFollow | OnlyDirectory | IgnoredMask | IgnoredSurvives | Evictable | Ignore;

    /// <summary>O_ flags that the files of events may have.</summary>
    private const uint EventFlags = Fcntl.AccessMode | Fcntl.Append | Fcntl.NonBlocking | Fcntl.Sync | Fcntl.LargeFile | Fcntl.NoAccessTime | Fcntl.CloseOnExec;

    private const int MostPrior = 2;

    private const FileChange Flags = FileChange.IsDirectory | FileChange.OnChildren;
    private const FileChange WithDescriptor = FileChange.Accessed | FileChange.Modified | FileChange.ClosedWritable | FileChange.ClosedReadOnly | FileChange.Opened
        | FileChange.OpenedToExecute | FileAlertGroup.Questions;
    private const FileChange DirectoryOnly = FileChange.MovedFrom | FileChange.MovedTo | FileChange.Created | FileChange.Deleted | FileChange.Renamed | Flags;

    /// <summary>FAN_FS_ERROR: no file system here has errors of its own. FAN_PRE_ACCESS: none says that its files are filled by others (SB_I_ALLOW_HSM).</summary>
    private const FileChange FileSystemError = (FileChange)0x8000, BeforeAccess = (FileChange)0x100000;
    private const FileChange Known = FileChange.All | FileChange.OpenedToExecute | FileAlertGroup.Questions | FileChange.Renamed | FileSystemError | BeforeAccess | Flags;

    public static CallResult FanotifyInit(CallContext call, uint flags, uint eventFlags)
    {
        bool isPrivileged = call.Thread.Credentials.Has(Capability.Administer);
        if (!isPrivileged && ((flags & Privileged) != 0 || (flags & Handles) == 0))
            return Errno.EPERM;
        LinuxArchitecture architecture = LinuxArchitecture.Of(call.Thread);
        if (!IsWellFormed(flags) || (architecture.OpenFlags(eventFlags) & ~EventFlags) != 0 || (eventFlags & Fcntl.AccessMode) == 3)
            return Errno.EINVAL;
        if (call.World.AlertGroups >= call.World.Settings.AlertGroups.Value)
            return Errno.EMFILE;
        var report = (AlertReport)(((flags & ReportProcess) != 0 ? (uint)AlertReport.ProcessDescriptor : 0) | ((flags & (ReportThread | Handles | ReportErrors)) >> 7));
        var group = new FileAlertGroup(
            call.World, FanotifyFormat.Instance, report, (int)(flags & ClassMask) / 4, Fcntl.Decode(call, eventFlags), (flags & NonBlocking) != 0 ? OpenFlags.NonBlocking : OpenFlags.None)
        {
            Responder = FanotifyFormat.Respond, Asked = (flags, eventFlags | architecture.OpenFlags(Fcntl.LargeFile)), IsUnlimited = (flags & UnlimitedQueue) != 0, IsUnprivileged = !isPrivileged,
        };
        return PipeCalls.Install(call, group, (flags & CloseOnExec) != 0);
    }

    private static bool IsWellFormed(uint flags)
    {
        bool Has(uint flag) => (flags & flag) == flag;
        return (flags & ~KnownInit) == 0 && (flags & ClassMask) != ClassMask && !(Has(ReportProcess) && Has(ReportThread))
            && ((flags & Handles) == 0 || (flags & ClassMask) == 0)
            && (!Has(ReportName) || Has(ReportDirectory))
            && (!Has(ReportTarget) || (Has(ReportName) && Has(ReportFile)));
    }

    public static CallResult FanotifyMark(CallContext call, int fd, uint flags, ulong mask, int dirfd, GuestAddress path)
    {
        if (mask > uint.MaxValue || (flags & ~KnownMark) != 0 || (flags & Kinds) == Kinds)
            return Errno.EINVAL;
        uint command = flags & Commands;
        var wanted = (FileChange)(uint)mask;
        bool isCommand = command is Add or Remove ? wanted != FileChange.None : command == Flush && (flags & ~(Kinds | Flush)) == 0;
        if (!isCommand || (wanted & ~Known) != 0 || (flags & (IgnoredMask | Ignore)) == (IgnoredMask | Ignore))
            return Errno.EINVAL;
        if ((flags & IgnoredMask) != 0)
            wanted &= ~Flags;
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        if (file is not FileAlertGroup group)
            return Errno.EINVAL;
        if (group.IsUnprivileged && (flags & Kinds) != 0)
            return Errno.EPERM;
        bool hasHandles = (group.Report & AlertReport.Handles) != 0;
        bool isForPreparers = (wanted & BeforeAccess) != 0;
        bool cannotBeTold = (wanted & ~(WithDescriptor | BeforeAccess | Flags)) != 0 && (!hasHandles || (flags & OfMount) != 0);
        if (((wanted & FileAlertGroup.Questions) != 0 && group.Priority == 0) || (isForPreparers && group.Priority < MostPrior)
            || ((wanted & FileSystemError) != 0 && (flags & Kinds) != OfFileSystem) || ((flags & Evictable) != 0 && (flags & Kinds) != 0) || cannotBeTold
            || ((wanted & FileChange.Renamed) != 0 && (group.Report & AlertReport.Name) == 0) || (isForPreparers && (wanted & FileChange.IsDirectory) != 0))
            return Errno.EINVAL;
        if (command != Flush)
            return Change(call, group, flags, wanted, dirfd, path);
        FlushKind(group, flags);
        return 0;
    }

    private static void FlushKind(FileAlertGroup group, uint flags)
    {
        if ((flags & OfMount) != 0)
            group.Flush<Mount>();
        else if ((flags & OfFileSystem) != 0)
            group.Flush<FileSystem>();
        else
            group.Flush<Inode>();
    }

    private static CallResult Change(CallContext call, FileAlertGroup group, uint flags, FileChange wanted, int dirfd, GuestAddress path)
    {
        Errno error = Find(call, flags, dirfd, path, out PathEntry entry);
        if (error != Errno.None)
            return error;
        if ((flags & OnlyDirectory) != 0 && entry.Inode.Kind != FileKind.Directory)
            return Errno.ENOTDIR;
        error = Permission.Check(entry.Inode, FileAccessKind.Read, call.Thread.FileCredentials);
        if (error != Errno.None)
            return error;
        if (entry.Inode.FileSystem is not { } fileSystem)
            return Errno.EINVAL;
        error = MayBeAdded(group, flags, wanted, entry.Inode);
        if (error != Errno.None)
            return error;
        object marked = (flags & OfMount) != 0 ? entry.Mount : (flags & OfFileSystem) != 0 ? fileSystem : entry.Inode;
        bool isDirectoryMark = marked is Inode && entry.Inode.Kind == FileKind.Directory;
        bool isIgnore = (flags & (IgnoredMask | Ignore)) != 0;
        // Only what survives changes can be ignored of more than one file (FAN_MARK_IGNORE).
        if ((flags & (Ignore | Add)) == (Ignore | Add) && (flags & IgnoredSurvives) == 0 && (marked is not Inode || isDirectoryMark))
            return marked is Inode ? Errno.EISDIR : Errno.EINVAL;
        if (!isDirectoryMark)
            wanted &= ~FileChange.OnChildren;
        if ((flags & Remove) != 0)
            return Reduce(group, marked, wanted, isIgnore);
        // Who wants to know of directories learns of them with each file's change.
        if (!isDirectoryMark && !isIgnore && (group.Report & AlertReport.Directory) != 0)
            wanted |= FileChange.OnChildren;
        bool isNew = group.Find(marked) is null;
        if (!isNew && IsDowngraded(group.Find(marked)!, flags))
            return Errno.EEXIST;
        error = group.Mark(marked, fileSystem, out AlertMark mark);
        if (error != Errno.None)
            return error;
        fileSystem.Handle(entry.Dentry);
        mark.IsEvictable = (flags & Evictable) != 0 && (isNew || mark.IsEvictable);
        mark.KeepsIgnoring |= isIgnore && (flags & IgnoredSurvives) != 0;
        mark.IgnoresByFlags |= (flags & Ignore) != 0;
        (mark.Mask, mark.Ignored) = isIgnore ? (mark.Mask, mark.Ignored | wanted) : (mark.Mask | wanted, mark.Ignored);
        return 0;
    }

    /// <summary>What a file has no use for is an error to those who ask by the newer rules (fanotify_events_supported in fs/notify/fanotify/fanotify_user.c).</summary>
    private static Errno MayBeAdded(FileAlertGroup group, uint flags, FileChange wanted, Inode inode)
    {
        if ((flags & Add) == 0)
            return Errno.None;
        if ((wanted & BeforeAccess) != 0)
            return Errno.EOPNOTSUPP;
        bool isStrict = (group.Report & AlertReport.Target) != 0 || (wanted & FileChange.Renamed) != 0 || (flags & Ignore) != 0;
        return isStrict && (flags & Kinds) == 0 && inode.Kind != FileKind.Directory && (wanted & DirectoryOnly) != 0 ? Errno.ENOTDIR : Errno.None;
    }

    /// <summary>What was promised of a mark is not taken back (fanotify_may_update_existing_mark).</summary>
    private static bool IsDowngraded(AlertMark mark, uint flags) =>
        ((flags & Evictable) != 0 && !mark.IsEvictable) || ((flags & IgnoredMask) != 0 && mark.IgnoresByFlags)
        || ((flags & Ignore) != 0 && (flags & IgnoredSurvives) == 0 && mark.KeepsIgnoring);

    /// <summary>No path names the descriptor itself.</summary>
    private static Errno Find(CallContext call, uint flags, int dirfd, GuestAddress path, out PathEntry entry)
    {
        if (!path.IsNull)
            return call.Locate(dirfd, path, (flags & DontFollow) != 0 ? Fcntl.AtSymlinkNoFollow : 0, out entry);
        entry = null!;
        if (call.File(dirfd) is not { } file)
            return Errno.EBADF;
        entry = file.Path ?? call.World.Vfs.Unnamed(file.Inode, []);
        return Errno.None;
    }

    private static CallResult Reduce(FileAlertGroup group, object marked, FileChange unwanted, bool isIgnore)
    {
        if (group.Find(marked) is not { } mark)
            return Errno.ENOENT;
        (mark.Mask, mark.Ignored) = isIgnore ? (mark.Mask, mark.Ignored & ~unwanted) : (mark.Mask & ~unwanted, mark.Ignored);
        if (((mark.Mask | mark.Ignored) & ~Flags) == FileChange.None)
            group.Unmark(marked);
        return 0;
    }
}
