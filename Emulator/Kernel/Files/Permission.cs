namespace Vivarium.Emulator.Kernel.Files;

/// <summary>What an access wants; the values are access(2)'s.</summary>
[Flags]
public enum FileAccessKind : byte
{
    None = 0,
    Execute = 1,
    Write = 2,
    Read = 4,
}

/// <summary>Discretionary access checks, as path_resolution(7) and capabilities(7) describe them.</summary>
public static class Permission
{
    public const uint SetUser = 0x800;
    public const uint SetGroup = 0x400;
    public const uint Sticky = 0x200;
    private const uint AnyExecute = 0x49;

    /// <summary>EACCES unless the mode bits or a privilege grant everything wanted; EROFS for writing to a read-only file system.</summary>
    public static Errno Check(Inode inode, FileAccessKind wanted, FileCredentials credentials)
    {
        if ((wanted & FileAccessKind.Write) != 0 && inode.FileSystem is { IsReadOnly: true }
            && inode.Kind is FileKind.Regular or FileKind.Directory or FileKind.SymbolicLink)
        {
            return Errno.EROFS;
        }
        if ((wanted & FileAccessKind.Write) != 0 && (inode.Marks & FileMarks.Immutable) != 0)
            return Errno.EPERM;
        // The common case, searching a directory as root, needs no status.
        if (inode.Kind == FileKind.Directory && credentials.Has(FilePrivileges.OverrideAccess))
            return Errno.None;
        return Check(inode.Status, inode.AccessList, wanted, credentials);
    }

    private static Errno Check(in FileStatus status, AccessList? list, FileAccessKind wanted, FileCredentials credentials)
    {
        const uint group = 0x38;
        uint bits = status.Mode;
        // The group's bits are the list's mask: without any, nobody gets more than others do.
        if (list is not null && credentials.User != status.User && (bits & group) != 0)
            return list.Allows((uint)wanted, status.Group, credentials) || Overrides(status, wanted, credentials) ? Errno.None : Errno.EACCES;
        if (credentials.User == status.User)
            bits >>= 6;
        else if (credentials.IsInGroup(status.Group))
            bits >>= 3;
        if (((uint)wanted & ~bits & 7) == 0)
            return Errno.None;
        return Overrides(status, wanted, credentials) ? Errno.None : Errno.EACCES;
    }

    private static bool Overrides(in FileStatus status, FileAccessKind wanted, FileCredentials credentials)
    {
        bool isDirectory = status.Kind == FileKind.Directory;
        if (credentials.Has(FilePrivileges.ReadSearch)
            && (wanted == FileAccessKind.Read || (isDirectory && (wanted & FileAccessKind.Write) == 0)))
        {
            return true;
        }
        if (!credentials.Has(FilePrivileges.OverrideAccess))
            return false;
        return isDirectory || (wanted & FileAccessKind.Execute) == 0 || (status.Mode & AnyExecute) != 0;
    }

    public static bool IsOwner(in FileStatus status, FileCredentials credentials) =>
        credentials.User == status.User || credentials.Has(FilePrivileges.Owner);

    /// <summary>May a name be added to the directory (EACCES, EROFS)?</summary>
    public static Errno MayCreate(Inode directory, FileCredentials credentials) =>
        Check(directory, FileAccessKind.Write | FileAccessKind.Execute, credentials);

    /// <summary>May the name be removed or replaced: directory permission, sticky bit, kind.</summary>
    public static Errno MayDelete(Inode directory, Inode victim, bool wantDirectory, FileCredentials credentials)
    {
        Errno error = MayCreate(directory, credentials);
        if (error != Errno.None)
            return error;
        FileStatus parent = directory.Status;
        if ((parent.Mode & Sticky) != 0 && victim.Status.User != credentials.User && parent.User != credentials.User
            && !credentials.Has(FilePrivileges.Owner))
        {
            return Errno.EPERM;
        }
        if ((directory.Marks & FileMarks.AppendOnly) != 0 || victim.IsProtected || victim.IsSwapArea)
            return Errno.EPERM;
        if (wantDirectory)
            return victim.Kind == FileKind.Directory ? Errno.None : Errno.ENOTDIR;
        return victim.Kind == FileKind.Directory ? Errno.EISDIR : Errno.None;
    }
}
