using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>What is marked, and what that makes of a change.</summary>
public sealed partial class FileAlertGroup
{
    /// <summary>All that ask for permission.</summary>
    public const FileChange Questions = FileChange.OpeningAsked | FileChange.AccessAsked | FileChange.ExecutionAsked;

    private const FileChange NameChanges = FileChange.MovedFrom | FileChange.MovedTo | FileChange.Created | FileChange.Deleted;
    private const FileChange MarkFlags = FileChange.IsDirectory | FileChange.OnChildren;

    private readonly Dictionary<object, (AlertMark Mark, FileSystem? Owner)> _marks = [];

    /// <summary>The mark of an inode, a mount or a file system; null when there is none.</summary>
    public AlertMark? Find(object marked) => _marks.TryGetValue(marked, out (AlertMark Mark, FileSystem? Owner) found) ? found.Mark : null;

    /// <summary>Marks something that is part of a file system; ENOSPC when there are too many.</summary>
    public Errno Mark(object marked, FileSystem? owner, out AlertMark mark)
    {
        mark = Find(marked)!;
        if (mark is not null)
            return Errno.None;
        mark = new AlertMark();
        if (_marks.Count >= _world.Settings.AlertMarks.Value)
            return Errno.ENOSPC;
        _marks.Add(marked, (mark, owner));
        _order.AddLast(marked);
        if (owner is not null && !owner.AlertGroups.Contains(this))
        {
            int place = owner.AlertGroups.FindIndex(other => other.Priority < Priority);
            owner.AlertGroups.Insert(place < 0 ? owner.AlertGroups.Count : place, this);
        }
        return Errno.None;
    }

    public void Unmark(object marked)
    {
        if (!_marks.Remove(marked, out (AlertMark Mark, FileSystem? Owner) removed))
            return;
        _order.Remove(marked);
        if (removed.Owner is not { } owner)
            return;
        foreach ((AlertMark Mark, FileSystem? Owner) other in _marks.Values)
        {
            if (other.Owner == owner)
                return;
        }
        owner.AlertGroups.Remove(this);
    }

    /// <summary>Takes all marks of a kind away.</summary>
    public void Flush<TMarked>()
    {
        foreach (object marked in _order.Where(static marked => marked is TMarked).ToArray())
            Unmark(marked);
    }

    private void FlushAll() => Flush<object>();

    /// <summary>Takes away the marks that do not keep their files in memory, and lost them.</summary>
    /// <param name="what">Bit 1: what is known of files.</param>
    private void Evict(long what)
    {
        if ((what & 2) == 0)
            return;
        foreach (object marked in _order.ToArray())
        {
            if (_marks[marked].Mark.IsEvictable && marked is Inode { IsEvictable: true })
                Unmark(marked);
        }
    }

    /// <summary>The marks, the newest first, as /proc/self/fdinfo/N shows them.</summary>
    internal IEnumerable<(object Marked, AlertMark Mark)> Marks => _order.Reverse().Select(marked => (marked, _marks[marked].Mark));

    /// <summary>In the order of making; a dictionary has none.</summary>
    private readonly LinkedList<object> _order = new();

    /// <summary>What of a change the group wants to know: something was done to a file or, with <paramref name="named"/>, to a name in it.</summary>
    private FileChange Wanted(FileChange change, Inode inode, Mount? mount, Inode? parent)
    {
        FileChange wanted = FileChange.None, ignored = FileChange.None;
        Take(change, inode, asParent: false, ref wanted, ref ignored);
        Take(change, parent, asParent: true, ref wanted, ref ignored);
        Take(change, mount, asParent: false, ref wanted, ref ignored);
        Take(change, inode.FileSystem, asParent: false, ref wanted, ref ignored);
        return change & wanted & ~ignored & ~MarkFlags;
    }

    /// <summary>Adds what the mark of something wants and ignores; true when it speaks of files such as the one that was changed.</summary>
    private bool Take(FileChange change, object? marked, bool asParent, ref FileChange wanted, ref FileChange ignored)
    {
        if (marked is null || !_marks.TryGetValue(marked, out (AlertMark Mark, FileSystem? Owner) found))
            return false;
        AlertMark mark = found.Mark;
        // One that does not watch children is not concerned at all.
        if (asParent && ((mark.Mask | mark.IgnoredWithFlags) & FileChange.OnChildren) == 0)
            return false;
        if ((change & FileChange.Modified) != 0 && !mark.KeepsIgnoring)
            mark.Ignored &= MarkFlags;
        bool isDirectory = (change & FileChange.IsDirectory) != 0;
        ignored |= mark.IgnoredOf(isDirectory, asParent);
        if ((asParent && (mark.Mask & FileChange.OnChildren) == 0) || (isDirectory && (mark.Mask & FileChange.IsDirectory) == 0))
            return false;
        wanted |= mark.Mask;
        return true;
    }

