using Vivarium.Emulator.Kernel;
using Vivarium.Emulator.Kernel.Signals;
using Vivarium.Emulator.Personalities.Tables;

namespace Vivarium.Emulator.Personalities.Bsd;

/// <summary>The kernel's errors and signals as a system numbers them, found by name in its table.</summary>
internal sealed class BsdNumbers
{
    private const int LargestError = 256;

    private readonly int[] _errors = new int[LargestError];
    private readonly int[] _fromNeutral = new int[Signal.Last + 1];
    private readonly int[] _toNeutral;

    /// <param name="errors">Its errors by name.</param>
    /// <param name="signals">Its signals by name.</param>
    /// <param name="firstRealTime">The first of the signals that queue.</param>
    /// <param name="lastSignal">The last of them.</param>
    public BsdNumbers(NamedSet errors, NamedSet signals, int firstRealTime, int lastSignal)
    {
        Dictionary<string, int> numbers = errors.Values.ToDictionary(static named => named.Name, static named => (int)named.Value);
        foreach (Errno error in Enum.GetValues<Errno>())
        {
            // What the system has no name for is an invalid argument there.
            if (error != Errno.None)
                _errors[(int)error] = numbers.GetValueOrDefault(error.ToString(), numbers["EINVAL"]);
        }
        _toNeutral = new int[lastSignal + 1];
        foreach (NamedValue signal in signals.Values)
            Map(NeutralOf(signal.Name), (int)signal.Value);
        for (int number = firstRealTime, neutral = FirstFree; number <= lastSignal && neutral <= Signal.Last; number++, neutral++)
            Map(neutral, number);
    }

    /// <summary>The neutral numbers from here on are the system's real-time signals; those before stand for signals that Linux lacks.</summary>
    private const int FirstFree = 34;

    public int ErrorNumber(Errno error) => (uint)error < LargestError ? _errors[(int)error] : _errors[(int)Errno.EINVAL];

    /// <summary>The kernel's number; 0 for none.</summary>
    public int ToNeutral(int signal) => (uint)signal < (uint)_toNeutral.Length ? _toNeutral[signal] : 0;

    public int FromNeutral(int signal) => (uint)signal < (uint)_fromNeutral.Length ? _fromNeutral[signal] : 0;

    /// <summary>A set of 128 bits, signal n at bit n - 1.</summary>
    public SignalSet ToNeutral(UInt128 bits)
    {
        SignalSet set = default;
        for (int signal = 1; signal < _toNeutral.Length; signal++)
        {
            if ((bits >> (signal - 1) & 1) != 0 && _toNeutral[signal] != 0)
                set |= SignalSet.Of(_toNeutral[signal]);
        }
        return set;
    }

    public UInt128 FromNeutral(SignalSet set)
    {
        UInt128 bits = 0;
        for (int neutral = 1; neutral <= Signal.Last; neutral++)
        {
            if (set.Contains(neutral) && _fromNeutral[neutral] != 0)
                bits |= UInt128.One << (_fromNeutral[neutral] - 1);
        }
        return bits;
    }

    /// <summary>The status word of a continued child (WIFCONTINUED).</summary>
    public required int ContinuedStatus { get; init; }

    /// <summary>The status word of wait(2): the macros of both systems take it apart as Linux's do, but for a continued child.</summary>
    public int EncodeStatus(WaitStatus status) => status.Change switch
    {
        ChildChange.Exited => status.Value << 8,
        ChildChange.Killed => FromNeutral(status.Value) | (status.DumpedCore ? 0x80 : 0),
        ChildChange.Stopped => (FromNeutral(status.Value) << 8) | 0x7F,
        _ => ContinuedStatus,
    };

    private void Map(int neutral, int number)
    {
        if (neutral == 0)
            return;
        _toNeutral[number] = neutral;
        _fromNeutral[neutral] = number;
    }

    private static int NeutralOf(string name) => name switch
    {
        "SIGHUP" => Signal.HangUp,
        "SIGINT" => Signal.Interrupt,
        "SIGQUIT" => Signal.Quit,
        "SIGILL" => Signal.Illegal,
        "SIGTRAP" => Signal.Trap,
        "SIGABRT" => Signal.Abort,
        "SIGBUS" => Signal.Bus,
        "SIGFPE" => Signal.FloatingPoint,
        "SIGKILL" => Signal.Kill,
        "SIGUSR1" => Signal.User1,
        "SIGSEGV" => Signal.Segment,
        "SIGUSR2" => Signal.User2,
        "SIGPIPE" => Signal.Pipe,
        "SIGALRM" => Signal.Alarm,
        "SIGTERM" => Signal.Terminate,
        "SIGCHLD" => Signal.Child,
        "SIGCONT" => Signal.Continue,
        "SIGSTOP" => Signal.Stop,
        "SIGTSTP" => Signal.TerminalStop,
        "SIGTTIN" => Signal.TerminalInput,
        "SIGTTOU" => Signal.TerminalOutput,
        "SIGURG" => Signal.Urgent,
        "SIGXCPU" => Signal.ProcessorLimit,
        "SIGXFSZ" => Signal.FileSize,
        "SIGVTALRM" => Signal.VirtualAlarm,
        "SIGPROF" => Signal.Profile,
        "SIGWINCH" => Signal.WindowSize,
        "SIGIO" => Signal.InputOutput,
        "SIGSYS" => Signal.BadCall,
        // Numbers that mean nothing to the kernel: Linux's SIGSTKFLT, SIGPWR and the two of its C library.
        "SIGEMT" => 16,
        "SIGINFO" => 30,
        "SIGTHR" => 32,
        "SIGLIBRT" or "SIGPWR" => 33,
        _ => 0,
    };
}
