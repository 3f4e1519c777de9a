using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Files;

public sealed partial class Vfs
{
    private const int MostMounts = 100_000;

    private readonly SortedSet<int> _freeGroupIds = [];
    private int _lastGroupId;

    /// <summary>Attaches a file system (or, with <paramref name="root"/>, a part of one) at a directory or file. The newest mount on a place covers older ones.</summary>
    public Mount MountAt(PathEntry point, FileSystem fileSystem, string source, Dentry? root = null, MountFlags flags = MountFlags.None)
    {
        Mount mount = NewMount(fileSystem, source, root, flags);
        Attach(mount, point);
        return mount;
    }

    /// <summary>A mount that is nowhere yet.</summary>
    public Mount NewMount(FileSystem fileSystem, string source, Dentry? root = null, MountFlags flags = MountFlags.None) =>
        new(this, _nextMount++, fileSystem, root, source) { Flags = flags };

    /// <summary>Attaches a tree of mounts that is nowhere, and copies of it where its place is shared with.</summary>
    public void Attach(Mount mount, PathEntry point)
    {
        if (point.Mount.Peers is not null)
        {
            foreach (Mount below in Tree(mount))
                below.SetPropagation(Propagation.Shared);
        }
        mount.AttachTo(point.Mount, point.Dentry);
        // New mounts that are peers of the place get no copy of themselves (IS_MNT_NEW in fs/pnode.c).
        if (point.Mount.Peers is not null)
            Propagate(mount, point.Mount, point.Dentry, [point.Mount, .. Tree(mount)]);
    }

    /// <summary>Copies of a tree that was attached to one mount go to its peers, and as slaves to its peers' slaves, whose peers get copies of those.</summary>
    private void Propagate(Mount tree, Mount member, Dentry place, HashSet<Mount> reached)
    {
        if (member.Peers is not { } peers)
            return;
        foreach (Mount peer in peers.After(member))
        {
            if (!reached.Add(peer) || !IsWithin(place, peer.Root))
                continue;
            Mount copy = Copy(tree, [], copiesUnbindable: true);
            reached.UnionWith(Tree(copy));
            copy.AttachTo(peer, place);
        }
        foreach (Mount slave in peers.Slaves.ToArray())
        {
            if (!reached.Add(slave) || !IsWithin(place, slave.Root))
                continue;
            Mount copy = Copy(tree, [], copiesUnbindable: true);
            foreach (Mount below in Tree(copy))
            {
                below.SetPropagation(Propagation.Slave);
                if (slave.Peers is not null)
                    below.SetPropagation(Propagation.Shared);
            }
            reached.UnionWith(Tree(copy));
            copy.AttachTo(slave, place);
            Propagate(copy, slave, place, reached);
        }
    }

    internal int NewGroupId()
    {
        if (_freeGroupIds.Count == 0)
            return ++_lastGroupId;
        int id = _freeGroupIds.Min;
        _freeGroupIds.Remove(id);
        return id;
    }

    internal void ReleaseGroupId(int id) => _freeGroupIds.Add(id);

    /// <summary>umount2(2): EINVAL when nothing is mounted exactly there or it is the root, EBUSY when it is in use or has mounts below unless <paramref name="lazy"/>.</summary>
    public Errno Unmount(PathEntry point, bool lazy)
    {
        Mount mount = point.Mount;
        if (!ReferenceEquals(point.Dentry, mount.Root) || mount.Parent is not { } parent)
            return Errno.EINVAL;
        if (!lazy && (mount.Children.Count != 0 || mount.Holders != 0))
            return Errno.EBUSY;
        Dentry place = mount.MountPoint!;
        foreach (Mount receiver in parent.Receivers())
        {
            // Copies that are in use stay.
            if (receiver.On(place) is { } copy && (lazy || (copy.Children.Count == 0 && copy.Holders == 0)))
                TakeOff(copy);
        }
        TakeOff(mount);
        return Errno.None;
    }

    private static void TakeOff(Mount mount)
    {
        mount.Detach();
        Dissolve(mount);
    }

    /// <summary>A tree of mounts that is nowhere any more lives on for those who have it open, and spreads nothing.</summary>
    public static void Dissolve(Mount mount)
    {
        foreach (Mount below in Tree(mount))
        {
            below.LeavePropagation();
            if (below.FileSystem.Watches.Count > 0 && below.Holders == 0 && below.FileSystem.Places == 0)
                NoteEnd(below.FileSystem);
            below.FileSystem.Synchronize();
            if (below.Parent is null)
                below.FileSystem.EndIfUnused();
        }
    }

