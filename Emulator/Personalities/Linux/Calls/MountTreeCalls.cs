using System.Buffers.Binary;
using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;
using Vivarium.Emulator.Personalities.Linux.Abi;

namespace Vivarium.Emulator.Personalities.Linux.Calls;

/// <summary>Mounts behind descriptors: open_tree(2), move_mount(2), mount_setattr(2).</summary>
public static class MountTreeCalls
{
    private const uint Clone = 1, CloseOnExec = 0x80000, Recursive = 0x8000, NoAutomount = 0x800;
    private const int AttributesSize = 32;

    public static CallResult OpenTree(CallContext call, int dirfd, GuestAddress path, uint flags)
    {
        if ((flags & ~(Fcntl.AtEmptyPath | NoAutomount | Recursive | Fcntl.AtSymlinkNoFollow | Clone | CloseOnExec)) != 0 || (flags & (Recursive | Clone)) == Recursive)
            return Errno.EINVAL;
        if ((flags & Clone) != 0 && !MountCalls.MayMount(call))
            return Errno.EPERM;
        Errno error = call.Locate(dirfd, path, flags & (Fcntl.AtEmptyPath | Fcntl.AtSymlinkNoFollow), out PathEntry entry);
        if (error != Errno.None)
            return error;
        if ((flags & Clone) == 0)
            return InstallPath(call, entry, (flags & CloseOnExec) != 0, out _);
        error = call.World.Vfs.CopyTree(entry, (flags & Recursive) != 0, out Mount? copy);
        return error != Errno.None ? error : InstallTree(call, copy!, (flags & CloseOnExec) != 0);
    }

    private static CallResult InstallPath(CallContext call, PathEntry entry, bool closeOnExec, out OpenFile file)
    {
        file = new PathFile(entry.Inode, entry, OpenFlags.PathOnly);
        file.HoldName();
        return PipeCalls.Install(call, file, closeOnExec);
    }

    /// <summary>A descriptor of a tree of mounts that is nowhere yet; with its last use the tree goes, unless it was attached.</summary>
    internal static CallResult InstallTree(CallContext call, Mount mount, bool closeOnExec)
    {
        CallResult result = InstallPath(call, new PathEntry(mount, mount.Root), closeOnExec, out OpenFile file);
        file.Closed += () =>
        {
            if (mount.Parent is null)
                Vfs.Dissolve(mount);
        };
        return result;
    }

    public static CallResult MoveMount(CallContext call, int fromDirfd, GuestAddress fromPath, int toDirfd, GuestAddress toPath, uint flags)
    {
        const uint fromLinks = 1, fromEmpty = 4, toLinks = 0x10, toEmpty = 0x40, setGroup = 0x100, beneath = 0x200, known = 0x377;
        if (!MountCalls.MayMount(call))
            return Errno.EPERM;
        if ((flags & ~known) != 0 || (flags & setGroup) != 0)
            return Errno.EINVAL;
        Errno error = call.Locate(toDirfd, toPath, Walk(flags, toLinks, toEmpty), out PathEntry to);
        if (error != Errno.None)
            return error;
        error = call.Locate(fromDirfd, fromPath, Walk(flags, fromLinks, fromEmpty), out PathEntry from);
        if (error != Errno.None)
            return error;
        return (flags & beneath) != 0 ? call.World.Vfs.MoveMountBeneath(from, to, call.Process.FileContext.Root) : call.World.Vfs.MoveMount(from, to);
    }

    private static uint Walk(uint flags, uint links, uint empty) =>
        ((flags & links) == 0 ? Fcntl.AtSymlinkNoFollow : 0) | ((flags & empty) != 0 ? Fcntl.AtEmptyPath : 0);

