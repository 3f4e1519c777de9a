using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>What file calls share: descriptors, paths and the *at base decoded.</summary>
internal static class FileArguments
{
    /// <summary>PATH_MAX, with the NUL at the end.</summary>
    private const int MaxPath = 4096;

    public static FileCaller Caller(this CallContext call) => new(call.Process.FileContext, call.Thread.FileCredentials, call);

    /// <summary>The caller with real instead of effective ids, for access(2).</summary>
    public static FileCaller CallerWith(this CallContext call, FileCredentials credentials) => new(call.Process.FileContext, credentials, call);

    /// <summary>A descriptor's file for anything but naming: EBADF for none and for O_PATH.</summary>
    public static Errno UsableFile(this CallContext call, int fd, out OpenFile file)
    {
        file = call.File(fd)!;
        return file is null || (file.Flags & OpenFlags.PathOnly) != 0 ? Errno.EBADF : Errno.None;
    }

    /// <summary>Reads a path: EFAULT, ENAMETOOLONG.</summary>
    public static Errno ReadPath(this CallContext call, GuestAddress address, out byte[] path)
    {
        path = call.Memory.ReadCString(address, MaxPath, out bool tooLong)!;
        if (path is not null)
            return tooLong ? Errno.ENAMETOOLONG : Errno.None;
        path = [];
        return tooLong ? Errno.ENAMETOOLONG : Errno.EFAULT;
    }

    /// <summary>Where a path of an *at call starts. Absolute paths do not look at the descriptor.</summary>
    public static Errno BaseOf(this CallContext call, int dirfd, ReadOnlySpan<byte> path, out PathEntry @base)
    {
        FileContext context = call.Process.FileContext;
        @base = context.WorkingDirectory;
        if (dirfd == Fcntl.AtCurrentDirectory || (!path.IsEmpty && path[0] == (byte)'/'))
            return Errno.None;
        if (call.File(dirfd) is not { } file)
            return Errno.EBADF;
        if (file.Path is { } entry)
            @base = entry;
        else if (path.IsEmpty)
            @base = call.World.Vfs.Unnamed(file.Inode, []);
        else
            return Errno.ENOTDIR;
        return Errno.None;
    }

    /// <summary>Reads the path of an *at call and where it starts.</summary>
    public static Errno ReadPathAt(this CallContext call, int dirfd, GuestAddress address, out PathEntry @base, out byte[] path)
    {
        Errno error = call.ReadPath(address, out path);
        if (error == Errno.None)
            return call.BaseOf(dirfd, path, out @base);
        @base = call.Process.FileContext.Root;
        return error;
    }

    /// <summary>Finds what the path of an *at call names; <paramref name="flags"/> are AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH.</summary>
    public static Errno Locate(this CallContext call, int dirfd, GuestAddress address, uint flags, out PathEntry entry) =>
        call.LocateAs(call.Thread.FileCredentials, dirfd, address, flags, out entry);

    /// <summary>As <see cref="Locate"/>, with other credentials (access(2) uses the real ids).</summary>
    public static Errno LocateAs(
        this CallContext call, FileCredentials credentials, int dirfd, GuestAddress address, uint flags, out PathEntry entry)
    {
        entry = null!;
        // Linux takes a null path for an empty one here since 6.11.
        byte[] path = [];
        Errno error = address.IsNull && (flags & Fcntl.AtEmptyPath) != 0 ? Errno.None : call.ReadPath(address, out path);
        if (error == Errno.None)
            error = call.BaseOf(dirfd, path, out entry);
        if (error != Errno.None)
            return error;
        WalkFlags walk = (flags & Fcntl.AtSymlinkNoFollow) == 0 ? WalkFlags.Follow : WalkFlags.None;
        if ((flags & Fcntl.AtEmptyPath) != 0)
        {
            if (path.Length == 0)
                return Errno.None;
            walk |= WalkFlags.AllowEmpty;
        }
        error = call.World.Vfs.Resolve(call.CallerWith(credentials), entry, path, walk, out PathEntry? found);
        entry = found!;
        found?.Mount.NoteVisit();
        return error;
    }

    public static bool IsReadOnly(this PathEntry entry) => entry.Mount.IsReadOnly || entry.Mount.FileSystem.IsReadOnly;

    /// <summary>Is the object behind a descriptor on a read-only mount?</summary>
    public static bool IsOnReadOnlyMount(this OpenFile file) => file.Path is { } path && path.IsReadOnly();
}
