using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>getdents(2), getcwd(2), chdir(2), chroot(2), umask(2).</summary>
public static class DirectoryCalls
{
    public static CallResult Getdents64(CallContext call, int fd, GuestAddress buffer, uint count) => List(call, fd, buffer, count, old: false);

    public static CallResult Getdents(CallContext call, int fd, GuestAddress buffer, uint count) => List(call, fd, buffer, count, old: true);

    private static CallResult List(CallContext call, int fd, GuestAddress buffer, uint count, bool old)
    {
        Errno error = call.UsableFile(fd, out OpenFile file);
        if (error != Errno.None)
            return error;
        if (file is not DirectoryFile directory)
            return Errno.ENOTDIR;
        if (ReadWriteCalls.MayAccess(call, file) is { } refused)
            return refused;
        using var records = new LinuxRecords(count, old);
        return records.Give(call, directory, buffer);
    }

    public static CallResult Getcwd(CallContext call, GuestAddress buffer, ulong size)
    {
        FileContext context = call.Process.FileContext;
        if (context.WorkingDirectory.Dentry.IsRemoved)
            return Errno.ENOENT;
        byte[] path = context.WorkingDirectory.PathFrom(context.Root, out bool reachable);
        byte[] text = reachable ? [.. path, 0] : [.. "(unreachable)"u8, .. path, 0];
        if ((ulong)text.Length > size)
            return Errno.ERANGE;
        return call.Memory.TryWrite(buffer, text) ? text.Length : Errno.EFAULT;
    }

    public static CallResult Chdir(CallContext call, GuestAddress path)
    {
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, path, 0, out PathEntry entry);
        return error != Errno.None ? error : Enter(call, entry);
    }

    public static CallResult Fchdir(CallContext call, int fd)
    {
        if (call.File(fd) is not { } file)
            return Errno.EBADF;
        return file.Path is { } entry ? Enter(call, entry) : Errno.ENOTDIR;
    }

    private static CallResult Enter(CallContext call, PathEntry entry)
    {
        Errno error = MayEnter(call, entry);
        if (error == Errno.None)
            call.Process.FileContext.WorkingDirectory = entry;
        return error;
    }

    private static Errno MayEnter(CallContext call, PathEntry entry) => entry.Inode.Kind != FileKind.Directory
        ? Errno.ENOTDIR
        : Permission.Check(entry.Inode, FileAccessKind.Execute, call.Thread.FileCredentials);

    public static CallResult Chroot(CallContext call, GuestAddress path)
    {
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, path, 0, out PathEntry entry);
        if (error == Errno.None)
            error = MayEnter(call, entry);
        if (error != Errno.None)
            return error;
        if (!call.Thread.FileCredentials.Has(FilePrivileges.ChangeRoot))
            return Errno.EPERM;
        call.Process.FileContext.Root = entry;
        return 0;
    }

    public static CallResult Umask(CallContext call, uint mask)
    {
        FileContext context = call.Process.FileContext;
        uint old = context.CreationMask;
        context.CreationMask = mask & 0x1FF;
        return old;
    }

    /// <summary>struct linux_dirent64, or the old linux_dirent with the type in the last byte (getdents(2)).</summary>
    private sealed class LinuxRecords(uint room, bool old) : DirectoryRecords(room)
    {
        private readonly int _header = old ? 18 : 19;

        protected override int SizeOf(int nameLength) => (_header + nameLength + (old ? 2 : 1) + 7) & ~7;

        protected override void Write(Span<byte> record, ReadOnlySpan<byte> name, ulong inode, FileKind kind, ulong next)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(record, inode);
            BinaryPrimitives.WriteUInt64LittleEndian(record[8..], next);
            BinaryPrimitives.WriteUInt16LittleEndian(record[16..], (ushort)record.Length);
            record[old ? record.Length - 1 : 18] = FileType.DirectoryType(kind);
            name.CopyTo(record[_header..]);
        }
    }
}
