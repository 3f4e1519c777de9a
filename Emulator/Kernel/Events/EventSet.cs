using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>How a watch reports (os-neutral; epoll and kqueue choose from these).</summary>
[Flags]
public enum WatchPolicy : byte
{
    /// <summary>Level-triggered: reported as long as the condition holds, in turn.</summary>
    Level = 0,

    /// <summary>Reported once for each pulse of its source.</summary>
    Edge = 1,

    /// <summary>Disabled after a report, until changed.</summary>
    OneShot = 2,

    /// <summary>Wakes one of several sets.</summary>
    Exclusive = 4,
}

/// <summary>One report.</summary>
public readonly record struct ReadyEvent(Readiness Ready, ulong Data);

/// <summary>
/// A queue of ready watches in the order they became ready; a file itself, so sets nest. A watch belongs to an open file
/// description and the number it was added under, and lives as long as the description.
/// </summary>
public sealed class EventSet : OpenFile
{
    /// <summary>As many sets may be within one another (EP_MAX_NESTS, which does not count the innermost).</summary>
    private const int MostNested = 5;

    private readonly Dictionary<(OpenFile File, int Number), Watch> _watches = [];
    private readonly LinkedList<Watch> _ready = new();
    private readonly Inode _inode;

    public EventSet(World world, OpenFlags flags)
        : base(flags)
    {
        _inode = new AnonymousInode(world, FileKind.Unknown, 0x180);
    }

    public override Inode Inode => _inode;

    public override bool IgnoresSeek => true;

    public override string Description => "anon_inode:[eventpoll]";

    /// <summary>Unlike other files it refuses unknown requests as invalid.</summary>
    public override CallResult Control(CallContext call, uint request, ulong argument) => Errno.EINVAL;

    public override Readiness Poll()
    {
        // Watches that are found not to be ready leave the queue, as when they are taken (ep_poll in fs/eventpoll.c).
        while (_ready.First is { } node)
        {
            if (node.Value.Current() != Readiness.None)
                return Readiness.In;
            _ready.Remove(node);
        }
        return Readiness.None;
    }

    /// <summary>Adds a watch: EEXIST, or ELOOP when sets would contain one another or nest too deep.</summary>
    public Errno Add(OpenFile file, int number, Readiness mask, WatchPolicy policy, ulong data)
    {
        if (_watches.ContainsKey((file, number)))
            return Errno.EEXIST;
        if (file is EventSet inner && (inner.Reaches(this) || inner.Depth() + Height() > MostNested))
            return Errno.ELOOP;
        Watch watch = (policy & WatchPolicy.Exclusive) != 0 ? new ExclusiveWatch(this, file, number) : new Watch(this, file, number);
        _watches.Add((file, number), watch);
        (file as EventSet)?._containers.Add(this);
        // The latest watch of a source is told first, but exclusive ones in the order they came (add_wait_queue in kernel/sched/wait.c).
        if (watch is ExclusiveWatch exclusive)
            file.Source.AttachExclusive(exclusive);
        else
            file.Source.Attach(watch, first: true);
        file.Closed += watch.Remove;
        watch.Change(mask, policy, data);
        return Errno.None;
    }

    public Errno Change(OpenFile file, int number, Readiness mask, WatchPolicy policy, ulong data)
    {
        if (!_watches.TryGetValue((file, number), out Watch? watch))
            return Errno.ENOENT;
        // An exclusive watch cannot be changed, nor become exclusive.
        if (((watch.Policy | policy) & WatchPolicy.Exclusive) != 0)
            return Errno.EINVAL;
        watch.Change(mask, policy, data);
        return Errno.None;
    }

    public Errno Remove(OpenFile file, int number)
    {
        if (!_watches.TryGetValue((file, number), out Watch? watch))
            return Errno.ENOENT;
        watch.Remove();
        return Errno.None;
    }

    /// <summary>The file watched under a number, after skipping some that are (kcmp(2)); null when there are no more.</summary>
    public OpenFile? FindFile(int number, int skip)
    {
        foreach ((OpenFile file, int at) in _watches.Keys)
        {
            if (at == number && skip-- == 0)
                return file;
        }
        return null;
    }

