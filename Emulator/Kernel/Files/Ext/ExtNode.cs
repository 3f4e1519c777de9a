namespace Vivarium.Emulator.Kernel.Files.Ext;

/// <summary>What all nodes of a volume share: attributes.</summary>
public abstract class ExtNode : Inode
{
    private const long DayInNanoseconds = 86_400_000_000_000;
    private const ushort MostLinks = 65000;

    private static readonly (ExtInodeFlags Flag, FileMarks Means)[] MarkNames =
    [
        (ExtInodeFlags.Immutable, FileMarks.Immutable), (ExtInodeFlags.AppendOnly, FileMarks.AppendOnly), (ExtInodeFlags.NoDump, FileMarks.NoDump),
        (ExtInodeFlags.NoAccessTime, FileMarks.NoAccessTime),
    ];

    private protected ExtNode(ExtFileSystem fileSystem, ExtRecord record)
    {
        Owner = fileSystem;
        Record = record;
        Kind = record.Kind;
        Attributes = new ExtAttributes(record);
    }

    public override FileKind Kind { get; }

    internal override bool IsEvictable => Kind != FileKind.Directory && Readers + Writers + Executors == 0;

    public override FileSystem FileSystem => Owner;

    internal ExtFileSystem Owner { get; }

    internal ExtRecord Record { get; }

    internal ExtVolume Volume => Owner.Volume;

    private ExtAttributes Attributes { get; }

    /// <summary>Its inode was freed: what is left is what those see who still have it.</summary>
    internal bool IsGone { get; private set; }

    public override FileStatus Status => new()
    {
        Device = Owner.DeviceNumber,
        Inode = Record.Number,
        Kind = Kind,
        Mode = Record.Mode,
        Links = Record.Links,
        User = Record.User,
        Group = Record.Group,
        RawDevice = Kind is FileKind.CharacterDevice or FileKind.BlockDevice ? Record.Device : 0,
        Size = Record.Size,
        BlockSize = (uint)Volume.BlockSize,
        Blocks = Record.Sectors,
        AccessTime = Record.AccessTime,
        ModifyTime = Record.ModifyTime,
        ChangeTime = Record.ChangeTime,
        BirthTime = Record.BirthTime,
        HasBirthTime = Record.HasBirthTime,
    };

    public override Errno SetAttributes(in AttributeChange change)
    {
        Errno error = Owner.MayChange();
        if (error == Errno.None && change.Size is { } size)
            error = Resize(size);
        if (error != Errno.None)
            return error;
        Record.Mode = change.Mode ?? Record.Mode;
        Record.User = change.User ?? Record.User;
        Record.Group = change.Group ?? Record.Group;
        Record.AccessTime = change.AccessTime ?? Record.AccessTime;
        Record.ModifyTime = change.ModifyTime ?? Record.ModifyTime;
        Record.ChangeTime = Owner.Clock.Realtime;
        return Store();
    }

    private protected virtual Errno Resize(long size) => Errno.EINVAL;

    public override void Accessed()
    {
        // relatime: once after each change, and once a day (mount(8)).
        if (Owner.IsReadOnly || IsGone || (Record.Flags & ExtInodeFlags.NoAccessTime) != 0)
            return;
        long now = Owner.Clock.Realtime, last = Record.AccessTime;
        if (last > Record.ModifyTime && last > Record.ChangeTime && now - last < DayInNanoseconds)
            return;
        Record.AccessTime = now;
        Store();
    }

    /// <summary>Stamps a change of content.</summary>
    internal void Modified() => Record.ModifyTime = Record.ChangeTime = Owner.Clock.Realtime;

    /// <summary>Its inode goes to its block.</summary>
    internal Errno Store() => IsGone ? Errno.None : Record.Store();

    public override FileMarks Marks
    {
        get
        {
            FileMarks marks = FileMarks.None;
            foreach ((ExtInodeFlags flag, FileMarks means) in MarkNames)
                marks |= (Record.Flags & flag) != 0 ? means : FileMarks.None;
            return marks;
        }
    }

    public override bool KeepsMarks => Kind is FileKind.Regular or FileKind.Directory or FileKind.SymbolicLink;

    public override Errno SetMarks(FileMarks marks)
    {
        Errno error = KeepsMarks ? Owner.MayChange() : Errno.EOPNOTSUPP;
        if (error != Errno.None)
            return error;
        foreach ((ExtInodeFlags flag, FileMarks means) in MarkNames)
            Record.Flags = (marks & means) != 0 ? Record.Flags | flag : Record.Flags & ~flag;
        Record.ChangeTime = Owner.Clock.Realtime;
        return Store();
    }

    /// <summary>What a new node in this directory has of its flags (ext4_mask_flags).</summary>
    internal ExtInodeFlags FlagsForNew(FileKind kind)
    {
        const ExtInodeFlags directoriesOnly = (ExtInodeFlags)0x10000, all = ExtInodeFlags.NoDump | ExtInodeFlags.NoAccessTime;
        ExtInodeFlags flags = Record.Flags & ExtInodeFlags.Inherited;
        return kind switch
        {
            FileKind.Directory => flags,
            FileKind.Regular => flags & ~directoriesOnly,
            _ => flags & all,
        };
    }

