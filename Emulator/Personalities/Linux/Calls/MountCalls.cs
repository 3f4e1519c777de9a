using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>mount(2) and umount2(2): memory file systems, binds, and changes of a mount's flags.</summary>
public static class MountCalls
{
    private const ulong ReadOnly = 1;
    private const ulong NoSetId = 2;
    private const ulong NoDevices = 4;
    private const ulong NoExecute = 8;
    private const ulong Remount = 32;
    private const ulong Bind = 4096;
    private const ulong Move = 8192;
    private const ulong Recursive = 16384;

    // MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED: mounts do not spread between name spaces here, as if all were private.
    private const ulong Propagation = 0x1E0000;

    public static CallResult Mount(CallContext call, GuestAddress source, GuestAddress target, GuestAddress type, ulong flags, GuestAddress data)
    {
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, target, 0, out PathEntry point);
        if (error != Errno.None)
            return error;
        if (!MayMount(call))
            return Errno.EPERM;
        if ((flags & Remount) != 0)
            return Change(point, flags);
        if ((flags & Bind) != 0)
            return BindAt(call, source, point, flags);
        if ((flags & Propagation) != 0)
            return 0;
        if ((flags & Move) != 0)
        {
            error = call.Locate(Fcntl.AtCurrentDirectory, source, 0, out PathEntry from);
            return error != Errno.None ? error : Vfs.MoveMount(from, point);
        }
        return MountNew(call, source, point, type, flags, data);
    }

    private static bool MayMount(CallContext call) =>
        call.Thread.FileCredentials.Has(FilePrivileges.Administer) && call.Thread.Namespaces.Rules(call.Thread.Namespaces.Mounts.Owner);

    public static CallResult PivotRoot(CallContext call, GuestAddress newRoot, GuestAddress putOld)
    {
        if (!MayMount(call))
            return Errno.EPERM;
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, newRoot, 0, out PathEntry root);
        if (error != Errno.None)
            return error;
        error = call.Locate(Fcntl.AtCurrentDirectory, putOld, 0, out PathEntry old);
        if (error != Errno.None)
            return error;
        if (root.Inode.Kind != FileKind.Directory || old.Inode.Kind != FileKind.Directory)
            return Errno.ENOTDIR;
        PathEntry before = call.Process.FileContext.Root;
        error = Vfs.PivotRoot(before, root, old);
        if (error == Errno.None)
            FollowRoot(call.World, before, root);
        return error;
    }

    /// <summary>All whose root or directory was the old one follow, as on Linux.</summary>
    private static void FollowRoot(World world, PathEntry before, PathEntry root)
    {
        foreach (Process process in world.Processes())
        {
            if (process.IsZombie)
                continue;
            if (process.FileContext.Root.IsSame(before))
                process.FileContext.Root = root;
            if (process.FileContext.WorkingDirectory.IsSame(before))
                process.FileContext.WorkingDirectory = root;
        }
    }

    private static CallResult Change(PathEntry point, ulong flags)
    {
        if (!ReferenceEquals(point.Dentry, point.Mount.Root))
            return Errno.EINVAL;
        point.Mount.SetFlags((flags & ReadOnly) != 0, (flags & NoSetId) != 0, (flags & NoDevices) != 0, (flags & NoExecute) != 0);
        return 0;
    }

    private static CallResult BindAt(CallContext call, GuestAddress source, PathEntry point, ulong flags)
    {
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, source, 0, out PathEntry from);
        if (error != Errno.None)
            return error;
        if (from.Inode.Kind == FileKind.Directory != (point.Inode.Kind == FileKind.Directory))
            return Errno.ENOTDIR;
        if ((flags & Recursive) != 0)
            call.World.Vfs.BindAll(point, from);
        else
            call.World.Vfs.MountAt(point, from.Mount.FileSystem, from.Mount.Source, from.Dentry, from.Mount.IsReadOnly);
        return 0;
    }

    private static CallResult MountNew(CallContext call, GuestAddress source, PathEntry point, GuestAddress type, ulong flags, GuestAddress data)
    {
        Errno error = call.ReadPath(type, out byte[] typeName);
        if (error != Errno.None)
            return error;
        byte[] sourceName = "none"u8.ToArray();
        if (!source.IsNull && (error = call.ReadPath(source, out sourceName)) != Errno.None)
            return error;
        Vfs vfs = call.World.Vfs;
        if (!vfs.FileSystemTypes.TryGetValue(Encoding.Latin1.GetString(typeName), out FileSystemMaker? make))
            return Errno.ENODEV;
        if (point.Inode.Kind != FileKind.Directory)
            return Errno.ENOTDIR;
        string text = "";
        if (!data.IsNull)
        {
            if (call.Memory.ReadCString(data, (int)GuestAddress.PageSize, out _) is not { } bytes)
                return Errno.EFAULT;
            text = Encoding.Latin1.GetString(bytes);
        }
        error = make(new FileSystemRequest(call, Encoding.Latin1.GetString(sourceName), MountOptions.Split(text)), out FileSystem? made);
        if (error != Errno.None)
            return error;
        Mount mount = vfs.MountAt(point, made!, Encoding.Latin1.GetString(sourceName));
        mount.SetFlags((flags & ReadOnly) != 0, (flags & NoSetId) != 0, (flags & NoDevices) != 0, (flags & NoExecute) != 0);
        return 0;
    }

    public static CallResult Umount2(CallContext call, GuestAddress target, uint flags)
    {
        const uint Detach = 2;
        const uint NoFollow = 8;
        if ((flags & ~0xFu) != 0)
            return Errno.EINVAL;
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, target, (flags & NoFollow) != 0 ? Fcntl.AtSymlinkNoFollow : 0, out PathEntry point);
        if (error != Errno.None)
            return error;
        if (!MayMount(call))
            return Errno.EPERM;
        return call.World.Vfs.Unmount(point, (flags & Detach) != 0);
    }
}
