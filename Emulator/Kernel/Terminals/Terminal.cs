using Vivarium.Emulator.Kernel.Events;
using Vivarium.Emulator.Kernel.Signals;

namespace Vivarium.Emulator.Kernel.Terminals;

/// <summary>
/// A terminal as its programs see it: settings, size, line discipline, and the session it controls (tty(4), credentials(7)).
/// Descriptions of it are <see cref="TerminalFile"/>; what it is connected to is an <see cref="ITerminalPort"/>.
/// </summary>
public sealed partial class Terminal : ILine
{
    /// <summary>What is under way to the line discipline when that is full.</summary>
    private const int IncomingLimit = 16384;

    private readonly World _world;
    private readonly ByteQueue _incoming = new(IncomingLimit);
    private readonly List<TerminalFile> _files = [];
    private readonly LineDiscipline _discipline;
    private bool _isStoppedByKey;
    private bool _isStoppedByProgram;

    internal Terminal(World world, int number, in TerminalSettings settings)
    {
        _world = world;
        Number = number;
        _discipline = new LineDiscipline(this, settings);
    }

    /// <summary>N of /dev/pts/N.</summary>
    public int Number { get; }

    /// <summary>Its device number.</summary>
    public ulong Device => Files.DeviceNumber.Make(TerminalDevices.SlaveMajor, (uint)Number);

    public ref readonly TerminalSettings Settings => ref _discipline.Settings;

    public WindowSize Size { get; private set; }

    /// <summary>Only privileged processes may open it again (TIOCEXCL).</summary>
    public bool IsExclusive { get; set; }

    /// <summary>Nobody may open it yet: its maker did not finish (unlockpt(3)).</summary>
    public bool IsLocked { get; set; } = true;

    /// <summary>The other side is gone.</summary>
    public bool IsDisconnected { get; private set; }

    public bool IsOpen => _files.Count > 0;

    /// <summary>Pulses for readers, writers and settings.</summary>
    public Source Source { get; } = new();

    /// <summary>World time of the last byte that came, for reads that end with a pause.</summary>
    public long LastInput { get; private set; }

    internal LineDiscipline Discipline => _discipline;

    internal ITerminalPort Port { get; set; } = null!;

    /// <summary>Raised when the last file of a terminal without another side is closed: its number is free again.</summary>
    internal event Action? Released;

    /// <summary>Takes bytes from the other side; returns how many.</summary>
    internal int Receive(ReadOnlySpan<byte> bytes)
    {
        int taken = _incoming.Add(bytes);
        LastInput = _world.Clock.Monotonic;
        Port.IsHeld = true;
        Advance();
        Port.IsHeld = false;
        return taken;
    }

    internal int InputRoom => _incoming.Room;

    /// <summary>Bytes that came and are not in the line discipline yet are dropped.</summary>
    internal void DropIncoming()
    {
        _incoming.Cut(0);
        Port.OnInputRoom();
    }

    /// <summary>Gives the line discipline what it has room for.</summary>
    private void Advance()
    {
        while (_incoming.Count > 0)
        {
            int taken = _discipline.Receive(_incoming.Front);
            if (taken == 0)
                return;
            _incoming.Skip(taken);
        }
    }

    /// <summary>Room came to be by reading, flushing or new settings.</summary>
    internal void OnInputTaken()
    {
        bool wasWaiting = _incoming.Count > 0;
        Advance();
        if (wasWaiting)
            Port.OnInputRoom();
    }

    /// <summary>The other side takes output again.</summary>
    internal void OnOutputRoom() => Source.Pulse(Readiness.Out);

