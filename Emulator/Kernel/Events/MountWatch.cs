using Vivarium.Emulator.Kernel.Files;

namespace Vivarium.Emulator.Kernel.Events;

/// <summary>EVFILT_FS: something was mounted, or taken off, in the tree of the queue's process.</summary>
internal sealed class MountWatch : QueueWatch, ISourceListener
{
    private readonly Mount _top;
    private long _mounted, _removed;
    private uint _notes;

    public MountWatch(KernelQueue queue, in QueueEvent change)
        : base(queue, change)
    {
        Flags |= EventFlags.Clear;
        _top = queue.Process.FileContext.Root.Mount.Top;
        (_mounted, _removed) = (_top.Changes - _top.Removals, _top.Removals);
        _top.Changed.Attach(this);
    }

    protected override EventFlags ImpliedFlags => EventFlags.Clear;

    public override bool IsReady() => _notes != 0;

    protected override (EventFlags Flags, uint Notes, long Data) Current() => (EventFlags.None, _notes, 0);

    public override void Clear() => _notes = 0;

    public override void CopyState(QueueWatch original) => _notes = ((MountWatch)original)._notes;

    public void OnPulse(Source source, Readiness edges)
    {
        long mounted = _top.Changes - _top.Removals, removed = _top.Removals;
        uint news = (mounted != _mounted ? EventNotes.Mounted : 0) | (removed != _removed ? EventNotes.Unmounted : 0);
        (_mounted, _removed) = (mounted, removed);
        _notes |= news & Wanted;
        if (_notes != 0)
            Activate();
    }

    public override void Detach() => _top.Changed.Detach(this);
}
