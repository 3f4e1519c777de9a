using System.Buffers;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Whole contents: truncate(2), fallocate(2), fsync(2), sendfile(2), copy_file_range(2), advice.</summary>
public static class ContentCalls
{
    private const int CopyBuffer = 1 << 16;

    public static CallResult Truncate(CallContext call, GuestAddress path, long length)
    {
        if (length < 0)
            return Errno.EINVAL;
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, path, 0, out PathEntry entry);
        return error != Errno.None ? error : Vfs.Truncate(call.Thread.FileCredentials, entry, length);
    }

    public static CallResult Ftruncate(CallContext call, int fd, ulong length)
    {
        if ((long)length < 0)
            return Errno.EINVAL;
        Errno error = call.UsableFile(fd, out OpenFile file);
        if (error != Errno.None)
            return error;
        if (file.Inode.Kind != FileKind.Regular || !file.CanWrite)
            return Errno.EINVAL;
        return Vfs.Resize(call.Thread.FileCredentials, file.Inode, file.Path, (long)length);
    }

    public static CallResult Fallocate(CallContext call, int fd, int mode, long offset, long length)
    {
        const int KeepSize = 1;
        const int PunchHole = 2;
        const int ZeroRange = 0x10;
        Errno error = call.UsableFile(fd, out OpenFile file);
        if (error != Errno.None)
            return error;
        if (offset < 0 || length <= 0)
            return Errno.EINVAL;
        if ((mode & ~(KeepSize | PunchHole | ZeroRange)) != 0 || (mode & (PunchHole | ZeroRange)) == (PunchHole | ZeroRange))
            return Errno.EOPNOTSUPP;
        if ((mode & (PunchHole | KeepSize)) == PunchHole)
            return Errno.EOPNOTSUPP;
        if (!file.CanWrite)
            return Errno.EBADF;
        switch (file.Inode.Kind)
        {
            case FileKind.Fifo:
                return Errno.ESPIPE;
            case FileKind.Directory:
                return Errno.EISDIR;
            case not FileKind.Regular:
                return Errno.ENODEV;
        }
        if (offset > long.MaxValue - length)
            return Errno.EFBIG;
        error = file.Inode.Allocate(offset, length, (mode & KeepSize) != 0, (mode & (PunchHole | ZeroRange)) != 0);
        if (error == Errno.None)
            FileNotifier.OnFile(file, FileChange.Modified);
        return error;
    }

    public static CallResult Fadvise64(CallContext call, int fd, long offset, ulong length, int advice)
    {
        const int LastAdvice = 5;
        if (call.UsableFile(fd, out OpenFile file) != Errno.None)
            return Errno.EBADF;
        if (file.Inode.Kind == FileKind.Fifo)
            return Errno.ESPIPE;
        return (long)length < 0 || advice is < 0 or > LastAdvice ? Errno.EINVAL : CallResult.Ok();
    }

    public static CallResult Readahead(CallContext call, int fd, long offset, ulong count)
    {
        if (call.UsableFile(fd, out OpenFile file) != Errno.None || !file.CanRead)
            return Errno.EBADF;
        return file.Inode.Kind is FileKind.Regular ? CallResult.Ok() : Errno.EINVAL;
    }

    public static CallResult Fsync(CallContext call, int fd)
    {
        if (call.UsableFile(fd, out OpenFile file) != Errno.None)
            return Errno.EBADF;
        return file.Inode.Kind is FileKind.Regular or FileKind.Directory or FileKind.BlockDevice ? file.Inode.Synchronize() : Errno.EINVAL;
    }

    public static CallResult Fdatasync(CallContext call, int fd) => Fsync(call, fd);

    public static CallResult Sync(CallContext call) => 0;

    public static CallResult Syncfs(CallContext call, int fd) => call.UsableFile(fd, out _);

    public static CallResult SyncFileRange(CallContext call, int fd, long offset, long count, uint flags)
    {
        const uint Known = 7;
        if (call.UsableFile(fd, out OpenFile file) != Errno.None)
            return Errno.EBADF;
        if ((flags & ~Known) != 0 || offset < 0 || count < 0 || offset > long.MaxValue - count)
            return Errno.EINVAL;
        return file.Inode.Kind is FileKind.Regular or FileKind.Directory or FileKind.BlockDevice ? CallResult.Ok() : Errno.ESPIPE;
    }

    public static CallResult Sendfile(CallContext call, int outFd, int inFd, GuestAddress offset, ulong count)
    {
        if (call.UsableFile(inFd, out OpenFile source) != Errno.None || !source.CanRead
            || call.UsableFile(outFd, out OpenFile target) != Errno.None || !target.CanWrite)
        {
            return Errno.EBADF;
        }
        long position = source.Position;
        if (!offset.IsNull)
        {
            if (!call.Memory.TryRead(offset, out position))
                return Errno.EFAULT;
            if (!source.CanSeek)
                return Errno.ESPIPE;
            if (position < 0)
                return Errno.EINVAL;
        }
        // The source must be a file with pages, and appending has no place to send to (sendfile(2)).
        if (!source.CanSeek || source.Inode.Kind == FileKind.Directory || (target.Flags & OpenFlags.Append) != 0)
            return Errno.EINVAL;
        CallResult result = Copy(call, source, position, target, -1, Math.Min(count, FileTransfer.MaxCount), out long copied);
        if (offset.IsNull)
            source.Position = position + copied;
        else if (!call.Memory.TryWrite(offset, position + copied))
            return Errno.EFAULT;
        return result;
    }

    public static CallResult CopyFileRange(CallContext call, int inFd, GuestAddress inOffset, int outFd, GuestAddress outOffset, ulong count, uint flags)
    {
        if (flags != 0)
            return Errno.EINVAL;
        if (call.UsableFile(inFd, out OpenFile source) != Errno.None || call.UsableFile(outFd, out OpenFile target) != Errno.None)
            return Errno.EBADF;
        long from = source.Position;
        long to = target.Position;
        if ((!inOffset.IsNull && !call.Memory.TryRead(inOffset, out from)) || (!outOffset.IsNull && !call.Memory.TryRead(outOffset, out to)))
            return Errno.EFAULT;
        Errno error = MayCopy(source, from, target, to, count);
        if (error != Errno.None)
            return error;
        CallResult result = Copy(call, source, from, target, to, Math.Min(count, FileTransfer.MaxCount), out long copied);
        if (inOffset.IsNull)
            source.Position = from + copied;
        if (outOffset.IsNull)
            target.Position = to + copied;
        bool stored = (inOffset.IsNull || call.Memory.TryWrite(inOffset, from + copied))
            && (outOffset.IsNull || call.Memory.TryWrite(outOffset, to + copied));
        return stored ? result : Errno.EFAULT;
    }

    private static Errno MayCopy(OpenFile source, long from, OpenFile target, long to, ulong count)
    {
        if (source.Inode.Kind == FileKind.Directory || target.Inode.Kind == FileKind.Directory)
            return Errno.EISDIR;
        if (source.Inode.Kind != FileKind.Regular || target.Inode.Kind != FileKind.Regular)
            return Errno.EINVAL;
        if (!source.CanRead || !target.CanWrite || (target.Flags & OpenFlags.Append) != 0)
            return Errno.EBADF;
        if (from < 0 || to < 0)
            return Errno.EINVAL;
        ulong limit = Math.Min(count, FileTransfer.MaxCount);
        bool overlaps = ReferenceEquals(source.Inode, target.Inode) && (ulong)Math.Abs(from - to) < limit;
        return overlaps ? Errno.EINVAL : Errno.None;
    }

    /// <summary>Copies through a buffer. Stops at the source's end; a blocking target is waited for only when nothing was copied.</summary>
    private static CallResult Copy(CallContext call, OpenFile source, long from, OpenFile target, long to, ulong count, out long copied)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyBuffer);
        copied = 0;
        CallResult? failure = null;
        while ((ulong)copied < count && failure is null)
        {
            int wanted = (int)Math.Min((ulong)buffer.Length, count - (ulong)copied);
            IoResult read = source.ReadAt(from + copied, buffer.AsSpan(0, wanted));
            if (read.Error != Errno.None)
                failure = read.Error;
            if (read.Count <= 0)
                break;
            ReadOnlySpan<byte> bytes = buffer.AsSpan(0, (int)read.Count);
            IoResult written = to < 0 ? target.Write(bytes) : target.WriteAt(to + copied, bytes);
            if (written.Error != Errno.None)
                failure = written.IsBlocked ? FileTransfer.Block(call, target) : FileTransfer.Fail(call, written.Error, copied);
            if (written.Count <= 0)
                break;
            copied += written.Count;
        }
        ArrayPool<byte>.Shared.Return(buffer);
        if (copied > 0)
        {
            FileNotifier.OnFile(source, FileChange.Accessed);
            FileNotifier.OnFile(target, FileChange.Modified);
        }
        return copied != 0 || failure is not { } result ? copied : result;
    }
}
