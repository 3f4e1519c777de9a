namespace Vivarium.Emulator.Kernel.Files.Tmpfs;

/// <summary>What all nodes of a <see cref="MemoryFileSystem"/> share: attributes, and the lower node they started as.</summary>
public abstract class MemoryNode : Inode
{
    private const long DayInNanoseconds = 86_400_000_000_000;

    // As much as a disk's file system keeps for a file (xattr(7), "ext2, ext3, and ext4").
    private const int MaxAttributes = 4096;

    private FileStatus _state;
    private bool _isUnasked;
    private SortedDictionary<string, byte[]>? _attributes;

    private protected MemoryNode(MemoryFileSystem fileSystem, in FileStatus status, Inode? lower)
    {
        Owner = fileSystem;
        _state = status;
        Lower = lower;
    }

    /// <summary>A view of a lower directory that is asked for its attributes when somebody wants them.</summary>
    private protected MemoryNode(MemoryFileSystem fileSystem, Inode lower)
    {
        Owner = fileSystem;
        _state.Kind = lower.Kind;
        Lower = lower;
        _isUnasked = true;
    }

    /// <summary>Its attributes.</summary>
    private protected ref FileStatus State
    {
        get
        {
            if (_isUnasked)
            {
                _isUnasked = false;
                _state = Lower!.Status;
            }
            return ref _state;
        }
    }

    public override FileKind Kind => _state.Kind;

    public override FileStatus Status => State;

    public override FileSystem FileSystem => Owner;

    private protected MemoryFileSystem Owner { get; }

    /// <summary>The lower node this one is a view of, or null for a new one.</summary>
    private protected Inode? Lower { get; }

    /// <summary>Names this node still has.</summary>
    internal uint Links => State.Links;

    /// <summary>Made without a name, which it may still get.</summary>
    internal bool IsLinkable { get; set; }

    public override Errno SetAttributes(in AttributeChange change)
    {
        if (change.Size is { } size)
        {
            Errno error = Resize(size);
            if (error != Errno.None)
                return error;
        }
        uint user = change.User ?? State.User, group = change.Group ?? State.Group;
        if (Owner.Space?.TryGive((State.User, State.Group), (user, group), Pages) == false)
            return Errno.EDQUOT;
        State.Mode = change.Mode ?? State.Mode;
        State.User = change.User ?? State.User;
        State.Group = change.Group ?? State.Group;
        State.AccessTime = change.AccessTime ?? State.AccessTime;
        State.ModifyTime = change.ModifyTime ?? State.ModifyTime;
        State.ChangeTime = Owner.Clock.Realtime;
        return Errno.None;
    }

    private FileMarks _marks;

    public override FileMarks Marks => _marks;

    public override bool KeepsMarks => Kind is FileKind.Regular or FileKind.Directory or FileKind.SymbolicLink;

    public override Errno SetMarks(FileMarks marks)
    {
        if (!KeepsMarks)
            return Errno.EOPNOTSUPP;
        _marks = marks;
        State.ChangeTime = Owner.Clock.Realtime;
        return Errno.None;
    }

    private protected virtual Errno Resize(long size) => Errno.EINVAL;

    /// <summary>Stamps a change of content.</summary>
    private protected void Modified() => State.ModifyTime = State.ChangeTime = Owner.Clock.Realtime;

    public override void Accessed()
    {
        // relatime: once after each change, and once a day (mount(8)). Lower files stay as they are.
        if (Lower is not null || (_marks & FileMarks.NoAccessTime) != 0)
            return;
        long now = Owner.Clock.Realtime;
        if (State.AccessTime <= State.ModifyTime || State.AccessTime <= State.ChangeTime || now - State.AccessTime >= DayInNanoseconds)
            State.AccessTime = now;
    }

    internal void AddLink(int count)
    {
        State.Links = (uint)(State.Links + count);
        State.ChangeTime = Owner.Clock.Realtime;
        if (State.Links == 0)
            OnUnlinked();
    }

    /// <summary>One of its names is gone; all but the last counted as inodes.</summary>
    internal void LoseName()
    {
        if (Links > 1)
            Owner.Space?.RemoveName();
        AddLink(-1);
    }

    /// <summary>It begins without a name.</summary>
    internal void BeUnnamed() => State.Links = 0;

    /// <summary>It has no name, and nobody has it open: what it took of the file system is free.</summary>
    private protected virtual void OnUnlinked()
    {
        if (Owner.Space is not { } space || _isGone)
            return;
        _isGone = true;
        space.RemovePages(State.User, State.Group, Pages);
        space.RemoveInode(State.User, State.Group);
    }

