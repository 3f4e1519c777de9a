using System.Text;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>mount(2), umount2(2), pivot_root(2).</summary>
public static class MountCalls
{
    private const ulong Silent = 32768, Remount = 32, Bind = 4096, Move = 8192, Recursive = 16384;
    private const ulong Unbindable = 1 << 17, Private = 1 << 18, Slave = 1 << 19, Shared = 1 << 20;
    private const ulong AccessTimes = (1 << 10) | (1 << 11) | (1 << 21) | (1 << 24);
    private const MountFlags KeptByRemount = MountFlags.NoAccessTime | MountFlags.NoDirectoryAccessTime | MountFlags.StrictAccessTime;
    private const ulong PropagationFlags = Unbindable | Private | Slave | Shared;

    private static readonly (ulong Flag, MountFlags Means)[] FlagNames =
    [
        (1, MountFlags.ReadOnly), (2, MountFlags.NoSetId), (4, MountFlags.NoDevices), (8, MountFlags.NoExecute), (1024, MountFlags.NoAccessTime),
        (2048, MountFlags.NoDirectoryAccessTime), (1 << 24, MountFlags.StrictAccessTime), (256, MountFlags.NoLinks),
    ];

    public static CallResult Mount(CallContext call, GuestAddress source, GuestAddress target, GuestAddress type, ulong flags, GuestAddress data)
    {
        Errno error = ReadText(call, data, out string options);
        if (error != Errno.None)
            return error;
        error = call.Locate(Fcntl.AtCurrentDirectory, target, 0, out PathEntry point);
        if (error != Errno.None)
            return error;
        if (!MayMount(call))
            return Errno.EPERM;
        if ((flags & Remount) != 0)
            return Change(call, point, flags, options);
        if ((flags & PropagationFlags) != 0 && (flags & Bind) == 0)
            return Spread(point, flags);
        if (point.Inode is Kernel.Files.Proc.ProcLink { IsMagic: true })
            return Errno.ENOENT;
        if ((flags & (Bind | Move)) == 0)
            return MountNew(call, source, point, type, flags, options);
        error = source.IsNull ? Errno.EINVAL : call.ReadPath(source, out byte[] name) is not Errno.None and var unreadable ? unreadable : name.Length == 0 ? Errno.EINVAL : Errno.None;
        if (error != Errno.None)
            return error;
        error = call.Locate(Fcntl.AtCurrentDirectory, source, 0, out PathEntry from);
        if (error != Errno.None)
            return error;
        return (flags & Bind) != 0 ? BindAt(call.World.Vfs, from, point, (flags & Recursive) != 0) : call.World.Vfs.MoveMount(from, point);
    }

    /// <summary>Nobody changes mounts under rules that name places by them (landlock(7)).</summary>
    internal static bool MayMount(CallContext call) => call.Thread.Domain is not { HandlesFiles: true } && Administers(call);

    private static bool Administers(CallContext call) =>
        call.Thread.FileCredentials.Has(FilePrivileges.Administer) && call.Thread.Namespaces.Rules(call.Thread.Namespaces.Mounts.Owner);

    private static Errno ReadText(CallContext call, GuestAddress data, out string text)
    {
        text = "";
        if (data.IsNull)
            return Errno.None;
        byte[]? bytes = call.Memory.ReadCString(data, (int)GuestAddress.PageSize, out bool tooLong);
        if (bytes is null && !tooLong)
            return Errno.EFAULT;
        text = Encoding.Latin1.GetString(bytes ?? []);
        return Errno.None;
    }

    internal static MountFlags Decode(ulong flags)
    {
        MountFlags decoded = MountFlags.None;
        foreach ((ulong flag, MountFlags means) in FlagNames)
            decoded |= (flags & flag) != 0 ? means : MountFlags.None;
        return (decoded & MountFlags.StrictAccessTime) != 0 ? decoded & ~MountFlags.NoAccessTime : decoded;
    }

    private static CallResult Spread(PathEntry point, ulong flags)
    {
        ulong wanted = flags & ~(Recursive | Silent);
        if (!ReferenceEquals(point.Dentry, point.Mount.Root) || (wanted & ~PropagationFlags) != 0 || (wanted & (wanted - 1)) != 0)
            return Errno.EINVAL;
        Propagation propagation = Propagations(wanted);
        foreach (Mount mount in (flags & Recursive) != 0 ? Vfs.Tree(point.Mount).ToArray() : [point.Mount])
            mount.SetPropagation(propagation);
        return 0;
    }

    internal static Propagation Propagations(ulong flag) => flag switch
    {
        Shared => Propagation.Shared,
        Slave => Propagation.Slave,
        Unbindable => Propagation.Unbindable,
        _ => Propagation.Private,
    };

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

