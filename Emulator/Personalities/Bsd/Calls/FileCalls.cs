using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.Bsd.Calls;

/// <summary>The status of files, and descriptors made with flags (stat(2), pipe2(2)).</summary>
public static class FileCalls
{
    public static CallResult Stat(CallContext call, GuestAddress path, GuestAddress status) => Stat(call, Fcntl.AtCurrentDirectory, path, status, 0);

    public static CallResult Lstat(CallContext call, GuestAddress path, GuestAddress status) => Stat(call, Fcntl.AtCurrentDirectory, path, status, Fcntl.AtSymlinkNoFollow);

    public static CallResult Fstat(CallContext call, int fd, GuestAddress status) =>
        call.File(fd) is { } file ? BsdPersonality.Of(call).Stat.Store(call, status, file.Inode.Status) : Errno.EBADF;

    public static CallResult Fstatat(CallContext call, int dirfd, GuestAddress path, GuestAddress status, uint flags)
    {
        const uint noFollow = 0x200, emptyPath = 0x4000;
        return FreeBsd.Calls.FileCalls.AtFlagsToLinux(flags, noFollow | emptyPath) is { } linux ? Stat(call, dirfd, path, status, linux) : Errno.EINVAL;
    }

    private static CallResult Stat(CallContext call, int dirfd, GuestAddress path, GuestAddress status, uint flags)
    {
        Errno error = call.Locate(dirfd, path, flags, out PathEntry entry);
        return error != Errno.None ? error : BsdPersonality.Of(call).Stat.Store(call, status, entry.Inode.Status);
    }

    public static CallResult Pipe2(CallContext call, GuestAddress descriptors, uint flags)
    {
        uint linux = BsdPersonality.Of(call).OpenFlags.ToLinux(flags);
        const uint nonBlocking = 0x800, closeOnExec = 0x80000;
        return (linux & ~(nonBlocking | closeOnExec)) != 0 ? Errno.EINVAL : PipeCalls.Pipe2(call, descriptors, (int)linux);
    }
}
