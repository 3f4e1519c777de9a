namespace Vivarium.Emulator.Kernel.Events;

/// <summary>EVFILT_PROC and EVFILT_PROCDESC: what a process does; NOTE_TRACK follows its children.</summary>
internal sealed class ProcessWatch : QueueWatch
{
    private readonly Process _process;
    private uint _notes;
    private long _data;
    private bool _hasEnded;

    private ProcessWatch(KernelQueue queue, in QueueEvent change, Process process)
        : base(queue, change)
    {
        _process = process;
        Flags |= EventFlags.Clear;
        World world = process.World;
        world.ProcessEnded += OnEnded;
        world.ProcessExecuted += OnExecuted;
        world.ProcessStarted += OnStarted;
        if (process.IsZombie)
            End(process.Reported ?? default);
    }

    protected override EventFlags ImpliedFlags => EventFlags.Clear;

    /// <summary>Of a process by its number: ESRCH. One that ended and was not waited for can be watched: it has ended.</summary>
    public static Errno Create(KernelQueue queue, in QueueEvent change, out QueueWatch? watch)
    {
        watch = null;
        if (change.Ident > int.MaxValue || queue.Process.Space.FindProcess((int)change.Ident) is not { } process)
            return Errno.ESRCH;
        watch = new ProcessWatch(queue, change, process);
        return Errno.None;
    }

    /// <summary>Of a process by its descriptor: EINVAL for other descriptors.</summary>
    public static Errno Create(KernelQueue queue, in QueueEvent change, Files.OpenFile file, out QueueWatch? watch)
    {
        watch = file is ProcessDescriptor descriptor ? new ProcessWatch(queue, change, descriptor.Process) : null;
        return watch is null ? Errno.EINVAL : Errno.None;
    }

    private void OnEnded(Process process, WaitStatus status)
    {
        if (process == _process)
            End(status);
    }

    private void End(WaitStatus status)
    {
        _hasEnded = true;
        // It goes once it was told, wanted or not (filt_proc).
        Flags |= EventFlags.OneShot | EventFlags.EndOfFile;
        if ((Wanted & EventNotes.Exit) == 0)
        {
            Queue.Process.World.Defer(() => Queue.Remove(this));
            return;
        }
        _notes |= EventNotes.Exit;
        _data = Queue.Process.Personality.EncodeWaitStatus(status);
        Activate();
    }

    private void OnExecuted(Process process)
    {
        if (process != _process || (Wanted & EventNotes.Execute) == 0)
            return;
        _notes |= EventNotes.Execute;
        Activate();
    }

    private void OnStarted(Process child)
    {
        if (child.Parent != _process || _hasEnded)
            return;
        if ((Wanted & EventNotes.Fork) != 0)
        {
            _notes |= EventNotes.Fork;
            Activate();
        }
        if ((Wanted & EventNotes.Track) != 0)
            Follow(child);
    }

    /// <summary>The child has a watch like this one, which first reports where it came from.</summary>
    private void Follow(Process child)
    {
        QueueEvent change = AsChange() with { Ident = (ulong)Queue.Process.Space.Inside(child.Id) };
        Queue.Adopt(new ProcessWatch(Queue, change, child)
        {
            _notes = EventNotes.Child,
            _data = Queue.Process.Space.Inside(_process.Id),
        });
    }

    public override bool IsReady() => _notes != 0;

    protected override (EventFlags, uint, long) Current() => (_hasEnded ? EventFlags.EndOfFile | EventFlags.OneShot : EventFlags.None, _notes, _data);

    public override void Clear()
    {
        _notes = 0;
        _data = 0;
    }

    public override void CopyState(QueueWatch original)
    {
        _notes = ((ProcessWatch)original)._notes;
        _data = ((ProcessWatch)original)._data;
    }

    public override void Detach()
    {
        World world = _process.World;
        world.ProcessEnded -= OnEnded;
        world.ProcessExecuted -= OnExecuted;
        world.ProcessStarted -= OnStarted;
    }
}
