using Vivarium.Emulator.Kernel.Terminals;
using Vivarium.Emulator.Memory.Host;
using Vivarium.Nodes.Native;

namespace Vivarium.Nodes.Hosting;

/// <summary>
/// The user's terminal while a guest uses it: raw, because the guest's own terminal does echo, line editing and Ctrl-C. Where only
/// some streams are a terminal it stays as it is until the guest uses it, so that a guest that writes to a pager leaves it to that. It is
/// always set back, also while this process is stopped.
/// </summary>
internal sealed class Terminal : IHostTerminal, IDisposable
{
    private const int SetAfterDrain = 1;
    private const int MostWaiting = 16 * 1024;

    /// <summary>How often a background job looks whether its user's shell gave it the terminal; shells need not tell.</summary>
    private static readonly TimeSpan ForegroundInterval = TimeSpan.FromMilliseconds(300);

    private readonly Lock _lock = new();
    private readonly int _descriptor;
    private readonly HostInput _input;
    private readonly HostOutput _output;
    private readonly List<byte> _waiting = [];
    private readonly Timer _foregroundTimer;
    private readonly KernelTermios _saved;
    private bool _isDisposed;

    private Terminal(int descriptor, bool isInteractive, in KernelTermios saved)
    {
        _descriptor = descriptor;
        _saved = saved;
        IsInteractive = isInteractive;
        _input = new HostInput(descriptor);
        _output = new HostOutput(descriptor);
        _input.Available += () => Ready?.Invoke();
        _output.RoomAvailable += OnRoom;
        _foregroundTimer = new Timer(_ => Ready?.Invoke());
    }

    public event Action? Ready;

    public bool IsInteractive { get; }

    public TerminalSettings Settings => _saved.ToSettings();

    public WindowSize Size => Libc.IoctlWindowSize(_descriptor, Libc.TiocGWinSz, out HostWindowSize size) == 0
        ? new(size.Rows, size.Columns, size.PixelWidth, size.PixelHeight)
        : default;

    /// <summary>True while bytes written go to the screen as they are, without a line end's return.</summary>
    public bool IsRaw { get; private set; }

    public int Room
    {
        get
        {
            lock (_lock)
                return MostWaiting - _waiting.Count;
        }
    }

    /// <summary>The terminal on the standard streams, or else this process's own; null when there is none.</summary>
    public static Terminal? Open()
    {
        bool isInteractive = Libc.IsATty(0) == 1 && Libc.IsATty(1) == 1;
        int descriptor = -1;
        for (int stream = 0; stream <= 2 && descriptor < 0; stream++)
        {
            if (Libc.IsATty(stream) == 1)
                descriptor = Reopen(stream);
        }
        if (descriptor < 0)
            descriptor = HostDescriptors.Open("/dev/tty", Libc.ReadWrite | Libc.NoControllingTerminal | Libc.NonBlocking | Libc.CloseOnExec);
        if (descriptor < 0 || Libc.GetSettings(descriptor, out KernelTermios saved) != 0)
            return null;
        var terminal = new Terminal(descriptor, isInteractive, saved);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => terminal.Dispose();
        if (isInteractive)
            terminal.EnterRaw();
        return terminal;
    }

    /// <summary>
    /// A description of its own, which can be non-blocking without that being seen by others. After a change of user it may be refused;
    /// then the stream itself has to do.
    /// </summary>
    private static int Reopen(int stream)
    {
        int own = HostDescriptors.Open($"/proc/self/fd/{stream}", Libc.ReadWrite | Libc.NoControllingTerminal | Libc.NonBlocking | Libc.CloseOnExec);
        return own >= 0 ? own : stream;
    }

    public int TryRead(Span<byte> destination)
    {
        if (EnterRaw())
            return _input.TryRead(destination);
        _foregroundTimer.Change(ForegroundInterval, Timeout.InfiniteTimeSpan);
        return -1;
    }

    public int Write(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            bytes = bytes[..Math.Min(bytes.Length, MostWaiting - _waiting.Count)];
            int written = _waiting.Count > 0 ? 0 : _output.TryWrite(bytes);
            // A terminal that is gone takes everything.
            if (written >= 0)
                _waiting.AddRange(bytes[written..]);
            return bytes.Length;
        }
    }

    public void DropOutput()
    {
        lock (_lock)
            _waiting.Clear();
    }

    public void Claim(bool waits)
    {
        // As a read of its own would: the shell sees a job stopped for input.
        if (waits && !IsForeground && Libc.IsControlling(_descriptor))
            Libc.Kill(0, Libc.SigTtin);
        else
            EnterRaw();
    }

    /// <summary>Makes it raw; false when another job of the user's shell has it.</summary>
    public bool EnterRaw()
    {
        lock (_lock)
        {
            if (_isDisposed || !IsForeground)
                return false;
            if (!IsRaw)
                IsRaw = Libc.SetSettings(_descriptor, _saved.ToRaw()) == 0;
            return IsRaw;
        }
    }

    /// <summary>Sets it back for a while, as when the guest is stopped.</summary>
    public void LeaveRaw()
    {
        lock (_lock)
        {
            // In the background it is the shell's, which has set it as it likes.
            if (IsRaw && IsForeground)
                Libc.SetSettings(_descriptor, _saved);
            IsRaw = false;
        }
    }

    /// <summary>Goes on after a stop.</summary>
    public void Resume()
    {
        lock (_lock)
            IsRaw = false;
        Ready?.Invoke();
    }

    /// <summary>Shows what waits to be shown; gives up on a terminal that takes nothing for a while.</summary>
    public void Flush()
    {
        const int Patience = 2000;
        while (true)
        {
            int before;
            lock (_lock)
            {
                Send();
                before = _waiting.Count;
            }
            if (before == 0 || !_output.WaitUntilReady(Patience))
                return;
        }
    }

    public void Dispose()
    {
        Flush();
        LeaveRaw();
        _isDisposed = true;
        _foregroundTimer.Dispose();
    }

    private bool IsForeground => Libc.TcGetPgrp(_descriptor) is var group && (group < 0 || group == Libc.GetPgrp());

    private void OnRoom()
    {
        lock (_lock)
            Send();
        Ready?.Invoke();
    }

    private void Send()
    {
        if (_waiting.Count == 0)
            return;
        int written = _output.TryWrite(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_waiting));
        _waiting.RemoveRange(0, written < 0 ? _waiting.Count : written);
    }
}
