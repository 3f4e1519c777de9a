using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>One watch of a <see cref="KernelQueue"/> (a knote): what it looks at, and what it has to report.</summary>
internal abstract class QueueWatch
{
    private static long _lastOrder;

    protected QueueWatch(KernelQueue queue, in QueueEvent change)
    {
        Queue = queue;
        Filter = change.Filter;
        Ident = change.Ident;
        Node = new LinkedListNode<QueueWatch>(this);
        Order = Interlocked.Increment(ref _lastOrder);
        Take(change);
    }

    public KernelQueue Queue { get; }

    public EventFilter Filter { get; }

    public ulong Ident { get; }

    /// <summary>Watches are made in this order.</summary>
    public long Order { get; }

    /// <summary>Its place among those that are active.</summary>
    public LinkedListNode<QueueWatch> Node { get; }

    public EventFlags Flags { get; protected set; }

    public bool IsEnabled { get; set; } = true;

    /// <summary>What was asked for.</summary>
    public uint Wanted { get; private set; }

    /// <summary>The change's data: a low-water mark, a timer's span.</summary>
    protected long Asked { get; private set; }

    private ulong _userData;
    private (ulong, ulong) _extra;

    /// <summary>Makes the watch that a change asks for: EBADF, EINVAL, ESRCH.</summary>
    public static Errno Make(KernelQueue queue, in QueueEvent change, out QueueWatch? watch)
    {
        watch = null;
        switch (change.Filter)
        {
            case EventFilter.Timer:
                return TimerWatch.Create(queue, change, out watch);
            case EventFilter.User:
                watch = new UserWatch(queue, change);
                return Errno.None;
            case EventFilter.FileSystems:
                watch = new MountWatch(queue, change);
                return Errno.None;
            case EventFilter.Signal:
                return SignalWatch.Create(queue, change, out watch);
            case EventFilter.Process:
                return ProcessWatch.Create(queue, change, out watch);
        }
        if (change.Ident > int.MaxValue || queue.Process.Files.Get((int)change.Ident) is not { } file)
            return Errno.EBADF;
        switch (change.Filter)
        {
            case EventFilter.Vnode:
                return VnodeWatch.Create(queue, change, file, out watch);
            case EventFilter.ProcessDescriptor:
                return ProcessWatch.Create(queue, change, file, out watch);
            default:
                return ReadinessWatch.Create(queue, change, file, out watch);
        }
    }

    /// <summary>Takes over a later change of the same watch.</summary>
    public virtual Errno Update(in QueueEvent change)
    {
        if ((change.Flags & EventFlags.Add) != 0)
            Take(change);
        return Errno.None;
    }

    /// <summary>True when there is something to report now; it also finds what.</summary>
    public abstract bool IsReady();

    public QueueEvent Report()
    {
        (EventFlags flags, uint notes, long data) = Current();
        return new QueueEvent(Ident, Filter, (Flags & EventFlags.Kept) | flags, notes, data, _userData) { Extra = _extra };
    }

    /// <summary>It was reported and begins anew (EV_CLEAR, EV_DISPATCH).</summary>
    public virtual void Clear()
    {
    }

    public abstract void Detach();

    /// <summary>The change that would make it.</summary>
    public QueueEvent AsChange() =>
        new(Ident, Filter, (Flags & EventFlags.Kept) | EventFlags.Add | (IsEnabled ? EventFlags.Enable : EventFlags.Disable), Wanted, Asked, _userData) { Extra = _extra };

    /// <summary>Has the same to report as another.</summary>
    public virtual void CopyState(QueueWatch original)
    {
    }

    protected abstract (EventFlags Flags, uint Notes, long Data) Current();

    /// <summary>Something happened: reported from now on.</summary>
    protected void Activate() => Queue.Activate(this);

    private void Take(in QueueEvent change)
    {
        Flags = (change.Flags & EventFlags.Kept) | (Flags & ImpliedFlags);
        Wanted = change.Notes;
        Asked = change.Data;
        _userData = change.UserData;
        _extra = change.Extra;
    }

    /// <summary>Flags that the filter sets by itself.</summary>
    protected virtual EventFlags ImpliedFlags => EventFlags.None;
}

