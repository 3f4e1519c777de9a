using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Files;

public sealed partial class Vfs
{
    /// <summary>open(2): <paramref name="mode"/> is masked by the caller's creation mask.</summary>
    public Errno Open(
        in FileCaller caller, PathEntry @base, ReadOnlySpan<byte> path, OpenFlags flags, uint mode, WalkFlags walkFlags, out OpenFile? file)
    {
        Errno error = OpenPath(caller, @base, path, flags, mode, walkFlags, out file);
        if (error != Errno.None)
            return error;
        file!.Flags &= ~(OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.Truncate | OpenFlags.NoControllingTty | OpenFlags.CloseOnExec);
        return Errno.None;
    }

    private static Errno OpenPath(
        in FileCaller caller, PathEntry @base, ReadOnlySpan<byte> path, OpenFlags flags, uint mode, WalkFlags walkFlags, out OpenFile? file)
    {
        file = null;
        bool follow = (flags & OpenFlags.NoFollow) == 0 && (flags & (OpenFlags.Create | OpenFlags.Exclusive)) != (OpenFlags.Create | OpenFlags.Exclusive);
        PathWalk walk = new(caller, @base, follow ? walkFlags | WalkFlags.Follow : walkFlags);
        if ((flags & OpenFlags.Temporary) != 0)
            return OpenTemporary(caller, ref walk, path, flags, mode, out file);
        if ((flags & OpenFlags.Create) != 0)
            return OpenOrCreate(caller, ref walk, path, flags, mode, follow, out file);
        Errno error = walk.Resolve(path);
        return error != Errno.None ? error : OpenEntry(caller, walk.Entry, flags, out file);
    }

    private static Errno OpenOrCreate(
        in FileCaller caller, ref PathWalk walk, ReadOnlySpan<byte> path, OpenFlags flags, uint mode, bool follow, out OpenFile? file)
    {
        file = null;
        Errno error = walk.ToParent(path);
        while (error == Errno.None)
        {
            if (walk.LastKind != LastKind.Normal)
            {
                error = walk.Finish(follow: false);
                break;
            }
            if (walk.TrailingSlash)
                return Errno.EISDIR;
            error = walk.FindLast(out Dentry entry);
            if (error == Errno.ENOENT && entry.Inode is null && !ReferenceEquals(entry, walk.Dentry))
                return CreateAndOpen(caller, walk.Mount, walk.Dentry, entry, flags, mode, out file);
            if (error != Errno.None)
                return error;
            if (entry.Inode!.Kind != FileKind.SymbolicLink || !follow)
            {
                error = walk.Descend(entry);
                break;
            }
            error = walk.FollowLast(entry, out bool jumped);
            if (jumped)
                break;
        }
        if (error != Errno.None)
            return error;
        if ((flags & OpenFlags.Exclusive) != 0)
            return Errno.EEXIST;
        if (walk.Dentry.IsDirectory)
            return Errno.EISDIR;
        return MayReuse(caller, walk.Dentry) ? OpenEntry(caller, walk.Entry, flags, out file) : Errno.EACCES;
    }

    /// <summary>
    /// In a sticky directory, O_CREAT does not open others' links, devices and sockets (may_create_in_sticky; regular files and FIFOs
    /// are subject to settings that are off here, see proc_sys_fs(5)).
    /// </summary>
    private static bool MayReuse(in FileCaller caller, Dentry entry)
    {
        if (entry.Inode!.Kind is FileKind.Regular or FileKind.Fifo || entry.Parent?.Inode is not { } parent)
            return true;
        FileStatus directory = parent.Status;
        uint owner = entry.Inode.Status.User;
        return (directory.Mode & Permission.Sticky) == 0 || owner == directory.User || owner == caller.Credentials.User || (directory.Mode & 2) == 0;
    }

    private static Errno CreateAndOpen(
        in FileCaller caller, Mount mount, Dentry parent, Dentry entry, OpenFlags flags, uint mode, out OpenFile? file)
    {
        file = null;
        if (mount.IsReadOnly || parent.Inode!.FileSystem is { IsReadOnly: true })
            return Errno.EROFS;
        Errno error = caller.MayUse(mount, parent, FileRights.MakeRegular);
        if (error == Errno.None)
            error = MakeNode(caller, parent, entry, NewNode(caller, parent.Inode!, FileKind.Regular, mode));
        if (error == Errno.None)
            error = caller.MayUse(mount, entry, RightsFor(FileKind.Regular, flags & ~OpenFlags.Truncate));
        if (error != Errno.None)
            return error;
        // A new file is opened with whatever access was asked for, its mode does not matter yet (open(2)).
        error = entry.Inode!.Open(new PathEntry(mount, entry), flags & ~OpenFlags.Truncate, caller.Call!, out file);
        if (error != Errno.None)
            return error;
        file!.Flags |= OpenFlags.Created;
        NoteOpening(caller, file);
        return Errno.None;
    }

