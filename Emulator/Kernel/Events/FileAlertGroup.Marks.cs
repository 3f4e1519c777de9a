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
        if (owner is not null && !owner.AlertGroups.Contains(this))
        {
            int place = owner.AlertGroups.FindIndex(other => other.Priority < Priority);
            owner.AlertGroups.Insert(place < 0 ? owner.AlertGroups.Count : place, this);
        }
        return Errno.None;
    }

    public void Unmark(object marked)
    {
        if (!_marks.Remove(marked, out (AlertMark Mark, FileSystem? Owner) removed) || removed.Owner is not { } owner)
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
        foreach (object marked in _marks.Keys.Where(static marked => marked is TMarked).ToArray())
            Unmark(marked);
    }

    private void FlushAll() => Flush<object>();

    /// <summary>What of a change the group wants to know: something was done to a file or, with <paramref name="named"/>, to a name in it.</summary>
    private FileChange Wanted(FileChange change, Inode inode, Mount? mount, Inode? parent)
    {
        FileChange wanted = FileChange.None, ignored = FileChange.None;
        void Take(object? marked, bool asParent)
        {
            if (marked is null || !_marks.TryGetValue(marked, out (AlertMark Mark, FileSystem? Owner) found))
                return;
            AlertMark mark = found.Mark;
            if ((change & FileChange.Modified) != 0 && !mark.KeepsIgnoring)
                mark.Ignored = FileChange.None;
            bool isDirectory = (change & FileChange.IsDirectory) != 0;
            if (!asParent || (mark.Ignored & FileChange.OnChildren) != 0)
                ignored |= mark.Ignored;
            if ((!asParent || (mark.Mask & FileChange.OnChildren) != 0) && (!isDirectory || (mark.Mask & FileChange.IsDirectory) != 0))
                wanted |= mark.Mask;
        }

        Take(inode, asParent: false);
        Take(parent, asParent: true);
        Take(mount, asParent: false);
        Take(inode.FileSystem, asParent: false);
        return change & wanted & ~ignored & ~MarkFlags;
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
        bool tellsOld = Wanted(change, from.Inode!, null, null) != FileChange.None, tellsNew = Wanted(change, to.Inode!, null, null) != FileChange.None;
        if ((Report & AlertReport.Name) == 0 || (!tellsOld && !tellsNew))
            return;
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
