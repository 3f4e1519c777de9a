using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>read(2), write(2) and their vector and positioned forms; lseek(2).</summary>
public static class ReadWriteCalls
{
    // RWF_ flags of preadv2(2): HIPRI, DSYNC, SYNC, NOWAIT, APPEND, NOAPPEND, DONTCACHE; no file here writes atomically (RWF_ATOMIC).
    private const uint NoWait = 8;
    private const uint AppendFlag = 0x10;
    private const uint NoAppend = 0x20;
    private const uint KnownFlags = 0xBF;

    public static CallResult Read(CallContext call, int fd, GuestAddress buffer, ulong count) =>
        Readable(call, fd, out OpenFile file) ? MayAccess(call, file) ?? Accessed(file, FileTransfer.Read(call, file, buffer, count)) : Errno.EBADF;

    public static CallResult Write(CallContext call, int fd, GuestAddress buffer, ulong count) =>
        Writable(call, fd, out OpenFile file) ? Modified(file, FileTransfer.Write(call, file, buffer, count)) : Errno.EBADF;

    public static CallResult Readv(CallContext call, int fd, GuestAddress vectors, int count) =>
        Readable(call, fd, out OpenFile file) ? MayAccess(call, file) ?? AccessedByVector(file, FileTransfer.ReadVector(call, file, vectors, count)) : Errno.EBADF;

    public static CallResult Writev(CallContext call, int fd, GuestAddress vectors, int count) =>
        Writable(call, fd, out OpenFile file) ? Modified(file, FileTransfer.WriteVector(call, file, vectors, count)) : Errno.EBADF;

    public static CallResult Pread64(CallContext call, int fd, GuestAddress buffer, ulong count, long offset)
    {
        if (offset < 0)
            return Errno.EINVAL;
        Errno error = Positioned(call, fd, forWriting: false, out OpenFile file);
        return error != Errno.None ? error : MayAccess(call, file) ?? Accessed(file, FileTransfer.Read(call, file, buffer, count, offset));
    }

    public static CallResult Pwrite64(CallContext call, int fd, GuestAddress buffer, ulong count, long offset)
    {
        if (offset < 0)
            return Errno.EINVAL;
        Errno error = Positioned(call, fd, forWriting: true, out OpenFile file);
        return error != Errno.None ? error : Modified(file, FileTransfer.Write(call, file, buffer, count, offset));
    }

    /// <summary>The offset comes in two halves of which 64-bit systems use the first alone.</summary>
    public static CallResult Preadv(CallContext call, int fd, GuestAddress vectors, int count, ulong offset, ulong offsetHigh)
    {
        if ((long)offset < 0)
            return Errno.EINVAL;
        Errno error = Positioned(call, fd, forWriting: false, out OpenFile file);
        return error != Errno.None ? error : MayAccess(call, file) ?? AccessedByVector(file, FileTransfer.ReadVector(call, file, vectors, count, (long)offset));
    }

    public static CallResult Pwritev(CallContext call, int fd, GuestAddress vectors, int count, ulong offset, ulong offsetHigh)
    {
        if ((long)offset < 0)
            return Errno.EINVAL;
        Errno error = Positioned(call, fd, forWriting: true, out OpenFile file);
        return error != Errno.None ? error : Modified(file, FileTransfer.WriteVector(call, file, vectors, count, (long)offset));
    }

    /// <summary>Offset -1 means the file's position.</summary>
    public static CallResult Preadv2(CallContext call, int fd, GuestAddress vectors, int count, ulong offset, ulong offsetHigh, uint flags)
    {
        if ((flags & ~KnownFlags) != 0)
            return Errno.EOPNOTSUPP;
        if ((long)offset != -1)
            return Preadv(call, fd, vectors, count, offset, offsetHigh);
        bool isNever = (flags & NoWait) != 0 && Readable(call, fd, out OpenFile file) && file.Inode.Kind != FileKind.Regular
            && (file.Poll() & Readiness.In) == 0;
        return isNever ? Errno.EAGAIN : Readv(call, fd, vectors, count);
    }

