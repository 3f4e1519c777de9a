namespace Vivarium.Emulator.Kernel.Files;

/// <summary>What a program may take from itself (landlock(7)); the values are Linux'.</summary>
[Flags]
public enum FileRights : ulong
{
    None = 0,
    Execute = 1 << 0,
    WriteFile = 1 << 1,
    ReadFile = 1 << 2,
    ReadDirectory = 1 << 3,
    RemoveDirectory = 1 << 4,
    RemoveFile = 1 << 5,
    MakeCharacterDevice = 1 << 6,
    MakeDirectory = 1 << 7,
    MakeRegular = 1 << 8,
    MakeSocket = 1 << 9,
    MakeFifo = 1 << 10,
    MakeBlockDevice = 1 << 11,
    MakeSymbolicLink = 1 << 12,

    /// <summary>Links and moves between directories.</summary>
    Refer = 1 << 13,
    Truncate = 1 << 14,

    /// <summary>What ioctl(2) does to character and block devices.</summary>
    ControlDevice = 1 << 15,

    /// <summary>Those that a file, and not a directory, may be given.</summary>
    OfFiles = Execute | WriteFile | ReadFile | Truncate | ControlDevice,
    All = (1 << 16) - 1,
}

/// <summary>Uses of TCP's ports that a program may take from itself.</summary>
[Flags]
public enum PortRights : ulong
{
    None = 0,
    Bind = 1 << 0,
    Connect = 1 << 1,
    All = (1 << 2) - 1,
}

/// <summary>What does not lead out of a domain.</summary>
[Flags]
public enum DomainScopes : ulong
{
    None = 0,

    /// <summary>Connections to UNIX sockets with abstract names.</summary>
    AbstractSockets = 1 << 0,
    Signals = 1 << 1,
    All = (1 << 2) - 1,
}

/// <summary>Rights that are taken away, the files, directories and ports that some are kept for, and what stays inside.</summary>
public sealed class AccessRules(FileRights handled, PortRights handledPorts, DomainScopes scopes)
{
    private readonly Dictionary<Inode, FileRights> _allowed = [];
    private readonly Dictionary<int, PortRights> _ports = [];

    public FileRights Handled { get; } = handled;

    public PortRights HandledPorts { get; } = handledPorts;

    public DomainScopes Scopes { get; } = scopes;

    /// <summary>References are refused wherever no rule of a layer allows them, also by one that speaks of files and not of them.</summary>
    internal FileRights Denied => Handled == FileRights.None ? FileRights.None : Handled | FileRights.Refer;

    public void AllowPort(int port, PortRights rights) => _ports[port] = _ports.GetValueOrDefault(port) | rights;

    internal bool Allows(int port, PortRights wanted) => (HandledPorts & wanted & ~_ports.GetValueOrDefault(port)) == PortRights.None;

    public void Allow(Inode inode, FileRights rights) => _allowed[inode] = _allowed.GetValueOrDefault(inode) | rights;

    internal FileRights Of(Inode? inode) => inode is null ? FileRights.None : _allowed.GetValueOrDefault(inode);

    internal AccessRules Copy()
    {
        var copy = new AccessRules(Handled, HandledPorts, Scopes);
        foreach ((Inode inode, FileRights rights) in _allowed)
            copy._allowed.Add(inode, rights);
        foreach ((int port, PortRights rights) in _ports)
            copy._ports.Add(port, rights);
        return copy;
    }
}

/// <summary>
/// Layers of rules that a thread and all that it starts live under: each right must be kept by every layer that takes it
/// away. Rights of a directory hold for all below it, across mounts (security/landlock/fs.c).
/// </summary>
public sealed partial class AccessDomain
{
    public const int MostLayers = 16;

    private readonly AccessRules[] _layers;

    private AccessDomain(AccessRules[] layers) => _layers = layers;

    /// <summary>A domain within another one; null when it has as many layers as one may have (E2BIG).</summary>
    public static AccessDomain? Within(AccessDomain? outer, AccessRules rules) =>
        outer?._layers.Length >= MostLayers ? null : new AccessDomain([.. outer?._layers ?? [], rules.Copy()]);

    /// <summary>A layer speaks of files.</summary>
    public bool HandlesFiles => Array.Exists(_layers, static layer => layer.Handled != FileRights.None);

    /// <summary>EACCES unless all rights are kept at a name.</summary>
    public Errno Check(Mount mount, Dentry name, FileRights wanted)
    {
        foreach (FileRights missing in Missing(mount, name, wanted))
        {
            if (missing != FileRights.None)
                return Errno.EACCES;
        }
        return Errno.None;
    }

