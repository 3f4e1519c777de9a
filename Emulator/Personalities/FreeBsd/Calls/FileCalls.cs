using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Bsd.Abi;
using Vivarium.Emulator.Personalities.FreeBsd.Abi;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Linux.Calls;

namespace Vivarium.Emulator.Personalities.FreeBsd.Calls;

/// <summary>Opening files, their status and names: what differs from Linux's calls in its flags and structures.</summary>
public static class FileCalls
{
    private static BsdOpenFlags OpenFlags => FreeBsdPersonality.Instance.OpenFlags;

    public static CallResult Open(CallContext call, GuestAddress path, uint flags, uint mode) => Openat(call, Fcntl.AtCurrentDirectory, path, flags, mode);

    public static CallResult Openat(CallContext call, int dirfd, GuestAddress path, uint flags, uint mode)
    {
        if ((flags & 3) == 3)
            return Errno.EINVAL;
        CallResult result = OpenCalls.Open(call, dirfd, path, OpenFlags.Decode(flags), mode);
        // open(2), EMLINK: O_NOFOLLOW met a symbolic link.
        if (result.Error == Errno.ELOOP && BsdOpenFlags.FollowsNot(flags))
            return Errno.EMLINK;
        if (result.Outcome == CallOutcome.Value && BsdOpenFlags.LockOf(flags) is not 0 and var kind)
            return WithLock(call, (int)result.Value, kind, BsdOpenFlags.IsNonBlocking(flags));
        return result;
    }

    /// <summary>O_SHLOCK, O_EXLOCK: the lock is got with the descriptor, or neither.</summary>
    private static CallResult WithLock(CallContext call, int fd, int kind, bool isNonBlocking)
    {
        const int withoutWaiting = 4;
        CallResult locked = LockCalls.Flock(call, fd, (uint)(kind | withoutWaiting));
        if (locked.Outcome == CallOutcome.Value)
            return fd;
        call.Process.Files.Close(fd);
        if (isNonBlocking || locked.Error != Errno.EAGAIN)
            return locked;
        return Errno.EAGAIN;
    }

    /// <summary>AT_ flags: EACCESS, SYMLINK_NOFOLLOW, SYMLINK_FOLLOW, REMOVEDIR, EMPTY_PATH; null for unknown ones.</summary>
    internal static uint? AtFlagsToLinux(uint flags, uint allowed)
    {
        const uint effective = 0x100, noFollow = 0x200, follow = 0x400, removeDirectory = 0x800, resolveBeneath = 0x2000, emptyPath = 0x4000;
        if ((flags & ~(allowed | resolveBeneath)) != 0)
            return null;
        return ((flags & effective) != 0 ? Fcntl.AtEffectiveAccess : 0) | ((flags & noFollow) != 0 ? Fcntl.AtSymlinkNoFollow : 0)
            | ((flags & follow) != 0 ? Fcntl.AtSymlinkFollow : 0) | ((flags & removeDirectory) != 0 ? Fcntl.AtRemoveDirectory : 0)
            | ((flags & emptyPath) != 0 ? Fcntl.AtEmptyPath : 0);
    }

    private const uint NoFollow = 0x200, Follow = 0x400, RemoveDirectory = 0x800, EmptyPath = 0x4000, Effective = 0x100;

    public static CallResult Faccessat(CallContext call, int dirfd, GuestAddress path, uint mode, uint flags) =>
        AtFlagsToLinux(flags, Effective | NoFollow | EmptyPath) is { } linux ? StatCalls.Faccessat2(call, dirfd, path, mode, linux) : Errno.EINVAL;

    public static CallResult Fchmodat(CallContext call, int dirfd, GuestAddress path, uint mode, uint flags) =>
        AtFlagsToLinux(flags, NoFollow | EmptyPath) is { } linux ? AttributeCalls.Fchmodat2(call, dirfd, path, mode, linux) : Errno.EINVAL;

    public static CallResult Fchownat(CallContext call, int dirfd, GuestAddress path, uint user, uint group, uint flags) =>
        AtFlagsToLinux(flags, NoFollow | EmptyPath) is { } linux ? AttributeCalls.Fchownat(call, dirfd, path, user, group, linux) : Errno.EINVAL;

