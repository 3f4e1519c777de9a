using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Bsd;
using Vivarium.Emulator.Personalities.Linux.Abi;
using Vivarium.Emulator.Personalities.Linux.Calls;
using FreeBsdFiles = Vivarium.Emulator.Personalities.FreeBsd.Calls.FileCalls;
using LinuxDescriptors = Vivarium.Emulator.Personalities.Linux.Calls.DescriptorCalls;

namespace Vivarium.Emulator.Personalities.NetBsd.Calls;

/// <summary>Files and descriptors: what differs from the shared handlers in flags, structures and PAD arguments.</summary>
public static class FileCalls
{
    private static BsdOpenFlags Flags => NetBsdPersonality.Instance.OpenFlags;

    public static CallResult Open(CallContext call, GuestAddress path, uint flags, uint mode) => Openat(call, Linux.Abi.Fcntl.AtCurrentDirectory, path, flags, mode);

    public static CallResult Openat(CallContext call, int dirfd, GuestAddress path, uint flags, uint mode) =>
        (flags & 3) == 3 ? Errno.EINVAL : OpenCalls.Open(call, dirfd, path, Flags.Decode(flags), mode);

    public static CallResult Utimensat(CallContext call, int dirfd, GuestAddress path, GuestAddress times, uint flags)
    {
        const uint noFollow = 0x200;
        return FreeBsdFiles.AtFlagsToLinux(flags, noFollow) is { } linux ? AttributeCalls.Utimensat(call, dirfd, path, times, linux) : Errno.EINVAL;
    }

    public static CallResult Pread(CallContext call, int fd, GuestAddress buffer, ulong count, int pad, long offset) => ReadWriteCalls.Pread64(call, fd, buffer, count, offset);

    public static CallResult Pwrite(CallContext call, int fd, GuestAddress buffer, ulong count, int pad, long offset) => ReadWriteCalls.Pwrite64(call, fd, buffer, count, offset);

    public static CallResult Lseek(CallContext call, int fd, int pad, long offset, int whence) => FreeBsdFiles.Lseek(call, fd, offset, whence);

    public static CallResult Truncate(CallContext call, GuestAddress path, int pad, long length) => ContentCalls.Truncate(call, path, length);

    public static CallResult Ftruncate(CallContext call, int fd, int pad, ulong length) => ContentCalls.Ftruncate(call, fd, length);

    public static CallResult Fcntl(CallContext call, int fd, int command, ulong argument)
    {
        const uint linuxDuplicateCloseOnExec = 1030;
        switch (command)
        {
            case 0 or 1 or 2: // F_DUPFD, F_GETFD, F_SETFD
                return LinuxDescriptors.Fcntl(call, fd, (uint)command, argument);
            case 3: // F_GETFL
                return call.File(fd) is { } file ? (long)Flags.Encode(file) : Errno.EBADF;
            case 4: // F_SETFL
                return LinuxDescriptors.SetStatus(call, fd, Flags.Decode((uint)argument));
            case 5 or 6: // F_GETOWN, F_SETOWN
                return LinuxDescriptors.Fcntl(call, fd, command == 5 ? 9u : 8, argument);
            case 7 or 8 or 9: // F_GETLK, F_SETLK, F_SETLKW: struct flock is the beginning of FreeBSD's
                return FreeBsd.Calls.DescriptorCalls.Fcntl(call, fd, command + 4, argument);
            case 10: // F_CLOSEM
                return OpenCalls.CloseRange(call, (uint)Math.Max(0, fd), int.MaxValue, 0);
            case 11: // F_MAXFD
                return call.Process.Files.End - 1;
            case 12: // F_DUPFD_CLOEXEC
                return LinuxDescriptors.Fcntl(call, fd, linuxDuplicateCloseOnExec, argument);
            default:
                return call.File(fd) is null ? Errno.EBADF : Errno.EINVAL;
        }
    }

    /// <summary>dup3(2) of equal numbers is no error here.</summary>
    public static CallResult Dup3(CallContext call, int fd, int target, uint flags)
    {
        CallResult result = LinuxDescriptors.Dup2(call, fd, target);
        if (result.Outcome == CallOutcome.Value && fd != target)
            call.Process.Files.SetCloseOnExec(target, (Flags.ToLinux(flags) & Linux.Abi.Fcntl.CloseOnExec) != 0);
        return result;
    }

    public static CallResult Getdents30(CallContext call, int fd, GuestAddress buffer, ulong count)
    {
        Errno error = call.UsableFile(fd, out OpenFile file);
        if (error != Errno.None)
            return error;
        if (file is not DirectoryFile directory)
            return Errno.EINVAL;
        using var records = new NetBsdRecords(count);
        return records.Give(call, directory, buffer);
    }

    /// <summary>struct dirent: inode 8, length of the record 2, of the name 2, type 1, the name with its NUL; to multiples of 8.</summary>
    private sealed class NetBsdRecords(ulong room) : DirectoryRecords(room)
    {
        private const int Header = 13;

        protected override int SizeOf(int nameLength) => (Header + nameLength + 8) & ~7;

        protected override void Write(Span<byte> record, ReadOnlySpan<byte> name, ulong inode, FileKind kind, ulong next)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(record, inode);
            BinaryPrimitives.WriteUInt16LittleEndian(record[8..], (ushort)record.Length);
            BinaryPrimitives.WriteUInt16LittleEndian(record[10..], (ushort)name.Length);
            record[12] = FileType.DirectoryType(kind);
            name.CopyTo(record[Header..]);
        }
    }
}
