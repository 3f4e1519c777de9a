using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>open(2) and its kin, close(2), close_range(2), memfd_create(2).</summary>
public static class OpenCalls
{
    private const uint ModeMask = 0xFFF;

    public static CallResult Open(CallContext call, GuestAddress path, uint flags, uint mode) =>
        Openat(call, Fcntl.AtCurrentDirectory, path, flags, mode);

    public static CallResult Creat(CallContext call, GuestAddress path, uint mode) =>
        Open(call, Fcntl.AtCurrentDirectory, path, OpenFlags.Create | OpenFlags.Truncate | OpenFlags.Write, mode);

    public static CallResult Openat(CallContext call, int dirfd, GuestAddress path, uint flags, uint mode) =>
        Open(call, dirfd, path, Fcntl.Decode(call, flags), mode);

    /// <summary>openat(2) of any system, whose flags are the kernel's already.</summary>
    internal static CallResult Open(CallContext call, int dirfd, GuestAddress path, OpenFlags flags, uint mode) =>
        Open(call, dirfd, path, flags, mode & ModeMask, WalkFlags.None);

    public static CallResult Openat2(CallContext call, int dirfd, GuestAddress path, GuestAddress how, ulong size)
    {
        const ulong KnownResolve = 0x3F;
        const ulong OldSize = 24;
        if (size < OldSize)
            return Errno.EINVAL;
        if (size > GuestAddress.PageSize)
            return Errno.E2BIG;
        if (!call.Memory.TryRead(how, out OpenHow request))
            return Errno.EFAULT;
        Span<byte> rest = stackalloc byte[(int)(size - OldSize)];
        if (!call.Memory.TryRead(how + OldSize, rest))
            return Errno.EFAULT;
        if (rest.ContainsAnyExcept((byte)0))
            return Errno.E2BIG;
        if ((request.Flags & ~(ulong)Fcntl.Known) != 0 || (request.Resolve & ~KnownResolve) != 0)
            return Errno.EINVAL;
        uint flags = LinuxArchitecture.Of(call.Thread).OpenFlags((uint)request.Flags);
        bool creates = (flags & (Fcntl.Create | Fcntl.TemporaryBit)) != 0;
        if (creates ? (request.Mode & ~(ulong)ModeMask) != 0 : request.Mode != 0)
            return Errno.EINVAL;
        if ((flags & Fcntl.PathOnly) != 0 && (flags & ~Fcntl.OfPaths) != 0)
            return Errno.EINVAL;
        if ((request.Resolve & 0x18) == 0x18)
            return Errno.EINVAL;
        // What must be found without waiting cannot be made (build_open_flags in fs/open.c).
        const ulong Cached = 0x20;
        if ((request.Resolve & Cached) != 0 && (flags & (Fcntl.Truncate | Fcntl.Create | Fcntl.TemporaryBit)) != 0)
            return Errno.EAGAIN;
        return Open(call, dirfd, path, Fcntl.Decode(flags), (uint)request.Mode, DecodeResolve(request.Resolve));
    }

    /// <summary>RESOLVE_ flags of openat2(2): NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, BENEATH, IN_ROOT; CACHED changes nothing here.</summary>
    private static WalkFlags DecodeResolve(ulong resolve)
    {
        WalkFlags flags = WalkFlags.None;
        if ((resolve & 1) != 0)
            flags |= WalkFlags.OneMount;
        if ((resolve & 2) != 0)
            flags |= WalkFlags.NoMagicLinks;
        if ((resolve & 4) != 0)
            flags |= WalkFlags.NoLinks | WalkFlags.NoMagicLinks;
        if ((resolve & 8) != 0)
            flags |= WalkFlags.Beneath;
        if ((resolve & 0x10) != 0)
            flags |= WalkFlags.InRoot;
        return flags;
    }

