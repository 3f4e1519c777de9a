using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>How a rename treats an existing new name (renameat2(2)).</summary>
public enum RenameMode : byte
{
    Replace,
    NoReplace,
    Exchange,
}

public sealed partial class Vfs
{
    /// <summary>mkdir(2), mknod(2), symlink(2): makes a node of any kind but a link to an existing one.</summary>
    public Errno Make(in FileCaller caller, PathEntry @base, ReadOnlySpan<byte> path, FileKind kind, uint mode, ulong device, byte[]? target, out Inode? made)
    {
        made = null;
        PathWalk walk = new(caller, @base);
        Errno error = FindFree(ref walk, path, kind == FileKind.Directory, out Dentry entry);
        if (error != Errno.None)
            return error;
        error = caller.MayUse(walk.Mount, walk.Dentry, AccessDomain.MakingOf(kind));
        if (error != Errno.None)
            return error;
        error = MakeNode(caller, walk.Dentry, entry, NewNode(caller, walk.Dentry.Inode!, kind, mode, device, target));
        made = entry.Inode;
        return error;
    }

    /// <summary>link(2).</summary>
    public Errno Link(in FileCaller caller, PathEntry source, PathEntry @base, ReadOnlySpan<byte> path)
    {
        PathWalk walk = new(caller, @base);
        Errno error = FindFree(ref walk, path, wantDirectory: false, out Dentry entry);
        if (error != Errno.None)
            return error;
        if (!ReferenceEquals(source.Mount, walk.Mount))
            return Errno.EXDEV;
        error = caller.Call?.World.Settings.ProtectedHardLinks.Value == 0 ? Errno.None : MayLink(source.Inode, caller.Credentials);
        if (error == Errno.None)
            error = caller.MayMove(walk.Mount, source.Dentry, walk.Dentry, entry, removes: false, exchange: false);
        if (error == Errno.None)
            error = Permission.MayCreate(walk.Dentry.Inode!, caller.Credentials);
        if (error != Errno.None)
            return error;
        if (walk.Dentry.IsRemoved)
            return Errno.ENOENT;
        if (source.Inode.Kind == FileKind.Directory || source.Inode.IsProtected)
            return Errno.EPERM;
        error = walk.Dentry.Inode!.Link(entry.Name, source.Inode);
        if (error != Errno.None)
            return error;
        entry.Inode = source.Inode;
        FileNotifier.OnInode(source.Inode, FileChange.AttributesChanged);
        FileNotifier.OnLinks(source.Inode, 1);
        FileNotifier.OnName(walk.Dentry, FileChange.Created, entry.Name, source.Inode);
        return Errno.None;
    }

    /// <summary>As with /proc/sys/fs/protected_hardlinks 1, the usual setting: only the owner links what it could not write anyway (proc(5)).</summary>
    private static Errno MayLink(Inode inode, FileCredentials credentials)
    {
        FileStatus status = inode.Status;
        if (Permission.IsOwner(status, credentials))
            return Errno.None;
        bool safe = status.Kind == FileKind.Regular && (status.Mode & Permission.SetUser) == 0
            && (status.Mode & (Permission.SetGroup | 8)) != (Permission.SetGroup | 8)
            && Permission.Check(inode, FileAccessKind.Read | FileAccessKind.Write, credentials) == Errno.None;
        return safe ? Errno.None : Errno.EPERM;
    }

    /// <summary>unlink(2).</summary>
    public Errno Unlink(in FileCaller caller, PathEntry @base, ReadOnlySpan<byte> path)
    {
        PathWalk walk = new(caller, @base);
        Errno error = walk.ToParent(path);
        if (error != Errno.None)
            return error;
        if (walk.LastKind != LastKind.Normal)
            return Errno.EISDIR;
        if (walk.Mount.IsReadOnly)
            return Errno.EROFS;
        error = walk.FindLast(out Dentry entry);
        if (error != Errno.None)
            return error;
        if (walk.TrailingSlash)
            return entry.IsDirectory ? Errno.EISDIR : Errno.ENOTDIR;
        Inode directory = walk.Dentry.Inode!;
        error = caller.MayUse(walk.Mount, walk.Dentry, FileRights.RemoveFile);
        if (error == Errno.None)
            error = Permission.MayDelete(directory, entry.Inode!, wantDirectory: false, caller.Credentials);
        if (error == Errno.None && walk.Mount.On(entry) is not null)
            error = Errno.EBUSY;
        if (error == Errno.None)
            error = directory.Unlink(entry.Name, entry.Inode!);
        if (error != Errno.None)
            return error;
        FileNotifier.OnInode(entry.Inode!, FileChange.AttributesChanged);
        NoteRemoval(walk.Dentry, entry);
        return Errno.None;
    }

