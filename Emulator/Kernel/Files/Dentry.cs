using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Files;

/// <summary>
/// A name in a directory of one file system, cached: positive (with its inode) or negative (known to be absent). Names are
/// bytes. The tree of these is what gives an open file its path, and renames move whole sub-trees of it.
/// </summary>
public sealed class Dentry
{
    private Dictionary<byte[], Dentry>? _children;

    public Dentry(Dentry? parent, byte[] name, Inode? inode)
    {
        Parent = parent;
        Name = name;
        Inode = inode;
    }

    public Dentry? Parent { get; private set; }

    public byte[] Name { get; private set; }

    /// <summary>Null when the name is known not to exist.</summary>
    public Inode? Inode { get; internal set; }

    public bool IsDirectory => Inode is { Kind: FileKind.Directory };

    /// <summary>The name was removed; open files and working directories may still refer to it.</summary>
    public bool IsRemoved { get; private set; }

    /// <summary>Open files and working directories that use the name, and names below it that are used.</summary>
    public int Holders { get; private set; }

    /// <summary>How many mounts sit on this name, over all mounts of the file system: a quick test before the mount table is asked.</summary>
    public int MountCount { get; internal set; }

    /// <summary>The child of a name, from the cache or the file system. A missing name gives ENOENT and a negative entry.</summary>
    public Errno Find(ReadOnlySpan<byte> name, out Dentry child)
    {
        Dictionary<byte[], Dentry>.AlternateLookup<ReadOnlySpan<byte>> children = Children.GetAlternateLookup<ReadOnlySpan<byte>>();
        bool known = children.TryGetValue(name, out Dentry? found);
        if (known && Inode!.CachesNames)
        {
            child = found!;
            return child.Inode is null ? Errno.ENOENT : Errno.None;
        }
        child = this;
        Inode? inode = null;
        Errno error = IsRemoved ? Errno.ENOENT : Inode!.Lookup(name, out inode);
        if (error is not (Errno.None or Errno.ENOENT))
            return error;
        if (found is not null && (ReferenceEquals(found.Inode, inode) || found.Inode is null))
            (child = found).Inode = inode;
        else
            Children[(child = new Dentry(this, name.ToArray(), inode)).Name] = child;
        return inode is null ? Errno.ENOENT : Errno.None;
    }

    private Dictionary<byte[], Dentry> Children => _children ??= new(ByteNameComparer.Instance);

    /// <summary>True when this name is <paramref name="other"/> or one of its ancestors.</summary>
    public bool IsAncestorOf(Dentry other)
    {
        for (Dentry? entry = other; entry is not null; entry = entry.Parent)
        {
            if (ReferenceEquals(entry, this))
                return true;
        }
        return false;
    }

    /// <summary>One more user. A name that is used holds the one above it, which so outlives its removal.</summary>
    internal void Hold()
    {
        if (Holders++ == 0)
            Parent?.Hold();
    }

    /// <summary>One user less; the last one of a removed name may be the end of its file.</summary>
    internal void Release()
    {
        if (--Holders != 0)
            return;
        if (IsRemoved)
            FileNotifier.OnNameReleased(this);
        Parent?.Release();
    }

    /// <summary>Called after the file system removed the name.</summary>
    internal void Remove()
    {
        IsRemoved = true;
        Parent?._children?.Remove(Name);
    }

    /// <summary>Called after the file system moved the name; a replaced entry must have been removed before.</summary>
    internal void Move(Dentry newParent, byte[] newName)
    {
        Parent?._children?.Remove(Name);
        HangBelow(newParent);
        Name = newName;
        newParent.Children[newName] = this;
    }

    private void HangBelow(Dentry newParent)
    {
        Dentry? old = Parent;
        Parent = newParent;
        if (Holders == 0)
            return;
        newParent.Hold();
        old?.Release();
    }

    internal static void Exchange(Dentry left, Dentry right)
    {
        (Dentry leftParent, byte[] leftName) = (left.Parent!, left.Name);
        left.Move(right.Parent!, right.Name);
        right.HangBelow(leftParent);
        right.Name = leftName;
        leftParent.Children[leftName] = right;
    }
}

/// <summary>Compares names byte by byte.</summary>
public sealed class ByteNameComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public static ByteNameComparer Instance { get; } = new();

    public bool Equals(byte[]? left, byte[]? right) => left.AsSpan().SequenceEqual(right);

    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    public int GetHashCode(byte[] name) => GetHashCode(name.AsSpan());

    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

    /// <summary>FNV-1a: the same in every run, unlike the runtime's seeded hash.</summary>
    public int GetHashCode(ReadOnlySpan<byte> name)
    {
        uint hash = 2166136261;
        foreach (byte value in name)
            hash = (hash ^ value) * 16777619;
        return (int)hash;
    }
}