    /// <summary>Lets go of what all mounted file systems hold of the host; nothing can be used after it.</summary>
    public void Release()
    {
        foreach (Devices.LoopDevice device in Loops.All)
            device.Volume?.End();
        Release(RootMount);
    }

    /// <summary>Writes what file systems keep in memory to where they come from (sync(2)).</summary>
    public void Synchronize()
    {
        foreach (Devices.LoopDevice device in Loops.All)
            device.Volume?.Synchronize();
    }

    private static void Release(Mount mount)
    {
        foreach (Mount child in mount.Children)
            Release(child);
        mount.FileSystem.Release();
    }

    /// <summary>The file system is gone, and with it the watches of its files.</summary>
    private static void NoteEnd(FileSystem fileSystem)
    {
        while (fileSystem.Watches.Count > 0)
            FileNotifier.OnEnd(fileSystem.Watches[^1].Inode, FileChange.Unmounted);
    }

    /// <summary>All mounts, parents before children, in the order they were made.</summary>
    public IEnumerable<Mount> Mounts() => Mounts(RootMount);

    /// <summary>The mounts of the tree that one belongs to.</summary>
    public static IEnumerable<Mount> Mounts(Mount member)
    {
        Mount top = member;
        while (top.Parent is { } parent)
            top = parent;
        return Tree(top);
    }

    /// <summary>A mount and all below it, parents before children.</summary>
    public static IEnumerable<Mount> Tree(Mount top)
    {
        Stack<Mount> pending = new([top]);
        while (pending.TryPop(out Mount? mount))
        {
            // Entering it may mount more below.
            _ = mount.Root;
            yield return mount;
            for (int i = mount.Children.Count - 1; i >= 0; i--)
                pending.Push(mount.Children[i]);
        }
    }

    /// <summary>False when the tree of mounts has as many as one may have (/proc/sys/fs/mount-max, ENOSPC), were <paramref name="more"/> added.</summary>
    public bool HasRoomFor(Mount more)
    {
        int count = _nextMount > MostMounts ? Mounts().Count() : 0;
        return count == 0 || count + Tree(more).Count() <= MostMounts;
    }

    /// <summary>Gives a process a copy of its tree of mounts, and moves its root and working directory there (mount_namespaces(7)).</summary>
    public void CopyMounts(FileContext context)
    {
        Mount top = context.Root.Mount;
        while (top.Parent is { } parent)
            top = parent;
        Dictionary<Mount, Mount> copies = [];
        Copy(top, copies, copiesUnbindable: true);
        PathEntry root = context.Root, directory = context.WorkingDirectory;
        context.Root = new PathEntry(copies.GetValueOrDefault(root.Mount, root.Mount), root.Dentry);
        context.WorkingDirectory = new PathEntry(copies.GetValueOrDefault(directory.Mount, directory.Mount), directory.Dentry);
    }

    private Mount Copy(Mount mount, Dictionary<Mount, Mount> copies, bool copiesUnbindable)
    {
        Mount copy = CopyOne(mount, mount.Root);
        copies[mount] = copy;
        foreach (Mount child in mount.Children)
        {
            if (copiesUnbindable || !child.IsUnbindable)
                Copy(child, copies, copiesUnbindable).AttachTo(copy, child.MountPoint!);
        }
        return copy;
    }

    /// <summary>A copy has the peers and the master of the original, and can be bound.</summary>
    private Mount CopyOne(Mount mount, Dentry root)
    {
        Mount copy = NewMount(mount.FileSystem, mount.Source, root, mount.Flags);
        copy.Obey(mount.Master);
        if (mount.Peers is { } peers)
            copy.Share(peers, mount);
        return copy;
    }

    /// <summary>A copy of what is at a place, with all that is mounted below when <paramref name="isRecursive"/>; it is nowhere yet. EINVAL for what cannot be bound.</summary>
    public Errno CopyTree(PathEntry from, bool isRecursive, out Mount? copy)
    {
        copy = null;
        if (from.Mount.IsUnbindable)
            return Errno.EINVAL;
        copy = CopyOne(from.Mount, from.Dentry);
        foreach (Mount child in isRecursive ? [.. from.Mount.Children] : Array.Empty<Mount>())
        {
            if (!child.IsUnbindable && IsWithin(child.MountPoint!, from.Dentry))
                Copy(child, [], copiesUnbindable: false).AttachTo(copy, child.MountPoint!);
        }
        return Errno.None;
    }

