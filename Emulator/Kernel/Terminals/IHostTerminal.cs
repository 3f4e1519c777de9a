namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>
/// A user's terminal outside the world, without line editing, echo and signals of its own: those are the world's. Thread-safe;
/// handed in by the node.
/// </summary>
public interface IHostTerminal
{
    /// <summary>The user types for this job alone, from its start; else only once a program <see cref="Claim"/>s the keys.</summary>
    bool IsInteractive { get; }

    /// <summary>The settings it had, which the world's begins with.</summary>
    TerminalSettings Settings { get; }

    WindowSize Size { get; }

    /// <summary>Takes typed bytes: a count, 0 when it hung up, -1 when nothing is there now.</summary>
    int TryRead(Span<byte> destination);

    /// <summary>Bytes that can be written now.</summary>
    int Room { get; }

    /// <summary>Takes as many bytes as there is room for; returns how many.</summary>
    int Write(ReadOnlySpan<byte> bytes);

    /// <summary>Drops what was not shown yet.</summary>
    void DropOutput();

    /// <summary>A program uses the terminal, or even waits for its keys, which in a background job of the user's shell stops the job.</summary>
    void Claim(bool waits);

    /// <summary>Called from any thread when there may be more to read or room to write.</summary>
    event Action? Ready;
}
