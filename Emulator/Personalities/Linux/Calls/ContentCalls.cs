using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Whole contents: truncate(2), fallocate(2), fsync(2), advice.</summary>
public static class ContentCalls
{
    public static CallResult Truncate(CallContext call, GuestAddress path, long length)
    {
        if (length < 0)
            return Errno.EINVAL;
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, path, 0, out PathEntry entry);
        if (error == Errno.None)
            error = FileTransfer.LimitGrowth(call, entry.Inode, length);
        if (error == Errno.None)
            error = Vfs.Truncate(call.Thread.FileCredentials, entry, length, call);
        return error == Errno.EAGAIN ? call.Wait() : error;
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
        if (file.IsLengthFixed)
            return Errno.EACCES;
        if ((file.Inode.Marks & FileMarks.AppendOnly) != 0)
            return Errno.EPERM;
        error = FileTransfer.LimitGrowth(call, file.Inode, (long)length);
        return error != Errno.None ? error : Vfs.Resize(call.Thread.FileCredentials, file.Inode, file.Path, (long)length);
    }

    public static CallResult Fallocate(CallContext call, int fd, int mode, long offset, long length)
    {
        const int KeepSize = 1;
        Errno error = call.UsableFile(fd, out OpenFile file);
        if (error != Errno.None)
            return error;
        if (offset < 0 || length <= 0)
            return Errno.EINVAL;
        if (DecodeChange(mode & ~KeepSize, (mode & KeepSize) != 0) is not { } change)
            return Errno.EOPNOTSUPP;
        if (!file.CanWrite)
            return Errno.EBADF;
        if ((file.Inode.Marks & FileMarks.Immutable) != 0 || ((mode & ~KeepSize) != 0 && (file.Inode.Marks & FileMarks.AppendOnly) != 0))
            return Errno.EPERM;
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
        error = file.Inode.Allocate(offset, length, change, (mode & KeepSize) != 0);
        if (error == Errno.None)
            FileNotifier.OnFile(file, FileChange.Modified);
        return error;
    }

    /// <summary>FALLOC_FL_ modes: PUNCH_HOLE needs KEEP_SIZE, COLLAPSE_RANGE and INSERT_RANGE exclude it; nothing is shared that could be unshared.</summary>
    private static RangeChange? DecodeChange(int mode, bool keepsSize) => mode switch
    {
        0 or 0x40 => RangeChange.Reserve,
        2 when keepsSize => RangeChange.PunchHole,
        8 when !keepsSize => RangeChange.Collapse,
        0x10 => RangeChange.Zero,
        0x20 when !keepsSize => RangeChange.Insert,
        _ => null,
    };

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
        if (file is Kernel.Files.Devices.BlockFile block)
            return block.Device.Synchronize();
        return file.Inode.Kind is FileKind.Regular or FileKind.Directory or FileKind.BlockDevice ? file.Inode.Synchronize() : Errno.EINVAL;
    }

    public static CallResult Fdatasync(CallContext call, int fd) => Fsync(call, fd);

    public static CallResult Sync(CallContext call)
    {
        call.World.Vfs.Synchronize();
        return 0;
    }

    public static CallResult Syncfs(CallContext call, int fd)
    {
        Errno error = call.UsableFile(fd, out OpenFile file);
        return error != Errno.None ? error : file.Inode.FileSystem?.Synchronize() ?? Errno.None;
    }

    public static CallResult SyncFileRange(CallContext call, int fd, long offset, long count, uint flags)
    {
        const uint Known = 7;
        if (call.UsableFile(fd, out OpenFile file) != Errno.None)
            return Errno.EBADF;
        if ((flags & ~Known) != 0 || offset < 0 || count < 0 || offset > long.MaxValue - count)
            return Errno.EINVAL;
        return file.Inode.Kind is FileKind.Regular or FileKind.Directory or FileKind.BlockDevice ? CallResult.Ok() : Errno.ESPIPE;
    }

    /// <summary>Pages of a file in the page cache (cachestat(2)): all that it has, as memory is where a world's files are; written ones are never waited for.</summary>
    public static CallResult Cachestat(CallContext call, int fd, GuestAddress range, GuestAddress result, uint flags)
    {
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        if (!call.Memory.TryRead(range, out ulong offset) || !call.Memory.TryRead(range + 8, out ulong length))
            return Errno.EFAULT;
        if (flags != 0)
            return Errno.EINVAL;
        ReadOnlySpan<ulong> told = [file.Inode.Kind == FileKind.Regular ? CountPages(file.Inode, offset, length) : 0, 0, 0, 0, 0];
        return call.Memory.TryWrite(result, System.Runtime.InteropServices.MemoryMarshal.AsBytes(told)) ? 0 : Errno.EFAULT;
    }

    /// <summary>Pages with data of a range; a length of 0 means up to the end.</summary>
    private static ulong CountPages(Inode inode, ulong offset, ulong length)
    {
        const long page = (long)GuestAddress.PageSize;
        long size = inode.Status.Size;
        long at = (long)Math.Min(offset, (ulong)size) / page * page;
        long end = length == 0 || length > (ulong)size || offset + length > (ulong)size ? size : (long)(offset + length);
        ulong pages = 0;
        while (at < end)
        {
            long data = Math.Max(at, inode.NextData(at)) / page * page;
            if (data >= end)
                break;
            long hole = Math.Min(end, Math.Max(data + 1, inode.NextHole(data)));
            pages += (ulong)((hole + page - 1) / page - data / page);
            at = (hole + page - 1) / page * page;
        }
        return pages;
    }
}
