using System.Runtime.InteropServices;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Marks of files: file_getattr(2), file_setattr(2), ioctl_iflags(2).</summary>
public static class FileAttributeCalls
{
    private const uint GetFlags = 0x80086601, SetFlags = 0x40086602;

    /// <summary>FS_XFLAG_COMMON, the values that files have whatever their file system, and all values there are.</summary>
    private const ulong CommonExtended = 0x82F8, KnownExtended = 0x8001_FFFF;

    /// <summary>FS_XFLAG_PREALLOC, FS_XFLAG_HASATTR: told, and not looked at when set.</summary>
    private const ulong ToldExtended = 0x8000_0002;

    /// <summary>FS_IMMUTABLE_FL and its like; FS_XFLAG_IMMUTABLE and its like.</summary>
    private static readonly (FileMarks Mark, uint Flag, uint Extended)[] Names =
    [
        (FileMarks.Immutable, 0x10, 0x8), (FileMarks.AppendOnly, 0x20, 0x10), (FileMarks.NoDump, 0x40, 0x80), (FileMarks.NoAccessTime, 0x80, 0x40),
    ];

    /// <summary>struct file_attr.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct FileAttributes
    {
        public const int Size = 24;

        public ulong Flags;
        public uint ExtentSize;
        public uint Extents;
        public uint Project;
        public uint CopyExtentSize;
    }

    public static CallResult FileGetattr(CallContext call, int dirfd, GuestAddress path, GuestAddress attributes, ulong size, uint flags)
    {
        Errno error = Check(size, flags);
        if (error != Errno.None)
            return error;
        error = call.Locate(dirfd, path, flags, out PathEntry entry);
        if (error != Errno.None)
            return error;
        if (!entry.Inode.KeepsMarks)
            return Errno.EOPNOTSUPP;
        byte[] told = new byte[size];
        MemoryMarshal.Write(told, new FileAttributes { Flags = Encode(entry.Inode.Marks, isExtended: true) });
        return call.Memory.TryWrite(attributes, told) ? 0 : Errno.EFAULT;
    }

    public static CallResult FileSetattr(CallContext call, int dirfd, GuestAddress path, GuestAddress attributes, ulong size, uint flags)
    {
        Errno error = Check(size, flags);
        if (error != Errno.None)
            return error;
        byte[] bytes = new byte[size];
        if (!call.Memory.TryRead(attributes, bytes))
            return Errno.EFAULT;
        if (bytes.AsSpan(FileAttributes.Size).ContainsAnyExcept((byte)0))
            return Errno.E2BIG;
        FileAttributes wanted = MemoryMarshal.Read<FileAttributes>(bytes);
        if ((wanted.Flags & ~KnownExtended) != 0)
            return Errno.EINVAL;
        error = call.Locate(dirfd, path, flags, out PathEntry entry);
        if (error != Errno.None)
            return error;
        if (entry.IsReadOnly())
            return Errno.EROFS;
        // Sizes of extents and projects are some disks' file systems' own.
        bool isSpecial = (wanted.Flags & ~(CommonExtended | ToldExtended)) != 0 || wanted.ExtentSize != 0 || wanted.Project != 0 || wanted.CopyExtentSize != 0;
        return SetMarks(call, entry.Inode, Decode(wanted.Flags, isExtended: true, out _), isSpecial, Errno.EOPNOTSUPP);
    }

    private static Errno Check(ulong size, uint flags)
    {
        if ((flags & ~(Fcntl.AtSymlinkNoFollow | Fcntl.AtEmptyPath)) != 0)
            return Errno.EINVAL;
        if (size > GuestAddress.PageSize)
            return Errno.E2BIG;
        return size < FileAttributes.Size ? Errno.EINVAL : Errno.None;
    }

    /// <summary>FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, which read and write an int whatever they say; null for other requests.</summary>
    internal static CallResult? Control(CallContext call, OpenFile file, uint request, GuestAddress argument)
    {
        if (request is not (GetFlags or SetFlags) || file.Inode.Kind is not (FileKind.Regular or FileKind.Directory))
            return null;
        if (!file.Inode.KeepsMarks)
            return Errno.ENOTTY;
        if (request == GetFlags)
            return call.Memory.TryWrite(argument, (uint)Encode(file.Inode.Marks, isExtended: false)) ? 0 : Errno.EFAULT;
        if (!call.Memory.TryRead(argument, out uint wanted))
            return Errno.EFAULT;
        if (file.Path?.IsReadOnly() == true)
            return Errno.EROFS;
        FileMarks marks = Decode(wanted, isExtended: false, out ulong others);
        return SetMarks(call, file.Inode, marks, others != 0, Errno.ENOTTY);
    }

    /// <summary>Only the owner sets marks, and those that protect only who has the right to (chattr(1)). EOPNOTSUPP for what the file system does not keep.</summary>
    private static Errno SetMarks(CallContext call, Inode inode, FileMarks marks, bool isSpecial, Errno none)
    {
        if (!inode.KeepsMarks)
            return none;
        if (!Permission.IsOwner(inode.Status, call.Thread.FileCredentials))
            return Errno.EPERM;
        if (((marks ^ inode.Marks) & (FileMarks.Immutable | FileMarks.AppendOnly)) != 0 && !call.Thread.Credentials.Has(Capability.Immutable))
            return Errno.EPERM;
        return isSpecial ? Errno.EOPNOTSUPP : inode.SetMarks(marks);
    }

    private static ulong Encode(FileMarks marks, bool isExtended)
    {
        ulong flags = 0;
        foreach ((FileMarks mark, uint flag, uint extended) in Names)
            flags |= (marks & mark) != 0 ? isExtended ? extended : flag : 0;
        return flags;
    }

    private static FileMarks Decode(ulong flags, bool isExtended, out ulong others)
    {
        FileMarks marks = FileMarks.None;
        others = flags;
        foreach ((FileMarks mark, uint flag, uint extended) in Names)
        {
            ulong bit = isExtended ? extended : flag;
            marks |= (flags & bit) != 0 ? mark : FileMarks.None;
            others &= ~bit;
        }
        return marks;
    }
}
