using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Files;

public sealed partial class Vfs
{
    /// <summary>Attaches a file system (or, with <paramref name="root"/>, a part of one) at a directory or file. The newest mount on a place covers older ones.</summary>
    public Mount MountAt(PathEntry point, FileSystem fileSystem, string source, Dentry? root = null, bool readOnly = false)
    {
        Mount mount = new(this, _nextMount++, fileSystem, root, source) { IsReadOnly = readOnly };
        mount.AttachTo(point.Mount, point.Dentry);
        return mount;
    }

    /// <summary>umount2(2): EINVAL when nothing is mounted exactly there or it is the root, EBUSY when it is in use or has mounts below unless <paramref name="lazy"/>.</summary>
    public Errno Unmount(PathEntry point, bool lazy)
    {
        Mount mount = point.Mount;
        if (!ReferenceEquals(point.Dentry, mount.Root) || mount.Parent is null)
            return Errno.EINVAL;
        if (mount.Children.Count != 0 && !lazy)
            return Errno.EBUSY;
        if (mount.Holders != 0 && !lazy)
            return Errno.EBUSY;
        mount.Detach();
        if (mount.FileSystem.Watches.Count > 0 && mount.Holders == 0 && mount.FileSystem.Places == 0)
            NoteEnd(mount.FileSystem);
        return Errno.None;
    }

    /// <summary>Lets go of what all mounted file systems hold of the host; nothing can be used after it.</summary>
    public void Release() => Release(RootMount);

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

    /// <summary>Gives a process a copy of its tree of mounts, and moves its root and working directory there (mount_namespaces(7)).</summary>
    public void CopyMounts(FileContext context)
    {
        Mount top = context.Root.Mount;
        while (top.Parent is { } parent)
            top = parent;
        Dictionary<Mount, Mount> copies = [];
        Copy(top, copies);
        PathEntry root = context.Root, directory = context.WorkingDirectory;
        context.Root = new PathEntry(copies.GetValueOrDefault(root.Mount, root.Mount), root.Dentry);
        context.WorkingDirectory = new PathEntry(copies.GetValueOrDefault(directory.Mount, directory.Mount), directory.Dentry);
    }

    private Mount Copy(Mount mount, Dictionary<Mount, Mount> copies)
    {
        var copy = new Mount(this, _nextMount++, mount.FileSystem, mount.Root, mount.Source);
        copy.SetFlags(mount.IsReadOnly, mount.NoSetId, mount.NoDevices, mount.NoExecute);
        copies[mount] = copy;
        foreach (Mount child in mount.Children)
            Copy(child, copies).AttachTo(copy, child.MountPoint!);
        return copy;
    }

    /// <summary>A bind mount with all that is mounted below it (MS_BIND with MS_REC).</summary>
    public void BindAll(PathEntry point, PathEntry from)
    {
        Mount[] below = [.. from.Mount.Children];
        Mount mount = MountAt(point, from.Mount.FileSystem, from.Mount.Source, from.Dentry, from.Mount.IsReadOnly);
        foreach (Mount child in below)
        {
            if (IsWithin(child.MountPoint!, from.Dentry))
                Copy(child, []).AttachTo(mount, child.MountPoint!);
        }
    }

    private static bool IsWithin(Dentry name, Dentry directory)
    {
        for (Dentry? above = name; above is not null; above = above.Parent)
        {
            if (ReferenceEquals(above, directory))
                return true;
        }
        return false;
    }

    /// <summary>Moves a mount to another place (MS_MOVE): EINVAL when it is none, ELOOP when the place is in it.</summary>
    public static Errno MoveMount(PathEntry from, PathEntry to)
    {
        Mount mount = from.Mount;
        if (!ReferenceEquals(from.Dentry, mount.Root) || mount.Parent is null)
            return Errno.EINVAL;
        for (Mount? above = to.Mount; above is not null; above = above.Parent)
        {
            if (above == mount)
                return Errno.ELOOP;
        }
        mount.Detach();
        mount.AttachTo(to.Mount, to.Dentry);
        return Errno.None;
    }

    /// <summary>pivot_root(2): a mount becomes the top of the tree, and the old top is mounted in it. Processes' roots are the caller's to change.</summary>
    public static Errno PivotRoot(PathEntry root, PathEntry newRoot, PathEntry putOld)
    {
        Mount mount = newRoot.Mount, old = root.Mount;
        if (mount == old || putOld.Mount == old)
            return Errno.EBUSY;
        if (!ReferenceEquals(newRoot.Dentry, mount.Root) || !ReferenceEquals(root.Dentry, old.Root) || mount.Parent is null)
            return Errno.EINVAL;
        putOld.PathFrom(newRoot, out bool isBelow);
        if (!isBelow)
            return Errno.EINVAL;
        mount.Detach();
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