/// <summary>EVFILT_READ, EVFILT_WRITE, EVFILT_EMPTY: the state of what is open, looked at when it pulses.</summary>
internal sealed class ReadinessWatch : QueueWatch, ISourceListener
{
    private readonly OpenFile _file;
    private readonly FileEnd? _end;

    private ReadinessWatch(KernelQueue queue, in QueueEvent change, OpenFile file)
        : base(queue, change)
    {
        _file = file;
        file.Source.Attach(this);
        if (file.Inode.Kind == FileKind.Regular && change.Filter == EventFilter.Read)
        {
            _end = new FileEnd(this, file.Inode) { Mask = FileChange.Modified };
            _end.Attach();
        }
    }

    public static Errno Create(KernelQueue queue, in QueueEvent change, OpenFile file, out QueueWatch? watch)
    {
        watch = null;
        bool isOwn = file is KernelQueue && (change.Filter != EventFilter.Read || file == queue);
        if (isOwn || (change.Filter == EventFilter.Empty && file is not Net.Socket))
            return Errno.EINVAL;
        watch = new ReadinessWatch(queue, change, file);
        return Errno.None;
    }

    public override bool IsReady()
    {
        if (_file.Inode.Kind == FileKind.Regular)
            return Filter != EventFilter.Read || _file.Inode.Status.Size != _file.Position;
        Readiness ready = _file.Poll();
        Readiness wanted = Filter == EventFilter.Read ? Readiness.In | Readiness.HangUp | Readiness.ReadHangUp : Readiness.Out | Readiness.HangUp | Readiness.Error;
        if ((ready & wanted) == Readiness.None)
            return false;
        bool hasMark = Filter == EventFilter.Read && (Wanted & EventNotes.Lowat) != 0;
        return !hasMark || Ends(ready) || Count() >= Asked;
    }

    protected override (EventFlags, uint, long) Current()
    {
        if (_file.Inode.Kind == FileKind.Regular)
            return (EventFlags.None, 0, Filter == EventFilter.Read ? _file.Inode.Status.Size - _file.Position : 0);
        Readiness ready = _file.Poll();
        uint error = Ends(ready) && _file is Net.Socket socket ? (uint)Queue.Process.Personality.ErrorNumber(socket.PendingError) : 0;
        return (Ends(ready) ? EventFlags.EndOfFile : EventFlags.None, error, Count());
    }

    /// <summary>Nothing more will come (read), or nobody takes it (write).</summary>
    private bool Ends(Readiness ready) => Filter == EventFilter.Read
        ? (ready & (Readiness.HangUp | Readiness.ReadHangUp)) != 0
        : (ready & (Readiness.HangUp | Readiness.Error)) != 0;

    /// <summary>Bytes to read, connections to accept, room to write.</summary>
    private long Count() => Filter == EventFilter.Read
        ? _file is Net.StreamSocket { IsListening: true } listener ? listener.WaitingConnections : _file.Pending ?? 1
        : _file.RoomToWrite;

    public void OnPulse(Source source, Readiness edges)
    {
        if (IsEnabled && IsReady())
            Activate();
    }

    public override void Detach()
    {
        _file.Source.Detach(this);
        _end?.Detach();
    }

    /// <summary>Tells that a regular file grew: its source does not pulse.</summary>
    private sealed class FileEnd(ReadinessWatch watch, Inode inode) : FileWatch(inode)
    {
        public override object Owner => watch.Queue;

        public override void Tell(in FileNote note) => watch.OnPulse(watch._file.Source, Readiness.In);

        public override void OnInodeGone()
        {
        }
    }
}

/// <summary>EVFILT_USER: active from the trigger on.</summary>
internal sealed class UserWatch : QueueWatch
{
    private uint _notes;
    private bool _isTriggered;

    public UserWatch(KernelQueue queue, in QueueEvent change)
        : base(queue, change)
    {
        Apply(change.Notes);
    }

    public override Errno Update(in QueueEvent change)
    {
        base.Update(change);
        Apply(change.Notes);
        return Errno.None;
    }

    private void Apply(uint notes)
    {
        uint operand = notes & EventNotes.UserMask;
        _notes = (notes & EventNotes.Copy) switch
        {
            EventNotes.And => _notes & operand,
            EventNotes.Or => _notes | operand,
            EventNotes.Copy => operand,
            _ => _notes,
        };
        _isTriggered |= (notes & EventNotes.Trigger) != 0;
    }

