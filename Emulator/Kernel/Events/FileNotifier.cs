using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>
/// Says what happened to files (design decision 7): each operation on a file or a name calls one of these once, after it succeeded, and
/// they find the watches by the name that was used. Which watches are told, and in which order, is Linux's (fs/notify/fsnotify.c).
/// </summary>
public static class FileNotifier
{
    private const FileChange Content = FileChange.Accessed | FileChange.Modified;

    /// <summary>Something happened to a file: the directory that holds its name is told, then the file's own watches.</summary>
    public static void OnFile(PathEntry? path, FileChange change) => OnFile(path, change, isThroughDescription: false);

    private static void OnFile(PathEntry? path, FileChange change, bool isThroughDescription)
    {
        if (path is null)
            return;
        Inode inode = path.Inode;
        if (inode.FileSystem is { AlertGroups.Count: > 0 })
            FileAlerts.OnFile(path, inode.Kind == FileKind.Directory ? change | FileChange.IsDirectory : change);
        FileWatch[] own = inode.Watches;
        FileWatch[] parent = path.Dentry.Parent?.Inode?.Watches ?? [];
        if (own.Length == 0 && parent.Length == 0)
            return;
        if (inode.Kind == FileKind.Directory)
            change |= FileChange.IsDirectory;
        // What goes through a device or FIFO is not for everyone who may see its directory.
        bool isPrivate = isThroughDescription && inode.Kind is not (FileKind.Regular or FileKind.Directory or FileKind.SymbolicLink) && (change & Content) != 0;
        if (isPrivate)
            parent = [];
        bool isUnlinked = isThroughDescription && path.Dentry.IsRemoved;
        foreach (FileWatch watch in parent)
        {
            if (!(isUnlinked && watch.ExcludesUnlinked))
                TellIfWanted(watch, new FileNote(change, path.Dentry.Name, 0, path));
            foreach (FileWatch other in own)
            {
                if (ReferenceEquals(other.Owner, watch.Owner))
                    TellOwn(other, change, path, isUnlinked);
            }
        }
        foreach (FileWatch watch in own)
        {
            if (!Contains(parent, watch.Owner))
                TellOwn(watch, change, path, isUnlinked);
        }
    }

    /// <summary>The same for an open description; files that have no name have no watches.</summary>
    public static void OnFile(OpenFile file, FileChange change)
    {
        if (file.IsUnwatched)
            return;
        // Of a file that is another file system's own, openings and closings are told there, too.
        Inode? below = (change & (FileChange.Opened | FileChange.ClosedWritable | FileChange.ClosedReadOnly)) != 0 ? file.Inode.Below : null;
        if (below is not null && (change & FileChange.Opened) != 0)
            OnInode(below, change);
        OnFile(file.Path, change, isThroughDescription: true);
        if (below is not null && (change & FileChange.Opened) == 0)
            OnInode(below, change);
    }

    /// <summary>A name came, went or moved in a directory.</summary>
    public static void OnName(Dentry directory, FileChange change, byte[] name, Inode? named, uint cookie = 0)
    {
        Inode inode = directory.Inode!;
        bool hasAlerts = inode.FileSystem is { AlertGroups.Count: > 0 };
        if (inode.Watches.Length == 0 && !hasAlerts)
            return;
        if (named is { Kind: FileKind.Directory })
            change |= FileChange.IsDirectory;
        if (hasAlerts)
            FileAlerts.OnName(directory, change, name, named);
        foreach (FileWatch watch in inode.Watches)
            TellIfWanted(watch, new FileNote(change, name, cookie, null));
    }

    /// <summary>Something happened to a file whatever its name: its number of links changed, it moved.</summary>
    public static void OnInode(Inode inode, FileChange change)
    {
        if (inode.FileSystem is { AlertGroups.Count: > 0 })
            FileAlerts.OnInode(inode, change);
        if (inode.Watches.Length != 0 && inode.Kind == FileKind.Directory)
            change |= FileChange.IsDirectory;
        foreach (FileWatch watch in inode.Watches)
            TellIfWanted(watch, new FileNote(change, null, 0, null));
    }

    /// <summary>A file got another name (1) or lost one (-1).</summary>
    public static void OnLinks(Inode inode, int change)
    {
        foreach (FileWatch watch in inode.Watches)
        {
            if (change > 0)
                watch.OnLinked();
            else
                watch.OnUnlinked();
        }
    }

    /// <summary>A rename: both directories, with one cookie, then the file that was replaced and the one that moved.</summary>
    public static void OnMove(Dentry from, byte[] oldName, Dentry to, byte[] newName, Inode moved, Inode? replaced, Func<uint> newCookie)
    {
        bool hasAlerts = from.Inode!.FileSystem is { AlertGroups.Count: > 0 };
        if (hasAlerts)
            FileAlerts.OnRename(from, oldName, to, newName, moved);
        // Told by itself only where the name stays in its directory (fsnotify_handle_event in fs/notify/fsnotify.c).
        foreach (FileWatch watch in from == to ? from.Inode.Watches : [])
            TellIfWanted(watch, new FileNote(FileChange.Renamed, oldName, 0, null));
        if (hasAlerts || from.Inode.Watches.Length != 0 || to.Inode!.Watches.Length != 0)
        {
            uint cookie = newCookie();
            OnName(from, FileChange.MovedFrom, oldName, moved, cookie);
            OnName(to, FileChange.MovedTo, newName, moved, cookie);
        }
        if (replaced is not null)
        {
            OnInode(replaced, FileChange.AttributesChanged);
            OnLinks(replaced, -1);
        }
        OnInode(moved, FileChange.SelfMoved);
    }

    /// <summary>A removed name is not held any more: when it was the file's last, that is the file's end.</summary>
    public static void OnNameReleased(Dentry name)
    {
        if (name.Inode is { } inode && (inode.Watches.Length > 0 || inode.FileSystem is { AlertGroups.Count: > 0 }) && inode.Status.Links == 0)
            OnEnd(inode, FileChange.SelfDeleted);
    }

    /// <summary>A file or its file system is gone: its watches are told, and go.</summary>
    public static void OnEnd(Inode inode, FileChange change)
    {
        OnInode(inode, change);
        foreach (FileWatch watch in inode.Watches)
        {
            watch.Detach();
            watch.OnInodeGone();
        }
    }

    private static void TellOwn(FileWatch watch, FileChange change, PathEntry path, bool isUnlinked)
    {
        if (!(isUnlinked && watch.ExcludesUnlinked))
            TellIfWanted(watch, new FileNote(change, null, 0, path));
    }

    private static void TellIfWanted(FileWatch watch, in FileNote note)
    {
        if ((note.Change & watch.Mask & ~FileChange.IsDirectory) != 0)
            watch.Tell(note);
    }

    private static bool Contains(FileWatch[] watches, object owner)
    {
        foreach (FileWatch watch in watches)
        {
            if (ReferenceEquals(watch.Owner, owner))
                return true;
        }
        return false;
    }
}
