using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>
/// name_to_handle_at(2) and open_by_handle_at(2): struct file_handle is a size, a type and that many bytes, here the inode's number
/// and a generation that is always 0 (FILEID_INO32_GEN has the same size).
/// </summary>
public static class HandleCalls
{
    private const uint HandleSize = 8;
    private const uint MostHandle = 128;
    private const int HandleType = 1;

    /// <summary>Flags of the type: a handle that is to be opened with its name (here all are), and that of a directory (FILEID_IS_CONNECTABLE, FILEID_IS_DIR).</summary>
    private const int IsConnectable = 0x10000, IsDirectory = 0x20000;

    public static CallResult NameToHandleAt(CallContext call, int dirfd, GuestAddress path, GuestAddress handle, GuestAddress mountId, uint flags)
    {
        const uint UniqueMount = 1, Connectable = 2, IdentifyOnly = 0x200;
        if ((flags & ~(Fcntl.AtSymlinkFollow | Fcntl.AtEmptyPath | UniqueMount | Connectable | IdentifyOnly)) != 0)
            return Errno.EINVAL;
        // What is only identified is not to be opened, and what has no name is not to be found by one.
        if ((flags & Connectable) != 0 && (flags & (IdentifyOnly | Fcntl.AtEmptyPath)) != 0)
            return Errno.EINVAL;
        uint walk = (flags & Fcntl.AtEmptyPath) | ((flags & Fcntl.AtSymlinkFollow) != 0 ? 0 : Fcntl.AtSymlinkNoFollow);
        Errno error = call.Locate(dirfd, path, walk, out PathEntry entry);
        if (error != Errno.None)
            return error;
        if (!call.Memory.TryRead(handle, out uint room))
            return Errno.EFAULT;
        if (room > MostHandle)
            return Errno.EINVAL;
        if (entry.Inode.FileSystem is not { } fileSystem || ((flags & Connectable) != 0 && !fileSystem.HandlesKeepNames))
            return Errno.EOPNOTSUPP;
        bool isStored = ((flags & UniqueMount) != 0 ? call.Memory.TryWrite(mountId, entry.Mount.UniqueId) : call.Memory.TryWrite(mountId, entry.Mount.Id)) && call.Memory.TryWrite(handle, HandleSize);
        if (!isStored)
            return Errno.EFAULT;
        if (room < HandleSize)
            return Errno.EOVERFLOW;
        fileSystem.Handle(entry.Dentry);
        int type = (flags & Connectable) == 0 ? HandleType : HandleType | IsConnectable | (entry.Inode.Kind == FileKind.Directory ? IsDirectory : 0);
        return call.Memory.TryWrite(handle + 4, type) && call.Memory.TryWrite(handle + 8, entry.Inode.Status.Inode) ? CallResult.Ok() : Errno.EFAULT;
    }

    public static CallResult OpenByHandleAt(CallContext call, int mountFd, GuestAddress handle, uint flags)
    {
        if (!call.Thread.FileCredentials.Has(FilePrivileges.ReadSearch))
            return Errno.EPERM;
        Mount mount = call.Process.FileContext.WorkingDirectory.Mount;
        if (mountFd != Fcntl.AtCurrentDirectory)
        {
            if (call.File(mountFd) is not { } file)
                return Errno.EBADF;
            if (file.Path is not { } place)
                return Errno.ESTALE;
            mount = place.Mount;
        }
        if (!call.Memory.TryRead(handle, out uint size) || !call.Memory.TryRead(handle + 4, out int type))
            return Errno.EFAULT;
        if (size is 0 or > MostHandle)
            return Errno.EINVAL;
        if (!call.Memory.TryRead(handle + 8, out ulong inode))
            return Errno.EFAULT;
        if ((type & ~(0xFFFF | IsConnectable | IsDirectory)) != 0)
            return Errno.EINVAL;
        if (size < HandleSize || (type & 0xFFFF) != HandleType || mount.FileSystem.FindHandled(inode) is not { } name)
            return Errno.ESTALE;
        if ((type & IsDirectory) != 0 && name.Inode is not { Kind: FileKind.Directory })
            return Errno.ESTALE;
        OpenFlags decoded = Fcntl.Decode(call, flags);
        Errno error = Vfs.OpenEntry(call.Caller(), new PathEntry(mount, name), decoded, out OpenFile? opened);
        if (error == Errno.EAGAIN && call.Sources.Count > 0)
            return call.Wait();
        return error != Errno.None ? error : OpenCalls.Install(call, opened!, (decoded & OpenFlags.CloseOnExec) != 0);
    }
}
