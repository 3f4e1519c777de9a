namespace Vivarium.Emulator.Kernel.Files.Tmpfs;

/// <summary>
/// A directory: own entries and whiteouts over the lower directory's names. Listing goes through the lower names first, in their
/// order, then the own ones by age; the cookies are positions in these two sequences and so survive any change.
/// </summary>
public sealed class MemoryDirectory : MemoryNode
{
    private const ulong OwnCookies = 1UL << 40;
    private const uint EntrySize = 20;

    // Names known here: own ones, lower ones that were looked up, and whiteouts (without a node).
    private readonly Dictionary<byte[], Entry> _entries = new(ByteNameComparer.Instance);
    private readonly List<Entry> _own = [];
    private ulong _nextSequence = 1;
    private int _removedOwn;
    private List<LowerName>? _lowerNames;

    internal MemoryDirectory(MemoryFileSystem fileSystem, in FileStatus status, Inode? lower)
        : base(fileSystem, status, lower)
    {
        if (lower is null)
        {
            State.Size = fileSystem.IsOverlay ? 4096 : 2 * EntrySize;
            State.Blocks = fileSystem.IsOverlay ? 8 : 0;
        }
    }

    private MemoryDirectory(MemoryFileSystem fileSystem, Inode lower)
        : base(fileSystem, lower)
    {
    }

    /// <summary>Shows a directory of the lower one, before its name is looked up, without asking what it is like.</summary>
    internal void Show(byte[] name, Inode lower) => _entries.Add(name, new Entry(name, new MemoryDirectory(Owner, lower), 0));

    public override Errno Lookup(ReadOnlySpan<byte> name, out Inode? inode)
    {
        if (_entries.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(name, out Entry? entry))
        {
            inode = entry.Node;
            return inode is null ? Errno.ENOENT : Errno.None;
        }
        inode = null;
        if (Lower is null)
            return Errno.ENOENT;
        Errno error = Lower.Lookup(name, out Inode? lower);
        if (error != Errno.None)
            return error;
        MemoryNode node = Owner.Wrap(lower!);
        byte[] key = name.ToArray();
        _entries.Add(key, new Entry(key, node, 0));
        inode = node;
        if (Awaited is { } awaited && awaited.Name.AsSpan().SequenceEqual(key))
        {
            Awaited = null;
            awaited.Found(node);
        }
        return Errno.None;
    }

    /// <summary>A name of the lower directory, and what is to be done when it is first looked up: changes to what it holds can wait until then.</summary>
    public (byte[] Name, Action<Inode> Found)? Awaited { private get; set; }

    public override Errno Make(ReadOnlySpan<byte> name, in NodeSpec spec, out Inode? inode)
    {
        inode = null;
        if (!Owner.TryReserveName())
            return Errno.ENOSPC;
        if (Owner.Space?.TryAddInode(spec.User, spec.Group) is { } full and not Errno.None)
        {
            Owner.ReleaseName();
            return full;
        }
        MemoryNode node = Owner.NewNode(spec, State.Device);
        inode = node;
        Insert(name, node);
        if (spec.Kind == FileKind.Directory)
            State.Links++;
        return Errno.None;
    }

    public override Errno MakeUnnamed(in NodeSpec spec, out Inode? inode)
    {
        inode = null;
        if (Owner.Space?.TryAddInode(spec.User, spec.Group) is { } full and not Errno.None)
            return full;
        MemoryNode node = Owner.NewNode(spec, State.Device);
        node.BeUnnamed();
        node.IsLinkable = !spec.IsNeverNamed;
        if (spec.Seals is { } seals && node is MemoryFile file)
            file.Start(seals);
        inode = node;
        return Errno.None;
    }

    public override Errno Link(ReadOnlySpan<byte> name, Inode target)
    {
        if (target is not MemoryNode node || !ReferenceEquals(node.FileSystem, Owner))
            return Errno.EXDEV;
        // A name cannot come back once the last one is gone; a file made without one may get its first (open(2), O_TMPFILE).
        if (node.Links == 0 && !node.IsLinkable)
            return Errno.ENOENT;
        if (!Owner.TryReserveName())
            return Errno.ENOSPC;
        // A file's first name came with its inode.
        if (node.Links != 0 && Owner.Space?.TryAddName() == false)
        {
            Owner.ReleaseName();
            return Errno.ENOSPC;
        }
        node.AddLink(1);
        Insert(name, node);
        return Errno.None;
    }

    public override Errno Unlink(ReadOnlySpan<byte> name, Inode victim)
    {
        if (victim is not MemoryNode node)
            return Errno.EPERM;
        Drop(name);
        node.LoseName();
        return Errno.None;
    }

    public override Errno RemoveDirectory(ReadOnlySpan<byte> name, Inode victim)
    {
        if (victim is not MemoryDirectory directory)
            return Errno.EPERM;
        if (!directory.IsEmpty())
            return Errno.ENOTEMPTY;
        Drop(name);
        directory.AddLink(-(int)directory.Links);
        State.Links--;
        return Errno.None;
    }