    public override bool IsReady() => _isTriggered;

    protected override (EventFlags, uint, long) Current() => (EventFlags.None, _notes, 0);

    public override void Clear()
    {
        _isTriggered = false;
        _notes = (Flags & EventFlags.Clear) != 0 ? 0 : _notes;
    }

    public override void CopyState(QueueWatch original)
    {
        _isTriggered = ((UserWatch)original)._isTriggered;
        _notes = ((UserWatch)original)._notes;
    }

    public override void Detach()
    {
    }
}

/// <summary>EVFILT_TIMER: counts the times it fired since it was last reported.</summary>
internal sealed class TimerWatch : QueueWatch
{
    private WorldTimer? _timer;
    private long _next;
    private long _count;

    private TimerWatch(KernelQueue queue, in QueueEvent change)
        : base(queue, change)
    {
        Begin();
    }

    public static Errno Create(KernelQueue queue, in QueueEvent change, out QueueWatch? watch)
    {
        watch = null;
        if (change.Data < 0)
            return Errno.EINVAL;
        watch = new TimerWatch(queue, change);
        return Errno.None;
    }

    private bool IsAbsolute => (Wanted & EventNotes.AbsoluteTime) != 0;

    private World World => Queue.Process.World;

    /// <summary>What was counted is forgotten, and it begins anew.</summary>
    public override Errno Update(in QueueEvent change)
    {
        if ((change.Flags & EventFlags.Add) == 0)
            return Errno.None;
        if (change.Data < 0)
            return Errno.EINVAL;
        base.Update(change);
        _timer?.Cancel();
        _count = 0;
        Begin();
        return Errno.None;
    }

    /// <summary>A timer of a point in time stays active once it is over, unless EV_CLEAR says otherwise (kqueue(2), NOTE_ABSTIME).</summary>
    private void Begin()
    {
        if (!IsAbsolute)
            Flags |= EventFlags.Clear;
        _next = IsAbsolute ? World.MonotonicOf(Asked) : World.Clock.Monotonic + Math.Max(1, Asked);
        _timer = World.Schedule(_next, Fire);
    }

    private void Fire()
    {
        _count++;
        if ((Flags & EventFlags.OneShot) == 0 && !IsAbsolute)
        {
            // Missed turns count, and none is made up for.
            long period = Math.Max(1, Asked), missed = Math.Max(0, (World.Clock.Monotonic - _next) / period);
            _count += missed;
            _next += (missed + 1) * period;
            _timer = World.Schedule(_next, Fire);
        }
        Activate();
    }

    public override bool IsReady() => _count > 0;

    protected override (EventFlags, uint, long) Current() => (EventFlags.None, 0, _count);

    public override void Clear() => _count = 0;

    public override void CopyState(QueueWatch original) => _count = ((TimerWatch)original)._count;

    public override void Detach() => _timer?.Cancel();
}

/// <summary>EVFILT_SIGNAL: counts what is sent to the process, whatever it does on it.</summary>
internal sealed class SignalWatch : QueueWatch
{
    private readonly int _signal;
    private long _count;

    private SignalWatch(KernelQueue queue, in QueueEvent change, int signal)
        : base(queue, change)
    {
        _signal = signal;
        Flags |= EventFlags.Clear;
        queue.Process.World.SignalSent += OnSent;
    }

    protected override EventFlags ImpliedFlags => EventFlags.Clear;

    public static Errno Create(KernelQueue queue, in QueueEvent change, out QueueWatch? watch)
    {
        watch = null;
        int signal = change.Ident > 128 ? 0 : queue.Process.Personality.NeutralSignal((int)change.Ident);
        if (signal == 0)
            return Errno.EINVAL;
        watch = new SignalWatch(queue, change, signal);
        return Errno.None;
    }

    private void OnSent(Process process, int signal)
    {
        if (signal != _signal || process != Queue.Process)
            return;
        _count++;
        Activate();
    }

    public override bool IsReady() => _count > 0;

    protected override (EventFlags, uint, long) Current() => (EventFlags.None, 0, _count);

    public override void Clear() => _count = 0;

    public override void CopyState(QueueWatch original) => _count = ((SignalWatch)original)._count;

    public override void Detach() => Queue.Process.World.SignalSent -= OnSent;
}
