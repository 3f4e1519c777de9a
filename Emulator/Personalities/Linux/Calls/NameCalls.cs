using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Making, moving and removing names: mkdir(2), mknod(2), link(2), symlink(2), readlink(2), unlink(2), rename(2).</summary>
public static class NameCalls
{
    private const int Here = Fcntl.AtCurrentDirectory;

    public static CallResult Mkdir(CallContext call, GuestAddress path, uint mode) => Mkdirat(call, Here, path, mode);

    public static CallResult Mkdirat(CallContext call, int dirfd, GuestAddress path, uint mode) =>
        // The set-id bits of a new directory are not the caller's to give (mkdir(2)).
        Make(call, dirfd, path, FileKind.Directory, mode & 0x3FF, 0, null);

    public static CallResult Mknod(CallContext call, GuestAddress path, uint mode, uint device) => Mknodat(call, Here, path, mode, device);

    public static CallResult Mknodat(CallContext call, int dirfd, GuestAddress path, uint mode, uint device)
    {
        FileKind kind = (mode & FileType.Mask) == 0 ? FileKind.Regular : FileType.Decode(mode);
        if (kind == FileKind.Directory)
            return Errno.EPERM;
        if (kind is FileKind.Unknown or FileKind.SymbolicLink)
            return Errno.EINVAL;
        bool isDevice = kind is FileKind.CharacterDevice or FileKind.BlockDevice;
        return Make(call, dirfd, path, kind, mode & 0xFFF, isDevice ? device : 0, null);
    }

    public static CallResult Symlink(CallContext call, GuestAddress target, GuestAddress path) => Symlinkat(call, target, Here, path);

    public static CallResult Symlinkat(CallContext call, GuestAddress target, int dirfd, GuestAddress path)
    {
        Errno error = call.ReadPath(target, out byte[] text);
        if (error == Errno.None && text.Length == 0)
            error = Errno.ENOENT;
        return error != Errno.None ? error : Make(call, dirfd, path, FileKind.SymbolicLink, 0x1FF, 0, text);
    }

    private static CallResult Make(CallContext call, int dirfd, GuestAddress address, FileKind kind, uint mode, ulong device, byte[]? target)
    {
        Errno error = call.ReadPathAt(dirfd, address, out PathEntry @base, out byte[] path);
        return error != Errno.None ? error : call.World.Vfs.Make(call.Caller(), @base, path, kind, mode, device, target, out _);
    }

    public static CallResult Link(CallContext call, GuestAddress oldPath, GuestAddress newPath) => Linkat(call, Here, oldPath, Here, newPath, 0);

    public static CallResult Linkat(CallContext call, int oldDirfd, GuestAddress oldPath, int newDirfd, GuestAddress newPath, uint flags)
    {
        if ((flags & ~(Fcntl.AtSymlinkFollow | Fcntl.AtEmptyPath)) != 0)
            return Errno.EINVAL;
        uint walk = (flags & Fcntl.AtEmptyPath) | ((flags & Fcntl.AtSymlinkFollow) != 0 ? 0 : Fcntl.AtSymlinkNoFollow);
        Errno error = call.Locate(oldDirfd, oldPath, walk, out PathEntry source);
        if (error != Errno.None)
            return error;
        error = call.ReadPathAt(newDirfd, newPath, out PathEntry @base, out byte[] path);
        return error != Errno.None ? error : call.World.Vfs.Link(call.Caller(), source, @base, path);
    }

    public static CallResult Unlink(CallContext call, GuestAddress path) => Unlinkat(call, Here, path, 0);

    public static CallResult Rmdir(CallContext call, GuestAddress path) => Unlinkat(call, Here, path, Fcntl.AtRemoveDirectory);

    public static CallResult Unlinkat(CallContext call, int dirfd, GuestAddress address, uint flags)
    {
        if ((flags & ~Fcntl.AtRemoveDirectory) != 0)
            return Errno.EINVAL;
        Errno error = call.ReadPathAt(dirfd, address, out PathEntry @base, out byte[] path);
        if (error != Errno.None)
            return error;
        return (flags & Fcntl.AtRemoveDirectory) != 0
            ? call.World.Vfs.RemoveDirectory(call.Caller(), @base, path)
            : call.World.Vfs.Unlink(call.Caller(), @base, path);
    }

    public static CallResult Rename(CallContext call, GuestAddress oldPath, GuestAddress newPath) => Renameat2(call, Here, oldPath, Here, newPath, 0);

    public static CallResult Renameat(CallContext call, int oldDirfd, GuestAddress oldPath, int newDirfd, GuestAddress newPath) =>
        Renameat2(call, oldDirfd, oldPath, newDirfd, newPath, 0);

    public static CallResult Renameat2(CallContext call, int oldDirfd, GuestAddress oldPath, int newDirfd, GuestAddress newPath, uint flags)
    {
        const uint NoReplace = 1;
        const uint Exchange = 2;
        const uint Whiteout = 4;
        if ((flags & ~(NoReplace | Exchange | Whiteout)) != 0 || ((flags & Exchange) != 0 && (flags & (NoReplace | Whiteout)) != 0))
            return Errno.EINVAL;
        if ((flags & Whiteout) != 0 && !call.Thread.FileCredentials.Has(FilePrivileges.MakeDevice))
            return Errno.EPERM;
        Errno error = call.ReadPathAt(oldDirfd, oldPath, out PathEntry oldBase, out byte[] from);
        if (error != Errno.None)
            return error;
        error = call.ReadPathAt(newDirfd, newPath, out PathEntry newBase, out byte[] to);
        if (error != Errno.None)
            return error;
        RenameMode mode = (flags & ~Whiteout) switch { NoReplace => RenameMode.NoReplace, Exchange => RenameMode.Exchange, _ => RenameMode.Replace };
        return call.World.Vfs.Rename(call.Caller(), oldBase, from, newBase, to, mode, (flags & Whiteout) != 0);
    }

    public static CallResult Readlink(CallContext call, GuestAddress path, GuestAddress buffer, int size) =>
        Readlinkat(call, Here, path, buffer, size);

    public static CallResult Readlinkat(CallContext call, int dirfd, GuestAddress path, GuestAddress buffer, int size)
    {
        if (size <= 0)
            return Errno.EINVAL;
        Errno error = call.Locate(dirfd, path, Fcntl.AtSymlinkNoFollow | Fcntl.AtEmptyPath, out PathEntry entry);
        if (error != Errno.None)
            return error;
        if (entry.Inode.Kind != FileKind.SymbolicLink)
            return IsEmpty(call, path) ? Errno.ENOENT : Errno.EINVAL;
        error = entry.Inode.ReadLink(call, out byte[]? text);
        if (error != Errno.None)
            return error;
        ReadOnlySpan<byte> shown = text.AsSpan(0, Math.Min(text!.Length, size));
        return call.Memory.TryWrite(buffer, shown) ? shown.Length : Errno.EFAULT;
    }

    /// <summary>An empty path is only good for the link a descriptor stands for (readlink(2)).</summary>
    private static bool IsEmpty(CallContext call, GuestAddress path) => call.Memory.TryRead(path, out byte first) && first == 0;
}