    private static Errno OpenTemporary(
        in FileCaller caller, ref PathWalk walk, ReadOnlySpan<byte> path, OpenFlags flags, uint mode, out OpenFile? file)
    {
        file = null;
        Errno error = walk.Resolve(path);
        if (error != Errno.None)
            return error;
        if (!walk.Dentry.IsDirectory)
            return Errno.ENOTDIR;
        if (walk.Mount.IsReadOnly)
            return Errno.EROFS;
        Inode directory = walk.Dentry.Inode!;
        error = Permission.MayCreate(directory, caller.Credentials);
        if (error != Errno.None)
            return error;
        error = directory.MakeUnnamed(NewNode(caller, directory, FileKind.Regular, mode) with { IsNeverNamed = (flags & OpenFlags.Exclusive) != 0 }, out Inode? inode);
        if (error != Errno.None)
            return error;
        Dentry name = new(walk.Dentry, [.. "#"u8, .. System.Text.Encoding.ASCII.GetBytes(inode!.Status.Inode.ToString())], inode);
        name.Remove();
        error = caller.MayUse(walk.Mount, name, RightsFor(FileKind.Regular, flags & ~OpenFlags.Truncate));
        if (error != Errno.None)
            return error;
        error = inode.Open(new PathEntry(walk.Mount, name), flags, caller.Call!, out file);
        if (error == Errno.None)
            NoteOpening(caller, file!);
        return error;
    }

    /// <summary>Opens an existing object after all checks (may_open of open(2)): kind, read-only mount, permission.</summary>
    public static Errno OpenEntry(in FileCaller caller, PathEntry entry, OpenFlags flags, out OpenFile? file)
    {
        file = null;
        Inode inode = entry.Inode;
        FileKind kind = inode.Kind;
        if ((flags & OpenFlags.Directory) != 0 && kind != FileKind.Directory)
            return Errno.ENOTDIR;
        if ((flags & OpenFlags.PathOnly) != 0)
        {
            file = new PathFile(inode, entry, flags);
            file.HoldName();
            return Errno.None;
        }
        Errno error = MayOpen(caller, entry, flags);
        if (error == Errno.None && inode.Executors > 0 && (flags & (OpenFlags.Write | OpenFlags.Truncate)) != 0)
            error = Errno.ETXTBSY;
        if (error == Errno.None)
            error = caller.MayUse(entry.Mount, entry.Dentry, RightsFor(kind, flags));
        if (error == Errno.None)
            error = FileAlerts.Ask(caller.Call, entry, FileChange.OpeningAsked);
        if (error == Errno.None && kind == FileKind.Regular)
            error = FileLeases.Break(caller.Call, inode, flags);
        if (error != Errno.None)
            return error;
        error = inode.Open(entry, flags, caller.Call!, out file);
        if (error == Errno.None)
            NoteOpening(caller, file!);
        if (error != Errno.None || (flags & OpenFlags.Truncate) == 0 || kind != FileKind.Regular)
            return error;
        error = Resize(caller.Credentials, inode, entry, 0);
        if (error != Errno.None)
        {
            file!.Release();
            file = null;
        }
        return error;
    }

    /// <summary>Opens a program, or an interpreter, to be executed: nobody may be writing it (ETXTBSY). Permission was checked.</summary>
    public static Errno OpenToExecute(in FileCaller caller, PathEntry entry, out OpenFile? file)
    {
        file = null;
        if (entry.Inode.Writers > 0)
            return Errno.ETXTBSY;
        Errno error = caller.MayUse(entry.Mount, entry.Dentry, FileRights.ReadFile | FileRights.Execute);
        if (error == Errno.None)
            error = FileAlerts.Ask(caller.Call, entry, FileChange.OpeningAsked);
        if (error == Errno.None)
            error = FileAlerts.Ask(caller.Call, entry, FileChange.ExecutionAsked);
        if (error == Errno.None)
            error = FileLeases.Break(caller.Call, entry.Inode, OpenFlags.Read);
        if (error != Errno.None)
            return error;
        error = entry.Inode.Open(entry, OpenFlags.Read, caller.Call!, out file);
        if (error == Errno.None)
            NoteOpening(caller, file!, FileChange.Opened | FileChange.OpenedToExecute);
        return error;
    }

    private static void NoteOpening(in FileCaller caller, OpenFile file, FileChange change = FileChange.Opened)
    {
        if (file is RegularFile regular)
        {
            regular.Opener = caller.Credentials;
            regular.Count();
        }
        if (caller.Call?.Thread.Domain is { } domain && file.Path is { } path)
        {
            file.IsLengthFixed = domain.Check(path.Mount, path.Dentry, FileRights.Truncate) != Errno.None;
            file.IsControlDenied = path.Inode.Kind is FileKind.CharacterDevice or FileKind.BlockDevice
                && domain.Check(path.Mount, path.Dentry, FileRights.ControlDevice) != Errno.None;
        }
        file.AsksNobody = !FileAlerts.MayBeAsked(file.Inode);
        file.HoldName();
        FileNotifier.OnFile(file, change);
    }

