namespace Vivarium.Emulator.Kernel;

/// <summary>
/// A space of process ids (pid_namespaces(7)). The kernel's own ids are those of the first space. In another one the processes and threads of it
/// and of the spaces below have numbers from 1 on; who has none there cannot be named or seen from inside.
/// </summary>
public sealed partial class PidSpace : Namespace
{
    /// <summary>How deep spaces nest (MAX_PID_NS_LEVEL).</summary>
    public const int MostLevels = 32;

    private const int LastId = 4_194_303;

    /// <summary>Where numbers go on once all were used (RESERVED_PIDS).</summary>
    private const int FirstAgain = 300;

    private readonly World _world;
    private readonly Dictionary<int, int> _inside = [];
    private readonly SortedDictionary<int, int> _outside = [];
    private readonly List<int> _lingering = [];
    private int _lastId;

    public PidSpace(World world, UserSpace? owner, PidSpace? parent)
        : base(world, "pid", owner)
    {
        _world = world;
        Parent = parent;
        Level = parent is null ? 0 : parent.Level + 1;
    }

    public PidSpace? Parent { get; }

    public override Namespace? Above => Parent;

    public int Level { get; }

    public bool IsFirst => Parent is null;

    /// <summary>The number that was given last; the next is the one after it.</summary>
    public int LastNumber
    {
        get => IsFirst ? _world.LastProcessId : _lastId;
        set
        {
            if (IsFirst)
                _world.LastProcessId = value;
            else
                _lastId = value;
        }
    }

    /// <summary>The first process in the space: orphans become its children, and its end is theirs. Null before it, and in the first space.</summary>
    public Process? Init { get; private set; }

    /// <summary>Its first process ended: no other can be made (ENOMEM).</summary>
    public bool IsOver { get; private set; }

    /// <summary>The number in this space of a process, thread, group or session that the kernel knows by <paramref name="id"/>; 0 when it has none.</summary>
    public int Inside(int id) => IsFirst ? id : _inside.GetValueOrDefault(id);

    /// <summary>The kernel's id for a number of this space; 0 when there is none.</summary>
    public int Outside(int number) => IsFirst ? number : _outside.GetValueOrDefault(number);

    public Process? FindProcess(int number) => Outside(number) is not 0 and var id ? _world.FindProcess(id) : null;

    /// <summary>A live thread by its number.</summary>
    public GuestThread? FindThread(int number) => Outside(number) is not 0 and var id ? _world.FindThread(id) : null;

    /// <summary>True for the processes of this space and of those below it.</summary>
    public bool Contains(Process process) => IsFirst || IsAtOrAbove(process.Space);

    /// <summary>True when <paramref name="other"/> is this space or below it.</summary>
    public bool IsAtOrAbove(PidSpace other)
    {
        PidSpace? at = other;
        while (at is not null && at.Level > Level)
            at = at.Parent;
        return ReferenceEquals(at, this);
    }

    /// <summary>The numbers of an id in this space and those below it, down to the innermost that has one (NSpid of proc(5)).</summary>
    public IEnumerable<int> NumbersFrom(PidSpace innermost, int id) => innermost.Numbers(id).Skip(Level);

    /// <summary>The numbers of an id from the first space down to this one, by their levels.</summary>
    public int[] Numbers(int id)
    {
        int[] numbers = new int[Level + 1];
        for (PidSpace? space = this; space is not null; space = space.Parent)
            numbers[space.Level] = space.Inside(id);
        return numbers;
    }

    /// <summary>Gives an id its numbers here and in the spaces above.</summary>
    internal void Add(int id)
    {
        for (PidSpace space = this; !space.IsFirst; space = space.Parent!)
            space.Number(id);
    }

    internal void Begin(Process process)
    {
        if (!IsFirst)
            Init ??= process;
    }

    private void Number(int id)
    {
        do
            _lastId = _lastId == LastId ? FirstAgain : _lastId + 1;
        while (_outside.ContainsKey(_lastId));
        _outside.Add(_lastId, id);
        _inside.Add(id, _lastId);
    }

    /// <summary>Nothing has this id any more; its numbers go once no group or session has it either.</summary>
    internal void Release(int id)
    {
        for (PidSpace space = this; !space.IsFirst; space = space.Parent!)
        {
            space._lingering.Add(id);
            for (int i = space._lingering.Count - 1; i >= 0; i--)
            {
                if (space.IsUsed(space._lingering[i]))
                    continue;
                if (space._inside.Remove(space._lingering[i], out int number))
                    space._outside.Remove(number);
                space._lingering.RemoveAt(i);
            }
        }
    }

    private bool IsUsed(int id)
    {
        foreach (Process process in _world.Processes())
        {
            if (process.Group == id || process.Session == id)
                return true;
        }
        return false;
    }

    /// <summary>The first process ended: all others here and below are killed ("The namespace init process").</summary>
    internal void End()
    {
        IsOver = true;
        foreach (Process process in _world.Processes())
        {
            if (!process.IsZombie && Contains(process))
                process.Exit(WaitStatus.OfSignal(Signals.Signal.Kill, dumpedCore: false));
        }
    }
}