    private bool _isGone;

    /// <summary>Pages of content that count against limits.</summary>
    private protected virtual ulong Pages => 0;

    private AccessList? _accessList;
    private AccessList? _defaultAccessList;

    public override AccessList? AccessList => _accessList;

    public override AccessList? DefaultAccessList => _defaultAccessList;

    public override Errno SetAccessList(AccessList? list, bool isDefault)
    {
        if (Kind == FileKind.SymbolicLink)
            return Errno.EOPNOTSUPP;
        if (isDefault)
            _defaultAccessList = list;
        else
            _accessList = list;
        State.ChangeTime = Owner.Clock.Realtime;
        return Errno.None;
    }

    /// <summary>The lists that a new node begins with.</summary>
    internal void Start(in NodeSpec spec) => (_accessList, _defaultAccessList) = (spec.AccessList, spec.DefaultAccessList);

    public override Errno GetAttribute(ReadOnlySpan<byte> name, out byte[]? value)
    {
        value = null;
        if (_attributes is null && Lower is not null)
            return Lower.GetAttribute(name, out value);
        return _attributes is not null && _attributes.TryGetValue(Key(name), out value) ? Errno.None : Errno.ENODATA;
    }

    public override Errno SetAttribute(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, bool create, bool replace)
    {
        SortedDictionary<string, byte[]> attributes = OwnAttributes();
        bool exists = attributes.ContainsKey(Key(name));
        if (create && exists)
            return Errno.EEXIST;
        if (replace && !exists)
            return Errno.ENODATA;
        int size = name.Length + value.Length;
        foreach ((string other, byte[] held) in attributes)
            size += other == Key(name) ? 0 : other.Length + held.Length;
        if (size > MaxAttributes)
            return Errno.ENOSPC;
        attributes[Key(name)] = value.ToArray();
        State.ChangeTime = Owner.Clock.Realtime;
        return Errno.None;
    }

    public override Errno RemoveAttribute(ReadOnlySpan<byte> name)
    {
        if (!OwnAttributes().Remove(Key(name)))
            return Errno.ENODATA;
        State.ChangeTime = Owner.Clock.Realtime;
        return Errno.None;
    }

    public override Errno ListAttributes(out byte[] names)
    {
        if (_attributes is null)
        {
            names = [];
            return Lower?.ListAttributes(out names) ?? Errno.None;
        }
        List<byte> all = [];
        foreach (string name in _attributes.Keys)
        {
            all.AddRange(System.Text.Encoding.Latin1.GetBytes(name));
            all.Add(0);
        }
        names = [.. all];
        return Errno.None;
    }

    private static string Key(ReadOnlySpan<byte> name) => System.Text.Encoding.Latin1.GetString(name);

    /// <summary>The node's own attributes, copied from the lower node at the first change.</summary>
    private SortedDictionary<string, byte[]> OwnAttributes()
    {
        if (_attributes is not null)
            return _attributes;
        _attributes = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        if (Lower is null || Lower.ListAttributes(out byte[] names) != Errno.None)
            return _attributes;
        ReadOnlySpan<byte> rest = names;
        for (int end = rest.IndexOf((byte)0); end >= 0; end = rest.IndexOf((byte)0))
        {
            if (Lower.GetAttribute(rest[..end], out byte[]? value) == Errno.None)
                _attributes[Key(rest[..end])] = value!;
            rest = rest[(end + 1)..];
        }
        return _attributes;
    }
}

/// <summary>A symbolic link.</summary>
public sealed class MemoryLink : MemoryNode
{
    private byte[]? _target;

    internal MemoryLink(MemoryFileSystem fileSystem, in FileStatus status, byte[] target)
        : base(fileSystem, status, null) => _target = target;

    internal MemoryLink(MemoryFileSystem fileSystem, in FileStatus status, Inode lower)
        : base(fileSystem, status, lower)
    {
    }

    public override Errno ReadLink(CallContext? call, out byte[]? target)
    {
        Errno error = _target is null ? Lower!.ReadLink(call, out _target) : Errno.None;
        target = _target;
        return error;
    }
}

/// <summary>A device node, FIFO or socket: attributes only; opening goes to the driver or owner.</summary>
public sealed class MemorySpecial : MemoryNode
{
    internal MemorySpecial(MemoryFileSystem fileSystem, in FileStatus status, Inode? lower = null)
        : base(fileSystem, status, lower)
    {
    }
}
