using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>What a new thread or process shares with its maker.</summary>
[Flags]
public enum CloneShares : byte
{
    None = 0,
    Memory = 1,
    Files = 2,
    FileContext = 4,
    Actions = 8,

    /// <summary>A thread of the same process.</summary>
    Process = 16,

    /// <summary>The new process's parent is the maker's parent (CLONE_PARENT).</summary>
    Parent = 32,
}

/// <summary>How threads and processes are made.</summary>
public sealed partial class Process
{
    /// <summary>
    /// Makes a thread or a process that goes on where <paramref name="maker"/> is. It is queued, and first runs at its turn; the caller
    /// sets its registers. ENOMEM when memory cannot be copied or the space of ids has ended, EAGAIN past the limit of processes.
    /// </summary>
    public Errno Clone(GuestThread maker, CloneShares shares, int exitSignal, PidSpace space, out GuestThread? thread)
    {
        thread = null;
        if (space.IsOver)
            return Errno.ENOMEM;
        if (!World.HasRoomForThread || !HasRoomForUser(maker))
            return Errno.EAGAIN;
        Process process = this;
        if ((shares & CloneShares.Process) == 0)
        {
            Errno error = MakeProcess(maker, shares, exitSignal, space, out Process? child);
            if (error != Errno.None)
                return error;
            process = child!;
        }
        int id = process.Id;
        if (ReferenceEquals(process, this))
            Space.Add(id = World.NextId());
        thread = new GuestThread(process, id, maker.Cpu.Clone())
        {
            Blocked = maker.Blocked,
            Credentials = maker.Credentials,
            Namespaces = maker.Namespaces,
            Name = maker.Name,
            StartTime = World.Clock.Monotonic,
            Scheduling = maker.Scheduling.Inherited(),
            Filter = maker.Filter,
            Domain = maker.Domain,
            MemoryPolicy = maker.MemoryPolicy,
            Keys = maker.Keys?.Copy(),
            Trap = maker.Trap,
        };
        thread.Cpu.Instructions = 0;
        if ((shares & CloneShares.Memory) == 0)
        {
            thread.RestartableArea = maker.RestartableArea;
            thread.RestartableSignature = maker.RestartableSignature;
            thread.AlternateStack = maker.AlternateStack;
            thread.AlternateStackSize = maker.AlternateStackSize;
            thread.AlternateStackFlags = maker.AlternateStackFlags;
        }
        process.Add(thread);
        if (ReferenceEquals(process, this))
            Trace?.Join(thread);
        return Errno.None;
    }

    /// <summary>RLIMIT_NPROC counts the threads of a user; it does not bind the superuser.</summary>
    private bool HasRoomForUser(GuestThread maker)
    {
        Credentials who = maker.Credentials;
        ulong limit = SoftLimit(Resource.Processes);
        if (who.User == 0 || limit >= int.MaxValue || who.Has(Capability.Resource) || who.Has(Capability.Administer))
            return true;
        ulong count = 0;
        foreach (Process process in World.Processes())
        {
            foreach (GuestThread thread in process.Threads)
                count += thread.Credentials.User == who.User ? 1UL : 0;
            if (process.IsZombie && process.LastCredentials.User == who.User)
                count++;
        }
        return count < limit;
    }

    /// <summary>Queues that were made to be copied have the same numbers in the child.</summary>
    private void CopyQueues(Process child)
    {
        for (int descriptor = 0; descriptor < Files.End; descriptor++)
        {
            if (Files.Get(descriptor) is Events.KernelQueue { IsCopiedByFork: true } queue)
                child.Files.Replace(descriptor, queue.CopyFor(child), Files.IsCloseOnExec(descriptor));
        }
    }

    /// <summary>Ranges whose monitors want that have one of their own in a fork's copy.</summary>
    private static void TellMonitors(GuestThread maker, AddressSpace copy)
    {
        List<(IFaultMonitor Old, Events.FaultMonitor New)> made = [];
        copy.ReplaceMonitors(old =>
        {
            foreach ((IFaultMonitor known, Events.FaultMonitor monitor) in made)
            {
                if (known == old)
                    return monitor;
            }
            var parent = (Events.FaultMonitor)old;
            Events.FaultMonitor child = parent.CopyFor(copy);
            made.Add((old, child));
            maker.Untold.Add(parent.Tell(new Events.MonitorEvent(Events.MonitorEventKind.Fork, 0, 0, 0) { Child = child }));
            return child;
        });
    }

    private Errno MakeProcess(GuestThread maker, CloneShares shares, int exitSignal, PidSpace space, out Process? child)
    {
        child = null;
        if ((shares & CloneShares.Files) == 0 && !Files.CanBeCopied)
            return Errno.ENOMEM;
        SharedMemory memory;
        if ((shares & CloneShares.Memory) != 0)
        {
            memory = ShareMemory();
        }
        else
        {
            if (Memory.Fork() is not { } copy)
                return Errno.ENOMEM;
            if (copy.HasMonitors)
                TellMonitors(maker, copy);
            memory = new SharedMemory(copy, _memory.Program);
        }
        Process? parent = (shares & CloneShares.Parent) != 0 ? Parent : this;
        child = new Process(
            World,
            World.NextId(),
            space,
            parent,
            memory,
            (shares & CloneShares.Files) != 0 ? Files.Share() : Files.Copy(),
            (shares & CloneShares.FileContext) != 0 ? FileContext.Share() : FileContext.Copy(),
            (shares & CloneShares.Actions) != 0 ? Actions : Actions.Copy())
        {
            Group = Group,
            Session = Session,
            Terminal = Terminal,
            Personality = Personality,
            Executable = Executable,
            Layout = Layout,
            Limits = [.. Limits],
            ExitSignal = exitSignal,
            OutOfMemoryScoreAdjustment = OutOfMemoryScoreAdjustment,
            NoNewPrivileges = NoNewPrivileges,
            Persona = Persona,
            Dumpable = Dumpable,
            TraceDenial = TraceDenial,
            DumpedKinds = DumpedKinds,
        };
        if (!ReferenceEquals(child.Files, Files))
            CopyQueues(child);
        child.WatchProcessorLimit();
        space.Add(child.Id);
        child.IsShielded = !space.IsFirst && space.Init is null;
        space.Begin(child);
        parent?.AddChild(child);
        World.Add(child);
        return Errno.None;
    }
}