    /// <summary>rmdir(2).</summary>
    public Errno RemoveDirectory(in FileCaller caller, PathEntry @base, ReadOnlySpan<byte> path)
    {
        PathWalk walk = new(caller, @base);
        Errno error = walk.ToParent(path);
        if (error != Errno.None)
            return error;
        switch (walk.LastKind)
        {
            case LastKind.DotDot:
                return Errno.ENOTEMPTY;
            case LastKind.Dot:
                return Errno.EINVAL;
            case LastKind.Root:
                return Errno.EBUSY;
        }
        if (walk.Mount.IsReadOnly)
            return Errno.EROFS;
        error = walk.FindLast(out Dentry entry);
        if (error != Errno.None)
            return error;
        Inode directory = walk.Dentry.Inode!;
        error = caller.MayUse(walk.Mount, walk.Dentry, FileRights.RemoveDirectory);
        if (error == Errno.None)
            error = Permission.MayDelete(directory, entry.Inode!, wantDirectory: true, caller.Credentials);
        if (error == Errno.None && walk.Mount.On(entry) is not null)
            error = Errno.EBUSY;
        if (error == Errno.None)
            error = directory.RemoveDirectory(entry.Name, entry.Inode!);
        if (error == Errno.None)
            NoteRemoval(walk.Dentry, entry);
        return error;
    }

    /// <summary>A name was removed: the end of a file that nobody holds is told before it (d_delete_notify in fs/namei.c).</summary>
    private static void NoteRemoval(Dentry directory, Dentry entry)
    {
        FileNotifier.OnLinks(entry.Inode!, -1);
        entry.Remove();
        if (entry.Holders == 0)
            FileNotifier.OnNameReleased(entry);
        FileNotifier.OnName(directory, FileChange.Deleted, entry.Name, entry.Inode);
    }

    /// <summary>rename(2) and renameat2(2), with the kernel's order of checks. A whiteout is a device 0:0 under the old name.</summary>
    public Errno Rename(
        in FileCaller caller, PathEntry oldBase, ReadOnlySpan<byte> oldPath, PathEntry newBase, ReadOnlySpan<byte> newPath, RenameMode mode,
        bool leavesWhiteout = false)
    {
        PathWalk from = new(caller, oldBase);
        PathWalk to = new(caller, newBase);
        Errno error = from.ToParent(oldPath);
        if (error == Errno.None)
            error = to.ToParent(newPath);
        if (error != Errno.None)
            return error;
        if (!ReferenceEquals(from.Mount, to.Mount))
            return Errno.EXDEV;
        if (from.LastKind != LastKind.Normal)
            return Errno.EBUSY;
        if (to.LastKind != LastKind.Normal)
            return mode == RenameMode.NoReplace ? Errno.EEXIST : Errno.EBUSY;
        if (from.Mount.IsReadOnly)
            return Errno.EROFS;
        error = FindRenamed(ref from, ref to, mode, out Dentry source, out Dentry target);
        if (error != Errno.None)
            return error;
        error = caller.MayMove(from.Mount, source, to.Dentry, target, removes: true, mode == RenameMode.Exchange);
        if (error != Errno.None)
            return error;
        if (ReferenceEquals(source.Inode, target.Inode))
            return Errno.None;
        error = MayRename(caller, from.Dentry, source, to.Dentry, target, mode);
        if (error != Errno.None)
            return error;
        error = from.Dentry.Inode!.Rename(source.Name, source.Inode!, to.Dentry.Inode!, target.Name, target.Inode, mode == RenameMode.Exchange);
        if (error != Errno.None)
            return error;
        byte[] oldName = source.Name;
        MoveNames(source, to.Dentry, target, mode);
        NoteMove(from.Dentry, oldName, to.Dentry, source, target, mode);
        if (!leavesWhiteout)
            return Errno.None;
        NodeSpec whiteout = new(FileKind.CharacterDevice, 0, caller.Credentials.User, caller.Credentials.Group);
        return from.Dentry.Inode!.Make(oldName, whiteout, out _);
    }

