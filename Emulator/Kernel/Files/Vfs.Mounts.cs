namespace Vivarium.Emulator.Kernel.Files;

public sealed partial class Vfs
{
    /// <summary>Attaches a file system (or, with <paramref name="root"/>, a part of one) at a directory or file. The newest mount on a place covers older ones.</summary>
    public Mount MountAt(PathEntry point, FileSystem fileSystem, string source, Dentry? root = null, bool readOnly = false)
    {
        Mount mount = new(this, _nextMount++, fileSystem, root ?? fileSystem.RootName, source) { IsReadOnly = readOnly };
        mount.AttachTo(point.Mount, point.Dentry);
        return mount;
    }

    /// <summary>umount2(2): EINVAL when nothing is mounted exactly there or it is the root, EBUSY with mounts below unless <paramref name="lazy"/>.</summary>
    public Errno Unmount(PathEntry point, bool lazy)
    {
        Mount mount = point.Mount;
        if (!ReferenceEquals(point.Dentry, mount.Root) || mount.Parent is null)
            return Errno.EINVAL;
        if (mount.Children.Count != 0 && !lazy)
            return Errno.EBUSY;
        mount.Detach();
        return Errno.None;
    }

    /// <summary>All mounts, parents before children, in the order they were made.</summary>
    public IEnumerable<Mount> Mounts()
    {
        Stack<Mount> pending = new([RootMount]);
        while (pending.TryPop(out Mount? mount))
        {
            yield return mount;
            for (int i = mount.Children.Count - 1; i >= 0; i--)
                pending.Push(mount.Children[i]);
        }
    }
}