    /// <summary>Takes reports from the head; level-triggered watches go back to the tail, so that a small buffer rotates through all.</summary>
    public int Take(Span<ReadyEvent> events)
    {
        int taken = 0;
        for (int left = _ready.Count; left > 0 && taken < events.Length; left--)
        {
            LinkedListNode<Watch> node = _ready.First!;
            _ready.RemoveFirst();
            Watch watch = node.Value;
            Readiness ready = watch.Current();
            if (ready == Readiness.None)
                continue;
            events[taken++] = new ReadyEvent(ready, watch.Data);
            if ((watch.Policy & WatchPolicy.OneShot) != 0)
                watch.Disable();
            else if ((watch.Policy & WatchPolicy.Edge) == 0)
                _ready.AddLast(node);
        }
        return taken;
    }

    protected override void OnLastClose()
    {
        foreach (Watch watch in _watches.Values.ToArray())
            watch.Remove();
    }

    private bool Reaches(EventSet other)
    {
        if (this == other)
            return true;
        foreach ((OpenFile file, _) in _watches.Keys)
        {
            if (file is EventSet inner && inner.Reaches(other))
                return true;
        }
        return false;
    }

    /// <summary>Sets that contain this one, once for each watch.</summary>
    private readonly List<EventSet> _containers = [];

    /// <summary>Sets from this one up to the outermost that contains it.</summary>
    private int Height()
    {
        int height = 0;
        foreach (EventSet outer in _containers)
            height = Math.Max(height, outer.Height());
        return height + 1;
    }

    private int Depth()
    {
        int depth = 0;
        foreach ((OpenFile file, _) in _watches.Keys)
        {
            if (file is EventSet inner)
                depth = Math.Max(depth, inner.Depth());
        }
        return depth + 1;
    }

    private sealed class ExclusiveWatch(EventSet set, OpenFile file, int number) : Watch(set, file, number), IExclusiveListener
    {
        /// <summary>Somebody waits for the set, and what happened is all that the watch is for (ep_poll_callback in fs/eventpoll.c).</summary>
        public bool Wakes(Readiness edges)
        {
            Readiness kind = edges & (Readiness.In | Readiness.Out);
            return Set.Source.HasListeners && kind != (Readiness.In | Readiness.Out) && (kind == Readiness.None || (kind & Mask) != Readiness.None);
        }

        protected override void Detach() => File.Source.DetachExclusive(this);
    }

    private class Watch : ISourceListener
    {
        /// <summary>Reported whether asked for or not.</summary>
        private const Readiness Always = Readiness.Error | Readiness.HangUp;

        protected EventSet Set { get; }

        protected OpenFile File { get; }

        private readonly int _number;
        private readonly LinkedListNode<Watch> _node;
        protected Readiness Mask { get; private set; }

        public Watch(EventSet set, OpenFile file, int number)
        {
            Set = set;
            File = file;
            _number = number;
            _node = new LinkedListNode<Watch>(this);
        }

        public WatchPolicy Policy { get; private set; }

        public ulong Data { get; private set; }

        public Readiness Current() => File.Poll() & Mask;

        public void Change(Readiness mask, WatchPolicy policy, ulong data)
        {
            Mask = mask | Always;
            Policy = policy;
            Data = data;
            if (Current() != Readiness.None)
                Queue();
        }

        public void Disable() => Mask = Readiness.None;

        public void OnPulse(Source source, Readiness edges)
        {
            if ((edges & Mask) != Readiness.None)
                Queue();
        }

        public void Remove()
        {
            Detach();
            File.Closed -= Remove;
            Set._watches.Remove((File, _number));
            (File as EventSet)?._containers.Remove(Set);
            if (_node.List is not null)
                Set._ready.Remove(_node);
        }

        protected virtual void Detach() => File.Source.Detach(this);

        private void Queue()
        {
            if (_node.List is null)
                Set._ready.AddLast(_node);
            Set.Source.Pulse(Readiness.In);
        }
    }
}
