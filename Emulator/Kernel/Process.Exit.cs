using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Signals;
using AccessDomain = Vivarium.Emulator.Kernel.Files.AccessDomain;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>How processes and threads end, stop, go on and are waited for.</summary>
public sealed partial class Process
{
    /// <summary>Ends one thread; the last one ends the process with this code.</summary>
    public void ExitThread(GuestThread thread, int code)
    {
        if (_threads.Count == 1)
        {
            Exit(WaitStatus.OfExit(code));
            return;
        }
        Retire(thread);
        _threads.Remove(thread);
        EndTracing(thread, WaitStatus.OfExit(code));
        World.Observer?.OnEnd(thread, WaitStatus.OfExit(code));
    }

    /// <summary>How it ends as soon as its threads' tracers have seen enough; null while nothing has killed it.</summary>
    internal WaitStatus? Doom { get; set; }

    /// <summary>Ends one thread of a process that something killed, with the last the process.</summary>
    internal void Die(GuestThread thread, WaitStatus status)
    {
        if (_threads.Count == 1)
        {
            Exit(status);
            return;
        }
        Retire(thread);
        _threads.Remove(thread);
        EndTracing(thread, status);
        World.Observer?.OnEnd(thread, status);
    }

    /// <summary>A call that ends with its thread is recorded as such; the one that ends it ends by itself.</summary>
    private void AbandonCall(GuestThread thread)
    {
        if (thread.InCall && !(World.IsInHandler && ReferenceEquals(World.Current, thread)))
            World.Calls?.Abandon(thread.Call);
    }

    /// <summary>Ends the process: it becomes a zombie until its parent waits for it.</summary>
    public void Exit(WaitStatus status)
    {
        if (IsZombie)
            return;
        IsZombie = true;
        IsStopped = false;
        foreach (GuestThread thread in _threads)
            Retire(thread);
        (LastCredentials, _lastDomain) = (MainThread.Credentials, MainThread.Domain);
        LastName = MainThread.Name;
        GuestThread[] ended = [.. _threads];
        _threads.Clear();
        foreach (GuestThread thread in ended)
        {
            EndTracing(thread, status);
            World.Observer?.OnEnd(thread, status);
        }
        LetTraceesGo();
        KillTraced();
        if (ReferenceEquals(Space.Init, this))
            Space.End();
        RealTimer?.Cancel();
        DropPosixTimers();
        _processorTimers.Clear();
        Pending.Clear();
        DropAsyncContexts();
        if (Parent is { } waiting && !_memory.IsShared && Memory.AccessibleBytes() > waiting.ChildResident)
            NoteResident();
        World.Account(this, status);
        if (ReferenceEquals(Space.Init, this))
            Space.DropAccount();
        Files.Leave();
        FileContext.Leave();
        _memory.Leave();
        LeaveIpc();
        Keyring = null;
        Release();
        LoseTerminal();
        Disown();
        if (Parent is { } shell && shell.Group != Group && shell.Session == Session)
            World.HangUpIfOrphaned(Group, this);
        bool isHeld = Trace?.Finish(status) == true;
        Reported = isHeld ? null : status;
        World.OnProcessEnd(this, status);
        if (!isHeld)
            TellParent(status);
        Ended.Pulse(Readiness.In);
    }

    /// <summary>Who the process was, once its threads are gone.</summary>
    public Credentials LastCredentials { get; private set; } = Credentials.Of(0, 0);

    public byte[] LastName { get; private set; } = [];

    public Credentials Credentials => _threads.Count > 0 ? MainThread.Credentials : LastCredentials;

    /// <summary>What its first thread has left itself, or had.</summary>
    public AccessDomain? Domain => _threads.Count > 0 ? MainThread.Domain : _lastDomain;

    private AccessDomain? _lastDomain;

    /// <summary>May somebody read its memory and take its descriptors (ptrace(2), "Ptrace access mode checking")?</summary>
    public bool MayBeInspectedBy(GuestThread thread)
    {
        if (ReferenceEquals(thread.Process, this))
            return true;
        if (!AccessDomain.MayTrace(thread.Domain, Domain))
            return false;
        if (thread.Credentials.Has(Capability.Trace))
            return true;
        Credentials who = thread.Credentials, own = Credentials;
        return Dumpable == 1 && TraceDenial == TraceDenial.None && who.User == own.User && who.User == own.EffectiveUser && who.User == own.SavedUser
            && who.Group == own.Group && who.Group == own.EffectiveGroup && who.Group == own.SavedGroup && own.Permitted.IsWithin(who.Permitted);
    }

    /// <summary>Stops all threads (SIGSTOP and its kin).</summary>
    public void Stop(int signal)
    {
        if (IsStopped || IsZombie)
            return;
        IsStopped = true;
        Reported = new WaitStatus(ChildChange.Stopped, signal);
        TellParentOfChange();
        World.OnStop(this, signal);
    }

    /// <summary>Lets a stopped process go on (SIGCONT).</summary>
    public void Continue()
    {
        if (!IsStopped)
            return;
        IsStopped = false;
        foreach (GuestThread thread in _threads)
        {
            if (thread.State != ThreadState.Stopped)
                continue;
            thread.State = ThreadState.Ready;
            World.Enqueue(thread);
        }
        Reported = new WaitStatus(ChildChange.Continued, Signal.Continue);
        TellParentOfChange();
    }

