namespace Vivarium.Emulator.Kernel.Files.Overlay;

/// <summary>Names: what the layers show together, and changes, which are made in the upper one.</summary>
internal sealed partial class OverlayNode
{
    private readonly Dictionary<byte[], OverlayNode> _children = new(ByteNameComparer.Instance);

    // Places of names in listings stay theirs while other names come and go.
    private readonly Dictionary<byte[], ulong> _places = new(ByteNameComparer.Instance);

    public override Errno Lookup(ReadOnlySpan<byte> name, out Inode? inode)
    {
        inode = null;
        if (Kind != FileKind.Directory)
            return Errno.ENOTDIR;
        if (_children.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(name, out OverlayNode? child))
        {
            inode = child;
            return Errno.None;
        }
        Dentry? upper = _upper is null ? null : LayerNames.Find(_upper, name);
        if (upper is not null && LayerNames.IsWhiteout(upper.Inode!))
            return Errno.ENOENT;
        if (upper is not null && _owner.FindLinked(upper.Inode!) is { } known)
        {
            inode = Keep(name, known);
            return Errno.None;
        }
        LowerName[] lowers = upper is not null && (!upper.IsDirectory || LayerNames.IsOpaque(upper.Inode!)) ? [] : FindLowers(name, upper);
        if (upper is null && lowers.Length == 0)
            return Errno.ENOENT;
        var node = new OverlayNode(_owner, this, name.ToArray(), upper, lowers);
        if (upper is { IsDirectory: false } && upper.Inode!.Status.Links > 1)
            _owner.Remember(upper.Inode, node);
        inode = Keep(name, node);
        return Errno.None;
    }

    private OverlayNode Keep(ReadOnlySpan<byte> name, OverlayNode node) => _children[name.ToArray()] = node;

    /// <summary>What shows from below: directories down to the first that lets nothing through, or one other file.</summary>
    private LowerName[] FindLowers(ReadOnlySpan<byte> name, Dentry? upper)
    {
        byte[] wanted = name.ToArray();
        if (upper is not null && RedirectOf(upper) is { } redirect)
        {
            if (redirect is [(byte)'/', ..])
                return FindAbsolute(redirect, 0);
            wanted = redirect;
        }
        return Collect(_lowers, wanted, upper is not null);
    }

    /// <summary>By what name the layers below know a directory that was renamed: in the same directory, or from the top.</summary>
    private byte[]? RedirectOf(Dentry directory) =>
        directory.IsDirectory && _owner.Layers.FollowsRedirects ? LayerNames.Get(directory.Inode!, LayerNames.Redirect) : null;

    private LowerName[] Collect(IEnumerable<LowerName> layers, ReadOnlySpan<byte> name, bool onlyDirectories)
    {
        List<LowerName> found = [];
        foreach (LowerName layer in layers)
        {
            if (LayerNames.Find(layer.Name, name) is not { } lower)
                continue;
            if (LayerNames.IsWhiteout(lower.Inode!) || (!lower.IsDirectory && (found.Count > 0 || onlyDirectories)))
                break;
            found.Add(new LowerName(lower, layer.Layer));
            if (!lower.IsDirectory || LayerNames.IsOpaque(lower.Inode!))
                break;
            if (RedirectOf(lower) is not { } redirect)
                continue;
            if (redirect is [(byte)'/', ..])
                return [.. found, .. FindAbsolute(redirect, layer.Layer + 1)];
            name = redirect;
        }
        return [.. found];
    }

    /// <summary>Directories that a path from the top leads to, from one layer on down.</summary>
    private LowerName[] FindAbsolute(ReadOnlySpan<byte> path, int firstLayer)
    {
        LowerName[] found = _owner.TopsFrom(firstLayer);
        foreach (Range part in path.Split((byte)'/'))
        {
            if (!path[part].IsEmpty)
                found = Collect(found, path[part], onlyDirectories: true);
        }
        return found;
    }

    private bool IsBelow(ReadOnlySpan<byte> name) => Collect(_lowers, name, onlyDirectories: false).Length > 0;

    /// <summary>What the upper layer has under a name: a whiteout goes. True when it covered something.</summary>
    private bool Uncover(ReadOnlySpan<byte> name)
    {
        if (LayerNames.Find(_upper!, name) is { } found && LayerNames.IsWhiteout(found.Inode!))
            LayerNames.Remove(_upper!, found);
        return IsBelow(name);
    }

