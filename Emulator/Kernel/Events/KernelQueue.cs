using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>
/// A queue of watches in the order they became active (kqueue(2)): a view of the event core as <see cref="EventSet"/> is one. A watch
/// is known by what it looks at and its filter, belongs to a descriptor's number, not to what is open under it, and is looked at
/// again when it is taken. The queue belongs to one process: fork leaves it behind, unless it was made to be copied.
/// </summary>
public sealed class KernelQueue : OpenFile
{
    private readonly Dictionary<(EventFilter Filter, ulong Ident), QueueWatch> _watches = [];
    private readonly LinkedList<QueueWatch> _active = new();
    private readonly Inode _inode;

    public KernelQueue(Process process, bool isCopiedByFork, OpenFlags flags)
        : base(flags)
    {
        Process = process;
        IsCopiedByFork = isCopiedByFork;
        _inode = new AnonymousInode(process.World, FileKind.Unknown, 0x180);
        process.Files.DescriptorClosed += OnDescriptorClosed;
    }

    /// <summary>Whose descriptors, signals and children its watches mean.</summary>
    public Process Process { get; }

    public bool IsCopiedByFork { get; }

    public override Inode Inode => _inode;

    public override bool IgnoresSeek => false;

    public override string Description => "kqueue";

    public override bool IsInherited => false;

    /// <summary>Watches that are active and enabled; what a queue that watches this one is told.</summary>
    public override int? Pending => _active.Count;

    public override Readiness Poll()
    {
        while (_active.First is { } node)
        {
            if (node.Value.IsReady())
                return Readiness.In;
            _active.Remove(node);
        }
        return Readiness.None;
    }

    /// <summary>
    /// Makes one change. EBADF: no such descriptor. ENOENT: nothing to change. EINVAL: the filter cannot watch this. ESRCH: no such process.
    /// </summary>
    public Errno Change(in QueueEvent change)
    {
        if (!_watches.TryGetValue((change.Filter, change.Ident), out QueueWatch? watch))
        {
            if ((change.Flags & EventFlags.Add) == 0)
                return DescriptorOf(change) is { } missing && Process.Files.Get(missing) is null ? Errno.EBADF : Errno.ENOENT;
            Errno error = QueueWatch.Make(this, change, out watch);
            if (error != Errno.None)
                return error;
            _watches.Add((change.Filter, change.Ident), watch!);
        }
        else if ((change.Flags & EventFlags.Delete) != 0)
        {
            Remove(watch);
            return Errno.None;
        }
        else
        {
            Errno error = watch.Update(change);
            if (error != Errno.None)
                return error;
        }
        if ((change.Flags & EventFlags.Disable) != 0)
            watch!.IsEnabled = false;
        if ((change.Flags & EventFlags.Enable) != 0)
            watch!.IsEnabled = true;
        if (watch!.IsEnabled && watch.IsReady())
            Activate(watch);
        return Errno.None;
    }

    /// <summary>Takes reports from the head, each watch once; those that keep their condition go back to the tail.</summary>
    public int Take(Span<QueueEvent> events)
    {
        int taken = 0;
        for (int left = _active.Count; left > 0 && taken < events.Length && _active.First is { } node; left--)
        {
            QueueWatch watch = node.Value;
            _active.RemoveFirst();
            if (!watch.IsEnabled || !watch.IsReady())
                continue;
            events[taken++] = watch.Report();
            if ((watch.Flags & EventFlags.OneShot) != 0)
            {
                Remove(watch);
                continue;
            }
            if ((watch.Flags & EventFlags.Dispatch) != 0)
                watch.IsEnabled = false;
            if ((watch.Flags & (EventFlags.Clear | EventFlags.Dispatch)) != 0)
                watch.Clear();
            else if (_watches.ContainsKey((watch.Filter, watch.Ident)))
                _active.AddLast(node);
        }
        return taken;
    }

    /// <summary>A copy for a child: the same watches of the child's own descriptors, active ones in the same order (KQUEUE_CPONFORK).</summary>
    internal KernelQueue CopyFor(Process child)
    {
        var copy = new KernelQueue(child, isCopiedByFork: true, Flags);
        foreach (QueueWatch watch in _watches.Values.OrderBy(static watch => watch.Order))
            copy.Change(watch.AsChange());
        copy._active.Clear();
        foreach (QueueWatch active in _active)
        {
            if (copy._watches.TryGetValue((active.Filter, active.Ident), out QueueWatch? watch))
            {
                watch.CopyState(active);
                copy._active.AddLast(watch.Node);
            }
        }
        return copy;
    }

    internal void Activate(QueueWatch watch)
    {
        if (!watch.IsEnabled)
            return;
        if (watch.Node.List is null)
            _active.AddLast(watch.Node);
        Source.Pulse(Readiness.In);
    }

    /// <summary>Adds a watch that another one made: that of a child that is followed.</summary>
    internal void Adopt(QueueWatch watch)
    {
        if (_watches.TryAdd((watch.Filter, watch.Ident), watch) && watch.IsReady())
            Activate(watch);
    }

    internal void Remove(QueueWatch watch)
    {
        watch.Detach();
        _watches.Remove((watch.Filter, watch.Ident));
        if (watch.Node.List is not null)
            _active.Remove(watch.Node);
    }

    protected override void OnLastClose()
    {
        Process.Files.DescriptorClosed -= OnDescriptorClosed;
        foreach (QueueWatch watch in _watches.Values)
            watch.Detach();
        _watches.Clear();
        _active.Clear();
    }

    private static int? DescriptorOf(in QueueEvent change) =>
        IsOfDescriptor(change.Filter) ? (int)Math.Min(change.Ident, int.MaxValue) : null;

    private static bool IsOfDescriptor(EventFilter filter) =>
        filter is EventFilter.Read or EventFilter.Write or EventFilter.Vnode or EventFilter.ProcessDescriptor or EventFilter.Empty;

    private void OnDescriptorClosed(int descriptor)
    {
        ReadOnlySpan<EventFilter> filters = [EventFilter.Read, EventFilter.Write, EventFilter.Vnode, EventFilter.ProcessDescriptor, EventFilter.Empty];
        foreach (EventFilter filter in filters)
        {
            if (_watches.TryGetValue((filter, (ulong)descriptor), out QueueWatch? watch))
                Remove(watch);
        }
    }
}
