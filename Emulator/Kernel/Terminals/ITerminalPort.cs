namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>What a pseudo-terminal's master in packet mode is told (TIOCPKT_ of ioctl_tty(2)).</summary>
[Flags]
public enum TerminalNotice : byte
{
    None = 0,
    InputFlushed = 1,
    OutputFlushed = 2,
    Stopped = 4,
    Started = 8,

    /// <summary>^S and ^Q no longer stop and start output, or do.</summary>
    NoFlowControl = 16,
    FlowControl = 32,
    SettingsChanged = 64,
}

/// <summary>The other side of a terminal, where its output goes: a pseudo-terminal's master, or a terminal outside the world.</summary>
public interface ITerminalPort
{
    /// <summary>Bytes that can be taken now.</summary>
    int Room { get; }

    /// <summary>Takes some or all bytes.</summary>
    int Write(ReadOnlySpan<byte> bytes);

    /// <summary>While it is set, nothing that is written is delivered: a signal character among what is typed at once drops it.</summary>
    bool IsHeld { set; }

    /// <summary>Drops what was taken and is not delivered yet.</summary>
    void Flush();

    void Notify(TerminalNotice notice);

    /// <summary>The terminal can take input again.</summary>
    void OnInputRoom();

    /// <summary>A program waits for input, or changed how it is treated.</summary>
    void OnUse(bool waits);
}

/// <summary>What a line discipline acts on.</summary>
public interface ILine
{
    /// <summary>Output that can go out now; 0 while it is stopped.</summary>
    int Room { get; }

    int Write(ReadOnlySpan<byte> bytes);

    /// <summary>Drops output under way, because a signal character was typed.</summary>
    void FlushForSignal();

    /// <summary>Sends a signal to the foreground group.</summary>
    void Signal(int signal);

    bool IsStopped { get; }

    /// <summary>Stops output; it was ^S.</summary>
    void Stop();

    /// <summary>Lets output go on, unless a program stopped it.</summary>
    void Start();

    /// <summary>There is something to read.</summary>
    void OnInput();
}
