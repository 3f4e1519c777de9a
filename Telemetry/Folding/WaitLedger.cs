using Vivarium.Emulator.Kernel.Records;

namespace Vivarium.Telemetry.Folding;

/// <summary>What a blocked call waits for.</summary>
public enum WaitKind
{
    /// <summary>A descriptor to become ready.</summary>
    Descriptor,

    /// <summary>One of several descriptors: poll, select, epoll.</summary>
    Descriptors,

    Futex,
    Child,
    Timer,
    Signal,
}

/// <summary>All waits of one process for one thing.</summary>
public sealed class WaitTotals(int process, int number, WaitKind kind, ulong key, byte[]? subject)
{
    private const int MostThreads = 4096;

    private readonly HashSet<int> _threads = [];

    public int Process { get; } = process;

    /// <summary>The call that waits.</summary>
    public int Number { get; } = number;

    public WaitKind Kind { get; } = kind;

    /// <summary>The futex's address, the child or the descriptor.</summary>
    public ulong Key { get; } = key;

    /// <summary>The descriptor's file.</summary>
    public byte[]? Subject { get; } = subject;

    public long Count { get; internal set; }

    /// <summary>World time, nanoseconds, all threads together.</summary>
    public long Time { get; internal set; }

    public long Longest { get; internal set; }

    /// <summary>Threads that waited for it.</summary>
    public int Threads => _threads.Count;

    internal void Add(in CallRecord record)
    {
        Count++;
        Time += record.Blocked;
        Longest = Math.Max(Longest, record.Blocked);
        if (_threads.Count < MostThreads)
            _threads.Add(record.Thread);
    }
}

/// <summary>What a job waited for, and how long. Things past the limit are counted together.</summary>
/// <param name="nameOf">The calls' names.</param>
public sealed class WaitLedger(Func<int, string> nameOf)
{
    private const int Limit = 2000;

    private readonly Dictionary<(int Process, int Number, ulong Key), WaitTotals> _waits = [];
    private readonly Dictionary<int, WaitKind> _kinds = [];

    /// <summary>Waits for things past the limit.</summary>
    public long Omitted { get; private set; }

    public IReadOnlyCollection<WaitTotals> All => _waits.Values;

    public void Add(in CallRecord record)
    {
        if (!_kinds.TryGetValue(record.Number, out WaitKind kind))
            _kinds.Add(record.Number, kind = KindOf(nameOf(record.Number)));
        // All timers of a process are one thing, and so are all signals.
        ulong key = kind is WaitKind.Timer or WaitKind.Signal ? 0 : record.Arguments[0];
        (int, int, ulong) place = (record.Process, record.Number, key);
        if (!_waits.TryGetValue(place, out WaitTotals? totals))
        {
            if (_waits.Count == Limit)
            {
                Omitted++;
                return;
            }
            _waits.Add(place, totals = new WaitTotals(record.Process, record.Number, kind, key, record.Subject));
        }
        totals.Add(record);
    }

    public static WaitKind KindOf(string? call) => call switch
    {
        "futex" or "futex_wait" or "futex_waitv" => WaitKind.Futex,
        "wait4" or "waitid" or "vfork" => WaitKind.Child,
        "nanosleep" or "clock_nanosleep" => WaitKind.Timer,
        "pause" or "rt_sigsuspend" or "rt_sigtimedwait" => WaitKind.Signal,
        "poll" or "ppoll" or "select" or "pselect6" or "epoll_wait" or "epoll_pwait" or "epoll_pwait2" => WaitKind.Descriptors,
        _ => WaitKind.Descriptor,
    };
}
