using Vivarium.Emulator.Cpu;
using Vivarium.Emulator.Kernel.Files;
using Vivarium.Emulator.Memory;

namespace Vivarium.Emulator.Kernel;

/// <summary>The world's processes by id.</summary>
public sealed partial class World
{
    /// <summary>The first process: a number as a shell's child would have, not init's.</summary>
    private const int FirstId = 100;

    /// <summary>The session of the first process: its leader, the shell that started it, is outside.</summary>
    private const int OutsideSession = FirstId - 1;

    /// <summary>Where ids go on once all were used (RESERVED_PIDS).</summary>
    private const int FirstAgain = 300;
    private const int MostThreads = 32_768;

    private readonly ProcessTable _processes = new();
    private int _lastId = FirstId - 1;
    private bool _idsComeAgain;
    private int _created;
    private int _liveThreads;

    /// <summary>Processes created so far.</summary>
    public int ProcessesCreated => _created;

    /// <summary>How the first process ended.</summary>
    public WaitStatus Result { get; private set; }

    /// <summary>The first process, whose end is the world's.</summary>
    public Process? First { get; private set; }

    internal bool HasRoomForThread => _liveThreads < MostThreads;

    /// <summary>Raised when a process ended, stopped or began.</summary>
    public event Action<Process>? ProcessStarted;

    public event Action<Process, WaitStatus>? ProcessEnded;

    public event Action<Process, int>? ProcessStopped;

    /// <summary>A snapshot in order of id, so that processes may come and go while it is walked.</summary>
    public IReadOnlyList<Process> Processes() => _processes.Snapshot();

    public Process? FindProcess(int id) => _processes.Find(id);

    /// <summary>A live thread by its id.</summary>
    public GuestThread? FindThread(int id)
    {
        if (_processes.Find(id)?.FindThread(id) is { } main)
            return main;
        foreach (Process other in _processes)
        {
            if (other.FindThread(id) is { } thread)
                return thread;
        }
        return null;
    }

    internal int NextId()
    {
        int last = (int)Settings.PidLimit.Value - 1;
        do
        {
            _idsComeAgain |= _lastId >= last;
            _lastId = _lastId >= last ? FirstAgain : _lastId + 1;
        }
        while (_idsComeAgain && (_processes.Find(_lastId) is not null || FindThread(_lastId) is not null));
        return _lastId;
    }

    /// <summary>The id handed out last, for /proc/loadavg.</summary>
    public int LastProcessId
    {
        get => _lastId;
        internal set => (_lastId, _idsComeAgain) = (value, true);
    }

    internal void Add(Process process)
    {
        _created++;
        _processes.Add(process);
        ProcessStarted?.Invoke(process);
    }

    internal void Remove(Process process)
    {
        _processes.Remove(process.Id);
        process.Space.Release(process.Id);
    }

    /// <summary>A thread was made (1) or retired (-1).</summary>
    internal void CountThread(int change) => _liveThreads += change;

    internal void OnProcessEnd(Process process, WaitStatus status)
    {
        ProcessEnded?.Invoke(process, status);
        if (!ReferenceEquals(process, First))
            return;
        Result = status;
        IsOver = true;
    }

    /// <summary>Raised when a process became another program.</summary>
    public event Action<Process>? ProcessExecuted;

    internal void OnExecuted(Process process) => ProcessExecuted?.Invoke(process);

    internal void OnStop(Process process, int signal) => ProcessStopped?.Invoke(process, signal);

    /// <summary>Makes the first process, without a program yet. Its group is its own; it leads no session.</summary>
    public GuestThread CreateFirst(FileContext context, Credentials credentials, Architecture architecture)
    {
        int id = NextId();
        First = new Process(this, id, FirstNamespaces.Processes, null, new SharedMemory(new AddressSpace(Accountant), null), new FileTable { Accountant = Accountant }, context, new SignalActions())
        {
            Group = id,
            Session = OutsideSession,
            Limits = Personality.DefaultLimits,
        };
        Add(First);
        var thread = new GuestThread(First, id, new GuestCpu(architecture) { TimeStamp = _clock.TimeStamp }) { Credentials = credentials, StartTime = Clock.Monotonic };
        First.Add(thread);
        return thread;
    }
}
