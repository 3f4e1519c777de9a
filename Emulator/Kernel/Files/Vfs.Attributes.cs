using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Files;

public sealed partial class Vfs
{
    /// <summary>chmod(2): only the owner; set-group-ID is lost for a group one is not in.</summary>
    public static Errno ChangeMode(FileCredentials credentials, Inode inode, PathEntry? path, uint mode)
    {
        if (IsReadOnly(path))
            return Errno.EROFS;
        FileStatus status = inode.Status;
        if (inode.IsProtected || !Permission.IsOwner(status, credentials))
            return Errno.EPERM;
        if (inode.Kind == FileKind.SymbolicLink)
            return Errno.EOPNOTSUPP;
        mode &= 0xFFF;
        if (!credentials.IsInGroup(status.Group) && !credentials.Has(FilePrivileges.KeepSetId))
            mode &= ~Permission.SetGroup;
        Errno error = Change(inode, path, new AttributeChange { Mode = mode });
        if (error == Errno.None && inode.AccessList is { } list)
            inode.SetAccessList(list.WithMode(mode), isDefault: false);
        return error;
    }

    /// <summary>
    /// Sets or drops an access control list. The mode's bits follow it, and a list that says no more than they do is not kept. EACCES for a default list where no
    /// directory is, EPERM for all but the owner.
    /// </summary>
    public static Errno SetAccessList(FileCredentials credentials, Inode inode, AccessList? list, bool isDefault)
    {
        if (inode.Kind == FileKind.SymbolicLink || inode.FileSystem is null)
            return Errno.EOPNOTSUPP;
        if (isDefault && inode.Kind != FileKind.Directory)
            return list is null ? Errno.None : Errno.EACCES;
        FileStatus status = inode.Status;
        if (!Permission.IsOwner(status, credentials))
            return Errno.EPERM;
        if (list is { IsValid: false })
            return Errno.EINVAL;
        if (isDefault)
            return inode.SetAccessList(list, isDefault);
        Errno error = inode.SetAccessList(list is { IsMode: true } ? null : list, isDefault);
        uint mode = list is null ? status.Mode : (status.Mode & ~0x1FFu) | list.Mode;
        if (!credentials.IsInGroup(status.Group) && !credentials.Has(FilePrivileges.KeepSetId))
            mode &= ~Permission.SetGroup;
        return error == Errno.None && mode != status.Mode ? inode.SetAttributes(new AttributeChange { Mode = mode }) : error;
    }

    /// <summary>chown(2): null keeps an owner. An unprivileged owner may give the file to a group of its own; set-id bits go.</summary>
    public static Errno ChangeOwner(FileCredentials credentials, Inode inode, PathEntry? path, uint? user, uint? group)
    {
        if (IsReadOnly(path))
            return Errno.EROFS;
        if (inode.IsProtected)
            return Errno.EPERM;
        FileStatus status = inode.Status;
        if (!credentials.Has(FilePrivileges.ChangeOwner))
        {
            if (user is { } newUser && (credentials.User != status.User || newUser != status.User))
                return Errno.EPERM;
            if (group is { } newGroup && (credentials.User != status.User || (newGroup != status.Group && !credentials.IsInGroup(newGroup))))
                return Errno.EPERM;
        }
        uint? mode = null;
        if (inode.Kind != FileKind.Directory && (status.Mode & (Permission.SetUser | Permission.SetGroup)) != 0)
        {
            mode = status.Mode & ~Permission.SetUser;
            if ((status.Mode & 8) != 0 || !(credentials.IsInGroup(status.Group) || credentials.Has(FilePrivileges.KeepSetId)))
                mode &= ~Permission.SetGroup;
            // Even a change to nothing changes the mode then, which only the owner may.
            if (mode != status.Mode && !Permission.IsOwner(status, credentials))
                return Errno.EPERM;
        }
        return Change(inode, path, new AttributeChange { User = user, Group = group, Mode = mode });
    }

    /// <summary>
    /// utimensat(2): null keeps a time. Explicit times need ownership; <paramref name="bothNow"/> only needs write permission.
    /// </summary>
    public static Errno ChangeTimes(FileCredentials credentials, Inode inode, PathEntry? path, long? access, long? modify, bool bothNow)
    {
        if (access is null && modify is null)
            return Errno.None;
        if (IsReadOnly(path))
            return Errno.EROFS;
        if (bothNow ? (inode.Marks & FileMarks.Immutable) != 0 : inode.IsProtected)
            return Errno.EPERM;
        if (!Permission.IsOwner(inode.Status, credentials))
        {
            if (!bothNow)
                return Errno.EPERM;
            Errno error = Permission.Check(inode, FileAccessKind.Write, credentials);
            if (error != Errno.None)
                return error;
        }
        return Change(inode, path, new AttributeChange { AccessTime = access, ModifyTime = modify });
    }

    /// <summary>truncate(2) by name: write permission, regular files only.</summary>
    public static Errno Truncate(FileCredentials credentials, PathEntry entry, long length, CallContext? call = null)
    {
        Inode inode = entry.Inode;
        if (inode.Kind == FileKind.Directory)
            return Errno.EISDIR;
        if (inode.Kind != FileKind.Regular)
            return Errno.EINVAL;
        if (entry.Mount.IsReadOnly)
            return Errno.EROFS;
        Errno error = Permission.Check(inode, FileAccessKind.Write, credentials);
        if (error == Errno.None && inode.IsProtected)
            error = Errno.EPERM;
        if (error == Errno.None && inode.Executors > 0)
            error = Errno.ETXTBSY;
        if (error == Errno.None)
            error = FileLeases.Break(call, inode, OpenFlags.Write);
        if (error == Errno.None && call?.Thread.Domain is { } domain)
            error = domain.Check(entry.Mount, entry.Dentry, FileRights.Truncate);
        if (error != Errno.None)
            return error;
        return Resize(credentials, inode, entry, length);
    }

    /// <summary>Changes the length of a file that may be written; set-id bits go as with a write.</summary>
    public static Errno Resize(FileCredentials credentials, Inode inode, PathEntry? path, long length) =>
        Change(inode, path, new AttributeChange { Size = length, Mode = DropSetId(inode.Status, credentials) });

    /// <summary>Changes attributes and says so. <paramref name="path"/> is the name that was used; null for objects without one.</summary>
    internal static Errno Change(Inode inode, PathEntry? path, in AttributeChange change)
    {
        Errno error = inode.SetAttributes(change);
        if (error != Errno.None || path is null)
            return error;
        FileChange told = FileChange.None;
        if ((change.User ?? change.Group ?? change.Mode) is not null || (change.AccessTime is not null && change.ModifyTime is not null))
            told |= FileChange.AttributesChanged;
        else if (change.AccessTime is not null)
            told |= FileChange.Accessed;
        if (change.Size is not null || (change.ModifyTime is not null && change.AccessTime is null))
            told |= FileChange.Modified;
        if (told != FileChange.None)
            FileNotifier.OnFile(path, told);
        return Errno.None;
    }

    private static bool IsReadOnly(PathEntry? path) => path is not null && (path.Mount.IsReadOnly || path.Mount.FileSystem.IsReadOnly);
}
