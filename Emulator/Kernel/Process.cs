using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>
/// An address space and who uses it: processes made by vfork share their parent's until they execute something. The program that is executed in it cannot be
/// written meanwhile.
/// </summary>
internal sealed class SharedMemory
{
    private int _users = 1;

    public SharedMemory(AddressSpace space, Inode? program)
    {
        Space = space;
        Program = program;
        if (program is not null)
            program.Executors++;
    }

    public Inode? Program { get; private set; }

    /// <summary>Another file takes the program's place; false while it is open to be written.</summary>
    public bool TryReplaceProgram(Inode program)
    {
        if (program.Writers > 0)
            return false;
        program.Executors++;
        if (Program is { } before)
            before.Executors--;
        Program = program;
        return true;
    }

    public AddressSpace Space { get; }

    public bool IsShared => _users > 1;

    public SharedMemory Share()
    {
        _users++;
        return this;
    }

    public void Leave()
    {
        if (--_users != 0)
            return;
        if (Program is { } program)
            program.Executors--;
        Space.Dispose();
    }
}

/// <summary>What a process does on each signal; shared by CLONE_SIGHAND.</summary>
public sealed class SignalActions
{
    private readonly SignalAction[] _actions = new SignalAction[Signal.Last + 1];

    public ref SignalAction this[int signal] => ref _actions[signal];

    public SignalActions Copy()
    {
        var copy = new SignalActions();
        _actions.CopyTo(copy._actions, 0);
        return copy;
    }

    /// <summary>execve(2): handlers go, ignored signals stay ignored.</summary>
    public void DropHandlers()
    {
        for (int signal = 1; signal <= Signal.Last; signal++)
        {
            if (_actions[signal].Handler != SignalAction.Ignore)
                _actions[signal] = default;
            else
                _actions[signal] = new SignalAction { Handler = SignalAction.Ignore };
        }
    }
}

/// <summary>An emulated process: address space, descriptors, credentials, signal actions, threads.</summary>
public sealed partial class Process
{
    private readonly List<GuestThread> _threads = [];
    private readonly List<Process> _children = [];
    private SharedMemory _memory;

    internal Process(World world, int id, PidSpace space, Process? parent, SharedMemory memory, FileTable files, FileContext context, SignalActions actions)
    {
        World = world;
        Personality = parent?.Personality ?? world.Personality;
        Id = id;
        Space = space;
        Parent = parent;
        _memory = memory;
        Files = files;
        FileContext = context;
        Actions = actions;
        StartTime = world.Clock.Monotonic;
        Pending = new PendingSignals(world.SignalQuota);
    }

    public World World { get; }

    /// <summary>The system that its program was built for: what its calls, signals and start look like. Goes with the program.</summary>
    public IPersonality Personality { get; internal set; }

    public int Id { get; }

    /// <summary>Where it has a number of its own, as in all spaces above.</summary>
    public PidSpace Space { get; }

    /// <summary>Its id for those who tell of it when it may be gone.</summary>
    public KeptId KeptId => field ??= new KeptId(Space, Id);

    /// <summary>The first process of a space: what is sent from inside, and would end or stop it, is lost (pid_namespaces(7)).</summary>
    public bool IsShielded { get; internal set; }

    /// <summary>Null when the parent is gone.</summary>
    public Process? Parent { get; private set; }

    /// <summary>What getppid(2) returns; 1, as an init would be, for orphans.</summary>
    public int ParentId => Parent?.Id ?? 1;

    public int Group { get; set; }

    public int Session { get; set; }

    /// <summary>True once it executed a program: its group can no longer be changed by its parent (setpgid(2)).</summary>
    public bool HasExecuted { get; internal set; }

    public AddressSpace Memory => _memory.Space;

    public FileTable Files { get; internal set; }

    /// <summary>Live threads, the oldest first.</summary>
    public IReadOnlyList<GuestThread> Threads => _threads;

    /// <summary>Children that were not waited for yet, the oldest first.</summary>
    public IReadOnlyList<Process> Children => _children;

    public SignalActions Actions { get; internal set; }

    public PendingSignals Pending { get; }

    /// <summary>Pulses when a child's state changed.</summary>
    public Source ChildSource { get; } = new();

    /// <summary>Pulses when the process ended, or executed a program after vfork.</summary>
    public Source Released { get; } = new();

    /// <summary>Pulses when the process ended, and when its parent waited for it.</summary>
    public Source Ended { get; } = new();

    /// <summary>Nothing is left of it, not even its status.</summary>
    public bool IsReaped { get; private set; }

    /// <summary>True while a parent waits for this process after vfork.</summary>
    public bool HoldsParent { get; internal set; }

    /// <summary>Monotonic world time.</summary>
    public long StartTime { get; }

    public PathEntry? Executable { get; internal set; }

    /// <summary>Facts for /proc, set when a program starts.</summary>
    public ProgramLayout Layout { get; internal set; } = new();

    /// <summary>Soft and hard resource limits by <see cref="Resource"/>.</summary>
    public (ulong Soft, ulong Hard)[] Limits { get; internal set; } = [];

    public ulong SoftLimit(Resource resource) => Limits[(int)resource].Soft;

    /// <summary>The limits that its address space keeps.</summary>
    internal MemoryLimits MemoryLimits => new(SoftLimit(Resource.AddressSpace), SoftLimit(Resource.Data), SoftLimit(Resource.Stack));

