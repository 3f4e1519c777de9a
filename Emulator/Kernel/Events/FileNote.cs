using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>What can happen to a file, in inotify(7)'s and fanotify(7)'s values.</summary>
[Flags]
public enum FileChange : uint
{
    None = 0,
    Accessed = 0x1,
    Modified = 0x2,
    AttributesChanged = 0x4,
    ClosedWritable = 0x8,
    ClosedReadOnly = 0x10,
    Opened = 0x20,
    MovedFrom = 0x40,
    MovedTo = 0x80,
    Created = 0x100,
    Deleted = 0x200,

    /// <summary>The last name of the file is gone and nobody holds it.</summary>
    SelfDeleted = 0x400,
    SelfMoved = 0x800,
    All = 0xFFF,

    /// <summary>Opened to be executed; never without <see cref="Opened"/>.</summary>
    OpenedToExecute = 0x1000,
    Unmounted = 0x2000,

    /// <summary>Records were lost because the queue was full.</summary>
    Overflowed = 0x4000,

    /// <summary>The watch is gone.</summary>
    Ignored = 0x8000,

    /// <summary>Somebody waits to be allowed to open a file, to read it, to execute it (fanotify(7)).</summary>
    OpeningAsked = 0x10000,
    AccessAsked = 0x20000,
    ExecutionAsked = 0x40000,

    /// <summary>Of a mark: a directory's children too.</summary>
    OnChildren = 0x08000000,

    /// <summary>Both halves of a rename at once.</summary>
    Renamed = 0x10000000,
    IsDirectory = 0x40000000,
}

/// <summary>
/// One thing that happened to a file. <paramref name="Name"/> is the name in the watched directory, null for the watched file itself;
/// <paramref name="Cookie"/> is the same for both halves of a rename, else 0. <paramref name="Object"/> is what it happened to, by the
/// name that was used; null for changes of names.
/// </summary>
public readonly record struct FileNote(FileChange Change, byte[]? Name, uint Cookie, PathEntry? Object);

/// <summary>Someone's interest in one inode: told what happens to it and, when it is a directory, to what its names lead to.</summary>
public abstract class FileWatch(Inode inode)
{
    public Inode Inode { get; } = inode;

    public FileChange Mask { get; set; }

    /// <summary>Who the watch belongs to; a watcher sees a directory's note before that of the file itself.</summary>
    public abstract object Owner { get; }

    /// <summary>Children are left out once their name is gone (IN_EXCL_UNLINK).</summary>
    public bool ExcludesUnlinked { get; set; }

    /// <summary>Something in <see cref="Mask"/> happened.</summary>
    public abstract void Tell(in FileNote note);

    /// <summary>The file got another name.</summary>
    public virtual void OnLinked()
    {
    }

    /// <summary>The file lost a name.</summary>
    public virtual void OnUnlinked()
    {
    }

    /// <summary>The inode is gone, and with it the watch, which was removed from it.</summary>
    public abstract void OnInodeGone();

    public void Attach()
    {
        Inode.Watches = [.. Inode.Watches, this];
        Inode.FileSystem?.Watches.Add(this);
    }

    public void Detach()
    {
        Inode.Watches = Array.FindAll(Inode.Watches, other => !ReferenceEquals(other, this));
        Inode.FileSystem?.Watches.Remove(this);
    }
}
