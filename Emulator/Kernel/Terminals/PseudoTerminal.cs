using Vivarium.Emulator.Kernel.Events;

namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>The connection of a terminal to a master inside the world (pty(7)).</summary>
public sealed class PseudoTerminal : ITerminalPort
{
    /// <summary>What the master can read at once, and what can wait behind that.</summary>
    private const int ReadLimit = LineDiscipline.BufferSize - 1;
    private const int QueueLimit = 16384;

    private readonly ByteQueue _output = new(ReadLimit + QueueLimit);
    private bool _wasOpen;

    /// <summary>Where what is held began, or -1.</summary>
    private int _heldFrom = -1;

    internal PseudoTerminal(Terminal terminal)
    {
        Terminal = terminal;
        terminal.Port = this;
    }

    public Terminal Terminal { get; }

    /// <summary>Pulses for the master.</summary>
    public Source Source { get; } = new();

    /// <summary>Reads begin with a byte of notices (TIOCPKT).</summary>
    public bool IsPacketMode { get; private set; }

    /// <summary>Notices for the master since it read last.</summary>
    public TerminalNotice Notices { get; private set; }

    /// <summary>Nobody has the terminal open any more.</summary>
    public bool IsSlaveClosed => _wasOpen && !Terminal.IsOpen;

    public int Unread => Math.Min(_output.Count, ReadLimit);

    public int Room => Math.Max(0, _output.Room);

    public int Write(ReadOnlySpan<byte> bytes)
    {
        int taken = _output.Add(bytes);
        Source.Pulse(Readiness.In);
        return taken;
    }

    public bool IsHeld
    {
        set => _heldFrom = value ? _output.Count : -1;
    }

    /// <summary>What the master could read already stays.</summary>
    public void Flush() => _output.Cut(_heldFrom < 0 ? ReadLimit : Math.Min(_heldFrom, ReadLimit));

    /// <summary>The master drops what it could read.</summary>
    public void Drop()
    {
        _output.Skip(Unread);
        Terminal.OnOutputRoom();
    }

    public void SetPacketMode(bool isOn)
    {
        if (isOn && !IsPacketMode)
            Notices = TerminalNotice.None;
        IsPacketMode = isOn;
    }

    public void Notify(TerminalNotice notice)
    {
        if (!IsPacketMode)
            return;
        // Of opposites the latest holds.
        Notices &= ~(Opposite(notice, TerminalNotice.Stopped, TerminalNotice.Started) | Opposite(notice, TerminalNotice.NoFlowControl, TerminalNotice.FlowControl));
        Notices |= notice;
        Source.Pulse(Readiness.In | Readiness.Priority);
    }

    private static TerminalNotice Opposite(TerminalNotice notice, TerminalNotice one, TerminalNotice other) =>
        (notice & (one | other)) != 0 ? one | other : TerminalNotice.None;

    internal TerminalNotice TakeNotices()
    {
        TerminalNotice taken = Notices;
        Notices = TerminalNotice.None;
        return taken;
    }

    internal int Read(Span<byte> destination)
    {
        int count = _output.Take(destination[..Math.Min(destination.Length, ReadLimit)]);
        if (count > 0)
            Terminal.OnOutputRoom();
        return count;
    }

    internal void OnSlaveOpened()
    {
        _wasOpen = true;
        Source.Pulse(Readiness.Out);
    }

    internal void OnSlaveClosed() => Source.Pulse();

    public void OnInputRoom() => Source.Pulse(Readiness.Out);

    public void OnUse(bool waits)
    {
    }
}