    /// <summary>Sets a limit where it is kept.</summary>
    public void SetLimit(Resource resource, ulong soft, ulong hard)
    {
        Limits[(int)resource] = (soft, hard);
        if (resource == Resource.OpenFiles)
            Files.Limit = (int)Math.Min(soft, FileTable.MaxDescriptors);
        if (resource == Resource.ProcessorTime)
            WatchProcessorLimit();
        if (resource is Resource.AddressSpace or Resource.Data or Resource.Stack && !IsZombie)
            Memory.Limits = MemoryLimits;
    }

    /// <summary>ITIMER_REAL: when it fires next, and the interval after that.</summary>
    public WorldTimer? RealTimer { get; set; }

    public long RealTimerInterval { get; set; }

    public int OutOfMemoryScoreAdjustment { get; set; }

    /// <summary>Barriers that were registered for, as the personality numbers them (membarrier(2)).</summary>
    public int Barriers { get; set; }

    /// <summary>PR_SET_THP_DISABLE: told, no more.</summary>
    public bool AvoidsHugePages { get; set; }

    /// <summary>How the personality treats it (personality(2)), in the system's own bits; children have it too.</summary>
    public uint Persona { get; set; }

    private Keys.Keyring? _keyring;

    /// <summary>The keyring of its threads; goes with a new program.</summary>
    public Keys.Keyring? Keyring
    {
        get => _keyring;
        set => Keys.ThreadKeys.Replace(ref _keyring, value);
    }

    /// <summary>It has a list of semaphore operations to undo, however short (CLONE_SYSVSEM makes one).</summary>
    public object? UndoList { get; set; }

    public bool NoNewPrivileges { get; set; }

    /// <summary>The nice value of its first thread.</summary>
    public int Nice => _threads.Count > 0 ? MainThread.Scheduling.Nice : 0;

    /// <summary>Whether others of the same user may look into it: 0 no, 1 yes, 2 only the superuser (PR_SET_DUMPABLE).</summary>
    public int Dumpable { get; set; } = 1;

    /// <summary>Orphans among its descendants become its children (PR_SET_CHILD_SUBREAPER).</summary>
    public bool IsSubreaper { get; set; }

    /// <summary>The signal sent to the parent at the end; 0 = none.</summary>
    public int ExitSignal { get; internal set; } = Signal.Child;

    /// <summary>The signal for this process when its parent ends (PR_SET_PDEATHSIG); 0 = none.</summary>
    public int ParentDeathSignal { get; set; }

    public bool IsStopped { get; private set; }

    public bool IsZombie { get; private set; }

    /// <summary>The last change of state that a parent may still want to know.</summary>
    public WaitStatus? Reported { get; internal set; }

    /// <summary>Instructions retired by threads that are gone, and by reaped children.</summary>
    public ulong PastInstructions { get; internal set; }

    public ulong ChildInstructions { get; internal set; }

    public ulong Instructions
    {
        get
        {
            ulong sum = PastInstructions;
            foreach (GuestThread thread in _threads)
                sum += thread.Cpu.Instructions;
            return sum;
        }
    }

    /// <summary>The thread whose id is the process's, or the oldest one left.</summary>
    public GuestThread MainThread => _threads[0];

    public GuestThread? FindThread(int id)
    {
        foreach (GuestThread thread in _threads)
        {
            if (thread.Id == id)
                return thread;
        }
        return null;
    }

    internal void Add(GuestThread thread)
    {
        _threads.Add(thread);
        World.CountThread(1);
        World.Enqueue(thread);
    }

    internal void AddChild(Process child) => _children.Add(child);

    /// <summary>Takes the new program's memory in place of the old.</summary>
    internal void ReplaceMemory(AddressSpace memory, Inode program)
    {
        DropAsyncContexts();
        Keyring = null;
        if (!_memory.IsShared)
            NoteResident();
        _memory.Leave();
        _memory = new SharedMemory(memory, program);
    }

    /// <summary>Another file is told to be its program from now on; false while that is open to be written.</summary>
    public bool TryReplaceExecutable(PathEntry file)
    {
        if (!_memory.TryReplaceProgram(file.Inode))
            return false;
        Executable = file;
        return true;
    }

    /// <summary>Gives it a root, working directory and creation mask of its own (unshare(2), CLONE_FS).</summary>
    public void UnshareFileContext()
    {
        FileContext shared = FileContext;
        FileContext = shared.Copy();
        shared.Leave();
    }

    internal SharedMemory ShareMemory() => _memory.Share();
}

/// <summary>Where a program's parts lie.</summary>
public sealed record ProgramLayout
{
    /// <summary>Where code of the system's own is, or 0.</summary>
    public ulong VdsoStart { get; init; }

    public ulong StackStart { get; init; }

    public ulong CodeStart { get; init; }

    public ulong CodeEnd { get; init; }

    public ulong DataStart { get; init; }

    public ulong DataEnd { get; init; }

    public ulong ArgumentStart { get; init; }

    public ulong ArgumentEnd { get; init; }

    public ulong EnvironmentStart { get; init; }

    public ulong EnvironmentEnd { get; init; }

    /// <summary>The auxiliary vector with what room the system keeps for it.</summary>
    public byte[] SavedAuxiliary { get; init; } = [];

    /// <summary>The auxiliary vector up to the first AT_NULL.</summary>
    public byte[] AuxiliaryVector
    {
        get
        {
            const int entry = 16;
            int end = 0;
            while (end + entry <= SavedAuxiliary.Length && BitConverter.ToUInt64(SavedAuxiliary, end) != 0)
                end += entry;
            return SavedAuxiliary[..Math.Min(end + entry, SavedAuxiliary.Length)];
        }
    }
}
