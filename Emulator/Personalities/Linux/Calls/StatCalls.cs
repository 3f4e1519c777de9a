using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>stat(2), statx(2), statfs(2), access(2) and their kin.</summary>
public static class StatCalls
{
    public static CallResult Stat(CallContext call, GuestAddress path, GuestAddress status) =>
        Newfstatat(call, Fcntl.AtCurrentDirectory, path, status, 0);

    public static CallResult Lstat(CallContext call, GuestAddress path, GuestAddress status) =>
        Newfstatat(call, Fcntl.AtCurrentDirectory, path, status, Fcntl.AtSymlinkNoFollow);

    public static CallResult Fstat(CallContext call, int fd, GuestAddress status) =>
        call.File(fd) is { } file ? Store(call, status, file.Inode.Status) : Errno.EBADF;

    public static CallResult Newfstatat(CallContext call, int dirfd, GuestAddress path, GuestAddress status, uint flags)
    {
        if ((flags & ~(Fcntl.AtSymlinkNoFollow | Fcntl.AtNoAutomount | Fcntl.AtEmptyPath)) != 0)
            return Errno.EINVAL;
        // C libraries' fstat arrives here with an empty path.
        if ((flags & Fcntl.AtEmptyPath) != 0 && dirfd >= 0 && call.Memory.TryRead(path, out byte first) && first == 0)
            return Fstat(call, dirfd, status);
        Errno error = call.Locate(dirfd, path, flags, out PathEntry entry);
        return error != Errno.None ? error : Store(call, status, entry.Inode.Status);
    }

    private static CallResult Store(CallContext call, GuestAddress address, in FileStatus status) =>
        LinuxArchitecture.Of(call.Thread).WriteStat(call.Memory, address, call.Inside(status)) ? CallResult.Ok() : Errno.EFAULT;

    public static CallResult Statx(CallContext call, int dirfd, GuestAddress path, uint flags, uint mask, GuestAddress buffer)
    {
        if ((mask & Abi.Statx.ReservedMask) != 0 || (flags & Fcntl.AtStatxSync) == Fcntl.AtStatxSync)
            return Errno.EINVAL;
        if ((flags & ~(Fcntl.AtSymlinkNoFollow | Fcntl.AtNoAutomount | Fcntl.AtEmptyPath | Fcntl.AtStatxSync)) != 0)
            return Errno.EINVAL;
        Errno error = call.Locate(dirfd, path, flags, out PathEntry entry);
        if (error != Errno.None)
            return error;
        bool isMountRoot = ReferenceEquals(entry.Dentry, entry.Mount.Root);
        Abi.Statx result = Abi.Statx.From(call.Inside(entry.Inode.Status), entry.Mount, isMountRoot, (mask & Abi.Statx.UniqueMountMask) != 0, entry.Inode);
        return call.Memory.TryWrite(buffer, result) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Statfs(CallContext call, GuestAddress path, GuestAddress buffer)
    {
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, path, 0, out PathEntry entry);
        return error != Errno.None ? error : StoreFileSystem(call, buffer, entry.Mount.FileSystem, entry.Mount);
    }

    public static CallResult Fstatfs(CallContext call, int fd, GuestAddress buffer)
    {
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        return StoreFileSystem(call, buffer, file.Path?.Mount.FileSystem ?? file.Inode.FileSystem, file.Path?.Mount);
    }

    private static CallResult StoreFileSystem(CallContext call, GuestAddress buffer, FileSystem? fileSystem, Mount? mount)
    {
        // Pipes, sockets and event files live in file systems without sizes: their magic number alone is told (PIPEFS_MAGIC).
        FileSystemStatus status = fileSystem?.Status ?? new FileSystemStatus { Magic = 0x50495045, BlockSize = 4096, NameLength = 255 };
        return call.Memory.TryWrite(buffer, StatFs.From(status, mount)) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Access(CallContext call, GuestAddress path, uint mode) =>
        Faccessat2(call, Fcntl.AtCurrentDirectory, path, mode, 0);

    public static CallResult Faccessat(CallContext call, int dirfd, GuestAddress path, uint mode) =>
        Faccessat2(call, dirfd, path, mode, 0);

    public static CallResult Faccessat2(CallContext call, int dirfd, GuestAddress path, uint mode, uint flags)
    {
        if ((mode & ~7u) != 0 || (flags & ~(Fcntl.AtEffectiveAccess | Fcntl.AtSymlinkNoFollow | Fcntl.AtEmptyPath)) != 0)
            return Errno.EINVAL;
        FileCredentials credentials = (flags & Fcntl.AtEffectiveAccess) != 0 ? call.Thread.FileCredentials : call.Thread.RealFileCredentials;
        Errno error = call.LocateAs(credentials, dirfd, path, flags & ~Fcntl.AtEffectiveAccess, out PathEntry entry);
        if (error != Errno.None)
            return error;
        FileAccessKind wanted = (FileAccessKind)mode;
        if ((wanted & FileAccessKind.Execute) != 0 && entry.Mount.NoExecute && entry.Inode.Kind == FileKind.Regular)
            return Errno.EACCES;
        if (wanted == FileAccessKind.None)
            return 0;
        error = Permission.Check(entry.Inode, wanted, credentials);
        bool writesReadOnly = (wanted & FileAccessKind.Write) != 0 && entry.Mount.IsReadOnly
            && entry.Inode.Kind is FileKind.Regular or FileKind.Directory or FileKind.SymbolicLink;
        return error == Errno.None && writesReadOnly ? Errno.EROFS : error;
    }

    /// <summary>A status with the owner's numbers of the caller's user name space.</summary>
    private static FileStatus Inside(this CallContext call, FileStatus status)
    {
        UserSpace users = call.Thread.Namespaces.Users;
        return users.Parent is null ? status : status with { User = users.UserInside(status.User), Group = users.GroupInside(status.Group) };
    }
}