    public static CallResult MountSetattr(CallContext call, int dirfd, GuestAddress path, uint flags, GuestAddress attributes, ulong size)
    {
        if ((flags & ~(Fcntl.AtEmptyPath | Recursive | Fcntl.AtSymlinkNoFollow | NoAutomount)) != 0)
            return Errno.EINVAL;
        Errno error = ReadChange(call, attributes, size, out MountChange change);
        if (error != Errno.None || change.IsNothing)
            return error;
        error = call.Locate(dirfd, path, flags & (Fcntl.AtEmptyPath | Fcntl.AtSymlinkNoFollow), out PathEntry entry);
        if (error != Errno.None)
            return error;
        return ReferenceEquals(entry.Dentry, entry.Mount.Root) ? Change(entry.Mount, (flags & Recursive) != 0, change) : Errno.EINVAL;
    }

    /// <summary>open_tree(2) and mount_setattr(2) in one; the tree must be a copy.</summary>
    public static CallResult OpenTreeAttr(CallContext call, int dirfd, GuestAddress path, uint flags, GuestAddress attributes, ulong size)
    {
        if (attributes.IsNull && size != 0)
            return Errno.EINVAL;
        MountChange change = default;
        Errno error = attributes.IsNull ? Errno.None : ReadChange(call, attributes, size, out change);
        if (error == Errno.None && !change.IsNothing && (flags & Clone) == 0)
            error = Errno.EINVAL;
        if (error != Errno.None)
            return error;
        CallResult result = OpenTree(call, dirfd, path, flags);
        if (result.Outcome == CallOutcome.Value && !change.IsNothing)
            Change(call.File((int)result.Value)!.Path!.Mount, (flags & Recursive) != 0, change);
        return result;
    }

    private readonly record struct MountChange(MountFlags Set, MountFlags Clear, Propagation? Propagation)
    {
        public bool IsNothing => Set == MountFlags.None && Clear == MountFlags.None && Propagation is null;
    }

    /// <summary>struct mount_attr: attributes to set, to clear, a propagation, and a user name space for ids, which no mount here has.</summary>
    private static Errno ReadChange(CallContext call, GuestAddress address, ulong size, out MountChange change)
    {
        const ulong propagations = (1 << 17) | (1 << 18) | (1 << 19) | (1 << 20);
        change = default;
        if (size > GuestAddress.PageSize)
            return Errno.E2BIG;
        if (size < AttributesSize)
            return Errno.EINVAL;
        if (!MountCalls.MayMount(call))
            return Errno.EPERM;
        byte[] bytes = new byte[size];
        if (!call.Memory.TryRead(address, bytes))
            return Errno.EFAULT;
        if (bytes.AsSpan(AttributesSize).IndexOfAnyExcept((byte)0) >= 0)
            return Errno.E2BIG;
        ulong Word(int index) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(index * 8));
        (ulong set, ulong clear, ulong propagation) = (Word(0), Word(1), Word(2));
        // Times of access are one setting of several values: it is cleared as a whole.
        ulong times = clear & MountAttributes.AccessTimes;
        bool isWellFormed = times is 0 or MountAttributes.AccessTimes && (times != 0 || (set & MountAttributes.AccessTimes) == 0);
        if ((propagation & ~propagations) != 0 || (propagation & (propagation - 1)) != 0 || !isWellFormed)
            return Errno.EINVAL;
        if (MountAttributes.Decode(set) is not { } toSet || MountAttributes.Decode(clear & ~times) is not { } toClear)
            return Errno.EINVAL;
        if (times != 0)
            toClear |= MountFlags.NoAccessTime | MountFlags.StrictAccessTime;
        change = new MountChange(toSet, toClear, propagation == 0 ? null : MountCalls.Propagations(propagation));
        return Errno.None;
    }

    private static CallResult Change(Mount top, bool isRecursive, in MountChange change)
    {
        Mount[] mounts = isRecursive ? Vfs.Tree(top).ToArray() : [top];
        if ((change.Set & MountFlags.ReadOnly) != 0 && mounts.Any(static mount => !mount.IsReadOnly && mount.Writers > 0))
            return Errno.EBUSY;
        foreach (Mount mount in mounts)
        {
            mount.Flags = (mount.Flags & ~change.Clear) | change.Set;
            if (change.Propagation is { } propagation)
                mount.SetPropagation(propagation);
        }
        return 0;
    }
}
