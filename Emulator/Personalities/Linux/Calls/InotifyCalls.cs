using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>inotify(7) as a view of <see cref="FileChangeQueue"/>.</summary>
public static class InotifyCalls
{
    private const uint NonBlocking = 0x800;
    private const uint CloseOnExec = 0x80000;

    public static CallResult InotifyInit(CallContext call) => InotifyInit1(call, 0);

    public static CallResult InotifyInit1(CallContext call, uint flags)
    {
        if ((flags & ~(NonBlocking | CloseOnExec)) != 0)
            return Errno.EINVAL;
        if (call.World.ChangeQueues >= call.World.Settings.ChangeQueues.Value)
            return Errno.EMFILE;
        OpenFlags status = (flags & NonBlocking) != 0 ? OpenFlags.NonBlocking : OpenFlags.None;
        return PipeCalls.Install(call, new FileChangeQueue(call.World, Inotify.Format, status), (flags & CloseOnExec) != 0);
    }

    public static CallResult InotifyAddWatch(CallContext call, int fd, GuestAddress pathname, uint mask) =>
        AddWatch(call, fd, Fcntl.AtCurrentDirectory, pathname, mask);

    /// <param name="dirfd">What the name is relative to.</param>
    internal static CallResult AddWatch(CallContext call, int fd, int dirfd, GuestAddress pathname, uint mask)
    {
        if ((mask & ~Inotify.Known) != 0 || mask == 0)
            return Errno.EINVAL;
        if (call.UsableFile(fd, out OpenFile file) != Errno.None)
            return Errno.EBADF;
        if ((mask & (Inotify.MaskAdd | Inotify.MaskCreate)) == (Inotify.MaskAdd | Inotify.MaskCreate) || file is not FileChangeQueue queue)
            return Errno.EINVAL;
        uint walk = (mask & Inotify.DontFollow) != 0 ? Fcntl.AtSymlinkNoFollow : 0;
        Errno error = call.Locate(dirfd, pathname, walk, out PathEntry entry);
        if (error != Errno.None)
            return error;
        if ((mask & Inotify.OnlyDirectory) != 0 && entry.Inode.Kind != FileKind.Directory)
            return Errno.ENOTDIR;
        error = Permission.Check(entry.Inode, FileAccessKind.Read, call.Thread.FileCredentials);
        if (error != Errno.None)
            return error;
        error = queue.Add(
            entry.Inode, (FileChange)mask & FileChange.All, (mask & Inotify.MaskAdd) != 0, (mask & Inotify.MaskCreate) != 0,
            (mask & Inotify.OneShot) != 0, (mask & Inotify.ExcludeUnlinked) != 0, out int number);
        return error != Errno.None ? error : number;
    }

    public static CallResult InotifyRmWatch(CallContext call, int fd, int number)
    {
        if (call.UsableFile(fd, out OpenFile file) != Errno.None)
            return Errno.EBADF;
        return file is FileChangeQueue queue ? queue.Remove(number) : Errno.EINVAL;
    }
}