    /// <summary>The parent has seen that this child stopped or went on.</summary>
    public void TakeReport() => Reported = null;

    /// <summary>The parent has seen this child's end, or did not want to: nothing is left of it. Only who waits is told what it used (getrusage(2)).</summary>
    public void Reap(bool isWaitedFor = true)
    {
        Parent?._children.Remove(this);
        if (Parent is { } parent && isWaitedFor)
        {
            parent.ChildInstructions += PastInstructions + ChildInstructions;
            parent.ChildSystemTime += PastSystemTime + ChildSystemTime;
            parent.ChildResident = Math.Max(parent.ChildResident, Math.Max(_resident, ChildResident));
        }
        World.Remove(this);
        IsReaped = true;
        Ended.Pulse(Readiness.HangUp);
    }

    /// <summary>execve(2): the calling thread stays alone, under the process's own id.</summary>
    internal void KeepOnly(GuestThread survivor)
    {
        foreach (GuestThread thread in _threads)
        {
            if (ReferenceEquals(thread, survivor))
                continue;
            Retire(thread);
            if (thread.Tracee is { } tracee)
                World.Untrace(tracee);
        }
        _threads.Clear();
        _threads.Add(survivor);
        if (survivor.Id != Id)
            Space.Release(survivor.Id);
        survivor.Id = Id;
        foreach (Performance.PerformanceEvent counter in survivor.Events.ToArray())
            counter.OnExecution();
        if (survivor.Keys is { } keys)
            keys.Own = null;
    }

    /// <summary>Lets a parent that waits after vfork go on.</summary>
    internal void Release()
    {
        if (!HoldsParent)
            return;
        HoldsParent = false;
        Released.Pulse();
    }

    private void LeaveIpc()
    {
        foreach (Ipc.IpcSpace space in World.IpcSpaces)
        {
            foreach (Ipc.SemaphoreSet set in space.Semaphores.All)
                set.UndoFor(KeptId);
        }
    }

    private void Retire(GuestThread thread)
    {
        AbandonCall(thread);
        World.CountThread(-1);
        if (thread.Id != Id)
            Space.Release(thread.Id);
        bool wasReady = thread.State == ThreadState.Ready;
        thread.LeaveSources();
        (thread.Call.State as IAbandonable)?.Abandon();
        thread.Pending.Clear();
        thread.Keys?.Leave();
        Personality.OnThreadExit(thread);
        thread.Filter = null;
        thread.State = ThreadState.Dead;
        thread.Namespaces.NetworkSpace.OnLeft();
        thread.Namespaces.Ipc.OnLeft();
        KeepTimes(thread);
        if (wasReady)
            World.Forget(thread);
    }

    /// <summary>Children go to the nearest subreaper above in the same space of ids, or to the space's first process; without one, they leave no zombie.</summary>
    private Process? FindHeir()
    {
        for (Process? candidate = Parent; candidate is not null && candidate.Space == Space; candidate = candidate.Parent)
        {
            if (candidate is { IsSubreaper: true, IsZombie: false })
                return candidate;
        }
        return Space.Init is { IsZombie: false } init ? init : null;
    }

    private void Disown()
    {
        Process? heir = FindHeir();
        Process[] orphans = [.. _children];
        _children.Clear();
        foreach (Process child in orphans)
        {
            int? group = !child.IsZombie && child.Group != Group && child.Session == Session ? child.Group : null;
            child.Parent = heir;
            heir?.AddChild(child);
            if (group is { } left)
                World.HangUpIfOrphaned(left, this);
            if (child.ParentDeathSignal != 0)
                World.Send(child, new SignalInfo(child.ParentDeathSignal));
            if (child.IsZombie && heir is null)
                World.Remove(child);
        }
        heir?.ChildSource.Pulse();
    }

    private void TellParent(WaitStatus status)
    {
        if (Parent is not { IsZombie: false } parent)
        {
            World.Remove(this);
            return;
        }
        ref SignalAction action = ref parent.Actions[Signal.Child];
        bool unwanted = ExitSignal == Signal.Child && (action.Handler == SignalAction.Ignore || action.NoChildZombies);
        // clone(2) takes any low byte; one that is no signal is not sent.
        if (Signal.IsValid(ExitSignal))
            World.Send(parent, ChildInfo(ExitSignal, status));
        if (unwanted)
            Reap(isWaitedFor: false);
        parent.ChildSource.Pulse();
    }

    private void TellParentOfChange()
    {
        if (Parent is not { IsZombie: false } parent)
            return;
        if (!parent.Actions[Signal.Child].NoChildStops)
            World.Send(parent, ChildInfo(Signal.Child, Reported!.Value));
        parent.ChildSource.Pulse();
    }

    private SignalInfo ChildInfo(int signal, WaitStatus status) => new(signal, Code: 1 + (int)CodeOf(status))
    {
        IsChild = true,
        SenderProcess = Parent!.Space.Inside(Id),
        SenderUser = Credentials.User,
        Value = (ulong)status.Value,
    };

    /// <summary>CLD_EXITED 1, CLD_KILLED 2, CLD_DUMPED 3, CLD_TRAPPED 4, CLD_STOPPED 5, CLD_CONTINUED 6, less one.</summary>
    private static int CodeOf(WaitStatus status) => status.Change switch
    {
        ChildChange.Exited => 0,
        ChildChange.Killed => status.DumpedCore ? 2 : 1,
        ChildChange.Stopped => 4,
        _ => 5,
    };
}
