namespace Vivarium.Emulator.Kernel.Signals;

/// <summary>The kernel's signals. Values are Linux's generic ones; other personalities map them by table.</summary>
public static class Signal
{
    public const int HangUp = 1;
    public const int Interrupt = 2;
    public const int Quit = 3;
    public const int Illegal = 4;
    public const int Trap = 5;
    public const int Abort = 6;
    public const int Bus = 7;
    public const int FloatingPoint = 8;
    public const int Kill = 9;
    public const int User1 = 10;
    public const int Segment = 11;
    public const int User2 = 12;
    public const int Pipe = 13;
    public const int Alarm = 14;
    public const int Terminate = 15;
    public const int Child = 17;
    public const int Continue = 18;
    public const int Stop = 19;
    public const int TerminalStop = 20;
    public const int TerminalInput = 21;
    public const int TerminalOutput = 22;
    public const int Urgent = 23;
    public const int ProcessorLimit = 24;
    public const int FileSize = 25;
    public const int VirtualAlarm = 26;
    public const int Profile = 27;
    public const int WindowSize = 28;

    public const int InputOutput = 29;
    public const int BadCall = 31;

    /// <summary>From here to 64: queued, in order, each with its data.</summary>
    public const int FirstRealTime = 32;
    public const int Last = 64;

    /// <summary>Cannot be caught, blocked or ignored.</summary>
    public static readonly SignalSet Unstoppable = SignalSet.Of(Kill) | SignalSet.Of(Stop);

    /// <summary>Stop a process by default.</summary>
    public static readonly SignalSet Stops = SignalSet.Of(Stop) | SignalSet.Of(TerminalStop) | SignalSet.Of(TerminalInput) | SignalSet.Of(TerminalOutput);

    /// <summary>Raised by an instruction; delivered before others (signal(7)).</summary>
    public static readonly SignalSet Synchronous =
        SignalSet.Of(Segment) | SignalSet.Of(Bus) | SignalSet.Of(Illegal) | SignalSet.Of(Trap) | SignalSet.Of(FloatingPoint);

    private static readonly SignalSet IgnoredByDefault =
        SignalSet.Of(Child) | SignalSet.Of(Continue) | SignalSet.Of(Urgent) | SignalSet.Of(WindowSize);

    private static readonly SignalSet DumpsCore = Synchronous | SignalSet.Of(Quit) | SignalSet.Of(Abort) | new SignalSet(1UL << 23 | 1UL << 24 | 1UL << 30);

    public static bool IsValid(int signal) => signal is >= 1 and <= Last;

    public static DefaultAction DefaultOf(int signal)
    {
        if (IgnoredByDefault.Contains(signal))
            return DefaultAction.Ignore;
        if (Stops.Contains(signal))
            return DefaultAction.Stop;
        return DumpsCore.Contains(signal) ? DefaultAction.Core : DefaultAction.Terminate;
    }
}

public enum DefaultAction : byte
{
    Terminate,

    /// <summary>Terminates, and the status tells of a core dump where one is made.</summary>
    Core,
    Ignore,
    Stop,
}

/// <summary>Why a signal was sent, and its data (siginfo).</summary>
public readonly record struct SignalInfo(int Signal, int Code = 0)
{
    public int Error { get; init; }

    public int SenderProcess { get; init; }

    public uint SenderUser { get; init; }

    /// <summary>The value of sigqueue, or the fault's address, or a child's status.</summary>
    public ulong Value { get; init; }

    public bool IsFault { get; init; }

    /// <summary>What a fault tells behind its address: a refused call and its architecture.</summary>
    public ulong Detail { get; init; }

    /// <summary>True for SIGCHLD's own layout.</summary>
    public bool IsChild { get; init; }

    /// <summary>A POSIX timer's identifier and overrun count, when a timer sent it.</summary>
    public int Timer { get; init; }

    public int Overrun { get; init; }

    public bool IsTimer { get; init; }

    /// <summary>An open file's news: the band says what, in poll(2)'s bits, and the value is the descriptor.</summary>
    public bool IsPoll { get; init; }

    public long Band { get; init; }
}

/// <summary>What a process does on a signal (sigaction).</summary>
public readonly record struct SignalAction
{
    public const ulong Default = 0;
    public const ulong Ignore = 1;

    /// <summary>0 = default, 1 = ignore, else the handler's address.</summary>
    public ulong Handler { get; init; }

    /// <summary>The personality's flags, as the guest gave them.</summary>
    public ulong RawFlags { get; init; }

    public ulong Restorer { get; init; }

    /// <summary>Blocked while the handler runs.</summary>
    public SignalSet Mask { get; init; }

    public bool Restarts { get; init; }

    public bool ResetsOnDelivery { get; init; }

    public bool KeepsUnblocked { get; init; }

    public bool UsesAlternateStack { get; init; }

    /// <summary>SA_NOCLDSTOP.</summary>
    public bool NoChildStops { get; init; }

    /// <summary>SA_NOCLDWAIT: children leave no zombie.</summary>
    public bool NoChildZombies { get; init; }

    public bool IsHandled => Handler > Ignore;
}