    /// <summary>Something was done to a file, by the name that was used when there is one.</summary>
    internal void Tell(FileChange change, Inode inode, PathEntry? path, GuestThread? actor)
    {
        Inode? parent = path?.Dentry.Parent?.Inode;
        FileChange told = Wanted(change, inode, path?.Mount, parent);
        bool usesHandles = (Report & AlertReport.Handles) != 0;
        // Without the file's own handle there is only its directory's to tell, where that is known.
        bool hasNothingToTell = usesHandles && (Report & AlertReport.File) == 0 && inode.Kind != FileKind.Directory && parent is null;
        if (told == FileChange.None || hasNothingToTell || (!usesHandles && (path is null || inode.Kind is not (FileKind.Regular or FileKind.Directory))))
            return;
        Add(usesHandles ? WithHandles(told | (change & FileChange.IsDirectory), inode, path, parent, actor) : new FileAlert
        {
            Change = told, Path = path, Source = SourceOf(actor), Process = actor?.Process,
        });
    }

    private FileAlert WithHandles(FileChange told, Inode inode, PathEntry? path, Inode? parent, GuestThread? actor)
    {
        bool isDirectory = inode.Kind == FileKind.Directory;
        Inode? directory = (Report & AlertReport.Directory) != 0 && !isDirectory ? parent : null;
        Inode? file = directory is null || (Report & AlertReport.File) != 0 ? inode : null;
        byte[]? name = directory is not null && (Report & AlertReport.Name) != 0 ? path!.Dentry.Name : null;
        if (path is not null)
            Remember(path.Dentry);
        // A directory alone, without a name, is what such groups are told of as if it were the file.
        if (file is null && name is null)
            (file, directory) = (directory, null);
        return new FileAlert
        {
            Change = told,
            Directory = directory,
            Name = name,
            Object = file,
            Source = SourceOf(actor),
            Process = actor?.Process,
        };
    }

    /// <summary>A name came, went or moved in a directory; only groups that report handles are told.</summary>
    internal void TellName(FileChange change, Dentry directory, byte[] name, Inode? named, GuestThread? actor)
    {
        FileChange told = Wanted(change, directory.Inode!, null, null);
        if (told == FileChange.None || (Report & AlertReport.Handles) == 0)
            return;
        Remember(directory);
        bool tellsDirectory = (Report & AlertReport.Name) != 0 || ((Report & AlertReport.Directory) != 0 && (Report & AlertReport.Target) != 0);
        Add(new FileAlert
        {
            Change = told | (change & FileChange.IsDirectory),
            Directory = tellsDirectory ? directory.Inode : null,
            Name = (Report & AlertReport.Name) != 0 ? name : null,
            Object = !tellsDirectory ? directory.Inode : (Report & AlertReport.Target) != 0 ? named : null,
            Source = SourceOf(actor),
            Process = actor?.Process,
        });
    }

    /// <summary>A rename as one record of both names (FAN_RENAME): each side is told to who marked it.</summary>
    internal void TellRename(Dentry from, byte[] oldName, Dentry to, byte[] newName, Inode moved, GuestThread? actor)
    {
        FileChange change = FileChange.Renamed | (moved.Kind == FileKind.Directory ? FileChange.IsDirectory : FileChange.None);
        if ((Report & AlertReport.Name) == 0)
            return;
        FileChange wanted = FileChange.None, ignored = FileChange.None;
        bool tellsOld = Take(change, from.Inode, asParent: false, ref wanted, ref ignored), tellsNew = Take(change, to.Inode, asParent: false, ref wanted, ref ignored);
        bool tellsBoth = Take(change, from.Inode!.FileSystem, asParent: false, ref wanted, ref ignored);
        if ((change & wanted & ~ignored & FileChange.Renamed) == 0)
            return;
        (tellsOld, tellsNew) = (tellsOld || tellsBoth, tellsNew || tellsBoth);
        Remember(from);
        Remember(to);
        Add(new FileAlert
        {
            Change = change,
            Directory = tellsOld ? from.Inode : null,
            Name = tellsOld ? oldName : null,
            NewDirectory = tellsNew ? to.Inode : null,
            NewName = tellsNew ? newName : null,
            Object = (Report & AlertReport.Target) != 0 ? moved : null,
            Source = SourceOf(actor),
            Process = actor?.Process,
        });
    }

    /// <summary>Asks whether something may be done; false when the group does not want to be asked.</summary>
    internal bool Ask(FileChange what, PathEntry path, AlertQuestion question, GuestThread actor)
    {
        FileChange isDirectory = path.Inode.Kind == FileKind.Directory ? FileChange.IsDirectory : FileChange.None;
        FileChange asked = Wanted(what | isDirectory, path.Inode, path.Mount, path.Dentry.Parent?.Inode);
        if (asked == FileChange.None)
            return false;
        question.Open++;
        Add(new FileAlert { Change = asked, Path = path, Source = SourceOf(actor), Process = actor.Process, Question = question });
        return true;
    }

    private int SourceOf(GuestThread? actor) => actor is null ? 0 : (Report & AlertReport.Thread) != 0 ? actor.Id : actor.Process.Id;

    /// <summary>Handles are of use as long as their files can be found by them.</summary>
    private static void Remember(Dentry name)
    {
        if (name.Inode is not { FileSystem: { } fileSystem })
            return;
        fileSystem.Handle(name);
        if (name.Parent is { } parent)
            fileSystem.Handle(parent);
    }
}