    public override Errno Make(ReadOnlySpan<byte> name, in NodeSpec spec, out Inode? inode)
    {
        inode = null;
        Errno error = CopyUp();
        if (error != Errno.None)
            return error;
        bool covers = Uncover(name);
        error = LayerNames.Make(_upper!, name, spec, out Dentry made);
        if (error != Errno.None)
        {
            if (covers)
                LayerNames.MakeWhiteout(_upper!, name);
            return error;
        }
        if (covers && spec.Kind == FileKind.Directory)
            LayerNames.Set(made.Inode!, LayerNames.Opaque, "y"u8);
        inode = Keep(name, new OverlayNode(_owner, this, name.ToArray(), made, []));
        return Errno.None;
    }

    public override Errno MakeUnnamed(in NodeSpec spec, out Inode? inode)
    {
        inode = null;
        Errno error = CopyUp();
        if (error == Errno.None)
            error = _upper!.Inode!.MakeUnnamed(spec, out inode);
        if (error == Errno.None)
            inode = new OverlayNode(_owner, this, [], new Dentry(_upper, [], inode), []);
        return error;
    }

    public override Errno Link(ReadOnlySpan<byte> name, Inode target)
    {
        if (target is not OverlayNode node || node._owner != _owner)
            return Errno.EXDEV;
        Errno error = CopyUp();
        if (error == Errno.None)
            error = node.CopyUp();
        if (error != Errno.None)
            return error;
        bool covers = Uncover(name);
        error = LayerNames.Link(_upper!, name, node.Real, out Dentry made);
        if (error != Errno.None)
        {
            if (covers)
                LayerNames.MakeWhiteout(_upper!, name);
            return error;
        }
        if (node._upper!.Name.Length == 0)
            (node._upper, node._parent, node._name) = (made, this, name.ToArray());
        _owner.Remember(node.Real, node);
        Keep(name, node);
        return Errno.None;
    }

    public override Errno Unlink(ReadOnlySpan<byte> name, Inode victim)
    {
        Errno error = Hide(name);
        if (error != Errno.None)
            return error;
        var node = (OverlayNode)victim;
        node._isGone = node._upper is null || node.Real.Status.Links == 0;
        if (node._isGone && node._upper is not null)
            _owner.Forget(node.Real);
        return Errno.None;
    }

    public override Errno RemoveDirectory(ReadOnlySpan<byte> name, Inode victim)
    {
        var node = (OverlayNode)victim;
        if (!node.IsEmpty())
            return Errno.ENOTEMPTY;
        Errno error = Hide(name);
        node._isGone |= error == Errno.None;
        return error;
    }

    /// <summary>Takes a name out of the upper layer, and covers what is below.</summary>
    private Errno Hide(ReadOnlySpan<byte> name)
    {
        Errno error = CopyUp();
        if (error == Errno.None && LayerNames.Find(_upper!, name) is { } upper)
            error = LayerNames.Remove(_upper!, upper);
        if (error == Errno.None)
            _children.Remove(name.ToArray());
        return error == Errno.None && IsBelow(name) ? LayerNames.MakeWhiteout(_upper!, name) : error;
    }

    public override Errno Rename(ReadOnlySpan<byte> name, Inode moved, Inode target, ReadOnlySpan<byte> newName, Inode? replaced, bool exchange)
    {
        var to = (OverlayNode)target;
        var node = (OverlayNode)moved;
        var other = (OverlayNode?)replaced;
        if (!node.MayMove() || (exchange && !other!.MayMove()))
            return Errno.EXDEV;
        if (!exchange && other is { Kind: FileKind.Directory } && !other.IsEmpty())
            return Errno.ENOTEMPTY;
        foreach (OverlayNode? changed in (ReadOnlySpan<OverlayNode?>)[this, to, node, exchange ? other : null])
        {
            Errno error = changed?.CopyUp() ?? Errno.None;
            if (error != Errno.None)
                return error;
        }
        return exchange ? ExchangeWith(name, node, to, newName, other!) : MoveTo(name, node, to, newName, other);
    }