    /// <summary>
    /// May a file get a name in another directory, and lose its own (current_check_refer_path)? EXDEV when it might be used
    /// there for more than where it is, or when references are refused; EACCES when any other right is missing.
    /// </summary>
    public Errno CheckMove(Mount mount, Dentry moved, Dentry directory, Dentry target, bool removes, bool exchange)
    {
        FileRights atSource = exchange ? MakingOf(target.Inode!.Kind) : FileRights.None, atTarget = MakingOf(moved.Inode!.Kind);
        if (removes)
        {
            atSource |= RemovalOf(moved.Inode);
            atTarget |= target.Inode is null ? FileRights.None : RemovalOf(target.Inode);
        }
        Dentry source = moved.Parent ?? moved;
        if (ReferenceEquals(source, directory))
            return Check(mount, directory, atSource | atTarget);
        atSource |= FileRights.Refer;
        atTarget |= FileRights.Refer;
        FileRights[] here = Missing(mount, source, FileRights.All), there = Missing(mount, directory, FileRights.All);
        bool isRefused = GainsRights(here, moved.Inode, there) || (exchange && GainsRights(there, target.Inode!, here));
        for (int i = 0; i < _layers.Length; i++)
        {
            FileRights missing = (here[i] & atSource) | (there[i] & atTarget);
            if ((missing & ~FileRights.Refer) != 0)
                return Errno.EACCES;
            isRefused |= missing != FileRights.None;
        }
        return isRefused ? Errno.EXDEV : Errno.None;
    }

    public static FileRights MakingOf(FileKind kind) => kind switch
    {
        FileKind.Directory => FileRights.MakeDirectory,
        FileKind.SymbolicLink => FileRights.MakeSymbolicLink,
        FileKind.CharacterDevice => FileRights.MakeCharacterDevice,
        FileKind.BlockDevice => FileRights.MakeBlockDevice,
        FileKind.Fifo => FileRights.MakeFifo,
        FileKind.Socket => FileRights.MakeSocket,
        _ => FileRights.MakeRegular,
    };

    private static FileRights RemovalOf(Inode inode) => inode.Kind == FileKind.Directory ? FileRights.RemoveDirectory : FileRights.RemoveFile;

    /// <summary>What is missing below the new directory must miss what is missing now, rules of the file's own counted.</summary>
    private bool GainsRights(FileRights[] before, Inode inode, FileRights[] after)
    {
        FileRights relevant = inode.Kind == FileKind.Directory ? FileRights.All : FileRights.OfFiles;
        for (int i = 0; i < _layers.Length; i++)
        {
            FileRights now = before[i] & ~_layers[i].Of(inode) & relevant;
            if ((now & ~after[i]) != 0)
                return true;
        }
        return false;
    }

    /// <summary>What each layer takes away at a name, of what is wanted.</summary>
    private FileRights[] Missing(Mount mount, Dentry name, FileRights wanted)
    {
        FileRights[] missing = new FileRights[_layers.Length];
        for (int i = 0; i < missing.Length; i++)
            missing[i] = wanted & _layers[i].Denied;
        // What has no place in a tree (a pipe, a memory file) is nobody's to forbid.
        if (name.Parent is null && !ReferenceEquals(name, mount.Root))
            return new FileRights[_layers.Length];
        for (Dentry? at = name; at is not null; at = Above(ref mount, at))
        {
            for (int i = 0; i < missing.Length; i++)
                missing[i] &= ~_layers[i].Of(at.Inode);
        }
        return missing;
    }

    /// <summary>The directory above; the place of a mount itself is hidden by it.</summary>
    private static Dentry? Above(ref Mount mount, Dentry name)
    {
        while (ReferenceEquals(name, mount.Root))
        {
            if (mount.Parent is null)
                return null;
            name = mount.MountPoint!;
            mount = mount.Parent;
        }
        return name.Parent;
    }
}

/// <summary>Rules in the making (landlock_create_ruleset(2)).</summary>
public sealed class AccessRulesFile(World world, AccessRules rules, OpenFlags flags) : OpenFile(flags | OpenFlags.ReadWrite)
{
    private readonly Inode _inode = new AnonymousInode(world, FileKind.Unknown, 0x180);

    public AccessRules Rules => rules;

    public override Inode Inode => _inode;

    public override string Description => "anon_inode:[landlock-ruleset]";
}