    public static CallResult Linkat(CallContext call, int fromFd, GuestAddress from, int toFd, GuestAddress to, uint flags) =>
        AtFlagsToLinux(flags, Follow | EmptyPath) is { } linux ? NameCalls.Linkat(call, fromFd, from, toFd, to, linux) : Errno.EINVAL;

    /// <summary>unlink(2) of a directory is EPERM, where Linux says EISDIR.</summary>
    public static CallResult Unlink(CallContext call, GuestAddress path)
    {
        CallResult result = NameCalls.Unlink(call, path);
        return result.Error == Errno.EISDIR ? Errno.EPERM : result;
    }

    public static CallResult Unlinkat(CallContext call, int dirfd, GuestAddress path, uint flags)
    {
        if (AtFlagsToLinux(flags, RemoveDirectory) is not { } linux)
            return Errno.EINVAL;
        CallResult result = NameCalls.Unlinkat(call, dirfd, path, linux);
        return result.Error == Errno.EISDIR ? Errno.EPERM : result;
    }

    public static CallResult Mkfifo(CallContext call, GuestAddress path, uint mode) => NameCalls.Mknod(call, path, 0x1000 | (mode & 0xFFF), 0);

    public static CallResult Utimensat(CallContext call, int dirfd, GuestAddress path, GuestAddress times, uint flags)
    {
        if (AtFlagsToLinux(flags, NoFollow | EmptyPath) is not { } linux)
            return Errno.EINVAL;
        return WithTimes(call, times, copy => AttributeCalls.Utimensat(call, dirfd, path, copy, linux));
    }

    public static CallResult Futimens(CallContext call, int fd, GuestAddress times) =>
        call.File(fd) is null ? Errno.EBADF : WithTimes(call, times, copy => AttributeCalls.Utimensat(call, fd, default, copy, 0));

    public static CallResult Futimes(CallContext call, int fd, GuestAddress times) =>
        call.File(fd) is null ? Errno.EBADF : AttributeCalls.Futimesat(call, fd, default, times);

    /// <summary>UTIME_NOW and UTIME_OMIT are -1 and -2 where Linux has numbers just below 2^30: for the shared handler they change in place.</summary>
    private static CallResult WithTimes(CallContext call, GuestAddress times, Func<GuestAddress, CallResult> set)
    {
        const long now = -1, omit = -2, linuxNow = (1L << 30) - 1, linuxOmit = (1L << 30) - 2;
        if (times.IsNull)
            return set(times);
        Span<long> given = stackalloc long[2];
        for (int i = 0; i < 2; i++)
        {
            if (!call.Memory.TryRead(times + (ulong)((16 * i) + 8), out given[i]))
                return Errno.EFAULT;
        }
        if (given[0] is not (now or omit) && given[1] is not (now or omit))
            return set(times);
        for (int i = 0; i < 2; i++)
        {
            if (given[i] is now or omit && !call.Memory.TryWrite(times + (ulong)((16 * i) + 8), given[i] == now ? linuxNow : linuxOmit))
                return Errno.EFAULT;
        }
        CallResult result = set(times);
        for (int i = 0; i < 2; i++)
            call.Memory.TryWrite(times + (ulong)((16 * i) + 8), given[i]);
        return result;
    }

    public static CallResult Freebsd11Stat(CallContext call, GuestAddress path, GuestAddress status) => OldStat(call, path, status, 0);

    public static CallResult Freebsd11Lstat(CallContext call, GuestAddress path, GuestAddress status) => OldStat(call, path, status, Fcntl.AtSymlinkNoFollow);

    public static CallResult Freebsd11Fstat(CallContext call, int fd, GuestAddress status) =>
        call.File(fd) is { } file ? BsdStat.FreeBsd11.Store(call, status, file.Inode.Status) : Errno.EBADF;

