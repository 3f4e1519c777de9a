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
        if (mount.FileSystem.Watches.Count > 0 && mount.Holders == 0 && !IsMounted(mount.FileSystem))
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

    private bool IsMounted(FileSystem fileSystem)
    {
        foreach (Mount mount in Mounts())
        {
            if (ReferenceEquals(mount.FileSystem, fileSystem))
                return true;
        }
        return false;
    }

    /// <summary>The file system is gone, and with it the watches of its files.</summary>
    private static void NoteEnd(FileSystem fileSystem)
    {
        while (fileSystem.Watches.Count > 0)
            FileNotifier.OnEnd(fileSystem.Watches[^1].Inode, FileChange.Unmounted);
    }

    /// <summary>All mounts, parents before children, in the order they were made.</summary>
    public IEnumerable<Mount> Mounts()
    {
        Stack<Mount> pending = new([RootMount]);
        while (pending.TryPop(out Mount? mount))
        {
            // Entering it may mount more below.
            _ = mount.Root;
            yield return mount;
            for (int i = mount.Children.Count - 1; i >= 0; i--)
                pending.Push(mount.Children[i]);
        }
    }
}
