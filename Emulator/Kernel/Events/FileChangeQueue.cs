using System.Globalization;
using System.Text;
using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>One record of a <see cref="FileChangeQueue"/>; the watch is -1 for a loss of records.</summary>
public readonly record struct FileRecord(int Watch, FileChange Change, uint Cookie, byte[] Name);

/// <summary>Lays records out as their readers expect.</summary>
public interface IFileRecordFormat
{
    int SizeOf(in FileRecord record);

    void Write(in FileRecord record, Span<byte> destination);
}

/// <summary>
/// A log of what happened to watched files, in order (inotify(7)): a record equal to the last one is folded into it, and a full queue
/// ends in one record that says so.
/// </summary>
public sealed class FileChangeQueue : OpenFile
{
    private readonly World _world;
    private readonly Inode _inode;
    private readonly IFileRecordFormat _format;
    private readonly Queue<FileRecord> _records = new();
    private readonly long _mostQueued;
    private readonly SortedDictionary<int, Watch> _watches = [];
    private FileRecord _last;
    private bool _isOverflowQueued;
    private int _lastNumber;

    public FileChangeQueue(World world, IFileRecordFormat format, OpenFlags flags)
        : base(flags | OpenFlags.Read)
    {
        _inode = new AnonymousInode(world, FileKind.Unknown, 0x180);
        _format = format;
        _world = world;
        _world.ChangeQueues++;
        _mostQueued = world.Settings.QueuedChanges.Value;
    }

    public override Inode Inode => _inode;

    public override Source AsyncSource => Source;

    public override string Description => "anon_inode:inotify";

    public override bool IgnoresSeek => true;

    public override bool ReadsOneByOne => true;

    /// <summary>Its watches, the newest first (inotify_show_fdinfo in fs/notify/fdinfo.c; without file handles).</summary>
    public override string Information
    {
        get
        {
            StringBuilder text = new();
            foreach ((int number, Watch watch) in _watches.Reverse())
            {
                FileStatus status = watch.Inode.Status;
                uint device = (DeviceNumber.Major(status.Device) << 20) | DeviceNumber.Minor(status.Device);
                uint mask = (uint)(watch.Mask & FileChange.All) | (watch.ExcludesUnlinked ? 0x04000000u : 0) | (watch.IsOneShot ? 0x80000000 : 0);
                text.Append(CultureInfo.InvariantCulture, $"inotify wd:{number:x} ino:{status.Inode:x} sdev:{device:x} mask:{mask:x} ignored_mask:0 \n");
            }
            return text.ToString();
        }
    }

    public override int? Pending
    {
        get
        {
            int size = 0;
            foreach (FileRecord record in _records)
                size += _format.SizeOf(record);
            return size;
        }
    }

    public override Readiness Poll() => _records.Count > 0 ? Readiness.In : Readiness.None;

    /// <summary>Takes as many whole records as fit; EINVAL when not even the first does.</summary>
    public override IoResult Read(Span<byte> destination)
    {
        if (_records.Count == 0)
            return IoResult.WouldBlock;
        int done = 0;
        while (_records.TryPeek(out FileRecord record))
        {
            int size = _format.SizeOf(record);
            if (size > destination.Length - done)
                return done > 0 ? done : Errno.EINVAL;
            _format.Write(record, destination.Slice(done, size));
            done += size;
            Drop();
        }
        return done;
    }

    /// <summary>A record that cannot be stored is lost.</summary>
    public override IoResult ReadNowhere(ulong count)
    {
        if (!_records.TryPeek(out FileRecord record))
            return IoResult.WouldBlock;
        if ((ulong)_format.SizeOf(record) > count)
            return Errno.EINVAL;
        Drop();
        return Errno.EFAULT;
    }

    /// <summary>
    /// Watches an inode, or changes its watch: the mask replaces the old one or is added to it. Gives the watch's number; EEXIST when
    /// <paramref name="onlyNew"/> and there is one, ENOSPC when the world has too many.
    /// </summary>
    public Errno Add(Inode inode, FileChange mask, bool addsToMask, bool onlyNew, bool isOneShot, bool excludesUnlinked, out int number)
    {
        number = -1;
        Watch? watch = Array.Find(inode.Watches, held => ReferenceEquals(held.Owner, this)) as Watch;
        if (watch is null)
        {
            if (_world.FileWatches >= _world.Settings.FileWatches.Value)
                return Errno.ENOSPC;
            _world.FileWatches++;
            watch = new Watch(this, inode, ++_lastNumber);
            _watches.Add(watch.Number, watch);
            watch.Attach();
        }
        else if (onlyNew)
        {
            return Errno.EEXIST;
        }
        number = watch.Number;
        // The end of the file system is always told.
        watch.Mask = (addsToMask ? watch.Mask : FileChange.None) | mask | FileChange.Unmounted;
        watch.IsOneShot = isOneShot || (addsToMask && watch.IsOneShot);
        watch.ExcludesUnlinked = excludesUnlinked || (addsToMask && watch.ExcludesUnlinked);
        return Errno.None;
    }

    /// <summary>EINVAL when there is no such watch.</summary>
    public Errno Remove(int number)
    {
        if (!_watches.TryGetValue(number, out Watch? watch))
            return Errno.EINVAL;
        watch.Detach();
        Forget(watch);
        return Errno.None;
    }

    protected override void OnLastClose()
    {
        foreach (Watch watch in _watches.Values)
            watch.Detach();
        _world.FileWatches -= _watches.Count;
        _world.ChangeQueues--;
        _watches.Clear();
        _records.Clear();
    }

    private void Forget(Watch watch)
    {
        _watches.Remove(watch.Number);
        _world.FileWatches--;
        Append(new FileRecord(watch.Number, FileChange.Ignored, 0, []));
    }

    private void Append(in FileRecord record)
    {
        if (_records.Count >= _mostQueued)
        {
            if (_isOverflowQueued)
                return;
            _isOverflowQueued = true;
            Put(new FileRecord(-1, FileChange.Overflowed, 0, []));
        }
        else if (_records.Count == 0 || !IsLast(record))
        {
            Put(record);
        }
    }

    /// <summary>Cookies are not compared, and the end of a watch is never folded (fs/notify/inotify/inotify_fsnotify.c).</summary>
    private bool IsLast(in FileRecord record) =>
        (_last.Change & FileChange.Ignored) == 0 && _last.Change == record.Change && _last.Watch == record.Watch && _last.Name.AsSpan().SequenceEqual(record.Name);

    private void Put(in FileRecord record)
    {
        _records.Enqueue(record);
        _last = record;
        Source.Pulse(Readiness.In);
    }

    private void Drop()
    {
        if ((_records.Dequeue().Change & FileChange.Overflowed) != 0)
            _isOverflowQueued = false;
    }

    private sealed class Watch(FileChangeQueue queue, Inode inode, int number) : FileWatch(inode)
    {
        public int Number { get; } = number;

        public bool IsOneShot { get; set; }

        public override object Owner => queue;

        public override void Tell(in FileNote note)
        {
            FileChange change = note.Change;
            // Never told of these (inotify(7) names them without IN_ISDIR).
            if ((change & (FileChange.SelfMoved | FileChange.SelfDeleted)) != 0)
                change &= ~FileChange.IsDirectory;
            queue.Append(new FileRecord(Number, change, note.Cookie, note.Name ?? []));
            if (!IsOneShot)
                return;
            Detach();
            queue.Forget(this);
        }

        public override void OnInodeGone() => queue.Forget(this);
    }
}