    /// <summary>With MS_BIND the mount alone changes; otherwise its file system as well.</summary>
    private static CallResult Change(CallContext call, PathEntry point, ulong flags, string options)
    {
        if (!ReferenceEquals(point.Dentry, point.Mount.Root))
            return Errno.EINVAL;
        bool freezes = (Decode(flags) & MountFlags.ReadOnly) != 0;
        if (freezes && ((flags & Bind) == 0 ? point.Mount.FileSystem.Writers : point.Mount.Writers) > 0)
            return Errno.EBUSY;
        if ((flags & Bind) == 0)
        {
            FileSystem fileSystem = point.Mount.FileSystem;
            IReadOnlyList<(string Key, string? Value)> given = MountOptions.Split(options);
            if (call.World.Vfs.FileSystemTypes.TryGetValue(fileSystem.TypeName, out FileSystemType? type))
            {
                if (!given.All(option => type.Accepts(option.Key, option.Value)))
                    return Errno.EINVAL;
                if (type.Change?.Invoke(fileSystem, new FileSystemChange(call, given, freezes)) is { } refused and not Errno.None)
                    return refused;
            }
            fileSystem.ForbidsChanges = freezes;
        }
        // Times of access stay as they were, unless something is said of them.
        MountFlags kept = (flags & AccessTimes) == 0 ? point.Mount.Flags & KeptByRemount : MountFlags.None;
        point.Mount.Flags = Decode(flags) | kept;
        return 0;
    }

    private static CallResult BindAt(Vfs vfs, PathEntry from, PathEntry point, bool isRecursive)
    {
        Errno error = vfs.CopyTree(from, isRecursive, out Mount? copy);
        if (error != Errno.None)
            return error;
        if (from.Inode.Kind == FileKind.Directory != (point.Inode.Kind == FileKind.Directory))
        {
            Vfs.Dissolve(copy!);
            return Errno.ENOTDIR;
        }
        return Add(vfs, copy!, point);
    }

    private static CallResult Add(Vfs vfs, Mount mount, PathEntry point)
    {
        if (!vfs.HasRoomFor(mount))
        {
            Vfs.Dissolve(mount);
            return Errno.ENOSPC;
        }
        vfs.Attach(mount, point);
        return 0;
    }

    private static CallResult MountNew(CallContext call, GuestAddress source, PathEntry point, GuestAddress type, ulong flags, string options)
    {
        if (type.IsNull)
            return Errno.EINVAL;
        Errno error = call.ReadPath(type, out byte[] typeName);
        if (error != Errno.None)
            return error;
        byte[] sourceName = "none"u8.ToArray();
        if (!source.IsNull && (error = call.ReadPath(source, out sourceName)) != Errno.None)
            return error;
        Vfs vfs = call.World.Vfs;
        if (!vfs.FileSystemTypes.TryGetValue(Encoding.Latin1.GetString(typeName), out FileSystemType? known))
            return Errno.ENODEV;
        string name = Encoding.Latin1.GetString(sourceName);
        error = known.Make(new FileSystemRequest(call, source.IsNull ? "" : name, MountOptions.Split(options)) { IsReadOnly = (Decode(flags) & MountFlags.ReadOnly) != 0 }, out FileSystem? made);
        if (error != Errno.None)
            return error;
        // The same file system twice at one place is refused (do_add_mount).
        error = point.Inode.Kind != FileKind.Directory ? Errno.ENOTDIR : point.Mount.FileSystem == made && ReferenceEquals(point.Dentry, point.Mount.Root) ? Errno.EBUSY : Errno.None;
        if (error != Errno.None)
        {
            made!.EndIfUnused();
            return error;
        }
        made!.ForbidsChanges = (Decode(flags) & MountFlags.ReadOnly) != 0;
        return Add(vfs, vfs.NewMount(made, name, flags: Decode(flags)), point);
    }

    public static CallResult Umount2(CallContext call, GuestAddress target, uint flags)
    {
        const uint Force = 1, Detach = 2, Expire = 4, NoFollow = 8;
        if ((flags & ~0xFu) != 0)
            return Errno.EINVAL;
        Errno error = call.Locate(Fcntl.AtCurrentDirectory, target, (flags & NoFollow) != 0 ? Fcntl.AtSymlinkNoFollow : 0, out PathEntry point);
        if (error != Errno.None)
            return error;
        // What covers the place itself: only a root can be covered and still be found.
        while (point.Mount.On(point.Dentry) is { } above)
            point = new PathEntry(above, above.Root);
        if (!Administers(call) || (call.Thread.Domain is { HandlesFiles: true } && ReferenceEquals(point.Dentry, point.Mount.Root)))
            return Errno.EPERM;
        if ((flags & Expire) != 0 && ReferenceEquals(point.Dentry, point.Mount.Root))
        {
            Errno early = (flags & (Force | Detach)) != 0 ? Errno.EINVAL : point.Mount.Expire();
            if (early != Errno.None)
                return early;
        }
        return call.World.Vfs.Unmount(point, (flags & Detach) != 0);
    }
}