    private static bool IsWithin(Dentry name, Dentry directory) => directory.IsAncestorOf(name);

    /// <summary>
    /// Moves a mount, or puts a tree that is nowhere at its first place (MS_MOVE, move_mount(2)): EINVAL when it is none, when it or the place forbid it, and when one is
    /// a directory and the other is not; ELOOP when the place is in it.
    /// </summary>
    public Errno MoveMount(PathEntry from, PathEntry to)
    {
        Mount mount = from.Mount;
        bool isShared = to.Mount.Peers is not null;
        if (!ReferenceEquals(from.Dentry, mount.Root) || mount == RootMount || mount.Parent?.Peers is not null || from.Inode.Kind == FileKind.Directory != (to.Inode.Kind == FileKind.Directory))
            return Errno.EINVAL;
        if (isShared && Tree(mount).Any(static below => below.IsUnbindable))
            return Errno.EINVAL;
        for (Mount? above = to.Mount; above is not null; above = above.Parent)
        {
            if (above == mount)
                return Errno.ELOOP;
        }
        if (mount.Parent is not null)
            mount.Detach();
        Attach(mount, to);
        return Errno.None;
    }

    /// <summary>
    /// Moves a mount below the one that is on top of a place, which then is mounted on it (move_mount(2), MOVE_MOUNT_BENEATH): EINVAL when the place shows
    /// no mount's root, when that is the top of the tree or of <paramref name="root"/>, when the mount is below it itself, and where it would spread to other trees.
    /// </summary>
    public Errno MoveMountBeneath(PathEntry from, PathEntry to, PathEntry root)
    {
        Mount mount = from.Mount, top = to.Mount;
        if (!ReferenceEquals(from.Dentry, mount.Root) || mount == RootMount || mount.Parent?.Peers is not null || from.Inode.Kind == FileKind.Directory != (to.Inode.Kind == FileKind.Directory))
            return Errno.EINVAL;
        if (!ReferenceEquals(to.Dentry, top.Root) || top.Parent is not { } parent || top == root.Mount || parent.Peers is not null && Spreads(parent, top))
            return Errno.EINVAL;
        if (mount.On(mount.Root) is not null)
            return Errno.EINVAL;
        for (Mount? above = mount; above is not null; above = above.Parent)
        {
            if (above == top)
                return Errno.EINVAL;
        }
        for (Mount? above = top; above is not null; above = above.Parent)
        {
            if (above == mount)
                return Errno.ELOOP;
        }
        Dentry place = top.MountPoint!;
        if (mount.Parent is not null)
            mount.Detach();
        top.Detach();
        Attach(mount, new PathEntry(parent, place));
        top.AttachTo(mount, mount.Root);
        return Errno.None;
    }

    /// <summary>What is mounted where a mount is shows in other trees, too.</summary>
    private static bool Spreads(Mount parent, Mount child) => parent.Receivers().Exists(receiver => receiver.On(child.MountPoint!) is not null);

    /// <summary>pivot_root(2): a mount becomes the top of the tree, and the old top is mounted in it. Processes' roots are the caller's to change.</summary>
    public static Errno PivotRoot(PathEntry root, PathEntry newRoot, PathEntry putOld)
    {
        Mount mount = newRoot.Mount, old = root.Mount;
        if (putOld.Mount.Peers is not null || mount.Parent?.Peers is not null || old.Parent?.Peers is not null)
            return Errno.EINVAL;
        if (mount == old || putOld.Mount == old)
            return Errno.EBUSY;
        if (!ReferenceEquals(newRoot.Dentry, mount.Root) || !ReferenceEquals(root.Dentry, old.Root) || mount.Parent is null)
            return Errno.EINVAL;
        putOld.PathFrom(newRoot, out bool isBelow);
        if (!isBelow)
            return Errno.EINVAL;
        mount.Detach();
        // The top of a tree is nowhere mounted, and yet stays.
        mount.FileSystem.Places++;
        if (old.Parent is { } parent)
        {
            Dentry point = old.MountPoint!;
            old.Detach();
            mount.AttachTo(parent, point);
        }
        old.AttachTo(putOld.Mount, putOld.Dentry);
        return Errno.None;
    }
}