    public static CallResult Pwritev2(CallContext call, int fd, GuestAddress vectors, int count, ulong offset, ulong offsetHigh, uint flags)
    {
        if ((flags & ~KnownFlags) != 0 || (flags & (AppendFlag | NoAppend)) == (AppendFlag | NoAppend))
            return (flags & ~KnownFlags) != 0 ? Errno.EOPNOTSUPP : Errno.EINVAL;
        if ((flags & (AppendFlag | NoAppend)) == 0 || !Writable(call, fd, out OpenFile file) || !file.CanSeek)
            return (long)offset == -1 ? Writev(call, fd, vectors, count) : Pwritev(call, fd, vectors, count, offset, offsetHigh);
        // For this one call; files that can seek never make it wait.
        OpenFlags before = file.Flags;
        file.Flags = (flags & AppendFlag) != 0 ? before | OpenFlags.Append : before & ~OpenFlags.Append;
        CallResult result = (long)offset == -1 ? Writev(call, fd, vectors, count) : Pwritev(call, fd, vectors, count, offset, offsetHigh);
        file.Flags = before;
        return result;
    }

    public static CallResult Lseek(CallContext call, int fd, long offset, uint whence)
    {
        Errno error = call.UsableFile(fd, out OpenFile file);
        if (error != Errno.None)
            return error;
        if (whence > 4)
            return Errno.EINVAL;
        if (!file.CanSeek)
            return file.IgnoresSeek ? CallResult.Ok() : Errno.ESPIPE;
        if (file.Inode.Kind == FileKind.CharacterDevice)
            return 0;
        long size = file.Size;
        long position;
        switch (whence)
        {
            case 0:
                position = offset;
                break;
            case 1:
                position = unchecked(file.Position + offset);
                break;
            case 2 when file.Inode.Kind == FileKind.Directory:
            case >= 2 when !file.SeeksFromEnd:
                return Errno.EINVAL;
            case 2:
                position = unchecked(size + offset);
                break;
            default:
                if (offset < 0 || offset >= size)
                    return Errno.ENXIO;
                position = file.Inode.Kind == FileKind.BlockDevice ? (whence == 3 ? offset : size) : whence == 3 ? file.Inode.NextData(offset) : file.Inode.NextHole(offset);
                if (whence == 3 && position >= size)
                    return Errno.ENXIO;
                break;
        }
        if (position < 0 || (file.Inode.Kind == FileKind.BlockDevice && position > size))
            return Errno.EINVAL;
        file.Position = position;
        return position;
    }

    /// <summary>What a read comes to when somebody must be asked first, or does not allow it (FAN_ACCESS_PERM); null to go on.</summary>
    internal static CallResult? MayAccess(CallContext call, OpenFile file)
    {
        if (file.Path is not { } path || file.IsUnwatched || file.AsksNobody)
            return null;
        Errno error = FileAlerts.Ask(call, path, FileChange.AccessAsked);
        return error == Errno.None ? null : error == Errno.EAGAIN ? call.Wait() : error;
    }

    private static CallResult Accessed(OpenFile file, CallResult result)
    {
        if (result.Outcome == CallOutcome.Value && result.Value > 0)
            FileNotifier.OnFile(file, FileChange.Accessed);
        return result;
    }

    /// <summary>Reading into vectors is an access even at the end of the file (vfs_readv in fs/read_write.c).</summary>
    private static CallResult AccessedByVector(OpenFile file, CallResult result)
    {
        if (result.Outcome == CallOutcome.Value)
            FileNotifier.OnFile(file, FileChange.Accessed);
        return result;
    }

    private static CallResult Modified(OpenFile file, CallResult result)
    {
        if (result.Outcome == CallOutcome.Value && result.Value > 0)
            FileNotifier.OnFile(file, FileChange.Modified);
        return result;
    }

    private static bool Readable(CallContext call, int fd, out OpenFile file)
    {
        file = call.File(fd)!;
        return file is { CanRead: true };
    }

    private static bool Writable(CallContext call, int fd, out OpenFile file)
    {
        file = call.File(fd)!;
        return file is { CanWrite: true };
    }

    private static Errno Positioned(CallContext call, int fd, bool forWriting, out OpenFile file)
    {
        Errno error = call.UsableFile(fd, out file);
        if (error != Errno.None)
            return error;
        if (!file.CanSeek)
            return Errno.ESPIPE;
        return forWriting ? (file.CanWrite ? Errno.None : Errno.EBADF) : file.CanRead ? Errno.None : Errno.EBADF;
    }
}