    public void Apply(in TerminalSettings wanted)
    {
        TerminalSettings settings = wanted;
        settings.KeepPseudoTerminal();
        bool hadFlowControl = Settings.HasUsualFlowControl;
        bool isExternal = Settings.Has(LocalModes.ExternalEditing) || settings.Has(LocalModes.ExternalEditing);
        TerminalNotice notice = isExternal ? TerminalNotice.SettingsChanged : TerminalNotice.None;
        if (hadFlowControl != settings.HasUsualFlowControl)
            notice |= hadFlowControl ? TerminalNotice.NoFlowControl : TerminalNotice.FlowControl;
        if (notice != TerminalNotice.None)
            Port.Notify(notice);
        _discipline.Apply(settings);
        OnInputTaken();
        Port.OnUse(waits: false);
        Source.Pulse();
    }

    /// <summary>A new size; the foreground group is told (TIOCSWINSZ).</summary>
    public void Resize(WindowSize size)
    {
        if (size == Size)
            return;
        Size = size;
        SignalForeground(Signals.Signal.WindowSize);
    }

    /// <summary>Drops unread input (TCIFLUSH).</summary>
    public void FlushInput()
    {
        _incoming.Cut(0);
        _discipline.FlushInput();
        Port.Notify(TerminalNotice.InputFlushed);
        OnInputTaken();
    }

    /// <summary>Drops output that was not delivered (TCOFLUSH).</summary>
    public void FlushOutput()
    {
        Port.Flush();
        Port.Notify(TerminalNotice.OutputFlushed);
    }

    /// <summary>A program stops the output (TCOOFF) or lets it go on (TCOON).</summary>
    public void SuspendOutput(bool isStopped)
    {
        if (isStopped == _isStoppedByProgram)
            return;
        _isStoppedByProgram = isStopped;
        if (isStopped && !_isStoppedByKey)
            Port.Notify(TerminalNotice.Stopped);
        _isStoppedByKey |= isStopped;
        if (!isStopped)
            Restart();
    }

    /// <summary>Sends a character past stopped output: START or STOP for the other side (TCIOFF, TCION).</summary>
    public void SendUrgent(byte value)
    {
        bool wasStopped = _isStoppedByKey;
        Restart();
        if (!_isStoppedByKey)
            Port.Write([value]);
        if (wasStopped)
            Stop();
    }

    int ILine.Room => _isStoppedByKey ? 0 : Port.Room;

    bool ILine.IsStopped => _isStoppedByKey && !_isStoppedByProgram;

    int ILine.Write(ReadOnlySpan<byte> bytes) => Port.Write(bytes);

    void ILine.FlushForSignal()
    {
        FlushOutput();
        Port.Notify(TerminalNotice.InputFlushed);
    }

    void ILine.Signal(int signal) => SignalForeground(signal);

    /// <summary>Sends a signal to the foreground group, as a key does.</summary>
    public void SignalForeground(int signal)
    {
        if (ForegroundGroup != 0)
            _world.SendGroup(ForegroundGroup, FromKernel(signal));
    }

    void ILine.Stop() => Stop();

    private void Stop()
    {
        if (_isStoppedByKey)
            return;
        _isStoppedByKey = true;
        Port.Notify(TerminalNotice.Stopped);
    }

    void ILine.Start() => Restart();

    void ILine.OnInput() => Source.Pulse(Readiness.In);

    private void Restart()
    {
        if (!_isStoppedByKey || _isStoppedByProgram)
            return;
        _isStoppedByKey = false;
        Port.Notify(TerminalNotice.Started);
        Source.Pulse(Readiness.Out);
    }

    internal void Add(TerminalFile file) => _files.Add(file);

    internal void Remove(TerminalFile file)
    {
        _files.Remove(file);
        if (_files.Count > 0)
            return;
        (Port as PseudoTerminal)?.OnSlaveClosed();
        if (IsDisconnected)
            Released?.Invoke();
    }

    /// <summary>The other side went: programs are told, and nothing works any more.</summary>
    internal void Disconnect()
    {
        IsDisconnected = true;
        HangUp();
        if (_files.Count == 0)
            Released?.Invoke();
    }

    /// <summary>SI_KERNEL: nobody in particular sent it.</summary>
    private static SignalInfo FromKernel(int signal) => new(signal, Code: 0x80);
}