    /// <summary>It has another name: EMLINK when it has as many as it may.</summary>
    internal Errno AddName()
    {
        if (Record.Links >= MostLinks)
            return Errno.EMLINK;
        Record.Links++;
        Record.ChangeTime = Owner.Clock.Realtime;
        return Store();
    }

    internal Errno LoseName()
    {
        if (Record.Links > 0)
            Record.Links--;
        Record.ChangeTime = Owner.Clock.Realtime;
        return Record.Links == 0 && !IsUsed ? Delete() : Store();
    }

    /// <summary>Somebody has its content open.</summary>
    private protected virtual bool IsUsed => false;

    /// <summary>Frees the inode and all it had.</summary>
    internal Errno Delete()
    {
        if (IsGone)
            return Errno.None;
        Errno error = DropContent();
        if (error == Errno.None)
            error = Attributes.Drop();
        Record.Links = 0;
        Record.DeletionTime = Math.Max(1, Owner.Seconds);
        Errno stored = Record.Store();
        if (error == Errno.None)
            error = Volume.FreeInode(Record.Number, Kind == FileKind.Directory);
        IsGone = true;
        Owner.Forget(Record.Number);
        return error != Errno.None ? error : stored;
    }

    private protected virtual Errno DropContent() => Errno.None;

    public override AccessList? AccessList => Attributes.GetList(isDefault: false);

    public override AccessList? DefaultAccessList => Kind == FileKind.Directory ? Attributes.GetList(isDefault: true) : null;

    public override Errno SetAccessList(AccessList? list, bool isDefault)
    {
        if (Kind == FileKind.SymbolicLink)
            return Errno.EOPNOTSUPP;
        Errno error = MayChangeAttributes();
        return error != Errno.None ? error : Changed(Attributes.SetList(list, isDefault));
    }

    /// <summary>The lists that a new node begins with.</summary>
    internal Errno Start(in NodeSpec spec)
    {
        Errno error = spec.AccessList is null ? Errno.None : Attributes.SetList(spec.AccessList, isDefault: false);
        return error != Errno.None || spec.DefaultAccessList is null ? error : Attributes.SetList(spec.DefaultAccessList, isDefault: true);
    }

    public override Errno GetAttribute(ReadOnlySpan<byte> name, out byte[]? value) => Attributes.Get(name, out value);

    public override Errno SetAttribute(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, bool create, bool replace)
    {
        Errno error = MayChangeAttributes();
        return error != Errno.None ? error : Changed(Attributes.Set(name, value, create, replace));
    }

    public override Errno RemoveAttribute(ReadOnlySpan<byte> name)
    {
        Errno error = MayChangeAttributes();
        return error != Errno.None ? error : Changed(Attributes.Remove(name));
    }

    public override Errno ListAttributes(out byte[] names) => Attributes.List(out names);

    private Errno MayChangeAttributes() => IsGone ? Errno.ENOENT : Owner.MayChange();

    private Errno Changed(Errno error)
    {
        if (error != Errno.None)
            return error;
        Record.ChangeTime = Owner.Clock.Realtime;
        return Store();
    }

    public override Errno Synchronize() => Owner.Synchronize();
}

/// <summary>A symbolic link: a short text is in the inode, a longer one in a block.</summary>
public sealed class ExtLink : ExtNode
{
    internal ExtLink(ExtFileSystem fileSystem, ExtRecord record)
        : base(fileSystem, record)
    {
    }

    public override Errno ReadLink(CallContext? call, out byte[]? target)
    {
        target = null;
        int length = (int)Record.Size;
        if (length == 0)
            return Volume.Corrupt($"inode #{Record.Number}: bad symlink.");
        if (length < ExtRecord.MapSize)
        {
            target = Record.Map[..length].ToArray();
            return Errno.None;
        }
        Errno error = ExtMap.Of(Record).Find(0, 1, out ExtRun run);
        if (error != Errno.None)
            return error;
        if (!run.IsWritten)
            return Volume.Corrupt($"inode #{Record.Number}: bad symlink.");
        target = new byte[length];
        return Volume.ReadData(run.Block, 0, target);
    }

    /// <summary>Sets the text of a new link: ENAMETOOLONG for one longer than a block.</summary>
    internal Errno Write(byte[] target)
    {
        if (target.Length >= Volume.BlockSize)
            return Errno.ENAMETOOLONG;
        Record.Size = target.Length;
        if (target.Length < ExtRecord.MapSize)
        {
            target.CopyTo(Record.Map);
            return Errno.None;
        }
        Errno error = ExtMap.Of(Record).Fill(0, 1, isUnwritten: false, out ExtRun run);
        if (error != Errno.None)
            return error;
        byte[] block = new byte[Volume.BlockSize];
        target.CopyTo(block, 0);
        return Volume.WriteData(run.Block, 0, block);
    }

    private protected override Errno DropContent() =>
        Record.Size < ExtRecord.MapSize ? Errno.None : ExtMap.Of(Record).Remove(0, uint.MaxValue);
}

/// <summary>A device node, FIFO or socket.</summary>
public sealed class ExtSpecial : ExtNode
{
    internal ExtSpecial(ExtFileSystem fileSystem, ExtRecord record)
        : base(fileSystem, record)
    {
    }
}