    /// <summary>What an open asks for of the rights that a program may have given up.</summary>
    private static FileRights RightsFor(FileKind kind, OpenFlags flags)
    {
        FileRights wanted = FileRights.None;
        if ((flags & OpenFlags.Read) != 0)
            wanted |= kind == FileKind.Directory ? FileRights.ReadDirectory : FileRights.ReadFile;
        if ((flags & OpenFlags.Write) != 0)
            wanted |= FileRights.WriteFile;
        return kind == FileKind.Regular && (flags & OpenFlags.Truncate) != 0 ? wanted | FileRights.Truncate : wanted;
    }

    private static Errno MayOpen(in FileCaller caller, PathEntry entry, OpenFlags flags)
    {
        FileKind kind = entry.Inode.Kind;
        bool truncates = (flags & OpenFlags.Truncate) != 0;
        switch (kind)
        {
            case FileKind.SymbolicLink:
                return Errno.ELOOP;
            case FileKind.Directory when (flags & OpenFlags.Write) != 0 || truncates:
                return Errno.EISDIR;
            case FileKind.CharacterDevice or FileKind.BlockDevice when entry.Mount.NoDevices:
                return Errno.EACCES;
            case FileKind.Regular when truncates && entry.Mount.IsReadOnly:
                return Errno.EROFS;
        }
        FileAccessKind wanted = FileAccessKind.None;
        if ((flags & OpenFlags.Read) != 0)
            wanted |= FileAccessKind.Read;
        if ((flags & OpenFlags.Write) != 0 || (truncates && kind == FileKind.Regular))
            wanted |= FileAccessKind.Write;
        Errno error = Permission.Check(entry.Inode, wanted, caller.Credentials);
        if (error != Errno.None)
            return error;
        bool overwrites = truncates || (flags & (OpenFlags.Write | OpenFlags.Append)) == OpenFlags.Write;
        if (overwrites && (entry.Inode.Marks & FileMarks.AppendOnly) != 0)
            return Errno.EPERM;
        if ((flags & OpenFlags.NoAccessTime) != 0 && !Permission.IsOwner(entry.Inode.Status, caller.Credentials))
            return Errno.EPERM;
        return kind == FileKind.Regular && (flags & OpenFlags.Write) != 0 && entry.Mount.IsReadOnly ? Errno.EROFS : Errno.None;
    }

    /// <summary>The mode without set-id bits that a change of content takes away (inode(7)), or null when nothing changes.</summary>
    internal static uint? DropSetId(in FileStatus status, FileCredentials credentials)
    {
        if ((status.Mode & (Permission.SetUser | Permission.SetGroup)) == 0 || credentials.Has(FilePrivileges.KeepSetId))
            return null;
        uint mode = status.Mode & ~Permission.SetUser;
        if ((mode & 8) != 0 || !credentials.IsInGroup(status.Group))
            mode &= ~Permission.SetGroup;
        return mode == status.Mode ? null : mode;
    }

    /// <summary>Attributes of a new node: the creation mask, and group and set-group-ID from a set-group-ID directory (inode(7)).</summary>
    private static NodeSpec NewNode(in FileCaller caller, Inode directory, FileKind kind, uint mode, ulong device = 0, byte[]? target = null)
    {
        FileCredentials credentials = caller.Credentials;
        uint group = credentials.Group, wanted = mode;
        // A directory's default list takes the creation mask's place (umask(2)).
        AccessList? inherited = kind == FileKind.SymbolicLink ? null : directory.DefaultAccessList;
        if (kind != FileKind.SymbolicLink && inherited is null)
            mode &= ~caller.Context.CreationMask;
        AccessList? list = inherited?.ForNew(mode);
        if (list is not null)
            mode = (mode & ~0x1FFu) | list.Mode;
        FileStatus parent = directory.Status;
        if ((parent.Mode & Permission.SetGroup) != 0)
        {
            group = parent.Group;
            if (kind == FileKind.Directory)
                mode |= Permission.SetGroup;
            else if ((wanted & (Permission.SetGroup | 8)) == (Permission.SetGroup | 8) && !credentials.IsInGroup(group) && !credentials.Has(FilePrivileges.KeepSetId))
                mode &= ~Permission.SetGroup;
        }
        return new NodeSpec(kind, mode, credentials.User, group, device, target)
        {
            AccessList = list is { IsMode: true } ? null : list, DefaultAccessList = kind == FileKind.Directory ? inherited : null,
        };
    }

    /// <summary>Creates a node after the permission check and makes its cached name positive.</summary>
    private static Errno MakeNode(in FileCaller caller, Dentry parent, Dentry entry, in NodeSpec spec)
    {
        Errno error = Permission.MayCreate(parent.Inode!, caller.Credentials);
        if (error != Errno.None)
            return error;
        if (parent.IsRemoved)
            return Errno.ENOENT;
        if (spec.Kind is FileKind.CharacterDevice or FileKind.BlockDevice && !caller.Credentials.Has(FilePrivileges.MakeDevice))
            return Errno.EPERM;
        error = parent.Inode!.Make(entry.Name, spec, out Inode? inode);
        if (error != Errno.None)
            return error;
        entry.Inode = inode;
        FileNotifier.OnName(parent, FileChange.Created, entry.Name, inode);
        return Errno.None;
    }
}
