using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Net;

namespace Vivarium.Emulator.Kernel;

/// <summary>One of a world's several views of a kind of thing (namespaces(7)). It has an inode, by which /proc and descriptors name it.</summary>
public class Namespace
{
    public Namespace(World world, string kind, UserSpace? owner)
    {
        Kind = kind;
        Owner = owner;
        Inode = new NamespaceInode(world, this);
    }

    /// <summary>As in /proc/PID/ns.</summary>
    public string Kind { get; }

    /// <summary>The user name space whose privileged users rule it; null = the first.</summary>
    public UserSpace? Owner { get; }

    public NamespaceInode Inode { get; }

    /// <summary>The space that this one is nested in; null for kinds that do not nest, and at the top.</summary>
    public virtual Namespace? Above => null;

    public string Description => $"{Kind}:[{Inode.Status.Inode}]";

    /// <summary>Open descriptors and mounts of it.</summary>
    internal int Holders { get; private set; }

    internal void Hold() => Holders++;

    internal void Release()
    {
        Holders--;
        OnLeft();
    }

    /// <summary>Somebody who kept it left: it may be over.</summary>
    internal virtual void OnLeft()
    {
    }
}

/// <summary>The inode of a name space.</summary>
public sealed class NamespaceInode(World world, Namespace space) : Inode
{
    private readonly FileStatus _status = new AnonymousInode(world, FileKind.Regular, 0x124).Status;

    public Namespace Space { get; } = space;

    public override FileKind Kind => FileKind.Regular;

    public override FileStatus Status => _status;

    public override Errno Open(PathEntry path, OpenFlags flags, CallContext call, out OpenFile? file)
    {
        file = (flags & OpenFlags.Write) != 0 ? null : new NamespaceFile(this, path, flags);
        return file is null ? Errno.EACCES : Errno.None;
    }
}

/// <summary>An open name space: what setns(2) takes.</summary>
public sealed class NamespaceFile : OpenFile
{
    private readonly NamespaceInode _inode;

    public NamespaceFile(NamespaceInode inode, PathEntry path, OpenFlags flags)
        : base(flags)
    {
        _inode = inode;
        Path = path;
        Space.Hold();
    }

    public Namespace Space => _inode.Space;

    public override Inode Inode => _inode;

    public override PathEntry? Path { get; }

    public override string Description => Space.Description;

    protected override void OnLastClose() => Space.Release();
}

/// <summary>The names of the system (uts_namespaces(7)).</summary>
public sealed class UtsSpace(World world, UserSpace? owner, string hostName, string domainName) : Namespace(world, "uts", owner)
{
    public string HostName { get; set; } = hostName;

    public string DomainName { get; set; } = domainName;
}

/// <summary>A tree of mounts (mount_namespaces(7)). The top is where its first process's root is.</summary>
public sealed class MountSpace(World world, UserSpace? owner) : Namespace(world, "mnt", owner);

/// <summary>Which of a world's several views a thread has.</summary>
public sealed record Namespaces
{
    public required NetworkSpace NetworkSpace { get; init; }

    public Network Network => NetworkSpace.Network;

    public required UtsSpace Uts { get; init; }

    public required MountSpace Mounts { get; init; }

    public required UserSpace Users { get; init; }

    public required Ipc.IpcSpace Ipc { get; init; }

    public required Namespace Groups { get; init; }

    /// <summary>The space that its children begin in; its own is <see cref="Process.Space"/>, which never changes.</summary>
    public required PidSpace Processes { get; init; }

    public required TimeSpace Time { get; init; }

    /// <summary>The space of clocks that children, and the thread itself with its next program, enter.</summary>
    public required TimeSpace TimeOfChildren { get; init; }

    /// <summary>True when the user name space is that of <paramref name="owner"/> or above it: its privileges count there.</summary>
    public bool Rules(UserSpace? owner)
    {
        for (UserSpace? space = owner ?? Users.First; space is not null; space = space.Parent)
        {
            if (space == Users)
                return true;
        }
        return false;
    }

    /// <param name="setUp">Makes the first network what the world's is to be.</param>
    internal static Namespaces MakeFirst(World world, Action<Network> setUp)
    {
        var users = new UserSpace(world, null, 0, 0);
        var clocks = new TimeSpace(world, users) { IsFrozen = true };
        return new Namespaces
        {
            Users = users,
            NetworkSpace = new NetworkSpace(world, users, setUp),
            Uts = new UtsSpace(world, users, world.System.HostName, "(none)"),
            Mounts = new MountSpace(world, users),
            Ipc = new Ipc.IpcSpace(world, users),
            Groups = new Namespace(world, "cgroup", users),
            Processes = new PidSpace(world, users, null),
            Time = clocks,
            TimeOfChildren = clocks,
        };
    }
}

public sealed partial class GuestThread
{
    private Namespaces? _namespaces;

    /// <summary>Inherited by threads and processes it makes.</summary>
    public Namespaces Namespaces
    {
        get => _namespaces ??= Process.World.FirstNamespaces;
        set => _namespaces = value;
    }
}
