using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Memory.Host;

namespace Vivarium.Emulator.Kernel.Files.HostTrees;

/// <summary>
/// A node of the host, named by its path from the tree's root. Nothing but that path is kept, so that a million of them hold no
/// descriptor; the tree resolves it without following links.
/// </summary>
public class HostInode : Inode
{
    private protected HostInode(HostFileSystem owner, byte[] path, FileStatus status)
    {
        Owner = owner;
        Path = path;
        _last = status;
    }

    internal override bool IsEvictable => Kind != FileKind.Directory && Readers + Writers + Executors == 0;

    public override FileKind Kind => _last.Kind;

    public override FileSystem FileSystem => Owner;

    /// <summary>Relative to the root; empty for the root itself.</summary>
    internal byte[] Path { get; set; }

    private protected HostFileSystem Owner { get; }

    private protected HostTree Tree => Owner.Tree;

    /// <summary>The status when it was last asked for: all there is once the file is gone.</summary>
    private protected FileStatus Last
    {
        get
        {
            if (IsUnasked)
            {
                IsUnasked = false;
                if (Tree.Status(Path, out HostStatus status) == 0 && Owner.Describe(status) is { } now && now.Kind == _last.Kind)
                    _last = now;
            }
            return _last;
        }
        set => _last = value;
    }

    private FileStatus _last;

    /// <summary>Nothing but its kind is known, until somebody wants to know more.</summary>
    internal bool IsUnasked { get; private protected set; }

    public override FileStatus Status
    {
        get
        {
            // A read-only tree lies under an overlay, which asks once when it first meets a node.
            if (!Owner.IsReadOnly && Tree.Status(Path, out HostStatus status) == 0 && status.Inode == Last.Inode)
                Last = Owner.Describe(status);
            return Last;
        }
    }

    public override FileWatch[] Watches
    {
        get => Owner.WatchesOf(Last.Inode);
        set => Owner.SetWatches(Last.Inode, value);
    }

    /// <summary>A name of the file was removed, and the host cannot be asked about one that has none left.</summary>
    internal void LoseLink(in FileStatus before) => Last = before with { Links = Kind == FileKind.Directory ? 0 : before.Links - 1 };

    internal static HostInode Create(HostFileSystem owner, byte[] path, in FileStatus status) => status.Kind switch
    {
        FileKind.Directory => new HostDirectory(owner, path, status),
        FileKind.Regular => new HostRegular(owner, path, status),
        _ => new HostInode(owner, path, status),
    };

    internal static FileStatus Convert(in HostStatus host) => new()
    {
        Device = DeviceNumber.Make(host.Major, host.Minor),
        Inode = host.Inode,
        Kind = KindOf(host.Mode),
        Mode = host.Mode & 0xFFF,
        Links = host.Links,
        User = host.User,
        Group = host.Group,
        RawDevice = DeviceNumber.Make(host.RawMajor, host.RawMinor),
        Size = host.Size,
        BlockSize = host.BlockSize,
        Blocks = host.Blocks,
        AccessTime = host.AccessTime,
        ModifyTime = host.ModifyTime,
        ChangeTime = host.ChangeTime,
        BirthTime = host.BirthTime ?? 0,
        HasBirthTime = host.BirthTime is not null,
    };

    private static FileKind KindOf(uint mode) => FromType((byte)(mode >> 12));

    /// <summary>The kind of a d_type, which is also S_IFMT shifted down by 12.</summary>
    internal static FileKind FromType(byte type) => type switch
    {
        1 => FileKind.Fifo,
        2 => FileKind.CharacterDevice,
        4 => FileKind.Directory,
        6 => FileKind.BlockDevice,
        8 => FileKind.Regular,
        10 => FileKind.SymbolicLink,
        12 => FileKind.Socket,
        _ => FileKind.Unknown,
    };

    internal static uint TypeBits(FileKind kind) => kind switch
    {
        FileKind.Fifo => 0x1000u,
        FileKind.CharacterDevice => 0x2000,
        FileKind.Directory => 0x4000,
        FileKind.BlockDevice => 0x6000,
        FileKind.Regular => 0x8000,
        FileKind.SymbolicLink => 0xA000,
        FileKind.Socket => 0xC000,
        _ => 0,
    };

    public override Errno ReadLink(CallContext? call, out byte[]? target)
    {
        target = null;
        if (Kind != FileKind.SymbolicLink)
            return Errno.EINVAL;
        Errno error = (Errno)Tree.ReadLink(Path, out byte[] text);
        target = text;
        return error;
    }

    public override Errno SetAttributes(in AttributeChange change)
    {
        if (Owner.IsReadOnly)
            return Errno.EROFS;
        if (change.Size is { } size)
        {
            Errno error = Resize(size);
            if (error != Errno.None)
                return error;
        }
        return (Errno)Tree.SetAttributes(Path, change.Mode, change.User, change.Group, change.AccessTime, change.ModifyTime);
    }

    private protected virtual Errno Resize(long size) => Errno.EINVAL;

    public override Errno GetAttribute(ReadOnlySpan<byte> name, out byte[]? value)
    {
        value = null;
        return Kind == FileKind.SymbolicLink ? Errno.EOPNOTSUPP : (Errno)Tree.GetAttribute(Path, name, out value);
    }

    public override Errno ListAttributes(out byte[] names)
    {
        names = [];
        if (Kind == FileKind.SymbolicLink)
            return Errno.None;
        Errno error = (Errno)Tree.ListAttributes(Path, out byte[]? all);
        names = all ?? [];
        return error;
    }
}
