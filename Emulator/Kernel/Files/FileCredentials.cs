namespace Vivarium.Emulator.Kernel.Files;

/// <summary>The privileges that file access looks at (capabilities(7)).</summary>
[Flags]
public enum FilePrivileges : ushort
{
    None = 0,

    /// <summary>CAP_DAC_OVERRIDE: any read and write, search; execute when some execute bit is set.</summary>
    OverrideAccess = 1 << 0,

    /// <summary>CAP_DAC_READ_SEARCH: any read, any search.</summary>
    ReadSearch = 1 << 1,

    /// <summary>CAP_FOWNER: what only the owner may do; the sticky bit.</summary>
    Owner = 1 << 2,

    /// <summary>CAP_FSETID: set-id bits survive writes and group changes.</summary>
    KeepSetId = 1 << 3,

    /// <summary>CAP_CHOWN.</summary>
    ChangeOwner = 1 << 4,

    /// <summary>CAP_MKNOD.</summary>
    MakeDevice = 1 << 5,

    /// <summary>CAP_SYS_CHROOT.</summary>
    ChangeRoot = 1 << 6,

    /// <summary>CAP_SYS_ADMIN: mount, trusted attributes.</summary>
    Administer = 1 << 7,

    /// <summary>CAP_LEASE, CAP_SYS_RESOURCE and others that files hardly use.</summary>
    Resource = 1 << 8,

    All = 0x1FF,
}

/// <summary>The part of a thread's credentials that file access is checked against: file-system user and group, groups, privileges.</summary>
public sealed record FileCredentials(uint User, uint Group, uint[] Groups, FilePrivileges Privileges)
{
    public static FileCredentials Root { get; } = new(0, 0, [], FilePrivileges.All);

    public bool Has(FilePrivileges privilege) => (Privileges & privilege) == privilege;

    public bool IsInGroup(uint group) => group == Group || Array.IndexOf(Groups, group) >= 0;
}

/// <summary>Where a process stands in the tree, and its creation mask: what CLONE_FS shares.</summary>
public sealed class FileContext
{
    private PathEntry _root;
    private PathEntry _workingDirectory;
    private int _users = 1;

    public FileContext(PathEntry root, PathEntry workingDirectory)
    {
        _root = root;
        _workingDirectory = workingDirectory;
        _root.Hold();
        _workingDirectory.Hold();
    }

    public PathEntry Root
    {
        get => _root;
        set => Replace(ref _root, value);
    }

    public PathEntry WorkingDirectory
    {
        get => _workingDirectory;
        set => Replace(ref _workingDirectory, value);
    }

    public uint CreationMask { get; set; } = 0x12; // 022

    private static void Replace(ref PathEntry held, PathEntry value)
    {
        PathEntry old = held;
        value.Hold();
        held = value;
        old.Release();
    }

    /// <summary>One more process uses this context (CLONE_FS).</summary>
    public FileContext Share()
    {
        _users++;
        return this;
    }

    /// <summary>A user is gone; the last one lets go of both directories.</summary>
    public void Leave()
    {
        if (--_users != 0)
            return;
        _root.Release();
        _workingDirectory.Release();
    }

    public FileContext Copy() => new(Root, WorkingDirectory) { CreationMask = CreationMask };
}

/// <summary>Who walks and changes the tree: position, credentials and, for links that depend on it, the call under way.</summary>
public readonly record struct FileCaller(FileContext Context, FileCredentials Credentials, CallContext? Call = null)
{
    /// <summary>EACCES when the caller has given up a right to what has this name.</summary>
    public Errno MayUse(Mount mount, Dentry name, FileRights wanted) => Call?.Thread.Domain?.Check(mount, name, wanted) ?? Errno.None;

    /// <summary>The same for a file's new name elsewhere (link, rename).</summary>
    public Errno MayMove(Mount mount, Dentry moved, Dentry directory, Dentry target, bool removes, bool exchange) =>
        Call?.Thread.Domain?.CheckMove(mount, moved, directory, target, removes, exchange) ?? Errno.None;
}