    /// <summary>An exchange is told as two moves; a replaced file ends last, when its name is let go of.</summary>
    private void NoteMove(Dentry from, byte[] oldName, Dentry to, Dentry source, Dentry target, RenameMode mode)
    {
        if (mode == RenameMode.Exchange)
        {
            FileNotifier.OnMove(from, oldName, to, source.Name, source.Inode!, null, NewCookie);
            FileNotifier.OnMove(to, source.Name, from, target.Name, target.Inode!, null, NewCookie);
            return;
        }
        FileNotifier.OnMove(from, oldName, to, source.Name, source.Inode!, target.Inode, NewCookie);
        if (target.Inode is not null && target.Holders == 0)
            FileNotifier.OnNameReleased(target);
    }

    private uint NewCookie() => ++_lastCookie;

    private static Errno FindRenamed(ref PathWalk from, ref PathWalk to, RenameMode mode, out Dentry source, out Dentry target)
    {
        target = to.Dentry;
        Errno error = from.FindLast(out source);
        if (error != Errno.None)
            return error;
        error = to.FindLast(out target);
        if (error is not (Errno.None or Errno.ENOENT))
            return error;
        bool exists = error == Errno.None;
        if (!exists && ReferenceEquals(target, to.Dentry))
            return Errno.ENOENT;
        if (exists && mode == RenameMode.NoReplace)
            return Errno.EEXIST;
        if (!exists && mode == RenameMode.Exchange)
            return Errno.ENOENT;
        if (mode == RenameMode.Exchange && to.TrailingSlash && !target.IsDirectory)
            return Errno.ENOTDIR;
        if (!source.IsDirectory && (from.TrailingSlash || (mode != RenameMode.Exchange && to.TrailingSlash)))
            return Errno.ENOTDIR;
        if (source.IsAncestorOf(to.Dentry))
            return Errno.EINVAL;
        if (exists && target.IsAncestorOf(from.Dentry))
            return mode == RenameMode.Exchange ? Errno.EINVAL : Errno.ENOTEMPTY;
        return Errno.None;
    }

    private static Errno MayRename(in FileCaller caller, Dentry from, Dentry source, Dentry to, Dentry target, RenameMode mode)
    {
        FileCredentials credentials = caller.Credentials;
        bool isDirectory = source.IsDirectory;
        Errno error = Permission.MayDelete(from.Inode!, source.Inode!, isDirectory, credentials);
        if (error != Errno.None)
            return error;
        if (target.Inode is null)
            error = to.IsRemoved ? Errno.ENOENT : Permission.MayCreate(to.Inode!, credentials);
        else
            error = Permission.MayDelete(to.Inode!, target.Inode, mode == RenameMode.Exchange ? target.IsDirectory : isDirectory, credentials);
        if (error != Errno.None)
            return error;
        // Moving a directory elsewhere rewrites its "..".
        if (!ReferenceEquals(from, to))
        {
            if (isDirectory)
                error = Permission.Check(source.Inode!, FileAccessKind.Write, credentials);
            if (error == Errno.None && mode == RenameMode.Exchange && target.IsDirectory)
                error = Permission.Check(target.Inode!, FileAccessKind.Write, credentials);
            if (error != Errno.None)
                return error;
        }
        return source.MountCount != 0 || target.MountCount != 0 ? Errno.EBUSY : Errno.None;
    }

    private static void MoveNames(Dentry source, Dentry newParent, Dentry target, RenameMode mode)
    {
        if (mode == RenameMode.Exchange)
        {
            Dentry.Exchange(source, target);
            return;
        }
        byte[] name = target.Name;
        target.Remove();
        source.Move(newParent, name);
    }

    /// <summary>Walks to a name that must be free (filename_create): EEXIST before EROFS, ENOENT for "new/" unless a directory is made.</summary>
    private static Errno FindFree(ref PathWalk walk, ReadOnlySpan<byte> path, bool wantDirectory, out Dentry entry)
    {
        entry = walk.Dentry;
        Errno error = walk.ToParent(path);
        if (error != Errno.None)
            return error;
        if (walk.LastKind != LastKind.Normal)
            return Errno.EEXIST;
        error = walk.FindLast(out entry);
        if (error == Errno.None)
            return Errno.EEXIST;
        if (error != Errno.ENOENT || ReferenceEquals(entry, walk.Dentry))
            return error;
        if (walk.TrailingSlash && !wantDirectory)
            return Errno.ENOENT;
        return walk.Mount.IsReadOnly || walk.Dentry.Inode!.FileSystem is { IsReadOnly: true } ? Errno.EROFS : Errno.None;
    }
}
