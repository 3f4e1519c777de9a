namespace Vivarium.Emulator.Kernel.Files;

/// <summary>A name in the tree of mounts: what cwd, root and open directories hold.</summary>
public sealed class PathEntry(Mount mount, Dentry dentry)
{
    private readonly Inode _inode = dentry.Inode!;

    public Mount Mount { get; } = mount;

    public Dentry Dentry { get; } = dentry;

    /// <summary>The inode the name had when it was looked up; it stays when the name goes.</summary>
    public Inode Inode => _inode;

    /// <summary>One more user of the name; see <see cref="Release"/>.</summary>
    public void Hold()
    {
        Dentry.Hold();
        Mount.Holders++;
    }

    /// <summary>One user less.</summary>
    public void Release()
    {
        Mount.Holders--;
        Dentry.Release();
    }

    public bool IsSame(PathEntry other) => ReferenceEquals(Mount, other.Mount) && ReferenceEquals(Dentry, other.Dentry);

    /// <summary>The absolute path as bytes, seen from the world's root.</summary>
    public byte[] FullPath() => PathFrom(null, out _);

    /// <summary>
    /// The absolute path seen from a process's root; null means the world's. <paramref name="reachable"/> is false when the name
    /// lies outside that root or was unmounted, and the path is then from the top of its tree.
    /// </summary>
    public byte[] PathFrom(PathEntry? root, out bool reachable)
    {
        List<byte[]> names = [];
        int length = 0;
        Mount mount = Mount;
        Dentry name = Dentry;
        while (true)
        {
            if (root is not null && ReferenceEquals(mount, root.Mount) && ReferenceEquals(name, root.Dentry))
            {
                reachable = true;
                break;
            }
            if (ReferenceEquals(name, mount.Root))
            {
                if (mount.Parent is null)
                {
                    reachable = root is null;
                    break;
                }
                name = mount.MountPoint!;
                mount = mount.Parent;
                continue;
            }
            if (name.Parent is null)
            {
                reachable = false;
                break;
            }
            names.Add(name.Name);
            length += name.Name.Length + 1;
            name = name.Parent;
        }
        return Join(names, length);
    }

    private static byte[] Join(List<byte[]> names, int length)
    {
        if (names.Count == 0)
            return "/"u8.ToArray();
        byte[] path = new byte[length];
        int position = 0;
        for (int i = names.Count - 1; i >= 0; i--)
        {
            path[position++] = (byte)'/';
            names[i].CopyTo(path, position);
            position += names[i].Length;
        }
        return path;
    }
}