    public override Errno Rename(ReadOnlySpan<byte> name, Inode moved, Inode target, ReadOnlySpan<byte> newName, Inode? replaced, bool exchange)
    {
        // What is shown here of another file system stays where it is.
        if (target is not MemoryDirectory to || moved is not MemoryNode node || replaced is not (null or MemoryNode))
            return Errno.EPERM;
        if (!exchange && replaced is MemoryDirectory directory && !directory.IsEmpty())
            return Errno.ENOTEMPTY;
        if (!Owner.TryReserveName())
            return Errno.ENOSPC;
        if (exchange && !Owner.TryReserveName())
        {
            Owner.ReleaseName();
            return Errno.ENOSPC;
        }
        Drop(name);
        if (replaced is not null)
            to.Drop(newName);
        to.Insert(newName, node);
        if (exchange)
            Insert(name, (MemoryNode)replaced!);
        else if (replaced is MemoryDirectory emptied)
            emptied.AddLink(-(int)emptied.Links);
        else if (replaced is not null)
            ((MemoryNode)replaced).LoseName();
        int arriving = moved.Kind == FileKind.Directory ? 1 : 0;
        int leaving = replaced is { Kind: FileKind.Directory } ? 1 : 0;
        State.Links = (uint)(State.Links - arriving + (exchange ? leaving : 0));
        to.State.Links = (uint)(to.State.Links + arriving - leaving);
        node.AddLink(0);
        if (exchange)
            ((MemoryNode)replaced!).AddLink(0);
        return Errno.None;
    }

    public override Errno List(CallContext? call, ulong cookie, IDirectorySink sink)
    {
        if (cookie < OwnCookies && Lower is not null)
        {
            List<LowerName> names = LowerNames(call);
            for (int i = (int)Math.Min(cookie, (ulong)names.Count); i < names.Count; i++)
            {
                if (IsVisible(names[i]) && !sink.Add(names[i].Name, names[i].Inode, names[i].Kind, (ulong)i + 1))
                    return Errno.None;
            }
        }
        ulong after = cookie < OwnCookies ? 0 : cookie - OwnCookies;
        for (int i = FirstAfter(after); i < _own.Count; i++)
        {
            Entry entry = _own[i];
            if (entry.Node is { } node && !sink.Add(entry.Name, node.Status.Inode, node.Kind, OwnCookies + entry.Sequence))
                return Errno.None;
        }
        return Errno.None;
    }

    private bool IsEmpty()
    {
        if (_own.Count - _removedOwn > 0)
            return false;
        if (Lower is null)
            return true;
        foreach (LowerName name in LowerNames(null))
        {
            if (IsVisible(name))
                return false;
        }
        return true;
    }

    /// <summary>A lower name shows unless a whiteout or an own entry covers it.</summary>
    private bool IsVisible(in LowerName name) =>
        !_entries.TryGetValue(name.Name, out Entry? entry) || (entry.Node is not null && entry.Sequence == 0);

    private int FirstAfter(ulong sequence)
    {
        int low = 0;
        int high = _own.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_own[middle].Sequence <= sequence)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    private List<LowerName> LowerNames(CallContext? call)
    {
        if (_lowerNames is not null)
            return _lowerNames;
        LowerNameCollector collector = new();
        Lower!.List(call, 0, collector);
        return _lowerNames = collector.Names;
    }

    /// <summary>Adds a name that was reserved.</summary>
    private void Insert(ReadOnlySpan<byte> name, MemoryNode node)
    {
        Entry entry = new(name.ToArray(), node, _nextSequence++);
        _entries[entry.Name] = entry;
        _own.Add(entry);
        Changed(1);
    }

    /// <summary>Shows a node of another file system under a name, as its own.</summary>
    internal void Graft(ReadOnlySpan<byte> name, Inode node)
    {
        Entry entry = new(name.ToArray(), node, _nextSequence++);
        _entries[entry.Name] = entry;
        _own.Add(entry);
    }

    private void Drop(ReadOnlySpan<byte> name)
    {
        byte[] key = name.ToArray();
        if (_entries.Remove(key, out Entry? entry) && entry.Sequence != 0)
        {
            entry.Node = null;
            Owner.ReleaseName();
            if (++_removedOwn > 16 && _removedOwn > _own.Count / 2)
                _removedOwn -= _own.RemoveAll(static own => own.Node is null);
        }
        // What a lower name would show again is covered by a whiteout.
        if (Lower is not null && Lower.Lookup(name, out _) == Errno.None)
            _entries[key] = new Entry(key, null, 0);
        Changed(-1);
    }

    private void Changed(int entries)
    {
        if (!Owner.IsOverlay)
            State.Size += entries * EntrySize;
        Modified();
    }

    private sealed class Entry(byte[] name, Inode? node, ulong sequence)
    {
        public byte[] Name { get; } = name;

        /// <summary>Null for a whiteout or a removed entry.</summary>
        public Inode? Node { get; set; } = node;

        /// <summary>Age among the own entries; 0 for a lower name.</summary>
        public ulong Sequence { get; } = sequence;
    }

    private readonly record struct LowerName(byte[] Name, ulong Inode, FileKind Kind);

    private sealed class LowerNameCollector : IDirectorySink
    {
        public List<LowerName> Names { get; } = [];

        public bool Add(ReadOnlySpan<byte> name, ulong inode, FileKind kind, ulong next)
        {
            Names.Add(new LowerName(name.ToArray(), inode, kind));
            return true;
        }
    }
}
