using Vivarium.Nodes.Native;

namespace Vivarium.Nodes.Hosting;

/// <summary>
/// The user's terminal while a guest uses it: raw, because the guest's own terminal does echo, line editing and Ctrl-C. It is
/// set on first use, so that a guest that only writes to a pipe leaves it to whoever reads that pipe, and always set back.
/// </summary>
internal sealed class Terminal : IDisposable
{
    private const int SetAfterDrain = 1;

    private readonly Lock _lock = new();
    private readonly int _descriptor;
    private Termios _saved;
    private bool _isRaw;
    private bool _isDisposed;

    private Terminal(int descriptor) => _descriptor = descriptor;

    /// <summary>The terminal on standard input, or null when there is none.</summary>
    public static Terminal? Open()
    {
        if (Libc.IsATty(0) != 1)
            return null;
        var terminal = new Terminal(0);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => terminal.Dispose();
        return terminal;
    }

    /// <summary>Columns and rows, or null when the terminal does not know.</summary>
    public (int Columns, int Rows)? Size =>
        Libc.IoctlWindowSize(_descriptor, Libc.TiocGWinSz, out WindowSize size) == 0 && size.Columns != 0
            ? (size.Columns, size.Rows)
            : null;

    /// <summary>Makes it raw, unless it is already or another job of the user's shell has it.</summary>
    public void EnterRaw()
    {
        if (_isRaw)
            return;
        lock (_lock)
        {
            if (_isRaw || _isDisposed || Libc.TcGetPgrp(_descriptor) != Libc.GetPgrp()
                || Libc.TcGetAttr(_descriptor, out _saved) != 0)
            {
                return;
            }
            Termios raw = _saved;
            Libc.CfMakeRaw(ref raw);
            _isRaw = Libc.TcSetAttr(_descriptor, SetAfterDrain, in raw) == 0;
        }
    }

    /// <summary>Sets it back for a while, as when the guest is stopped.</summary>
    public void LeaveRaw()
    {
        lock (_lock)
        {
            if (!_isRaw)
                return;
            Libc.TcSetAttr(_descriptor, SetAfterDrain, in _saved);
            _isRaw = false;
        }
    }

    public void Dispose()
    {
        LeaveRaw();
        _isDisposed = true;
    }
}