    private static CallResult Open(CallContext call, int dirfd, GuestAddress address, OpenFlags flags, uint mode, WalkFlags walk)
    {
        bool isTemporary = (flags & OpenFlags.Temporary) != 0, isDirectory = (flags & OpenFlags.Directory) != 0, creates = (flags & OpenFlags.Create) != 0;
        if (isTemporary && (!isDirectory || (flags & OpenFlags.ReadWrite) == OpenFlags.Read || creates))
            return Errno.EINVAL;
        if (creates && isDirectory)
            return Errno.EINVAL;
        Errno error = call.ReadPath(address, out byte[] path);
        PathEntry @base = call.Process.FileContext.WorkingDirectory;
        // Below a root of its own, an absolute path starts at the descriptor, too.
        if (error == Errno.None)
            error = call.BaseOf(dirfd, (walk & WalkFlags.InRoot) != 0 ? default : path, out @base);
        if (error != Errno.None)
            return error;
        if (path.Length == 0)
            return Errno.ENOENT;
        error = call.World.Vfs.Open(call.Caller(), @base, path, flags, mode, walk, out OpenFile? file);
        if (error == Errno.EAGAIN && call.Sources.Count > 0)
            return call.Wait();
        if (error != Errno.None)
            return error;
        // It was opened, and then is not (do_dentry_open in fs/open.c).
        if ((flags & OpenFlags.Packets) != 0 && !Fcntl.CanBeDirect(file!))
        {
            file!.Release();
            return Errno.EINVAL;
        }
        return Install(call, file!, (flags & OpenFlags.CloseOnExec) != 0);
    }

    public static CallResult Close(CallContext call, int fd) => call.Process.Files.Close(fd);

    public static CallResult CloseRange(CallContext call, uint first, uint last, uint flags)
    {
        const uint Unshare = 2;
        const uint CloseOnExec = 4;
        if ((flags & ~(Unshare | CloseOnExec)) != 0 || first > last)
            return Errno.EINVAL;
        if ((flags & Unshare) != 0)
            call.Process.UnshareFiles();
        FileTable table = call.Process.Files;
        for (int fd = (int)Math.Min(first, int.MaxValue); fd < table.End && (uint)fd <= last; fd++)
        {
            if (table.Get(fd) is null)
                continue;
            if ((flags & CloseOnExec) != 0)
                table.SetCloseOnExec(fd, true);
            else
                table.Close(fd);
        }
        return 0;
    }

    public static CallResult MemfdCreate(CallContext call, GuestAddress name, uint flags)
    {
        const uint CloseOnExec = 1, AllowSealing = 2, NoExecuteSeal = 8, Execute = 16;
        const uint Known = CloseOnExec | AllowSealing | NoExecuteSeal | Execute;
        const int MaxName = 250;
        if ((flags & ~Known) != 0 || (flags & (NoExecuteSeal | Execute)) == (NoExecuteSeal | Execute))
            return Errno.EINVAL;
        byte[]? text = call.Memory.ReadCString(name, MaxName, out bool tooLong);
        if (tooLong)
            return Errno.EINVAL;
        if (text is null)
            return Errno.EFAULT;
        Vfs vfs = call.World.Vfs;
        FileCredentials credentials = call.Thread.FileCredentials;
        bool isNoExecute = (flags & NoExecuteSeal) != 0;
        FileSeals seals = isNoExecute ? FileSeals.Execute : (flags & AllowSealing) != 0 ? FileSeals.None : FileSeals.Seal;
        NodeSpec spec = new(FileKind.Regular, isNoExecute ? 0x1B6u : 0x1FF, credentials.User, credentials.Group, IsNeverNamed: true, Seals: seals);
        Errno error = vfs.UnnamedFiles!.Root.MakeUnnamed(spec, out Inode? inode);
        OpenFile? file = null;
        if (error == Errno.None)
            error = inode!.Open(vfs.Unnamed(inode, [.. "memfd:"u8, .. text]), OpenFlags.ReadWrite, call, out file);
        return error != Errno.None ? error : Install(call, file!, (flags & CloseOnExec) != 0);
    }

    public static CallResult MemfdSecret(CallContext call, uint flags)
    {
        const uint closeOnExec = 0x80000;
        return (flags & ~closeOnExec) != 0 ? Errno.EINVAL : Install(call, new SecretFile(call.World), flags != 0);
    }

    /// <summary>Gives a new description the lowest free number, or drops it (EMFILE).</summary>
    internal static CallResult Install(CallContext call, OpenFile file, bool closeOnExec)
    {
        Errno error = call.Process.Files.Add(file, closeOnExec, out int fd);
        if (error == Errno.None)
            return fd;
        file.Release();
        return error;
    }
}
