namespace Vivarium.Emulator.Kernel.Files;

/// <summary>What the last component of a path is.</summary>
public enum LastKind : byte
{
    Normal,

    /// <summary>The path had no component: "/".</summary>
    Root,
    Dot,
    DotDot,
}

[Flags]
public enum WalkFlags : byte
{
    None = 0,

    /// <summary>Follow a symbolic link in the last component.</summary>
    Follow = 1 << 0,

    /// <summary>An empty path names the base itself (AT_EMPTY_PATH).</summary>
    AllowEmpty = 1 << 1,

    /// <summary>ELOOP at any symbolic link (RESOLVE_NO_SYMLINKS).</summary>
    NoLinks = 1 << 2,

    /// <summary>ELOOP at links into objects (RESOLVE_NO_MAGICLINKS).</summary>
    NoMagicLinks = 1 << 3,

    /// <summary>EXDEV when the walk leaves the base's sub-tree (RESOLVE_BENEATH).</summary>
    Beneath = 1 << 4,

    /// <summary>The base is the root of the walk (RESOLVE_IN_ROOT).</summary>
    InRoot = 1 << 5,

    /// <summary>EXDEV when the walk crosses a mount (RESOLVE_NO_XDEV).</summary>
    OneMount = 1 << 6,
}

/// <summary>
/// One walk of a path, as path_resolution(7) has it: components are bytes, each directory passed needs search permission, at most 40
/// links are followed, ".." goes up over mount points and stays at the root. Lives on the stack.
/// </summary>
public ref struct PathWalk
{
    public const int MaxName = 255;
    public const int MaxLinks = 40;

    private readonly FileCaller _caller;
    private readonly WalkFlags _flags;
    private readonly PathEntry _root;
    private readonly PathEntry _base;
    private ReadOnlySpan<byte> _rest;
    private int _links;

    /// <param name="base">Where relative paths start; must be a directory unless the path is empty.</param>
    public PathWalk(in FileCaller caller, PathEntry @base, WalkFlags flags = WalkFlags.None)
    {
        _caller = caller;
        _flags = flags;
        _base = @base;
        _root = (flags & (WalkFlags.InRoot | WalkFlags.Beneath)) != 0 ? @base : caller.Context.Root;
        Mount = @base.Mount;
        Dentry = @base.Dentry;
    }

    /// <summary>Where the walk stands: the parent of <see cref="Last"/> after <see cref="ToParent"/>.</summary>
    public Mount Mount { get; private set; }

    public Dentry Dentry { get; private set; }

    public ReadOnlySpan<byte> Last { get; private set; }

    public LastKind LastKind { get; private set; }

    /// <summary>Slashes follow the last component: it must be a directory.</summary>
    public bool TrailingSlash { get; private set; }

    public readonly PathEntry Entry => new(Mount, Dentry);

    private readonly bool Has(WalkFlags flag) => (_flags & flag) != 0;

    /// <summary>Walks the whole path; the walk then stands at the object.</summary>
    public Errno Resolve(ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty && Has(WalkFlags.AllowEmpty))
            return Errno.None;
        Errno error = ToParent(path);
        return error != Errno.None ? error : Finish(Has(WalkFlags.Follow));
    }

    /// <summary>Walks all but the last component.</summary>
    public Errno ToParent(ReadOnlySpan<byte> path)
    {
        if (path.IsEmpty)
            return Errno.ENOENT;
        Errno error = Start(path);
        return error != Errno.None ? error : WalkRest();
    }

    /// <summary>After <see cref="ToParent"/>: steps on the last component, following links as asked, also over several.</summary>
    public Errno Finish(bool follow)
    {
        while (true)
        {
            Errno error = StepLast(follow, out bool again);
            if (error != Errno.None || !again)
                return error;
        }
    }

    /// <summary>After <see cref="ToParent"/>: the entry of the last component, not following anything. ENOENT leaves a negative entry.</summary>
    public readonly Errno FindLast(out Dentry entry)
    {
        if (Last.Length <= MaxName)
            return Dentry.Find(Last, out entry);
        entry = Dentry;
        return Errno.ENAMETOOLONG;
    }

    /// <summary>After <see cref="FindLast"/> found a link: goes on at what it names, up to the new last component.</summary>
    public Errno FollowLast(Dentry link, out bool jumped)
    {
        jumped = false;
        Errno error = MayFollow(link);
        if (error != Errno.None)
            return error;
        error = FollowLink(link.Inode!, TrailingSlash ? "/"u8 : default, out jumped);
        return error != Errno.None || jumped ? error : WalkRest();
    }

    private Errno Start(ReadOnlySpan<byte> path)
    {
        _rest = path;
        if (path[0] != (byte)'/')
            return Errno.None;
        if (Has(WalkFlags.Beneath))
            return Errno.EXDEV;
        if (Has(WalkFlags.OneMount) && !ReferenceEquals(_base.Mount, _root.Mount))
            return Errno.EXDEV;
        (Mount, Dentry) = (_root.Mount, _root.Dentry);
        return Errno.None;
    }

    private Errno WalkRest()
    {
        while (true)
        {
            _rest = _rest.TrimStart((byte)'/');
            if (_rest.IsEmpty)
            {
                return StopAt(default, LastKind.Root, trailingSlash: false);
            }
            if (!Dentry.IsDirectory)
                return Errno.ENOTDIR;
            Errno error = Permission.Check(Dentry.Inode!, FileAccessKind.Execute, _caller.Credentials);
            if (error != Errno.None)
                return error;
            int length = _rest.IndexOf((byte)'/');
            ReadOnlySpan<byte> name = length < 0 ? _rest : _rest[..length];
            ReadOnlySpan<byte> after = _rest[name.Length..];
            _rest = after.TrimStart((byte)'/');
            if (_rest.IsEmpty)
            {
                return StopAt(name, Classify(name), trailingSlash: !after.IsEmpty);
            }
            error = Pass(name);
            if (error != Errno.None)
                return error;
        }
    }

    private Errno StopAt(ReadOnlySpan<byte> last, LastKind kind, bool trailingSlash)
    {
        Last = last;
        LastKind = kind;
        TrailingSlash = trailingSlash;
        return Errno.None;
    }

    private static LastKind Classify(ReadOnlySpan<byte> name)
    {
        if (name.Length > 2 || name[0] != (byte)'.')
            return LastKind.Normal;
        if (name.Length == 1)
            return LastKind.Dot;
        return name[1] == (byte)'.' ? LastKind.DotDot : LastKind.Normal;
    }

    private Errno Pass(ReadOnlySpan<byte> name)
    {
        switch (Classify(name))
        {
            case LastKind.Dot:
                return Errno.None;
            case LastKind.DotDot:
                return Up();
        }
        if (name.Length > MaxName)
            return Errno.ENAMETOOLONG;
        Errno error = Dentry.Find(name, out Dentry child);
        if (error != Errno.None)
            return error;
        if (child.Inode!.Kind == FileKind.SymbolicLink)
            return FollowLink(child.Inode, _rest, out _);
        return Descend(child);
    }

    private Errno StepLast(bool follow, out bool again)
    {
        again = false;
        switch (LastKind)
        {
            case LastKind.Root or LastKind.Dot:
                return Errno.None;
            case LastKind.DotDot:
                return Up();
        }
        Errno error = FindLast(out Dentry child);
        if (error != Errno.None)
            return error;
        if (child.Inode!.Kind == FileKind.SymbolicLink && (follow || TrailingSlash))
        {
            error = FollowLast(child, out bool jumped);
            again = error == Errno.None && !jumped;
            return error;
        }
        error = Descend(child);
        return error == Errno.None && TrailingSlash && !Dentry.IsDirectory ? Errno.ENOTDIR : error;
    }

    /// <summary>Steps to a child and onto what is mounted there.</summary>
    public Errno Descend(Dentry child)
    {
        Dentry = child;
        while (Mount.On(Dentry) is { } mount)
        {
            if (Has(WalkFlags.OneMount))
                return Errno.EXDEV;
            (Mount, Dentry) = (mount, mount.Root);
        }
        return Errno.None;
    }

    private Errno Up()
    {
        while (true)
        {
            if (ReferenceEquals(Dentry, _root.Dentry) && ReferenceEquals(Mount, _root.Mount))
                return Has(WalkFlags.Beneath) ? Errno.EXDEV : Errno.None;
            if (!ReferenceEquals(Dentry, Mount.Root))
                break;
            if (Mount.Parent is not { } parent)
                return Errno.None;
            if (Has(WalkFlags.OneMount))
                return Errno.EXDEV;
            (Dentry, Mount) = (Mount.MountPoint!, parent);
        }
        return Dentry.Parent is { } up ? Descend(up) : Errno.None;
    }

    /// <summary>With /proc/sys/fs/protected_symlinks 1, links in sticky directories that all may write lead on only who made them, or where the directory's owner did (proc(5)).</summary>
    private readonly Errno MayFollow(Dentry link)
    {
        const uint sticky = 0x200, othersWrite = 2;
        if (_caller.Call?.World.Settings.ProtectedLinks.Value is not 1 || link.Parent?.Inode is not { } directory)
            return Errno.None;
        uint owner = link.Inode!.Status.User;
        FileStatus place = directory.Status;
        bool isFree = owner == _caller.Credentials.User || (place.Mode & (sticky | othersWrite)) != (sticky | othersWrite) || place.User == owner;
        return isFree ? Errno.None : Errno.EACCES;
    }

    private Errno FollowLink(Inode link, ReadOnlySpan<byte> rest, out bool jumped)
    {
        jumped = false;
        if (Has(WalkFlags.NoLinks) || (Mount.Flags & MountFlags.NoLinks) != 0 || ++_links > MaxLinks)
            return Errno.ELOOP;
        if (link.FollowMagic(_caller.Call, out PathEntry? target, out Errno error))
        {
            jumped = true;
            return error != Errno.None ? error : Jump(target!, rest);
        }
        error = link.ReadLink(_caller.Call, out byte[]? text);
        if (error != Errno.None)
            return error;
        if (text!.Length == 0)
            return Errno.ENOENT;
        return Start(rest.IsEmpty ? text : [.. text, (byte)'/', .. rest]);
    }

    /// <summary>A magic link leads straight to an object; what follows it in the path goes on from there.</summary>
    private Errno Jump(PathEntry target, ReadOnlySpan<byte> rest)
    {
        if (Has(WalkFlags.NoMagicLinks))
            return Errno.ELOOP;
        if ((_flags & (WalkFlags.Beneath | WalkFlags.InRoot)) != 0)
            return Errno.EXDEV;
        (Mount, Dentry) = (target.Mount, target.Dentry);
        _rest = rest;
        if (rest is [(byte)'/'] && target.Inode.Kind != FileKind.Directory)
            return Errno.ENOTDIR;
        return Errno.None;
    }
}