    private Errno MoveTo(ReadOnlySpan<byte> name, OverlayNode node, OverlayNode to, ReadOnlySpan<byte> newName, OverlayNode? replaced)
    {
        Dentry moved = LayerNames.Find(_upper!, name)!;
        if (replaced is { Kind: FileKind.Directory } && replaced._upper is { } covered)
            LayerNames.Remove(to._upper!, covered);
        bool covers = to.Uncover(newName);
        Errno error = node.NoteOrigin(covers, to == this);
        if (error == Errno.None)
            error = LayerNames.Rename(_upper!, moved, to._upper!, newName);
        if (error != Errno.None)
            return error;
        if (replaced is not null)
            replaced._isGone = replaced._upper is null || replaced.Kind == FileKind.Directory || replaced.Real.Status.Links == 0;
        (node._parent, node._name) = (to, newName.ToArray());
        _children.Remove(name.ToArray());
        to.Keep(newName, node);
        return IsBelow(name) ? LayerNames.MakeWhiteout(_upper!, name) : Errno.None;
    }

    private Errno ExchangeWith(ReadOnlySpan<byte> name, OverlayNode node, OverlayNode to, ReadOnlySpan<byte> newName, OverlayNode other)
    {
        Dentry one = LayerNames.Find(_upper!, name)!, two = LayerNames.Find(to._upper!, newName)!;
        Errno error = node.NoteOrigin(to.IsBelow(newName), to == this);
        if (error == Errno.None)
            error = other.NoteOrigin(IsBelow(name), to == this);
        if (error == Errno.None)
            error = LayerNames.Exchange(_upper!, one, to._upper!, two);
        if (error != Errno.None)
            return error;
        (node._parent, node._name) = (to, newName.ToArray());
        (other._parent, other._name) = (this, name.ToArray());
        Keep(name, other);
        to.Keep(newName, node);
        return Errno.None;
    }

    /// <summary>A directory that shows something from below would lose it at another place, unless its old one is noted ("redirect_dir").</summary>
    private bool MayMove() => Kind != FileKind.Directory || _lowers.Length == 0 || _owner.Layers.Redirects;

    /// <summary>Before a directory moves: its old place when it shows something from below; else that nothing is to show through at the new one.</summary>
    private Errno NoteOrigin(bool covers, bool staysInDirectory)
    {
        if (Kind != FileKind.Directory)
            return Errno.None;
        if (_lowers.Length == 0)
            return covers ? LayerNames.Set(Real, LayerNames.Opaque, "y"u8) : Errno.None;
        byte[]? noted = LayerNames.Get(Real, LayerNames.Redirect);
        return noted is [(byte)'/', ..] ? Errno.None : LayerNames.Set(Real, LayerNames.Redirect, staysInDirectory ? noted ?? _name : Origin());
    }

    /// <summary>The path from the top by which the layers below know the directory.</summary>
    private byte[] Origin()
    {
        byte[] own = LayerNames.Get(Real, LayerNames.Redirect) ?? _name;
        if (own is [(byte)'/', ..] || _parent is null)
            return own;
        byte[] above = _parent._parent is null ? [] : _parent.Origin();
        return [.. above, (byte)'/', .. own];
    }

    public override Errno List(CallContext? call, ulong cookie, IDirectorySink sink)
    {
        List<(ulong Place, byte[] Name)> names = [];
        foreach (byte[] name in VisibleNames())
        {
            if (!_places.TryGetValue(name, out ulong place))
                _places[name] = place = (ulong)_places.Count + 1;
            if (place > cookie)
                names.Add((place, name));
        }
        names.Sort(static (left, right) => left.Place.CompareTo(right.Place));
        foreach ((ulong place, byte[] name) in names)
        {
            if (Lookup(name, out Inode? inode) == Errno.None && !sink.Add(name, inode!.Status.Inode, inode.Kind, place))
                break;
        }
        return Errno.None;
    }

    private bool IsEmpty() => VisibleNames().Count == 0;

    /// <summary>The names of all layers, without what whiteouts cover.</summary>
    private List<byte[]> VisibleNames()
    {
        HashSet<byte[]> covered = new(ByteNameComparer.Instance);
        List<byte[]> visible = [];
        IEnumerable<Dentry> lowers = _lowers.Select(static lower => lower.Name);
        foreach (Dentry layer in _upper is null ? lowers : [_upper, .. lowers])
        {
            NameList names = new();
            layer.Inode!.List(null, 0, names);
            foreach (byte[] name in names.Names)
            {
                if (covered.Add(name) && LayerNames.Find(layer, name) is { } child && !LayerNames.IsWhiteout(child.Inode!))
                    visible.Add(name);
            }
        }
        return visible;
    }
}
