using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>EVFILT_VNODE: what happens to a file, all since the last report in one (vnode operations as kqueue(2) and VOP_ hooks tell them).</summary>
internal sealed class VnodeWatch : QueueWatch
{
    private const FileChange Names = FileChange.Created | FileChange.Deleted | FileChange.MovedFrom | FileChange.MovedTo;

    private readonly Teller _teller;
    private uint _notes;
    private long _size;

    private VnodeWatch(KernelQueue queue, in QueueEvent change, Inode inode)
        : base(queue, change)
    {
        _size = inode.Status.Size;
        _teller = new Teller(this, inode) { Mask = FileChange.All | FileChange.Unmounted };
        _teller.Attach();
    }

    /// <summary>EINVAL for what is no file of a file system.</summary>
    public static Errno Create(KernelQueue queue, in QueueEvent change, OpenFile file, out QueueWatch? watch)
    {
        watch = file.Path is null ? null : new VnodeWatch(queue, change, file.Inode);
        return watch is null ? Errno.EINVAL : Errno.None;
    }

    private void Add(uint notes)
    {
        notes &= Wanted;
        if (notes == 0)
            return;
        _notes |= notes;
        Activate();
    }

    private void Tell(in FileNote note)
    {
        FileChange change = note.Change;
        if ((change & Names) != 0 && note.Name is not null)
        {
            // A directory that comes or goes changes the number of links of the one it is in.
            bool isDirectory = (change & FileChange.IsDirectory) != 0;
            Add(EventNotes.Write | (isDirectory ? EventNotes.Link : 0));
            return;
        }
        // What happens to children is not this file's.
        if (note.Name is not null)
            return;
        uint notes = 0;
        if ((change & FileChange.Modified) != 0)
            notes |= EventNotes.Write | Growth();
        // Without an object it is the number of links that changed, which has notes of its own.
        if ((change & FileChange.AttributesChanged) != 0 && note.Object is not null)
            notes |= EventNotes.Attributes;
        if ((change & FileChange.SelfMoved) != 0)
            notes |= EventNotes.Rename;
        if ((change & FileChange.Opened) != 0)
            notes |= EventNotes.Open;
        if ((change & FileChange.ClosedWritable) != 0)
            notes |= EventNotes.CloseWritten;
        if ((change & FileChange.ClosedReadOnly) != 0)
            notes |= EventNotes.Close;
        if ((change & FileChange.Accessed) != 0)
            notes |= EventNotes.Read;
        if ((change & FileChange.Unmounted) != 0)
            notes |= EventNotes.Revoke;
        Add(notes);
    }

    private uint Growth()
    {
        long before = _size;
        _size = _teller.Inode.Status.Size;
        return _size > before ? EventNotes.Extend : 0;
    }

    public override bool IsReady() => _notes != 0;

    protected override (EventFlags, uint, long) Current() => (EventFlags.None, _notes, 0);

    public override void Clear() => _notes = 0;

    public override void CopyState(QueueWatch original) => _notes = ((VnodeWatch)original)._notes;

    public override void Detach() => _teller.Detach();

    private sealed class Teller(VnodeWatch watch, Inode inode) : FileWatch(inode)
    {
        public override object Owner => watch;

        public override void Tell(in FileNote note) => watch.Tell(note);

        public override void OnLinked() => watch.Add(EventNotes.Link);

        public override void OnUnlinked() => watch.Add(EventNotes.Delete);

        public override void OnInodeGone()
        {
        }
    }
}