    private static CallResult OldStat(CallContext call, GuestAddress path, GuestAddress status, uint flags)
    {
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, path, flags, out PathEntry entry);
        return error != Errno.None ? error : BsdStat.FreeBsd11.Store(call, status, entry.Inode.Status);
    }

    public static CallResult Statfs(CallContext call, GuestAddress path, GuestAddress buffer)
    {
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, path, 0, out PathEntry entry);
        return error != Errno.None ? error : StoreFileSystem(call, buffer, entry);
    }

    public static CallResult Fstatfs(CallContext call, int fd, GuestAddress buffer) => call.File(fd) switch
    {
        null => Errno.EBADF,
        { Path: { } path } => StoreFileSystem(call, buffer, path),
        _ => Errno.EINVAL,
    };

    private static CallResult StoreFileSystem(CallContext call, GuestAddress buffer, PathEntry entry)
    {
        byte[] bytes = FreeBsdStatFs.Encode(entry.Mount);
        return call.Memory.TryWrite(buffer, bytes) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult Getdirentries(CallContext call, int fd, GuestAddress buffer, ulong count, GuestAddress position) =>
        List(call, fd, buffer, count, position, old: false);

    public static CallResult Freebsd11Getdirentries(CallContext call, int fd, GuestAddress buffer, uint count, GuestAddress position) =>
        List(call, fd, buffer, count, position, old: true);

    private static CallResult List(CallContext call, int fd, GuestAddress buffer, ulong count, GuestAddress position, bool old)
    {
        Errno error = call.UsableFile(fd, out OpenFile file);
        if (error != Errno.None)
            return error;
        if (file is not DirectoryFile directory)
            return Errno.EINVAL;
        if (!position.IsNull && !call.Memory.TryWrite(position, directory.Position))
            return Errno.EFAULT;
        using var records = new FreeBsdRecords(count, old);
        return records.Give(call, directory, buffer);
    }

    /// <summary>struct dirent: of 64-bit inodes, or as before FreeBSD 12.</summary>
    private sealed class FreeBsdRecords(ulong room, bool old) : DirectoryRecords(room)
    {
        private readonly int _header = old ? 8 : 24;

        protected override int SizeOf(int nameLength) => old ? (_header + nameLength + 4) & ~3 : (_header + nameLength + 8) & ~7;

        protected override void Write(Span<byte> record, ReadOnlySpan<byte> name, ulong inode, FileKind kind, ulong next)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(record, inode);
            if (!old)
                BinaryPrimitives.WriteUInt64LittleEndian(record[8..], next);
            BinaryPrimitives.WriteUInt32LittleEndian(record[(old ? 4 : 16)..], (uint)record.Length | (uint)FileType.DirectoryType(kind) << 16);
            if (old)
                record[7] = (byte)name.Length;
            else
                BinaryPrimitives.WriteUInt16LittleEndian(record[20..], (ushort)name.Length);
            name.CopyTo(record[_header..]);
        }
    }

    /// <summary>What is left to read is another amount afterwards, which watches of the file are told (vn_seek).</summary>
    public static CallResult Lseek(CallContext call, int fd, long offset, int whence)
    {
        CallResult result = ReadWriteCalls.Lseek(call, fd, offset, (uint)whence);
        if (result.Outcome == CallOutcome.Value)
            call.File(fd)!.Source.Pulse(Readiness.In);
        return result;
    }

    /// <summary>__getcwd(2): no length is told.</summary>
    public static CallResult Getcwd(CallContext call, GuestAddress buffer, ulong size)
    {
        CallResult result = DirectoryCalls.Getcwd(call, buffer, size);
        return result.Outcome == CallOutcome.Value ? CallResult.Ok() : result;
    }

    /// <summary>pathconf(2): _PC_LINK_MAX 1 … _PC_PIPE_BUF 6, _PC_CHOWN_RESTRICTED 7, _PC_NO_TRUNC 8, _PC_FILESIZEBITS 12, _PC_SYMLINK_MAX 18.</summary>
    public static CallResult Pathconf(CallContext call, GuestAddress path, int name)
    {
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, path, 0, out _);
        return error != Errno.None ? error : Limit(name);
    }

    public static CallResult Fpathconf(CallContext call, int fd, int name) => call.File(fd) is null ? Errno.EBADF : Limit(name);

    private static CallResult Limit(int name) => name switch
    {
        1 => 32767,
        2 => 255,
        3 => 255,
        4 => 255,
        5 => 1024,
        6 => 512,
        7 or 8 => 1,
        12 => 64,
        18 => 1024,
        _ => Errno.EINVAL,
    };
}
